//! Groups are given by name in the configuration: each is found in its directory, or nothing is done.

use super::place::whereabouts;
use super::{Granting, Work, asks_for_something};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::FiledForm;
use crate::facts::{ConnectorName, GroupName, Person};
use crate::observed::GroupLink;
use crate::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

/// Groups by directory and folded name, as far as they were asked for; several where the name is not unique.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownGroups(BTreeMap<ConnectorName, BTreeMap<String, Vec<GroupLink>>>);

impl KnownGroups {
    /// Takes up what a directory found of the names that it was asked for.
    pub fn insert(&mut self, connector: &ConnectorName, found: Vec<GroupLink>) {
        let all = self.0.entry(connector.clone()).or_default();
        for group in found {
            let same = all.entry(group.name.to_lowercase()).or_default();
            if same.iter().all(|known| known.id != group.id) {
                same.push(group);
            }
        }
    }

    /// The one group of a name.
    ///
    /// # Errors
    /// That there is none, or more than one, as a sentence for people.
    pub fn one(&self, connector: &ConnectorName, name: &GroupName) -> Result<&GroupLink, String> {
        let found = self.0.get(connector).and_then(|groups| groups.get(&name.folded()));
        match found.map(Vec::as_slice).unwrap_or_default() {
            [one] => Ok(one),
            [] => Err(format!(
                "no group of the name {name} in {connector}: make it, or correct access.systems"
            )),
            _ => Err(format!(
                "more than one group of the name {name} in {connector}: give each a name of its own"
            )),
        }
    }
}

/// The groups that a person's entitlements speak of, by directory: what has to be looked up first.
///
/// # Errors
/// A template that does not work, as a sentence for people.
pub fn wanted_groups(
    policy: &Policy,
    person: &Person,
    forms: &[FiledForm],
    entitlements: &[Entitlement],
) -> Result<BTreeMap<ConnectorName, BTreeSet<GroupName>>, String> {
    let mut wanted: BTreeMap<ConnectorName, BTreeSet<GroupName>> = BTreeMap::new();
    if !entitlements.iter().any(asks_for_something) {
        return Ok(wanted);
    }
    for held in entitlements.iter().filter(|e| e.state != EntitlementState::Ended) {
        let rule = policy.access.systems.get(&held.system);
        if let Some(connector) = rule.and_then(|rule| rule.connector.as_ref()) {
            let groups = groups_of(policy, person, forms, entitlements, held)?;
            wanted.entry(connector.clone()).or_default().extend(groups);
        }
    }
    wanted.retain(|_, groups| !groups.is_empty());
    Ok(wanted)
}

/// The groups that an entitlement gives, by the place that counted for the form that gave it.
pub(in crate::reconcile) fn groups_of(
    policy: &Policy,
    person: &Person,
    forms: &[FiledForm],
    entitlements: &[Entitlement],
    held: &Entitlement,
) -> Result<Vec<GroupName>, String> {
    let Some(rule) = policy.access.systems.get(&held.system) else { return Ok(Vec::new()) };
    let up_to = (held.form > 0).then_some(held.form);
    let place = whereabouts(person, forms, entitlements, up_to);
    let (location, kind) = (place.location.as_ref(), place.kind.as_ref());
    policy.groups_given((held.system.as_str(), rule), held.role.as_ref(), location, kind)
}

impl Work<'_> {
    pub(super) fn groups_of(&self, held: &Entitlement) -> Result<Vec<GroupName>, String> {
        let Granting { policy, person, forms, entitlements, .. } = self.input;
        groups_of(policy, person, forms, entitlements, held)
    }
}
