//! Accounts that are made, opened with roles and renamed on a SCIM server by others.

use super::support::*;
use crate::steps::{granting, making, renaming, to_be_made};
use lapsed_connectors::contract::Apply;
use lapsed_connectors::scim::{self, RoleAttribute, ScimSettings, Update};
use lapsed_connectors::settings::{Ability, ConnectorKind};
use lapsed_core::facts::{StableId, SystemRole};
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::relay::{self, Relay};
use lapsed_tests::scim::Scim;
use rstest::rstest;
use serde_json::json;

fn giving(server: &Scim) -> ScimSettings {
    let mut settings = of(server);
    (settings.create, settings.grant, settings.rename) = (true, true, true);
    settings.roles = Some(RoleAttribute { attribute: "roles".into() });
    settings
}

#[rstest]
#[case::by_patch(Update::Auto, false)]
#[case::by_put(Update::Put, true)]
#[tokio::test]
async fn an_account_is_made_shut_opened_with_its_roles_and_renamed_each_once(
    #[case] update: Update,
    #[case] old: bool,
) {
    let server = if old { Scim::start_without_patch() } else { Scim::start() }.unwrap();
    let bob = server.add("bob", "00124", "Doe").unwrap();
    let mut settings = giving(&server);
    settings.update = update;
    let system = scim::connect(&settings).unwrap();
    let make = making("mzobrij", Some("00123"));

    assert!(matches!(seen(&system, make.clone()).await, Ok(Seen::Otherwise(_))));
    let made = apply(&system, make.clone()).await;
    let Ok(Outcome::Changed(receipt)) = &made else { panic!("{made:?}") };
    let id = receipt.before["id"][0].clone();
    let there = server.shown(&id).unwrap();
    assert_eq!((&there["active"], &there["externalId"]), (&json!(false), &json!("00123")));
    assert_eq!(there["name"]["familyName"], "O'Brien \"x\"");
    assert_eq!(there["emails"][0]["value"], "mzobrij@dmh.test");
    assert_eq!(seen(&system, make.clone()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&system, make).await, Ok(Outcome::AlreadySo));

    let grant = granting(to_be_made("mzobrij"), "mzobrij", &["clerk", "nurse"]);
    assert!(matches!(seen(&system, grant.clone()).await, Ok(Seen::Otherwise(_))));
    assert!(matches!(apply(&system, grant.clone()).await, Ok(Outcome::Changed(_))));
    assert_eq!(server.is_active(&id).unwrap(), Some(true));
    assert_eq!(seen(&system, grant.clone()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&system, grant).await, Ok(Outcome::AlreadySo));
    let accounts = found(&system, &["mzobrij"], &[]).await.unwrap();
    let roles: Vec<&str> = accounts[0].details.roles.iter().map(SystemRole::as_str).collect();
    assert_eq!(roles, ["clerk", "nurse"]);
    assert_eq!(accounts[0].details.display_name.as_deref(), Some("Joan O'Brien"));

    // Fewer roles are exactly those; none is none.
    let own = StableId::new(&*id).unwrap();
    for roles in [&["nurse"][..], &[]] {
        let grant = granting(own.clone(), "mzobrij", roles);
        assert!(matches!(apply(&system, grant.clone()).await, Ok(Outcome::Changed(_))));
        assert_eq!(seen(&system, grant).await, Ok(Seen::AsWanted));
        let count = server.shown(&id).unwrap()["roles"].as_array().map_or(0, Vec::len);
        assert_eq!(count, roles.len());
    }

    let rename = renaming(&id, "mzobrij", "mzjonej");
    assert!(matches!(seen(&system, rename.clone()).await, Ok(Seen::Otherwise(_))));
    let renamed = apply(&system, rename.clone()).await;
    assert!(matches!(renamed, Ok(Outcome::Changed(_))), "{renamed:?}");
    let there = server.shown(&id).unwrap();
    assert_eq!((&there["userName"], &there["active"]), (&json!("mzjonej"), &json!(true)));
    assert_eq!(there["name"]["familyName"], "Jones");
    assert_eq!(seen(&system, rename.clone()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&system, rename).await, Ok(Outcome::AlreadySo));
    let accounts = found(&system, &["mzjonej"], &[]).await.unwrap();
    assert_eq!(accounts[0].mail.as_deref(), Some("mzjonej@dmh.test"));
    assert_eq!(accounts[0].details.mail_aliases, ["mzobrij@dmh.test"]);
    assert_eq!(server.is_active(&bob).unwrap(), Some(true));
}

#[rstest]
#[case::another_number("mzobrij", "00999", "not known to be theirs")]
#[case::the_person_under_another_name("mzother", "00123", "which is called mzother")]
#[tokio::test]
async fn an_account_that_may_be_anothers_is_left_for_a_person(
    #[case] user: &str,
    #[case] number: &str,
    #[case] says: &str,
) {
    let server = Scim::start().unwrap();
    server.add(user, number, "O'Brien").unwrap();
    let system = scim::connect(&giving(&server)).unwrap();
    let ending = apply(&system, making("mzobrij", Some("00123"))).await;
    assert!(
        matches!(&ending, Err(Fault::Refused(why)) if why.message.contains(says)),
        "{ending:?}"
    );
    assert_eq!(server.called(user).unwrap().len(), 1);
    assert!(user == "mzobrij" || server.called("mzobrij").unwrap().is_empty());
}

#[tokio::test]
async fn a_reply_lost_at_the_making_never_makes_a_second_account() {
    let server = Scim::start().unwrap();
    let relay = Relay::start(relay::Target::Tcp(server.port())).unwrap();
    let mut settings = giving(&server);
    settings.url = format!("http://127.0.0.1:{}/v2", relay.port());
    settings.timeouts.request_seconds = 2;
    let system = scim::connect(&settings).unwrap();
    // So that the way is open, and only the answer to the making is lost.
    assert_eq!(found(&system, &["mzobrij"], &[]).await, Ok(Vec::new()));
    let make = making("mzobrij", Some("00123"));
    let witness = async {
        while server.called("mzobrij").unwrap().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    relay.swallow_answers_after("POST ");
    let (ending, ()) = tokio::join!(apply(&system, make.clone()), witness);
    assert!(matches!(&ending, Err(Fault::Unknown(_))), "{ending:?}");
    relay.flow();
    for _ in 0..2 {
        assert_eq!(apply(&system, make.clone()).await, Ok(Outcome::AlreadySo));
    }
    assert_eq!(seen(&system, make).await, Ok(Seen::AsWanted));
    assert_eq!(server.called("mzobrij").unwrap().len(), 1);
}

#[tokio::test]
async fn a_name_that_another_has_by_now_is_not_taken() {
    let server = Scim::start().unwrap();
    let ann = server.add("mzobrij", "00123", "O'Brien").unwrap();
    let bob = server.add("mzjonej", "00124", "Jones").unwrap();
    let system = scim::connect(&giving(&server)).unwrap();
    let ending = apply(&system, renaming(&ann, "mzobrij", "mzjonej")).await;
    assert!(matches!(&ending, Err(Fault::Refused(_))), "{ending:?}");
    assert_eq!(server.shown(&ann).unwrap()["userName"], "mzobrij");
    assert_eq!(server.shown(&bob).unwrap()["name"]["familyName"], "Jones");
    let another = apply(&system, renaming(&bob, "mzobrij", "mznew")).await;
    assert!(matches!(&another, Ok(Outcome::Drifted(_))), "{another:?}");
}

#[tokio::test]
async fn what_the_settings_do_not_offer_is_not_done() {
    let server = Scim::start().unwrap();
    let ann = server.add("mzobrij", "00123", "O'Brien").unwrap();
    let mut settings = of(&server);
    assert_eq!(settings.abilities(), [Ability::Access, Ability::DeleteAccount]);
    let system = scim::connect(&settings).unwrap();
    let own = StableId::new(&*ann).unwrap();
    let steps = [
        making("new", None),
        granting(own.clone(), "mzobrij", &[]),
        renaming(&ann, "mzobrij", "x"),
    ];
    for ending in system.apply(&steps).await {
        assert!(matches!(&ending, Err(Fault::Refused(_))), "{ending:?}");
    }
    settings.grant = true;
    let system = scim::connect(&settings).unwrap();
    let ending = apply(&system, granting(own, "mzobrij", &["nurse"])).await;
    assert!(matches!(&ending, Err(Fault::Refused(_))), "{ending:?}");
    assert!(server.called("new").unwrap().is_empty());
}

#[tokio::test]
async fn access_to_an_account_that_is_not_made_yet_waits_and_to_one_that_is_gone_is_looked_at() {
    let server = Scim::start().unwrap();
    let system = scim::connect(&giving(&server)).unwrap();
    let early = apply(&system, granting(to_be_made("mzobrij"), "mzobrij", &[])).await;
    assert!(matches!(&early, Err(Fault::Retry(_))), "{early:?}");
    let gone = apply(&system, granting(StableId::new("77").unwrap(), "mzobrij", &[])).await;
    assert!(matches!(&gone, Ok(Outcome::Drifted(_))), "{gone:?}");
}
