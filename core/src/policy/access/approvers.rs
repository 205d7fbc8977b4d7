//! Who decides on access forms, and by when they are reminded (A2, A3).

use crate::facts::LocationId;
use crate::policy::RuleFault;
use minijinja::{Environment, UndefinedBehavior, context};
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
    /// Who has it may decide in it on a form that they entered for another, whom the form names under
    /// `requested_by`: for account management, which types in forms that come on paper.
    pub enters_forms: bool,
    /// Mail addresses to which what waits for the role is told; without them its members' own.
    pub mail: Vec<String>,
}

/// Instructions that one template may take.
const FUEL: u64 = 20_000;

impl ApproverRule {
    /// The groups whose members have the role for people of a location; those that name a location are
    /// left out where it is not known.
    #[must_use]
    pub fn groups_at(&self, location: Option<&LocationId>) -> Vec<String> {
        let named = self.groups.iter().filter_map(|group| named(group, location).ok());
        named.filter(|group| !group.is_empty()).collect()
    }

    /// Whether anybody can have it at all.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.supervisor
            || self.operators
            || !self.users.is_empty()
            || !self.groups.is_empty()
            || self.at.values().any(|users| !users.is_empty())
    }

    /// Whether it is given for a location anywhere.
    #[must_use]
    pub fn names_locations(&self) -> bool {
        !self.at.is_empty() || self.groups.iter().any(|group| named(group, None).is_err())
    }

    /// What is wrong with the rule itself; `key` is its key under `policy`.
    #[must_use]
    pub fn faults(&self, key: &str) -> Vec<RuleFault> {
        let Ok(example) = LocationId::new("z") else { return Vec::new() };
        let tried = self.groups.iter().enumerate().filter_map(|(index, group)| {
            let problem = match named(group, Some(&example)) {
                Ok(name) if !name.is_empty() => return None,
                Ok(_) => "gives no name".to_owned(),
                Err(error) => format!("can't be carried out: {error}"),
            };
            Some(RuleFault { key: format!("{key}.groups[{index}]"), problem })
        });
        tried.collect()
    }
}

fn named(group: &str, location: Option<&LocationId>) -> Result<String, minijinja::Error> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    let text = match location {
        Some(location) => engine.render_str(group, context! { location => location.as_str() })?,
        None => engine.render_str(group, context! {})?,
    };
    Ok(text.trim().to_owned())
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
