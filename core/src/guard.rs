//! Judges plans against the last accepted population and limits; never edits them.

use crate::facts::PersonId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Something that the guard or reconcile wants a person to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    /// More people in one run than the limit allows.
    TooManyAtOnce {
        /// How many.
        people: u32,
        /// The limit that was passed, for people: `25 a run`.
        limit: String,
    },
    /// More people within the sliding window than the limit allows: a slow drip.
    TooManyInWindow {
        /// How many within the window, this plan included.
        people: u32,
        /// The limit that was passed, for people.
        limit: String,
    },
    /// An account that is protected: an administrator's, say. Waits for a second operator.
    Protected {
        /// Whose.
        person: PersonId,
        /// The account.
        account: String,
        /// What says so.
        because: String,
    },
    /// The account's second attribute does not agree with the notice.
    NotCorroborated {
        /// Whose.
        person: PersonId,
        /// The account.
        account: String,
        /// What differs; no more of a name than is needed.
        because: String,
    },
    /// No population has been accepted yet, so that no limit in percent can be judged.
    NoBaseline,
}

/// Limits on how many people may be affected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Departures: accounts disabled and taken out of groups.
    pub departures: Limit,
    /// Deletions: mailboxes and home directories.
    pub deletions: Limit,
    /// How long a release stays good if the plan has not been carried out, in hours.
    pub release_expires_hours: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            departures: Limit::default(),
            deletions: Limit::default(),
            release_expires_hours: 24,
        }
    }
}

/// One kind of change: each limit that is passed trips the guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// People in one run.
    pub per_run: u32,
    /// People in one run, in percent of the last accepted population.
    pub per_run_percent: f64,
    /// People within the window, in percent of the last accepted population.
    pub window_percent: f64,
    /// Length of the sliding window, in days.
    pub window_days: u32,
    /// Percentages are not judged up to this many people: 1 % of a small agency is nobody.
    pub percent_from: u32,
    /// Up to this many corroborated departures of one run pass although the window is used up.
    pub individual: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            per_run: 25,
            per_run_percent: 1.0,
            window_percent: 3.0,
            window_days: 7,
            percent_from: 10,
            individual: 3,
        }
    }
}
