//! Orders that nothing be deleted: of one person, or of all whom a fact describes (D6).

use crate::facts::{Actor, Case, GroupName, LocationId, Person, PersonId, PersonKind};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Whose things are held.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// One person's.
    Person(PersonId),
    /// Those of all whom a fact describes.
    Population(Population),
}

/// All whom a fact describes, whenever it became known: also those who come or go after the order.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Population {
    /// Everyone.
    Everyone,
    /// Whoever works there, has worked there as far as is known, or whose place of work is not known.
    Location(LocationId),
    /// Whoever is or was of that kind, or whose kind is not known.
    Kind(PersonKind),
    /// Whoever was in the group, by its name, when their departure was planned.
    Group(GroupName),
}

impl Population {
    /// The word for the kind of fact, as stored.
    #[must_use]
    pub fn fact(&self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Location(_) => "location",
            Self::Kind(_) => "kind",
            Self::Group(_) => "group",
        }
    }

    /// The fact's value, folded for comparison; empty for everyone.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Everyone => String::new(),
            Self::Location(location) => location.folded(),
            Self::Kind(kind) => kind.folded(),
            Self::Group(group) => group.folded(),
        }
    }

    /// For sentences: `everyone at b`.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Everyone => "everyone".into(),
            Self::Location(location) => format!("everyone at {location}"),
            Self::Kind(kind) => format!("everyone of the kind {kind}"),
            Self::Group(group) => format!("everyone in the group {group}"),
        }
    }
}

/// What holds on populations ask of a person: places of work and kinds. These only ever grow: who moved
/// elsewhere stays under the order for where they were.
#[must_use]
pub fn facts_of(person: &Person) -> BTreeSet<Population> {
    let engagements = || person.engagements.iter();
    let locations = engagements().filter_map(|e| e.worksite.clone()).map(Population::Location);
    let kinds = engagements().filter_map(|e| e.kind.clone()).map(Population::Kind);
    locations.chain(kinds).collect()
}

/// The same of a departure: the groups that the accounts were in before it began.
#[must_use]
pub fn facts_of_case(case: &Case) -> BTreeSet<Population> {
    let groups = case.before.iter().flat_map(|(_, account)| &account.groups);
    // A name that is no name can't be ordered by either.
    groups.filter_map(|group| GroupName::new(&group.name).ok()).map(Population::Group).collect()
}

/// An order that nothing be deleted (D6, D10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whose things.
    #[serde(flatten)]
    pub of: Held,
    /// Who ordered it.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// By whom it was entered.
    pub placed_by: Actor,
    /// When someone should look at it again.
    pub review_on: Option<Date>,
    /// When it was lifted, if it was.
    pub lifted_at: Option<Timestamp>,
}

impl Hold {
    /// The person, where it is about one only.
    #[must_use]
    pub fn person(&self) -> Option<PersonId> {
        match self.of {
            Held::Person(person) => Some(person),
            Held::Population(_) => None,
        }
    }

    /// The population, where it is about one.
    #[must_use]
    pub fn population(&self) -> Option<&Population> {
        match &self.of {
            Held::Person(_) => None,
            Held::Population(population) => Some(population),
        }
    }

    /// Whether the day to look at it again is past, or is today.
    #[must_use]
    pub fn is_to_be_reviewed(&self, today: Date) -> bool {
        self.lifted_at.is_none() && self.review_on.is_some_and(|day| day <= today)
    }
}
