//! What must be signed or done before access is given (A4).

use crate::facts::{ApproverRole, GateName, PersonKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that must be signed or done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GateRule {
    /// Its title, for people: Use of Electronic Resources Agreement.
    pub title: String,
    /// Only for these kinds of person: a clearance of contract providers. Empty: for all.
    pub kinds: Vec<PersonKind>,
    /// Days after which it must be done again; absent: never.
    pub valid_days: Option<u16>,
    /// So many days before that, the person's supervisor is told.
    pub tell_days_before: u16,
    /// Who has to see to it, for people: HR, the privacy officer.
    pub from: String,
}

/// What comes before a system that is used on a personal device (A4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PersonalDeviceRule {
    /// The agreement that must be signed; wanted where a system has `personal_device: true`.
    pub gate: Option<GateName>,
    /// Who says yes as well: before the chain where it does not have them, in their turn where it does.
    pub approver: Option<ApproverRole>,
}

impl Default for PersonalDeviceRule {
    fn default() -> Self {
        Self { gate: None, approver: ApproverRole::new("supervisor").ok() }
    }
}
