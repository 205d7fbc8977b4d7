//! What a step and a ticket ask of Request Tracker, and what it makes of it.

use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::help_desk::{
    self, ChangeWords, HelpDesk, HelpDeskKind, HelpDeskSettings, Preset, RequestWords,
};
use lapsed_connectors::http::{HttpTimeouts, LoginBy, LoginSettings};
use lapsed_connectors::tickets::{
    CorrelationKey, NewTicket, ProblemType, TicketDesk, TicketStatus,
};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId, StableId, UserId};
use lapsed_core::step::{Action, Due, Expect, Fault, Outcome, RequestFacts, Seen, Step, Target};
use lapsed_tests::request_tracker::RequestTracker;
use std::path::PathBuf;
use uuid::Uuid;

fn settings(tracker: &RequestTracker, token: PathBuf) -> HelpDeskSettings {
    HelpDeskSettings {
        kind: HelpDeskKind::HelpDesk,
        preset: Preset::RequestTracker,
        url: tracker.url(),
        ca_file: None,
        login: LoginSettings {
            by: LoginBy::Header,
            name: Some("Authorization".into()),
            prefix: "token ".into(),
            secret_file: Some(token),
            ..LoginSettings::default()
        },
        group: "General".into(),
        groups: [(ProblemType::Revocation, "Account Management".to_owned())].into(),
        priority: Some(20),
        priorities: [(ProblemType::Refused, 50)].into(),
        requester: "lapsed@dmh.test".into(),
        fields: [].into(),
        statuses: None,
        operations: None,
        request: RequestWords::default(),
        grant_request: ChangeWords::grant(),
        rename_request: ChangeWords::rename(),
        timeouts: HttpTimeouts { connect_seconds: 5, request_seconds: 60 },
    }
}

fn open(settings: &HelpDeskSettings) -> HelpDesk {
    help_desk::connect(&ConnectorName::new("desk").unwrap(), settings).unwrap()
}

fn request() -> Step {
    let person = PersonId(Uuid::from_u128(7));
    let account = Target { id: StableId::new("id-1").unwrap(), label: "mzsmitj".into() };
    let facts = RequestFacts {
        name: "Joan Smithcanary".into(),
        user_id: "mzsmitj".into(),
        ..RequestFacts::default()
    };
    let action = Action::RequestRevocation { account, request: "Mainframe".into(), facts };
    let expect = Expect { user_id: UserId::new("mzsmitj").unwrap(), employee_number: None };
    let desk = ConnectorName::new("desk").unwrap();
    Step::new(CaseId::departure(person, 0), person, desk, action, expect, Due::AtOnce, Rule::H1)
}

async fn ask(desk: &HelpDesk) -> Result<Outcome, Fault> {
    desk.apply(&[request()]).await.remove(0)
}

async fn seen(desk: &HelpDesk) -> Result<Seen, Fault> {
    desk.read_back(&[request()]).await.remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_one_ticket_however_often_it_is_asked_and_ends_with_it() {
    let mut tracker = RequestTracker::start().unwrap();
    tracker.add_queue("Account Management").unwrap();
    let right = settings(&tracker, tracker.token_file());
    let desk = open(&right);

    let wrong = open(&settings(&tracker, tracker.wrong_token_file()));
    assert!(matches!(ask(&wrong).await, Err(Fault::Retry(_))), "a token is mended, not given up");
    assert!(wrong.probe().await[0].problem.is_some());
    assert_eq!(desk.probe().await[0].problem, None);

    let Ok(Outcome::Asked(receipt)) = ask(&desk).await else { panic!("not asked") };
    let number = receipt.before["ticket"][0].clone();
    assert!(matches!(ask(&desk).await, Ok(Outcome::Asked(again)) if again == receipt));
    let there = tracker.tickets("lapsed-").unwrap();
    assert_eq!(there.len(), 1, "{there:?}");
    assert_eq!(there[0]["Status"], "new");
    assert_eq!(there[0]["Priority"], "20");
    let written = tracker.history(&number).unwrap();
    assert!(written.contains("mzsmitj") && written.contains("Mainframe"), "{written}");
    assert!(!written.contains("Smithcanary"), "{written}");

    assert!(matches!(seen(&desk).await, Ok(Seen::NotYet(_))));
    tracker.stop().unwrap();
    assert!(matches!(seen(&desk).await, Err(Fault::Retry(_))));
    assert!(matches!(ask(&desk).await, Err(Fault::Retry(_))));
    tracker.launch().unwrap();
    tracker.set_status(&number, "rejected").unwrap();
    assert!(matches!(seen(&desk).await, Err(Fault::Refused(_))));
    tracker.set_status(&number, "resolved").unwrap();
    assert_eq!(seen(&desk).await, Ok(Seen::AsWanted));
    assert_eq!(tracker.tickets("lapsed-").unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_phoned_in_is_found_by_its_key() {
    let tracker = RequestTracker::start().unwrap();
    let desk = open(&settings(&tracker, tracker.token_file()));
    let ticket = NewTicket {
        key: CorrelationKey::of(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"matter")),
        problem: ProblemType::Refused,
        subject: "directory refused: it's \"50\" % _".into(),
        text: "line one\n.\n{{ 7 * 6 }} <b>by hand</b>".into(),
    };
    assert_eq!(desk.find(&ticket.key).await, Ok(None));
    let phoned = tracker.open(&format!("caller says {}", ticket.key)).unwrap();
    let opened = desk.open(&ticket).await.unwrap();
    assert_eq!((opened.number.as_str(), opened.others.len()), (phoned.as_str(), 0));

    let second = tracker.open(&format!("again {}", ticket.key)).unwrap();
    let opened = desk.open(&ticket).await.unwrap();
    assert_eq!((&opened.number, &opened.others), (&phoned, &vec![second]));
    desk.comment(&phoned, "lapsed: \"done\" <since>").await.unwrap();
    assert!(tracker.history(&phoned).unwrap().contains("lapsed: \"done\" <since>"));

    tracker.set_status(&phoned, "deleted").unwrap();
    assert_eq!(desk.status(&phoned).await, Ok(TicketStatus::Rejected));
    assert_eq!(desk.status("4711").await, Ok(TicketStatus::Rejected));

    let other = NewTicket { key: CorrelationKey::of(Uuid::nil()), ..ticket };
    let opened = desk.open(&other).await.unwrap();
    let shown = tracker.tickets(other.key.as_str()).unwrap();
    assert_eq!(shown[0]["Subject"], format!("[{}] {}", other.key, other.subject));
    assert_eq!(shown[0]["Priority"], "50");
    let written = tracker.history(&opened.number).unwrap();
    assert!(written.contains("{{ 7 * 6 }} <b>by hand</b>"), "{written}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_not_there_makes_the_ticket_wait_with_advice() {
    let tracker = RequestTracker::start().unwrap();
    let mut wrong = settings(&tracker, tracker.token_file());
    wrong.groups = [(ProblemType::Revocation, "No Such Queue".to_owned())].into();
    let ending = ask(&open(&wrong)).await;
    assert!(matches!(&ending, Err(Fault::Retry(cause)) if cause.code.is_some()), "{ending:?}");
    assert!(tracker.tickets("lapsed-").unwrap().is_empty());
}
