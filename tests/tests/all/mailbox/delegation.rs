//! A mailbox that somebody else needs (D8).

use super::responder::{Answer, Responder, exit, good, one_mail};
use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::mailbox::dovecot::DelegateRight;
use lapsed_connectors::settings::{Ability, ConnectorKind};
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::dovecot::Dovecot;
use rstest::rstest;

/// What the user may do, as Dovecot's own tool prints it.
fn rights(server: &Dovecot, user: &str, mailbox: &str, of: &str) -> String {
    let listed = server.doveadm(&["-f", "tab", "acl", "get", "-u", user, mailbox]).unwrap();
    let id = format!("user={of}\t");
    let line = listed.lines().find(|line| line.starts_with(&id)).unwrap_or_default();
    line.rsplit('\t').next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_delegate_reads_every_mailbox_of_the_leaver_until_the_delegation_ends() {
    let server = Dovecot::start(&["ann", "bob", "cat"]).unwrap();
    server.deliver("ann", 2).unwrap();
    server.deliver("cat", 1).unwrap();
    server.doveadm(&["acl", "set", "-u", "cat", "INBOX", "user=ann", "lookup", "read"]).unwrap();
    for mailbox in ["Projects/2025", "a*b", "Entwürfe"] {
        server.file("ann", mailbox, 1).unwrap();
    }
    let mail = open(&of(&server));
    let give = || delegation("ann", "bob");
    assert!(matches!(seen(&mail, give()).await, Ok(Seen::Otherwise(_))));

    let receipt = changed(&mail, give()).await;
    assert_eq!(receipt.before["mailboxes"], ["4"]);
    assert_eq!(receipt.before["delegate"], ["bob"]);
    assert!(receipt.before["earlier_rights"].is_empty());
    assert!(!format!("{receipt:?}").contains("Projects"), "no names: {receipt:?}");
    for mailbox in ["INBOX", "Projects/2025", "a*b", "Entwürfe"] {
        assert_eq!(rights(&server, "ann", mailbox, "bob"), "lookup read", "{mailbox}");
    }
    assert_eq!(rights(&server, "cat", "INBOX", "bob"), "", "what others shared with the leaver");
    let sees =
        server.doveadm(&["mailbox", "status", "-u", "bob", "messages", "shared/ann"]).unwrap();
    assert_eq!(sees.trim(), "shared/ann messages=2", "bob reads ann's mail");
    assert_eq!(seen(&mail, give()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&mail, give()).await, Ok(Outcome::AlreadySo), "applied twice");

    let end = || end_of_delegation("ann", "bob");
    assert!(matches!(seen(&mail, end()).await, Ok(Seen::Otherwise(_))));
    let receipt = changed(&mail, end()).await;
    assert_eq!(receipt.before["earlier_rights"].len(), 4);
    assert!(receipt.before["earlier_rights"].iter().all(|line| line.ends_with(": lookup read")));
    assert!(!server.mailboxes("bob").unwrap().iter().any(|name| name.contains("ann")));
    assert_eq!(seen(&mail, end()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&mail, end()).await, Ok(Outcome::AlreadySo), "applied twice");
    assert_eq!(server.count("ann").unwrap(), 5, "nothing is deleted");
}

#[tokio::test]
async fn the_delegate_has_the_rights_of_the_settings_and_no_others() {
    let server = Dovecot::start(&["ann", "bob", "cat"]).unwrap();
    server.deliver("ann", 1).unwrap();
    for (of, own) in [("bob", "expunge"), ("cat", "lookup")] {
        let id = format!("user={of}");
        server.doveadm(&["acl", "set", "-u", "ann", "INBOX", &id, own]).unwrap();
    }
    let mut settings = of(&server);
    settings.delegate_rights.push(DelegateRight::WriteSeen);
    let mail = open(&settings);
    let receipt = changed(&mail, delegation("ann", "bob")).await;
    assert_eq!(rights(&server, "ann", "INBOX", "bob"), "lookup read write-seen");
    assert_eq!(rights(&server, "ann", "INBOX", "cat"), "lookup", "nobody else's rights change");
    let earlier = &receipt.before["earlier_rights"];
    assert!(earlier.len() == 1 && earlier[0].ends_with(": expunge"), "{earlier:?}");
}

#[tokio::test]
async fn nobody_who_does_not_exist_and_not_the_leaver_is_given_a_mailbox() {
    let server = Dovecot::start(&["ann", "bob"]).unwrap();
    server.deliver("ann", 1).unwrap();
    let mail = open(&of(&server));
    let none = [("ann", "zoe"), ("ann", "ANN"), ("zoe", "bob"), ("ann", "b*"), ("ann", "*")];
    for (user, to) in none {
        let ending = apply(&mail, delegation(user, to)).await;
        assert!(matches!(&ending, Err(Fault::Refused(_))), "{user} to {to}: {ending:?}");
    }
    let listed = server.doveadm(&["acl", "get", "-u", "ann", "INBOX"]).unwrap();
    assert!(!listed.contains("user="), "{listed}");
    // Rights of another spelling would be nobody's.
    changed(&mail, delegation("ann", "BOB")).await;
    assert_eq!(rights(&server, "ann", "INBOX", "bob"), "lookup read");
}

#[tokio::test]
async fn a_delegation_to_one_who_is_gone_can_still_be_ended() {
    let server = Dovecot::start(&["ann", "bob"]).unwrap();
    server.deliver("ann", 1).unwrap();
    server.doveadm(&["acl", "set", "-u", "ann", "INBOX", "user=gone", "lookup", "read"]).unwrap();
    let mail = open(&of(&server));
    changed(&mail, end_of_delegation("ann", "gone")).await;
    assert_eq!(rights(&server, "ann", "INBOX", "gone"), "");
    assert_eq!(apply(&mail, end_of_delegation("zoe", "bob")).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn where_nobody_gets_a_mailbox_no_acl_is_needed() {
    let server = Dovecot::start(&["ann"]).unwrap();
    let mut settings = of(&server);
    assert!(settings.abilities().contains(&Ability::DelegateMailbox));
    let probed = open(&settings).probe().await;
    assert!(probed.len() == 3 && probed.iter().all(|line| line.problem.is_none()), "{probed:?}");
    settings.delegate_rights.clear();
    assert!(!settings.abilities().contains(&Ability::DelegateMailbox));
    assert_eq!(open(&settings).probe().await.len(), 2);
}

/// A server with one mail of ann's on which setting an ACL is answered so.
fn setting(answer: Answer) -> Responder {
    Responder::start(move |command| match command {
        "user" => Some(good(r#"{"bob":{"uid":"1"}}"#)),
        "aclGet" => Some(good("[]")),
        "aclSet" => answer.clone(),
        other => one_mail(other),
    })
}

#[rstest]
#[case::lost(None, true)]
#[case::garbage(Some((200, "<html>".to_owned())), true)]
#[case::temporary(Some(exit(75)), true)]
#[case::not_allowed(Some(exit(77)), false)]
#[case::no_plugin(
    Some((200, r#"[["error",{"type":"unknownMethod","exitCode":0},"lapsed"]]"#.to_owned())),
    false
)]
#[tokio::test]
async fn rights_that_were_perhaps_given_are_given_again(
    #[case] answer: Answer,
    #[case] again: bool,
) {
    let responder = setting(answer);
    let (_folder, settings) = of_responder(&responder);
    let ending = apply(&open(&settings), delegation("ann", "bob")).await;
    match ending {
        Err(Fault::Retry(_)) => assert!(again),
        Err(Fault::Refused(_)) => assert!(!again),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_yes_that_gives_no_rights_is_found_out() {
    let responder = setting(Some(good("[]")));
    let (_folder, settings) = of_responder(&responder);
    let mail = open(&settings);
    changed(&mail, delegation("ann", "bob")).await;
    let Ok(Seen::Otherwise(found)) = seen(&mail, delegation("ann", "bob")).await else { panic!() };
    assert!(found.description.contains("1 of 1 mailboxes"), "{}", found.description);
    let asked = responder.asked.lock().unwrap().clone();
    assert_eq!(asked[..5], ["user", "mailboxList", "mailboxStatus", "aclGet", "aclSet"]);
}
