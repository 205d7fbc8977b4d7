//! Access that is stopped for a while: a leave, an order, long disuse, the end of a temporary account (S1 to
//! S3). No deletion clock starts.

use crate::facts::{CaseId, ConnectorName, PersonId};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why access is stopped.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SuspensionKind {
    /// A leave of absence (S1).
    Leave,
    /// An order of the security coordinator (S2): only an order lifts it.
    Order,
    /// Long disuse (S3): up for review.
    Inactivity,
    /// A temporary account whose last day is past.
    Expired,
}

/// One stop of one person's access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Its id.
    pub id: Uuid,
    /// Whose access.
    pub person: PersonId,
    /// Why.
    pub kind: SuspensionKind,
    /// Only these targets; empty for all.
    pub connectors: Vec<ConnectorName>,
    /// First day on which it counts.
    pub starts_on: Option<Date>,
    /// The last day, where it is known and lifts it by itself: never with an order.
    pub ends_on: Option<Date>,
    /// On whose word.
    pub authority: String,
    /// Why, for people.
    pub reason: String,
    /// The number of the form, where one asked for it.
    pub form: Option<u64>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
    /// Who lifted it and why, for people.
    pub lifted_because: Option<String>,
}

impl Suspension {
    /// The case that its steps belong to.
    #[must_use]
    pub fn case(&self) -> CaseId {
        CaseId::of_suspension(self.id)
    }

    /// True when the target is among those that it stops.
    #[must_use]
    pub fn covers(&self, connector: &ConnectorName) -> bool {
        self.connectors.is_empty() || self.connectors.contains(connector)
    }
}
