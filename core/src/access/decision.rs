//! What somebody said to a form: yes or no, as what, and to which hash (A2, A3).

use crate::facts::{Actor, ApproverRole};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Yes or no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "said")]
pub enum Said {
    /// Yes.
    Approved,
    /// No; it ends what it was asked for.
    Denied {
        /// Why, for those who asked.
        reason: String,
    },
}

/// One decision on a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: Uuid,
    /// The form's number.
    pub form: u64,
    /// What was decided on ([`binding`](super::chain::binding)): a changed form, and one that asks for something
    /// else by changed rules, needs new decisions.
    pub hash: String,
    /// As what.
    pub role: ApproverRole,
    /// Who.
    pub by: Actor,
    /// In whose place, where the one who has the role is away.
    pub in_place_of: Option<Actor>,
    /// What.
    pub said: Said,
    /// When.
    pub at: Timestamp,
}

/// Somebody who decides is away, and another decides in their place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Absence {
    /// Its id.
    pub id: Uuid,
    /// Who is away.
    pub away: Actor,
    /// Who decides meanwhile.
    pub deputy: Actor,
    /// For which role only, where not for all.
    pub role: Option<ApproverRole>,
    /// First day.
    pub from: Date,
    /// Last day.
    pub until: Date,
    /// Who entered it.
    pub entered_by: Actor,
    /// When.
    pub at: Timestamp,
}
