//! Who decides on access forms, and by when they are reminded (A2, A3).

use crate::facts::LocationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who has a role. All that is named counts; log-on names are those under which people call on this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ApproverRule {
    /// Its title, for people: Local Security Officer.
    pub title: String,
    /// The person's own supervisor, as HR or the form says.
    pub supervisor: bool,
    /// For whom the role counts.
    pub per: Per,
    /// Log-on names that have it everywhere.
    pub users: Vec<String>,
    /// Log-on names that have it for a location, by the location's character.
    pub at: BTreeMap<LocationId, Vec<String>>,
    /// Groups of a directory, or of this machine, whose members have it (minijinja: `location`):
    /// `LSO-{{ location }}`. With `location` in it, it counts for that location only.
    pub groups: Vec<String>,
    /// Operators of lapsed have it, too.
    pub operators: bool,
    /// Mail addresses to which what waits for the role is told; without them its members' own.
    pub mail: Vec<String>,
}

/// For whom a role counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// For everyone.
    #[default]
    Agency,
    /// Only for people of the location that the member has it for.
    Location,
}

/// By when those who have to decide are told again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// Work days between two reminders.
    pub remind_after_work_days: u16,
    /// So many reminders; after the last one account management is told.
    pub reminders: u16,
    /// Work days after which an undecided form ends by itself; 0: never.
    pub ends_after_work_days: u16,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { remind_after_work_days: 3, reminders: 2, ends_after_work_days: 60 }
    }
}
