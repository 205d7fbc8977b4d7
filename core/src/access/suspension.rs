//! Access that is stopped for a while: a leave, an order, long disuse, the end of a temporary account (S1 to
//! S3). No deletion clock starts.

use crate::citation::Rule;
use crate::facts::{Actor, CaseId, ConnectorName, PersonId, SourceName};
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

impl SuspensionKind {
    /// For people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Leave => "leave of absence",
            Self::Order => "order",
            Self::Inactivity => "lock after long disuse",
            Self::Expired => "end of a temporary account",
        }
    }

    /// The rule that it carries out.
    #[must_use]
    pub fn rule(self) -> Rule {
        match self {
            Self::Leave => Rule::S1,
            Self::Order => Rule::S2,
            Self::Inactivity => Rule::S3,
            Self::Expired => Rule::S4,
        }
    }
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
    /// Who placed it, by the name of their account on this machine: nobody releases a plan of their own.
    #[serde(default)]
    pub placed_by: Option<Actor>,
    /// The feed whose word it is, where HR's status says so (S1): its later word may lift it.
    #[serde(default)]
    pub by_feed: Option<SourceName>,
    /// That feed has said since that the person works: its next word of a leave is a new one.
    #[serde(default)]
    pub feed_moved_on: bool,
    /// When what it stopped was given back, or was known to stay shut: nothing more comes of it.
    #[serde(default)]
    pub over_at: Option<Timestamp>,
}

impl Suspension {
    /// The case that its steps belong to.
    #[must_use]
    pub fn case(&self) -> CaseId {
        CaseId::of_suspension(self.id)
    }

    /// The id of the stop that a form asks for, by the form's own id: the same form stops once.
    #[must_use]
    pub fn id_of_form(form: Uuid) -> Uuid {
        Uuid::new_v5(&form, b"stop")
    }

    /// The id of a stop that nobody ordered one by one; `which` tells it from others of the person.
    #[must_use]
    pub fn id_of(person: PersonId, kind: SuspensionKind, which: &str) -> Uuid {
        Uuid::new_v5(&person.0, format!("{kind:?} {which}").as_bytes())
    }

    /// True when no person asked for this one stop: many of them at once may be a broken source.
    #[must_use]
    pub fn is_by_machine(&self) -> bool {
        self.by_feed.is_some()
            || matches!(self.kind, SuspensionKind::Inactivity | SuspensionKind::Expired)
    }

    /// True while it stops access on this day.
    #[must_use]
    pub fn stands(&self, today: Date) -> bool {
        self.lifted_at.is_none() && self.starts_on.is_none_or(|first| first <= today)
    }

    /// True when its last day is past, and that is enough to lift it: an order is lifted by an order (S2).
    #[must_use]
    pub fn has_run_out(&self, today: Date) -> bool {
        self.kind != SuspensionKind::Order && self.ends_on.is_some_and(|last| last < today)
    }

    /// Lifts it.
    #[must_use]
    pub fn lifted(mut self, at: Timestamp, because: impl Into<String>) -> Self {
        self.lifted_at = Some(at);
        self.lifted_because = Some(because.into());
        self
    }

    /// True when the target is among those that it stops.
    #[must_use]
    pub fn covers(&self, connector: &ConnectorName) -> bool {
        self.connectors.is_empty() || self.connectors.contains(connector)
    }
}
