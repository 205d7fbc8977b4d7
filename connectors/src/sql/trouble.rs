//! What a database's answers mean: what passes, what a person has to see, and what is not known.

use crate::tls;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use lapsed_core::step::{Cause, Fault};
use sqlx::Error;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use std::time::Duration;

/// Why nothing came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Not for now: the server is away, busy, or does not know us.
    Passing(Cause),
    /// The server's No, or rows that a person has to look at.
    Refused(Cause),
    /// No answer: in the middle of a transaction nothing was done, at its end nobody knows.
    Lost(Cause),
}

impl Trouble {
    pub(super) fn refused(message: impl Into<String>) -> Self {
        Self::Refused(Cause::new(message))
    }

    /// The fault before a commit: what was under way is rolled back by the server.
    pub(super) fn fault(self, what: &str) -> Fault {
        match self {
            Self::Passing(cause) | Self::Lost(cause) => Fault::Retry(within(what, cause)),
            Self::Refused(cause) => Fault::Refused(within(what, cause)),
        }
    }

    /// The fault of a commit.
    pub(super) fn fault_of_commit(self, what: &str) -> Fault {
        match self {
            Self::Lost(cause) => Fault::Unknown(within(what, cause)),
            other => other.fault(what),
        }
    }
}

fn within(what: &str, cause: Cause) -> Cause {
    Cause { message: format!("{what}: {}", cause.message), code: cause.code }
}

/// Whatever goes wrong before the log-on is done passes once it is mended: no step ends for it.
pub(super) fn of_connecting(error: &Error) -> Trouble {
    let cause = match error {
        Error::Database(said) => {
            let (code, _) = coded(said.as_ref());
            let advice = format!(
                "the server does not let us in ({}); see user, password and database",
                told(said.message())
            );
            Cause::coded(advice, code)
        }
        Error::Tls(source) => match source.downcast_ref::<std::io::Error>() {
            Some(error) => Cause::new(tls::advice(error)),
            None => Cause::new(format!(
                "TLS failed ({}); see the server's certificate, and ca_file",
                told(&source.to_string())
            )),
        },
        Error::Io(error) => {
            Cause::new(match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
                Some(_) => tls::advice(error),
                None => format!(
                    "the server can't be reached ({error}); see whether it runs, and host and port"
                ),
            })
        }
        other => Cause::new(format!(
            "no connection came about ({}); see whether this is the server's port",
            told(&other.to_string())
        )),
    };
    Trouble::Passing(cause)
}

/// What a statement's failure means.
pub(super) fn of_statement(error: &Error) -> Trouble {
    let Error::Database(said) = error else {
        let cause = match error {
            Error::ColumnNotFound(column) => {
                return Trouble::refused(format!(
                    "the answer has no column {column}; give it a column of that name"
                ));
            }
            Error::Encode(_) | Error::Decode(_) | Error::ColumnDecode { .. } => {
                return Trouble::refused(format!(
                    "a value can't be read ({}); cast it to text in the statement",
                    told(&error.to_string())
                ));
            }
            other => Cause::new(format!("the connection was lost ({})", told(&other.to_string()))),
        };
        return Trouble::Lost(cause);
    };
    let (code, passes) = coded(said.as_ref());
    let said = told(said.message());
    if passes {
        let text = format!("the server could not do it now ({said})");
        Trouble::Passing(Cause::coded(text, code))
    } else {
        let text =
            format!("the server refused ({said}); see the statement and the rights of our account");
        Trouble::Refused(Cause::coded(text, code))
    }
}

/// No answer within the time.
pub(super) fn of_silence(limit: Duration) -> Trouble {
    Trouble::Lost(Cause::new(format!("the server did not answer within {} s", limit.as_secs())))
}

/// What a server wrote: safe to show, and without protected numbers (P1).
fn told(text: &str) -> String {
    mask(&shown(text))
}

/// The server's own code, and whether it passes by itself.
fn coded(error: &dyn DatabaseError) -> (String, bool) {
    if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
        let code = error.code();
        // Connection, rollback by a race, no resources, lock or time-out, shutdown, system error.
        let passing = ["08", "40", "53", "55P03", "57014", "57P", "58"];
        return (format!("PostgreSQL {code}"), passing.iter().any(|class| code.starts_with(class)));
    }
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        let number = error.number();
        // Too many connections, shutdown, lock wait, deadlock, killed, time-outs.
        let passing = [1040, 1053, 1203, 1205, 1213, 1317, 1927, 1969, 3024];
        return (format!("MariaDB {number}"), passing.contains(&number));
    }
    let code = error.code().unwrap_or_default();
    // The low byte is the primary code: busy, locked, interrupted, I/O, full, can't open.
    let primary = code.parse::<u32>().map_or(0, |code| code & 0xff);
    (format!("SQLite {code}"), [5, 6, 9, 10, 13, 14].contains(&primary))
}
