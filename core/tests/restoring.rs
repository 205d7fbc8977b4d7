//! What a mistaken departure took and what of it is put back: that, and nothing that others changed since.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::Timestamp;
use lapsed_core::citation::Rule;
use lapsed_core::facts::*;
use lapsed_core::guard::Finding;
use lapsed_core::journal::StepState;
use lapsed_core::observed::{
    Details, GroupKind, GroupLink, ObservedAccount, Protection, Realm, Replaceable,
};
use lapsed_core::reconcile::granting::{KnownGroups, Opener};
use lapsed_core::reconcile::restoring::{
    NoLongerHeld, Refusal, Restored, Restoring, Taken, Targets, may_restore, restore,
};
use lapsed_core::standing::{End, Standing};
use lapsed_core::step::*;
use proptest::prelude::*;
use rstest::rstest;
use std::collections::BTreeMap;
use uuid::Uuid;

fn connector(name: &str) -> ConnectorName {
    ConnectorName::new(name).unwrap()
}

fn person() -> Person {
    Person::new(PersonId(Uuid::from_u128(1)))
}

fn link(name: &str, kind: GroupKind) -> GroupLink {
    GroupLink { id: StableId::new(format!("id-{name}")).unwrap(), name: name.into(), kind }
}

fn account(realm: Realm) -> ObservedAccount {
    ObservedAccount {
        id: StableId::new("id-1").unwrap(),
        user_id: UserId::new("mzsmitj").unwrap(),
        other_user_ids: Vec::new(),
        place: String::new(),
        enabled: true,
        employee_number: EmployeeNumber::new("001").ok(),
        other_employee_numbers: Vec::new(),
        name: PersonName::default(),
        description: Some("clerk".into()),
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: vec![link("Nurses", GroupKind::Security), link("Users", GroupKind::DefaultPrimary)],
        realm,
        held_in_trust: Vec::new(),
        details: Details { roles: vec![SystemRole::new("nurse").unwrap()], ..Details::default() },
    }
}

/// The same after the departure.
fn shut(realm: Realm) -> ObservedAccount {
    ObservedAccount {
        enabled: false,
        description: Some("Disabled 2026-11-20".into()),
        groups: vec![link("Users", GroupKind::DefaultPrimary)],
        ..account(realm)
    }
}

fn at() -> Target {
    Target { id: StableId::new("id-1").unwrap(), label: "mzsmitj".into() }
}

fn nurses() -> Target {
    Target { id: StableId::new("id-Nurses").unwrap(), label: "Nurses".into() }
}

fn departure(realm: Realm) -> Case {
    Case {
        id: CaseId::departure(person().id, 0),
        kind: CaseKind::Departure,
        person: person().id,
        state: CaseState::Withdrawn,
        effective_at: Timestamp::UNIX_EPOCH,
        for_cause: false,
        opened_at: Timestamp::UNIX_EPOCH,
        disabled_on: None,
        worksite_class: None,
        reason: String::new(),
        before: vec![(connector(place(realm)), account(realm))],
    }
}

fn place(realm: Realm) -> &'static str {
    if realm == Realm::Directory { "ad" } else { "omis" }
}

fn receipt(before: &[(&str, &str)]) -> Receipt {
    let before = before.iter().map(|(k, v)| ((*k).to_owned(), vec![(*v).to_owned()])).collect();
    Receipt { before, server: None }
}

fn taken(connector_name: &str, action: Action, receipt: Option<Receipt>) -> Taken {
    let expect = Expect {
        user_id: UserId::new("mzsmitj").unwrap(),
        employee_number: EmployeeNumber::new("001").ok(),
    };
    let case = CaseId::departure(person().id, 0);
    let name = connector(connector_name);
    let step = Step::new(case, person().id, name, action, expect, Due::AtOnce, Rule::D2);
    Taken { step, state: StepState::Verified { receipt, at: Timestamp::UNIX_EPOCH }, begun: true }
}

/// What a departure does to an account in a directory.
fn all_taken() -> Vec<Taken> {
    let stamp = "Disabled 2026-11-20".to_owned();
    vec![
        taken("ad", Action::Disable { account: at() }, Some(receipt(&[("lock", "")]))),
        taken(
            "ad",
            Action::StampDescription { account: at(), text: stamp },
            Some(receipt(&[("description", "clerk")])),
        ),
        taken("ad", Action::ScramblePassword { account: at() }, Some(receipt(&[]))),
        taken(
            "ad",
            Action::LeaveGroup { account: at(), group: nurses() },
            Some(receipt(&[("member", "x")])),
        ),
    ]
}

struct World {
    taken: Vec<Taken>,
    now: Vec<(ConnectorName, ObservedAccount)>,
    groups: Vec<GroupLink>,
    targets: Targets,
    ended: NoLongerHeld,
    opener: Result<Opener, String>,
    realm: Realm,
    replaceable: Replaceable,
    journal: BTreeMap<StepId, StepState>,
}

fn world() -> World {
    World {
        taken: all_taken(),
        now: vec![(connector("ad"), shut(Realm::Directory))],
        groups: vec![link("Nurses", GroupKind::Security)],
        targets: Targets::default(),
        ended: NoLongerHeld::default(),
        opener: Ok(Opener { user_id: UserId::new("mzbossb").unwrap(), mail: None }),
        realm: Realm::Directory,
        replaceable: Replaceable::default(),
        journal: BTreeMap::new(),
    }
}

fn restored(world: &World) -> Restored {
    let mut groups = KnownGroups::default();
    groups.insert(&connector("ad"), world.groups.clone());
    let mut departure = departure(world.realm);
    departure.before[0].1.details.replaceable = world.replaceable.clone();
    restore(&Restoring {
        departure: &departure,
        person: &person(),
        case: CaseId::of_restoration(CaseId::departure(person().id, 0), 0),
        taken: &world.taken,
        accounts: &world.now,
        groups: &groups,
        targets: &world.targets,
        ended: &world.ended,
        opener: &world.opener,
        journal: &|id| world.journal.get(&id).cloned(),
    })
}

fn done(restored: &Restored) -> Vec<String> {
    let mut done: Vec<String> = restored.steps.iter().map(|s| s.action.describe()).collect();
    done.sort();
    done
}

const WHOLE: [&str; 4] = [
    "enable account mzsmitj",
    "put back the description of mzsmitj",
    "put mzsmitj into group Nurses",
    "set a first password of mzsmitj, sealed for mzbossb",
];

#[test]
fn what_was_taken_is_put_back_and_a_second_look_finds_nothing_more() {
    let mut world = world();
    let first = restored(&world);
    assert_eq!(done(&first), WHOLE);
    assert!(first.not_restored.is_empty(), "{first:?}");
    assert!(first.steps.iter().all(|step| step.action.gives() && !step.action.destroys()));
    assert_eq!(restored(&world), first, "the same input gives the same steps");
    // As the steps leave it.
    let verified = |_: &Step| StepState::Verified { receipt: None, at: Timestamp::UNIX_EPOCH };
    world.journal = first.steps.iter().map(|step| (step.id, verified(step))).collect();
    world.now[0].1 = account(Realm::Directory);
    let again = restored(&world);
    assert!(again.steps.is_empty(), "{again:?}");
}

/// One thing that changed since, what is still put back, and what is said of the rest.
#[rstest]
#[case::account_gone(|w: &mut World| w.now.clear(), 0, "not there any more")]
#[case::unread(|w: &mut World| { w.now.clear(); w.targets.unread.insert(connector("ad")); }, 0, "can't be read")]
#[case::anothers(|w: &mut World| w.now[0].1.employee_number = EmployeeNumber::new("002").ok(), 0, "another employee number")]
#[case::renamed(|w: &mut World| w.now[0].1.user_id = UserId::new("mzjonej").unwrap(), 0, "renamed")]
#[case::suspended(|w: &mut World| { w.targets.suspended.insert(connector("ad")); }, 0, "suspension")]
#[case::never(|w: &mut World| w.now[0].1.protection = Some(Protection::Never { because: "break-glass".into() }), 0, "never touched")]
#[case::group_deleted(|w: &mut World| w.groups.clear(), 3, "deleted or renamed")]
#[case::group_made_anew(|w: &mut World| w.groups[0].id = StableId::new("other").unwrap(), 3, "another one has its name")]
#[case::entitlement_ended(|w: &mut World| { w.ended.groups.insert((connector("ad"), "nurses".into()), "the access to omis ended".into()); }, 3, "the access to omis ended")]
#[case::described_anew(|w: &mut World| w.now[0].1.description = Some("on loan".into()), 3, "another one since")]
#[case::no_opener(|w: &mut World| w.opener = Err("nobody may".into()), 3, "help desk has to reset it: nobody may")]
#[case::open_already(|w: &mut World| w.now[0].1.enabled = true, 2, "open by other hands")]
#[case::locked_before(|w: &mut World| w.taken[0] = taken("ad", Action::Disable { account: at() }, Some(receipt(&[(WAS_LOCKED, "true")]))), 2, "others had shut it before")]
#[case::others_were_first(|w: &mut World| w.taken[0].state = StepState::Done { receipt: None }, 2, "others had shut it before")]
#[case::nobody_knows(|w: &mut World| w.taken[0] = taken("ad", Action::Disable { account: at() }, Some(receipt(&[(EARLIER_ATTEMPT, "")]))), 2, "somebody else may have shut it")]
#[case::under_way(|w: &mut World| w.taken[3].state = StepState::Unknown { cause: Cause::new("lost"), until: None }, 3, "still under way")]
fn what_is_no_longer_right_is_left_and_said(
    #[case] change: fn(&mut World),
    #[case] steps: usize,
    #[case] why: &str,
) {
    let mut world = world();
    change(&mut world);
    let restored = restored(&world);
    assert_eq!(restored.steps.len(), steps, "{:?}", done(&restored));
    let said: Vec<&str> = restored.not_restored.iter().map(|one| one.why.as_str()).collect();
    assert!(said.iter().any(|said| said.contains(why)), "{said:?}");
}

#[test]
fn what_a_lost_receipt_does_not_say_the_image_from_before_does() {
    let mut world = world();
    let lost = receipt(&[(REPLY_LOST, "")]);
    for one in &mut world.taken {
        let shuts = matches!(one.step.action, Action::Disable { .. });
        one.state = StepState::Done { receipt: shuts.then(|| lost.clone()) };
    }
    let restored = restored(&world);
    assert_eq!(done(&restored), WHOLE);
    let said: Vec<&str> = restored.not_restored.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(said, ["what else shutting replaced on account mzsmitj in ad"]);
}

#[rstest]
#[case::its_reply_was_lost(REPLY_LOST)]
#[case::its_daemon_died(EARLIER_ATTEMPT)]
fn a_mailbox_that_was_hidden_without_a_receipt_is_for_a_person_to_look_at(#[case] evidence: &str) {
    let mut world = world();
    let hidden = Some(receipt(&[(evidence, "")]));
    world.taken.push(taken("ad", Action::DisableMailbox { account: at() }, hidden));
    let restored = restored(&world);
    assert_eq!(done(&restored), WHOLE);
    let said: Vec<&str> = restored.not_restored.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(said, ["who sees the mailbox of mzsmitj in ad"]);
}

#[test]
fn what_a_lost_receipt_does_not_say_of_keys_and_address_lists_the_image_from_before_does() {
    let mut world = world();
    for one in &mut world.taken {
        if matches!(one.step.action, Action::Disable { .. }) {
            one.state = StepState::Done { receipt: Some(receipt(&[(REPLY_LOST, "")])) };
        }
    }
    let hidden = Some(receipt(&[(EARLIER_ATTEMPT, "")]));
    world.taken.push(taken("ad", Action::DisableMailbox { account: at() }, hidden));
    world.replaceable = Replaceable {
        by_shutting: receipt(&[("lock", ""), ("sshPublicKey", "ssh-ed25519 AAAA")]).before,
        by_hiding: receipt(&[("msExchHideFromAddressLists", "FALSE")]).before,
    };
    let restored = restored(&world);
    let kept: Vec<&Kept> = restored
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::PutBack { kept, .. } => Some(kept),
            _ => None,
        })
        .collect();
    assert!(
        kept.iter().any(|kept| matches!(kept, Kept::Shut { was } if was.len() == 2)),
        "{kept:?}"
    );
    assert!(
        kept.iter().any(|kept| matches!(kept, Kept::Mailbox { was } if was.len() == 1)),
        "{kept:?}"
    );
    assert!(restored.not_restored.is_empty(), "{:?}", restored.not_restored);
}

#[test]
fn a_protected_account_is_put_back_with_a_finding_for_a_second_pair_of_eyes() {
    let mut world = world();
    let because = "Domain Admins".to_owned();
    world.now[0].1.protection = Some(Protection::SecondOperator { because });
    let restored = restored(&world);
    assert_eq!(done(&restored), WHOLE);
    assert!(matches!(restored.findings[..], [Finding::Protected { .. }]));
}

#[rstest]
#[case::by_the_connector(true, &["give mzsmitj access as nurse"], "")]
#[case::by_hand(false, &[], "can't give access")]
fn a_systems_access_comes_back_with_the_roles_of_before(
    #[case] grants: bool,
    #[case] steps: &[&str],
    #[case] why: &str,
) {
    let mut world = world();
    world.realm = Realm::System;
    world.now = vec![(connector("omis"), shut(Realm::System))];
    world.taken = vec![taken("omis", Action::RevokeAccess { account: at() }, Some(receipt(&[])))];
    if grants {
        world.targets.grants.insert(connector("omis"));
    }
    let restored = restored(&world);
    assert_eq!(done(&restored), steps);
    assert!(restored.not_restored.iter().all(|one| one.why.contains(why)));
    assert_eq!(restored.not_restored.is_empty(), grants);
}

#[rstest]
#[case::others_were_first(None, "others had shut it")]
#[case::nobody_knows(Some(EARLIER_ATTEMPT), "somebody else may have shut it")]
#[case::its_reply_was_lost(Some(REPLY_LOST), "")]
fn a_systems_access_that_others_may_have_ended_is_for_a_person_to_give(
    #[case] evidence: Option<&str>,
    #[case] why: &str,
) {
    let mut world = world();
    world.realm = Realm::System;
    world.now = vec![(connector("omis"), shut(Realm::System))];
    world.targets.grants.insert(connector("omis"));
    let receipt = evidence.map(|evidence| receipt(&[(evidence, "")]));
    world.taken = vec![taken("omis", Action::RevokeAccess { account: at() }, receipt)];
    let restored = restored(&world);
    assert_eq!(restored.steps.is_empty(), !why.is_empty(), "{:?}", done(&restored));
    let said: Vec<&str> = restored.not_restored.iter().map(|one| one.why.as_str()).collect();
    assert!(
        said.iter().all(|said| said.contains(why)) && said.is_empty() == why.is_empty(),
        "{said:?}"
    );
}

#[test]
fn what_is_deleted_or_asked_of_others_is_said_and_who_reads_the_mailbox_does_so_no_longer() {
    let mut world = world();
    let to = UserId::new("mzbossb").unwrap();
    let wish = Uuid::from_u128(5);
    let home = Action::DeleteHome { account: at(), home: None, uid_number: None };
    let mut begun = taken("homes", home, None);
    begun.state = StepState::Cancelled { reason: "off".into() };
    world.taken.extend([
        begun,
        taken("mail", Action::DeleteMailbox { account: at() }, Some(receipt(&[]))),
        taken(
            "mail",
            Action::DelegateMailbox { account: at(), to: to.clone(), wish },
            Some(receipt(&[])),
        ),
        taken(
            "forms",
            Action::RequestRevocation {
                account: at(),
                request: "SAM II".into(),
                facts: RequestFacts::default(),
            },
            Some(receipt(&[(ASKED, "oa@mo.test")])),
        ),
    ]);
    world.targets.delegates.insert(connector("mail"));
    let restored = restored(&world);
    assert!(
        done(&restored).contains(&"let mzbossb no longer read the mailbox of mzsmitj".to_owned())
    );
    let said = format!("{:?}", restored.not_restored);
    for why in ["quarantine", "its content was deleted", "oa@mo.test answered"] {
        assert!(said.contains(why), "{why}: {said}");
    }
}

fn end() -> End {
    End {
        at: Timestamp::UNIX_EPOCH,
        for_cause: false,
        worksite: None,
        supervisor: None,
        reason: String::new(),
    }
}

#[rstest]
#[case::taken_back(CaseState::Withdrawn, &[], Standing::Employed, Ok(()))]
#[case::moved_to_a_later_day(CaseState::Scheduled, &[], Standing::Leaving(end()), Ok(()))]
#[case::a_later_one_taken_back_too(CaseState::Withdrawn, &[CaseState::Withdrawn], Standing::Employed, Ok(()))]
#[case::stands(CaseState::Open, &[], Standing::Left(end()), Err(Refusal::NoticeStands))]
#[case::stands_and_done(CaseState::Closed, &[], Standing::Left(end()), Err(Refusal::NoticeStands))]
#[case::hired_again(CaseState::Rehired, &[], Standing::Employed, Err(Refusal::HiredAgain))]
#[case::departed_anew(CaseState::Withdrawn, &[], Standing::Left(end()), Err(Refusal::DepartedAnew))]
#[case::not_the_latest(CaseState::Withdrawn, &[CaseState::Rehired], Standing::Employed, Err(Refusal::NotTheLatest))]
fn only_what_its_own_source_took_back_is_put_back(
    #[case] state: CaseState,
    #[case] later: &[CaseState],
    #[case] standing: Standing,
    #[case] wanted: Result<(), Refusal>,
) {
    let case = Case { state, ..departure(Realm::Directory) };
    assert_eq!(may_restore(&case, later, &standing), wanted);
}

proptest! {
    /// Whatever the departure did and whatever is there now: nothing is taken or deleted but a reader's right,
    /// nothing is done to another account, and no group is given that was not left.
    #[test]
    fn nothing_is_given_that_was_not_taken(
        kept in proptest::collection::vec(any::<bool>(), 4),
        enabled in any::<bool>(),
        group_is_there in any::<bool>(),
        suspended in any::<bool>(),
        order in Just((0..4_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut world = world();
        let all = world.taken.clone();
        world.taken = order.iter().filter(|&&i| kept[i]).map(|&i| all[i].clone()).collect();
        world.now[0].1.enabled = enabled;
        if !group_is_there {
            world.groups.clear();
        }
        if suspended {
            world.targets.suspended.insert(connector("ad"));
        }
        let restored = restored(&world);
        let left = |group: &Target| world.taken.iter().any(|one| {
            matches!(&one.step.action, Action::LeaveGroup { group: left, .. } if left == group)
        });
        for step in &restored.steps {
            prop_assert!(step.action.gives() && !step.action.destroys());
            prop_assert_eq!(&step.action.account().id, &at().id);
            prop_assert!(!suspended);
            if let Action::JoinGroup { group, .. } = &step.action {
                prop_assert!(left(group) && group_is_there);
            }
            if matches!(step.action, Action::Enable { .. }) {
                prop_assert!(kept[0] && !enabled);
            }
        }
        let mut sorted = world.taken.clone();
        sorted.sort_by_key(|one| one.step.id);
        world.taken = sorted;
        let mut ids: Vec<StepId> = restored.steps.iter().map(|step| step.id).collect();
        let mut again: Vec<StepId> = self::restored(&world).steps.iter().map(|s| s.id).collect();
        ids.sort();
        again.sort();
        prop_assert_eq!(ids, again, "the order of the journal is no matter");
    }
}
