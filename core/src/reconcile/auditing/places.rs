//! What groups show, by the places that count for what gives them: HR's and those of approved forms.

use super::Work;
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::FormState;
use crate::access::person::worksite;
use crate::facts::{
    ConnectorName, GroupName, LocationId, Person, PersonKind, SystemName, SystemRole,
};
use crate::observed::{ObservedAccount, Realm};
use crate::policy::access::SystemRule;
use crate::reconcile::granting::whereabouts;
use std::collections::BTreeSet;

/// What the names of groups are made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    location: Option<LocationId>,
    kind: Option<PersonKind>,
}

impl Work<'_> {
    /// Where the person works by the form that gave something; by all that is approved where it was none.
    pub(super) fn place_of(&self, person: &Person, form: u64) -> Place {
        let forms = self.input.forms.get(&person.id).map(Vec::as_slice).unwrap_or_default();
        // What is held matters only to a form of which a part is approved.
        let waits = forms.iter().any(|form| form.state == FormState::Waiting);
        let theirs = self.held.get(&person.id).filter(|_| waits);
        let held: Vec<Entitlement> =
            theirs.into_iter().flatten().map(|held| (*held).clone()).collect();
        let found = whereabouts(person, forms, &held, (form > 0).then_some(form));
        Place { location: found.location, kind: found.kind }
    }

    /// Every place whose groups the person may have been put into: as approved, as HR says, and as their
    /// forms said.
    fn places(&self, person: &Person, system: &SystemName) -> Vec<Place> {
        let now = self.place_of(person, 0);
        let by_hr = Place { location: worksite(person).cloned(), kind: now.kind.clone() };
        let held = self.held.get(&person.id).map(Vec::as_slice).unwrap_or_default();
        let of_forms = held.iter().filter(|held| &held.system == system);
        let of_forms = of_forms.map(|held| self.place_of(person, held.form));
        let mut places: Vec<Place> = Vec::new();
        for place in [now, by_hr].into_iter().chain(of_forms) {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// What of a system an account shows: roles with the group or the account that says so. Groups that a
    /// form gave are left out.
    pub(super) fn shown_of(
        &mut self,
        person: &Person,
        connector: &ConnectorName,
        account: &ObservedAccount,
        (system, rule): (&SystemName, &SystemRule),
    ) -> Vec<(Option<SystemRole>, String)> {
        let gives_groups =
            !rule.groups.is_empty() || rule.roles.values().any(|role| !role.groups.is_empty());
        if !gives_groups {
            let what = match account.realm {
                Realm::Directory => "the account",
                Realm::System => "access",
            };
            let known = account.details.roles.iter().filter(|role| rule.roles.contains_key(*role));
            let mut shown: Vec<_> =
                known.map(|role| (Some(role.clone()), what.to_owned())).collect();
            if shown.is_empty() {
                shown.push((None, what.to_owned()));
            }
            return shown;
        }
        if !self.input.with_groups.contains(connector) || account.groups.is_empty() {
            return Vec::new();
        }
        let mut roles: Vec<Option<SystemRole>> = rule.roles.keys().cloned().map(Some).collect();
        if roles.is_empty() {
            roles.push(None);
        }
        let is_in: BTreeSet<String> =
            account.groups.iter().map(|group| group.name.to_lowercase()).collect();
        let mut shown: Vec<(Option<SystemRole>, String)> = Vec::new();
        for place in self.places(person, system) {
            for role in &roles {
                let given = self.given(person, (system, rule), role.as_ref());
                let telling = self.telling(&place, (system, rule), role.as_ref());
                let seen =
                    telling.iter().find(|name| is_in.contains(*name) && !given.contains(*name));
                let seen = seen.map(|group| (role.clone(), format!("group {group}")));
                shown.extend(seen.filter(|seen| !shown.contains(seen)));
            }
        }
        shown
    }

    /// Of a role, its own groups decide; what all roles share says nothing of which one it is.
    fn telling(
        &mut self,
        place: &Place,
        of: (&SystemName, &SystemRule),
        role: Option<&SystemRole>,
    ) -> BTreeSet<String> {
        let groups = self.groups_given(place, of, role);
        let shared = self.groups_given(place, of, None);
        let own: BTreeSet<String> = groups.difference(&shared).cloned().collect();
        if own.is_empty() { groups } else { own }
    }

    /// The groups that forms gave the person; what was given in no role accounts for any.
    fn given(
        &mut self,
        person: &Person,
        (system, rule): (&SystemName, &SystemRule),
        role: Option<&SystemRole>,
    ) -> BTreeSet<String> {
        let held = self.held.get(&person.id).cloned().unwrap_or_default();
        let counts =
            |held: &&&Entitlement| &held.system == system && held.state != EntitlementState::Ended;
        let mut given = BTreeSet::new();
        for held in held.iter().filter(counts) {
            let place = self.place_of(person, held.form);
            given.extend(self.groups_given(&place, (system, rule), held.role.as_ref().or(role)));
        }
        given
    }

    pub(super) fn groups_given(
        &mut self,
        place: &Place,
        (system, rule): (&SystemName, &SystemRule),
        role: Option<&SystemRole>,
    ) -> BTreeSet<String> {
        let (location, kind) = (place.location.as_ref(), place.kind.as_ref());
        match self.input.policy.groups_given((system.as_str(), rule), role, location, kind) {
            Ok(groups) => groups.iter().map(GroupName::folded).collect(),
            Err(why) => {
                self.out.troubles.insert(why);
                BTreeSet::new()
            }
        }
    }
}
