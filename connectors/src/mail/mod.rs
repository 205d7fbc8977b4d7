//! Mail that the daemon sends, over SMTP with TLS.
//!
//! One mail, one connection: what was handed over is known, and so is what was not. A mail carries the
//! Message-ID that its caller derives from the step or notice it is about, so that one sent again after
//! a lost answer is recognised as the same by whoever gets it.

mod address;
mod letter;
mod postman;
mod settings;
mod trouble;

pub use address::{BadAddress, MailAddress};
pub use letter::{Attachment, Letter, MessageId};
pub use postman::{Postman, Receipt};
pub use settings::{MailSecurity, MailSettings};
pub use trouble::MailFault;
