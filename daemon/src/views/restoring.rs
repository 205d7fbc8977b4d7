//! Putting back what a mistaken departure took, and who was cut off late.

use super::StepView;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `restore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreRequest {
    /// User ID, employee number, person id, or the id of the departure's case.
    pub person: String,
}

/// `lapsed restore`: what would be put back, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RestoreView {
    /// User ID or employee number.
    pub person: String,
    /// The departure's case.
    pub departure: String,
    /// `held` (waits for consent), `under_way`, `done`, or `nothing` (there is nothing to put back).
    pub state: String,
    /// The plan's hash; empty where there is nothing to consent to.
    pub hash: String,
    /// Who has to consent.
    pub consent: String,
    /// What would be done, or is being done.
    pub steps: Vec<StepView>,
    /// What is not put back, and why.
    pub not_restored: Vec<NotRestoredView>,
    /// What else the one who consents has to know.
    pub notes: Vec<String>,
    /// Protected accounts: who asked does not consent.
    pub findings: Vec<String>,
}

/// One thing that is not put back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NotRestoredView {
    /// What.
    pub what: String,
    /// Why, and what to do.
    pub why: String,
}
