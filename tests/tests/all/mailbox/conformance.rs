//! What the connector does on a server that is well.

use super::support::*;
use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::mailbox::dovecot::UnknownUser;
use lapsed_core::observed::Scope;
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::process::{PATIENCE, wait_until};

#[tokio::test]
async fn a_mailbox_is_deleted_with_all_that_is_in_it_and_nobody_elses() {
    let server = Dovecot::start(&["ann", "bob"]).unwrap();
    server.deliver("ann", 5).unwrap();
    server.deliver("bob", 2).unwrap();
    for (mailbox, count) in [("Projects/2025", 3), ("Entwürfe", 1), ("a*b", 2), ("quoted\"'", 1)] {
        server.file("ann", mailbox, count).unwrap();
    }
    assert_eq!(server.count("ann").unwrap(), 12);
    let mail = open(&of(&server));

    let receipt = changed(&mail, deletion("ann")).await;
    assert_eq!(receipt.before["messages"], ["12"]);
    assert_eq!(receipt.before["mail_user"], ["ann"]);
    assert_eq!(receipt.server, Some(server.url()));
    assert!(!format!("{receipt:?}").contains("private"), "counts only: {receipt:?}");
    assert_eq!(server.count("ann").unwrap(), 0);
    assert_eq!(server.mailboxes("ann").unwrap(), ["INBOX"]);
    assert_eq!(server.count("bob").unwrap(), 2, "the neighbour's mail stays");
    assert_eq!(seen(&mail, deletion("ann")).await, Ok(Seen::AsWanted));

    assert_eq!(apply(&mail, deletion("ann")).await, Ok(Outcome::AlreadySo), "applied twice");
    assert_eq!(apply(&mail, deletion("stranger")).await, Ok(Outcome::AlreadySo), "no such user");
}

#[tokio::test]
async fn mail_that_a_colleague_shared_with_the_leaver_stays() {
    let server = Dovecot::start(&["ann", "bob"]).unwrap();
    server.deliver("ann", 2).unwrap();
    server.deliver("bob", 3).unwrap();
    let rights = ["lookup", "read", "write-deleted", "expunge", "delete"];
    server
        .doveadm(&[&["acl", "set", "-u", "bob", "INBOX", "user=ann"], rights.as_slice()].concat())
        .unwrap();
    let sees =
        server.doveadm(&["mailbox", "status", "-u", "ann", "messages", "shared/bob"]).unwrap();
    assert_eq!(sees.trim(), "shared/bob messages=3", "ann sees bob's mail among her mailboxes");
    assert!(server.mailboxes("ann").unwrap().contains(&"shared/bob".to_owned()));

    let mail = open(&of(&server));
    let receipt = changed(&mail, deletion("ann")).await;
    assert_eq!(receipt.before["messages"], ["2"]);
    assert_eq!(server.count("bob").unwrap(), 3);
    assert_eq!(seen(&mail, deletion("ann")).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn mail_that_comes_after_the_deletion_is_seen() {
    let server = Dovecot::start(&["ann"]).unwrap();
    server.deliver("ann", 1).unwrap();
    let mail = open(&of(&server));
    changed(&mail, deletion("ann")).await;
    server.deliver("ann", 2).unwrap();
    let Ok(Seen::Otherwise(found)) = seen(&mail, deletion("ann")).await else { panic!() };
    assert!(found.description.contains("2 messages"), "{}", found.description);
}

#[tokio::test]
async fn open_sessions_are_ended_and_an_end_is_made_only_once() {
    let server = Dovecot::start(&["ann", "bob"]).unwrap();
    let (mut ann, mut bob) = (server.log_on("ann").unwrap(), server.log_on("bob").unwrap());
    assert!(ann.is_open() && bob.is_open());
    let mail = open(&of(&server));
    let Ok(Seen::Otherwise(found)) = seen(&mail, end_of_sessions("ann")).await else { panic!() };
    assert!(found.description.contains("logged on"), "{}", found.description);

    let receipt = changed(&mail, end_of_sessions("ann")).await;
    assert_eq!(receipt.before["sessions"], ["open"]);
    // The log and the list of sessions follow the reply.
    let place = |log: &str, command: &str| log.find(&format!("Executing command '{command}'"));
    wait_until(PATIENCE, || Ok(place(&server.log(), "kick").is_some())).unwrap();
    let log = server.log();
    let at = |command: &str| place(&log, command);
    assert!(at("auth cache flush") < at("kick") && at("auth cache flush").is_some(), "{log}");
    wait_until(PATIENCE, || Ok(!ann.is_open())).unwrap();
    assert!(bob.is_open(), "nobody else's session ends");
    wait_until(PATIENCE, || Ok(server.sessions("ann")? == 0)).unwrap();
    assert_eq!(seen(&mail, end_of_sessions("ann")).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&mail, end_of_sessions("ann")).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn a_name_that_could_stand_for_everybody_is_refused_and_nothing_is_touched() {
    let server = Dovecot::start(&["ann", "bob"]).unwrap();
    server.deliver("ann", 1).unwrap();
    let mut bob = server.log_on("bob").unwrap();
    let mail = open(&of(&server));
    for step in [deletion("*"), deletion("a?n"), end_of_sessions("*")] {
        let ending = apply(&mail, step).await;
        assert!(matches!(&ending, Err(Fault::Refused(_))), "{ending:?}");
    }
    assert_eq!(server.count("ann").unwrap(), 1);
    assert!(bob.is_open());
}

#[tokio::test]
async fn a_user_whom_dovecot_hides_is_for_a_person_where_the_settings_say_so() {
    let server = Dovecot::start(&["ann"]).unwrap();
    let mut settings = of(&server);
    settings.unknown_user = UnknownUser::Refuse;
    let mail = open(&settings);
    let ending = apply(&mail, deletion("zoe")).await;
    let Err(Fault::Refused(cause)) = &ending else { panic!("{ending:?}") };
    assert_eq!(cause.code.as_deref(), Some("doveadm 67"));
    assert!(matches!(seen(&mail, deletion("zoe")).await, Ok(Seen::CannotTell(_))));
}

#[tokio::test]
async fn many_steps_end_in_their_order_and_a_step_for_another_connector_is_refused() {
    let server = Dovecot::start(&["ann", "bob", "cat"]).unwrap();
    server.deliver("ann", 1).unwrap();
    server.deliver("cat", 1).unwrap();
    let mail = open(&of(&server));
    let steps = [deletion("ann"), deletion("bob"), disabling("bob"), deletion("cat")];
    let endings = mail.apply(&steps).await;
    assert!(
        matches!(
            endings.as_slice(),
            [
                Ok(Outcome::Changed(_)),
                Ok(Outcome::AlreadySo),
                Err(Fault::Refused(_)),
                Ok(Outcome::Changed(_))
            ]
        ),
        "{endings:?}"
    );
}

#[tokio::test]
async fn certificates_are_checked_and_the_probe_says_what_works() {
    let server = Dovecot::start_encrypted(&["ann"]).unwrap();
    server.deliver("ann", 1).unwrap();
    let mut settings = of(&server);
    settings.ca_file = Some(server.other_ca_path().to_owned());
    let stranger = open(&settings);
    let ending = apply(&stranger, deletion("ann")).await;
    assert!(
        matches!(&ending, Err(Fault::Retry(c)) if c.message.contains("unknown authority")),
        "{ending:?}"
    );
    assert!(stranger.probe().await[0].problem.is_some());

    settings.ca_file = Some(server.ca_path().to_owned());
    let mail = open(&settings);
    let probed = mail.probe().await;
    assert!(probed.iter().all(|line| line.problem.is_none()), "{probed:?}");
    changed(&mail, deletion("ann")).await;
    assert_eq!(server.count("ann").unwrap(), 0);
    for scope in [Scope::AllAccounts, Scope::TakenNames, Scope::People(Vec::new())] {
        let observed = mail.observe(&scope).await.unwrap();
        assert!(observed.accounts.is_empty() && observed.taken_names.is_empty());
    }
}
