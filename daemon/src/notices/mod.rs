//! Who is told what by mail, and that it was (D9, A10, S7): the outbox and its sender.
//!
//! **Flow.** What decides also queues: [`queue`] asks `lapsed_core::notice_rules` who is to be told what,
//! writes it by the [`wording`], and stores it in the transaction of the decision. The [`sender`] claims
//! what waits, looks up the address, marks it as being handed over, and hands it to the mail server.
//! Once a day the [`digest`] gathers what does not go out by itself. [`alarms`] turns what `lapsed status`
//! wants looked at into notices for the on-call.
//!
//! **Guarantees.** The same wish is the same notice, and is queued once. A notice of which nobody knows
//! whether the mail server took it is unverified, shown as that, and not sent again unless the YAML says
//! so. Nothing waits for a notice: not an account to be shut, not a deletion.

mod access_forms;
mod addresses;
mod alarms;
mod digest;
mod facts;
mod look;
mod preview;
mod queue;
mod sender;
mod trust;
mod wording;

pub use alarms::{Alarm, alarm_kinds};
pub use facts::{AlarmFacts, CaseFacts, DigestFacts, Facts, ReceiptFacts, ReportFacts};
pub(crate) use look::Look;
pub use preview::{PreviewError, preview};
pub(crate) use sender::MAIL_HEALTH;
pub use sender::Post;
pub(crate) use wording::written;
pub use wording::{Wording, WordingError};
