//! What a departure asks for, given what is observed: never too much, never twice.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::{Timestamp, civil::date};
use lapsed_core::facts::*;
use lapsed_core::guard::{Finding, Limits};
use lapsed_core::journal::StepState;
use lapsed_core::observed::{GroupKind, GroupLink, ObservedAccount, Protection, Realm};
use lapsed_core::policy::Policy;
use lapsed_core::policy::departure::{DeparturePolicy, HomeRule, MailboxRule, WorksiteClass};
use lapsed_core::policy::naming::{NamingPolicy, default_locations};
use lapsed_core::policy::work_days::WorkDays;
use lapsed_core::reconcile::{Departure, Reconciled, departure};
use lapsed_core::step::{Action, Due, StepId};
use lapsed_core::wishes::{Wanted, Wish, path_problem};
use proptest::prelude::*;
use rstest::rstest;
use std::collections::BTreeSet;
use uuid::Uuid;

fn connector(name: &str) -> ConnectorName {
    ConnectorName::new(name).unwrap()
}

fn policy() -> Policy {
    Policy {
        access: lapsed_core::policy::access::AccessPolicy::default(),
        time_zone: "America/Chicago".into(),
        locations: default_locations(),
        naming: NamingPolicy::default(),
        departure: DeparturePolicy {
            linked_accounts: vec!["adm-{{ user_id }}".into()],
            mailbox: Some(MailboxRule {
                delete_by: None,
                connector: connector("mail"),
                disable_at_once: false,
                retention_days: 14,
            }),
            home: Some(HomeRule {
                connector: connector("homes"),
                central_office_days: 180,
                facility_days: 30,
                unknown_days: 180,
            }),
            ..DeparturePolicy::default()
        },
        work_days: WorkDays::default(),
        guard: Limits::default(),
        citations: Default::default(),
    }
}

fn person() -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(1)));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: Some(EmployeeNumber::new("00123").unwrap()),
        former_numbers: Vec::new(),
        user_id: None,
        record: String::new(),
        ordinal: 0,
        name: Some(PersonName { last: "Smith".into(), first: "John".into(), preferred: None }),
        status: Status::Departed,
        starts_on: None,
        ends_on: Some(date(2026, 11, 20)),
        worksite: LocationId::new("z").ok(),
        kind: None,
        supervisor: None,
    });
    // The name of before a rename.
    person.other_user_ids.push(UserId::new("mzformj").unwrap());
    person
}

fn case(person: &Person) -> Case {
    Case {
        id: CaseId::departure(person.id, 0),
        kind: lapsed_core::facts::CaseKind::Departure,
        person: person.id,
        state: CaseState::Open,
        effective_at: Timestamp::UNIX_EPOCH,
        for_cause: false,
        opened_at: Timestamp::UNIX_EPOCH,
        disabled_on: None,
        worksite_class: None,
        reason: "notice from hr".into(),
        before: Vec::new(),
    }
}

fn account(user_id: &str) -> ObservedAccount {
    ObservedAccount {
        realm: lapsed_core::observed::Realm::Directory,
        held_in_trust: Vec::new(),
        details: lapsed_core::observed::Details::default(),
        id: StableId::new(format!("guid-{user_id}")).unwrap(),
        user_id: UserId::new(user_id).unwrap(),
        other_user_ids: Vec::new(),
        place: format!("uid={user_id},ou=people"),
        enabled: true,
        employee_number: EmployeeNumber::new("00123").ok(),
        other_employee_numbers: Vec::new(),
        name: PersonName { last: "Smith".into(), first: "John".into(), preferred: None },
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: vec![group("nurses", GroupKind::Plain)],
    }
}

fn group(name: &str, kind: GroupKind) -> GroupLink {
    GroupLink { id: StableId::new(format!("guid-{name}")).unwrap(), name: name.into(), kind }
}

fn reconcile(
    accounts: Vec<ObservedAccount>,
    journal: &dyn Fn(StepId) -> Option<StepState>,
) -> Reconciled {
    reconcile_by(&policy(), accounts, journal)
}

fn reconcile_by(
    policy: &Policy,
    accounts: Vec<ObservedAccount>,
    journal: &dyn Fn(StepId) -> Option<StepState>,
) -> Reconciled {
    reconcile_wished(policy, accounts, journal, &[])
}

fn reconcile_wished(
    policy: &Policy,
    accounts: Vec<ObservedAccount>,
    journal: &dyn Fn(StepId) -> Option<StepState>,
    wishes: &[Wish],
) -> Reconciled {
    let person = person();
    let accounts: Vec<_> = accounts.into_iter().map(|a| (connector("directory"), a)).collect();
    departure(&Departure {
        case: &case(&person),
        person: &person,
        accounts: &accounts,
        of_others: &std::collections::BTreeSet::new(),
        directories_read: true,
        worksite_class: WorksiteClass::CentralOffice,
        policy,
        today: date(2026, 11, 20),
        journal,
        wishes,
        by_operator: false,
    })
    .unwrap()
}

fn told(reconciled: &Reconciled) -> Vec<String> {
    let due = |due: &Due| match due {
        Due::AtOnce => "now".to_owned(),
        Due::On { date, .. } => date.to_string(),
    };
    reconciled.steps.iter().map(|s| format!("{} {}", due(&s.due), s.action.describe())).collect()
}

#[test]
fn a_leaver_is_shut_leaves_every_group_and_the_deletions_have_their_dates() {
    let reconciled = reconcile(vec![account("mzsmitj")], &|_| None);
    assert_eq!(
        told(&reconciled),
        [
            "now disable account mzsmitj",
            "now stamp description of mzsmitj",
            "now scramble password of mzsmitj",
            "now take mzsmitj out of group nurses",
            "2026-12-07 delete mailbox of mzsmitj",
            "2027-05-19 delete home directory of mzsmitj",
        ]
    );
    assert!(reconciled.findings.is_empty());
}

#[test]
fn a_linked_account_goes_with_its_owner_and_brings_no_second_home() {
    let linked = ObservedAccount { employee_number: None, ..account("adm-mzsmitj") };
    let reconciled = reconcile(vec![account("mzsmitj"), linked], &|_| None);
    let told = told(&reconciled);
    assert!(told.contains(&"now disable account adm-mzsmitj".to_owned()), "{told:?}");
    assert_eq!(told.iter().filter(|t| t.contains("home directory")).count(), 1);
    assert!(reconciled.findings.is_empty(), "{:?}", reconciled.findings);
}

#[test]
fn an_account_beside_one_that_was_renamed_goes_with_its_owner_by_the_name_of_before() {
    let linked = ObservedAccount { employee_number: None, ..account("adm-mzformj") };
    let reconciled = reconcile(vec![account("mzsmitj"), linked], &|_| None);
    let told = told(&reconciled);
    assert!(told.contains(&"now disable account adm-mzformj".to_owned()), "{told:?}");
    assert!(reconciled.findings.is_empty(), "{:?}", reconciled.findings);
}

#[test]
fn an_account_of_a_system_is_revoked_beside_the_directorys_and_one_in_doubt_is_for_a_person() {
    let in_system = |protection| ObservedAccount {
        realm: Realm::System,
        id: StableId::new("7").unwrap(),
        groups: Vec::new(),
        protection,
        ..account("mzsmitj")
    };
    let revoked = reconcile(vec![account("mzsmitj"), in_system(None)], &|_| None);
    assert!(told(&revoked).contains(&"now revoke access of mzsmitj".to_owned()), "{revoked:?}");
    assert_eq!(revoked.doubtful, Vec::<String>::new());

    let because = "two accounts have the same number".to_owned();
    let doubtful = in_system(Some(Protection::Never { because }));
    let left = reconcile(vec![account("mzsmitj"), doubtful], &|_| None);
    assert!(told(&left).contains(&"now disable account mzsmitj".to_owned()), "{left:?}");
    assert!(!told(&left).iter().any(|step| step.contains("revoke")), "{left:?}");
    assert!(left.doubtful[0].contains("two accounts"), "{left:?}");
}

#[test]
fn an_account_under_another_name_is_for_a_person_to_look_at() {
    let other = ObservedAccount {
        name: PersonName { last: "Okafor".into(), first: "Ada".into(), preferred: None },
        ..account("mzokafa")
    };
    let reconciled = reconcile(vec![other], &|_| None);
    assert!(matches!(reconciled.findings.as_slice(), [Finding::NotCorroborated { .. }]));
}

#[test]
fn the_default_primary_group_stays_and_another_one_is_reset_first() {
    let of = |kind| ObservedAccount { groups: vec![group("g", kind)], ..account("mzsmitj") };
    let names = |kind| {
        let all = reconcile(vec![of(kind)], &|_| None);
        all.steps
            .iter()
            .map(|s| s.action.name())
            .filter(|n| n.contains("group"))
            .collect::<Vec<_>>()
    };
    assert_eq!(names(GroupKind::DefaultPrimary), Vec::<&str>::new());
    assert_eq!(names(GroupKind::OtherPrimary), ["reset_primary_group", "leave_group"]);
}

#[test]
fn a_deletion_that_was_done_is_not_wished_for_again_but_a_reopened_account_is_shut_again() {
    let done = |_| Some(StepState::Verified { receipt: None, at: Timestamp::UNIX_EPOCH });
    let told = told(&reconcile(vec![account("mzsmitj")], &done));
    assert!(told.contains(&"now disable account mzsmitj".to_owned()));
    assert!(!told.iter().any(|t| t.contains("delete")), "{told:?}");
}

#[test]
fn mail_sessions_are_ended_once_and_again_only_with_an_account_that_was_reopened() {
    let mut policy = policy();
    policy.departure.mailbox.as_mut().unwrap().disable_at_once = true;
    let linked = ObservedAccount { employee_number: None, ..account("adm-mzsmitj") };
    let ends = |accounts: Vec<ObservedAccount>, journal: &dyn Fn(StepId) -> Option<StepState>| {
        let all = reconcile_by(&policy, accounts, journal);
        told(&all).into_iter().filter(|told| told.contains("disable mailbox")).collect::<Vec<_>>()
    };
    let shut = || ObservedAccount { enabled: false, ..account("mzsmitj") };
    let done = |_| Some(StepState::Verified { receipt: None, at: Timestamp::UNIX_EPOCH });
    let once = ["now disable mailbox of mzsmitj"];
    assert_eq!(ends(vec![account("mzsmitj"), linked], &|_| None), once, "the owner's only");
    assert_eq!(ends(vec![shut()], &|_| None), once, "shut by others before");
    assert_eq!(ends(vec![shut()], &done), Vec::<String>::new());
    assert_eq!(ends(vec![account("mzsmitj")], &done), once, "it was opened again");
    let planned = |_| Some(StepState::Planned);
    assert_eq!(ends(vec![account("mzsmitj")], &planned), Vec::<String>::new());
}

#[test]
fn a_mailbox_is_disabled_by_the_account_in_the_directory_that_disables_it() {
    let mut policy = policy();
    let rule = policy.departure.mailbox.as_mut().unwrap();
    (rule.disable_at_once, rule.connector) = (true, connector("exchange"));
    let ends = |accounts: &[(ConnectorName, ObservedAccount)]| {
        let person = person();
        let all = departure(&Departure {
            wishes: &[],
            case: &case(&person),
            person: &person,
            accounts,
            of_others: &std::collections::BTreeSet::new(),
            directories_read: true,
            worksite_class: WorksiteClass::CentralOffice,
            policy: &policy,
            today: date(2026, 11, 20),
            journal: &|_| None,
            by_operator: false,
        })
        .unwrap();
        let ends = |step: &&lapsed_core::step::Step| step.action.name() == "disable_mailbox";
        all.steps.iter().filter(ends).map(|s| s.action.account().id.clone()).collect::<Vec<_>>()
    };
    let elsewhere = (connector("directory"), account("mzsmitj"));
    let there = ObservedAccount { id: StableId::new("there").unwrap(), ..account("mzsmitj") };
    let linked = ObservedAccount {
        id: StableId::new("linked").unwrap(),
        employee_number: None,
        ..account("adm-mzsmitj")
    };
    let in_exchange = |account: &ObservedAccount| (connector("exchange"), account.clone());
    let all = [elsewhere.clone(), in_exchange(&linked), in_exchange(&there)];
    assert_eq!(ends(&all), [there.id], "not another directory's, not a linked one");
    assert_eq!(
        ends(std::slice::from_ref(&elsewhere)),
        [elsewhere.1.id],
        "a mail server has no accounts"
    );
}

fn any_account() -> impl Strategy<Value = ObservedAccount> {
    let protection = prop_oneof![
        Just(None),
        Just(Some(Protection::Never { because: "breakglass*".into() })),
        Just(Some(Protection::SecondOperator { because: "adminCount".into() })),
    ];
    (0_u8..6, any::<bool>(), protection, proptest::collection::btree_set(0_u8..5, 0..5)).prop_map(
        |(number, enabled, protection, groups)| ObservedAccount {
            enabled,
            protection,
            groups: groups.iter().map(|g| group(&format!("g{g}"), GroupKind::Security)).collect(),
            ..account(&format!("mz{number}"))
        },
    )
}

fn distinct(accounts: Vec<ObservedAccount>) -> Vec<ObservedAccount> {
    let mut seen = BTreeSet::new();
    accounts.into_iter().filter(|a| seen.insert(a.user_id.folded())).collect()
}

/// The accounts as they are once the steps were carried out.
fn carried_out(accounts: &[ObservedAccount], done: &Reconciled) -> Vec<ObservedAccount> {
    let mut after = accounts.to_vec();
    for step in &done.steps {
        let Some(account) = after.iter_mut().find(|a| a.id == step.action.account().id) else {
            continue;
        };
        match &step.action {
            Action::Disable { .. } => account.enabled = false,
            Action::LeaveGroup { group, .. } => account.groups.retain(|g| g.id != group.id),
            _ => {}
        }
    }
    after
}

fn wish(number: u128, what: Wanted) -> Wish {
    Wish {
        id: Uuid::from_u128(number),
        person: person().id,
        what,
        authority: "J. Doe, supervisor".into(),
        asked_by: Actor::new("ann").unwrap(),
        at: Timestamp::UNIX_EPOCH,
        ended_at: None,
        ended_because: None,
    }
}

fn delegate() -> Wanted {
    Wanted::Delegate { to: UserId::new("mzdoej").unwrap() }
}

fn keep(paths: &[&str]) -> Wanted {
    let paths = paths.iter().map(ToString::to_string).collect();
    Wanted::Keep { to: UserId::new("mzdoej").unwrap(), paths }
}

fn ended(wish: Wish) -> Wish {
    Wish { ended_at: Some(Timestamp::UNIX_EPOCH), ..wish }
}

/// What is planned of the wishes, for an account that is shut already.
fn wished(wishes: &[Wish], journal: &dyn Fn(StepId) -> Option<StepState>) -> Vec<Action> {
    let account = ObservedAccount { enabled: false, groups: vec![], ..account("mzsmitj") };
    let reconciled = reconcile_wished(&policy(), vec![account], journal, wishes);
    let steps = reconciled.steps.into_iter();
    steps.map(|s| s.action).filter(|a| a.wish().is_some()).collect()
}

#[rstest]
#[case::a_mailbox(delegate(), &["delegate_mailbox"])]
#[case::files(keep(&["letters"]), &["archive_home"])]
#[case::mail_that_is_asked_for_only_has_to_stay(
    Wanted::KeepMail { to: UserId::new("mzdoej").unwrap() }, &[]
)]
fn a_wish_said_before_the_user_leaves_is_carried_out_when_they_do(
    #[case] what: Wanted,
    #[case] planned: &[&str],
) {
    let steps = wished(&[wish(7, what.clone())], &|_| None);
    assert_eq!(steps.iter().map(Action::name).collect::<Vec<_>>(), planned);
    // One that was taken back before asks for nothing, and nothing was given that could be taken back.
    assert_eq!(wished(&[ended(wish(7, what))], &|_| None), []);
}

#[test]
fn the_deletions_keep_their_dates_whatever_is_wished() {
    let plain = reconcile(vec![account("mzsmitj")], &|_| None);
    let wishes = [wish(7, delegate()), wish(8, keep(&[]))];
    let wished = reconcile_wished(&policy(), vec![account("mzsmitj")], &|_| None, &wishes);
    let dates = |all: &Reconciled| {
        let steps = all.steps.iter().filter(|s| s.action.destroys());
        steps.map(|s| (s.id, s.due.clone())).collect::<Vec<_>>()
    };
    assert_eq!(dates(&plain), dates(&wished));
}

fn done() -> StepState {
    StepState::Done { receipt: None }
}

#[rstest]
#[case::given(done(), &["end_delegation"])]
#[case::under_way(StepState::Started { at: Timestamp::UNIX_EPOCH }, &["end_delegation"])]
#[case::reply_lost(StepState::Unknown { cause: cause(), until: None }, &["end_delegation"])]
#[case::not_begun(StepState::Planned, &[])]
#[case::refused(StepState::Refused { cause: cause() }, &[])]
fn only_what_was_or_may_have_been_given_is_taken_back(
    #[case] state: StepState,
    #[case] planned: &[&str],
) {
    let given = wish(7, delegate());
    let steps = wished(std::slice::from_ref(&given), &|_| None);
    assert_eq!(steps.len(), 1);
    let journal = |id| {
        let step = reconcile_wished(
            &policy(),
            vec![account("mzsmitj")],
            &|_| None,
            &[wish(7, delegate())],
        );
        let give = step.steps.iter().find(|s| s.action.name() == "delegate_mailbox").unwrap();
        (id == give.id).then(|| state.clone())
    };
    let steps = wished(&[ended(given)], &journal);
    assert_eq!(steps.iter().map(Action::name).collect::<Vec<_>>(), planned);
}

#[test]
fn a_mailbox_given_to_the_same_reader_again_is_another_step() {
    let all_done = |_| Some(done());
    assert_eq!(wished(&[wish(7, delegate())], &all_done), []);
    let first = wished(&[ended(wish(7, delegate())), wish(8, delegate())], &|_| None);
    assert_eq!(first.iter().filter_map(Action::wish).collect::<Vec<_>>(), [Uuid::from_u128(8)]);
}

fn cause() -> lapsed_core::step::Cause {
    lapsed_core::step::Cause::new("the reply was lost")
}

#[rstest]
#[case::plain("letters/2026", true)]
#[case::spaces_and_accents("Año nuevo/carta 1.txt", true)]
#[case::root("/etc", false)]
#[case::up("letters/../../etc", false)]
#[case::here("./letters", false)]
#[case::empty("", false)]
#[case::double("a//b", false)]
#[case::of_windows(r"letters\2026", false)]
#[case::a_line("a\nb", false)]
fn a_path_to_keep_leads_nowhere_else(#[case] path: &str, #[case] fine: bool) {
    assert_eq!(path_problem(path).is_none(), fine, "{:?}", path_problem(path));
}

proptest! {
    #[test]
    fn a_second_plan_is_empty(accounts in proptest::collection::vec(any_account(), 0..5)) {
        let accounts = distinct(accounts);
        let first = reconcile(accounts.clone(), &|_| None);
        let planned: BTreeSet<StepId> = first.steps.iter().map(|s| s.id).collect();
        // The deletions are in the journal and wait for their dates.
        let journal = |id| planned.contains(&id).then_some(StepState::Planned);
        let second = reconcile(carried_out(&accounts, &first), &journal);
        prop_assert_eq!(told(&second), Vec::<String>::new());
    }

    #[test]
    fn no_step_ever_touches_a_break_glass_account(accounts in proptest::collection::vec(any_account(), 0..5)) {
        let accounts = distinct(accounts);
        let steps = reconcile(accounts.clone(), &|_| None).steps;
        for account in accounts.iter().filter(|a| matches!(a.protection, Some(Protection::Never { .. }))) {
            prop_assert!(steps.iter().all(|s| s.action.account().id != account.id));
        }
    }

    #[test]
    fn a_protected_account_to_which_anything_is_done_comes_with_its_finding(accounts in proptest::collection::vec(any_account(), 0..5)) {
        let accounts = distinct(accounts);
        let reconciled = reconcile(accounts.clone(), &|_| None);
        let protected = accounts.iter().filter(|account| {
            matches!(account.protection, Some(Protection::SecondOperator { .. }))
                && reconciled.steps.iter().any(|s| {
                    !s.action.destroys() && s.action.account().id == account.id
                })
        });
        let findings =
            reconciled.findings.iter().filter(|f| matches!(f, Finding::Protected { .. }));
        prop_assert_eq!(protected.count(), findings.count());
    }

    #[test]
    fn the_order_in_which_a_directory_answers_changes_nothing(
        (accounts, shuffled) in proptest::collection::vec(any_account(), 0..5)
            .prop_map(distinct)
            .prop_flat_map(|accounts| (Just(accounts.clone()), Just(accounts).prop_shuffle())),
    ) {
        let asked_for = |accounts: Vec<ObservedAccount>| {
            let all = reconcile(accounts, &|_| None);
            let steps: BTreeSet<(StepId, String)> =
                all.steps.iter().map(|s| (s.id, format!("{:?}", s.action))).collect();
            let findings: BTreeSet<String> = all.findings.iter().map(Finding::describe).collect();
            (steps, findings)
        };
        let mut turned = shuffled.clone();
        turned.iter_mut().for_each(|account| account.groups.reverse());
        prop_assert_eq!(asked_for(accounts.clone()), asked_for(turned));
    }

    #[test]
    fn every_step_has_an_id_of_its_own(accounts in proptest::collection::vec(any_account(), 0..5)) {
        let steps = reconcile(distinct(accounts), &|_| None).steps;
        let ids: BTreeSet<_> = steps.iter().map(|s| s.id).collect();
        prop_assert_eq!(ids.len(), steps.len());
    }
}
