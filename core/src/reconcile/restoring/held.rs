//! What the person held by forms: what comes back with the access, and what ended for another reason.

use super::NoLongerHeld;
use crate::access::entitlement::{Entitlement, EntitlementState, THE_PERSON_LEFT};
use crate::access::form::{FiledForm, FormState};
use crate::facts::{Case, ConnectorName, Person, SystemRole};
use crate::policy::Policy;
use crate::reconcile::granting::groups_of;
use jiff::civil::Date;
use std::collections::BTreeSet;

/// The entitlements that ended with this departure and for nothing else: they count again once what they
/// gave is back. Neither temporary ones whose last day is past, nor what was approved and never in place.
#[must_use]
pub fn comes_back(
    departure: &Case,
    forms: &[FiledForm],
    held: &[Entitlement],
    today: Date,
) -> Vec<Entitlement> {
    let was_in_place = |one: &&Entitlement| {
        one.form == 0
            || forms.iter().any(|form| form.number == one.form && form.state == FormState::InPlace)
    };
    let mut all: Vec<Entitlement> = held
        .iter()
        .filter(|one| ended_with(departure, one, today))
        .filter(was_in_place)
        .cloned()
        .collect();
    for one in &mut all {
        one.state = EntitlementState::InPlace;
        one.ended_at = None;
        one.ended_because = None;
    }
    all
}

fn ended_with(departure: &Case, one: &Entitlement, today: Date) -> bool {
    one.person == departure.person
        && one.state == EntitlementState::Ended
        && one.ended_by.is_none()
        && one.ended_because.as_deref() == Some(THE_PERSON_LEFT)
        && one.ended_at.is_some_and(|at| at >= departure.opened_at)
        && one.ends_on.is_none_or(|last| last >= today)
}

/// Groups and roles that the person had and that nothing gives any more but access that ended.
///
/// # Errors
/// A template of the policy that does not work, as a sentence for people.
pub fn no_longer_held(
    policy: &Policy,
    person: &Person,
    departure: &Case,
    forms: &[FiledForm],
    held: &[Entitlement],
    today: Date,
) -> Result<NoLongerHeld, String> {
    let back: BTreeSet<_> =
        comes_back(departure, forms, held, today).iter().map(|e| e.id).collect();
    let mut alive: BTreeSet<(ConnectorName, String)> = BTreeSet::new();
    let mut alive_roles: BTreeSet<(ConnectorName, SystemRole)> = BTreeSet::new();
    let mut gone = NoLongerHeld::default();
    for one in held.iter().filter(|one| one.person == person.id) {
        let rule = policy.access.systems.get(&one.system);
        let Some(connector) = rule.and_then(|rule| rule.connector.clone()) else { continue };
        let counts = one.state.counts() || back.contains(&one.id);
        for group in groups_of(policy, person, forms, held, one)? {
            let key = (connector.clone(), group.folded());
            match counts {
                true => drop(alive.insert(key)),
                false => drop(gone.groups.insert(key, why(one))),
            }
        }
        if let Some(role) = one.role.clone() {
            match counts {
                true => drop(alive_roles.insert((connector, role))),
                false => drop(gone.roles.insert((connector, role), why(one))),
            }
        }
    }
    gone.groups.retain(|key, _| !alive.contains(key));
    gone.roles.retain(|key, _| !alive_roles.contains(key));
    Ok(gone)
}

fn why(one: &Entitlement) -> String {
    match (one.ends_on, &one.ended_because) {
        (Some(last), _) => format!("the access to {} that gave it ended on {last}", one.system),
        (None, Some(because)) if because != THE_PERSON_LEFT => {
            format!("the access to {} that gave it ended: {because}", one.system)
        }
        (None, _) => {
            format!("the access to {} that gave it has ended; file a form for it", one.system)
        }
    }
}
