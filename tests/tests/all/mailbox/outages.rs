//! Servers that refuse, lie, hang, or vanish in the middle of a word.

use super::responder::{Answer, Responder, exit, good, one_mail};
use super::support::*;
use lapsed_connectors::contract::Apply as _;
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::relay::{Relay, Target};
use rstest::rstest;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

#[tokio::test]
async fn with_a_wrong_key_the_step_waits_and_no_word_of_the_key_is_told() {
    let server = Dovecot::start(&["ann"]).unwrap();
    server.deliver("ann", 1).unwrap();
    let mail = open(&settings(server.url(), server.wrong_key_file()));
    let ending = apply(&mail, deletion("ann")).await;
    let Err(Fault::Retry(cause)) = &ending else { panic!("{ending:?}") };
    assert_eq!(cause.code.as_deref(), Some("HTTP 401"));
    assert!(!format!("{ending:?}{mail:?}").contains("another"), "{ending:?}");
    assert_eq!(server.count("ann").unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_is_down_is_waited_for_and_nothing_was_done() {
    let mut server = Dovecot::start(&["ann"]).unwrap();
    let mail = open(&of(&server));
    server.stop().unwrap();
    for step in [deletion("ann"), end_of_sessions("ann")] {
        let ending = apply(&mail, step).await;
        assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let server = Dovecot::start(&["ann"]).unwrap();
    let relay = Relay::start(Target::Tcp(server.http_port())).unwrap();
    relay.stall();
    let mut settings = of(&server);
    settings.url = format!("http://127.0.0.1:{}", relay.port());
    settings.timeouts.command_seconds = 1;
    let started = Instant::now();
    let ending = apply(&open(&settings), deletion("ann")).await;
    assert!(matches!(&ending, Err(Fault::Retry(_))), "only looked so far: {ending:?}");
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn after_a_lost_reply_the_outcome_is_unknown_and_the_next_look_finds_it_done() {
    let server = Dovecot::start(&["ann"]).unwrap();
    server.deliver("ann", 3).unwrap();
    let responder = expunging(None);
    let (_folder, cut) = of_responder(&responder);
    let ending = apply(&open(&cut), deletion("ann")).await;
    assert!(matches!(&ending, Err(Fault::Unknown(_))), "{ending:?}");

    // The real server meanwhile has done it: the look says so, and a second try changes nothing.
    let relay = Relay::start(Target::Tcp(server.http_port())).unwrap();
    let mut through = of(&server);
    through.url = format!("http://127.0.0.1:{}", relay.port());
    let mail = open(&through);
    changed(&mail, deletion("ann")).await;
    relay.cut();
    assert_eq!(seen(&mail, deletion("ann")).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&mail, deletion("ann")).await, Ok(Outcome::AlreadySo));
}

/// A server on which `expunge` is answered so, with everything before it as it should be.
fn expunging(answer: Answer) -> Responder {
    Responder::start(move |command| match command {
        "expunge" => answer.clone(),
        other => one_mail(other),
    })
}

#[rstest]
#[case::garbage(Some((200, "<html>welcome</html>")))]
#[case::empty(Some((200, "")))]
#[case::cut_json(Some((200, r#"[["doveadmResp"#)))]
#[case::server_error(Some((500, "")))]
#[case::closed(None)]
#[tokio::test]
async fn a_change_without_an_answer_is_unknown(#[case] answer: Option<(u16, &str)>) {
    let responder = expunging(answer.map(|(status, body)| (status, body.to_owned())));
    let (_folder, settings) = of_responder(&responder);
    let ending = apply(&open(&settings), deletion("ann")).await;
    assert!(matches!(&ending, Err(Fault::Unknown(_))), "{ending:?}");
}

#[rstest]
#[case::temporary(exit(75), true)]
#[case::busy((429, String::new()), true)]
#[case::unavailable((503, String::new()), true)]
#[case::not_allowed(exit(77), false)]
#[case::no_such_command(
    (200, r#"[["error",{"type":"unknownMethod","exitCode":0},"lapsed"]]"#.into()),
    false
)]
#[tokio::test]
async fn an_error_under_http_200_is_one(#[case] answer: (u16, String), #[case] again: bool) {
    let responder = expunging(Some(answer));
    let (_folder, settings) = of_responder(&responder);
    let ending = apply(&open(&settings), deletion("ann")).await;
    match ending {
        Err(Fault::Retry(_)) => assert!(again),
        Err(Fault::Refused(_)) => assert!(!again),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_says_yes_and_does_nothing_is_found_out() {
    let responder = Responder::start(|command| match command {
        "expunge" | "purge" => Some(good("[]")),
        other => one_mail(other),
    });
    let (_folder, settings) = of_responder(&responder);
    let mail = open(&settings);
    let ending = apply(&mail, deletion("ann")).await;
    assert!(
        matches!(&ending, Err(Fault::Retry(c)) if c.message.contains("1 messages")),
        "{ending:?}"
    );
    assert!(matches!(seen(&mail, deletion("ann")).await, Ok(Seen::Otherwise(_))));
    let asked = responder.asked.lock().unwrap().clone();
    assert_eq!(asked[..3], ["mailboxList", "mailboxStatus", "expunge"], "looked at first");
}

/// A server with one mail that takes every command, but answers the first `purge` so.
fn purging(messages: bool, first: Answer) -> Responder {
    let (messages, first) = (AtomicBool::new(messages), Mutex::new(Some(first)));
    Responder::start(move |command| match command {
        "purge" => first.lock().unwrap().take().unwrap_or_else(|| Some(good("[]"))),
        "expunge" => {
            messages.store(false, Ordering::Relaxed);
            Some(good("[]"))
        }
        "mailboxStatus" if !messages.load(Ordering::Relaxed) => {
            Some(good(r#"[{"mailbox":"INBOX","messages":"0","guid":"0123456789abcdef"}]"#))
        }
        other => one_mail(other),
    })
}

fn purges(responder: &Responder) -> usize {
    responder.asked.lock().unwrap().iter().filter(|command| *command == "purge").count()
}

#[rstest]
#[case::failed(Some(exit(75)))]
#[case::lost(None)]
#[tokio::test]
async fn mail_that_was_not_freed_is_freed_by_the_next_try_and_is_not_called_gone_before(
    #[case] first: Answer,
) {
    let responder = purging(true, first);
    let (_folder, settings) = of_responder(&responder);
    let mail = open(&settings);
    let ending = apply(&mail, deletion("ann")).await;
    assert!(matches!(&ending, Err(Fault::Retry(_) | Fault::Unknown(_))), "{ending:?}");
    let look = seen(&mail, deletion("ann")).await;
    assert!(matches!(&look, Ok(Seen::CannotTell(_))), "{look:?}");
    assert_eq!(apply(&mail, deletion("ann")).await, Ok(Outcome::AlreadySo));
    assert_eq!(purges(&responder), 2);
    assert_eq!(seen(&mail, deletion("ann")).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn after_a_death_before_the_purge_an_empty_mailbox_is_purged() {
    let responder = purging(false, Some(good("[]")));
    let (_folder, settings) = of_responder(&responder);
    let mail = open(&settings);
    mail.perhaps_begun(deletion("ann").id);
    let look = seen(&mail, deletion("ann")).await;
    assert!(matches!(&look, Ok(Seen::CannotTell(_))), "{look:?}");
    assert_eq!(apply(&mail, deletion("ann")).await, Ok(Outcome::AlreadySo));
    assert_eq!(purges(&responder), 1);
    assert_eq!(seen(&mail, deletion("ann")).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn a_count_that_cannot_be_read_deletes_nothing() {
    let responder = Responder::start(|command| match command {
        "mailboxList" => Some(good(r#"[{"mailbox":"INBOX"}]"#)),
        _ => Some(good("[]")),
    });
    let (_folder, settings) = of_responder(&responder);
    let ending = apply(&open(&settings), deletion("ann")).await;
    assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    assert_eq!(*responder.asked.lock().unwrap(), ["mailboxList", "mailboxStatus"]);
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let responder = Responder::start(|command| match command {
        "mailboxList" => Some((429, String::new())),
        other => one_mail(other),
    });
    responder.retry_after("120");
    let (_folder, settings) = of_responder(&responder);
    let mail = open(&settings);
    for _ in 0..2 {
        let ending = apply(&mail, deletion("ann")).await;
        assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    }
    assert_eq!(*responder.asked.lock().unwrap(), ["mailboxList"], "the second try waited");
}
