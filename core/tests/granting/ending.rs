//! What ends is taken, and no more than what nothing else gives.

use super::world::*;
use lapsed_core::access::entitlement::EntitlementState;
use lapsed_core::access::form::{Asks, FormState};

/// Files and wards by one form, wards by another as well; then a form takes one of them away.
fn ending(of: &[usize]) -> World {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "wards", None);
    world.form(Asks::Change, None);
    world.gives(3, "wards", None);
    world.gives(3, "cimor", Some("nurse"));
    world.gives(3, "cimor", Some("clerk"));
    world.run();
    world.done.clear();
    world.form(Asks::Change, None);
    for at in of {
        world.entitlements[*at].state = EntitlementState::Ending;
        world.entitlements[*at].ended_by = Some(4);
    }
    world
}

#[test]
fn a_group_that_another_form_gives_as_well_stays() {
    let mut world = ending(&[2]);
    world.run();
    assert_eq!(world.done, Vec::<String>::new());
    assert_eq!(world.groups_of("ad"), ["Files-z", "Wards"]);
    assert_eq!(world.entitlements[2].state, EntitlementState::Ended);
    assert_eq!(world.forms[3].state, FormState::InPlace);
}

#[test]
fn a_group_that_nothing_gives_any_more_is_left() {
    let mut world = ending(&[2, 3]);
    world.run();
    assert_eq!(world.done, ["take mzsmitj out of group Wards"]);
    assert_eq!(world.forms[3].state, FormState::InPlace);
    assert!(world.account("ad").enabled);
}

#[test]
fn of_two_roles_in_a_system_the_other_stays() {
    let mut world = ending(&[4]);
    world.run();
    assert_eq!(world.account("cimor").details.roles, [role("clerk")]);
    assert!(world.account("cimor").enabled);
    assert_eq!(world.entitlements[4].state, EntitlementState::Ended);
}

#[test]
fn a_system_of_which_nothing_is_left_is_revoked() {
    let mut world = ending(&[4, 5]);
    world.run();
    assert!(!world.account("cimor").enabled);
    assert_eq!(world.forms[3].state, FormState::InPlace);
}

#[test]
fn a_form_is_not_in_place_before_what_it_takes_is_gone() {
    let mut world = ending(&[2, 3]);
    world.round();
    assert_eq!(world.forms[3].state, FormState::Approved);
}
