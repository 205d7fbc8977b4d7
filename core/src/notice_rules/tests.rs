use super::*;
use crate::facts::{ConnectorName, Engagement, PersonId, StableId, Status, UserId};
use crate::policy::departure::WorksiteClass;
use crate::step::{Expect, Receipt, Target};
use jiff::Timestamp;
use jiff::civil::date;
use rstest::rstest;
use serde_json::json;

/// A Monday.
const SHUT: Date = date(2026, 11, 2);
/// A Tuesday.
const MAILBOX: Date = date(2026, 11, 17);
/// A Wednesday.
const HOME: Date = date(2026, 12, 2);

struct Facts {
    case: Case,
    person: Person,
    steps: Vec<(Step, StepState)>,
    held: Option<&'static str>,
    told: Vec<Told>,
    rules: Rules,
    trust: bool,
    work_days: WorkDays,
}

fn step(case: &Case, mailbox: bool, date: Date) -> Step {
    let account = Target { id: StableId::new("a").unwrap(), label: "mzsmitj".into() };
    let action = if mailbox {
        Action::DeleteMailbox { account }
    } else {
        Action::DeleteHome { account, home: None, uid_number: None }
    };
    let expect = Expect { user_id: UserId::new("mzsmitj").unwrap(), employee_number: None };
    let due = Due::On { date, reason: "14 days".into() };
    let target = ConnectorName::new(if mailbox { "mail" } else { "homes" }).unwrap();
    let rule = crate::citation::Rule::D7;
    Step::new(case.id, case.person, target, action, expect, due, rule)
}

impl Facts {
    fn new() -> Self {
        let person = Person::new(PersonId(Uuid::from_u128(1)));
        let case = Case {
            id: CaseId::departure(person.id, 0),
            kind: crate::facts::CaseKind::Departure,
            person: person.id,
            state: CaseState::Open,
            effective_at: Timestamp::UNIX_EPOCH,
            for_cause: true,
            opened_at: Timestamp::UNIX_EPOCH,
            disabled_on: Some(SHUT),
            worksite_class: Some(WorksiteClass::Facility),
            reason: String::new(),
            before: Vec::new(),
        };
        let steps = vec![
            (step(&case, true, MAILBOX), StepState::Planned),
            (step(&case, false, HOME), StepState::Planned),
        ];
        Self {
            case,
            person,
            steps,
            held: None,
            told: Vec::new(),
            rules: Rules { kinds: Kind::ALL.into_iter().collect(), remind_days_before: 2 },
            trust: false,
            work_days: WorkDays::default(),
        }
    }

    fn deletions(&self) -> Vec<Deletion> {
        deletions(&self.case, self.steps.iter().map(|(s, state)| (s, state)), self.held)
    }

    fn ask<T>(&self, today: Date, question: fn(&About<'_>) -> T) -> T {
        let number = EmployeeNumber::new("77").unwrap();
        let worksite = LocationId::new("b").unwrap();
        question(&About {
            case: &self.case,
            person: &self.person,
            deletions: &self.deletions(),
            supervisor: Some(&number),
            worksite: Some(&worksite),
            held_in_trust: self.trust,
            told: &self.told,
            rules: &self.rules,
            work_days: &self.work_days,
            today,
        })
    }

    fn tell(&mut self, wanted: Vec<Wanted>) {
        let told = wanted.into_iter().map(|w| Told { kind: w.kind, to: w.to, dates: w.dates });
        self.told.extend(told);
    }

    fn after_disabling() -> Self {
        let mut facts = Self::new();
        let wanted = facts.ask(SHUT, |a| a.at_disabling());
        facts.tell(wanted);
        facts
    }
}

fn kinds(wanted: &[Wanted]) -> Vec<&'static str> {
    wanted.iter().map(|w| w.kind.name()).collect()
}

#[rstest]
#[case::all(&[], false, &["manager", "security_officer", "account_management"])]
#[case::with_trust(&[], true, &["manager", "security_officer", "account_management", "held_in_trust"])]
#[case::switched_off(&[Kind::Manager, Kind::HeldInTrust], true, &["security_officer", "account_management"])]
fn at_disabling_each_is_told_what_is_theirs(
    #[case] off: &[Kind],
    #[case] trust: bool,
    #[case] expected: &[&str],
) {
    let mut facts = Facts { trust, ..Facts::new() };
    facts.rules.kinds.retain(|kind| !off.contains(kind));
    assert_eq!(kinds(&facts.ask(SHUT, |a| a.at_disabling())), expected);
}

#[test]
fn the_same_wish_is_the_same_notice_and_another_departure_is_told_again() {
    let facts = Facts::new();
    let first = facts.ask(SHUT, |a| a.at_disabling());
    assert_eq!(first, facts.ask(MAILBOX, |a| a.at_disabling()), "whenever it is asked");
    let ids: BTreeSet<Uuid> = first.iter().map(|w| w.id).collect();
    assert_eq!(ids.len(), first.len());
    let mut again = Facts::new();
    again.case.disabled_on = Some(date(2027, 1, 4));
    assert!(again.ask(SHUT, |a| a.at_disabling()).iter().all(|w| !ids.contains(&w.id)));
}

#[rstest]
#[case::nothing_yet(date(2026, 11, 12), &[])]
// Two days before a Tuesday is a Sunday: nobody reads it before the Friday.
#[case::on_the_work_day_before(date(2026, 11, 13), &["mailbox"])]
#[case::late_but_before_the_day(date(2026, 11, 16), &["mailbox"])]
#[case::on_the_day_it_is_too_late(MAILBOX, &[])]
#[case::the_home_has_its_own(date(2026, 11, 30), &["home directory"])]
fn the_second_notice_comes_on_a_work_day_before_each_deletion(
    #[case] today: Date,
    #[case] expected: &[&str],
) {
    let wanted = Facts::after_disabling().ask(today, |a| a.ahead());
    let things: Vec<_> = wanted.iter().flat_map(|w| &w.dates).map(|d| d.thing.noun()).collect();
    assert_eq!(things, expected);
}

#[test]
fn deletions_of_one_day_are_told_in_one_notice() {
    let mut facts = Facts::after_disabling();
    facts.steps[1].0 = step(&facts.case, false, MAILBOX);
    let wanted = facts.ask(date(2026, 11, 16), |a| a.ahead());
    assert_eq!((wanted.len(), wanted[0].dates.len()), (1, 2));
}

#[test]
fn a_retention_of_a_day_is_told_once_and_not_twice() {
    let mut facts = Facts::new();
    facts.steps = vec![(step(&facts.case, true, date(2026, 11, 4)), StepState::Planned)];
    assert!(facts.ask(date(2026, 11, 3), |a| a.ahead()).is_empty());
}

#[rstest]
#[case::a_hold(|f: &mut Facts| f.held = Some("a hold of General Counsel"))]
#[case::a_rehire(|f: &mut Facts| f.case.state = CaseState::Rehired)]
#[case::cancelled(|f: &mut Facts| {
    for step in &mut f.steps { step.1 = StepState::Cancelled { reason: "employed again".into() } }
})]
fn what_was_stopped_is_told_once_and_not_announced_again(#[case] stop: fn(&mut Facts)) {
    let mut facts = Facts::after_disabling();
    assert_eq!(facts.ask(SHUT, |a| a.corrected()), None, "nothing changed");
    stop(&mut facts);
    let wanted = facts.ask(SHUT, |a| a.corrected()).unwrap();
    assert!(wanted.dates.iter().all(|d| d.on.is_none() && !d.reason.is_empty()), "{wanted:?}");
    assert_eq!(wanted.before.len(), 2);
    assert_eq!(wanted.to, Addressee::Supervisor { number: EmployeeNumber::new("77").ok() });
    facts.tell(vec![wanted]);
    assert_eq!(facts.ask(SHUT, |a| a.corrected()), None);
    assert!(facts.ask(date(2026, 11, 16), |a| a.ahead()).is_empty());
}

#[test]
fn a_hold_placed_lifted_and_placed_again_is_three_notices() {
    let mut facts = Facts::after_disabling();
    let mut ids = BTreeSet::new();
    for held in [Some("hold"), None, Some("hold")] {
        facts.held = held;
        let wanted = facts.ask(SHUT, |a| a.corrected()).unwrap();
        ids.insert(wanted.id);
        facts.tell(vec![wanted]);
    }
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_date_that_moved_is_told_with_the_one_before() {
    let mut facts = Facts::after_disabling();
    facts.steps[1].0 = step(&facts.case, false, date(2026, 12, 9));
    let wanted = facts.ask(SHUT, |a| a.corrected()).unwrap();
    assert_eq!(wanted.before.iter().map(|d| d.on).collect::<Vec<_>>(), [Some(HOME)]);
    assert!(wanted.dates.iter().any(|d| d.on == Some(date(2026, 12, 9))));
}

#[test]
fn what_was_deleted_on_its_day_is_no_change() {
    let mut facts = Facts::after_disabling();
    let receipt = Receipt { before: Default::default(), server: None };
    facts.steps[0].1 = StepState::Done { receipt: Some(receipt) };
    assert_eq!(facts.ask(MAILBOX, |a| a.corrected()), None);
}

#[test]
fn nobody_who_was_told_nothing_is_told_of_a_change() {
    let mut facts = Facts::new();
    facts.held = Some("hold");
    assert_eq!(facts.ask(SHUT, |a| a.corrected()), None);
}

#[test]
fn the_supervisor_of_the_engagement_that_ended_last_counts() {
    let engagement = |number: &str, supervisor: &str, ordinal| Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: EmployeeNumber::new(number).ok(),
        former_numbers: Vec::new(),
        user_id: None,
        record: String::new(),
        ordinal,
        name: None,
        status: Status::Departed,
        starts_on: None,
        ends_on: None,
        worksite: None,
        kind: None,
        supervisor: EmployeeNumber::new(supervisor).ok(),
    };
    let notice = |ordinal, second| crate::facts::Notice {
        source: SourceName::new("hr").unwrap(),
        about: crate::facts::About::Engagement { ordinal },
        last_day: None,
        effective_at: Timestamp::from_second(second).unwrap(),
        for_cause: false,
        received_at: Timestamp::UNIX_EPOCH,
        brought_by: String::new(),
        state: crate::facts::NoticeState::Standing,
    };
    let mut person = Person::new(PersonId(Uuid::from_u128(1)));
    person.engagements = vec![engagement("1", "70", 0), engagement("1", "71", 1)];
    person.notices = vec![notice(0, 200), notice(1, 100)];
    let now = Timestamp::from_second(300).unwrap();
    let zone = jiff::tz::TimeZone::UTC;
    match crate::standing::standing(&person, now, &zone) {
        crate::standing::Standing::Left(end) => {
            assert_eq!(end.supervisor, EmployeeNumber::new("70").ok());
        }
        other => panic!("{other:?}"),
    }
}

const SMALL: &str =
    "Subject: {{ name }} left\n\n{% if name %}\nDear all,\n{% endif %}\n{{ name }}\n";

#[test]
fn a_template_gives_subject_and_text() {
    let letter = Template::parse(SMALL).unwrap().write(&json!({ "name": "Zoë Núñez" })).unwrap();
    assert_eq!(letter.subject, "Zoë Núñez left");
    assert_eq!(letter.body, "Dear all,\nZoë Núñez\n");
}

#[rstest]
#[case::a_header("Eve\r\nBcc: all@example.org", "Eve Bcc: all@example.org left")]
#[case::a_template("{{ 7 * 7 }}", "{{ 7 * 7 }} left")]
#[case::an_escape("\u{1b}[31mred", "[31mred left")]
fn no_value_begins_a_header_or_is_read_as_a_template(#[case] name: &str, #[case] subject: &str) {
    let letter = Template::parse(SMALL).unwrap().write(&json!({ "name": name })).unwrap();
    assert_eq!(letter.subject, subject);
    assert!(!letter.body.contains('\u{1b}') && !letter.body.contains('\r'), "{letter:?}");
}

#[rstest]
#[case::no_subject("Dear all", "Subject")]
#[case::unknown_name("Subject: x\n\n{{ salary }}", "carried out")]
#[case::no_end(
    "Subject: x\n\n{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}",
    "carried out"
)]
#[case::nothing("Subject: \n\ntext", "empty")]
#[case::no_template("Subject: x\n\n{% if %}", "carried out")]
fn a_template_that_does_not_work_says_so(#[case] text: &str, #[case] because: &str) {
    let written = Template::parse(text).and_then(|t| t.write(&json!({ "name": "x" })));
    let fault = written.unwrap_err().to_string();
    assert!(fault.contains(because), "{fault}");
}

#[test]
fn a_subject_of_any_length_is_one_line_that_ends() {
    let name = "x".repeat(10_000);
    let letter = Template::parse(SMALL).unwrap().write(&json!({ "name": name })).unwrap();
    assert_eq!(letter.subject.chars().count(), 181);
}
