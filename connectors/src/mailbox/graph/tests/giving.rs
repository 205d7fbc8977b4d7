//! Users that are made, opened with groups, given a password and renamed, in a tenant that keeps it.

use super::super::{SyncedAccounts, connect};
use super::tenant::*;
use crate::contract::Observe;
use crate::handover::Handover;
use crate::settings::{Ability, ConnectorKind, Shared};
use futures_util::future::BoxFuture;
use lapsed_core::facts::{EmployeeNumber, PersonName, StableId, SystemRole, UserId};
use lapsed_core::observed::{PersonKeys, Scope};
use lapsed_core::step::{
    Action, Blueprint, Cause, Envelope, Fault, NewName, Outcome, Seen, Step, Target,
};
use rstest::rstest;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// Keeps what it is given to seal, or says why it can't.
#[derive(Default)]
struct Sealed {
    all: Mutex<Vec<(String, Option<String>)>>,
    broken: bool,
}

impl Handover for Sealed {
    fn seal<'a>(
        &'a self,
        envelope: &'a Envelope,
        user_id: &'a UserId,
        password: &'a str,
    ) -> BoxFuture<'a, Result<(), Cause>> {
        assert!(!password.to_lowercase().contains(user_id.as_str()));
        Box::pin(async move {
            if self.broken {
                return Err(Cause::new("the folder of envelopes is full"));
            }
            self.all.lock().unwrap().push((user_id.to_string(), envelope.mail.clone()));
            Ok(())
        })
    }
}

fn role(name: &str) -> SystemRole {
    SystemRole::new(name).unwrap()
}

async fn giving() -> Lab {
    let mut lab = Lab::start().await;
    (lab.settings.create, lab.settings.grant, lab.settings.rename) = (true, true, true);
    lab.settings.groups = vec![sku(LICENCE_GROUP)];
    lab.settings.roles = [(role("clerk"), vec![sku(GROUP)])].into();
    lab
}

const NEW: &str = "cccccccc-0000-4000-8000-000000000002";

fn new_account() -> Target {
    Target::to_be_made(&UserId::new("zcam").unwrap())
}

fn of_cam(account: Target, action: impl FnOnce(Target) -> Action) -> Step {
    step(NEW, "zcam", Some("E-3"), |_| action(account))
}

fn known() -> Target {
    Target { id: StableId::new(NEW).unwrap(), label: "zcam".into() }
}

fn create() -> Step {
    let blueprint = Box::new(Blueprint {
        user_id: UserId::new("zcam").unwrap(),
        name: PersonName { last: "Ode".into(), first: String::new(), preferred: None },
        display_name: "Cam Ode".into(),
        mail: None,
        employee_number: EmployeeNumber::new("E-3").ok(),
        kind: None,
        location: None,
        location_name: None,
        title: Some(String::new()),
        supervisor: None,
        home: None,
        uid_number: None,
        ends_on: None,
    });
    of_cam(new_account(), |account| Action::CreateAccount { account, blueprint })
}

fn grant(account: Target, roles: &[&str]) -> Step {
    let roles = roles.iter().map(|name| role(name)).collect();
    of_cam(account, |account| Action::GrantAccess { account, roles })
}

fn password() -> Step {
    let envelope =
        Envelope { id: Uuid::nil(), opener: UserId::new("zbob").unwrap(), mail: None, form: 4 };
    of_cam(known(), |account| Action::SetPassword { account, envelope })
}

fn rename(to: &str) -> Step {
    let to = Box::new(NewName {
        user_id: UserId::new(to).unwrap(),
        name: PersonName { last: "Poe".into(), first: "Some".into(), preferred: None },
        display_name: "Some Poe".into(),
        mail: None,
        aliases: Vec::new(),
        home: None,
        location: None,
        location_name: None,
    });
    of_cam(known(), |account| Action::Rename { account, to })
}

fn open(lab: &Lab, handover: &Arc<Sealed>) -> super::super::Graph {
    let handover: Arc<dyn Handover> = handover.clone();
    connect(&lab.settings, &Shared { handover: Some(&handover), ..Shared::default() }).unwrap()
}

#[tokio::test]
async fn a_user_is_made_shut_given_a_password_opened_with_groups_and_renamed() {
    let lab = giving().await;
    let sealed = Arc::new(Sealed::default());
    let graph = open(&lab, &sealed);
    let all =
        [create(), password(), grant(known(), &["clerk"]), grant(known(), &[]), rename("zpoe")];
    for step in all {
        changed(&graph, step.clone()).await;
        assert_eq!(seen(&graph, step.clone()).await, Ok(Seen::AsWanted), "{:?}", step.action);
        // A password is set anew: the envelope that is opened is always the one that works.
        if !matches!(step.action, Action::SetPassword { .. }) {
            assert_eq!(apply(&graph, step).await, Ok(Outcome::AlreadySo));
        }
    }
    let tenant = lab.tenant.lock().unwrap();
    let [_, _, cam] = tenant.users.as_slice() else { panic!("{}", tenant.users.len()) };
    assert_eq!((cam.name.as_str(), cam.shown.as_str()), ("zpoe@dmh.test", "Some Poe"));
    assert_eq!((cam.nickname.as_str(), cam.enabled, cam.passwords), ("zpoe", true, 1));
    assert_eq!(cam.groups, [LICENCE_GROUP]);
    let sealed = sealed.all.lock().unwrap();
    assert_eq!(*sealed, [("zcam".to_owned(), Some("zbob@dmh.test".to_owned()))]);
}

#[tokio::test]
async fn an_old_password_is_to_be_changed_once_and_one_that_was_changed_since_is_left() {
    let lab = giving().await;
    let graph = lab.open();
    let old = |changed_at: &str| {
        let changed_at = changed_at.parse().unwrap();
        step(ANN, "zann", Some("E-1"), |account| Action::ExpirePassword { account, changed_at })
    };
    let (present, former) = (old("2026-01-01T00:00:00Z"), old("2025-01-01T00:00:00Z"));
    assert_eq!(apply(&graph, former.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&graph, former).await, Ok(Seen::AsWanted));
    assert!(matches!(seen(&graph, present.clone()).await, Ok(Seen::Otherwise(_))));
    lab.ann(|ann| assert!(!ann.must_change));
    changed(&graph, present.clone()).await;
    lab.ann(|ann| assert!(ann.must_change && ann.passwords == 0));
    assert_eq!(seen(&graph, present.clone()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&graph, present).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn roles_are_shown_by_groups_and_others_groups_are_left_alone() {
    let lab = giving().await;
    lab.ann(|ann| ann.groups.push(GROUP.into()));
    let graph = lab.open();
    let keys = PersonKeys { user_ids: vec![UserId::new("zann").unwrap()], ..PersonKeys::default() };
    let observed = graph.observe(&Scope::People(vec![keys])).await.unwrap();
    assert_eq!(observed.accounts[0].details.roles, [role("clerk")]);
    assert!(observed.accounts[0].details.password.is_some());
    // The audit sees who was put into the groups of a role in Entra ID itself (S4).
    let all = graph.observe(&Scope::AllAccounts).await.unwrap();
    let roles: Vec<_> = all.accounts.iter().map(|a| a.details.roles.as_slice()).collect();
    assert_eq!(roles, [&[role("clerk")][..], &[]]);
    let step = step(ANN, "zann", Some("E-1"), |account| Action::GrantAccess {
        account,
        roles: Vec::new(),
    });
    changed(&graph, step).await;
    lab.ann(|ann| assert_eq!(ann.groups, [OTHER_GROUP, LICENCE_GROUP]));
}

#[rstest]
#[case::making(&[], create())]
#[case::opening(&[create()], grant(known(), &["clerk"]))]
#[case::renaming(&[create()], rename("zpoe"))]
#[tokio::test]
async fn a_lost_reply_is_unknown_and_the_change_is_not_made_twice(
    #[case] before: &[Step],
    #[case] step: Step,
) {
    let lab = giving().await;
    let graph = lab.open();
    for step in before {
        changed(&graph, step.clone()).await;
    }
    lab.tenant.lock().unwrap().loses_reply = true;
    let lost = apply(&graph, step.clone()).await;
    assert!(matches!(lost, Err(Fault::Unknown(_))), "{lost:?}");
    let again = apply(&graph, step.clone()).await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(seen(&graph, step).await, Ok(Seen::AsWanted));
    assert_eq!(lab.tenant.lock().unwrap().users.len(), 3);
}

#[rstest]
#[case::making(&[], create())]
#[case::opening(&[create()], grant(known(), &["clerk"]))]
#[case::setting_a_password(&[create()], password())]
#[case::renaming(&[create()], rename("zpoe"))]
#[tokio::test]
async fn a_gift_that_is_a_lie_is_not_taken_for_done(#[case] before: &[Step], #[case] step: Step) {
    let lab = giving().await;
    let graph = open(&lab, &Arc::default());
    for step in before {
        changed(&graph, step.clone()).await;
    }
    lab.tenant.lock().unwrap().lies = true;
    changed(&graph, step.clone()).await;
    let seen = seen(&graph, step).await;
    assert!(matches!(seen, Ok(Seen::Otherwise(_)) | Err(Fault::Retry(_))), "{seen:?}");
}

#[tokio::test]
async fn a_user_that_is_not_shown_yet_is_waited_for_and_made_once() {
    let lab = giving().await;
    lab.tenant.lock().unwrap().slow = 2;
    let graph = lab.open();
    changed(&graph, create()).await;
    let waiting = apply(&graph, grant(new_account(), &[])).await;
    assert!(matches!(waiting, Err(Fault::Retry(_))), "{waiting:?}");
    // Not shown, so that it is sent again: Graph says that the name is taken, and shows it then.
    assert_eq!(apply(&graph, create()).await, Ok(Outcome::AlreadySo));
    assert_eq!(lab.tenant.lock().unwrap().users.len(), 3);
    changed(&graph, grant(new_account(), &[])).await;
}

#[tokio::test]
async fn a_user_that_was_deleted_is_no_user_to_wait_for() {
    let mut lab = giving().await;
    lab.settings.delete_user = true;
    let graph = lab.open();
    changed(&graph, deletion()).await;
    let give = |id: &str| {
        step(id, "zann", Some("E-1"), |account| Action::GrantAccess { account, roles: Vec::new() })
    };
    assert!(matches!(apply(&graph, give(ANN)).await, Ok(Outcome::Drifted(_))));
    assert!(matches!(seen(&graph, give(ANN)).await, Ok(Seen::Otherwise(_))));
    assert!(matches!(apply(&graph, give(NEW)).await, Err(Fault::Retry(_))));
}

/// Of a user that Entra Connect copies: shut, and once the copy has opened it.
#[rstest]
#[case::opening(|account| Action::GrantAccess { account, roles: Vec::new() })]
#[case::setting_a_password(|account| Action::SetPassword {
    account,
    envelope: Envelope { id: Uuid::nil(), opener: UserId::new("zbob").unwrap(), mail: None, form: 4 },
})]
#[tokio::test]
async fn what_is_copied_from_elsewhere_is_opened_there_and_has_its_password_there(
    #[case] action: fn(Target) -> Action,
    #[values(SyncedAccounts::Refuse, SyncedAccounts::Wait)] synced_accounts: SyncedAccounts,
) {
    let mut lab = giving().await;
    lab.settings.synced_accounts = synced_accounts;
    lab.settings.groups.clear();
    lab.ann(|ann| (ann.synced, ann.enabled) = (true, false));
    let sealed = Arc::new(Sealed::default());
    let graph = open(&lab, &sealed);
    let step = step(ANN, "zann", Some("E-1"), action);
    let fault = apply(&graph, step.clone()).await.unwrap_err();
    assert_eq!(matches!(fault, Fault::Retry(_)), synced_accounts == SyncedAccounts::Wait);
    assert!(fault.to_string().contains("Entra Connect"), "{fault}");
    lab.ann(|ann| ann.enabled = true);
    assert_eq!(apply(&graph, step.clone()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&graph, step).await, Ok(Seen::AsWanted));
    assert!(sealed.all.lock().unwrap().is_empty());
    assert_eq!(lab.changes(), [] as [&str; 0]);
}

#[rstest]
#[case::filled_by_a_rule(DYNAMIC_GROUP, "rule", true)]
#[case::copied_from_elsewhere(SYNCED_GROUP, "copied", true)]
#[case::not_there(NO_GROUP, "no such group", true)]
#[case::not_ready(OTHER_GROUP, "yet", false)]
#[tokio::test]
async fn a_group_that_takes_nobody_is_named_with_its_reason(
    #[case] group: &str,
    #[case] says: &str,
    #[case] refused: bool,
) {
    let mut lab = giving().await;
    lab.settings.groups = vec![sku(group)];
    lab.ann(|ann| ann.groups.clear());
    let graph = lab.open();
    let step = step(ANN, "zann", Some("E-1"), |account| Action::GrantAccess {
        account,
        roles: Vec::new(),
    });
    let ending = apply(&graph, step).await;
    let fault = ending.unwrap_err();
    assert_eq!(matches!(fault, Fault::Refused(_)), refused, "{fault:?}");
    assert!(fault.to_string().contains(says), "{fault}");
}

#[tokio::test]
async fn a_password_that_can_not_be_sealed_is_not_set() {
    let lab = giving().await;
    let graph = open(&lab, &Arc::new(Sealed { broken: true, ..Sealed::default() }));
    changed(&graph, create()).await;
    assert!(matches!(apply(&graph, password()).await, Err(Fault::Retry(_))));
    assert!(matches!(apply(&lab.open(), password()).await, Err(Fault::Refused(_))));
    assert_eq!(lab.tenant.lock().unwrap().users[2].passwords, 0);
}

#[rstest]
#[case::somebody_elses_name("zcam@dmh.test", Some("E-9"))]
#[case::a_name_without_a_number("zcam@dmh.test", None)]
#[case::their_own_by_another_name("zold@dmh.test", Some("E-3"))]
#[tokio::test]
async fn a_user_that_may_be_somebody_elses_is_not_taken(
    #[case] name: &str,
    #[case] number: Option<&str>,
) {
    let lab = giving().await;
    lab.ann(|ann| (ann.name, ann.number) = (name.into(), number.map(str::to_owned)));
    let ending = apply(&lab.open(), create()).await;
    assert!(matches!(ending, Err(Fault::Refused(_))), "{ending:?}");
    assert_eq!(lab.changes(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_user_with_a_number_is_nobodys_who_has_none() {
    let lab = giving().await;
    lab.ann(|ann| (ann.name, ann.last) = ("zcam@dmh.test".into(), "Ode".into()));
    let mut step = create();
    let Action::CreateAccount { blueprint, .. } = &mut step.action else { panic!() };
    blueprint.employee_number = None;
    let ending = apply(&lab.open(), step).await;
    assert!(matches!(ending, Err(Fault::Refused(_))), "{ending:?}");
    assert_eq!(lab.changes(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_name_that_is_somebody_elses_is_not_given() {
    let lab = giving().await;
    let graph = lab.open();
    changed(&graph, create()).await;
    let ending = apply(&graph, rename("zbob")).await;
    assert!(matches!(ending, Err(Fault::Refused(_))), "{ending:?}");
}

#[tokio::test]
async fn nothing_is_given_where_the_settings_do_not_say_so() {
    let lab = Lab::start().await;
    let graph = lab.open();
    assert!(matches!(apply(&graph, create()).await, Err(Fault::Refused(_))));
    assert_eq!(lab.changes(), [] as [&str; 0]);
    assert!(!lab.settings.abilities().contains(&Ability::CreateAccount));
    assert!(!lab.settings.names_count());
    assert!(giving().await.settings.names_count());
    let abilities = giving().await.settings.abilities();
    for able in [
        Ability::CreateAccount,
        Ability::SetPassword,
        Ability::ExpirePassword,
        Ability::GrantAccess,
        Ability::RenameAccount,
    ] {
        assert!(abilities.contains(&able), "{able:?}");
    }
}
