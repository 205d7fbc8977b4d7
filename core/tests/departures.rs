//! From statements to standings: who departs, and when.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use lapsed_core::absorb::{Change, Context, Match, absorb, match_person, notice};
use lapsed_core::facts::*;
use lapsed_core::policy::departure::DeparturePolicy;
use lapsed_core::standing::{Standing, standing};
use rstest::rstest;
use uuid::Uuid;

fn zone() -> TimeZone {
    TimeZone::get("America/Chicago").unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone()).unwrap().timestamp()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn source(name: &str) -> SourceName {
    SourceName::new(name).unwrap()
}

fn person() -> Person {
    Person::new(PersonId(Uuid::from_u128(1)))
}

fn says(status: Status, ends_on: Option<&str>) -> Statement {
    Statement {
        line: 2,
        employee_number: Some(EmployeeNumber::new("00123").unwrap()),
        former_employee_number: None,
        user_id: None,
        record: String::new(),
        name: Some(PersonName { last: "Smith".into(), first: "John".into(), preferred: None }),
        status,
        starts_on: Some(day("2020-01-06")),
        ends_on: ends_on.map(day),
        for_cause: false,
        worksite: None,
        kind: None,
        supervisor: None,
        gates: Vec::new(),
    }
}

/// Takes statements in, each with its source and moment, and returns the changes of the last one.
fn take(person: &mut Person, said: &[(&str, &str, Statement)]) -> Result<Vec<Change>, String> {
    let policy = DeparturePolicy::default();
    let mut last = Ok(Vec::new());
    for (from, when, statement) in said {
        let from = source(from);
        let context = Context {
            source: &from,
            brought_by: "drop.csv",
            received_at: at(when),
            policy: &policy,
            zone: &zone(),
            notices_only: false,
            listed_before: false,
        };
        last = absorb(person, statement, context);
    }
    last
}

fn left_at(person: &Person, now: &str) -> Option<Timestamp> {
    match standing(person, at(now), &zone()) {
        Standing::Left(end) => Some(end.at),
        _ => None,
    }
}

#[test]
fn a_bare_last_day_takes_effect_at_the_end_of_that_day_in_the_agencys_zone() {
    let mut p = person();
    let said = says(Status::Departed, Some("2026-11-20"));
    take(&mut p, &[("hr", "2026-11-18T09:00", said)]).unwrap();
    assert_eq!(left_at(&p, "2026-11-20T23:59"), None);
    assert_eq!(left_at(&p, "2026-11-21T00:00"), Some(at("2026-11-21T00:00")));
}

#[test]
fn a_back_dated_end_takes_effect_when_the_notice_arrives() {
    let mut p = person();
    let said = says(Status::Departed, Some("2026-10-01"));
    take(&mut p, &[("hr", "2026-11-18T09:00", said)]).unwrap();
    assert_eq!(left_at(&p, "2026-11-18T09:00"), Some(at("2026-11-18T09:00")));
}

#[test]
fn the_same_notice_twice_is_one_notice() {
    let mut p = person();
    let said = says(Status::Departed, Some("2026-11-20"));
    take(&mut p, &[("hr", "2026-11-18T09:00", said.clone())]).unwrap();
    let again = take(&mut p, &[("hr", "2026-11-19T09:00", said)]).unwrap();
    assert_eq!(again, vec![Change::Repeated]);
    assert_eq!(p.notices.len(), 1);
}

#[rstest]
#[case::who_came_back_departs_anew(
    "2026-11-23",
    "2026-11-23T15:00",
    false,
    Some("2026-11-23T15:00")
)]
#[case::later_too("2026-11-23", "2026-12-01T15:00", false, Some("2026-12-01T15:00"))]
#[case::a_file_that_goes_on_listing_it_says_nothing_new(
    "2026-11-23",
    "2026-12-01T15:00",
    true,
    None
)]
#[case::who_is_to_come_back_later_has_not_left("2026-12-24", "2026-12-01T15:00", false, None)]
#[case::the_same_engagement_ended_before(
    "2020-01-06",
    "2026-11-23T15:00",
    false,
    Some("2026-11-20T09:00")
)]
fn the_same_words_said_after_a_return_are_a_notice_of_another_departure(
    #[case] returns: &str,
    #[case] again: &str,
    #[case] listed_before: bool,
    #[case] left: Option<&str>,
) {
    let mut p = person();
    take(&mut p, &[("hr", "2020-01-06T09:00", says(Status::Active, None))]).unwrap();
    let policy = DeparturePolicy::default();
    let operator = source("operator");
    let depart = |p: &mut Person, when: &str, listed_before: bool| {
        let context = Context {
            source: &operator,
            brought_by: "root",
            received_at: at(when),
            policy: &policy,
            zone: &zone(),
            notices_only: false,
            listed_before,
        };
        notice(p, About::Person, None, false, context, &mut Vec::new()).unwrap();
    };
    depart(&mut p, "2026-11-20T09:00", false);
    assert_eq!(left_at(&p, "2026-11-20T09:00"), Some(at("2026-11-20T09:00")));
    let old = p.engagements[0].clone();
    p.engagements.push(Engagement { ordinal: 1, starts_on: Some(day(returns)), ..old });
    depart(&mut p, again, listed_before);
    assert_eq!(left_at(&p, "2026-12-02T00:00"), left.map(at));
}

#[test]
fn a_moved_end_replaces_the_older_notice_of_the_same_source() {
    let mut p = person();
    take(
        &mut p,
        &[
            ("hr", "2026-11-02T09:00", says(Status::Departed, Some("2026-11-20"))),
            ("hr", "2026-11-03T09:00", says(Status::Departed, Some("2026-12-18"))),
        ],
    )
    .unwrap();
    assert_eq!(left_at(&p, "2026-11-25T00:00"), None);
    assert_eq!(left_at(&p, "2026-12-19T00:00"), Some(at("2026-12-19T00:00")));
}

#[test]
fn only_the_end_of_the_last_engagement_is_a_departure() {
    let mut p = person();
    let second = Statement { record: "1".into(), ..says(Status::Active, None) };
    let first = says(Status::Departed, Some("2026-11-01"));
    take(&mut p, &[("hr", "2026-11-02T09:00", second), ("hr", "2026-11-02T09:00", first)]).unwrap();
    assert_eq!(standing(&p, at("2026-11-20T00:00"), &zone()), Standing::Employed);
    let second_ends =
        Statement { record: "1".into(), ..says(Status::Departed, Some("2026-11-15")) };
    take(&mut p, &[("hr", "2026-11-10T09:00", second_ends)]).unwrap();
    assert_eq!(left_at(&p, "2026-11-20T00:00"), Some(at("2026-11-16T00:00")));
}

#[test]
fn a_contractor_turned_employee_does_not_depart() {
    let mut p = person();
    let contract = says(Status::Departed, Some("2026-10-31"));
    take(&mut p, &[("contracts", "2026-10-20T09:00", contract)]).unwrap();
    let post = Statement { starts_on: Some(day("2026-11-01")), ..says(Status::Active, None) };
    take(&mut p, &[("hr", "2026-10-28T09:00", post)]).unwrap();
    assert_eq!(standing(&p, at("2026-11-20T00:00"), &zone()), Standing::Employed);
}

#[test]
fn a_source_that_says_active_again_takes_its_notice_back() {
    let mut p = person();
    let changes = take(
        &mut p,
        &[
            ("hr", "2026-11-02T09:00", says(Status::Departed, Some("2026-10-30"))),
            ("hr", "2026-11-03T09:00", says(Status::Active, None)),
        ],
    )
    .unwrap();
    assert!(changes.contains(&Change::NoticeWithdrawn), "{changes:?}");
    assert_eq!(standing(&p, at("2026-11-20T00:00"), &zone()), Standing::Employed);
}

#[test]
fn a_stale_active_row_does_not_lift_an_operators_notice() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-11-01T09:00", says(Status::Active, None))]).unwrap();
    let policy = DeparturePolicy::default();
    let operator = source("operator");
    let context = Context {
        source: &operator,
        brought_by: "amalik",
        received_at: at("2026-11-02T10:15"),
        policy: &policy,
        zone: &zone(),
        notices_only: false,
        listed_before: false,
    };
    notice(&mut p, About::Person, None, true, context, &mut Vec::new()).unwrap();
    take(&mut p, &[("hr", "2026-11-03T09:00", says(Status::Active, None))]).unwrap();
    assert_eq!(left_at(&p, "2026-11-03T10:00"), Some(at("2026-11-02T10:15")));
}

#[test]
fn a_rehire_starts_a_new_engagement_and_ends_the_departure() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-06-01T09:00", says(Status::Departed, Some("2026-06-30")))])
        .unwrap();
    let back = Statement { starts_on: Some(day("2026-11-01")), ..says(Status::Active, None) };
    let changes = take(&mut p, &[("hr", "2026-11-01T09:00", back)]).unwrap();
    assert_eq!(changes, vec![Change::Rehired]);
    assert_eq!(p.engagements.len(), 2);
    assert_eq!(standing(&p, at("2026-11-20T00:00"), &zone()), Standing::Employed);
}

#[test]
fn the_earliest_of_two_sources_counts() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-11-01T09:00", says(Status::Departed, Some("2026-12-31")))])
        .unwrap();
    let policy = DeparturePolicy::default();
    let officer = source("lso");
    let context = Context {
        source: &officer,
        brought_by: "revoke-form",
        received_at: at("2026-11-02T10:00"),
        policy: &policy,
        zone: &zone(),
        notices_only: false,
        listed_before: false,
    };
    notice(&mut p, About::Person, Some(day("2026-11-30")), false, context, &mut Vec::new())
        .unwrap();
    assert_eq!(left_at(&p, "2026-12-01T00:00"), Some(at("2026-12-01T00:00")));
}

#[test]
fn leave_is_not_a_departure_even_with_an_end_date() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-11-01T09:00", says(Status::OnLeave, Some("2027-02-01")))]).unwrap();
    assert_eq!(standing(&p, at("2027-03-01T00:00"), &zone()), Standing::Employed);
}

#[test]
fn active_with_a_past_end_date_is_set_aside_and_changes_nothing() {
    let mut p = person();
    let result =
        take(&mut p, &[("hr", "2026-11-18T09:00", says(Status::Active, Some("2026-11-01")))]);
    assert!(result.unwrap_err().contains("ask HR"));
    assert_eq!(p, person());
}

#[test]
fn an_old_number_under_another_name_is_another_person_once_its_owner_is_gone() {
    let mut gone = person();
    take(&mut gone, &[("hr", "2016-01-10T09:00", says(Status::Departed, Some("2016-01-31")))])
        .unwrap();
    gone.engagements[0].starts_on = Some(day("2010-01-01"));
    let mut newcomer = says(Status::Active, None);
    newcomer.starts_on = Some(day("2026-11-01"));
    newcomer.name =
        Some(PersonName { last: "Okafor".into(), first: "Ada".into(), preferred: None });
    assert_eq!(match_person(&newcomer, &source("hr"), &[gone.clone()]), Match::New);
    // Someone who has not left keeps the number: a person has to look.
    let mut current = person();
    take(&mut current, &[("hr", "2026-01-10T09:00", says(Status::Active, None))]).unwrap();
    assert!(matches!(match_person(&newcomer, &source("hr"), &[current]), Match::Unclear(_)));
}

#[test]
fn a_marriage_does_not_part_a_person_from_the_number() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-01-10T09:00", says(Status::Active, None))]).unwrap();
    let mut renamed = says(Status::Active, None);
    renamed.name =
        Some(PersonName { last: "Nguyen".into(), first: "John".into(), preferred: None });
    assert_eq!(match_person(&renamed, &source("hr"), &[p]), Match::Known(0));
}

#[test]
fn a_changed_employee_number_stays_the_same_engagement() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-01-10T09:00", says(Status::Departed, Some("2026-12-01")))])
        .unwrap();
    let mut renumbered = says(Status::Departed, Some("2026-12-15"));
    renumbered.former_employee_number = renumbered.employee_number.take();
    renumbered.employee_number = Some(EmployeeNumber::new("98765").unwrap());
    take(&mut p, &[("hr", "2026-02-10T09:00", renumbered)]).unwrap();
    assert_eq!(p.engagements.len(), 1);
    assert_eq!(left_at(&p, "2026-12-10T00:00"), None);
    assert_eq!(left_at(&p, "2026-12-16T00:00"), Some(at("2026-12-16T00:00")));
}

#[test]
fn an_operators_notice_from_before_a_rehire_does_not_reach_the_new_engagement() {
    let mut p = person();
    take(&mut p, &[("hr", "2026-01-10T09:00", says(Status::Departed, Some("2026-03-01")))])
        .unwrap();
    let policy = DeparturePolicy::default();
    let operator = source("operator");
    let context = Context {
        source: &operator,
        brought_by: "amalik",
        received_at: at("2026-02-20T10:00"),
        policy: &policy,
        zone: &zone(),
        notices_only: false,
        listed_before: false,
    };
    notice(&mut p, About::Person, None, true, context, &mut Vec::new()).unwrap();
    let back = Statement { starts_on: Some(day("2026-11-01")), ..says(Status::Active, None) };
    take(&mut p, &[("hr", "2026-11-01T09:00", back)]).unwrap();
    assert_eq!(standing(&p, at("2026-11-20T00:00"), &zone()), Standing::Employed);
}

#[rstest]
#[case::said_before("2026-06-20T10:00")]
#[case::said_late("2026-07-03T10:00")]
fn whoever_is_hired_again_on_the_day_after_the_last_one_stays_in(#[case] said: &str) {
    let mut p = person();
    let ended = Statement {
        starts_on: Some(day("2025-01-01")),
        ..says(Status::Departed, Some("2026-06-30"))
    };
    take(&mut p, &[("hr", "2026-06-01T09:00", ended)]).unwrap();
    let back = Statement { starts_on: Some(day("2026-07-01")), ..says(Status::Active, None) };
    take(&mut p, &[("hr", "2026-06-21T09:00", back)]).unwrap();
    let policy = DeparturePolicy::default();
    let operator = source("operator");
    let context = Context {
        source: &operator,
        brought_by: "amalik",
        received_at: at(said),
        policy: &policy,
        zone: &zone(),
        notices_only: false,
        listed_before: false,
    };
    notice(&mut p, About::Person, Some(day("2026-06-30")), false, context, &mut Vec::new())
        .unwrap();
    for moment in ["2026-07-01T00:00", "2026-07-10T00:00"] {
        assert_eq!(standing(&p, at(moment), &zone()), Standing::Employed, "{moment}");
    }
    // A dismissal ends whatever had begun by then.
    let context = Context { received_at: at("2026-07-04T10:00"), ..context };
    notice(&mut p, About::Person, None, true, context, &mut Vec::new()).unwrap();
    assert_eq!(left_at(&p, "2026-07-04T10:00"), Some(at("2026-07-04T10:00")));
}

#[test]
fn a_shared_first_name_does_not_make_a_newcomer_of_a_reused_number_the_old_one() {
    let mut gone = person();
    let left = says(Status::Departed, Some("2021-01-31"));
    take(&mut gone, &[("hr", "2021-01-10T09:00", left.clone())]).unwrap();
    let brown = PersonName { last: "Brown".into(), first: "John".into(), preferred: None };
    let newcomer = Statement {
        starts_on: Some(day("2026-11-01")),
        name: Some(brown.clone()),
        ..says(Status::Active, None)
    };
    assert_eq!(match_person(&newcomer, &source("hr"), &[gone.clone()]), Match::New);
    // The same engagement with a corrected name is still the same person's.
    let corrected = Statement { name: Some(brown), ..left };
    assert_eq!(match_person(&corrected, &source("hr"), &[gone]), Match::Known(0));
}
