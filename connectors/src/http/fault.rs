//! What a status or a missing reply means for a step.

use super::client::Failed;
use super::reply::Reply;
use lapsed_core::step::{Cause, Fault};

/// Whether a request changes something, which decides what a lost reply means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Looks, or may be done twice: after a lost reply it is simply done again.
    Looks,
    /// A lost reply may hide a change.
    Changes,
}

impl Failed {
    /// The fault for people; `what` was being done: `CIMOR: look up mzsmitj`.
    #[must_use]
    pub fn fault(&self, what: &str, kind: Kind) -> Fault {
        match (self, kind) {
            (Self::NotSent(why), _) | (Self::Lost(why), Kind::Looks) => {
                Fault::Retry(Cause::new(format!("{what}: {why}")))
            }
            (Self::Lost(why), Kind::Changes) => {
                Fault::Unknown(Cause::new(format!("{what}: {why}")))
            }
        }
    }
}

/// The fault that a status means; none for 2xx. What a status means to one target only (404 for an
/// object that is gone, 412) is judged before this.
///
/// What an operator can mend (a key, an address) is tried again: no step ends because a password was
/// mistyped. A gateway that gave up may have passed the change on.
#[must_use]
pub fn fault_of(reply: &Reply, what: &str, kind: Kind) -> Option<Fault> {
    let status = reply.status.as_u16();
    let cause = |advice: &str| Cause::coded(format!("{what}: {advice}"), format!("HTTP {status}"));
    let fault = match (status, kind) {
        (200..=299, _) => return None,
        (300..=399, _) => Fault::Retry(cause(
            "the server sends elsewhere, which is not followed; write the address where the API is",
        )),
        (401, _) => Fault::Retry(cause("the server refused the log-on; check what `login` names")),
        (403, _) => Fault::Retry(cause(
            "the server does not allow it; give the account that logs on the right to do it",
        )),
        (404 | 405, _) => Fault::Retry(cause(
            "the server has nothing at this address; check the address of the API",
        )),
        (408 | 425 | 429 | 503, _) | (502 | 504, Kind::Looks) => {
            Fault::Retry(Cause::coded(format!("{what}: {}", busy(reply)), format!("HTTP {status}")))
        }
        (500.., Kind::Looks) => {
            Fault::Retry(cause("the server failed within itself; look at its log"))
        }
        (500.., Kind::Changes) => Fault::Unknown(cause(
            "the server failed within itself, and may have done it; look at its log",
        )),
        _ => Fault::Refused(cause("the server refused it; look at its log")),
    };
    Some(fault)
}

fn busy(reply: &Reply) -> String {
    match reply.header("retry-after").map(str::trim) {
        // Only what can be nothing but a number of seconds: a header is foreign text.
        Some(after) if after.len() < 7 && after.bytes().all(|b| b.is_ascii_digit()) => {
            format!("the server is busy and asks to wait {after} s; it will be tried again")
        }
        _ => "the server is busy; it will be tried again".into(),
    }
}
