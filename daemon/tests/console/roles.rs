//! Who may do what, and that all of it is on record.

use crate::fake::{FakeConsole, invented};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use lapsed::control::console::CallOutcome;
use lapsed::control::endpoints::{Call, ENDPOINTS, Endpoint, Method};
use lapsed::control::peer::Peer;
use lapsed::views::ErrorView;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tower::ServiceExt;

/// Users of the invented accounts: a stranger, then one for each role, the least first.
const STRANGER: u32 = 9;
const USERS: [(u32, Option<usize>); 7] = [
    (STRANGER, None),
    (5, Some(0)),
    (1, Some(1)),
    (2, Some(2)),
    (3, Some(3)),
    (4, Some(4)),
    (0, Some(4)),
];

fn body(call: Call) -> &'static str {
    match call {
        Call::Release | Call::Reject => r#"{"hash":"3f9c01ab77de","reason":"r"}"#,
        Call::Hold => {
            r#"{"person":"mzsmitj","authority":"a","reason":"r","review_on":"2027-06-01"}"#
        }
        Call::Lift => r#"{"person":"mzsmitj","authority":"a","reason":"r"}"#,
        Call::Delegate => r#"{"person":"mzsmitj","to":"mzdoej","authority":"a"}"#,
        Call::Keep => r#"{"person":"mzsmitj","to":"mzdoej","authority":"a"}"#,
        Call::Depart => r#"{"person":"mzsmitj","reason":"r","last_day":null}"#,
        Call::Pause | Call::Resume | Call::PauseGiving | Call::ResumeGiving => r#"{"reason":"r"}"#,
        Call::SettleSetAside => r#"{"id":"0191f2b4c0de","reason":"r"}"#,
        Call::Confirm => r#"{"form": "K7Q2-M4XZ-9TDF", "content": "c2Nhbg==", "refused": null}"#,
        Call::Approve => r#"{"form":12,"hash":"3f9c01ab77de"}"#,
        Call::Deny => r#"{"form":12,"hash":"3f9c01ab77de","reason":"r"}"#,
        Call::Away => r#"{"deputy":"mzdoej","from":"2026-12-21","until":"2027-01-02"}"#,
        Call::EndAway => r#"{"id":"0191d5a0"}"#,
        Call::SubmitForm => r#"{"file_name":"f.json","text":"{}","scans":[]}"#,
        Call::Gate => r#"{"person":"mzsmitj","gate":"hipaa_training","on":"2026-11-02"}"#,
        Call::OpenEnvelope => r#"{"id":"0191d5a0","code":"K7Q2"}"#,
        Call::Suspend | Call::Unsuspend => r#"{"person":"mzsmitj","authority":"a","reason":"r"}"#,
        Call::Restore => r#"{"person":"mzsmitj"}"#,
        Call::ConsentRestore => r#"{"hash":"3f9c01ab77de","reason":"r"}"#,
        Call::SettleFinding => r#"{"id":"0191f2b4c0de","reason":"r"}"#,
        Call::MendFindings => r#"{"hash":"3f9c01ab77de","reason":"r"}"#,
        Call::AcceptBaseline => r#"{"authority":"a","reason":"r"}"#,
        Call::AuditAccess => r#"{"reason":"r"}"#,
        Call::Report => r#"{"year":2026}"#,
        Call::Adopt => {
            r#"{"feed":"hr","file_name":"f","content":"","write":false,"clocks_start":null}"#
        }
        _ => "",
    }
}

fn target(endpoint: Endpoint) -> String {
    let query = match endpoint.call {
        Call::Person | Call::Evidence => "?who=mzsmitj",
        Call::Plan => "?hash=3f9c01ab77de",
        Call::AccessForm => "?number=17",
        Call::Due => "?until=2026-12-31",
        Call::NoticePreview => "?kind=manager",
        Call::Plans => "?states=held,passed",
        _ => "",
    };
    format!("{}{query}", endpoint.path)
}

fn request(endpoint: Endpoint, uid: u32) -> Request<Body> {
    asking(&target(endpoint), endpoint.method, body(endpoint.call), Some(uid))
}

fn asking(target: &str, method: Method, body: &str, uid: Option<u32>) -> Request<Body> {
    let method = match method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    Request::builder()
        .method(method)
        .uri(target)
        .extension(ConnectInfo(Peer { ids: uid.map(|uid| (uid, uid)) }))
        .body(Body::from(body.to_owned()))
        .unwrap()
}

async fn sent(console: &Arc<FakeConsole>, request: Request<Body>) -> (StatusCode, Vec<u8>) {
    let response = invented(console).oneshot(request).await.unwrap();
    let status = response.status();
    (status, response.into_body().collect().await.unwrap().to_bytes().to_vec())
}

#[tokio::test]
async fn every_call_is_answered_to_the_roles_of_the_table_and_to_no_others() {
    for endpoint in ENDPOINTS.iter().copied() {
        for (uid, rank) in USERS {
            let console = Arc::new(FakeConsole::default());
            let (status, body) = sent(&console, request(endpoint, uid)).await;
            let may = rank.is_some_and(|rank| rank >= endpoint.needs as usize);
            let expected = if may { StatusCode::OK } else { StatusCode::FORBIDDEN };
            let said = String::from_utf8_lossy(&body);
            assert_eq!(status, expected, "{} for user {uid}: {said}", endpoint.path);
            if !may {
                assert_eq!(console.calls(), Vec::<String>::new(), "{}", endpoint.path);
                let error: ErrorView = serde_json::from_slice(&body).unwrap();
                let key = format!("`control.roles.{}.users`", endpoint.needs);
                assert!(error.advice.contains(&key), "{}", error.advice);
                assert!(error.error.contains(&format!("user{uid}")), "{}", error.error);
            }
        }
    }
}

#[tokio::test]
async fn every_call_is_on_record_with_its_caller_whether_it_was_allowed_or_not() {
    for endpoint in ENDPOINTS.iter().copied() {
        for uid in [STRANGER, 4] {
            let console = Arc::new(FakeConsole::default());
            let (status, _) = sent(&console, request(endpoint, uid)).await;
            let records = console.records();
            let outcomes: Vec<_> = records.iter().map(|record| record.outcome).collect();
            let answered = CallOutcome::Answered(status.as_u16());
            match (endpoint.method, uid) {
                (Method::Post, 4) => assert_eq!(outcomes, [CallOutcome::Asked, answered]),
                _ => assert_eq!(outcomes, [answered], "{}", endpoint.path),
            }
            for record in &records {
                assert_eq!(record.path, target(endpoint));
                assert_eq!(record.caller.as_ref().unwrap().name.as_str(), format!("user{uid}"));
            }
        }
    }
}

#[tokio::test]
async fn a_flood_of_refusals_does_not_flood_the_record() {
    let console = Arc::new(FakeConsole::default());
    let router = invented(&console);
    for _ in 0..50 {
        let asked = asking("/v1/person?who=123-45-6789", Method::Get, "", Some(STRANGER));
        let response = router.clone().oneshot(asked).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
    }
    let records = console.records();
    let counted: u64 = records.iter().map(|record| 1 + record.refused_before).sum();
    assert!(!records.is_empty() && records.len() < 25 && counted <= 50, "{}", records.len());
    assert!(records.iter().all(|record| record.path == "/v1/person?who=***-**-****"));
}

#[tokio::test]
async fn what_cannot_be_put_on_record_is_not_shown_and_not_done() {
    for endpoint in ENDPOINTS.iter().copied() {
        let console = Arc::new(FakeConsole::default());
        console.mute.store(true, Ordering::SeqCst);
        let (status, body) = sent(&console, request(endpoint, 4)).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{}", endpoint.path);
        let error: ErrorView = serde_json::from_slice(&body).unwrap();
        assert!(error.error.contains("can't be put on record"), "{}", error.error);
        if endpoint.method == Method::Post {
            assert_eq!(console.calls(), Vec::<String>::new(), "{}", endpoint.path);
        }
    }
}

#[tokio::test]
async fn a_caller_that_the_kernel_does_not_name_gets_nothing() {
    let console = Arc::new(FakeConsole::default());
    for peer in [Some(Peer { ids: None }), None] {
        let mut request = asking("/v1/status", Method::Get, "", None);
        request.extensions_mut().clear();
        if let Some(peer) = peer {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        let (status, _) = sent(&console, request).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
    }
    assert!(console.records().iter().all(|record| record.caller.is_none()));
    assert_eq!(console.records().len(), 2);
}

#[tokio::test]
async fn nonsense_is_answered_with_advice_and_on_record() {
    let long = format!(r#"{{"reason":"{}"}}"#, "x".repeat(70_000));
    let cases = [
        ("/v1/nothing", Method::Get, "", 404),
        ("/", Method::Post, "", 404),
        ("/v2/status", Method::Get, "", 404),
        ("/v1/status", Method::Post, "", 400),
        ("/v1/release", Method::Get, "", 400),
        ("/v1/status?who=x", Method::Get, "", 400),
        ("/v1/due?until=tomorrow", Method::Get, "", 400),
        ("/v1/due?until=2026-02-30", Method::Get, "", 400),
        ("/v1/person", Method::Get, "", 400),
        ("/v1/person?who=nobody", Method::Get, "", 404),
        ("/v1/plans?states=held,%1b[2J", Method::Get, "", 400),
        ("/v1/release", Method::Post, "", 400),
        ("/v1/release", Method::Post, "{", 400),
        ("/v1/release", Method::Post, r#"{"hash":"x"}"#, 400),
        ("/v1/release", Method::Post, r#"{"hash":"x","reason":"r","caller":"root"}"#, 400),
        ("/v1/release", Method::Post, r#"{"hash":"decided","reason":"r"}"#, 409),
        ("/v1/deletions/pause", Method::Post, long.as_str(), 400),
    ];
    for (target, method, body, expected) in cases {
        let console = Arc::new(FakeConsole::default());
        let (status, bytes) = sent(&console, asking(target, method, body, Some(4))).await;
        let error: Result<ErrorView, _> = serde_json::from_slice(&bytes);
        assert!(error.is_ok(), "{target}: {}", String::from_utf8_lossy(&bytes));
        assert_eq!(status.as_u16(), expected, "{target}: {error:?}");
        assert_eq!(console.calls(), Vec::<String>::new(), "{target}");
        let last = console.records().pop().map(|record| record.outcome);
        assert_eq!(last, Some(CallOutcome::Answered(expected)), "{target}");
    }
}

#[tokio::test]
async fn plans_are_asked_by_state_and_audit_pages_are_bounded() {
    let console = Arc::new(FakeConsole::default());
    for target in
        ["/v1/plans?states=held", "/v1/plans", "/v1/audit?limit=999999&after=3&person=a%26b"]
    {
        let (status, _) = sent(&console, asking(target, Method::Get, "", Some(4))).await;
        assert_eq!(status, StatusCode::OK, "{target}");
    }
    assert_eq!(
        console.calls(),
        [
            "plans [Held]",
            "plans [Passed, Held, Released, Rejected, Replaced]",
            "audit AuditPage { after: 3, limit: 1000, person: Some(\"a&b\") }",
        ]
    );
}
