//! `lapsed approvals`, `lapsed approve`, `lapsed deny` and `lapsed away` (A2, A3).

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed approvals`: what waits for whoever asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalsView {
    /// Access forms on which the caller can decide now, oldest first.
    pub waiting: Vec<ApprovalView>,
}

/// An access form on which somebody can decide.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ApprovalView {
    /// Its number.
    pub form: u64,
    /// SHA-256 of what it says: a decision is bound to it.
    pub hash: String,
    /// What it asks for: `new`, `change`, `name_change`, …
    pub asks: String,
    /// Whom it is about: user ID, or the name on the form where there is none yet.
    pub person: String,
    /// Where the person works, by the location's name.
    pub location: Option<String>,
    /// The systems that it asks for, each with its role, and those that come with them.
    pub systems: Vec<String>,
    /// Why, as the form says.
    pub reason: Option<String>,
    /// From which day on, where the form names one.
    pub starts_on: Option<String>,
    /// Until which day, where the form names one.
    pub ends_on: Option<String>,
    /// Whose word it is and when it came in.
    pub filed: String,
    /// Who said yes so far, oldest first.
    pub given: Vec<String>,
    /// Roles in which the caller can decide on it now.
    pub roles: Vec<String>,
}

/// Says yes to an access form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproveRequest {
    /// Its number.
    pub form: u64,
    /// As what, where the caller could decide as several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Beginning of the hash of the form that was looked at, as `approvals` shows it: another one is refused.
    pub hash: String,
}

/// Says no to an access form: it ends everything that waits for the same role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DenyRequest {
    /// Its number.
    pub form: u64,
    /// As what, where the caller could decide as several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Beginning of the hash of the form that was looked at, as `approvals` shows it: another one is refused.
    pub hash: String,
    /// Why; whoever asked is told.
    pub reason: String,
}

/// What a decision did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DecidedView {
    /// For people, one sentence.
    pub message: String,
    /// The form as it was decided on.
    pub form: ApprovalView,
    /// As what it was decided.
    pub role: String,
    /// Who decides next, by role; empty where nobody is asked any more.
    pub next: Vec<String>,
}

/// Somebody decides in the place of one who is away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwayRequest {
    /// Log-on name on this machine of the one who is away; the caller where absent. For others operators
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// Log-on name on this machine of the one who decides meanwhile.
    pub deputy: String,
    /// For this role only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
}

/// Somebody is back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndAwayRequest {
    /// Beginning of the absence's id, as `away list` shows it.
    pub id: String,
}

/// `lapsed away list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AbsencesView {
    /// Absences that are not over; for whoever is no operator, only their own and those in whose place
    /// they decide.
    pub absences: Vec<AbsenceView>,
}

/// One absence.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AbsenceView {
    /// Its id.
    pub id: String,
    /// Who is away.
    pub away: String,
    /// Who decides meanwhile.
    pub deputy: String,
    /// For this role only; absent: for all.
    pub role: Option<String>,
    /// First day.
    pub from: String,
    /// Last day.
    pub until: String,
    /// Who entered it.
    pub entered_by: String,
}
