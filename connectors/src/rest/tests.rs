//! The connector against an API of its own kind, well and badly behaved.

mod giving;
mod system;

use super::*;
use crate::http::double::{Asked, Double, Play};
use crate::http::{HttpTimeouts, LoginSettings};
use crate::system_account::LastUseShown;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, EmployeeNumber, PersonId, StableId, UserId};
use lapsed_core::observed::{PersonKeys, Protection, Realm};
use lapsed_core::step::{Action, Due, Expect, Target};
use rstest::rstest;
use serde_json::json;
use std::sync::Mutex;

fn operation(path: &str, body: Option<&str>) -> Operation {
    Operation {
        method: Verb::Post,
        path: path.into(),
        headers: [("Idempotency-Key".to_owned(), "{{ step }}".to_owned())].into(),
        send: Send::Json,
        body: body.map(str::to_owned),
        success: "status == 200 and body.ok".into(),
        already: Some("status == 409 and body.code == 'locked'".into()),
        read_back: None,
    }
}

fn settings(url: &str) -> RestSettings {
    RestSettings {
        kind: RestKind::Rest,
        url: url.to_owned(),
        ca_file: None,
        login: LoginSettings::default(),
        find: vec![
            Search {
                by: SearchBy::UserId,
                path: "/users?login={{ user_id }}".into(),
                none: Some("status == 404 and body.code == 'none'".into()),
                accounts: "body.users".into(),
            },
            Search {
                by: SearchBy::EmployeeNumber,
                path: "/badges/{{ employee_number }}".into(),
                none: Some("status == 404 and body.code == 'none'".into()),
                accounts: "body".into(),
            },
        ],
        account: Some(AccountShape {
            id: "account.id".into(),
            user_id: "account.login".into(),
            enabled: "account.state == 'active'".into(),
            last_name: Some("account.name.last".into()),
            first_name: None,
            employee_number: Some("account.badge".into()),
            display_name: None,
            mail: None,
            roles: None,
            last_used: None,
        }),
        look: Some(Look {
            path: "/users/{{ id }}".into(),
            account: "body".into(),
            gone: "status == 404 and body.code == 'none'".into(),
        }),
        revoke: Some(operation("/users/{{ id }}/lock", Some(r#"{"by": "{{ case }}"}"#))),
        delete: Some(Operation { method: Verb::Delete, ..operation("/users/{{ id }}", None) }),
        disable_mailbox: Some(operation("/mail/{{ user_id }}/off", None)),
        delete_mailbox: Some(Operation {
            send: Send::Form,
            body: Some("user={{ user_id }}".into()),
            read_back: Some(ReadBack {
                path: "/mail/{{ user_id }}".into(),
                done: "body.messages == 0".into(),
            }),
            ..operation("/mail/purge", None)
        }),
        create: None,
        grant: None,
        give_role: None,
        take_role: None,
        rename: None,
        last_use: LastUseShown::default(),
        never: vec!["breakglass*".into()],
        window: 2,
        timeouts: HttpTimeouts { connect_seconds: 1, request_seconds: 1 },
    }
}

fn to(double: &Double) -> Rest {
    connect(&settings(&double.url)).unwrap()
}

fn user(id: u32, login: &str, state: &str) -> serde_json::Value {
    json!({ "id": id, "login": login, "state": state, "badge": "00123", "name": { "last": "Smith" } })
}

fn none() -> Play {
    Play::answer(404, json!({ "code": "none" }))
}

fn step(user_id: &str, action: fn(Target) -> Action) -> Step {
    let account = Target { id: StableId::new("7").unwrap(), label: user_id.into() };
    Step::new(
        CaseId(uuid::Uuid::nil()),
        PersonId(uuid::Uuid::nil()),
        ConnectorName::new("omis").unwrap(),
        action(account),
        Expect {
            user_id: UserId::new(user_id).unwrap(),
            employee_number: Some(EmployeeNumber::new("00123").unwrap()),
        },
        Due::AtOnce,
        Rule::D4,
    )
}

fn revoke() -> Step {
    step("mzsmitj", |account| Action::RevokeAccess { account })
}

fn delete() -> Step {
    step("mzsmitj", |account| Action::DeleteAccount { account })
}

fn delete_mailbox() -> Step {
    step("mzsmitj", |account| Action::DeleteMailbox { account })
}

async fn apply(rest: &Rest, step: &Step) -> Result<Outcome, Fault> {
    rest.apply(std::slice::from_ref(step)).await.remove(0)
}

async fn see(rest: &Rest, step: &Step) -> Result<Seen, Fault> {
    rest.read_back(std::slice::from_ref(step)).await.remove(0)
}

fn word(result: &Result<Outcome, Fault>) -> &'static str {
    match result {
        Ok(Outcome::Changed(_)) => "changed",
        Ok(Outcome::AlreadySo) => "already",
        Ok(Outcome::Drifted(_)) => "drifted",
        Ok(Outcome::Partly { .. }) => "partly",
        Ok(Outcome::Asked(_)) => "asked",
        Err(Fault::Retry(_)) => "retry",
        Err(Fault::Refused(_)) => "refused",
        Err(Fault::Unknown(_)) => "unknown",
    }
}

fn of_user(user_id: &str) -> Scope {
    let user_ids = vec![UserId::new(user_id).unwrap()];
    Scope::People(vec![PersonKeys { user_ids, ..PersonKeys::default() }])
}

async fn answering_changes_with(play: Play) -> Double {
    Double::start(move |asked| match asked.method.as_str() {
        "GET" => Play::answer(200, user(7, "mzsmitj", "active")),
        _ => play.clone(),
    })
    .await
}

#[rstest]
#[case(Play::answer(200, r#"{"ok":true}"#), "changed")]
#[case(Play::answer(200, r#"{"ok":false}"#), "refused")]
#[case(Play::answer(200, "{}"), "unknown")]
#[case(Play::answer(200, "<html>log on first</html>"), "unknown")]
#[case(Play::answer(409, r#"{"code":"locked"}"#), "already")]
#[case(Play::answer(409, r#"{"code":"busy"}"#), "refused")]
#[case(Play::answer(400, ""), "refused")]
#[case(Play::answer(401, ""), "retry")]
#[case(Play::answer(403, r#"{"ok":false}"#), "retry")]
#[case(Play::answer(404, ""), "retry")]
#[case(Play::answer(429, "").with("Retry-After", "60"), "retry")]
#[case(Play::answer(500, ""), "unknown")]
#[case(Play::answer(503, "<html>"), "retry")]
#[case(Play::Silence, "unknown")]
#[case(Play::HangUp, "unknown")]
#[case(Play::CutOff, "unknown")]
#[tokio::test]
async fn an_answer_to_a_change_means(#[case] play: Play, #[case] expected: &str) {
    let double = answering_changes_with(play).await;
    let rest = to(&double);
    for step in [revoke(), delete()] {
        let result = apply(&rest, &step).await;
        assert_eq!(word(&result), expected, "{result:?}");
    }
}

#[rstest]
#[case(Play::answer(401, ""))]
#[case(Play::answer(404, "<html>no such page</html>"))]
#[case(Play::answer(404, r#"{"code":"no such page"}"#))]
#[case(Play::answer(500, ""))]
#[case(Play::answer(200, "<html>log on first</html>"))]
#[case(Play::answer(200, "{}"))]
#[case(Play::answer(200, r#"{"id":7,"login":"mzsmitj"}"#))]
#[case(Play::Silence)]
#[case(Play::CutOff)]
#[tokio::test]
async fn what_can_not_be_looked_at_is_neither_done_nor_gone(#[case] play: Play) {
    let double = Double::start(move |_| play.clone()).await;
    let rest = to(&double);
    let result = apply(&rest, &revoke()).await;
    assert_eq!(word(&result), "retry", "{result:?}");
    assert!(matches!(see(&rest, &revoke()).await, Err(Fault::Retry(_))));
    assert!(matches!(rest.observe(&of_user("mzsmitj")).await, Err(Fault::Retry(_))));
    assert!(double.asked().iter().all(|asked| asked.method == "GET"));
}

#[rstest]
#[case(user(8, "mzsmitj", "active"), "refused")]
#[case(user(7, "mbdoej", "active"), "drifted")]
#[case(user(7, "breakglass1", "active"), "refused")]
#[case(user(7, "mzsmitj", "locked"), "already")]
#[case(user(7, "MZSMITJ", "active"), "changed")]
#[tokio::test]
async fn only_the_account_that_the_plan_meant_is_shut(
    #[case] account: serde_json::Value,
    #[case] expected: &str,
) {
    let double = Double::start(move |asked| match asked.method.as_str() {
        "GET" => Play::answer(200, account.clone()),
        _ => Play::answer(200, r#"{"ok":true}"#),
    })
    .await;
    let result = apply(&to(&double), &revoke()).await;
    assert_eq!(word(&result), expected, "{result:?}");
    let changed = double.asked().iter().any(|asked| asked.method == "POST");
    assert_eq!(changed, expected == "changed");
}

#[tokio::test]
async fn a_change_goes_out_as_the_templates_say_and_is_seen_afterwards() {
    let state = Arc::new(Mutex::new("active"));
    let double = Double::start(move |asked| {
        let mut state = state.lock().unwrap();
        match asked.path.as_str() {
            "/users/7" => Play::answer(200, user(7, "mzsmitj", &state)),
            "/users/7/lock" => {
                *state = "locked";
                Play::answer(200, r#"{"ok":true}"#)
            }
            _ => none(),
        }
    })
    .await;
    let rest = to(&double);
    assert!(matches!(see(&rest, &revoke()).await, Ok(Seen::Otherwise(_))));
    let outcome = apply(&rest, &revoke()).await.unwrap();
    let Outcome::Changed(receipt) = outcome else { panic!("{outcome:?}") };
    assert_eq!(receipt.before["enabled"], ["true"]);
    let asked = double.asked();
    let change = asked.iter().find(|asked| asked.method == "POST").unwrap();
    assert_eq!(change.header("idempotency-key"), Some(revoke().id.to_string().as_str()));
    assert_eq!(change.json(), json!({ "by": CaseId(uuid::Uuid::nil()).to_string() }));
    assert_eq!(see(&rest, &revoke()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&rest, &revoke()).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn a_success_that_is_a_lie_is_seen() {
    let double = answering_changes_with(Play::answer(200, r#"{"ok":true}"#)).await;
    let rest = to(&double);
    for step in [revoke(), delete()] {
        assert_eq!(word(&apply(&rest, &step).await), "changed");
        assert!(matches!(see(&rest, &step).await, Ok(Seen::Otherwise(_))));
    }
}

#[tokio::test]
async fn an_account_that_is_gone_needs_nothing() {
    let double = Double::start(|_| none()).await;
    let rest = to(&double);
    for step in [revoke(), delete()] {
        assert_eq!(apply(&rest, &step).await, Ok(Outcome::AlreadySo));
        assert_eq!(see(&rest, &step).await, Ok(Seen::AsWanted));
    }
}

#[tokio::test]
async fn a_mailbox_is_emptied_and_one_that_nothing_looks_at_stays_unverified() {
    let messages = Arc::new(Mutex::new(3));
    let double = Double::start(move |asked| {
        let mut messages = messages.lock().unwrap();
        if asked.path == "/mail/purge" {
            *messages = 0;
        }
        Play::answer(200, json!({ "ok": true, "messages": *messages }))
    })
    .await;
    let rest = to(&double);
    assert!(matches!(see(&rest, &delete_mailbox()).await, Ok(Seen::Otherwise(_))));
    assert_eq!(word(&apply(&rest, &delete_mailbox()).await), "changed");
    let purge = double.asked().into_iter().find(|asked| asked.path == "/mail/purge").unwrap();
    assert_eq!(purge.body, "user=mzsmitj");
    assert_eq!(see(&rest, &delete_mailbox()).await, Ok(Seen::AsWanted));
    assert_eq!(word(&apply(&rest, &delete_mailbox()).await), "already");
    let disable = step("mzsmitj", |account| Action::DisableMailbox { account });
    assert_eq!(word(&apply(&rest, &disable).await), "changed");
    assert!(matches!(see(&rest, &disable).await, Ok(Seen::CannotTell(_))));
}

#[rstest]
#[case("a/../../admin?x=1&y#z", "/mail/a%2F..%2F..%2Fadmin%3Fx%3D1%26y%23z")]
#[case("a&user=b", "/mail/a%26user%3Db")]
#[case("{{ 7 * 7 }}", "/mail/%7B%7B%207%20%2A%207%20%7D%7D")]
#[tokio::test]
async fn a_hostile_user_id_asks_for_nobody_else(#[case] user_id: &str, #[case] path: &str) {
    let double = Double::start(|_| Play::answer(200, r#"{"ok":true,"messages":1}"#)).await;
    let step = step(user_id, |account| Action::DeleteMailbox { account });
    apply(&to(&double), &step).await.unwrap();
    let asked = double.asked();
    assert_eq!(asked[0].path, path);
    let sent: Vec<_> = form_urlencoded::parse(asked[1].body.as_bytes()).collect();
    assert_eq!(sent, [("user".into(), user_id.into())]);
}

#[tokio::test]
async fn a_user_id_of_dots_is_asked_for_nowhere() {
    let double = Double::start(|_| Play::answer(200, r#"{"ok":true}"#)).await;
    let step = step("..", |account| Action::DisableMailbox { account });
    let result = apply(&to(&double), &step).await;
    assert_eq!(word(&result), "refused", "{result:?}");
    assert!(double.asked().is_empty());
}

fn searching(by_user_id: serde_json::Value) -> impl Fn(&Asked) -> Play {
    move |asked| match asked.path.as_str() {
        "/users?login=mzsmitj" => Play::answer(200, json!({ "users": by_user_id })),
        "/badges/00123" => Play::answer(200, user(7, "mzsmitj", "active")),
        _ => none(),
    }
}

#[tokio::test]
async fn an_account_is_found_by_either_key_and_comes_once() {
    let double = Double::start(searching(json!([user(7, "mzsmitj", "active")]))).await;
    let keys = PersonKeys {
        user_ids: vec![UserId::new("mzsmitj").unwrap(), UserId::new("other").unwrap()],
        employee_numbers: vec![EmployeeNumber::new("00123").unwrap()],
        ids: vec![StableId::new("8").unwrap()],
        homes: Vec::new(),
    };
    let observed = to(&double).observe(&Scope::People(vec![keys])).await.unwrap();
    let [account] = observed.accounts.as_slice() else { panic!("{observed:?}") };
    assert_eq!((account.id.as_str(), account.user_id.as_str()), ("7", "mzsmitj"));
    assert_eq!((account.realm, account.enabled), (Realm::System, true));
    assert_eq!(account.name.last, "Smith");
    assert!(account.protection.is_none());
}

#[tokio::test]
async fn two_accounts_with_one_key_are_not_touched() {
    let two = json!([user(7, "mzsmitj", "active"), user(8, "mzsmitj", "active")]);
    let double = Double::start(searching(two)).await;
    let observed = to(&double).observe(&of_user("mzsmitj")).await.unwrap();
    assert_eq!(observed.accounts.len(), 2);
    let never = |p: &Option<Protection>| matches!(p, Some(Protection::Never { .. }));
    assert!(observed.accounts.iter().all(|account| never(&account.protection)));
}

#[tokio::test]
async fn a_system_that_answers_for_others_gives_no_account() {
    let double = Double::start(searching(json!([user(8, "mbdoej", "active")]))).await;
    let fault = to(&double).observe(&of_user("mzsmitj")).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused(_)), "{fault}");
}

#[tokio::test]
async fn a_listing_of_all_is_not_pretended() {
    let double = Double::start(|_| none()).await;
    let rest = to(&double);
    for scope in [Scope::AllAccounts, Scope::TakenNames] {
        assert!(rest.observe(&scope).await.is_err());
    }
}

#[tokio::test]
async fn a_check_makes_the_searches() {
    let double = Double::start(|_| none()).await;
    assert_eq!(to(&double).probe().await[0].problem, None);
    let double = Double::start(|_| Play::answer(401, "")).await;
    let tried = to(&double).probe().await;
    assert!(tried[0].problem.as_deref().unwrap().contains("login"), "{tried:?}");
}

#[test]
fn abilities_follow_from_what_is_written() {
    let mut settings = settings("https://omis.dmh.test");
    assert_eq!(settings.problems(), Vec::new());
    let all =
        [Ability::Access, Ability::DeleteAccount, Ability::DisableMailbox, Ability::DeleteMailbox];
    assert_eq!(settings.abilities(), all);
    (settings.delete, settings.disable_mailbox) = (None, None);
    assert_eq!(settings.abilities(), [Ability::Access, Ability::DeleteMailbox]);
}

/// What one change of the settings makes wrong.
fn keys_after(change: impl FnOnce(&mut RestSettings)) -> Vec<String> {
    let mut settings = settings("https://omis.dmh.test");
    change(&mut settings);
    settings.problems().into_iter().map(|problem| problem.key.into_owned()).collect()
}

fn change_revoke(change: impl FnOnce(&mut Operation)) -> Vec<String> {
    keys_after(|settings| change(settings.revoke.as_mut().unwrap()))
}

#[test]
fn each_mistake_is_told_at_its_key() {
    assert_eq!(keys_after(|s| s.find.clear()), ["find"]);
    assert_eq!(keys_after(|s| s.look = None), ["look"]);
    assert_eq!(keys_after(|s| s.account = None), ["find[1].by", "account"]);
    assert_eq!(keys_after(|s| s.window = 0), ["window"]);
    assert_eq!(keys_after(|s| s.find[0].path = "/users".into()), ["find[0].path"]);
    assert_eq!(keys_after(|s| s.find[0].path = "/{{ employee_number }}".into()), ["find[0].path"]);
    assert_eq!(keys_after(|s| s.find[1].accounts = "boddy".into()), ["find[1].accounts"]);
    assert_eq!(
        keys_after(|s| s.account.as_mut().unwrap().enabled = "user.on".into()),
        ["account.enabled"]
    );
    let gone = |s: &mut RestSettings| s.look.as_mut().unwrap().gone = "status == 404".into();
    assert_eq!(keys_after(gone), ["look.gone"]);
    let path = |s: &mut RestSettings| s.look.as_mut().unwrap().path = "/{{ user_id }}".into();
    assert_eq!(keys_after(path), ["look.path"]);
    assert_eq!(change_revoke(|o| o.path = "/users/lock".into()), ["revoke.path"]);
    assert_eq!(change_revoke(|o| o.path = "users/{{ id }}".into()), ["revoke.path"]);
    assert_eq!(change_revoke(|o| o.path = "/{{ step }}".into()), ["revoke.path"]);
    assert_eq!(change_revoke(|o| o.body = Some("{{ user_id }}".into())), ["revoke.body"]);
    assert_eq!(change_revoke(|o| o.body = Some("{{ user_id".into())), ["revoke.body"]);
    assert_eq!(change_revoke(|o| o.success = "status = 200".into()), ["revoke.success"]);
    assert_eq!(change_revoke(|o| o.already = Some("state".into())), ["revoke.already"]);
    let header = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
    assert_eq!(change_revoke(|o| o.headers = header("a b", "x")), ["revoke.headers.a b"]);
    assert_eq!(change_revoke(|o| o.headers = header("X-A", "{{ x }}")), ["revoke.headers.X-A"]);
    let none = |s: &mut RestSettings| {
        (s.revoke, s.delete, s.disable_mailbox, s.delete_mailbox) = (None, None, None, None);
    };
    assert_eq!(keys_after(none), ["url"]);
}
