//! Rosters for supervisors and security officers, and the yearly report (S5, S6).

use crate::facts::ApproverRole;
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
    /// Who gets the monthly roster of their charge by mail; by whose addresses, `notices` says.
    pub rosters_for: Vec<RosterFor>,
    /// Roles that may look at the roster of a location for which they are given (`lapsed report roster`).
    pub location_roles: Vec<ApproverRole>,
    /// So many lines of a roster stand in a mail; the whole of it is in the folder.
    #[schemars(range(max = 1_000))]
    pub lines_in_mail: u16,
    /// Mail addresses that get the yearly report.
    pub yearly_to: Vec<String>,
}

/// Who gets a roster by mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RosterFor {
    /// Each supervisor, of their people.
    Supervisor,
    /// The security officer of each location, of its people.
    SecurityOfficer,
}

impl Default for ReportRules {
    fn default() -> Self {
        Self {
            folder: None,
            roster_at: "0 6 1 * *".into(),
            yearly_at: "0 6 1 4 *".into(),
            rosters_for: vec![RosterFor::Supervisor, RosterFor::SecurityOfficer],
            location_roles: Vec::new(),
            lines_in_mail: 200,
            yearly_to: Vec::new(),
        }
    }
}
