//! Why a mail was not taken, and what became of it.

use crate::tls;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use lapsed_core::step::{Cause, Fault};
use lettre::transport::smtp::Error;
use std::error::Error as _;
use std::io;

/// Why a mail is not known to be on its way. Each text is for people, with advice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailFault {
    /// Nobody has it: it can be sent again, later.
    #[error("the mail was not sent: {0}")]
    NotSent(String),
    /// The connection ended before the server said what it did: somebody may have it. Sent again, it
    /// must carry the same Message-ID.
    #[error("whether the mail was taken is not known: {0}")]
    Lost(String),
    /// The server will not have it, now or later.
    #[error("the mail was refused: {0}")]
    Refused(String),
}

impl From<MailFault> for Fault {
    fn from(fault: MailFault) -> Self {
        let cause = Cause::new(fault.to_string());
        match fault {
            MailFault::NotSent(_) => Self::Retry(cause),
            MailFault::Lost(_) => Self::Unknown(cause),
            MailFault::Refused(_) => Self::Refused(cause),
        }
    }
}

/// How far the talk with the server had come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// Reaching it, encryption and greeting included.
    Connect,
    /// Logging on.
    LogOn,
    /// Naming the sender.
    Sender,
    /// Naming one of those who get it.
    Recipient(String),
    /// Asking to hand over the text.
    Data,
    /// Handing over the text.
    Text,
}

impl Stage {
    /// What a failure at this stage means.
    pub(super) fn fault(&self, error: &Error) -> MailFault {
        match (error.is_permanent(), error.is_transient()) {
            (true, _) => self.permanent(error),
            (_, true) => MailFault::NotSent(format!(
                "{}; it will be tried again",
                said("asks to wait", error)
            )),
            _ if *self == Self::Text => MailFault::Lost(technical(error)),
            _ => MailFault::NotSent(technical(error)),
        }
    }

    /// A server that does not answer in time.
    pub(super) fn slow(&self, seconds: u32) -> MailFault {
        let why = format!("the mail server did not answer within {seconds} s");
        match self {
            Self::Text => MailFault::Lost(why),
            _ => MailFault::NotSent(format!("{why}; check address, port and firewall")),
        }
    }

    /// A No. One to our log-on or sender is about the settings, not about this mail: once they are
    /// mended it can be sent.
    fn permanent(&self, error: &Error) -> MailFault {
        match self {
            Self::Connect => MailFault::NotSent(format!(
                "{}; let it take mail from this machine",
                said("won't talk", error)
            )),
            Self::LogOn => MailFault::NotSent(format!(
                "{}; check user and password",
                said("refused the log-on", error)
            )),
            Self::Sender => MailFault::NotSent(format!(
                "{}; check `from`, and whether it wants a log-on",
                said("refused the sender", error)
            )),
            Self::Recipient(address) => MailFault::Refused(format!(
                "{}; correct the address",
                said(&format!("does not take mail for {address}"), error)
            )),
            Self::Data | Self::Text => MailFault::Refused(said("did not take the text", error)),
        }
    }
}

/// `the mail server refused the log-on (535: Authentication failed)`, in the server's words made safe.
fn said(what: &str, error: &Error) -> String {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    let words = error.source().map(|source| words(&source.to_string())).unwrap_or_default();
    format!("the mail server {what} ({code}: {words})")
}

/// What a server said, fit to be shown and kept.
pub(super) fn words(text: &str) -> String {
    mask(&shown(text.trim()))
}

/// A failure of the connection or of what came over it.
fn technical(error: &Error) -> String {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return of_the_connection(io);
        }
        source = inner.source();
    }
    if error.is_response() {
        let said = error.source().map(|source| words(&source.to_string())).unwrap_or_default();
        return format!("the answer is not that of a mail server ({said}); check address and port");
    }
    words(&error.to_string())
}

fn of_the_connection(error: &io::Error) -> String {
    let of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    if of_tls {
        return tls::advice(error);
    }
    format!("no connection to the mail server ({error}); check address, port and whether it runs")
}
