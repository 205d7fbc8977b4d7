//! Another name, another location.

use super::world::*;
use jiff::Timestamp;
use jiff::civil::date;
use lapsed_core::access::entitlement::EntitlementState;
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::facts::LocationId;
use lapsed_core::policy::access::{Included, Who};
use lapsed_core::reconcile::granting::{ended_by_move, rename_request};
use lapsed_core::step::Action;
use rstest::rstest;

fn renamed() -> World {
    let mut world = World::settled();
    world.form(Asks::Change, None);
    world.gives(2, "mairs", None);
    world.gives(2, "cimor", Some("nurse"));
    world.run();
    world.done.clear();
    world.form(Asks::NameChange, Some("mzjonej")).form.new_name = Some(name("Jones", "John"));
    world
}

#[test]
fn a_rename_goes_to_the_directory_first_and_then_to_what_hangs_on_the_name() {
    let mut world = renamed();
    let first = world.round();
    assert!(matches!(first.steps.as_slice(), [one] if matches!(one.action, Action::Rename { .. })));
    world.run();
    assert_eq!(world.done[0], "rename mzsmitj to mzjonej");
    for what in [
        "move home directory of mzsmitj to mzjonej",
        "bring mailbox of mzsmitj over to mzjonej",
        "rename mzsmitj to mzjonej",
        "ask to rename mairs for mzjonej",
    ] {
        assert!(world.done.iter().any(|done| done == what), "{what}: {:?}", world.done);
    }
    let account = world.account("ad");
    assert_eq!(account.details.mail_aliases, ["mzsmitj@dmh.test"]);
    assert_eq!(account.home.as_deref(), Some("/home/mzjonej"));
    assert_eq!(account.details.display_name.as_deref(), Some("John Jones"));
    assert_eq!(world.account("cimor").user_id, user_id("mzjonej"));
    assert_eq!(world.forms[2].state, FormState::InPlace);
}

#[test]
fn a_rename_cut_off_behind_the_directory_is_ended_with_the_home_where_it_was() {
    let mut world = renamed();
    world.round();
    // The daemon is gone, and only what is stored remains: the next look goes on.
    let next = world.look();
    let moved = next.steps.iter().find_map(|step| match &step.action {
        Action::RenameHome { from, old, new, .. } => Some((from, old, new)),
        _ => None,
    });
    let (from, old, new) = moved.unwrap();
    assert_eq!(from, &user_id("mzsmitj"));
    assert_eq!(old.home.as_deref(), Some("/home/mzsmitj"));
    assert_eq!(new.home.as_deref(), Some("/home/mzjonej"));
    assert!(!next.forms_in_place.contains(&3));
}

#[test]
fn a_new_name_that_somebody_took_meanwhile_is_given_up_before_anything_else_is_renamed() {
    let mut world = renamed();
    world.snatched.insert("mzjonej".into());
    world.round();
    let granted = world.look();
    assert!(granted.burnt.contains(&3));
    assert_eq!(world.account("ad").user_id, user_id("mzsmitj"));
    assert_eq!(world.account("cimor").user_id, user_id("mzsmitj"));
    world.forms[2].reserved = Some(user_id("mzjon1j"));
    world.run();
    assert_eq!(world.account("cimor").user_id, user_id("mzjon1j"));
}

#[test]
fn a_system_that_cant_rename_keeps_its_name() {
    let mut world = renamed();
    world.targets.get_mut(&connector("cimor")).unwrap().renames = false;
    world.run();
    assert_eq!(world.account("cimor").user_id, user_id("mzsmitj"));
    assert_eq!(world.forms[2].state, FormState::InPlace);
}

fn moving(keeps_duties: bool, kept: &[&str]) -> World {
    let mut world = World::settled();
    world.policy.access.included = vec![Included {
        who: Who::default(),
        systems: [(system("account"), None), (system("files"), None)].into(),
    }];
    world.form(Asks::Change, None);
    world.gives(2, "wards", None);
    world.gives(2, "cimor", Some("nurse"));
    world.run();
    world.done.clear();
    let reserved = (!keeps_duties).then_some("mqsmitj");
    let form = &mut world.form(Asks::LocationChange, reserved).form;
    form.new_location = LocationId::new("q").ok();
    form.keeps_duties = keeps_duties;
    form.systems = kept
        .iter()
        .map(|name| lapsed_core::access::form::SystemWish {
            system: system(name),
            role: None,
            remove: false,
            ends_on: None,
        })
        .collect();
    world
}

fn apply_move(world: &mut World) -> Vec<String> {
    let form = world.forms[2].clone();
    let when = (date(2026, 11, 23), Timestamp::UNIX_EPOCH);
    let changed =
        ended_by_move(&world.policy, &world.person, &world.forms, &world.entitlements, &form, when)
            .unwrap();
    let mut told = Vec::new();
    for held in changed {
        told.push(held.system.to_string());
        let known = world.entitlements.iter_mut().find(|e| e.id == held.id);
        *known.unwrap() = held;
    }
    told.sort();
    told
}

#[rstest]
#[case::nothing_kept(false, &[], &["cimor", "files", "wards"])]
#[case::one_kept(false, &["wards"], &["cimor", "files"])]
#[case::duties_kept(true, &[], &[])]
fn a_move_ends_the_old_locations_access_and_gives_nothing_that_nobody_approved(
    #[case] keeps_duties: bool,
    #[case] kept: &[&str],
    #[case] changed: &[&str],
) {
    let mut world = moving(keeps_duties, kept);
    assert_eq!(apply_move(&mut world), changed);
    assert_eq!(apply_move(&mut world), Vec::<String>::new(), "the same move once more");
}

#[test]
fn a_transfer_renames_and_changes_groups() {
    let mut world = moving(false, &[]);
    apply_move(&mut world);
    world.gives(3, "files", None);
    world.run();
    assert_eq!(world.account("ad").user_id, user_id("mqsmitj"));
    assert_eq!(world.groups_of("ad"), ["Files-q"]);
    assert!(world.account("ad").enabled);
    assert!(!world.account("cimor").enabled);
    assert_eq!(world.forms[2].state, FormState::InPlace);
}

#[test]
fn a_transfer_with_retained_duties_keeps_the_name_and_adds_the_new_locations_groups() {
    let mut world = moving(true, &[]);
    apply_move(&mut world);
    world.gives(3, "files", None);
    world.run();
    assert_eq!(world.account("ad").user_id, user_id("mzsmitj"));
    assert_eq!(world.groups_of("ad"), ["Files-z", "Wards", "Files-q"]);
    assert_eq!(world.forms[2].state, FormState::InPlace);
}

#[test]
fn days_of_grace_leave_the_old_access_for_so_long() {
    let mut world = moving(false, &[]);
    world.policy.access.moves.grace_days = 10;
    apply_move(&mut world);
    world.gives(3, "files", None);
    world.run();
    assert_eq!(world.groups_of("ad"), ["Files-z", "Wards", "Files-q"]);
    assert_eq!(world.forms[2].state, FormState::InPlace);
    let old = &mut world.entitlements[1];
    assert_eq!(old.ends_on, Some(date(2026, 12, 3)));
    old.state = EntitlementState::Ending;
    world.run();
    assert_eq!(world.groups_of("ad"), ["Wards", "Files-q"]);
}

#[rstest]
#[case::moved(false, true)]
#[case::duties_kept(true, false)]
fn a_move_renames_unless_the_duties_are_kept(#[case] keeps: bool, #[case] renames: bool) {
    let world = moving(keeps, &[]);
    let request = rename_request(
        &world.policy,
        &world.person,
        &world.forms,
        &world.entitlements,
        &world.forms[2],
    );
    assert_eq!(request.is_some(), renames);
}

#[test]
fn an_account_beside_the_renamed_one_keeps_its_name_and_the_security_officer_is_asked() {
    let mut world = World::settled();
    world.policy.departure.linked_accounts = vec!["adm-{{ user_id }}".into()];
    let mut beside = account((&connector("ad"), "adm-mzsmitj"), "Smith", true);
    beside.employee_number = None;
    world.accounts.push((connector("ad"), beside));
    let rename = world.form(Asks::NameChange, Some("mzjonej"));
    rename.form.new_name = Some(name("Jones", "John"));
    rename.form.old_user_id = Some(user_id("mzsmitj"));
    let mut told = std::collections::BTreeSet::new();
    for _ in 0..8 {
        let granted = world.round();
        // The target shows the new name; what was linked before is linked by it.
        world.person.accounts.clear();
        told.extend(granted.doubtful);
    }
    let names: Vec<&str> = world.accounts.iter().map(|(_, a)| a.user_id.as_str()).collect();
    assert!(names.contains(&"mzjonej") && names.contains(&"adm-mzsmitj"), "{names:?}");
    assert_eq!(world.forms[1].state, FormState::InPlace, "{told:?}");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told.first().unwrap().contains("have the security officer decide"));
}
