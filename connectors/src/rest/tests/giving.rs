//! Accounts that are made, opened with roles and renamed, in a system that keeps what it is told.

use super::system::{Mood, System};
use super::*;
use lapsed_core::facts::{PersonName, SystemRole};
use lapsed_core::step::{Blueprint, NewName};

fn request(method: Verb, path: &str, body: Option<&str>) -> Operation {
    Operation { method, success: "body.ok".into(), already: None, ..operation(path, body) }
}

fn giving(url: &str) -> RestSettings {
    let mut settings = settings(url);
    let body =
        r#"{"login": "{{ user_id }}", "badge": "{{ employee_number }}", "last": "{{ last }}"}"#;
    let roles = r#"{"roles": [{% for role in roles %}"{{ role }}"{% if not loop.last %},{% endif %}{% endfor %}]}"#;
    settings.create = Some(Operation {
        already: Some("status == 409 and body.code == 'taken'".into()),
        ..request(Verb::Post, "/users", Some(body))
    });
    settings.grant = Some(request(Verb::Post, "/users/{{ id }}/access", Some(roles)));
    settings.rename = Some(request(
        Verb::Patch,
        "/users/{{ id }}",
        Some(r#"{"login": "{{ user_id }}", "last": "{{ last }}"}"#),
    ));
    settings.account.as_mut().unwrap().roles = Some("account.roles".into());
    settings
}

/// Each role by a request of its own; the account is opened by another.
fn one_by_one(url: &str) -> RestSettings {
    let mut settings = giving(url);
    settings.grant = Some(request(Verb::Post, "/users/{{ id }}/access", Some("{}")));
    settings.give_role = Some(request(Verb::Put, "/users/{{ id }}/roles/{{ role }}", None));
    settings.take_role = Some(request(Verb::Delete, "/users/{{ id }}/roles/{{ role }}", None));
    settings
}

fn blueprint(last: &str) -> Blueprint {
    Blueprint {
        user_id: UserId::new("mzsmitj").unwrap(),
        name: PersonName { last: last.into(), first: "Jan".into(), preferred: None },
        display_name: format!("Jan {last}"),
        mail: None,
        employee_number: Some(EmployeeNumber::new("00123").unwrap()),
        kind: None,
        location: None,
        location_name: None,
        title: None,
        supervisor: None,
        home: None,
        uid_number: None,
        ends_on: None,
    }
}

fn about(account: Target, action: impl FnOnce(Target) -> Action) -> Step {
    let mut step = step("mzsmitj", |account| Action::RevokeAccess { account });
    step.action = action(account);
    step
}

fn to_be_made() -> Target {
    Target::to_be_made(&UserId::new("mzsmitj").unwrap())
}

fn known() -> Target {
    Target { id: StableId::new("7").unwrap(), label: "mzsmitj".into() }
}

fn create_with(last: &str) -> Step {
    let blueprint = Box::new(blueprint(last));
    about(to_be_made(), |account| Action::CreateAccount { account, blueprint })
}

fn create() -> Step {
    create_with("Smith")
}

fn grant_to(account: Target, roles: &[&str]) -> Step {
    let roles = roles.iter().map(|role| SystemRole::new(*role).unwrap()).collect();
    about(account, |account| Action::GrantAccess { account, roles })
}

fn rename(to: &str) -> Step {
    let to = Box::new(NewName {
        user_id: UserId::new(to).unwrap(),
        name: PersonName { last: "Doe".into(), first: "Jan".into(), preferred: None },
        display_name: "Jan Doe".into(),
        mail: None,
        aliases: Vec::new(),
        home: None,
        location: None,
        location_name: None,
    });
    about(known(), |account| Action::Rename { account, to })
}

#[rstest]
#[case::all_roles_in_one_request(giving)]
#[case::each_role_by_itself(one_by_one)]
#[case::with_a_read_back_that_knows_no_roles(with_read_back)]
#[tokio::test]
async fn an_account_is_made_shut_opened_with_its_roles_and_renamed(
    #[case] settings: fn(&str) -> RestSettings,
) {
    let system = System::start().await;
    let rest = connect(&settings(&system.double.url)).unwrap();
    let grant = |roles| grant_to(known(), roles);
    let all = [create(), grant(&["clerk", "reader"]), grant(&["reader"]), rename("mzdoej")];
    for step in all {
        let before = see(&rest, &step).await;
        assert!(matches!(before, Ok(Seen::Otherwise(_))), "{before:?}");
        let outcome = apply(&rest, &step).await;
        assert_eq!(word(&outcome), "changed", "{outcome:?}");
        assert_eq!(see(&rest, &step).await, Ok(Seen::AsWanted));
        let asked = system.changes();
        assert_eq!(apply(&rest, &step).await, Ok(Outcome::AlreadySo));
        assert_eq!(system.changes(), asked);
    }
    let users = system.users();
    let [user] = users.as_slice() else { panic!("{users:?}") };
    assert_eq!((user.login.as_str(), user.open, user.last.as_str()), ("mzdoej", true, "Doe"));
    assert_eq!(user.roles, ["reader"]);
    let observed = rest.observe(&of_user("mzdoej")).await.unwrap();
    assert_eq!(observed.accounts[0].details.roles, [SystemRole::new("reader").unwrap()]);
}

#[rstest]
#[case::making(&[], create())]
#[case::opening(&["mzsmitj"], grant_to(known(), &["clerk"]))]
#[case::opening_by_name(&["mzsmitj"], grant_to(to_be_made(), &["clerk"]))]
#[case::renaming(&["mzsmitj"], rename("mzdoej"))]
#[tokio::test]
async fn a_lost_reply_is_unknown_and_the_change_is_not_made_twice(
    #[case] there: &[&str],
    #[case] step: Step,
) {
    let system = System::start().await;
    for login in there {
        system.add(login, "00123", "Smith");
    }
    let rest = connect(&giving(&system.double.url)).unwrap();
    system.set(Mood::LosesReply);
    let result = apply(&rest, &step).await;
    assert_eq!(word(&result), "unknown", "{result:?}");
    assert_eq!(see(&rest, &step).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&rest, &step).await, Ok(Outcome::AlreadySo));
    assert_eq!((system.changes().len(), system.users().len()), (1, 1));
}

#[rstest]
#[case::making(&[], create())]
#[case::opening(&["mzsmitj"], grant_to(known(), &["clerk"]))]
#[case::renaming(&["mzsmitj"], rename("mzdoej"))]
#[tokio::test]
async fn a_gift_that_is_a_lie_is_seen(#[case] there: &[&str], #[case] step: Step) {
    let system = System::start().await;
    for login in there {
        system.add(login, "00123", "Smith");
    }
    let rest = connect(&giving(&system.double.url)).unwrap();
    system.set(Mood::Lies);
    assert_eq!(word(&apply(&rest, &step).await), "changed");
    assert!(matches!(see(&rest, &step).await, Ok(Seen::Otherwise(_))));
}

#[rstest]
#[case::another_number("mzsmitj", "00999", "Smith", "refused")]
#[case::no_number("mzsmitj", "", "Smith", "refused")]
#[case::an_account_of_theirs_with_another_name("mzold", "00123", "Smith", "refused")]
#[case::their_own("MZSMITJ", "00123", "Other", "already")]
#[tokio::test]
async fn what_is_there_is_taken_for_theirs_only_where_it_is_known_to_be(
    #[case] login: &str,
    #[case] badge: &str,
    #[case] last: &str,
    #[case] expected: &str,
) {
    let system = System::start().await;
    system.add(login, badge, last);
    let rest = connect(&giving(&system.double.url)).unwrap();
    let result = apply(&rest, &create()).await;
    assert_eq!(word(&result), expected, "{result:?}");
    assert_eq!(system.changes(), [] as [&str; 0]);
}

#[tokio::test]
async fn an_account_with_a_number_is_nobodys_who_has_none() {
    let system = System::start().await;
    system.add("mzsmitj", "00123", "Smith");
    let rest = connect(&giving(&system.double.url)).unwrap();
    let mut step = create();
    let Action::CreateAccount { blueprint, .. } = &mut step.action else { panic!() };
    blueprint.employee_number = None;
    let result = apply(&rest, &step).await;
    assert_eq!(word(&result), "refused", "{result:?}");
    assert_eq!(system.changes(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_system_that_opens_what_it_makes_has_it_shut_again() {
    let system = System::start().await;
    system.set(Mood::OpensWhatItMakes);
    let rest = connect(&giving(&system.double.url)).unwrap();
    assert_eq!(word(&apply(&rest, &create()).await), "changed");
    assert_eq!(system.changes(), ["POST /users", "POST /users/7/lock"]);
    assert!(!system.users()[0].open);
}

#[rstest]
#[case::busy(Play::answer(503, ""), "unknown")]
#[case::refused(Play::answer(200, json!({ "ok": false })), "refused")]
#[case::failed_within(Play::answer(500, ""), "unknown")]
#[case::lost(Play::HangUp, "unknown")]
#[case::a_lie(Play::answer(200, json!({ "ok": true })), "unknown")]
#[tokio::test]
async fn a_new_account_that_could_not_be_shut_is_shut_by_the_next_try_and_not_called_made_before(
    #[case] first: Play,
    #[case] expected: &str,
) {
    let system = System::start().await;
    system.leaves_open(vec![first]);
    let rest = connect(&giving(&system.double.url)).unwrap();
    let result = apply(&rest, &create()).await;
    assert_eq!(word(&result), expected, "{result:?}");
    assert!(system.users()[0].open);
    assert!(matches!(see(&rest, &create()).await, Ok(Seen::Otherwise(_))));
    let again = apply(&rest, &create()).await;
    assert_eq!(word(&again), "changed", "{again:?}");
    assert!(!system.users()[0].open);
    assert_eq!(see(&rest, &create()).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&rest, &create()).await, Ok(Outcome::AlreadySo));
}

#[tokio::test]
async fn an_open_account_is_shut_where_an_earlier_daemon_may_have_made_it_and_left_alone_elsewhere()
{
    let system = System::start().await;
    system.add("mzsmitj", "00123", "Smith");
    system.open_it();
    let rest = connect(&giving(&system.double.url)).unwrap();
    assert_eq!(apply(&rest, &create()).await, Ok(Outcome::AlreadySo));
    assert_eq!(see(&rest, &create()).await, Ok(Seen::AsWanted));
    assert_eq!(system.changes(), [] as [&str; 0]);
    rest.perhaps_begun(create().id);
    assert!(matches!(see(&rest, &create()).await, Ok(Seen::Otherwise(_))));
    let result = apply(&rest, &create()).await;
    assert_eq!(word(&result), "changed", "{result:?}");
    assert!(!system.users()[0].open);
}

#[tokio::test]
async fn a_new_account_that_is_open_is_for_a_person_where_nothing_says_how_it_is_shut() {
    let system = System::start().await;
    system.leaves_open(Vec::new());
    let mut settings = giving(&system.double.url);
    settings.revoke = None;
    let result = apply(&connect(&settings).unwrap(), &create()).await;
    assert!(
        matches!(&result, Err(Fault::Refused(why)) if why.message.contains("`revoke`")),
        "{result:?}"
    );
}

#[tokio::test]
async fn a_late_look_at_an_account_that_was_opened_since_finds_it_made() {
    let system = System::start().await;
    system.leaves_open(vec![Play::answer(500, "")]);
    let one = connect(&giving(&system.double.url)).unwrap();
    assert_eq!(word(&apply(&one, &create()).await), "unknown");
    let other = connect(&giving(&system.double.url)).unwrap();
    other.perhaps_begun(create().id);
    let Ok(Outcome::Changed(receipt)) = apply(&other, &create()).await else { panic!() };
    assert_eq!(word(&apply(&other, &grant_to(to_be_made(), &["clerk"])).await), "changed");
    assert_eq!(see(&other, &create()).await, Ok(Seen::AsWanted));
    one.remind(create().id, &receipt);
    assert_eq!(see(&one, &create()).await, Ok(Seen::AsWanted));
}

#[tokio::test]
async fn a_new_name_that_is_somebody_elses_is_not_taken() {
    let system = System::start().await;
    system.add("mzsmitj", "00123", "Smith");
    system.add("mzdoej", "00999", "Doe");
    let rest = connect(&giving(&system.double.url)).unwrap();
    assert_eq!(word(&apply(&rest, &rename("mzdoej")).await), "refused");
    assert_eq!(system.changes(), [] as [&str; 0]);
}

#[rstest]
#[case::opening(grant_to(known(), &["clerk"]))]
#[case::renaming(rename("mzdoej"))]
#[tokio::test]
async fn an_account_that_vanished_is_given_nothing(#[case] step: Step) {
    let system = System::start().await;
    let rest = connect(&giving(&system.double.url)).unwrap();
    assert_eq!(word(&apply(&rest, &step).await), "drifted");
    assert!(matches!(see(&rest, &step).await, Ok(Seen::Otherwise(_))));
    let waiting = grant_to(to_be_made(), &["clerk"]);
    assert_eq!(word(&apply(&rest, &waiting).await), "retry");
}

#[tokio::test]
async fn a_system_that_makes_accounts_by_giving_access_is_asked_without_an_id() {
    let system = System::start().await;
    let mut settings = giving(&system.double.url);
    settings.grant = settings.create.take();
    let body = r#"{"login": "{{ user_id }}", "badge": "{{ employee_number }}", "last": "x"}"#;
    settings.grant.as_mut().unwrap().body = Some(body.into());
    let rest = connect(&settings).unwrap();
    system.set(Mood::OpensWhatItMakes);
    let step = grant_to(to_be_made(), &[]);
    assert_eq!(word(&apply(&rest, &step).await), "changed");
    assert_eq!(see(&rest, &step).await, Ok(Seen::AsWanted));
    assert_eq!(apply(&rest, &step).await, Ok(Outcome::AlreadySo));
    let with_a_role = grant_to(to_be_made(), &["clerk"]);
    assert!(matches!(see(&rest, &with_a_role).await, Ok(Seen::Otherwise(_))));
}

#[tokio::test]
async fn no_name_becomes_syntax_of_a_request() {
    let system = System::start().await;
    let rest = connect(&giving(&system.double.url)).unwrap();
    let hostile = "O'Br\"ien\", \"admin\": true, \"x\": \"{{ 7 * 7 }}";
    assert_eq!(word(&apply(&rest, &create_with(hostile)).await), "changed");
    assert_eq!(system.users()[0].last, hostile);
}

#[tokio::test]
async fn roles_that_a_system_does_not_show_are_not_called_given() {
    let system = System::start().await;
    system.add("mzsmitj", "00123", "Smith");
    let mut settings = giving(&system.double.url);
    settings.account.as_mut().unwrap().roles = None;
    let rest = connect(&settings).unwrap();
    let step = grant_to(known(), &["clerk"]);
    assert_eq!(word(&apply(&rest, &step).await), "changed");
    assert!(matches!(see(&rest, &step).await, Ok(Seen::CannotTell(_))));
}

#[test]
fn abilities_and_mistakes_of_giving_are_told() {
    let url = "https://omis.dmh.test";
    let all = one_by_one(url).abilities();
    for ability in [Ability::CreateAccount, Ability::GrantAccess, Ability::RenameAccount] {
        assert!(all.contains(&ability), "{ability:?}");
    }
    assert!(!all.contains(&Ability::LastUse));
    assert!(!one_by_one(url).names_count());
    let keys = |change: fn(&mut RestSettings)| -> Vec<String> {
        let mut settings = one_by_one(url);
        change(&mut settings);
        settings.problems().into_iter().map(|problem| problem.key.into_owned()).collect()
    };
    assert_eq!(keys(|_| ()), [] as [&str; 0]);
    let shape = |s: &mut RestSettings| s.account.as_mut().unwrap().roles = None;
    assert_eq!(keys(shape), ["give_role", "take_role"]);
    assert_eq!(keys(|s| s.grant = None), ["give_role", "take_role"]);
    assert_eq!(keys(|s| drop(s.find.remove(0))), ["find"]);
    let path = |s: &mut RestSettings| s.create.as_mut().unwrap().path = "/users/{{ id }}".into();
    assert_eq!(keys(path), ["create.path"]);
    let body = |s: &mut RestSettings| s.rename.as_mut().unwrap().body = Some("{{ roles }}".into());
    assert_eq!(keys(body), ["rename.body"]);
    assert_eq!(
        keys(|s| s.account.as_mut().unwrap().last_used = Some("used".into())),
        ["account.last_used"]
    );
}

/// Says whether the account is open, and nothing of its roles.
fn with_read_back(url: &str) -> RestSettings {
    let mut settings = one_by_one(url);
    let done = "body.state == 'active'".to_owned();
    settings.grant.as_mut().unwrap().read_back =
        Some(ReadBack { path: "/users/{{ id }}".into(), done });
    settings
}

/// A look for two people at once, one of whose accounts is odd.
#[rstest]
#[case::no_roles("roles", json!(null), "found")]
#[case::roles_that_are_none("roles", json!({ "a": 1 }), "found")]
#[case::a_role_that_is_none("roles", json!(["clerk", null]), "found")]
#[case::a_moment_that_is_none("used", json!("never"), "found")]
#[case::a_moment_that_is_a_list("used", json!([]), "found")]
#[case::no_name("name", json!(null), "found")]
#[case::a_number_that_is_none("badge", json!({}), "refused")]
#[case::no_log_on_name("login", json!(null), "refused")]
#[case::no_id("id", json!(null), "retry")]
#[tokio::test]
async fn what_is_odd_in_one_account_holds_up_nobody_else(
    #[case] key: &'static str,
    #[case] value: serde_json::Value,
    #[case] expected: &str,
) {
    let system = System::start().await;
    system.add("mzdoej", "00124", "Doe");
    system.odd("used", json!("2026-11-02T08:00:00Z"));
    system.add("mzsmitj", "00123", "Smith");
    system.odd(key, value);
    let mut settings = giving(&system.double.url);
    settings.account.as_mut().unwrap().last_used = Some("account.used".into());
    let rest = connect(&settings).unwrap();
    let ids = ["mzdoej", "mzsmitj"].map(|id| UserId::new(id).unwrap());
    let keys = |id| PersonKeys { user_ids: vec![id], ..PersonKeys::default() };
    let looked = rest.observe(&Scope::People(ids.map(keys).into())).await;
    let word = match &looked {
        Ok(observed) => {
            assert_eq!(observed.accounts.len(), 2);
            let [sound, odd] = [0, 1].map(|at| observed.accounts[at].details.clone());
            assert!(sound.last_use.unwrap().at.is_some());
            assert_eq!(odd.roles, []);
            assert_eq!(odd.last_use.is_none(), key == "used");
            "found"
        }
        Err(Fault::Refused(_)) => "refused",
        Err(_) => "retry",
    };
    assert_eq!(word, expected, "{looked:?}");
}

#[rstest]
#[case::none(json!(null), "account.roles", &["clerk"], "changed")]
#[case::none_where_none_are_wanted(json!(null), "account.roles", &[], "changed")]
#[case::unreadable(json!({ "a": 1 }), "account.roles", &[], "refused")]
#[case::none_through_a_filter(json!(null), "account.roles | default([], true) | list", &[], "changed")]
#[tokio::test]
async fn nothing_is_given_over_roles_that_can_not_be_read(
    #[case] shown: serde_json::Value,
    #[case] expression: &str,
    #[case] wanted: &[&str],
    #[case] expected: &str,
) {
    let system = System::start().await;
    system.add("mzsmitj", "00123", "Smith");
    system.odd("roles", shown);
    let mut settings = giving(&system.double.url);
    settings.account.as_mut().unwrap().roles = Some(expression.into());
    let rest = connect(&settings).unwrap();
    let result = apply(&rest, &grant_to(known(), wanted)).await;
    assert_eq!(word(&result), expected, "{result:?}");
    assert_eq!(system.changes().is_empty(), expected == "refused");
}
