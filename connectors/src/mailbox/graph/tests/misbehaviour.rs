//! A Graph that refuses, lies, hangs, or vanishes in the middle of a word.

use super::tenant::*;
use crate::contract::{Apply, Observe};
use crate::http::double::{Asked, Play};
use futures_util::FutureExt;
use lapsed_core::facts::UserId;
use lapsed_core::observed::{PersonKeys, Scope};
use lapsed_core::step::{EARLIER_ATTEMPT, Fault, Outcome, Receipt, Seen};
use rstest::rstest;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

fn on(method: &'static str, play: Play) -> Bad {
    Some(Box::new(move |asked: &Asked| (asked.method == method).then(|| play.clone())))
}

fn denied(status: u16, code: &str) -> Play {
    Play::answer(status, json!({ "error": { "code": code, "message": "zann@dmh.test" } }))
}

#[rstest]
#[case::hung_up(Play::HangUp)]
#[case::cut_off(Play::CutOff)]
#[case::silent(Play::Silence)]
#[case::server_error(Play::answer(500, "oops"))]
#[case::gateway(Play::answer(504, ""))]
#[tokio::test]
async fn a_change_without_an_answer_is_unknown_and_the_next_look_decides(#[case] play: Play) {
    let lab = Lab::with(on("PATCH", play)).await;
    let graph = lab.open();
    let ending = apply(&graph, revocation()).await;
    assert!(matches!(&ending, Err(Fault::Unknown(_))), "{ending:?}");
    assert!(matches!(seen(&graph, revocation()).await, Ok(Seen::Otherwise(_))));
    lab.ann(|ann| ann.enabled = false);
    assert_eq!(apply(&graph, revocation()).await, Ok(Outcome::AlreadySo));
}

#[rstest]
#[case::hung_up(Play::HangUp)]
#[case::silent(Play::Silence)]
#[case::garbage(Play::answer(200, "<html>welcome</html>"))]
#[case::nothing_in_it(Play::answer(200, "{}"))]
#[case::hidden(Play::answer(200, json!({ "id": ANN, "userPrincipalName": "zann@dmh.test" })))]
#[case::server_error(Play::answer(500, ""))]
#[case::not_graph(Play::answer(404, "nothing here"))]
#[case::elsewhere(Play::answer(302, "").with("location", "http://127.0.0.1:1/"))]
#[tokio::test]
async fn what_can_not_be_looked_at_is_not_changed(#[case] play: Play) {
    let lab = Lab::with(on("GET", play)).await;
    let ending = apply(&lab.open(), revocation()).await;
    assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    assert_eq!(lab.changes(), [] as [&str; 0]);
}

#[rstest]
#[case::no_right("PATCH", "User.EnableDisableAccount.All")]
#[case::no_sessions("POST", "User.RevokeSessions.All")]
#[case::no_reading("GET", "User.Read.All")]
#[tokio::test]
async fn a_missing_permission_is_named_and_waited_for(
    #[case] method: &'static str,
    #[case] right: &str,
) {
    let bad: Bad = Some(Box::new(move |asked: &Asked| {
        let graph = !asked.path.contains("oauth2");
        (graph && asked.method == method).then(|| denied(403, "Authorization_RequestDenied"))
    }));
    let ending = apply(&Lab::with(bad).await.open(), revocation()).await;
    let Err(Fault::Retry(cause)) = &ending else { panic!("{ending:?}") };
    assert!(cause.message.contains(right), "{cause}");
    assert_eq!(cause.code.as_deref(), Some("HTTP 403 Authorization_RequestDenied"));
}

#[tokio::test]
async fn with_a_wrong_secret_the_step_waits_and_no_word_of_it_is_told() {
    let lab = Lab::start().await;
    std::fs::write(lab.settings.secret_file.as_ref().unwrap(), "another-secret").unwrap();
    let graph = lab.open();
    let ending = apply(&graph, revocation()).await;
    assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    assert!(!format!("{ending:?}{graph:?}").contains("another-secret"), "{ending:?}");
    let probed = graph.probe().await;
    assert!(probed[0].problem.is_some());
}

#[tokio::test]
async fn a_token_that_is_no_longer_taken_is_replaced_by_the_next_try() {
    let lab = Lab::start().await;
    let graph = lab.open();
    seen(&graph, revocation()).await.unwrap();
    lab.tenant.lock().unwrap().tokens += 1;
    let ending = apply(&graph, revocation()).await;
    let Err(Fault::Retry(cause)) = &ending else { panic!("{ending:?}") };
    assert_eq!(cause.code.as_deref(), Some("HTTP 401 InvalidAuthenticationToken"));
    changed(&graph, revocation()).await;
}

#[tokio::test]
async fn a_busy_graph_is_left_alone_for_as_long_as_it_asks() {
    let asked = std::sync::Arc::new(AtomicU32::new(0));
    let count = std::sync::Arc::clone(&asked);
    let bad: Bad = Some(Box::new(move |asked: &Asked| {
        (asked.method == "PATCH").then(|| {
            count.fetch_add(1, Ordering::Relaxed);
            denied(429, "TooManyRequests").with("Retry-After", "120")
        })
    }));
    let lab = Lab::with(bad).await;
    let graph = lab.open();
    for _ in 0..2 {
        let ending = apply(&graph, revocation()).await;
        assert!(matches!(&ending, Err(Fault::Retry(_))), "{ending:?}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "the second try waited");
}

#[tokio::test]
async fn a_yes_that_changes_nothing_is_found_out() {
    let mut lab = Lab::start().await;
    lab.settings.remove_licenses = vec![sku(VISIO)];
    lab.settings.retire_devices = true;
    lab.tenant.lock().unwrap().lies = true;
    let graph = lab.open();
    changed(&graph, revocation()).await;
    let told = |seen: Result<Seen, Fault>| match seen {
        Ok(Seen::Otherwise(found)) => found.description,
        other => panic!("{other:?}"),
    };
    assert!(told(seen(&graph, revocation()).await).contains("can still log on"));
    lab.ann(|ann| ann.enabled = false);
    assert!(told(seen(&graph, revocation()).await).contains("licences"));
    lab.ann(|ann| ann.licenses = vec![OFFICE]);
    assert!(told(seen(&graph, revocation()).await).contains("devices"));
    lab.ann(|ann| ann.devices = Vec::new());
    assert!(told(seen(&graph, revocation()).await).contains("sessions"));
    lab.ann(|ann| ann.sessions = 1);
    assert_eq!(seen(&graph, revocation()).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn after_a_restart_the_receipt_tells_whether_sessions_were_ended() {
    let lab = Lab::start().await;
    let receipt = changed(&lab.open(), revocation()).await;
    let restarted = lab.open();
    restarted.remind(revocation().id, &receipt);
    lab.ann(|ann| ann.sessions = 0);
    assert!(matches!(seen(&restarted, revocation()).await, Ok(Seen::Otherwise(_))));
}

#[tokio::test]
async fn sessions_that_a_lost_reply_to_the_shutting_left_open_are_not_called_ended() {
    let lab = Lab::start().await;
    lab.tenant.lock().unwrap().loses_reply = true;
    let graph = lab.open();
    let ending = apply(&graph, revocation()).await;
    assert!(matches!(&ending, Err(Fault::Unknown(_))), "{ending:?}");
    lab.ann(|ann| assert!(!ann.enabled && ann.sessions == 0));
    let Ok(Seen::Otherwise(found)) = seen(&graph, revocation()).await else { panic!() };
    assert!(found.description.contains("sessions"), "{}", found.description);

    // A daemon that comes after it knows from the journal alone that it was begun.
    let later = lab.open();
    later.perhaps_begun(revocation().id);
    assert!(matches!(seen(&later, revocation()).await, Ok(Seen::CannotTell(_))));
    assert_eq!(apply(&later, revocation()).await, Ok(Outcome::AlreadySo));
    lab.ann(|ann| assert_eq!(ann.sessions, 1));
    assert_eq!(seen(&later, revocation()).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn a_shutting_that_was_given_up_before_its_first_answer_is_not_called_done() {
    let lab = Lab::start().await;
    let graph = lab.open();
    assert!(graph.apply(&[revocation()]).now_or_never().is_none());
    lab.ann(|ann| ann.enabled = false); // by others
    assert!(matches!(seen(&graph, revocation()).await, Ok(Seen::CannotTell(_))));
    assert_eq!(apply(&graph, revocation()).await, Ok(Outcome::AlreadySo));
    assert_eq!(seen(&graph, revocation()).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn what_ended_by_anothers_hand_is_not_looked_at_as_if_it_were_still_under_way() {
    let lab = Lab::start().await;
    let graph = lab.open();
    assert!(graph.apply(&[revocation()]).now_or_never().is_none());
    lab.ann(|ann| ann.enabled = false);
    assert_eq!(apply(&lab.open(), revocation()).await, Ok(Outcome::AlreadySo));
    let before = [(EARLIER_ATTEMPT.to_owned(), Vec::new())].into();
    graph.remind(revocation().id, &Receipt { before, server: None });
    assert_eq!(seen(&graph, revocation()).await, Ok(Seen::AsWanted));
}

#[rstest]
#[case::another_server("http://127.0.0.1:1/v1.0/users?$skiptoken=1")]
#[case::host_that_goes_on(".evil.example.org/v1.0/users")]
#[case::no_address("7")]
#[tokio::test]
async fn a_listing_that_goes_on_elsewhere_is_a_fault_and_no_shorter_answer(#[case] link: String) {
    let bad: Bad = Some(Box::new(move |asked: &Asked| {
        let listing = asked.method == "GET" && asked.path.starts_with("/v1.0/users?");
        let host = asked.header("host").unwrap();
        let link =
            if link.starts_with('.') { format!("http://{host}{link}") } else { link.clone() };
        listing.then(|| Play::answer(200, json!({ "value": [], "@odata.nextLink": link })))
    }));
    let lab = Lab::with(bad).await;
    let keys = PersonKeys { user_ids: vec![UserId::new("zann").unwrap()], ..Default::default() };
    for scope in [Scope::AllAccounts, Scope::TakenNames, Scope::People(vec![keys])] {
        let observed = lab.open().observe(&scope).await;
        assert!(matches!(&observed, Err(Fault::Retry(_))), "{observed:?}");
    }
}
