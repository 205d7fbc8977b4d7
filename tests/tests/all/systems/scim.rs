//! The SCIM connector against a server by others, with plain requests as witness.

use super::support::*;
use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::scim::{self, LastUseAttributes, ScimSettings, Update};
use lapsed_core::observed::{Protection, Scope};
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::relay::{Relay, Target};
use lapsed_tests::scim::Scim;
use rstest::rstest;
use serde_json::json;

#[rstest]
#[case::by_patch(Update::Auto, false)]
#[case::by_put(Update::Put, false)]
#[case::by_put_because_the_server_knows_no_patch(Update::Auto, true)]
#[tokio::test]
async fn an_account_is_found_and_shut_and_no_other_is(#[case] update: Update, #[case] old: bool) {
    let server = if old { Scim::start_without_patch() } else { Scim::start() }.unwrap();
    let ann = server.add("ann", "00123", "Smith").unwrap();
    let bob = server.add("bob", "00124", "Doe").unwrap();
    let mut settings = of(&server);
    settings.update = update;
    let system = scim::connect(&settings).unwrap();

    let accounts = found(&system, &["ANN"], &["00123"]).await.unwrap();
    let [account] = accounts.as_slice() else { panic!("{accounts:?}") };
    assert_eq!((account.id.as_str(), account.enabled), (ann.as_str(), true));
    assert_eq!((account.name.last.as_str(), account.protection.as_ref()), ("Smith", None));
    assert_eq!(account.employee_number.as_ref().unwrap().as_str(), "00123");

    assert!(matches!(seen(&system, revocation(&ann, "ann")).await, Ok(Seen::Otherwise(_))));
    let Ok(Outcome::Changed(receipt)) = apply(&system, revocation(&ann, "ann")).await else {
        panic!()
    };
    assert_eq!(receipt.before["active"], ["true"]);
    assert_eq!(server.is_active(&ann).unwrap(), Some(false));
    assert_eq!(server.is_active(&bob).unwrap(), Some(true));
    assert_eq!(seen(&system, revocation(&ann, "ann")).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&system, revocation(&ann, "ann")).await, Ok(Outcome::AlreadySo));
    assert!(!found(&system, &["ann"], &[]).await.unwrap()[0].enabled);
    let kept = found(&system, &["ann"], &[]).await.unwrap();
    assert_eq!(
        (kept[0].name.last.as_str(), kept[0].mail.as_deref()),
        ("Smith", Some("ann@dmh.test"))
    );
}

#[tokio::test]
async fn an_account_is_deleted_and_one_that_is_gone_needs_nothing() {
    let server = Scim::start().unwrap();
    let ann = server.add("ann", "00123", "Smith").unwrap();
    let system = scim::connect(&of(&server)).unwrap();
    assert!(matches!(apply(&system, deletion(&ann, "ann")).await, Ok(Outcome::Changed(_))));
    assert_eq!(server.is_active(&ann).unwrap(), None);
    for step in [deletion(&ann, "ann"), revocation(&ann, "ann")] {
        assert_eq!(seen(&system, step.clone()).await, Ok(Seen::AsWanted));
        assert_eq!(apply(&system, step).await, Ok(Outcome::AlreadySo));
    }
    assert_eq!(found(&system, &["ann"], &["00123"]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn an_account_that_is_called_otherwise_by_now_is_left_alone() {
    let server = Scim::start().unwrap();
    let ann = server.add("ann", "00123", "Smith").unwrap();
    server.set(&ann, "userName", &json!("zoe")).unwrap();
    let system = scim::connect(&of(&server)).unwrap();
    let ending = apply(&system, revocation(&ann, "ann")).await;
    assert!(matches!(&ending, Ok(Outcome::Drifted(_))), "{ending:?}");
    assert_eq!(server.is_active(&ann).unwrap(), Some(true));
}

#[tokio::test]
async fn two_accounts_with_one_number_are_for_a_person_to_tell_apart() {
    let server = Scim::start().unwrap();
    server.add("ann", "00123", "Smith").unwrap();
    server.add("anna", "00123", "Smith").unwrap();
    let system = scim::connect(&of(&server)).unwrap();
    let accounts = found(&system, &[], &["00123"]).await.unwrap();
    let never = |p: &Option<Protection>| matches!(p, Some(Protection::Never { .. }));
    assert_eq!(accounts.len(), 2);
    assert!(accounts.iter().all(|account| never(&account.protection)), "{accounts:?}");
}

#[tokio::test]
async fn hostile_keys_find_nobody() {
    let server = Scim::start().unwrap();
    server.add("ann", "00123", "Smith").unwrap();
    let system = scim::connect(&of(&server)).unwrap();
    let hostile = ["ann\" or userName pr", "\\", "a&filter=x", "../ann", "ann%22", "ann\u{301}"];
    assert_eq!(found(&system, &hostile, &["\" or active eq true"]).await, Ok(Vec::new()));
}

#[tokio::test]
async fn what_the_server_shows_of_the_last_use_is_read_with_its_lag() {
    let server = Scim::start().unwrap();
    let ann = server.add("ann", "00123", "Smith").unwrap();
    let mut settings = of(&server);
    // The one time of an account that changes by itself on this server.
    settings.last_use =
        Some(LastUseAttributes { attribute: "meta.lastModified".into(), lag_days: 2 });
    let shown = server.shown(&ann).unwrap()["meta"]["lastModified"].as_str().unwrap().to_owned();
    let used = async |settings: &ScimSettings| {
        let accounts = found(&scim::connect(settings).unwrap(), &["ann"], &[]).await.unwrap();
        accounts[0].details.last_use
    };
    let last = used(&settings).await.unwrap();
    assert_eq!((last.at, last.lag_days), (shown.parse().ok(), 2));
    assert!(last.at.is_some() && last.made_at.is_some());
    // An attribute that the account has not: it was never used. A text that is no time: nobody knows.
    for (attribute, never) in [("meta.lastLogOn", true), ("userName", false)] {
        settings.last_use = Some(LastUseAttributes { attribute: attribute.into(), lag_days: 2 });
        let last = used(&settings).await;
        assert_eq!(last.is_some_and(|last| last.at.is_none()), never, "{attribute}: {last:?}");
    }
}

#[tokio::test]
async fn all_accounts_are_listed_over_several_pages() {
    let server = Scim::start().unwrap();
    for number in 0..23 {
        server.add(&format!("user{number}"), &format!("{number:05}"), "Smith").unwrap();
    }
    let system = scim::connect(&of(&server)).unwrap();
    let observed = system.observe(&Scope::AllAccounts).await.unwrap();
    assert_eq!(observed.accounts.len(), 23);
    let taken = system.observe(&Scope::TakenNames).await.unwrap().taken_names;
    assert!(taken.contains(&"user22".to_owned()) && taken.len() == 23, "{taken:?}");
}

#[tokio::test]
async fn many_steps_end_in_their_order_and_one_for_another_connector_is_refused() {
    let server = Scim::start().unwrap();
    let ann = server.add("ann", "1", "Smith").unwrap();
    let bob = server.add("bob", "2", "Doe").unwrap();
    let system = scim::connect(&of(&server)).unwrap();
    let steps = [
        revocation(&ann, "ann"),
        revocation("nobody", "nobody"),
        disabling(&bob, "bob"),
        revocation(&bob, "bob"),
    ];
    let endings = system.apply(&steps).await;
    let expected = matches!(
        endings.as_slice(),
        [
            Ok(Outcome::Changed(_)),
            Ok(Outcome::AlreadySo),
            Err(Fault::Refused(_)),
            Ok(Outcome::Changed(_))
        ]
    );
    assert!(expected, "{endings:?}");
}

#[tokio::test]
async fn with_a_wrong_token_the_step_waits_and_no_word_of_it_is_told() {
    let server = Scim::start().unwrap();
    let ann = server.add("ann", "00123", "Smith").unwrap();
    let mut settings = of(&server);
    settings.login.secret_file = Some(server.wrong_token_file());
    let system = scim::connect(&settings).unwrap();
    let ending = apply(&system, revocation(&ann, "ann")).await;
    let Err(Fault::Retry(cause)) = &ending else { panic!("{ending:?}") };
    assert_eq!(cause.code.as_deref(), Some("HTTP 401"));
    let tried = system.probe().await;
    // What the server can do, it tells everybody; the filters need the log-on.
    let problems: Vec<_> = tried.iter().filter_map(|probed| probed.problem.as_deref()).collect();
    assert!(problems.len() == 2 && problems[0].contains("login"), "{tried:?}");
    assert!(!format!("{ending:?}{system:?}{tried:?}").contains("another"), "{ending:?}");
    assert_eq!(server.is_active(&ann).unwrap(), Some(true));
}

#[tokio::test]
async fn a_server_that_is_down_slow_or_cut_off_is_waited_for() {
    let mut server = Scim::start().unwrap();
    let ann = server.add("ann", "00123", "Smith").unwrap();
    let relay = Relay::start(Target::Tcp(server.port())).unwrap();
    let mut settings = of(&server);
    settings.url = format!("http://127.0.0.1:{}/v2", relay.port());
    settings.timeouts.request_seconds = 1;
    let system = scim::connect(&settings).unwrap();
    relay.stall();
    let slow = apply(&system, revocation(&ann, "ann")).await;
    assert!(matches!(&slow, Err(Fault::Retry(_))), "only looked so far: {slow:?}");
    relay.flow();
    assert_eq!(server.is_active(&ann).unwrap(), Some(true));
    server.stop().unwrap();
    for system in [&system, &scim::connect(&of(&server)).unwrap()] {
        let down = apply(system, revocation(&ann, "ann")).await;
        assert!(matches!(&down, Err(Fault::Retry(_))), "{down:?}");
    }
}

/// The SCIM server speaks no TLS; another one that speaks HTTP over it shows a certificate as well.
#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_told_and_nothing_is_sent() {
    let server = Dovecot::start_encrypted(&["ann"]).unwrap();
    let scim = Scim::start().unwrap();
    let mut settings = of(&scim);
    settings.url = format!("https://127.0.0.1:{}", server.http_port());
    settings.ca_file = Some(server.other_ca_path().to_owned());
    let ending = apply(&scim::connect(&settings).unwrap(), revocation("7", "ann")).await;
    let Err(Fault::Retry(cause)) = &ending else { panic!("{ending:?}") };
    assert!(cause.message.contains("certificate into ca_file"), "{cause}");
    settings.ca_file = Some(server.ca_path().to_owned());
    let ending = apply(&scim::connect(&settings).unwrap(), revocation("7", "ann")).await;
    let Err(Fault::Retry(cause)) = &ending else { panic!("{ending:?}") };
    assert!(cause.message.contains("nothing at this address"), "the way is free now: {cause}");
}

#[tokio::test]
async fn a_check_tries_the_server_and_its_filters() {
    let server = Scim::start().unwrap();
    let tried = scim::connect(&of(&server)).unwrap().probe().await;
    assert!(tried.iter().all(|probed| probed.problem.is_none()), "{tried:?}");
    assert!(tried.iter().any(|probed| probed.what.contains("externalId")), "{tried:?}");
}
