//! Rosters for supervisors and security officers, and the yearly report (S5, S6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When reports are made, and where they are put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ReportRules {
    /// Where reports are written; absent: none is.
    pub folder: Option<String>,
    /// The monthly roster's cron pattern in the agency's zone (S6); empty: never.
    pub roster_at: String,
    /// The yearly report's (S5).
    pub yearly_at: String,
}

impl Default for ReportRules {
    fn default() -> Self {
        Self { folder: None, roster_at: "0 6 1 * *".into(), yearly_at: "0 6 1 4 *".into() }
    }
}
