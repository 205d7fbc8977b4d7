//! The nightly audit's findings: each of its kinds, what is none, and what locks.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::finding::{AccessFinding, FindingKind};
use lapsed_core::access::form::{FiledForm, FormState};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::*;
use lapsed_core::observed::*;
use lapsed_core::policy::Policy;
use lapsed_core::policy::access::SystemRule;
use lapsed_core::reconcile::auditing::{Audited, Auditing, audit, compared};
use rstest::rstest;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

fn now() -> Timestamp {
    date(2026, 11, 22).at(9, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn days_ago(days: i32) -> Timestamp {
    now().checked_sub((days * 24).hours()).unwrap()
}

fn connector(name: &str) -> ConnectorName {
    ConnectorName::new(name).unwrap()
}

fn system(name: &str) -> SystemName {
    SystemName::new(name).unwrap()
}

fn person() -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(1)));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: EmployeeNumber::new("00123").ok(),
        former_numbers: Vec::new(),
        user_id: UserId::new("mzsmitj").ok(),
        record: String::new(),
        ordinal: 0,
        name: None,
        status: Status::Active,
        starts_on: None,
        ends_on: None,
        worksite: LocationId::new("z").ok(),
        kind: None,
        supervisor: None,
    });
    person
}

fn leaver() -> Person {
    let mut person = person();
    person.notices.push(Notice {
        source: SourceName::new("hr").unwrap(),
        about: About::Person,
        last_day: None,
        effective_at: days_ago(3),
        for_cause: false,
        received_at: days_ago(4),
        brought_by: "hr.csv".into(),
        state: NoticeState::Standing,
    });
    person
}

fn account(user_id: &str, realm: Realm) -> ObservedAccount {
    ObservedAccount {
        id: StableId::new(format!("id-{user_id}")).unwrap(),
        user_id: UserId::new(user_id).unwrap(),
        other_user_ids: Vec::new(),
        place: String::new(),
        enabled: true,
        employee_number: None,
        other_employee_numbers: Vec::new(),
        name: PersonName::default(),
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: Vec::new(),
        realm,
        held_in_trust: Vec::new(),
        details: Details::default(),
    }
}

fn in_group(mut account: ObservedAccount, group: &str) -> ObservedAccount {
    account.groups.push(GroupLink {
        id: StableId::new(group).unwrap(),
        name: group.into(),
        kind: GroupKind::Security,
    });
    account
}

fn policy() -> Policy {
    let mut policy = Policy::built_in();
    policy.departure.linked_accounts = vec!["adm-{{ user_id }}".into()];
    policy.access.audit.without_person = vec!["svc-*".into()];
    let cimor = SystemRule {
        connector: Some(connector("ad")),
        groups: vec!["cimor-{{ location }}".into()],
        ..SystemRule::default()
    };
    let omis = SystemRule {
        connector: Some(connector("omis")),
        lock_after_days: Some(60),
        ..SystemRule::default()
    };
    policy.access.systems.insert(system("cimor"), cimor);
    policy.access.systems.insert(system("omis"), omis);
    policy
}

fn entitlement(name: &str, state: EntitlementState) -> Entitlement {
    Entitlement {
        id: Uuid::from_u128(9),
        person: person().id,
        system: system(name),
        role: None,
        form: 3,
        state,
        starts_on: None,
        ends_on: None,
        approved_at: days_ago(100),
        ended_at: None,
        ended_by: None,
        ended_because: None,
        recertified_on: None,
    }
}

fn suspension(kind: SuspensionKind, lifted_days_ago: Option<i32>) -> Suspension {
    Suspension {
        id: Uuid::from_u128(5),
        person: person().id,
        kind,
        connectors: Vec::new(),
        starts_on: None,
        ends_on: None,
        authority: String::new(),
        reason: String::new(),
        form: None,
        placed_at: days_ago(90),
        lifted_at: lifted_days_ago.map(days_ago),
        lifted_because: None,
        placed_by: None,
        by_feed: None,
        feed_moved_on: false,
        over_at: None,
    }
}

#[derive(Default)]
struct Scene {
    people: Vec<Person>,
    accounts: Vec<(ConnectorName, ObservedAccount)>,
    entitlements: Vec<Entitlement>,
    forms: Vec<FiledForm>,
    suspensions: Vec<Suspension>,
    has_baseline: bool,
    cut: bool,
    rules: Vec<fn(&mut Policy)>,
}

impl Scene {
    fn of(connector_name: &str, account: ObservedAccount) -> Self {
        Self {
            people: vec![person()],
            accounts: vec![(connector(connector_name), account)],
            ..Self::default()
        }
    }

    fn audit(&self) -> Audited {
        let all = BTreeSet::from([connector("ad"), connector("omis")]);
        let whole = if self.cut { BTreeSet::new() } else { all };
        let mut policy = policy();
        for rule in &self.rules {
            rule(&mut policy);
        }
        audit(&Auditing {
            people: &self.people,
            accounts: &self.accounts,
            whole: &whole,
            with_groups: &whole,
            entitlements: &self.entitlements,
            forms: &HashMap::from([(person().id, self.forms.clone())]),
            suspensions: &self.suspensions,
            under_way: &HashSet::new(),
            has_baseline: self.has_baseline,
            policy: &policy,
            now: now(),
            zone: &TimeZone::UTC,
        })
    }

    fn kinds(&self) -> Vec<FindingKind> {
        self.audit().findings.iter().map(|finding| finding.kind).collect()
    }
}

#[test]
fn a_leaver_with_an_open_account_is_found_and_one_that_is_shut_is_not() {
    let mut scene = Scene::of("ad", account("mzsmitj", Realm::Directory));
    scene.people = vec![leaver()];
    assert_eq!(scene.kinds(), [FindingKind::LeaverWithAccess]);
    scene.accounts[0].1.enabled = false;
    assert_eq!(scene.kinds(), []);
}

#[rstest]
#[case::nobodys("mzdoej", 1)]
#[case::the_persons("MZSMITJ", 0)]
#[case::linked("adm-mzsmitj", 0)]
#[case::a_service("svc-backup", 0)]
fn an_account_of_nobody_is_found(#[case] user_id: &str, #[case] count: usize) {
    let scene = Scene::of("ad", account(user_id, Realm::Directory));
    let found = scene.kinds();
    assert_eq!(found, vec![FindingKind::AccountWithoutPerson; count]);
}

#[rstest]
#[case::no_form(None, false, Some(FindingKind::AccessWithoutForm))]
#[case::later_than_the_baseline(None, true, Some(FindingKind::GroupAddedElsewhere))]
#[case::taken_away_and_back(
    Some(EntitlementState::Ended),
    false,
    Some(FindingKind::GroupAddedElsewhere)
)]
#[case::being_taken_away(Some(EntitlementState::Ending), true, None)]
#[case::approved(Some(EntitlementState::InPlace), true, None)]
fn a_group_that_no_form_gave_is_found(
    #[case] held: Option<EntitlementState>,
    #[case] has_baseline: bool,
    #[case] kind: Option<FindingKind>,
) {
    let scene = Scene {
        entitlements: held.map(|state| entitlement("cimor", state)).into_iter().collect(),
        has_baseline,
        ..Scene::of("ad", in_group(account("mzsmitj", Realm::Directory), "CIMOR-Z"))
    };
    let audited = scene.audit();
    let kinds: Vec<_> = audited.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, Vec::from_iter(kind));
    let unapproved = (person().id, system("cimor"), None);
    assert_eq!(audited.unapproved, Vec::from_iter(kind.map(|_| unapproved)));
    let elsewhere = kind == Some(FindingKind::GroupAddedElsewhere);
    assert_eq!(audited.added_elsewhere.len(), usize::from(elsewhere));
}

#[rstest]
#[case::their_own("mzsmitj", None, 1)]
#[case::of_an_administrator("mzsmitj", Some(Protection::SecondOperator { because: "Domain Admins".into() }), 0)]
#[case::break_glass("mzsmitj", Some(Protection::Never { because: "break glass".into() }), 0)]
#[case::beside_their_own("adm-mzsmitj", None, 0)]
fn nobody_is_taken_out_of_a_group_whose_account_is_protected_or_not_quite_theirs(
    #[case] user_id: &str,
    #[case] protection: Option<Protection>,
    #[case] count: usize,
) {
    let account = ObservedAccount { protection, ..account(user_id, Realm::Directory) };
    let scene = Scene { has_baseline: true, ..Scene::of("ad", in_group(account, "cimor-z")) };
    let audited = scene.audit();
    assert_eq!(audited.added_elsewhere.len(), count);
    for added in &audited.added_elsewhere {
        assert!(audited.findings.iter().any(|finding| finding.id == added.finding));
    }
}

#[rstest]
#[case::every_one_of_them(&["clerk", "nurse"], None, &["clerk", "nurse"])]
#[case::what_the_form_did_not_give(&["clerk", "nurse"], Some("nurse"), &["clerk"])]
#[case::what_a_form_gave(&["nurse"], Some("nurse"), &[])]
#[case::unknown_ones_say_nothing_of_which(&["janitor"], Some("nurse"), &[])]
fn of_an_accounts_roles_each_is_held_against_what_was_given(
    #[case] shown: &[&str],
    #[case] given: Option<&str>,
    #[case] found: &[&str],
) {
    let role = |name: &str| SystemRole::new(name).unwrap();
    let mut there = account("mzsmitj", Realm::System);
    there.details.roles = shown.iter().map(|name| role(name)).collect();
    let mut scene = Scene::of("omis", there);
    scene.rules.push(|policy| {
        let omis = policy.access.systems.get_mut(&SystemName::new("omis").unwrap()).unwrap();
        omis.lock_after_days = None;
        for name in ["clerk", "nurse"] {
            omis.roles.insert(SystemRole::new(name).unwrap(), Default::default());
        }
    });
    scene.entitlements = given
        .map(|name| Entitlement {
            role: Some(role(name)),
            ..entitlement("omis", EntitlementState::InPlace)
        })
        .into_iter()
        .collect();
    let audited = scene.audit();
    let unapproved: Vec<String> =
        audited.unapproved.iter().map(|(_, _, role)| role.as_ref().unwrap().to_string()).collect();
    assert_eq!(unapproved, found, "{audited:?}");
    assert_eq!(audited.findings.len(), found.len());
}

#[test]
fn approved_access_that_is_missing_is_found_only_where_the_listing_was_whole() {
    let mut scene = Scene::of("ad", account("mzsmitj", Realm::Directory));
    scene.entitlements = vec![entitlement("cimor", EntitlementState::InPlace)];
    let audited = scene.audit();
    assert_eq!(audited.findings[0].kind, FindingKind::ApprovedAccessMissing);
    assert_eq!(audited.missing, [Uuid::from_u128(9)]);
    scene.suspensions = vec![suspension(SuspensionKind::Leave, None)];
    scene.accounts[0].1.enabled = false;
    assert_eq!(scene.kinds(), [], "who is on leave is to have nothing");
    scene.suspensions.clear();
    scene.cut = true;
    scene.accounts.clear();
    assert_eq!(scene.kinds(), []);
}

/// A form about the person.
fn filed(number: u64, fields: serde_json::Value) -> FiledForm {
    let mut form = serde_json::json!({
        "form": "staff_access", "version": 1, "id": Uuid::from_u128(number.into()),
        "person": { "user_id": "mzsmitj" },
    });
    for (key, value) in fields.as_object().unwrap() {
        form[key] = value.clone();
    }
    FiledForm {
        number,
        hash: "5f".into(),
        form: serde_json::from_value(form).unwrap(),
        person: person().id,
        filed_by: Actor::new("clerk").unwrap(),
        filed_at: days_ago(100),
        state: FormState::InPlace,
        ended_because: None,
        reserved: None,
        reminders: 0,
        told_on: None,
    }
}

/// HR lists `z`; form 3 asked for access there, and form 5 moved the person to `q`.
#[rstest]
#[case::given_at_the_new_place(5, &["CIMOR-Q"], &[])]
#[case::still_at_the_old_one(5, &["CIMOR-Z"], &[FindingKind::GroupAddedElsewhere, FindingKind::ApprovedAccessMissing])]
#[case::put_back_into_the_old_one(5, &["CIMOR-Q", "CIMOR-Z"], &[FindingKind::GroupAddedElsewhere])]
#[case::given_before_the_move(3, &["CIMOR-Z"], &[])]
#[case::of_the_baseline(0, &["CIMOR-Q"], &[])]
#[case::taken_away(5, &[], &[FindingKind::ApprovedAccessMissing])]
fn whoever_moved_by_a_form_is_judged_by_the_place_that_what_gives_knows(
    #[case] form: u64,
    #[case] groups: &[&str],
    #[case] kinds: &[FindingKind],
) {
    let own = account("mzsmitj", Realm::Directory);
    let own = groups.iter().fold(own, |own, group| in_group(own, group));
    let held = Entitlement { form, ..entitlement("cimor", EntitlementState::InPlace) };
    let scene = Scene {
        entitlements: vec![held],
        forms: vec![
            filed(3, serde_json::json!({ "asks": "change" })),
            filed(5, serde_json::json!({ "asks": "location_change", "new_location": "q" })),
        ],
        ..Scene::of("ad", own)
    };
    let audited = scene.audit();
    let found: BTreeSet<String> =
        audited.findings.iter().map(|f| format!("{:?}", f.kind)).collect();
    assert_eq!(found, kinds.iter().map(|kind| format!("{kind:?}")).collect());
    // Who took the system away would take what the form gave.
    assert_eq!((audited.added_elsewhere, audited.unapproved), (Vec::new(), Vec::new()));
}

#[test]
fn whose_newest_engagement_names_no_place_is_judged_by_the_one_before() {
    let mut scene = Scene::of("ad", in_group(account("mzsmitj", Realm::Directory), "cimor-z"));
    let further =
        Engagement { worksite: None, ordinal: 1, ..scene.people[0].engagements[0].clone() };
    scene.people[0].engagements.push(further);
    assert_eq!(scene.kinds(), [FindingKind::AccessWithoutForm]);
    scene.entitlements = vec![entitlement("cimor", EntitlementState::InPlace)];
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_suspended_account_that_is_open_is_found() {
    let mut scene = Scene::of("ad", account("mzsmitj", Realm::Directory));
    scene.suspensions = vec![suspension(SuspensionKind::Order, None)];
    assert_eq!(scene.kinds(), [FindingKind::SuspendedWithAccess]);
    scene.suspensions = vec![suspension(SuspensionKind::Order, Some(1))];
    assert_eq!(scene.kinds(), []);
}

#[rstest]
#[case::old(Some(61), false, true)]
#[case::on_its_last_day(Some(60), false, false)]
#[case::never_expires(Some(1), true, true)]
#[case::to_be_changed(None, false, false)]
fn old_passwords_are_found(#[case] days: Option<i32>, #[case] never: bool, #[case] found: bool) {
    let mut old = account("mzsmitj", Realm::Directory);
    let changed_at = days.map(days_ago);
    old.details.password = Some(PasswordAge { changed_at, never_expires: never });
    let kinds = Scene::of("ad", old).kinds();
    assert_eq!(kinds.contains(&FindingKind::PasswordTooOld), found, "{kinds:?}");
}

#[rstest]
#[case::old(Some(61), |_: &mut Scene| {}, true)]
#[case::not_old(Some(60), |_: &mut Scene| {}, false)]
#[case::to_be_changed_already(None, |_: &mut Scene| {}, false)]
#[case::off(Some(61), |s: &mut Scene| s.rules.clear(), false)]
#[case::never_expires(Some(61), |s: &mut Scene| {
    s.accounts[0].1.details.password.as_mut().unwrap().never_expires = true;
}, false)]
#[case::an_account_beside_the_own(Some(61), |s: &mut Scene| {
    s.accounts[0].1.user_id = UserId::new("adm-mzsmitj").unwrap();
}, false)]
#[case::an_administrators(Some(61), |s: &mut Scene| {
    s.accounts[0].1.protection = Some(Protection::SecondOperator { because: "Domain Admins".into() });
}, false)]
#[case::break_glass(Some(61), |s: &mut Scene| {
    s.accounts[0].1.protection = Some(Protection::Never { because: "bg-*".into() });
}, false)]
#[case::a_services(Some(61), |s: &mut Scene| {
    s.rules.push(|policy| policy.access.audit.without_person = vec!["mz*".into()]);
}, false)]
#[case::shut(Some(61), |s: &mut Scene| s.accounts[0].1.enabled = false, false)]
#[case::suspended_elsewhere(Some(61), |s: &mut Scene| {
    let stop = suspension(SuspensionKind::Leave, None);
    s.suspensions = vec![Suspension { connectors: vec![connector("omis")], ..stop }];
}, false)]
#[case::suspended_before(Some(61), |s: &mut Scene| {
    s.suspensions = vec![suspension(SuspensionKind::Leave, Some(3))];
}, true)]
#[case::about_to_leave(Some(61), |s: &mut Scene| {
    let mut leaver = leaver();
    leaver.notices[0].effective_at = now().checked_add(48.hours()).unwrap();
    s.people = vec![leaver];
}, false)]
#[case::gone(Some(61), |s: &mut Scene| s.people = vec![leaver()], false)]
fn old_passwords_are_expired_of_those_who_may_log_on_and_of_nobody_else(
    #[case] days: Option<i32>,
    #[case] change: fn(&mut Scene),
    #[case] expired: bool,
) {
    let mut old = account("mzsmitj", Realm::Directory);
    let changed_at = days.map(days_ago);
    old.details.password = Some(PasswordAge { changed_at, never_expires: false });
    let mut scene = Scene::of("ad", old);
    scene.rules.push(|policy| policy.access.accounts.password.force_change = true);
    change(&mut scene);
    let audited = scene.audit();
    assert_eq!(audited.old_passwords.len(), usize::from(expired), "{audited:?}");
    // The same password is the same step in the same case; a newer one is another.
    let step = |audited: Audited| audited.old_passwords.into_iter().next().map(|old| old.step);
    let first = step(audited);
    assert_eq!(first.as_ref().map(|s| s.id), step(scene.audit()).map(|s| s.id));
    scene.accounts[0].1.details.password =
        Some(PasswordAge { changed_at: Some(days_ago(70)), never_expires: false });
    if let (Some(first), Some(other)) = (first, step(scene.audit())) {
        assert!(first.id != other.id && first.case != other.case);
        assert_eq!(first.rule, lapsed_core::citation::Rule::A9);
    }
}

#[rstest]
#[case::used(Some(30), None, 0, None, false)]
#[case::its_last_day(Some(60), None, 0, None, false)]
#[case::too_long(Some(61), None, 0, None, true)]
#[case::within_the_lag(Some(70), None, 14, None, false)]
#[case::past_the_lag(Some(75), None, 14, None, true)]
#[case::never_used_since_it_was_made(None, Some(61), 0, None, true)]
#[case::never_used_and_new(None, Some(10), 0, None, false)]
#[case::never_used_by_the_forms_day(None, None, 0, None, true)]
#[case::reviewed_since(Some(200), None, 0, Some(10), false)]
#[case::reviewed_long_ago(Some(200), None, 0, Some(61), true)]
fn long_disuse_locks_that_system_with_the_sources_lag_counted(
    #[case] used: Option<i32>,
    #[case] made: Option<i32>,
    #[case] lag_days: u16,
    #[case] reviewed: Option<i32>,
    #[case] locks: bool,
) {
    let mut there = account("mzsmitj", Realm::System);
    let (at, made_at) = (used.map(days_ago), made.map(days_ago));
    there.details.last_use = Some(LastUse { at, made_at, lag_days });
    let mut scene = Scene::of("omis", there);
    scene.entitlements = vec![entitlement("omis", EntitlementState::InPlace)];
    scene.suspensions = reviewed
        .map(|days| suspension(SuspensionKind::Inactivity, Some(days)))
        .into_iter()
        .collect();
    let audited = scene.audit();
    assert_eq!(audited.unused.len(), usize::from(locks), "{audited:?}");
    let told = audited.findings.iter().any(|f| f.kind == FindingKind::NotUsed);
    assert_eq!(told, locks);
}

#[test]
fn a_source_that_shows_no_last_use_is_told_and_locks_nobody() {
    let mut scene = Scene::of("omis", account("mzsmitj", Realm::System));
    scene.entitlements = vec![entitlement("omis", EntitlementState::InPlace)];
    let audited = scene.audit();
    assert_eq!(audited.findings[0].kind, FindingKind::NotUsed);
    assert!(audited.unused.is_empty());
}

#[test]
fn the_same_finding_is_told_once_goes_by_itself_and_stays_settled() {
    let scene = Scene::of("ad", account("mzdoej", Realm::Directory));
    let found = scene.audit().findings;
    let whole = BTreeSet::from([connector("ad")]);
    let first = compared(vec![], found.clone(), &whole, now());
    assert_eq!(first, found);
    let later = now().checked_add(24.hours()).unwrap();
    let again = compared(first.clone(), found.clone(), &whole, later);
    assert_eq!((again[0].id, again[0].found_at, again[0].seen_at), (first[0].id, now(), later));
    let gone = compared(first.clone(), vec![], &whole, later);
    assert_eq!(gone[0].settled_at, Some(later));
    assert!(compared(first.clone(), vec![], &BTreeSet::new(), later).is_empty(), "was not read");
    let by_hand = AccessFinding { settled_because: Some("ann: kiosk".into()), ..gone[0].clone() };
    let still = compared(vec![by_hand], found.clone(), &whole, later);
    assert!(still[0].settled_at.is_some());
    let back = compared(gone, found, &whole, later);
    assert_eq!(back[0].settled_at, None, "gone and back is told again");
}

#[test]
fn the_groups_of_all_systems_behind_a_connector_are_known_for_every_place_and_role() {
    let mut policy = Policy::built_in();
    let rule = |text: serde_json::Value| serde_json::from_value::<SystemRule>(text).unwrap();
    let wards = serde_json::json!({
        "connector": "directory", "groups": ["W-{{ location }}"], "roles": { "head": { "groups": ["Heads"] } },
    });
    let elsewhere = serde_json::json!({ "connector": "other", "groups": ["Elsewhere"] });
    policy.access.systems =
        [(system("wards"), rule(wards)), (system("other"), rule(elsewhere))].into();
    let location = serde_json::json!({ "name": "Fulton", "class": "facility" });
    let location = serde_json::from_value(location).unwrap();
    policy.locations = [(LocationId::new("q").unwrap(), location)].into();
    let groups = policy.groups_of_systems(&connector("directory"));
    let names: Vec<String> = groups.iter().map(ToString::to_string).collect();
    assert!(names.contains(&"W-q".into()) && names.contains(&"Heads".into()), "{names:?}");
    assert!(!names.contains(&"Elsewhere".into()), "{names:?}");
}
