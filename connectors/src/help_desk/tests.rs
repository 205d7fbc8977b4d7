//! The help desk against a double that is strict with what it is sent and bad on demand; Request Tracker
//! itself is in the tests crate.

mod changes;

use super::{ChangeWords, HelpDesk, HelpDeskKind, HelpDeskSettings, Preset, RequestWords, connect};
use crate::contract::{Apply, Observe};
use crate::http::double::{Asked, Double, Play};
use crate::http::{HttpTimeouts, LoginBy, LoginSettings};
use crate::settings::ConnectorKind;
use crate::tickets::{NewTicket, ProblemType, TicketDesk, TicketStatus};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId, StableId, UserId};
use lapsed_core::step::{
    ANSWERED_NO, Action, Due, Expect, Fault, Outcome, RequestFacts, Seen, Step, Target,
};
use rstest::rstest;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

const SECRET: &str = "key-that-must-not-show";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        Self { folder }
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    fn settings(&self, preset: Preset, url: &str) -> HelpDeskSettings {
        let login = match preset {
            Preset::WebHelpDesk => LoginSettings {
                by: LoginBy::Query,
                name: Some("apiKey".into()),
                secret_file: Some(self.secret()),
                ..LoginSettings::default()
            },
            _ => LoginSettings {
                by: LoginBy::Header,
                name: Some("Authorization".into()),
                prefix: "token ".into(),
                secret_file: Some(self.secret()),
                ..LoginSettings::default()
            },
        };
        HelpDeskSettings {
            kind: HelpDeskKind::HelpDesk,
            preset,
            url: url.into(),
            ca_file: None,
            login,
            group: if preset == Preset::WebHelpDesk { "22".into() } else { "General".into() },
            groups: [(ProblemType::Drift, "7".to_owned())].into(),
            priority: None,
            priorities: [(ProblemType::Refused, 50)].into(),
            requester: "lapsed@dmh.test".into(),
            fields: [("53".to_owned(), "Account \"Management\"".to_owned())].into(),
            statuses: None,
            operations: None,
            request: RequestWords::default(),
            grant_request: ChangeWords::grant(),
            rename_request: ChangeWords::rename(),
            timeouts: HttpTimeouts { connect_seconds: 1, request_seconds: 1 },
        }
    }

    fn desk(&self, preset: Preset, url: &str) -> HelpDesk {
        connect(&name(), &self.settings(preset, url)).unwrap()
    }
}

fn name() -> ConnectorName {
    ConnectorName::new("desk").unwrap()
}

fn step() -> Step {
    let person = PersonId(Uuid::from_u128(7));
    let account = Target { id: StableId::new("id-1").unwrap(), label: "mzsmitj".into() };
    let facts = RequestFacts {
        name: "Joan Smithcanary".into(),
        user_id: "mzsmitj".into(),
        last_day: Some(jiff::civil::date(2026, 11, 20)),
        location: Some("Central Office".into()),
        to: vec!["canary@dmh.test".into()],
    };
    let action = Action::RequestRevocation { account, request: "CIMOR".into(), facts };
    let expect = Expect { user_id: UserId::new("mzsmitj").unwrap(), employee_number: None };
    Step::new(CaseId::departure(person, 0), person, name(), action, expect, Due::AtOnce, Rule::H1)
}

fn ticket() -> NewTicket {
    NewTicket {
        key: crate::tickets::CorrelationKey::of(step().id.0),
        problem: ProblemType::Refused,
        subject: "directory refused: \"disable\"\nX: y".into(),
        text: "Do it \"by hand\"; {{ 7 * 6 }}".into(),
    }
}

async fn ask(desk: &HelpDesk) -> Result<Outcome, Fault> {
    desk.apply(&[step()]).await.remove(0)
}

/// A Request Tracker in a few lines: what it keeps, it shows.
#[derive(Clone, Default)]
struct Tracker(Arc<Mutex<Vec<(String, String)>>>);

impl Tracker {
    fn play(&self, asked: &Asked) -> Play {
        let mut kept = self.0.lock().unwrap();
        let path = asked.path.split('?').next().unwrap_or_default().to_owned();
        match (asked.method.as_str(), path.as_str()) {
            ("GET", "/REST/2.0/tickets") => {
                let items: Vec<Value> = kept
                    .iter()
                    .enumerate()
                    .map(|(at, (subject, _))| json!({ "id": (at + 1).to_string(), "Subject": subject }))
                    .collect();
                Play::answer(200, json!({ "items": items, "total": items.len() }))
            }
            ("POST", "/REST/2.0/ticket") => {
                let subject = asked.json()["Subject"].as_str().unwrap_or_default().to_owned();
                kept.push((subject, "new".into()));
                Play::answer(201, json!({ "id": kept.len().to_string(), "type": "ticket" }))
            }
            ("POST", _) => Play::answer(201, json!(["Comments added"])),
            ("GET", path) => {
                let number: usize = path.rsplit('/').next().unwrap().parse().unwrap();
                match kept.get(number - 1) {
                    Some((subject, status)) => Play::answer(
                        200,
                        json!({ "id": number, "Subject": subject, "Status": status }),
                    ),
                    None => Play::answer(404, json!({ "message": "Not Found" })),
                }
            }
            _ => Play::answer(500, "what is this?"),
        }
    }

    fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    fn set(&self, status: &str) {
        self.0.lock().unwrap()[0].1 = status.to_owned();
    }
}

async fn tracker() -> (Tracker, Double) {
    let tracker = Tracker::default();
    let playing = tracker.clone();
    let double = Double::start(move |asked| playing.play(asked)).await;
    (tracker, double)
}

#[tokio::test]
async fn a_request_asked_twice_is_one_ticket() {
    let (tracker, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    for _ in 0..3 {
        let Ok(Outcome::Asked(receipt)) = ask(&desk).await else { panic!("not asked") };
        assert_eq!(receipt.before["asked"], ["help desk, ticket 1"]);
        assert_eq!(receipt.before["page"], [format!("{}/Ticket/Display.html?id=1", double.url)]);
    }
    assert_eq!(tracker.count(), 1);
    let lines = double.lines();
    assert!(lines[0].starts_with("GET /REST/2.0/tickets?"), "searched first: {lines:?}");
    let asked = double.asked();
    assert!(
        asked.iter().all(|a| a.header("authorization") == Some("token key-that-must-not-show"))
    );
}

#[tokio::test]
async fn what_is_put_in_becomes_no_syntax_and_every_field_is_filled() {
    let (_, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    desk.open(&ticket()).await.unwrap();
    let made = double.asked().into_iter().find(|asked| asked.method == "POST").unwrap().json();
    let key = ticket().key;
    assert_eq!(made["Subject"], format!("[{key}] directory refused: \"disable\"\\nX: y"));
    assert_eq!(made["Content"], format!("Do it \"by hand\"; {{{{ 7 * 6 }}}}\n\n{key}"));
    assert_eq!(made["Queue"], "General");
    assert_eq!(made["Priority"], 50);
    assert_eq!(made["Requestor"], "lapsed@dmh.test");
    assert_eq!(made["CustomFields"], json!({ "53": "Account \"Management\"" }));
}

#[tokio::test]
async fn no_name_number_or_address_gets_into_a_ticket() {
    let (_, double) = tracker().await;
    let place = Place::new();
    ask(&place.desk(Preset::RequestTracker, &double.url)).await.unwrap();
    let sent: String =
        double.asked().iter().map(|asked| format!("{}{}", asked.path, asked.body)).collect();
    assert!(sent.contains("mzsmitj") && sent.contains("CIMOR"), "{sent}");
    for canary in ["Smithcanary", "Joan", "canary@dmh.test", SECRET] {
        assert!(!sent.contains(canary), "{canary} in {sent}");
    }
}

#[tokio::test]
async fn a_lost_reply_is_unknown_and_the_ticket_is_found_by_its_key() {
    let tracker = Tracker::default();
    let playing = tracker.clone();
    let double = Double::start(move |asked| {
        let play = playing.play(asked);
        if asked.method == "POST" { Play::HangUp } else { play }
    })
    .await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    assert!(matches!(ask(&desk).await, Err(Fault::Unknown(_))));
    assert!(matches!(ask(&desk).await, Ok(Outcome::Asked(_))));
    assert_eq!(tracker.count(), 1);
}

#[tokio::test]
async fn of_two_tickets_the_oldest_is_followed_and_it_is_said() {
    let (tracker, double) = tracker().await;
    let key = ticket().key;
    for subject in [format!("phoned in, {key}"), "other".into(), format!("[{key}] again")] {
        tracker.0.lock().unwrap().push((subject, "new".into()));
    }
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    let Ok(Outcome::Asked(receipt)) = ask(&desk).await else { panic!("not asked") };
    assert_eq!(receipt.before["ticket"], ["1"]);
    assert!(receipt.before["asked"][0].contains("3 have the same key"), "{receipt:?}");
    assert_eq!(tracker.count(), 3);
}

#[rstest]
#[case("new", TicketStatus::Open)]
#[case("stalled", TicketStatus::Open)]
#[case("resolved", TicketStatus::Resolved)]
#[case("Rejected", TicketStatus::Rejected)]
#[case("deleted", TicketStatus::Rejected)]
#[tokio::test]
async fn the_help_desks_words_have_their_meaning(#[case] word: &str, #[case] status: TicketStatus) {
    let (tracker, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    let opened = desk.open(&ticket()).await.unwrap();
    tracker.set(word);
    assert_eq!(desk.status(&opened.number).await, Ok(status));
    let seen = desk.read_back(&[step()]).await.remove(0);
    match status {
        TicketStatus::Open => assert!(matches!(seen, Ok(Seen::NotYet(_)))),
        TicketStatus::Resolved => assert_eq!(seen, Ok(Seen::AsWanted)),
        TicketStatus::Rejected => {
            let Err(Fault::Refused(cause)) = seen else { panic!("{seen:?}") };
            assert_eq!(
                cause.code.as_deref(),
                Some(ANSWERED_NO),
                "it is not asked again each night"
            );
        }
    }
}

#[tokio::test]
async fn a_ticket_whose_subject_was_changed_is_followed_by_its_number() {
    let (tracker, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    let Ok(Outcome::Asked(receipt)) = ask(&desk).await else { panic!("not asked") };
    tracker.0.lock().unwrap()[0] = ("please hurry".into(), "resolved".into());
    desk.remind(step().id, &receipt);
    assert_eq!(desk.read_back(&[step()]).await.remove(0), Ok(Seen::AsWanted));
}

#[tokio::test]
async fn a_ticket_that_is_gone_was_rejected() {
    let (_, double) = tracker().await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    assert_eq!(desk.status("99").await, Ok(TicketStatus::Rejected));
    desk.comment("1", "hello").await.unwrap();
}

#[tokio::test]
async fn a_help_desk_that_says_yes_and_opens_nothing_is_caught() {
    let double = Double::start(|asked| match (asked.method.as_str(), asked.path.contains('?')) {
        ("GET", true) => Play::answer(200, json!({ "items": [] })),
        ("POST", _) => Play::answer(201, json!({ "id": "17" })),
        _ => Play::answer(404, json!({})),
    })
    .await;
    let place = Place::new();
    let ending = ask(&place.desk(Preset::RequestTracker, &double.url)).await;
    assert!(matches!(ending, Err(Fault::Unknown(_))), "{ending:?}");
}

/// How a help desk may answer the opening of a ticket, and what the step becomes.
#[rstest]
#[case::busy(Play::answer(429, "").with("retry-after", "120"), "retry")]
#[case::closed(Play::answer(503, "").with("retry-after", "3"), "retry")]
#[case::wrong_secret(Play::answer(401, json!({ "message": "Unauthorized" })), "retry")]
#[case::no_right(Play::answer(403, json!({ "message": "No permission" })), "retry")]
#[case::moved(Play::answer(302, "").with("location", "https://elsewhere.test/"), "retry")]
#[case::unfilled(Play::answer(422, json!({ "message": "mandatory" })), "refused")]
#[case::broken(Play::answer(500, "oops"), "unknown")]
#[case::gateway(Play::answer(504, ""), "retry or unknown")]
#[case::garbage(Play::answer(201, "<html>welcome</html>"), "unknown")]
#[case::no_number(Play::answer(201, json!({ "id": null })), "unknown")]
#[case::cut_off(Play::CutOff, "unknown")]
#[case::hung_up(Play::HangUp, "unknown")]
#[case::silent(Play::Silence, "unknown")]
#[tokio::test]
async fn a_bad_answer_to_the_opening_is_what_it_is(#[case] play: Play, #[case] fault: &str) {
    let double = Double::start(move |asked| match asked.method.as_str() {
        "GET" => Play::answer(200, json!({ "items": [] })),
        _ => play.clone(),
    })
    .await;
    let place = Place::new();
    let ending = ask(&place.desk(Preset::RequestTracker, &double.url)).await.unwrap_err();
    let (found, cause) = match &ending {
        Fault::Retry(cause) => ("retry", cause),
        Fault::Refused(cause) => ("refused", cause),
        Fault::Unknown(cause) => ("unknown", cause),
    };
    assert!(fault.contains(found), "{ending:?}");
    assert!(!cause.to_string().contains(SECRET) && cause.message.contains("ticket"), "{cause}");
}

/// Nothing is opened while it is not known what is there.
#[rstest]
#[case::garbage(Play::answer(200, "<html>"))]
#[case::no_list(Play::answer(200, json!({ "message": "hello" })))]
#[case::another_shape(Play::answer(200, json!({ "items": [{ "id": "1" }] })))]
#[case::broken(Play::answer(500, ""))]
#[case::wrong_secret(Play::answer(401, ""))]
#[case::nothing_there(Play::answer(404, ""))]
#[case::cut_off(Play::CutOff)]
#[case::silent(Play::Silence)]
#[tokio::test]
async fn a_search_that_fails_opens_no_ticket(#[case] play: Play) {
    let double = Double::start(move |_| play.clone()).await;
    let place = Place::new();
    let desk = place.desk(Preset::RequestTracker, &double.url);
    let ending = ask(&desk).await;
    assert!(matches!(ending, Err(Fault::Retry(_))), "{ending:?}");
    assert!(double.lines().iter().all(|line| line.starts_with("GET ")), "{:?}", double.lines());
    assert!(desk.probe().await[0].problem.is_some());
}

#[tokio::test]
async fn a_help_desk_that_is_not_there_is_tried_again() {
    let place = Place::new();
    let ending = ask(&place.desk(Preset::RequestTracker, "http://127.0.0.1:1")).await;
    assert!(matches!(ending, Err(Fault::Retry(_))), "{ending:?}");
}

#[tokio::test]
async fn web_help_desk_is_asked_by_its_own_words_and_its_key_shows_nowhere() {
    let kept: Arc<Mutex<Vec<Value>>> = Arc::default();
    let playing = Arc::clone(&kept);
    let double = Double::start(move |asked| {
        let mut kept = playing.lock().unwrap();
        if asked.method == "POST" && asked.path.contains("/ra/Tickets?") {
            kept.push(asked.json());
            return Play::answer(201, json!({ "id": 345 }));
        }
        if asked.path.contains("/ra/TechNotes") {
            return Play::answer(500, "");
        }
        if asked.path.contains("/ra/Tickets/345") {
            let status = json!({ "id": 345, "statustype": { "statusTypeName": "Closed" } });
            return Play::answer(200, status);
        }
        let found: Vec<Value> =
            kept.iter().map(|made| json!({ "id": 345, "subject": made["subject"] })).collect();
        Play::answer(200, json!(found))
    })
    .await;
    let place = Place::new();
    let settings = place.settings(Preset::WebHelpDesk, &double.url);
    assert!(settings.never_run_live());
    let desk = connect(&name(), &settings).unwrap();
    let drift = NewTicket { problem: ProblemType::Drift, ..ticket() };
    let opened = desk.open(&drift).await.unwrap();
    assert_eq!((opened.number.as_str(), opened.others.len()), ("345", 0));
    assert_eq!(desk.open(&drift).await.unwrap(), opened, "found by its key");
    let made = kept.lock().unwrap()[0].clone();
    assert_eq!(made["problemtype"], json!({ "type": "RequestType", "id": 7 }));
    let field = json!([{ "definitionId": 53, "restValue": "Account \"Management\"" }]);
    assert_eq!(made["customFields"], field);
    assert_eq!(desk.status("345").await, Ok(TicketStatus::Resolved));
    let note = desk.comment("345", "done by itself").await.unwrap_err();
    let asked = double.asked();
    assert!(asked.iter().all(|asked| asked.path.contains(&format!("apiKey={SECRET}"))));
    let note_sent = asked.iter().find(|asked| asked.path.contains("TechNotes")).unwrap().json();
    assert_eq!(note_sent["jobticket"]["id"], 345);
    for shown in [note.to_string(), format!("{note:?}"), format!("{desk:?}"), format!("{opened:?}")]
    {
        assert!(!shown.contains(SECRET), "{shown}");
    }
}

#[tokio::test]
async fn another_help_desk_is_a_matter_of_yaml() {
    let double = Double::start(|asked| match asked.method.as_str() {
        "GET" if asked.path.starts_with("/api/find") => Play::answer(200, json!({ "result": [] })),
        "GET" => Play::answer(200, json!({ "result": { "state": 6 } })),
        _ => Play::answer(201, json!({ "result": { "sys_id": "abc" } })),
    })
    .await;
    let place = Place::new();
    let operations = json!({
        "search": {
            "request": { "method": "GET", "path": "/api/find/{{ key }}" },
            "tickets": "reply.result", "number": "ticket.sys_id", "subject": "ticket.short_description",
        },
        "create": {
            "request": { "method": "POST", "path": "/api/incident",
                "body": "{ \"short_description\": {{ subject }}, \"assignment_group\": {{ group }} }" },
            "number": "reply.result.sys_id",
        },
        "status": {
            "request": { "method": "GET", "path": "/api/incident/{{ number }}" },
            "status": "reply.result.state",
        },
        "comment": { "request": { "method": "PATCH", "path": "/api/incident/{{ number }}",
            "body": "{ \"work_notes\": {{ text }} }" } },
    });
    let settings = HelpDeskSettings {
        operations: Some(serde_json::from_value(operations).unwrap()),
        statuses: Some(
            serde_json::from_value(json!({ "resolved": ["6", "7"], "rejected": ["8"] })).unwrap(),
        ),
        ..place.settings(Preset::Custom, &double.url)
    };
    assert_eq!(settings.problems(), []);
    let desk = connect(&name(), &settings).unwrap();
    let opened = desk.open(&ticket()).await.unwrap();
    assert_eq!(opened.number, "abc");
    assert_eq!(desk.status("abc").await, Ok(TicketStatus::Resolved));
    assert!(double.lines()[0].ends_with(&format!("/api/find/{}", ticket().key)));
}

#[rstest]
#[case("url", |s: &mut HelpDeskSettings| s.url = "http://desk.example.org".into())]
#[case("group", |s: &mut HelpDeskSettings| s.group = " ".into())]
#[case("requester", |s: &mut HelpDeskSettings| s.requester = String::new())]
#[case("login.by", |s: &mut HelpDeskSettings| s.login.secret_file = None)]
#[case("operations", |s: &mut HelpDeskSettings| s.preset = Preset::Custom)]
#[case("request.text", |s: &mut HelpDeskSettings| s.request.text = "{{ name }} left".into())]
#[case("group", |s: &mut HelpDeskSettings| { s.preset = Preset::WebHelpDesk; s.group = "Accounts".into(); })]
fn a_setting_that_can_not_be_is_told_at_its_place(
    #[case] key: &str,
    #[case] change: fn(&mut HelpDeskSettings),
) {
    let mut settings = Place::new().settings(Preset::RequestTracker, "https://rt.example.org");
    settings.login.secret_file = Some("/etc/lapsed/rt".into());
    change(&mut settings);
    let keys: Vec<String> =
        settings.problems().into_iter().map(|problem| problem.key.into_owned()).collect();
    assert!(keys.iter().any(|found| found == key), "{keys:?}");
}

#[test]
fn a_search_without_the_key_would_take_every_ticket_for_any_other() {
    let mut settings = Place::new().settings(Preset::Custom, "https://desk.example.org");
    let (mut operations, statuses) = {
        let known = super::presets::request_tracker();
        (known.operations, known.statuses)
    };
    operations.search.request.query.insert("query".into(), "Queue = 'General'".into());
    (settings.operations, settings.statuses) = (Some(operations), Some(statuses));
    let found = settings.problems();
    assert_eq!(found[0].key, "operations.search.request", "{found:?}");
}
