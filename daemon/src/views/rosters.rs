//! Who holds what in somebody's charge (S6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed report roster`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RostersView {
    /// Whose charge it is.
    pub of: String,
    /// The form by which it is answered, by its name under `access.forms`; absent where none asks recertify.
    pub answer_by: Option<String>,
    /// What could not be asked, so that rosters of locations may be missing.
    pub unread: Vec<String>,
    /// A roster for each charge: their own people, and those of each location that they answer for.
    pub rosters: Vec<RosterView>,
}

/// One roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RosterView {
    /// Who is on it: `people in the charge of mbdoej`, `people at Fulton State Hospital`.
    pub about: String,
    /// What they hold, by person.
    pub lines: Vec<RosterLine>,
}

/// How far one thing is that somebody holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RosterState {
    /// Approved, with a first day that has not come.
    #[serde(rename = "begins later")]
    BeginsLater,
    /// Approved, and being given.
    #[serde(rename = "not in place yet")]
    NotInPlaceYet,
    /// Given.
    #[serde(rename = "in place")]
    InPlace,
    /// Being taken away.
    #[serde(rename = "ends")]
    Ends,
}

impl std::fmt::Display for RosterState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BeginsLater => "begins later",
            Self::NotInPlaceYet => "not in place yet",
            Self::InPlace => "in place",
            Self::Ends => "ends",
        })
    }
}

/// One thing that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RosterLine {
    /// User ID or employee number.
    pub who: String,
    /// The system.
    pub system: String,
    /// The role in it, if it has roles.
    pub role: Option<String>,
    /// Since which day.
    pub since: String,
    /// The number of the form that gave it; absent where it was there when lapsed came.
    pub form: Option<u64>,
    /// The last day of temporary access.
    pub last_day: Option<String>,
    /// `begins later`, `not in place yet`, `in place` or `ends`.
    #[schemars(with = "String")]
    pub state: RosterState,
    /// When somebody last said that it stays.
    pub recertified: Option<String>,
}
