//! What a leaver holds outside the directories: systems (D4), and what others have to end (D5, D14).
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::{Timestamp, civil::date};
use lapsed_core::citation::Rule;
use lapsed_core::facts::*;
use lapsed_core::journal::StepState;
use lapsed_core::observed::{GroupKind, GroupLink, ObservedAccount, Realm};
use lapsed_core::policy::Policy;
use lapsed_core::policy::departure::{RequestReason, RequestRule, RequestScope, WorksiteClass};
use lapsed_core::reconcile::{Departure, Reconciled, departure};
use lapsed_core::step::{Action, Due, Receipt, StepId};
use rstest::rstest;
use uuid::Uuid;

type Journal<'a> = &'a dyn Fn(StepId) -> Option<StepState>;

fn connector(name: &str) -> ConnectorName {
    ConnectorName::new(name).unwrap()
}

fn person() -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(1)));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: EmployeeNumber::new("00123").ok(),
        former_numbers: Vec::new(),
        user_id: None,
        record: String::new(),
        ordinal: 0,
        name: Some(PersonName {
            last: "Smith".into(),
            first: "John".into(),
            preferred: Some("Jack".into()),
        }),
        status: Status::Departed,
        starts_on: None,
        ends_on: Some(date(2026, 11, 20)),
        worksite: LocationId::new("q").ok(),
        kind: PersonKind::new("staff").ok(),
        supervisor: None,
    });
    person
}

fn account(realm: Realm, user_id: &str) -> ObservedAccount {
    ObservedAccount {
        held_in_trust: Vec::new(),
        details: lapsed_core::observed::Details::default(),
        id: StableId::new(format!("id-{realm:?}-{user_id}")).unwrap(),
        user_id: UserId::new(user_id).unwrap(),
        other_user_ids: Vec::new(),
        place: user_id.into(),
        enabled: true,
        employee_number: None,
        other_employee_numbers: Vec::new(),
        name: PersonName { last: "Smith".into(), first: "John".into(), preferred: None },
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: vec![GroupLink {
            id: StableId::new("g1").unwrap(),
            name: "SAMII-Clerks".into(),
            kind: GroupKind::Security,
        }],
        realm,
    }
}

fn own() -> (ConnectorName, ObservedAccount) {
    let employee_number = EmployeeNumber::new("00123").ok();
    (
        connector("directory"),
        ObservedAccount { employee_number, ..account(Realm::Directory, "mqsmitj") },
    )
}

fn nameless(user_id: &str) -> ObservedAccount {
    let name = PersonName { last: String::new(), first: String::new(), preferred: None };
    ObservedAccount { name, groups: Vec::new(), ..account(Realm::System, user_id) }
}

fn run(
    policy: &Policy,
    accounts: &[(ConnectorName, ObservedAccount)],
    before: &[(ConnectorName, ObservedAccount)],
    journal: Journal<'_>,
) -> Reconciled {
    run_with(policy, accounts, before, journal, true)
}

fn run_with(
    policy: &Policy,
    accounts: &[(ConnectorName, ObservedAccount)],
    before: &[(ConnectorName, ObservedAccount)],
    journal: Journal<'_>,
    directories_read: bool,
) -> Reconciled {
    let person = person();
    let case = Case {
        id: CaseId::departure(person.id, 0),
        kind: lapsed_core::facts::CaseKind::Departure,
        person: person.id,
        state: CaseState::Open,
        effective_at: Timestamp::UNIX_EPOCH,
        for_cause: false,
        opened_at: Timestamp::UNIX_EPOCH,
        disabled_on: Some(date(2026, 11, 20)),
        worksite_class: None,
        reason: "notice from hr".into(),
        before: before.to_vec(),
    };
    departure(&Departure {
        wishes: &[],
        case: &case,
        person: &person,
        accounts,
        of_others: &std::collections::BTreeSet::new(),
        directories_read,
        worksite_class: WorksiteClass::Facility,
        policy,
        today: date(2026, 11, 20),
        journal,
        by_operator: false,
    })
    .unwrap()
}

fn told(reconciled: &Reconciled, rule: Rule) -> Vec<String> {
    let of_rule = reconciled.steps.iter().filter(|step| step.rule == rule);
    of_rule.map(|step| format!("{}: {}", step.connector, step.action.describe())).collect()
}

fn none(_: StepId) -> Option<StepState> {
    None
}

#[test]
fn access_to_a_system_is_revoked_once_and_again_when_it_was_put_back() {
    let system = |enabled| (connector("cimor"), ObservedAccount { enabled, ..nameless("mqsmitj") });
    let policy = Policy::built_in();
    let revoke = ["cimor: revoke access of mqsmitj"];
    let open = run(&policy, &[own(), system(true)], &[], &none);
    assert_eq!(told(&open, Rule::D4), revoke);
    assert_eq!(open.links.len(), 2, "both are known as theirs from now on");
    let done = |_| Some(StepState::Verified { receipt: None, at: Timestamp::UNIX_EPOCH });
    assert_eq!(told(&run(&policy, &[own(), system(true)], &[], &done), Rule::D4), revoke);
    let shut = run(&policy, &[own(), system(false)], &[], &none);
    assert_eq!(told(&shut, Rule::D4), [""; 0]);
    assert!(shut.explanations.iter().any(|e| e.text.contains("revoked already")));
}

#[rstest]
#[case::same_user_id_as_the_directory(nameless("MQSMITJ"), true)]
#[case::name_agrees(account(Realm::System, "jsmith"), true)]
#[case::number_agrees(ObservedAccount { employee_number: EmployeeNumber::new("00123").ok(), ..nameless("u77") }, true)]
#[case::another_number(ObservedAccount { employee_number: EmployeeNumber::new("99").ok(), ..nameless("mqsmitj") }, false)]
#[case::another_name(
    ObservedAccount { name: PersonName { last: "Doe".into(), first: "Jane".into(), preferred: None }, ..account(Realm::System, "mqsmitj") },
    false
)]
#[case::nothing_but_a_key(nameless("jsmith"), false)]
fn an_account_of_a_system_counts_when_a_second_attribute_agrees(
    #[case] account: ObservedAccount,
    #[case] counts: bool,
) {
    let found = run(&Policy::built_in(), &[own(), (connector("cimor"), account)], &[], &none);
    assert_eq!(!told(&found, Rule::D4).is_empty(), counts);
    assert_eq!(found.doubtful.is_empty(), counts, "{:?}", found.doubtful);
    assert!(found.findings.is_empty(), "it never holds up the directory's part");
    assert!(!told(&found, Rule::D2).is_empty());
}

#[test]
fn a_system_alone_starts_no_clock_and_has_no_mailbox() {
    let found =
        run(&Policy::built_in(), &[(connector("cimor"), account(Realm::System, "x"))], &[], &none);
    assert!(!found.all_shut);
    assert!(found.steps.iter().all(|step| !step.action.destroys()));
}

#[test]
fn an_account_of_a_system_is_deleted_only_where_the_policy_names_the_system() {
    let mut policy = Policy::built_in();
    policy.departure.delete_accounts.insert(connector("cimor"), 90);
    let accounts = [
        own(),
        (connector("cimor"), nameless("mqsmitj")),
        (connector("omis"), nameless("mqsmitj")),
    ];
    let found = run(&policy, &accounts, &[], &none);
    let deletions: Vec<_> = found.steps.iter().filter(|s| s.action.destroys()).collect();
    let [only] = deletions.as_slice() else { panic!("{deletions:?}") };
    assert_eq!(only.connector, connector("cimor"));
    assert!(matches!(&only.due, Due::On { date, .. } if *date == jiff::civil::date(2027, 2, 18)));
}

fn request(who: RequestScope) -> RequestRule {
    RequestRule {
        name: "SAM II HR".into(),
        connector: connector("agencies"),
        reason: RequestReason::Agency,
        to: vec!["security@oa.test".into()],
        who,
        remind_after_work_days: 5,
        reminders: 2,
    }
}

#[rstest]
#[case::everyone(RequestScope::default(), true)]
#[case::a_group(RequestScope { groups: vec!["samii-*".into()], ..Default::default() }, true)]
#[case::another_group(RequestScope { groups: vec!["MAIRS".into()], ..Default::default() }, false)]
#[case::kind_and_place(RequestScope { kinds: vec!["staff".into()], locations: vec![LocationId::new("q").unwrap()], ..Default::default() }, true)]
#[case::another_place(RequestScope { kinds: vec!["staff".into()], locations: vec![LocationId::new("z").unwrap()], ..Default::default() }, false)]
fn a_request_goes_out_with_the_departures_that_it_fits(
    #[case] who: RequestScope,
    #[case] goes: bool,
) {
    let mut policy = Policy::built_in();
    policy.departure.requests.push(request(who));
    let found = run(&policy, &[own()], &[], &none);
    assert_eq!(!told(&found, Rule::D5).is_empty(), goes);
}

#[test]
fn groups_count_as_they_were_before_the_departure_and_nobody_is_asked_twice() {
    let mut policy = Policy::built_in();
    let who = RequestScope { groups: vec!["SAMII-*".into()], ..Default::default() };
    policy.departure.requests.push(request(who));
    let out_of_groups = (own().0, ObservedAccount { groups: Vec::new(), ..own().1 });
    let later = run(&policy, std::slice::from_ref(&out_of_groups), &[own()], &none);
    assert_eq!(told(&later, Rule::D5), ["agencies: ask to revoke SAM II HR of mqsmitj"]);
    let asked =
        |_| Some(StepState::Asked { receipt: Receipt::default(), at: Timestamp::UNIX_EPOCH });
    assert_eq!(told(&run(&policy, &[own()], &[], &asked), Rule::D5), [""; 0]);
    let done = |_| Some(StepState::Verified { receipt: None, at: Timestamp::UNIX_EPOCH });
    assert_eq!(told(&run(&policy, &[own()], &[], &done), Rule::D5), [""; 0]);
}

#[test]
fn a_request_says_no_more_than_is_needed() {
    let mut policy = Policy::built_in();
    policy.departure.requests.push(request(RequestScope::default()));
    let found = run(&policy, &[own()], &[], &none);
    let facts = found.steps.iter().find_map(|step| match &step.action {
        Action::RequestRevocation { facts, .. } => Some(facts.clone()),
        _ => None,
    });
    let facts = facts.unwrap();
    assert_eq!((facts.name.as_str(), facts.user_id.as_str()), ("Jack Smith", "mqsmitj"));
    assert_eq!(facts.last_day, Some(date(2026, 11, 20)));
    assert_eq!(facts.location.as_deref(), Some("Rolla Regional Center"));
    assert!(!serde_json::to_string(&facts).unwrap().contains("00123"));
}

#[test]
fn the_security_officer_of_the_worksite_is_asked_and_one_who_is_not_known_is_somebodys_business() {
    let mut policy = Policy::built_in();
    let to_officer = RequestRule {
        reason: RequestReason::SecurityOfficer,
        to: Vec::new(),
        ..request(RequestScope::default())
    };
    policy.departure.requests.push(to_officer);
    let found = run(&policy, &[own()], &[], &none);
    assert_eq!(told(&found, Rule::D14), [""; 0]);
    assert!(found.doubtful[0].contains("no security officer is known"));
    let place = policy.locations.get_mut(&LocationId::new("q").unwrap()).unwrap();
    place.security_officer = vec!["lso-rolla@dmh.test".into()];
    assert_eq!(told(&run(&policy, &[own()], &[], &none), Rule::D14).len(), 1);
}

#[test]
fn a_name_that_only_looks_linked_in_a_system_makes_nobodys_account_the_leavers() {
    let mut policy = Policy::built_in();
    policy.departure.linked_accounts = vec!["adm-{{ user_id }}".into()];
    policy.departure.delete_accounts.insert(connector("cimor"), 30);
    let jones = PersonName { last: "Jones".into(), first: "Mary".into(), preferred: None };
    let theirs = |id: &str| ObservedAccount { name: jones.clone(), ..account(Realm::System, id) };
    let accounts = [
        own(),
        (connector("cimor"), theirs("mzjones")),
        (connector("cimor"), ObservedAccount { name: jones.clone(), ..theirs("adm-mzjones") }),
        (connector("cimor"), nameless("adm-mzjones")),
    ];
    let found = run(&policy, &accounts, &[], &none);
    assert_eq!(told(&found, Rule::D4), [""; 0]);
    assert_eq!(found.doubtful.len(), 3, "{:?}", found.doubtful);
}

#[test]
fn a_person_with_accounts_in_systems_only_is_asked_about_and_put_before_a_person() {
    let mut policy = Policy::built_in();
    policy.departure.requests.push(request(RequestScope::default()));
    let only = [(connector("omis"), account(Realm::System, "smithj"))];
    let found = run(&policy, &only, &[], &none);
    assert_eq!(told(&found, Rule::D4), ["omis: revoke access of smithj"]);
    assert_eq!(told(&found, Rule::D5).len(), 1);
    assert!(found.doubtful.iter().any(|text| text.contains("only in systems")));
}

/// A second request would follow, by the account in the directory, and a person would look in vain.
#[test]
fn while_a_directory_does_not_answer_nothing_is_said_of_accounts_that_it_may_have() {
    let mut policy = Policy::built_in();
    policy.departure.requests.push(request(RequestScope::default()));
    let theirs = (connector("omis"), account(Realm::System, "smithj"));
    let unknown = (connector("mainframe"), nameless("mqsmitj"));
    let found = run_with(&policy, &[theirs, unknown], &[], &none, false);
    assert_eq!(told(&found, Rule::D4), ["omis: revoke access of smithj"]);
    assert_eq!((told(&found, Rule::D5), found.doubtful), (vec![], vec![]));
}

#[test]
fn an_account_that_is_shut_and_does_not_agree_is_somebodys_business() {
    let mut policy = Policy::built_in();
    policy.departure.requests.push(request(RequestScope::default()));
    let (name, own) = own();
    let married = PersonName { last: "Miller".into(), first: "John".into(), preferred: None };
    let shut = ObservedAccount { enabled: false, groups: Vec::new(), name: married, ..own };
    let found = run(&policy, &[(name, shut)], &[], &none);
    assert!(found.steps.is_empty() && found.findings.is_empty());
    assert!(found.doubtful[0].contains("none agrees with the notice"), "{:?}", found.doubtful);
}
