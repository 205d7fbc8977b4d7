//! Somebody new, and somebody who comes back.

use super::world::*;
use jiff::Timestamp;
use lapsed_core::access::entitlement::EntitlementState;
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, EmployeeNumber, LinkedAccount};
use lapsed_core::guard::Finding;
use lapsed_core::journal::StepState;
use lapsed_core::observed::Protection;
use lapsed_core::step::{Action, Cause, Due, Expect, Found, Receipt, Step, Target};
use rstest::rstest;
use std::collections::BTreeMap;

#[test]
fn a_joiner_gets_an_account_then_what_belongs_to_it_then_a_password_and_is_let_in_last() {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    world.gives(1, "files", None);
    world.gives(1, "cimor", Some("nurse"));
    world.run();
    assert_eq!(world.done[0], "make account mzsmitj");
    assert_eq!(world.done.last().unwrap(), "enable account mzsmitj");
    let at = |what: &str| world.done.iter().position(|done| done == what).unwrap();
    let password = at("set a first password of mzsmitj, sealed for mzbossb");
    for before in [
        "put mzsmitj into group Files-z",
        "make home directory of mzsmitj",
        "make mailbox of mzsmitj",
    ] {
        assert!(at(before) < password, "{:?}", world.done);
    }
    assert!(at("give mzsmitj access as nurse") > 0);
    assert_eq!(world.forms[0].state, FormState::InPlace);
    assert!(world.account("ad").enabled);
    assert_eq!(world.groups_of("ad"), ["Files-z"]);
}

/// Some directories lift the lock with each new password, and it is put back a moment later.
#[rstest]
#[case::it_is_being_set(StepState::Started { at: Timestamp::UNIX_EPOCH }, false)]
#[case::nobody_knows(StepState::Unknown { cause: Cause::new("cut"), until: None }, false)]
#[case::it_was_set_and_others_opened_it(StepState::Done { receipt: None }, true)]
fn what_is_open_while_its_password_is_being_set_is_not_in_place(
    #[case] state: StepState,
    #[case] in_place: bool,
) {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    let sets = |step: &Step| matches!(step.action, Action::SetPassword { .. });
    while !world.journal.values().any(|(step, _)| sets(step)) {
        world.round();
    }
    let password = world.journal.values_mut().find(|(step, _)| sets(step)).unwrap();
    password.1 = state;
    world.accounts[0].1.enabled = true;
    assert_eq!(!world.look().in_place.is_empty(), in_place);
}

#[test]
fn nothing_is_asked_for_twice_however_often_it_is_looked_at() {
    let mut world = World::settled();
    assert_eq!(world.round().steps, []);
    assert_eq!(world.look(), world.look());
}

#[test]
fn an_account_stays_shut_while_a_group_of_it_is_refused() {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "files", None);
    world.round();
    let joins = world.look();
    world.round();
    for (_, account) in &mut world.accounts {
        account.groups.clear();
    }
    world.refuse("join_group");
    let granted = world.look();
    assert!(joins.steps.iter().any(|s| matches!(s.action, Action::JoinGroup { .. })));
    assert!(granted.stuck && granted.steps.is_empty(), "{:?}", granted.steps);
    assert!(!world.account("ad").enabled);
}

#[rstest]
#[case::no_such_group(&[], "no group of the name Wards in ad")]
#[case::two_of_the_name(&["Wards", "wards"], "more than one group of the name Wards in ad")]
fn a_group_that_is_not_found_exactly_once_is_never_guessed(
    #[case] there: &[&str],
    #[case] why: &str,
) {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "wards", None);
    world.groups = there.iter().map(|name| group(name)).collect();
    if let Some(second) = world.groups.get_mut(1) {
        second.id = lapsed_core::facts::StableId::new("another").unwrap();
    }
    let granted = world.run();
    assert!(granted.doubtful.iter().any(|text| text.contains(why)), "{:?}", granted.doubtful);
    assert!(!world.account("ad").enabled);
    assert!(!world.done.iter().any(|done| done.contains("group")));
}

/// A namesake's, with a number that is the newcomer's by now.
#[test]
fn an_account_that_is_known_to_be_anothers_is_not_given_to_a_newcomer() {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "files", None);
    let number = EmployeeNumber::new("00123").unwrap();
    world.person.engagements.push(engagement(&number));
    let last = world.forms[0].form.person.name.as_ref().unwrap().last.clone();
    let namesakes = account((&connector("ad"), "mzsmitk"), &last, true);
    let namesakes =
        lapsed_core::observed::ObservedAccount { employee_number: Some(number), ..namesakes };
    world.of_others.insert((connector("ad"), namesakes.id.clone()));
    world.accounts.push((connector("ad"), namesakes));
    let granted = world.look();
    assert_eq!((&granted.steps[..], &granted.links[..]), (&[][..], &[][..]));
    assert!(granted.doubtful.iter().any(|text| text.contains("known to be somebody else's")));
    world.of_others.clear();
    assert!(!world.look().links.is_empty(), "it would be taken for the newcomer's");
}

#[test]
fn an_account_that_the_key_finds_and_the_name_contradicts_is_never_touched() {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "files", None);
    let number = EmployeeNumber::new("00123").unwrap();
    world.person.engagements.push(engagement(&number));
    let stranger = account((&connector("ad"), "mzdoej"), "Doe", true);
    let stranger =
        lapsed_core::observed::ObservedAccount { employee_number: Some(number), ..stranger };
    world.accounts.push((connector("ad"), stranger));
    let granted = world.look();
    assert_eq!(granted.steps, []);
    assert!(granted.stuck);
    assert!(
        granted.doubtful.iter().any(|text| text.contains("left alone")),
        "{:?}",
        granted.doubtful
    );
}

#[test]
fn an_account_with_another_ones_number_is_not_the_persons_though_the_name_agrees() {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "files", None);
    let stranger = account((&connector("ad"), "mzsmitj"), "Smith", true);
    let number = EmployeeNumber::new("00999").ok();
    let stranger = lapsed_core::observed::ObservedAccount { employee_number: number, ..stranger };
    world.accounts.push((connector("ad"), stranger));
    let granted = world.look();
    assert_eq!(granted.steps, []);
    assert!(granted.burnt.contains(&1), "the reserved name is somebody else's by now");
}

#[test]
fn a_name_that_is_taken_when_the_account_is_made_is_given_up() {
    let mut world = World::new();
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "files", None);
    world.snatched.insert("mzsmitj".into());
    world.round();
    let granted = world.look();
    assert!(granted.burnt.contains(&1));
    assert_eq!(granted.steps, []);
    world.forms[0].reserved = Some(user_id("mzsmi1j"));
    world.run();
    assert_eq!(world.account("ad").user_id, user_id("mzsmi1j"));
    assert!(world.account("ad").enabled);
}

#[test]
fn a_protected_account_waits_for_a_second_operator() {
    let mut world = World::settled();
    world.accounts[0].1.protection =
        Some(Protection::SecondOperator { because: "adminCount".into() });
    world.form(Asks::Change, None);
    world.gives(2, "wards", None);
    let granted = world.look();
    assert!(
        matches!(granted.findings.as_slice(), [(case, Finding::Protected { .. })] if *case == world.forms[1].case())
    );
    assert_eq!(granted.steps.len(), 1);
}

#[test]
fn an_account_that_is_never_touched_gets_nothing() {
    let mut world = World::settled();
    world.accounts[0].1.protection = Some(Protection::Never { because: "break-glass".into() });
    world.form(Asks::Change, None);
    world.gives(2, "wards", None);
    let granted = world.look();
    assert_eq!(granted.steps, []);
    assert!(granted.doubtful.iter().any(|text| text.contains("never touched")));
}

#[test]
fn who_comes_back_gets_the_same_account_with_what_was_approved_and_nothing_that_was_left_on_it() {
    let mut world = World::new();
    let mut former = account((&connector("ad"), "mzsmitj"), "Smith", false);
    former.groups = vec![group("Old-Ward")];
    world.person.accounts.push(LinkedAccount {
        connector: connector("ad"),
        id: former.id.clone(),
        user_id: former.user_id.clone(),
    });
    world.accounts.push((connector("ad"), former));
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    world.gives(1, "wards", None);
    world.run();
    assert_eq!(world.accounts.len(), 1, "no second account");
    assert_eq!(world.groups_of("ad"), ["Wards"]);
    assert!(world.account("ad").enabled);
    assert!(world.done.iter().any(|done| done.starts_with("set a first password")));
}

#[rstest]
#[case::hidden(1, None, false, true)]
#[case::hidden_by_the_departure_before_the_last(2, None, false, true)]
#[case::opened_by_hand_before_the_form(1, None, true, false)]
#[case::others_changed_it_since(1, Some("others"), false, false)]
fn who_comes_back_is_in_the_address_lists_again(
    #[case] departures: u32,
    #[case] changed: Option<&str>,
    #[case] open: bool,
    #[case] shown: bool,
) {
    let mut world = World::new();
    let former = account((&connector("ad"), "mzsmitj"), "Smith", open);
    world.person.accounts.push(LinkedAccount {
        connector: connector("ad"),
        id: former.id.clone(),
        user_id: former.user_id.clone(),
    });
    world.person.episode = departures;
    for episode in 0..departures {
        let case = CaseId::departure(world.person.id, episode);
        let account = Target { id: former.id.clone(), label: "mzsmitj".into() };
        let hide = Action::DisableMailbox { account };
        let expect = Expect { user_id: former.user_id.clone(), employee_number: None };
        let (person, due) = (world.person.id, Due::AtOnce);
        let step = Step::new(case, person, connector("ad"), hide, expect, due, Rule::D7);
        let was = BTreeMap::from([("msExchHideFromAddressLists".to_owned(), Vec::new())]);
        // The later one found it hidden already, and took nothing.
        let receipt = (episode == 0).then_some(Receipt { before: was, server: None });
        world.journal.insert(step.id, (step, StepState::Verified { receipt, at: Timestamp::MIN }));
    }
    world.accounts.push((connector("ad"), former));
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    if changed.is_some() {
        let put_back = loop {
            let granted = world.round();
            let mut steps = granted.steps.into_iter();
            if let Some(step) = steps.find(|s| s.action.name() == "put_back") {
                break step;
            }
        };
        let drifted = StepState::Drifted { found: Found { description: "others".into() } };
        world.journal.insert(put_back.id, (put_back, drifted));
    }
    world.run();
    assert_eq!(world.forms[0].state, FormState::InPlace);
    assert!(world.account("ad").enabled);
    let put_back = world.done.iter().filter(|done| done.starts_with("put back the place")).count();
    assert_eq!(put_back, usize::from(shown || changed.is_some()), "{:?}", world.done);
}

#[test]
fn an_account_that_was_shut_after_the_form_opened_it_stays_shut() {
    let mut world = World::settled();
    world.accounts[0].1.enabled = false;
    for held in &mut world.entitlements {
        held.state = EntitlementState::Approved;
    }
    world.forms[0].state = FormState::Approved;
    let granted = world.run();
    assert!(!world.account("ad").enabled);
    assert!(granted.doubtful.iter().any(|text| text.contains("is shut again")));
}

#[test]
fn a_change_form_opens_no_account_that_is_shut() {
    let mut world = World::settled();
    world.accounts[0].1.enabled = false;
    world.form(Asks::Change, None);
    world.gives(2, "wards", None);
    let granted = world.run();
    assert!(!world.account("ad").enabled);
    assert_eq!(world.forms[1].state, FormState::Approved);
    assert!(granted.doubtful.iter().any(|text| text.contains("it stays shut")));
}

#[test]
fn without_anybody_who_may_open_the_envelope_no_password_is_set_and_nobody_is_let_in() {
    let mut world = World::new();
    world.opener = Err("nobody".into());
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    let granted = world.run();
    assert!(granted.stuck);
    assert!(!world.account("ad").enabled);
    assert!(!world.done.iter().any(|done| done.contains("password")));
}

#[test]
fn what_somebody_else_gives_is_asked_for_once_and_in_place_when_they_say_so() {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "mairs", None);
    world.run();
    assert_eq!(world.done, ["ask to give mairs for mzsmitj"]);
    assert_eq!(world.forms[1].state, FormState::InPlace);
}

#[test]
fn what_a_system_needs_is_given_first() {
    let mut world = World::settled();
    world.policy.access.systems.get_mut(&system("cimor")).unwrap().needs = vec![system("wards")];
    world.form(Asks::Change, None);
    world.gives(2, "cimor", Some("nurse"));
    world.gives(2, "wards", None);
    let first = world.round();
    assert!(first.steps.iter().all(|s| s.connector.as_str() == "ad"), "{:?}", first.steps);
    world.run();
    assert_eq!(world.forms[1].state, FormState::InPlace);
    assert!(world.account("cimor").enabled);
}

#[test]
fn access_that_starts_on_a_later_day_waits_for_it() {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "wards", None).starts_on = Some(jiff::civil::date(2026, 12, 1));
    assert_eq!(world.look().steps, []);
}

#[rstest]
#[case::open(true, false, true)]
#[case::shut(false, false, false)]
#[case::suspended(true, true, false)]
fn a_password_is_set_anew_only_for_an_account_that_is_open(
    #[case] open: bool,
    #[case] suspended: bool,
    #[case] is_set: bool,
) {
    let mut world = World::settled();
    world.accounts[0].1.enabled = open;
    if suspended {
        world.suspended.insert(connector("ad"));
    }
    world.form(Asks::ResetPassword, None);
    let granted = world.run();
    assert_eq!(world.done.iter().any(|done| done.contains("password")), is_set);
    assert_eq!(world.forms[1].state == FormState::InPlace, is_set);
    assert_eq!(granted.forms_ended.contains_key(&2), !is_set);
}

#[test]
fn a_directory_that_cant_be_read_holds_up_what_concerns_it_and_nothing_else() {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "wards", None);
    world.gives(2, "cimor", Some("clerk"));
    world.targets.get_mut(&connector("ad")).unwrap().readable = false;
    let granted = world.look();
    assert!(
        granted.steps.iter().all(|s| s.connector.as_str() == "cimor") && !granted.steps.is_empty()
    );
}

pub(super) fn engagement(number: &EmployeeNumber) -> lapsed_core::facts::Engagement {
    lapsed_core::facts::Engagement {
        source: lapsed_core::facts::SourceName::new("hr").unwrap(),
        employee_number: Some(number.clone()),
        former_numbers: Vec::new(),
        user_id: None,
        record: String::new(),
        ordinal: 0,
        name: None,
        status: lapsed_core::facts::Status::Active,
        starts_on: None,
        ends_on: None,
        worksite: None,
        kind: None,
        supervisor: None,
    }
}

#[test]
fn a_system_with_passwords_of_its_own_has_a_first_one_before_it_is_opened() {
    let mut world = World::new();
    world.targets.get_mut(&connector("cimor")).unwrap().sets_passwords = true;
    world.form(Asks::New, Some("mzsmitj"));
    world.gives(1, "account", None);
    world.gives(1, "cimor", Some("nurse"));
    world.run();
    let at = |what: &str| world.done.iter().position(|done| done == what).unwrap();
    let passwords = world.done.iter().filter(|done| done.starts_with("set a first password"));
    assert_eq!(passwords.count(), 2, "{:?}", world.done);
    let opened = at("give mzsmitj access as nurse");
    assert!(at("set a first password of mzsmitj, sealed for mzbossb") < opened);
    assert_eq!(world.forms[0].state, FormState::InPlace);
}
