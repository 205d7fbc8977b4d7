//! What a help desk offers beside the steps: tickets about whatever the product can't do by itself (H1).

use crate::help_desk::templates;
use futures_util::future::BoxFuture;
use lapsed_core::step::Fault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// What a ticket is about; by it the group that gets it, its priority and its words are chosen (H1).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum ProblemType {
    /// Access that is ended by hand: a request of `departure.requests`.
    Revocation,
    /// Access that is given or renamed by hand: the `request` of a system under `access.systems` (A11).
    Change,
    /// A target refused a change.
    Refused,
    /// An account is not what the plan expected.
    Drift,
    /// A target refused to delete a mailbox, a home directory or an account.
    DeletionRefused,
    /// A row or a person that could not be used (D1).
    SetAside,
    /// Another agency has not confirmed its form after every reminder (D5).
    AgencyOverdue,
    /// A system can't be reached for so long that a person has to see to it.
    SystemGone,
}

impl ProblemType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Revocation,
        Self::Change,
        Self::Refused,
        Self::Drift,
        Self::DeletionRefused,
        Self::SetAside,
        Self::AgencyOverdue,
        Self::SystemGone,
    ];

    /// The name, as in the YAML.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Revocation => "revocation",
            Self::Change => "change",
            Self::Refused => "refused",
            Self::Drift => "drift",
            Self::DeletionRefused => "deletion_refused",
            Self::SetAside => "set_aside",
            Self::AgencyOverdue => "agency_overdue",
            Self::SystemGone => "system_gone",
        }
    }
}

impl fmt::Display for ProblemType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What every ticket carries in its subject, and by which it is looked for before one is opened: so
/// neither a retry nor a crash makes a second one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CorrelationKey(String);

impl CorrelationKey {
    /// The key of what a ticket is about: `lapsed-` and the first 12 hexadecimal digits of its UUID v5.
    #[must_use]
    pub fn of(matter: Uuid) -> Self {
        let digits = matter.simple().to_string();
        Self(format!("lapsed-{}", digits.get(..12).unwrap_or(&digits)))
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A ticket to be opened. Its words are for people outside: no name, number, address or secret (P1, P2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTicket {
    /// By which it is found again.
    pub key: CorrelationKey,
    /// What kind of problem it is.
    pub problem: ProblemType,
    /// One line; the key is put before it.
    pub subject: String,
    /// What is to be done.
    pub text: String,
}

/// A ticket that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The help desk's number.
    pub number: String,
    /// Its page, for people, where the settings say how it is made.
    pub page: Option<String>,
    /// Numbers of further tickets with the same key: this one is the oldest.
    pub others: Vec<String>,
}

/// Where a ticket stands, whatever the help desk's own word for it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TicketStatus {
    /// Somebody has to act.
    Open,
    /// Whoever acted gave the final word (H2).
    Resolved,
    /// It will not be done: a person has to decide.
    Rejected,
}

/// A help desk, spoken to for the daemon's own tickets.
pub trait TicketDesk: Send + Sync {
    /// The ticket with this key, if there is one.
    fn find<'a>(&'a self, key: &'a CorrelationKey) -> BoxFuture<'a, Result<Option<Opened>, Fault>>;

    /// Opens the ticket, unless one with its key is there: then that one is given.
    fn open<'a>(&'a self, ticket: &'a NewTicket) -> BoxFuture<'a, Result<Opened, Fault>>;

    /// Where a ticket stands, by its number. One that is gone was rejected.
    fn status<'a>(&'a self, number: &'a str) -> BoxFuture<'a, Result<TicketStatus, Fault>>;

    /// Puts a comment on a ticket. It may come twice when a reply is lost.
    fn comment<'a>(&'a self, number: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Fault>>;
}

/// The words of a ticket from their template; nothing is escaped.
///
/// # Errors
/// What is wrong with the template, as a sentence.
pub fn words(template: &str, values: &serde_json::Value) -> Result<String, String> {
    let text = templates::render(templates::Into::Text, template, values);
    text.map_err(|error| format!("is no template that can be carried out: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_twelve_digits_of_what_the_ticket_is_about() {
        let matter = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"step");
        let key = CorrelationKey::of(matter);
        assert_eq!(key.as_str().len(), "lapsed-".len() + 12);
        assert!(matter.simple().to_string().starts_with(&key.as_str()["lapsed-".len()..]));
        assert_ne!(key, CorrelationKey::of(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"other")));
    }

    #[test]
    fn every_problem_has_its_name_of_the_yaml() {
        for problem in ProblemType::ALL {
            let written = serde_json::to_value(problem).unwrap();
            assert_eq!(written, problem.name());
        }
    }
}
