//! What counts only once somebody said yes, and what does not last.

use super::world::*;
use lapsed_core::access::entitlement::EntitlementState;
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::facts::{EmployeeNumber, LinkedAccount, LocationId};
use lapsed_core::journal::StepState;
use lapsed_core::observed::Realm;
use lapsed_core::step::{Action, Found};
use rstest::rstest;

#[rstest]
#[case::undecided(FormState::Waiting, false, "Files-z")]
#[case::denied(FormState::Denied, false, "Files-z")]
#[case::ended(FormState::Ended, false, "Files-z")]
#[case::one_system_approved(FormState::Waiting, true, "Files-q")]
#[case::approved(FormState::Approved, false, "Files-q")]
fn a_form_that_nobody_approved_does_not_say_which_groups_a_later_one_gives(
    #[case] state: FormState,
    #[case] approved_in_part: bool,
    #[case] group: &str,
) {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    world.run();
    let earlier = world.form(Asks::New, None);
    earlier.form.person.location = LocationId::new("q").ok();
    earlier.state = state;
    if approved_in_part {
        world.gives(2, "wards", None);
    }
    world.form(Asks::Change, None);
    world.gives(3, "files", None);
    world.run();
    assert!(world.groups_of("ad").contains(&group), "{:?}", world.groups_of("ad"));
}

#[rstest]
#[case::undecided(FormState::Waiting, 0)]
#[case::ended(FormState::Ended, 0)]
#[case::approved(FormState::Approved, 1)]
fn a_name_that_nobody_approved_makes_no_account_the_persons(
    #[case] state: FormState,
    #[case] links: usize,
) {
    let mut world = World::new();
    world.form(Asks::New, None);
    world.gives(1, "account", None);
    let rename = world.form(Asks::NameChange, None);
    rename.form.new_name = Some(name("Jones", "John"));
    rename.state = state;
    let found = account((&connector("ad"), "mzjonej"), "Jones", true);
    world.accounts.push((connector("ad"), found));
    let granted = world.look();
    assert_eq!(granted.links.len(), links, "{:?}", granted.doubtful);
}

#[rstest]
#[case::takes_a_role_away(false)]
#[case::gives_another_role(true)]
fn a_system_account_that_was_shut_by_hand_is_not_opened_by_a_change(#[case] gives: bool) {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "cimor", Some("nurse"));
    if !gives {
        world.gives(2, "cimor", Some("clerk"));
    }
    world.run();
    let shut = world.accounts.iter_mut().find(|(name, _)| name.as_str() == "cimor").unwrap();
    shut.1.enabled = false;
    world.form(Asks::Change, None);
    if gives {
        world.gives(3, "cimor", Some("clerk"));
    } else {
        let clerk = world.entitlements.last_mut().unwrap();
        (clerk.state, clerk.ended_by) = (EntitlementState::Ending, Some(3));
    }
    let granted = world.run();
    assert!(!world.account("cimor").enabled);
    assert!(granted.stuck);
    assert!(granted.doubtful.iter().any(|told| told.contains("stays shut")));
}

/// Nothing of the account is in place when somebody shuts it by hand, or has shut it.
#[rstest]
#[case::it_was_never_ours(false)]
#[case::we_took_it_and_opened_it_since(true)]
fn what_others_shut_is_opened_by_no_form_that_asks_for_more(#[case] was_ours: bool) {
    let mut world = World::settled();
    let name = connector("cimor");
    if was_ours {
        for number in [2, 3] {
            world.form(Asks::Change, None);
            world.gives(number, "cimor", Some("nurse"));
            world.run();
            assert!(world.account("cimor").enabled);
            world.entitlements.last_mut().unwrap().state = EntitlementState::Ending;
            if number == 2 {
                world.run();
                assert!(!world.account("cimor").enabled);
            }
        }
        let shut = world.accounts.iter_mut().find(|(target, _)| *target == name).unwrap();
        shut.1.enabled = false;
        world.run();
    } else {
        let mut shut = account((&name, "mzsmitj"), "Smith", false);
        shut.realm = Realm::System;
        let link = LinkedAccount {
            connector: name.clone(),
            id: shut.id.clone(),
            user_id: shut.user_id.clone(),
        };
        world.person.accounts.push(link);
        world.accounts.push((name.clone(), shut));
    }
    world.form(Asks::Change, None);
    let number = world.forms.len() as u64;
    world.gives(number, "cimor", Some("clerk"));
    let granted = world.run();
    assert!(!world.account("cimor").enabled);
    assert!(granted.stuck);
    let told = granted.doubtful.iter().any(|told| told.contains("was shut by somebody else"));
    assert!(told, "{:?}", granted.doubtful);
}

#[test]
fn a_later_part_of_a_form_new_opens_no_account_that_was_shut_since() {
    let mut world = World::new();
    let there = account((&connector("ad"), "mzsmitj"), "Smith", true);
    world.accounts.push((connector("ad"), there));
    world.form(Asks::New, Some("mzsmitj")).state = FormState::Waiting;
    world.gives(1, "files", None);
    world.run();
    assert_eq!(world.entitlements[0].state, EntitlementState::InPlace);
    world.accounts[0].1.enabled = false;
    world.gives(1, "wards", None);
    let granted = world.run();
    assert!(!world.account("ad").enabled, "{:?}", world.done);
    assert!(granted.doubtful.iter().any(|told| told.contains("was shut by somebody else")));
}

#[test]
fn a_system_that_was_taken_away_whole_is_given_again_by_a_change() {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "cimor", Some("nurse"));
    world.run();
    world.entitlements.last_mut().unwrap().state = EntitlementState::Ending;
    world.run();
    assert!(!world.account("cimor").enabled);
    world.form(Asks::Change, None);
    world.gives(3, "cimor", Some("nurse"));
    world.run();
    assert!(world.account("cimor").enabled);
}

#[rstest]
#[case::drifted(true)]
#[case::done_and_not_seen(false)]
fn what_did_not_last_is_done_once_more_and_not_at_once_for_ever(#[case] drifted: bool) {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    world.gives(1, "files", None);
    while world.accounts.is_empty() || world.account("ad").groups.is_empty() {
        assert!(!world.round().repeats, "the first time");
    }
    world.accounts[0].1.groups.clear();
    let joins = |action: &Action| matches!(action, Action::JoinGroup { .. });
    for (step, state) in world.journal.values_mut() {
        if drifted && joins(&step.action) {
            *state = StepState::Drifted { found: Found { description: "gone".into() } };
        }
    }
    let granted = world.look();
    assert!(granted.steps.iter().any(|step| joins(&step.action)));
    assert!(granted.repeats);
}

#[rstest]
#[case::joiner(Asks::New)]
#[case::other_systems(Asks::Change)]
fn of_a_form_that_gave_nothing_nothing_is_in_place(#[case] asks: Asks) {
    let mut world = World::new();
    let form = world.form(asks, Some("mzsmitj"));
    form.form.systems = vec![lapsed_core::access::form::SystemWish {
        system: system("files"),
        role: None,
        remove: false,
        ends_on: None,
    }];
    let granted = world.look();
    assert!(granted.forms_in_place.is_empty());
    assert!(granted.stuck);
}

/// The name is made of the last name, so that a namesake's account in a system agrees in both.
#[rstest]
#[case::open(true, "Smith", None, false)]
#[case::shut(false, "Smith", None, false)]
#[case::that_shows_no_name(true, "", None, false)]
#[case::with_the_joiners_number(false, "Smith", Some("00123"), true)]
fn what_is_in_a_system_under_a_new_name_before_it_was_made_is_not_the_joiners(
    #[case] enabled: bool,
    #[case] last: &str,
    #[case] number: Option<&str>,
    #[case] is_own: bool,
) {
    let mut world = World::new();
    let form = world.form(Asks::New, Some("mzsmitj"));
    form.form.person.employee_number = EmployeeNumber::new("00123").ok();
    world.gives(1, "account", None);
    world.gives(1, "cimor", Some("nurse"));
    let mut namesake = account((&connector("cimor"), "mzsmitj"), last, enabled);
    namesake.realm = Realm::System;
    namesake.employee_number = number.map(|number| EmployeeNumber::new(number).unwrap());
    let engagements = namesake.employee_number.iter().map(super::joiners::engagement);
    world.person.engagements.extend(engagements);
    world.accounts.push((connector("cimor"), namesake.clone()));
    let granted = world.run();
    let told = granted.doubtful.iter().any(|told| told.contains("before it was made"));
    assert_eq!(told, !is_own, "{:?}", granted.doubtful);
    let linked = world.person.accounts.iter().any(|link| link.connector.as_str() == "cimor");
    assert_eq!(linked, is_own);
    assert_eq!(*world.account("cimor") == namesake, !is_own);
    assert_eq!(granted.stuck, !is_own);
}
