//! Mailboxes that are made, and mail that is brought over to a new name, on a real Dovecot.

use super::support::*;
use lapsed_connectors::mailbox::dovecot::{DovecotSettings, RenameSettings};
use lapsed_connectors::settings::{Ability, ConnectorKind};
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::relay::{Relay, Target};

fn moving(server: &Dovecot) -> DovecotSettings {
    let old_location = server.location("{{ user_id }}");
    DovecotSettings { rename: Some(RenameSettings { old_location }), ..of(server) }
}

/// A server on which `old` has seven mails in three mailboxes, flags and a subscription, and `new` one.
fn with_mail() -> Dovecot {
    let server = Dovecot::start(&["old", "new", "bob"]).unwrap();
    server.deliver("old", 3).unwrap();
    server.file("old", "Work", 2).unwrap();
    server.file("old", "Work/Köln *", 2).unwrap();
    server.doveadm(&["mailbox", "subscribe", "-u", "old", "Work"]).unwrap();
    let flags = ["flags", "add", "-u", "old", "\\Seen \\Flagged mine", "mailbox", "INBOX", "1"];
    server.doveadm(&flags).unwrap();
    server.deliver("new", 1).unwrap();
    server.deliver("bob", 1).unwrap();
    server
}

#[tokio::test]
async fn mail_is_brought_over_whole_and_once_and_then_taken_from_the_old_name() {
    let server = with_mail();
    let mail = open(&moving(&server));
    let mut wanted = server.messages("old").unwrap();
    wanted.extend(server.messages("new").unwrap());
    wanted.sort();
    let step = bringing_over("old", "new");
    assert!(matches!(seen(&mail, step.clone()).await, Ok(Seen::Otherwise(_))));
    let receipt = changed(&mail, step.clone()).await;
    assert_eq!((&*receipt.before["messages"][0], &*receipt.before["from"][0]), ("7", "old"));
    assert_eq!(server.messages("new").unwrap(), wanted, "folders and flags included");
    assert_eq!(server.mailboxes("new").unwrap(), ["INBOX", "Work", "Work/Köln *"]);
    let subscribed = server.doveadm(&["mailbox", "list", "-s", "-u", "new"]).unwrap();
    assert!(subscribed.contains("Work"), "{subscribed}");
    assert_eq!(
        (server.count("old").unwrap(), server.mailboxes("old").unwrap()),
        (0, vec!["INBOX".into()])
    );
    assert_eq!(server.count("bob").unwrap(), 1);
    assert_eq!(seen(&mail, step.clone()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&mail, step).await, Ok(Outcome::AlreadySo));
    assert_eq!(server.messages("new").unwrap(), wanted);
}

#[tokio::test]
async fn cut_in_the_middle_nothing_is_lost_or_doubled() {
    let server = with_mail();
    let mut wanted = server.messages("old").unwrap();
    wanted.extend(server.messages("new").unwrap());
    wanted.sort();
    let relay = Relay::start(Target::Tcp(server.http_port())).unwrap();
    let mut settings = moving(&server);
    settings.url = format!("http://127.0.0.1:{}", relay.port());
    settings.timeouts.command_seconds = 1;
    let step = bringing_over("old", "new");
    // Copied already, as a daemon that died before the rest leaves it.
    let location = server.location("old");
    server.doveadm(&["sync", "-1", "-R", "-u", "new", &location]).unwrap();
    assert_eq!(server.messages("new").unwrap(), wanted);
    // More mail comes in for the old name, and the answers stop somewhere.
    server.deliver("old", 1).unwrap();
    relay.stall();
    let lost = apply(&open(&settings), step.clone()).await;
    assert!(matches!(lost, Err(Fault::Retry(_) | Fault::Unknown(_))), "{lost:?}");
    relay.flow();
    let mail = open(&moving(&server));
    changed(&mail, step.clone()).await;
    assert_eq!(server.count("new").unwrap(), wanted.len() + 1);
    assert_eq!(server.count("old").unwrap(), 0);
    assert_eq!(seen(&mail, step).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn mail_of_a_name_that_the_server_no_longer_knows_is_copied_and_left() {
    let server = with_mail();
    let mut wanted = server.messages("old").unwrap();
    wanted.extend(server.messages("new").unwrap());
    wanted.sort();
    server.know(&["new", "bob"]).unwrap();
    let mail = open(&moving(&server));
    let receipt = changed(&mail, bringing_over("old", "new")).await;
    assert_eq!(receipt.before["messages"], ["7"]);
    assert!(receipt.before["left"][0].contains("still where it was"));
    assert_eq!(server.messages("new").unwrap(), wanted);
    assert_eq!(apply(&mail, bringing_over("old", "new")).await, Ok(Outcome::AlreadySo));
    assert!(matches!(seen(&mail, bringing_over("old", "new")).await, Ok(Seen::CannotTell(_))));
    server.know(&["old", "new", "bob"]).unwrap();
    assert_eq!(server.count("old").unwrap(), 7);
}

#[tokio::test]
async fn two_names_of_one_mailbox_lose_nothing() {
    let server = Dovecot::start(&["old", "new"]).unwrap();
    server.deliver("old", 2).unwrap();
    // The new name's mail is the old one's, by a link.
    let (at, link) = (server.location("old"), server.location("new"));
    let home = |location: &str| {
        location.trim_start_matches("maildir:").trim_end_matches("/Maildir").to_owned()
    };
    std::os::unix::fs::symlink(home(&at), home(&link)).unwrap();
    assert_eq!(server.count("new").unwrap(), 2);
    let refused = apply(&open(&moving(&server)), bringing_over("old", "new")).await;
    assert!(
        matches!(&refused, Err(Fault::Refused(why)) if why.message.contains("the same mail")),
        "{refused:?}"
    );
    assert_eq!(
        (server.count("new").unwrap(), server.mailboxes("new").unwrap()),
        (2, vec!["INBOX".into()])
    );
}

#[tokio::test]
async fn a_new_name_that_the_server_does_not_know_yet_is_waited_for() {
    let server = with_mail();
    let mail = open(&moving(&server));
    for step in [bringing_over("old", "zoe"), making("zoe")] {
        let ending = apply(&mail, step.clone()).await;
        assert!(
            matches!(&ending, Err(Fault::Retry(why)) if why.message.contains("yet")),
            "{ending:?}"
        );
        assert!(seen(&mail, step).await.is_err());
    }
    assert_eq!(server.count("old").unwrap(), 7);
}

#[tokio::test]
async fn a_mailbox_is_made_or_there_already() {
    let server = Dovecot::start(&["ann"]).unwrap();
    let mail = open(&of(&server));
    let made = apply(&mail, making("ann")).await;
    assert!(matches!(made, Ok(Outcome::Changed(_) | Outcome::AlreadySo)), "{made:?}");
    assert_eq!(apply(&mail, making("ann")).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&mail, making("ann")).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn without_the_old_location_nothing_is_offered_or_done() {
    let server = with_mail();
    let settings = of(&server);
    assert!(!settings.abilities().contains(&Ability::RenameMailbox));
    assert!(moving(&server).abilities().contains(&Ability::RenameMailbox));
    let refused = apply(&open(&settings), bringing_over("old", "new")).await;
    assert!(matches!(refused, Err(Fault::Refused(_))), "{refused:?}");
    let up = apply(&open(&moving(&server)), bringing_over("../bob", "new")).await;
    assert!(matches!(up, Err(Fault::Refused(_))), "{up:?}");
    let mut same = moving(&server);
    same.rename = Some(RenameSettings { old_location: "maildir:/var/mail/all".into() });
    assert_eq!(same.problems().len(), 1);
    assert_eq!((server.count("old").unwrap(), server.count("new").unwrap()), (7, 1));
}
