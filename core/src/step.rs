//! The words that the daemon and the connectors share: steps, what they expect, and how they end.

use crate::citation::Rule;
use crate::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, StableId, UserId};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Identity of a step, derived from its case, target and action: the same wish is the same step.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct StepId(pub Uuid);

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An object in a target: its identity, and a name for people, which decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Survives renames and moves.
    pub id: StableId,
    /// What people call it: a user ID, a group's name.
    pub label: String,
}

/// The smallest thing an auditor would ask about: one person, one object, one change.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Action {
    /// Shut the account (D2).
    Disable {
        /// The account.
        account: Target,
    },
    /// Write into the account's description when, why and by which case it was shut (D2).
    StampDescription {
        /// The account.
        account: Target,
        /// The text to put there; the old text is kept in the receipt.
        text: String,
    },
    /// Replace the password by one that nobody knows (D2).
    ScramblePassword {
        /// The account.
        account: Target,
    },
    /// Make the directory's default group the primary one, so that the present one can be left (D3).
    ResetPrimaryGroup {
        /// The account.
        account: Target,
    },
    /// Take the account out of one group (D3).
    LeaveGroup {
        /// The account.
        account: Target,
        /// The group.
        group: Target,
    },
    /// End what a person can do in a system, by the system's own account or role (D4).
    RevokeAccess {
        /// The account in that system.
        account: Target,
    },
    /// Delete the account of a system for good, where the policy says so (D4).
    DeleteAccount {
        /// The account in that system.
        account: Target,
    },
    /// Ask somebody else to end access that is out of reach: another agency, the security officer, the
    /// help desk (D5, D14, H1). It stays open until they confirm.
    RequestRevocation {
        /// The account that the request is about.
        account: Target,
        /// The request, by its name in the policy.
        request: String,
        /// What the one who is asked needs to know, and no more (P2).
        facts: RequestFacts,
    },
    /// End mail sessions and hide the mailbox (D7).
    DisableMailbox {
        /// The account whose mailbox it is.
        account: Target,
    },
    /// Let another user read the mailbox (D8).
    DelegateMailbox {
        /// The account whose mailbox it is.
        account: Target,
        /// Who may read it from now on.
        to: UserId,
        /// The wish that asks for it: one that is uttered again is another step.
        #[serde(default)]
        wish: uuid::Uuid,
    },
    /// Take that right away again (D8).
    EndDelegation {
        /// The account whose mailbox it is.
        account: Target,
        /// Who may no longer read it.
        to: UserId,
        /// The wish that ends.
        #[serde(default)]
        wish: uuid::Uuid,
    },
    /// Copy files that are to be kept for good out of the home directory, for the supervisor (D6).
    ArchiveHome {
        /// The account whose home directory it is.
        account: Target,
        /// Where the directory said it is when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
        /// The account's number on file systems (RFC 2307 `uidNumber`) when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid_number: Option<u32>,
        /// The wish that asks for it.
        wish: uuid::Uuid,
        /// What to keep, as paths below the home directory; empty for all of it.
        paths: Vec<String>,
        /// For whom: the user ID of the one who gets the archive.
        recipient: UserId,
    },
    /// Delete all mailbox content (D7).
    DeleteMailbox {
        /// The account whose mailbox it is.
        account: Target,
    },
    /// Delete the home directory (D6).
    DeleteHome {
        /// The account whose home directory it is.
        account: Target,
        /// Where the directory said it is when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<String>,
        /// The account's number on file systems (RFC 2307 `uidNumber`) when the plan was made.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uid_number: Option<u32>,
    },
}

impl Action {
    /// The account that the action is about.
    #[must_use]
    pub fn account(&self) -> &Target {
        match self {
            Self::Disable { account }
            | Self::StampDescription { account, .. }
            | Self::ScramblePassword { account }
            | Self::ResetPrimaryGroup { account }
            | Self::LeaveGroup { account, .. }
            | Self::RevokeAccess { account }
            | Self::DeleteAccount { account }
            | Self::RequestRevocation { account, .. }
            | Self::DisableMailbox { account }
            | Self::DelegateMailbox { account, .. }
            | Self::EndDelegation { account, .. }
            | Self::ArchiveHome { account, .. }
            | Self::DeleteMailbox { account }
            | Self::DeleteHome { account, .. } => account,
        }
    }

    /// A short name for tables, logs and the audit.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Disable { .. } => "disable",
            Self::StampDescription { .. } => "stamp_description",
            Self::ScramblePassword { .. } => "scramble_password",
            Self::ResetPrimaryGroup { .. } => "reset_primary_group",
            Self::LeaveGroup { .. } => "leave_group",
            Self::RevokeAccess { .. } => "revoke_access",
            Self::DeleteAccount { .. } => "delete_account",
            Self::RequestRevocation { .. } => "request_revocation",
            Self::DisableMailbox { .. } => "disable_mailbox",
            Self::DelegateMailbox { .. } => "delegate_mailbox",
            Self::EndDelegation { .. } => "end_delegation",
            Self::ArchiveHome { .. } => "archive_home",
            Self::DeleteMailbox { .. } => "delete_mailbox",
            Self::DeleteHome { .. } => "delete_home",
        }
    }

    /// A sentence fragment for people: `leave group Nurses`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Disable { account } => format!("disable account {}", account.label),
            Self::StampDescription { account, .. } => {
                format!("stamp description of {}", account.label)
            }
            Self::ScramblePassword { account } => format!("scramble password of {}", account.label),
            Self::ResetPrimaryGroup { account } => {
                format!("reset primary group of {}", account.label)
            }
            Self::LeaveGroup { account, group } => {
                format!("take {} out of group {}", account.label, group.label)
            }
            Self::RevokeAccess { account } => format!("revoke access of {}", account.label),
            Self::DeleteAccount { account } => format!("delete account {}", account.label),
            Self::RequestRevocation { account, request, .. } => {
                format!("ask to revoke {request} of {}", account.label)
            }
            Self::DisableMailbox { account } => format!("disable mailbox of {}", account.label),
            Self::DelegateMailbox { account, to, .. } => {
                format!("let {to} read the mailbox of {}", account.label)
            }
            Self::EndDelegation { account, to, .. } => {
                format!("let {to} no longer read the mailbox of {}", account.label)
            }
            Self::ArchiveHome { account, recipient, .. } => {
                format!("copy files of {} for {recipient}", account.label)
            }
            Self::DeleteMailbox { account } => format!("delete mailbox of {}", account.label),
            Self::DeleteHome { account, .. } => {
                format!("delete home directory of {}", account.label)
            }
        }
    }

    /// What else the action is about beside the account: the same action on the same account with
    /// another group, request, reader or wish is another step.
    #[must_use]
    pub fn other(&self) -> String {
        match self {
            Self::LeaveGroup { group, .. } => group.id.to_string(),
            Self::RequestRevocation { request, .. } => request.clone(),
            Self::DelegateMailbox { to, wish, .. } | Self::EndDelegation { to, wish, .. } => {
                format!("{wish} {}", to.folded())
            }
            Self::ArchiveHome { wish, .. } => wish.to_string(),
            Self::Disable { .. }
            | Self::StampDescription { .. }
            | Self::ScramblePassword { .. }
            | Self::ResetPrimaryGroup { .. }
            | Self::RevokeAccess { .. }
            | Self::DeleteAccount { .. }
            | Self::DisableMailbox { .. }
            | Self::DeleteMailbox { .. }
            | Self::DeleteHome { .. } => String::new(),
        }
    }

    /// The wish that the action carries out or ends (D6, D8).
    #[must_use]
    pub fn wish(&self) -> Option<uuid::Uuid> {
        match self {
            Self::DelegateMailbox { wish, .. }
            | Self::EndDelegation { wish, .. }
            | Self::ArchiveHome { wish, .. } => Some(*wish),
            _ => None,
        }
    }

    /// The home directory that is read or deleted, as the directory named it when the plan was made; the
    /// outer `None` where the action touches no home.
    #[must_use]
    pub fn touches_home(&self) -> Option<Option<&str>> {
        match self {
            Self::ArchiveHome { home, .. } | Self::DeleteHome { home, .. } => Some(home.as_deref()),
            _ => None,
        }
    }

    /// What can't be put back: such a step never runs past a hold (D6).
    #[must_use]
    pub fn destroys(&self) -> bool {
        matches!(
            self,
            Self::DeleteMailbox { .. } | Self::DeleteHome { .. } | Self::DeleteAccount { .. }
        )
    }

    /// What is made once in a case, whatever is observed afterwards: it can't be made twice, or asking
    /// twice would only puzzle the one who is asked.
    #[must_use]
    pub fn is_once(&self) -> bool {
        self.destroys()
            || matches!(
                self,
                Self::RequestRevocation { .. }
                    | Self::DelegateMailbox { .. }
                    | Self::EndDelegation { .. }
                    | Self::ArchiveHome { .. }
            )
    }

    /// Place in a person's order: a step starts when every step of the case with a lower rank has ended.
    #[must_use]
    pub fn rank(&self) -> u8 {
        match self {
            Self::Disable { .. } | Self::RevokeAccess { .. } => 0,
            Self::StampDescription { .. } | Self::ScramblePassword { .. } => 1,
            Self::ResetPrimaryGroup { .. } => 2,
            Self::LeaveGroup { .. } | Self::DisableMailbox { .. } => 3,
            Self::DelegateMailbox { .. } | Self::EndDelegation { .. } => 4,
            Self::RequestRevocation { .. } => 5,
            Self::ArchiveHome { .. } => 8,
            Self::DeleteMailbox { .. } | Self::DeleteHome { .. } | Self::DeleteAccount { .. } => 9,
        }
    }
}

/// What the one who is asked to end access needs to know (P2): no number, no reason, no address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The person's name, first name first.
    pub name: String,
    /// The person's user ID here.
    pub user_id: String,
    /// Last day on which access is to work, if one is known.
    pub last_day: Option<Date>,
    /// Place of work, by name.
    pub location: Option<String>,
    /// Mail addresses of those who are asked; empty where the connector has its own.
    pub to: Vec<String>,
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
        let other = action.other();
        let key =
            format!("{connector}\u{1f}{}\u{1f}{}\u{1f}{other}", action.name(), action.account().id);
        let id = StepId(Uuid::new_v5(&case.0, key.as_bytes()));
        Self { id, case, person, connector, action, expect, due, rule }
    }
}

/// In a receipt of what somebody else was asked: who was asked.
pub const ASKED: &str = "asked";
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

/// The moment at which a retry may be made, after `attempts` failures: doubling from 5 s to 15 minutes.
#[must_use]
pub fn next_attempt(now: Timestamp, attempts: u32) -> Timestamp {
    let seconds = 5_i64.saturating_mul(1_i64 << attempts.min(8)).min(900);
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now)
}
