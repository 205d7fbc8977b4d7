//! Who lets a mistaken departure be put back (D10).

use crate::facts::ApproverRole;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Putting back what a mistaken departure took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RestoreRules {
    /// The role, under `access.approvers`, whose consent puts everything back at once. Nobody consents to
    /// what concerns themselves, and to a protected account not who asked for it.
    pub consent: Option<ApproverRole>,
}

impl Default for RestoreRules {
    fn default() -> Self {
        Self { consent: ApproverRole::new("local_security_officer").ok() }
    }
}
