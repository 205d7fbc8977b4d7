//! What is done in a tenant that is well.

use super::super::SyncedAccounts;
use super::tenant::*;
use crate::contract::Observe;
use crate::settings::{Ability, ConnectorKind};
use lapsed_core::facts::{EmployeeNumber, StableId, UserId};
use lapsed_core::observed::{Observed, PersonKeys, Protection, Realm, Scope};
use lapsed_core::step::{Fault, Outcome, Seen};

#[tokio::test]
async fn a_user_is_shut_with_sessions_licences_and_devices_and_nobody_else() {
    let mut lab = Lab::start().await;
    lab.settings.remove_licenses = vec![sku(VISIO)];
    lab.settings.retire_devices = true;
    let graph = lab.open();
    assert!(matches!(seen(&graph, revocation()).await, Ok(Seen::Otherwise(_))));

    let receipt = changed(&graph, revocation()).await;
    assert_eq!(receipt.before["accountEnabled"], ["true"]);
    assert_eq!(receipt.before["licenses"], [VISIO]);
    assert_eq!(receipt.before["retired_devices"], ["d1"], "d2 was on its way out");
    assert_eq!(receipt.before["userPrincipalName"], ["zann@dmh.test"]);
    assert_eq!(
        lab.changes(),
        [
            format!("PATCH /v1.0/users/{ANN}"),
            format!("POST /v1.0/users/{ANN}/revokeSignInSessions"),
            "POST /v1.0/deviceManagement/managedDevices/d1/retire".to_owned(),
            format!("POST /v1.0/users/{ANN}/assignLicense"),
        ]
    );
    lab.ann(|ann| {
        assert!(!ann.enabled && ann.sessions == 1);
        assert_eq!(ann.licenses, [OFFICE], "the mailbox keeps its licence");
    });
    assert!(lab.tenant.lock().unwrap().users[1].enabled);
    assert_eq!(seen(&graph, revocation()).await, Ok(Seen::AsWanted));

    assert_eq!(apply(&graph, revocation()).await, Ok(Outcome::AlreadySo), "applied twice");
    assert_eq!(apply(&graph, disabling("zann", Some("E-1"))).await, Ok(Outcome::AlreadySo));
    lab.ann(|ann| assert_eq!(ann.sessions, 3, "whoever shut it, sessions are ended"));
    assert_eq!(lab.tenant.lock().unwrap().tokens, 1, "one token for all of it");
}

#[tokio::test]
async fn people_are_found_by_name_number_and_identity_each_once() {
    let lab = Lab::start().await;
    let graph = lab.open();
    let keys = PersonKeys {
        employee_numbers: vec![EmployeeNumber::new("E-1").unwrap()],
        user_ids: vec![UserId::new("ZANN").unwrap(), UserId::new("o'neil").unwrap()],
        ids: vec![StableId::new(BOB).unwrap(), StableId::new("uid=x,dc=y").unwrap()],
        homes: Vec::new(),
    };
    let Observed { accounts, .. } = graph.observe(&Scope::People(vec![keys])).await.unwrap();
    let [ann, bob] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!((ann.id.as_str(), ann.user_id.as_str()), (ANN, "ZANN"));
    assert_eq!((ann.realm, ann.enabled), (Realm::System, true));
    assert_eq!(ann.employee_number, EmployeeNumber::new("E-1").ok());
    assert_eq!(ann.name.last, "Li");
    assert_eq!((bob.id.as_str(), bob.user_id.as_str()), (BOB, "zbob"));
}

#[tokio::test]
async fn a_listing_is_read_to_its_last_page() {
    let lab = Lab::start().await;
    lab.tenant.lock().unwrap().page = 1;
    let graph = lab.open();
    assert_eq!(graph.observe(&Scope::AllAccounts).await.unwrap().accounts.len(), 2);
    let names = graph.observe(&Scope::TakenNames).await.unwrap().taken_names;
    assert_eq!(names, ["old.zann", "old.zbob", "zann", "zbob"]);
}

#[tokio::test]
async fn an_account_with_another_number_is_not_touched() {
    let lab = Lab::start().await;
    let graph = lab.open();
    for step in [revocation_of(Some("E-7")), revocation_of(None), disabling("zann", Some("E-7"))] {
        let ending = apply(&graph, step).await;
        assert!(matches!(&ending, Ok(Outcome::Drifted(_))), "{ending:?}");
    }
    assert_eq!(lab.changes(), [] as [&str; 0]);
    // The plan for a mailbox is made for a directory's account: Graph may show no number.
    lab.ann(|ann| ann.number = None);
    changed(&graph, disabling("zann", Some("E-1"))).await;
}

#[tokio::test]
async fn break_glass_accounts_are_never_touched() {
    let lab = Lab::start().await;
    lab.ann(|ann| ann.name = "BreakGlass1@dmh.test".into());
    let graph = lab.open();
    let all = graph.observe(&Scope::AllAccounts).await.unwrap().accounts;
    assert!(matches!(all[0].protection, Some(Protection::Never { .. })));
    assert_eq!(all[1].protection, None);
    let ending = apply(&graph, revocation()).await;
    assert!(matches!(&ending, Err(Fault::Refused(_))), "{ending:?}");
    assert_eq!(lab.changes(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_account_copied_from_a_directory_is_shut_there() {
    let mut lab = Lab::start().await;
    lab.ann(|ann| ann.synced = true);
    let ending = apply(&lab.open(), revocation()).await;
    assert!(
        matches!(&ending, Err(Fault::Refused(c)) if c.message.contains("have the account shut there"))
    );
    lab.settings.synced_accounts = SyncedAccounts::Wait;
    let graph = lab.open();
    assert!(matches!(apply(&graph, revocation()).await, Err(Fault::Retry(_))));
    assert_eq!(lab.changes(), [] as [&str; 0]);
    // The directory's word has come through: what is the cloud's own is still done.
    lab.ann(|ann| ann.enabled = false);
    assert_eq!(apply(&graph, revocation()).await, Ok(Outcome::AlreadySo));
    lab.ann(|ann| assert_eq!(ann.sessions, 1));
}

#[tokio::test]
async fn a_licence_that_carries_the_mailbox_is_not_taken_before_its_date() {
    let mut lab = Lab::start().await;
    lab.settings.remove_licenses = vec![sku(VISIO), sku(OFFICE)];
    let ending = apply(&lab.open(), revocation()).await;
    let Err(Fault::Refused(cause)) = &ending else { panic!("{ending:?}") };
    assert!(cause.message.contains("mailbox_licenses"), "{cause}");
    lab.ann(|ann| {
        assert_eq!(ann.licenses, [VISIO, OFFICE]);
        assert!(!ann.enabled, "the account is shut all the same");
    });
}

#[tokio::test]
async fn a_licence_that_comes_with_a_group_is_for_a_person() {
    let mut lab = Lab::start().await;
    lab.settings.remove_licenses = vec![sku(VISIO)];
    lab.ann(|ann| ann.by_group = true);
    let ending = apply(&lab.open(), revocation()).await;
    assert!(matches!(&ending, Err(Fault::Refused(c)) if c.message.contains("group")), "{ending:?}");
    lab.ann(|ann| assert!(!ann.enabled));
}

#[tokio::test]
async fn a_mailbox_is_released_on_its_date_by_its_licence() {
    let mut lab = Lab::start().await;
    assert!(!lab.settings.abilities().contains(&Ability::DeleteMailbox));
    let ending = apply(&lab.open(), mailbox_deletion()).await;
    assert!(
        matches!(&ending, Err(Fault::Refused(c)) if c.message.contains("can't delete a mailbox"))
    );

    lab.settings.mailbox_licenses = vec![sku(OFFICE)];
    assert!(lab.settings.abilities().contains(&Ability::DeleteMailbox));
    let graph = lab.open();
    assert!(matches!(seen(&graph, mailbox_deletion()).await, Ok(Seen::Otherwise(_))));
    let receipt = changed(&graph, mailbox_deletion()).await;
    assert_eq!(receipt.before["licenses"], [OFFICE]);
    lab.ann(|ann| assert_eq!(ann.licenses, [VISIO]));
    assert_eq!(seen(&graph, mailbox_deletion()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&graph, mailbox_deletion()).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn a_user_is_deleted_only_where_the_settings_say_so() {
    let mut lab = Lab::start().await;
    let ending = apply(&lab.open(), deletion()).await;
    assert!(matches!(&ending, Err(Fault::Refused(_))), "{ending:?}");
    assert_eq!(lab.changes(), [] as [&str; 0]);

    lab.settings.delete_user = true;
    lab.ann(|ann| ann.synced = true);
    let ending = apply(&lab.open(), deletion()).await;
    assert!(matches!(&ending, Err(Fault::Refused(c)) if c.message.contains("Entra Connect")));
    lab.ann(|ann| ann.synced = false);
    let graph = lab.open();
    changed(&graph, mailbox_deletion()).await;
    assert_eq!(lab.changes(), [format!("DELETE /v1.0/users/{ANN}")]);
    for step in [mailbox_deletion(), deletion(), revocation()] {
        assert_eq!(apply(&graph, step.clone()).await, Ok(Outcome::AlreadySo), "gone already");
        assert_eq!(seen(&graph, step).await, Ok(Seen::AsWanted));
    }
}

#[tokio::test]
async fn a_check_says_what_works() {
    let mut lab = Lab::start().await;
    lab.settings.retire_devices = true;
    assert!(lab.settings.never_run_live());
    let probed = lab.open().probe().await;
    assert!(probed.len() == 2 && probed.iter().all(|p| p.problem.is_none()), "{probed:?}");
}
