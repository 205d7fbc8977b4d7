//! What a suspension shuts, and what its end opens again: that, and nothing else.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::{Timestamp, civil::date};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::*;
use lapsed_core::guard::{Baseline, Finding, Limits, Proposed, Verdict, judge_suspensions};
use lapsed_core::journal::StepState;
use lapsed_core::observed::{Details, GroupKind, GroupLink, ObservedAccount, Protection, Realm};
use lapsed_core::plan::PlanKind;
use lapsed_core::policy::Policy;
use lapsed_core::policy::access::SystemRule;
use lapsed_core::reconcile::suspending::{
    Debt, Stopped, Stopping, debts, give_back, still_owed, stop,
};
use lapsed_core::step::{Action, EARLIER_ATTEMPT, REPLY_LOST, Receipt, Step, StepId, WAS_LOCKED};
use rstest::rstest;
use uuid::Uuid;

fn connector(name: &str) -> ConnectorName {
    ConnectorName::new(name).unwrap()
}

fn person(number: u128) -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(number)));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: EmployeeNumber::new(format!("00{number}")).ok(),
        former_numbers: Vec::new(),
        user_id: None,
        record: String::new(),
        ordinal: 0,
        name: Some(PersonName { last: "Smith".into(), first: "John".into(), preferred: None }),
        status: Status::Active,
        starts_on: None,
        ends_on: None,
        worksite: LocationId::new("z").ok(),
        kind: None,
        supervisor: None,
    });
    person
}

fn suspension(kind: SuspensionKind, connectors: &[&str]) -> Suspension {
    Suspension {
        id: Uuid::from_u128(77),
        person: person(1).id,
        kind,
        connectors: connectors.iter().map(|name| connector(name)).collect(),
        starts_on: None,
        ends_on: None,
        authority: "Security Coordinator".into(),
        reason: "Violation 24-31".into(),
        form: None,
        placed_at: Timestamp::UNIX_EPOCH,
        lifted_at: None,
        lifted_because: None,
        placed_by: None,
        by_feed: None,
        feed_moved_on: false,
        over_at: None,
    }
}

fn case(of: &Suspension) -> Case {
    Case {
        id: of.case(),
        kind: CaseKind::Suspension,
        person: of.person,
        state: CaseState::Open,
        effective_at: of.placed_at,
        for_cause: false,
        opened_at: of.placed_at,
        disabled_on: None,
        worksite_class: None,
        reason: of.reason.clone(),
        before: Vec::new(),
    }
}

fn account(user_id: &str, last: &str, realm: Realm) -> ObservedAccount {
    ObservedAccount {
        id: StableId::new(format!("id-{user_id}-{realm:?}")).unwrap(),
        user_id: UserId::new(user_id).unwrap(),
        other_user_ids: Vec::new(),
        place: String::new(),
        enabled: true,
        employee_number: EmployeeNumber::new("001").ok(),
        other_employee_numbers: Vec::new(),
        name: PersonName { last: last.into(), first: "John".into(), preferred: None },
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: vec![GroupLink {
            id: StableId::new("nurses").unwrap(),
            name: "Nurses".into(),
            kind: GroupKind::Security,
        }],
        realm,
        held_in_trust: Vec::new(),
        details: Details { roles: vec![SystemRole::new("nurse").unwrap()], ..Details::default() },
    }
}

fn policy() -> Policy {
    let mut policy = Policy::built_in();
    policy.departure.linked_accounts = vec!["adm-{{ user_id }}".into()];
    policy
}

fn stopped(of: &Suspension, accounts: &[(ConnectorName, ObservedAccount)]) -> Stopped {
    stopped_with(of, accounts, &|_| None, &policy())
}

fn stopped_with(
    of: &Suspension,
    accounts: &[(ConnectorName, ObservedAccount)],
    journal: &dyn Fn(StepId) -> Option<StepState>,
    policy: &Policy,
) -> Stopped {
    stop(&Stopping {
        suspension: of,
        case: &case(of),
        person: &person(1),
        accounts,
        of_others: &std::collections::BTreeSet::new(),
        policy,
        today: date(2026, 11, 20),
        journal,
    })
}

fn done(stopped: &Stopped) -> Vec<String> {
    stopped.steps.iter().map(|s| format!("{}: {}", s.connector, s.action.describe())).collect()
}

fn changed() -> StepState {
    let receipt = Some(Receipt::default());
    StepState::Verified { receipt, at: Timestamp::UNIX_EPOCH }
}

#[test]
fn an_order_shuts_every_account_with_the_linked_one_and_leaves_groups_and_dates_alone() {
    let mut linked = account("adm-mzsmitj", "", Realm::Directory);
    linked.employee_number = None;
    let accounts = [
        (connector("ad"), account("mzsmitj", "Smith", Realm::Directory)),
        (connector("ad"), linked),
        (connector("omis"), account("mzsmitj", "Smith", Realm::System)),
    ];
    let stopped = stopped(&suspension(SuspensionKind::Order, &[]), &accounts);
    assert_eq!(
        done(&stopped),
        [
            "ad: disable account mzsmitj",
            "ad: disable account adm-mzsmitj",
            "omis: revoke access of mzsmitj"
        ]
    );
    assert!(stopped.findings.is_empty() && stopped.doubtful.is_empty());
    assert!(stopped.steps.iter().all(|step| !step.action.destroys()));
}

#[test]
fn only_the_systems_named_are_shut() {
    let accounts = [
        (connector("ad"), account("mzsmitj", "Smith", Realm::Directory)),
        (connector("omis"), account("mzsmitj", "Smith", Realm::System)),
    ];
    let stopped = stopped(&suspension(SuspensionKind::Leave, &["omis"]), &accounts);
    assert_eq!(done(&stopped), ["omis: revoke access of mzsmitj"]);
}

#[test]
fn what_is_shut_already_is_not_ours_to_shut() {
    let mut account = account("mzsmitj", "Smith", Realm::Directory);
    account.enabled = false;
    let stopped = stopped(&suspension(SuspensionKind::Order, &[]), &[(connector("ad"), account)]);
    assert!(stopped.steps.is_empty());
    assert!(stopped.explanations[0].text.contains("shut already"), "{stopped:?}");
}

#[test]
fn a_protected_account_waits_for_a_second_operator_and_a_never_touched_one_is_told() {
    let mut second = account("mzsmitj", "Smith", Realm::Directory);
    second.protection = Some(Protection::SecondOperator { because: "Domain Admins".into() });
    let mut never = account("breakglass", "Smith", Realm::Directory);
    never.protection = Some(Protection::Never { because: "break-glass".into() });
    let accounts = [(connector("ad"), second), (connector("ad"), never)];
    let stopped = stopped(&suspension(SuspensionKind::Order, &[]), &accounts);
    assert_eq!(done(&stopped), ["ad: disable account mzsmitj"]);
    assert!(matches!(stopped.findings[..], [Finding::Protected { .. }]), "{:?}", stopped.findings);
    assert!(stopped.doubtful[0].contains("never touched"), "{:?}", stopped.doubtful);
}

#[test]
fn an_account_that_only_the_number_points_to_is_held_in_a_directory_and_left_alone_in_a_system() {
    let accounts = [
        (connector("ad"), account("mzjonea", "Jones", Realm::Directory)),
        (connector("omis"), account("mzjonea", "Jones", Realm::System)),
    ];
    let stopped = stopped(&suspension(SuspensionKind::Order, &[]), &accounts);
    assert!(matches!(stopped.findings[..], [Finding::NotCorroborated { .. }]));
    assert_eq!(stopped.doubtful.len(), 1);
    assert!(stopped.links.is_empty());
}

#[test]
fn open_sessions_are_ended_where_that_is_all_a_connector_does_and_once() {
    let mut policy = policy();
    policy.access.suspensions.end_sessions = vec![connector("mail")];
    let accounts = [(connector("ad"), account("mzsmitj", "Smith", Realm::Directory))];
    let order = suspension(SuspensionKind::Order, &[]);
    let first = stopped_with(&order, &accounts, &|_| None, &policy);
    assert_eq!(done(&first), ["ad: disable account mzsmitj", "mail: disable mailbox of mzsmitj"]);
    let again = stopped_with(&order, &accounts, &|_| Some(changed()), &policy);
    assert_eq!(done(&again), ["ad: disable account mzsmitj"], "opened by other hands: shut again");
}

#[test]
fn nobody_found_is_told() {
    let stopped = stopped(&suspension(SuspensionKind::Order, &[]), &[]);
    assert!(stopped.doubtful[0].contains("no account carries"), "{:?}", stopped.doubtful);
}

#[rstest]
#[case::changed(changed(), true)]
#[case::lost_and_found(StepState::Verified { receipt: None, at: Timestamp::UNIX_EPOCH }, false)]
#[case::not_begun(StepState::Planned, false)]
#[case::cancelled(StepState::Cancelled { reason: String::new() }, false)]
fn only_what_its_own_step_changed_is_opened_again(#[case] state: StepState, #[case] ours: bool) {
    let order = suspension(SuspensionKind::Order, &[]);
    let mut shut = account("mzsmitj", "Smith", Realm::Directory);
    let accounts = [(connector("ad"), shut.clone())];
    let step = stopped(&order, &accounts).steps.remove(0);
    let owed = debts(&case(&order), &[(step, state)]);
    assert_eq!(owed.len(), usize::from(ours));
    let Some(debt) = owed.first() else { return };
    assert_eq!(give_back(&order, debt, &shut), None, "open already");
    shut.enabled = false;
    let step = give_back(&order, debt, &shut).unwrap();
    assert!(matches!(step.action, Action::Enable { .. }));
    assert!(debts(&case(&order), &[(step, changed())]).is_empty());
}

#[rstest]
#[case::its_reply_was_lost(REPLY_LOST, true, Some(true))]
#[case::its_reply_was_lost_and_it_was_not_seen_open(REPLY_LOST, false, Some(false))]
#[case::an_earlier_attempt_ended_nobody_knows_how(EARLIER_ATTEMPT, true, Some(false))]
#[case::others_had_locked_it(WAS_LOCKED, true, None)]
fn what_a_lost_reply_may_have_shut_is_owed_and_told_apart(
    #[case] says: &str,
    #[case] was_open: bool,
    #[case] certain: Option<bool>,
) {
    let order = suspension(SuspensionKind::Order, &[]);
    let open = account("mzsmitj", "Smith", Realm::Directory);
    let step = stopped(&order, &[(connector("ad"), open.clone())]).steps.remove(0);
    let before = ObservedAccount { enabled: was_open, ..open };
    let case = Case { before: vec![(connector("ad"), before)], ..case(&order) };
    let receipt = Receipt { before: [(says.to_owned(), Vec::new())].into(), server: None };
    let state = StepState::Verified { receipt: Some(receipt), at: Timestamp::UNIX_EPOCH };
    let owed = debts(&case, &[(step, state)]);
    assert_eq!(owed.first().map(|debt| debt.is_certain), certain);
}

#[test]
fn a_system_gives_back_exactly_the_roles_of_before_and_once() {
    let order = suspension(SuspensionKind::Order, &[]);
    let mut there = account("mzsmitj", "Smith", Realm::System);
    let accounts = [(connector("omis"), there.clone())];
    let revoke = stopped(&order, &accounts).steps.remove(0);
    let case = Case { before: accounts.to_vec(), ..case(&order) };
    let owed = debts(&case, &[(revoke.clone(), changed())]);
    there.enabled = false;
    there.details.roles.clear();
    let grant = give_back(&order, &owed[0], &there).unwrap();
    assert_eq!(grant.action.describe(), "give mzsmitj access as nurse");
    assert!(debts(&case, &[(revoke, changed()), (grant, changed())]).is_empty());
}

#[rstest]
#[case::leave(SuspensionKind::Leave, true)]
#[case::order(SuspensionKind::Order, false)]
fn no_day_lifts_an_order(#[case] kind: SuspensionKind, #[case] runs_out: bool) {
    let one = Suspension { ends_on: Some(date(2026, 11, 19)), ..suspension(kind, &[]) };
    assert_eq!(one.has_run_out(date(2026, 11, 20)), runs_out);
    assert!(!one.has_run_out(date(2026, 11, 19)), "its last day counts whole");
}

fn proposals(people: u128, by_operator: bool) -> Vec<Proposed> {
    let one = |number: u128| {
        let of = Suspension {
            id: Uuid::from_u128(1000 + number),
            person: PersonId(Uuid::from_u128(number)),
            ..suspension(SuspensionKind::Inactivity, &[])
        };
        let shut = account("mzsmitj", "Smith", Realm::System);
        let step = stopped(&of, &[(connector("omis"), shut)]).steps.remove(0);
        let step = Step { person: of.person, ..step };
        Proposed {
            case: of.case(),
            person: of.person,
            noticed_at: of.placed_at,
            by_operator,
            steps: vec![step],
            findings: Vec::new(),
            explanations: Vec::new(),
        }
    };
    (1..=people).map(one).collect()
}

#[rstest]
#[case::a_few(5, false, 5, Verdict::Pass)]
#[case::a_broken_source(26, false, 1, Verdict::Hold)]
#[case::ordered_one_by_one(26, true, 26, Verdict::Pass)]
fn a_broken_source_is_held_whole_and_an_order_waits_for_no_limit(
    #[case] people: u128,
    #[case] by_operator: bool,
    #[case] plans: usize,
    #[case] verdict: Verdict,
) {
    let baseline = Baseline {
        population: Some(5_000),
        departed_in_window: 0,
        departed_in_hour: 0,
        departed_in_day: 0,
    };
    let limits = Limits::default();
    let judged = judge_suspensions(proposals(people, by_operator), baseline, &limits, "v1");
    assert_eq!(judged.len(), plans);
    assert!(judged.iter().all(|(_, found)| *found == verdict));
    if verdict == Verdict::Hold {
        let (plan, _) = &judged[0];
        assert_eq!(plan.kind, PlanKind::MassSuspension { people: 26 });
        assert_eq!(plan.steps.len(), 26);
        assert!(plan.findings[0].describe().contains("is broken"), "{:?}", plan.findings);
    }
}

fn held(
    system: &str,
    role: Option<&str>,
    state: EntitlementState,
    ended: Option<i64>,
) -> Entitlement {
    Entitlement {
        id: Uuid::nil(),
        person: person(1).id,
        system: SystemName::new(system).unwrap(),
        role: role.map(|role| SystemRole::new(role).unwrap()),
        form: 3,
        state,
        starts_on: None,
        ends_on: None,
        approved_at: Timestamp::UNIX_EPOCH,
        ended_at: ended.map(|second| Timestamp::from_second(second).unwrap()),
        ended_by: None,
        ended_because: None,
        recertified_on: None,
    }
}

/// The stop was placed at second 100.
#[rstest]
#[case::nothing_is_known_of_it(&[], Some("nurse,clerk"))]
#[case::it_goes_on(&[("wards", Some("nurse"), "in_place", None)], Some("nurse,clerk"))]
#[case::it_ended_meanwhile(&[("wards", Some("nurse"), "ended", Some(150))], None)]
#[case::it_is_ending(&[("wards", Some("nurse"), "ending", Some(50))], None)]
#[case::it_ended_long_before(&[("wards", Some("nurse"), "ended", Some(50))], Some("nurse,clerk"))]
#[case::one_role_of_two_ended(
    &[("wards", Some("nurse"), "ended", Some(150)), ("wards", Some("clerk"), "in_place", None)],
    Some("clerk")
)]
#[case::another_form_gives_the_role_that_ended(
    &[("wards", Some("nurse"), "ended", Some(150)), ("wards", Some("nurse"), "approved", None)],
    Some("nurse,clerk")
)]
#[case::groups_of_a_directory_are_not_its_account(
    &[("share", None, "ended", Some(150))],
    Some("nurse,clerk")
)]
#[case::a_system_of_another_target(&[("mail", None, "ended", Some(150))], Some("nurse,clerk"))]
fn what_ended_while_access_was_stopped_is_not_given_back(
    #[case] entitlements: &[(&str, Option<&str>, &str, Option<i64>)],
    #[case] owed: Option<&str>,
) {
    let mut policy = policy();
    let rule = |connector_name: &str, groups: &[&str]| SystemRule {
        connector: Some(connector(connector_name)),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..SystemRule::default()
    };
    let systems = [
        ("wards", rule("wards", &[])),
        ("share", rule("wards", &["G-Share"])),
        ("mail", rule("mail", &[])),
    ];
    for (name, rule) in systems {
        policy.access.systems.insert(SystemName::new(name).unwrap(), rule);
    }
    let leave = Suspension {
        placed_at: Timestamp::from_second(100).unwrap(),
        ..suspension(SuspensionKind::Leave, &[])
    };
    let debt = Debt {
        connector: connector("wards"),
        account: StableId::new("id-1").unwrap(),
        label: "mzsmitj".into(),
        is_certain: true,
        roles: ["nurse", "clerk"].map(|role| SystemRole::new(role).unwrap()).to_vec(),
    };
    let held: Vec<Entitlement> = entitlements
        .iter()
        .map(|&(system, role, state, ended)| {
            held(system, role, serde_json::from_value(state.into()).unwrap(), ended)
        })
        .collect();
    let left = still_owed(debt, &leave, &held, &policy);
    let roles = left.debt.map(|debt| {
        debt.roles.iter().map(|role| role.as_str().to_owned()).collect::<Vec<_>>().join(",")
    });
    assert_eq!(roles.as_deref(), owed);
    let told = match owed {
        Some("nurse,clerk") => None,
        Some(_) => Some(
            "account mzsmitj in wards comes back without nurse: wards ended meanwhile (it ended)",
        ),
        None => Some("account mzsmitj in wards stays shut: wards ended meanwhile (it ended)"),
    };
    assert_eq!(left.dropped.as_deref(), told);
}
