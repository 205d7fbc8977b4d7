//! What the nightly audit found: access that nobody approved, and approved access that is missing (S4).

use crate::facts::{ConnectorName, PersonId};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What sort of finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// Somebody who left has an account that is open.
    LeaverWithAccess,
    /// An account is nobody's.
    AccountWithoutPerson,
    /// Somebody holds what no form gave.
    AccessWithoutForm,
    /// Approved access is not there.
    ApprovedAccessMissing,
    /// A group membership came about behind our back.
    GroupAddedElsewhere,
    /// A password is older than the rules allow, or never expires (A9).
    PasswordTooOld,
    /// A system was not used for long (S3).
    NotUsed,
    /// A suspended account is open again.
    SuspendedWithAccess,
}

/// One finding; the same thing found again is the same finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessFinding {
    /// Follows from kind, target and object.
    pub id: Uuid,
    /// What sort.
    pub kind: FindingKind,
    /// About whom, where it is about somebody known.
    pub person: Option<PersonId>,
    /// Where.
    pub connector: Option<ConnectorName>,
    /// Which account, group or system, for people.
    pub what: String,
    /// What was found and what to do, as a sentence for people.
    pub text: String,
    /// When it was first found.
    pub found_at: Timestamp,
    /// When it was last seen.
    pub seen_at: Timestamp,
    /// When it was gone, or settled by somebody.
    pub settled_at: Option<Timestamp>,
    /// Who settled it and why; absent where it went away by itself.
    pub settled_because: Option<String>,
}
