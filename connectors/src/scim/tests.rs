//! The connector against a server that misbehaves as it is told.

mod making;

use super::*;
use crate::http::double::{Asked, Double, Play};
use crate::http::{HttpTimeouts, LoginBy, LoginSettings};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, EmployeeNumber, PersonId, StableId, UserId};
use lapsed_core::observed::{PersonKeys, Protection, Realm};
use lapsed_core::step::{Action, Due, Expect, Target};
use rstest::rstest;
use serde_json::{Value, json};
use std::sync::Mutex;

fn settings(url: &str) -> ScimSettings {
    ScimSettings {
        kind: ScimKind::Scim,
        url: url.to_owned(),
        ca_file: None,
        login: LoginSettings::default(),
        matching: Match { employee_number: Some("externalId".into()), ..Match::default() },
        update: Update::Auto,
        active_as_text: false,
        delete: true,
        create: false,
        grant: false,
        rename: false,
        roles: None,
        last_use: None,
        never: vec!["breakglass*".into()],
        page_size: 2,
        window: 2,
        timeouts: HttpTimeouts { connect_seconds: 1, request_seconds: 1 },
    }
}

fn to(double: &Double) -> Scim {
    connect(&settings(&double.url)).unwrap()
}

fn user(id: &str, name: &str, active: Value) -> Value {
    json!({
        "id": id,
        "userName": name,
        "externalId": "00123",
        "active": active,
        "name": { "familyName": "Smith", "givenName": "Joan" },
        "groups": [{ "value": "g" }],
        "meta": { "version": "W/\"1\"" },
    })
}

fn listing(users: &[Value], total: usize) -> Play {
    Play::answer(200, json!({ "totalResults": total, "Resources": users }))
}

fn config(patch: bool, etag: bool) -> Play {
    let supported = |it: bool| json!({ "supported": it });
    let all = json!({
        "patch": supported(patch), "etag": supported(etag), "filter": supported(true),
    });
    Play::answer(200, all)
}

fn gone() -> Play {
    let error = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"] });
    Play::answer(404, error)
}

fn step(action: fn(Target) -> Action) -> Step {
    let account = Target { id: StableId::new("7").unwrap(), label: "mzsmitj".into() };
    Step::new(
        CaseId(uuid::Uuid::nil()),
        PersonId(uuid::Uuid::nil()),
        lapsed_core::facts::ConnectorName::new("cimor").unwrap(),
        action(account),
        Expect {
            user_id: UserId::new("mzsmitj").unwrap(),
            employee_number: Some(EmployeeNumber::new("00123").unwrap()),
        },
        Due::AtOnce,
        Rule::D4,
    )
}

fn revoke() -> Step {
    step(|account| Action::RevokeAccess { account })
}

fn delete() -> Step {
    step(|account| Action::DeleteAccount { account })
}

fn of_user(user_id: &str) -> Scope {
    let user_ids = vec![UserId::new(user_id).unwrap()];
    Scope::People(vec![PersonKeys { user_ids, ..PersonKeys::default() }])
}

async fn apply(scim: &Scim, step: &Step) -> Result<Outcome, Fault> {
    scim.apply(std::slice::from_ref(step)).await.remove(0)
}

async fn see(scim: &Scim, step: &Step) -> Result<Seen, Fault> {
    scim.read_back(std::slice::from_ref(step)).await.remove(0)
}

/// A server with one active account that behaves, but for what a change is answered with.
async fn answering_changes_with(play: Play) -> Double {
    Double::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/ServiceProviderConfig") => config(true, true),
        ("GET", "/Users/7") => Play::answer(200, user("7", "mzsmitj", json!(true))),
        ("GET", _) => listing(&[], 0),
        _ => play.clone(),
    })
    .await
}

fn word(result: &Result<Outcome, Fault>) -> &'static str {
    match result {
        Ok(Outcome::Changed(_)) => "changed",
        Ok(Outcome::AlreadySo) => "already",
        Ok(Outcome::Drifted(_)) => "drifted",
        Ok(Outcome::Partly { .. }) => "asked",
        Ok(Outcome::Asked(_)) => "asked",
        Err(Fault::Retry(_)) => "retry",
        Err(Fault::Refused(_)) => "refused",
        Err(Fault::Unknown(_)) => "unknown",
    }
}

#[rstest]
#[case(Play::answer(200, "{}"), "changed")]
#[case(Play::answer(204, ""), "changed")]
#[case(gone(), "already")]
#[case(Play::answer(404, "<html>"), "already")]
#[case(Play::answer(400, ""), "refused")]
#[case(Play::answer(401, ""), "retry")]
#[case(Play::answer(403, ""), "retry")]
#[case(Play::answer(412, ""), "retry")]
#[case(Play::answer(429, "").with("Retry-After", "60"), "retry")]
#[case(Play::answer(500, ""), "unknown")]
#[case(Play::answer(501, ""), "refused")]
#[case(Play::answer(503, ""), "retry")]
#[case(Play::Silence, "unknown")]
#[case(Play::HangUp, "unknown")]
#[case(Play::CutOff, "unknown")]
#[tokio::test]
async fn an_answer_to_a_change_means(#[case] play: Play, #[case] expected: &str) {
    let double = answering_changes_with(play).await;
    let scim = to(&double);
    for step in [revoke(), delete()] {
        let result = apply(&scim, &step).await;
        // A busy server is left alone: the second step is not sent at all.
        assert_eq!(word(&result), expected, "{result:?}");
    }
}

#[rstest]
#[case(Play::answer(401, ""))]
#[case(Play::answer(404, "<html>no such page</html>"))]
#[case(Play::answer(500, ""))]
#[case(Play::answer(200, "<html>log on first</html>"))]
#[case(Play::answer(200, "{}"))]
#[case(Play::answer(200, r#"{"id":"7"}"#))]
#[case(Play::Silence)]
#[case(Play::HangUp)]
#[case(Play::CutOff)]
#[tokio::test]
async fn what_can_not_be_looked_at_is_neither_done_nor_gone(#[case] play: Play) {
    let double = Double::start(move |_| play.clone()).await;
    let scim = to(&double);
    let result = apply(&scim, &revoke()).await;
    assert_eq!(word(&result), "retry", "{result:?}");
    assert!(matches!(see(&scim, &revoke()).await, Err(Fault::Retry(_))));
    assert!(matches!(scim.observe(&of_user("mzsmitj")).await, Err(Fault::Retry(_))));
    assert!(double.asked().iter().all(|asked| asked.method == "GET"));
}

#[rstest]
#[case("8", "mzsmitj", "00123", "refused")]
#[case("7", "mbdoej", "00123", "drifted")]
#[case("7", "mzsmitj", "00999", "drifted")]
#[case("7", "MZSMITJ", "00123", "changed")]
#[tokio::test]
async fn only_the_account_that_the_plan_meant_is_shut(
    #[case] id: &'static str,
    #[case] name: &'static str,
    #[case] number: &'static str,
    #[case] expected: &str,
) {
    let double = Double::start(move |asked| {
        let mut user = user(id, name, json!(true));
        user["externalId"] = json!(number);
        match asked.path.as_str() {
            "/ServiceProviderConfig" => config(true, false),
            _ => Play::answer(200, user),
        }
    })
    .await;
    let result = apply(&to(&double), &revoke()).await;
    assert_eq!(word(&result), expected, "{result:?}");
    let changed = double.asked().iter().any(|asked| asked.method == "PATCH");
    assert_eq!(changed, expected == "changed");
}

#[tokio::test]
async fn an_account_is_shut_by_patch_with_the_version_that_was_looked_at() {
    let double = answering_changes_with(Play::answer(204, "")).await;
    let outcome = apply(&to(&double), &revoke()).await.unwrap();
    let Outcome::Changed(receipt) = outcome else { panic!("{outcome:?}") };
    assert_eq!(receipt.before["active"], ["true"]);
    let asked = double.asked();
    let change = asked.iter().find(|asked| asked.method == "PATCH").unwrap();
    assert_eq!(change.path, "/Users/7");
    assert_eq!(change.header("if-match"), Some("W/\"1\""));
    assert_eq!(change.header("content-type"), Some("application/scim+json"));
    let operation = json!([{ "op": "replace", "path": "active", "value": false }]);
    assert_eq!(change.json()["Operations"], operation);
}

#[tokio::test]
async fn a_server_without_patch_gets_the_whole_account_back() {
    let double = Double::start(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/ServiceProviderConfig") => config(false, false),
        ("GET", _) => Play::answer(200, user("7", "mzsmitj", json!("True"))),
        _ => Play::answer(200, "{}"),
    })
    .await;
    let mut settings = settings(&double.url);
    settings.active_as_text = true;
    let result = apply(&connect(&settings).unwrap(), &revoke()).await;
    assert_eq!(word(&result), "changed", "{result:?}");
    let asked = double.asked();
    let change = asked.iter().find(|asked| asked.method == "PUT").unwrap();
    let body = change.json();
    assert_eq!((&body["active"], &body["externalId"]), (&json!("False"), &json!("00123")));
    assert!(body.get("meta").is_none() && body.get("groups").is_none());
    assert_eq!(change.header("if-match"), None);
}

#[tokio::test]
async fn an_account_that_changed_meanwhile_is_looked_at_again() {
    let shut = Arc::new(Mutex::new(false));
    let double = Double::start(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("GET", "/ServiceProviderConfig") => config(true, true),
        ("GET", _) => Play::answer(200, user("7", "mzsmitj", json!(!*shut.lock().unwrap()))),
        _ => {
            *shut.lock().unwrap() = true; // another one was quicker
            Play::answer(412, "")
        }
    })
    .await;
    assert_eq!(apply(&to(&double), &revoke()).await, Ok(Outcome::AlreadySo));
}

#[rstest]
#[case(json!(true), "otherwise")]
#[case(json!("True"), "otherwise")]
#[case(json!(false), "wanted")]
#[case(json!("False"), "wanted")]
#[case(json!(null), "cannot tell")]
#[tokio::test]
async fn a_success_that_is_a_lie_is_seen(#[case] active: Value, #[case] expected: &str) {
    let double =
        Double::start(move |_| Play::answer(200, user("7", "mzsmitj", active.clone()))).await;
    let seen = see(&to(&double), &revoke()).await.unwrap();
    let word = match seen {
        Seen::AsWanted => "wanted",
        Seen::Otherwise(_) => "otherwise",
        Seen::NotYet(_) => "not yet",
        Seen::CannotTell(_) => "cannot tell",
    };
    assert_eq!(word, expected);
}

#[tokio::test]
async fn an_account_that_is_gone_needs_nothing() {
    let double = Double::start(|_| gone()).await;
    let scim = to(&double);
    for step in [revoke(), delete()] {
        assert_eq!(apply(&scim, &step).await, Ok(Outcome::AlreadySo));
        assert_eq!(see(&scim, &step).await, Ok(Seen::AsWanted));
    }
}

#[tokio::test]
async fn nothing_is_deleted_where_the_settings_do_not_say_so() {
    let double = answering_changes_with(Play::answer(204, "")).await;
    let mut settings = settings(&double.url);
    settings.delete = false;
    assert_eq!(settings.abilities(), [Ability::Access]);
    let result = apply(&connect(&settings).unwrap(), &delete()).await;
    assert_eq!(word(&result), "refused", "{result:?}");
    assert!(double.asked().is_empty());
}

fn filter_of(asked: &Asked) -> String {
    let query = asked.path.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    pairs.find(|(key, _)| key == "filter").map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[tokio::test]
async fn an_account_is_found_by_either_key_and_comes_once() {
    let double = Double::start(|asked| match filter_of(asked).as_str() {
        r#"userName eq "mzsmitj""# | r#"externalId eq "00123""# => {
            listing(&[user("7", "mzsmitj", json!(true))], 1)
        }
        _ => listing(&[], 0),
    })
    .await;
    let keys = PersonKeys {
        user_ids: vec![UserId::new("mzsmitj").unwrap(), UserId::new("a\" or b").unwrap()],
        employee_numbers: vec![EmployeeNumber::new("00123").unwrap()],
        ids: Vec::new(),
        homes: Vec::new(),
    };
    let observed = to(&double).observe(&Scope::People(vec![keys])).await.unwrap();
    let [account] = observed.accounts.as_slice() else { panic!("{observed:?}") };
    assert_eq!((account.id.as_str(), account.user_id.as_str()), ("7", "mzsmitj"));
    assert_eq!((account.realm, account.enabled), (Realm::System, true));
    assert_eq!(account.name.last, "Smith");
    assert_eq!(account.employee_number.as_ref().unwrap().as_str(), "00123");
    assert!(account.protection.is_none());
    let asked = double.asked();
    assert!(asked.iter().any(|asked| filter_of(asked) == r#"userName eq "a\" or b""#));
}

#[tokio::test]
async fn two_accounts_with_one_key_are_not_touched() {
    let double = Double::start(|_| {
        listing(&[user("7", "mzsmitj", json!(true)), user("8", "MZSMITJ", json!(true))], 2)
    })
    .await;
    let observed = to(&double).observe(&of_user("mzsmitj")).await.unwrap();
    assert_eq!(observed.accounts.len(), 2);
    let never = |p: &Option<Protection>| matches!(p, Some(Protection::Never { .. }));
    assert!(observed.accounts.iter().all(|account| never(&account.protection)));
}

#[rstest]
#[case(listing(&[user("8", "mbdoej", json!(true))], 1))]
#[case(listing(&[user("7", "mzsmitj", json!(true)), user("8", "mbdoej", json!(true))], 2))]
#[case(listing(&[user("7", "mzsmitj", json!(true)), user("8", "mbdoej", json!(true))], 900))]
#[tokio::test]
async fn a_server_that_does_not_filter_gives_no_account(#[case] play: Play) {
    let double = Double::start(move |_| play.clone()).await;
    let fault = to(&double).observe(&of_user("mzsmitj")).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused(_)), "{fault}");
}

#[tokio::test]
async fn a_break_glass_account_is_never_touched() {
    let double = Double::start(|_| Play::answer(200, user("7", "breakglass1", json!(true)))).await;
    let result = apply(&to(&double), &revoke()).await;
    assert_eq!(word(&result), "refused", "{result:?}");
}

fn paged(of: Vec<Value>, total: usize) -> impl Fn(&Asked) -> Play {
    move |asked| {
        let start = asked.path.split("startIndex=").nth(1).and_then(|rest| rest.split('&').next());
        let start: usize = start.unwrap().parse().unwrap();
        let page: Vec<Value> = of.iter().skip(start - 1).take(2).cloned().collect();
        listing(&page, total)
    }
}

#[tokio::test]
async fn a_listing_is_read_page_by_page() {
    let all: Vec<Value> =
        (1..=5).map(|n| user(&n.to_string(), &format!("u{n}"), json!(n != 3))).collect();
    let double = Double::start(paged(all, 5)).await;
    let observed = to(&double).observe(&Scope::AllAccounts).await.unwrap();
    let enabled: Vec<bool> = observed.accounts.iter().map(|account| account.enabled).collect();
    assert_eq!(enabled, [true, true, false, true, true]);
    let taken = to(&double).observe(&Scope::TakenNames).await.unwrap().taken_names;
    assert_eq!(taken, ["u1", "u2", "u3", "u4", "u5"]);
}

#[rstest]
#[case(vec![user("1", "a", json!(true))], 2)]
#[case(vec![user("1", "a", json!(true)), user("1", "a", json!(true))], 2)]
#[case(vec![user("1", "a", json!(true)), user("2", "b", json!(true))], 1)]
#[case(vec![json!({ "userName": "a" })], 1)]
#[case(vec![json!({ "id": "1" })], 1)]
#[case(vec![json!({ "id": "x".repeat(200), "userName": "a" })], 1)]
#[tokio::test]
async fn a_listing_that_is_not_whole_is_a_fault(#[case] of: Vec<Value>, #[case] total: usize) {
    let double = Double::start(paged(of, total)).await;
    for scope in [Scope::AllAccounts, Scope::TakenNames] {
        let fault = to(&double).observe(&scope).await.unwrap_err();
        assert!(matches!(fault, Fault::Retry(_)), "{fault}");
    }
}

#[tokio::test]
async fn a_system_that_names_accounts_otherwise_is_asked_in_its_own_words() {
    let double = Double::start(|asked| match filter_of(asked).as_str() {
        r#"userName eq "mzsmitj@dmh.test""# => {
            listing(&[user("7", "MZSMITJ@dmh.test", json!(true))], 1)
        }
        _ => listing(&[], 0),
    })
    .await;
    let mut settings = settings(&double.url);
    settings.matching.user_id_as = "{{ user_id }}@dmh.test".into();
    let scim = connect(&settings).unwrap();
    let observed = scim.observe(&of_user("mzsmitj")).await.unwrap();
    assert_eq!(observed.accounts[0].user_id.as_str(), "mzsmitj");
}

#[tokio::test]
async fn a_check_says_what_is_wrong() {
    let double = Double::start(|asked| match asked.path.as_str() {
        "/ServiceProviderConfig" => config(false, false),
        _ => listing(&[user("7", "mzsmitj", json!(true))], 1),
    })
    .await;
    let mut settings = settings(&double.url);
    settings.update = Update::Patch;
    let tried = connect(&settings).unwrap().probe().await;
    let problems: Vec<&str> =
        tried.iter().filter(|probed| probed.problem.is_some()).map(|p| p.what.as_str()).collect();
    let expected = [
        "how accounts are shut",
        "log-on, and filter by userName",
        "log-on, and filter by externalId",
    ];
    assert_eq!(problems, expected);
}

#[test]
fn everything_wrong_with_the_settings_is_told_at_once() {
    let mut settings = settings("http://cimor.dmh.test/scim");
    settings.login.by = LoginBy::Bearer;
    settings.matching =
        Match { user_id: None, user_id_as: "everybody".into(), employee_number: None };
    (settings.page_size, settings.window) = (1, 0);
    let problems = settings.problems();
    let keys: Vec<&str> = problems.iter().map(|problem| problem.key.as_ref()).collect();
    let expected = ["url", "login.by", "match", "match.user_id_as", "page_size", "window"];
    assert_eq!(keys, expected);
}
