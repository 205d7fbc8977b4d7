//! Mail that the daemon sends, over SMTP with TLS.

mod settings;

pub use settings::{MailSecurity, MailSettings};
