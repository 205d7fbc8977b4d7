//! The words that the daemon and the connectors share: steps, what they expect, and how they end.

use crate::citation::Rule;
use crate::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, StableId, UserId};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

pub use crate::action::{
    Action, Blueprint, Envelope, HomePlace, Kept, NewName, RequestFacts, RequestedChange, Target,
};

/// Identity of a step, derived from its case, target and action: the same wish is the same step.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct StepId(pub Uuid);

impl StepId {
    /// The step of a case that makes the account of this name: what the account's mark says.
    #[must_use]
    pub fn of_creation(case: CaseId, connector: &ConnectorName, user_id: &UserId) -> Self {
        Self::derived(case, connector, "create_account", (&StableId::to_be_made(user_id), ""))
    }

    fn derived(
        case: CaseId,
        connector: &ConnectorName,
        action: &str,
        (account, other): (&StableId, &str),
    ) -> Self {
        let key = format!("{connector}\u{1f}{action}\u{1f}{account}\u{1f}{other}");
        Self(Uuid::new_v5(&case.0, key.as_bytes()))
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// When a step is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "when")]
pub enum Due {
    /// As soon as the plan has passed.
    AtOnce,
    /// On a calendar date in the agency's zone, with the reason for that date.
    On {
        /// The date; overdue means `date <= today`.
        date: Date,
        /// How the date came about, for people.
        reason: String,
    },
}

/// What must still be true of the object when the step is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Expect {
    /// The account's log-on name when the plan was made.
    pub user_id: UserId,
    /// The owner's number on the account when the plan was made; another one there now means drift.
    pub employee_number: Option<EmployeeNumber>,
}

/// One planned change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Step {
    /// Derived, see [`Step::new`].
    pub id: StepId,
    /// The departure it belongs to.
    pub case: CaseId,
    /// Whose access it is.
    pub person: PersonId,
    /// Where.
    pub connector: ConnectorName,
    /// What.
    pub action: Action,
    /// Precondition.
    pub expect: Expect,
    /// When.
    pub due: Due,
    /// The rule it carries out.
    pub rule: Rule,
}

impl Step {
    /// A step whose id is derived from case, connector, object and kind of change.
    #[must_use]
    pub fn new(
        case: CaseId,
        person: PersonId,
        connector: ConnectorName,
        action: Action,
        expect: Expect,
        due: Due,
        rule: Rule,
    ) -> Self {
        let (name, other) = (action.name(), action.other());
        let id = StepId::derived(case, &connector, name, (&action.account().id, &other));
        Self { id, case, person, connector, action, expect, due, rule }
    }
}

/// In a receipt of shutting: its reply was lost, and the account was found shut by the look that followed.
pub const REPLY_LOST: &str = "reply_lost";
/// In a receipt of shutting: the account was found shut after an earlier attempt, whose end is not known or
/// which did not reach the target.
pub const EARLIER_ATTEMPT: &str = "earlier_attempt";
/// In a receipt of what somebody else was asked: who was asked.
pub const ASKED: &str = "asked";
/// In a receipt of shutting: others had locked the account already, so that its end gives nothing back.
pub const WAS_LOCKED: &str = "was_locked";
/// In a receipt of a form: why nobody knows whether it arrived.
pub const NOBODY_KNOWS: &str = "nobody_knows";
/// In a receipt of a form: the digest of its token, by which its answer is known ([`crate::form_token`]).
pub const TOKEN_DIGEST: &str = "token_digest";
/// The code of a refusal that those who were asked answered with: they were heard, and asking once more
/// would not change it.
pub const ANSWERED_NO: &str = "answered no";

/// What a connector replaced, enough to put it back (D3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The object's attributes before the change, by name. Never a password.
    pub before: std::collections::BTreeMap<String, Vec<String>>,
    /// The server that took the change, so that read-back asks the same one.
    pub server: Option<String>,
}

impl Receipt {
    /// What stands for the receipt of a change that perhaps an attempt without an answer made:
    /// [`REPLY_LOST`] or [`EARLIER_ATTEMPT`].
    #[must_use]
    pub fn perhaps(evidence: &str) -> Self {
        Self { before: [(evidence.to_owned(), Vec::new())].into(), server: None }
    }

    /// True where it is not known what was there before.
    #[must_use]
    pub fn is_perhaps(&self) -> bool {
        [REPLY_LOST, EARLIER_ATTEMPT].iter().any(|evidence| self.before.contains_key(*evidence))
    }
}

/// What was found where something else was expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// For people: what is there now, and what to do.
    pub description: String,
}

/// How a step ended well, or why it was not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The change was made.
    Changed(Receipt),
    /// It was so already.
    AlreadySo,
    /// Somebody else was asked and has to act: the step stays open until they confirm (D5, H2). The
    /// receipt says under which token or number.
    Asked(Receipt),
    /// Part of it is done, and the rest goes on in a later round: a home of a million files, or one whose
    /// days in quarantine are not over.
    Partly {
        /// How far it is, for people.
        found: Found,
        /// Not before this moment; at once where absent.
        again_at: Option<Timestamp>,
    },
    /// The object is not what the plan expected: nothing was changed.
    Drifted(Found),
}

/// Why a call failed, for people: one sentence, with advice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// What happened and what to do.
    pub message: String,
    /// The protocol's own code, such as `LDAP 50`.
    pub code: Option<String>,
}

impl Cause {
    /// A cause with no protocol code.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), code: None }
    }
    /// A cause with the protocol's own code.
    #[must_use]
    pub fn coded(message: impl Into<String>, code: impl Into<String>) -> Self {
        Self { message: message.into(), code: Some(code.into()) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{} ({code})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// How a call failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Nothing happened; trying again may help.
    #[error("not done, will be tried again: {0}")]
    Retry(Cause),
    /// The target said no; a person has to act.
    #[error("refused: {0}")]
    Refused(Cause),
    /// The reply was lost: look before trying again.
    #[error("outcome unknown: {0}")]
    Unknown(Cause),
}

/// What read-back saw of a step's wish (D13).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The target is as the step wants it.
    AsWanted,
    /// It is not.
    Otherwise(Found),
    /// Somebody else was asked, and has not answered yet.
    NotYet(Found),
    /// The target can't show it (a write-only password with no change time, say): unverified.
    CannotTell(Cause),
}

/// The moment at which a retry may be made, after `attempts` failures: after 1 s, as most of what fails once
/// passes at once and somebody waits for it, then doubling from 5 s to 15 minutes.
#[must_use]
pub fn next_attempt(now: Timestamp, attempts: u32) -> Timestamp {
    let seconds = match attempts {
        0 | 1 => 1,
        more => 5_i64.saturating_mul(1_i64 << (more - 2).min(8)).min(900),
    };
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now)
}
