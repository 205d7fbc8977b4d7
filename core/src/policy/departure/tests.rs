//! The dates of the policy as tables, and what must hold for every date.

use super::*;
use crate::facts::{CaseId, LocationId, UserId};
use crate::policy::naming::default_locations;
use crate::policy::work_days::{
    DayOfWeek, Falls, Holiday, WorkDays, YearlyHoliday, missouri_state_holidays,
};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use proptest::prelude::*;
use rstest::rstest;

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

fn moment(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a time zone")
}

fn home() -> HomeRule {
    let connector = ConnectorName::new("homes").expect("a name");
    HomeRule { connector, central_office_days: 180, facility_days: 30, unknown_days: 180 }
}

fn mailbox(retention_days: u16) -> MailboxRule {
    MailboxRule {
        delete_by: None,
        connector: ConnectorName::new("mail").expect("a name"),
        disable_at_once: false,
        retention_days,
    }
}

fn user(id: &str) -> UserId {
    UserId::new(id).expect("a user ID")
}

const EARLY: &str = "2026-01-01T12:00:00Z";

#[rstest]
#[case("end_of_day", "2026-11-02", "2026-11-03T00:00:00-06:00")]
#[case("start_of_day", "2026-11-02", "2026-11-02T00:00:00-06:00")]
#[case("17:00", "2026-11-02", "2026-11-02T17:00:00-06:00")]
// Days of 23 and of 25 hours.
#[case("end_of_day", "2026-03-08", "2026-03-09T00:00:00-05:00")]
#[case("end_of_day", "2026-11-01", "2026-11-02T00:00:00-06:00")]
// 02:30 is left out on 8 March; 01:30 comes twice on 1 November.
#[case("02:30", "2026-03-08", "2026-03-08T03:30:00-05:00")]
#[case("01:30", "2026-11-01", "2026-11-01T01:30:00-05:00")]
fn access_ends_on_the_last_day_as_the_rules_say(
    #[case] time: &str,
    #[case] last_day: &str,
    #[case] expected: &str,
) {
    let time = EffectiveTime::try_from(time.to_owned()).expect("a time");
    let zone = zone("America/Chicago");
    let ends = effective_at(Some(day(last_day)), false, moment(EARLY), &time, &zone);
    assert_eq!(ends, Ok(moment(expected)));
}

#[rstest]
// Midnight is left out: the day begins at one.
#[case("America/Sao_Paulo", "2018-11-03", "2018-11-04T01:00:00-02:00")]
// Midnight comes twice: the day begins the first time.
#[case("America/Havana", "2026-10-31", "2026-11-01T00:00:00-04:00")]
// The whole of 30 December was left out.
#[case("Pacific/Apia", "2011-12-29", "2011-12-31T00:00:00+14:00")]
fn the_day_after_begins_with_its_first_moment(
    #[case] name: &str,
    #[case] last_day: &str,
    #[case] expected: &str,
) {
    let received = moment("1900-01-01T00:00:00Z");
    let time = EffectiveTime::EndOfDay;
    let ends = effective_at(Some(day(last_day)), false, received, &time, &zone(name));
    assert_eq!(ends, Ok(moment(expected)));
}

#[rstest]
#[case(Some("2026-11-02"), true)]
#[case(Some("2025-11-02"), false)]
#[case(None, false)]
fn for_cause_past_or_undated_access_ends_on_receipt(
    #[case] last_day: Option<&str>,
    #[case] for_cause: bool,
) {
    let (zone, received) = (zone("America/Chicago"), moment(EARLY));
    let ends =
        effective_at(last_day.map(day), for_cause, received, &EffectiveTime::EndOfDay, &zone);
    assert_eq!(ends, Ok(received));
}

#[test]
fn the_end_of_the_calendar_is_an_error() {
    let zone = zone("America/Chicago");
    let ends = effective_at(Some(Date::MAX), false, moment(EARLY), &EffectiveTime::EndOfDay, &zone);
    assert_eq!(ends, Err(DateError::TooFar(Date::MAX)));
    let home = home_deletion(Date::MAX, WorksiteClass::Facility, &home());
    assert_eq!(home, Err(DateError::TooFar(Date::MAX)));
}

#[rstest]
#[case(Some("z"), WorksiteClass::CentralOffice)]
#[case(Some("Z"), WorksiteClass::CentralOffice)]
#[case(Some("q"), WorksiteClass::Facility)]
#[case(Some("y"), WorksiteClass::Unknown)]
#[case(Some("j"), WorksiteClass::Unknown)]
#[case(None, WorksiteClass::Unknown)]
fn the_class_comes_from_the_worksite(
    #[case] worksite: Option<&str>,
    #[case] expected: WorksiteClass,
) {
    let worksite = worksite.map(|id| LocationId::new(id).expect("a location"));
    assert_eq!(worksite_class(worksite.as_ref(), &default_locations()), expected);
}

#[rstest]
#[case(
    WorksiteClass::CentralOffice,
    "2027-05-01",
    "180 days for central office, from Mon 2026-11-02, end Sat 2027-05-01"
)]
#[case(
    WorksiteClass::Facility,
    "2026-12-02",
    "30 days for a facility, from Mon 2026-11-02, end Wed 2026-12-02"
)]
#[case(
    WorksiteClass::Unknown,
    "2027-05-01",
    "180 days for an unknown worksite, from Mon 2026-11-02, end Sat 2027-05-01"
)]
fn a_home_is_deleted_by_the_class_of_its_worksite(
    #[case] class: WorksiteClass,
    #[case] date: &str,
    #[case] reason: &str,
) {
    let expected = Dated { date: day(date), reason: reason.into() };
    assert_eq!(home_deletion(day("2026-11-02"), class, &home()), Ok(expected));
}

fn thanksgiving_only() -> WorkDays {
    let falls = Falls::Nth { which: 4, weekday: DayOfWeek::Thursday, month: 11, days_after: 0 };
    let yearly = vec![YearlyHoliday { name: "Thanksgiving Day".into(), falls }];
    WorkDays { yearly, ..WorkDays::default() }
}

#[rstest]
#[case("2026-11-02", "2026-11-17", "14 days end Mon 2026-11-16; next work day Tue 2026-11-17")]
#[case(
    "2026-11-06",
    "2026-11-23",
    "14 days end Fri 2026-11-20; Sat 2026-11-21 to Sun 2026-11-22 are weekend days; \
     next work day Mon 2026-11-23"
)]
#[case(
    "2026-11-07",
    "2026-11-23",
    "14 days end Sat 2026-11-21; Sun 2026-11-22 is a weekend day; next work day Mon 2026-11-23"
)]
#[case(
    "2026-11-11",
    "2026-11-27",
    "14 days end Wed 2026-11-25; Thu 2026-11-26 is a holiday (Thanksgiving Day); \
     next work day Fri 2026-11-27"
)]
fn a_mailbox_is_deleted_on_the_next_work_day_after_retention(
    #[case] disabled_on: &str,
    #[case] date: &str,
    #[case] reason: &str,
) {
    let expected = Dated { date: day(date), reason: reason.into() };
    let dated = mailbox_deletion(day(disabled_on), &mailbox(14), &thanksgiving_only());
    assert_eq!(dated, Ok(expected));
}

/// Days of 23 and of 25 hours, a leap day and a new year on the way change no date.
#[rstest]
#[case::clocks_go_back("2026-10-18", "2026-11-02", "2026-11-17")]
#[case::clocks_go_forward("2027-02-28", "2027-03-15", "2027-03-30")]
#[case::over_a_leap_day("2028-02-15", "2028-03-01", "2028-03-16")]
#[case::on_a_leap_day("2028-02-29", "2028-03-15", "2028-03-30")]
#[case::before_no_leap_day("2027-02-15", "2027-03-02", "2027-03-17")]
// 31 December 2027 is kept as the next New Year's Day.
#[case::over_a_new_year("2027-12-17", "2028-01-03", "2028-01-16")]
#[case::from_new_years_eve("2026-12-31", "2027-01-15", "2027-01-30")]
fn dates_are_counted_in_days_of_the_calendar(
    #[case] disabled_on: &str,
    #[case] mailbox_on: &str,
    #[case] home_on: &str,
) {
    let work_days = WorkDays { yearly: missouri_state_holidays(), ..WorkDays::default() };
    let mailbox = mailbox_deletion(day(disabled_on), &mailbox(14), &work_days).expect("a date");
    assert_eq!(mailbox.date, day(mailbox_on));
    let home = home_deletion(day(disabled_on), WorksiteClass::Facility, &home()).expect("a date");
    assert_eq!(home.date, day(home_on));
}

#[test]
fn a_closure_of_weeks_is_told_in_one_clause() {
    let closed = (0..5).map(|n| day("2026-12-21").saturating_add(n.days()));
    let name = Some("Winter closure".to_owned());
    let closed = closed.map(|date| Holiday { date, name: name.clone() });
    let work_days = WorkDays::default().with_holidays(closed);
    let dated = mailbox_deletion(day("2026-12-06"), &mailbox(14), &work_days).expect("a date");
    assert_eq!(
        dated.reason,
        "14 days end Sun 2026-12-20; Mon 2026-12-21 to Fri 2026-12-25 are holidays (Winter closure); \
         Sat 2026-12-26 to Sun 2026-12-27 are weekend days; next work day Mon 2026-12-28"
    );
}

#[test]
fn a_calendar_without_work_days_dates_no_mailbox() {
    use DayOfWeek::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let weekend = vec![Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];
    let work_days = WorkDays { weekend, ..WorkDays::default() };
    let dated = mailbox_deletion(day("2026-12-06"), &mailbox(14), &work_days);
    assert!(matches!(dated, Err(DateError::WorkDays(_))), "{dated:?}");
}

#[rstest]
#[case("2026-11-17", "2026-11-17", Redate::Same)]
#[case("2026-11-17", "2026-11-18", Redate::Later(day("2026-11-18")))]
#[case("2026-11-17", "2026-11-16", Redate::EarlierNeedsRelease(day("2026-11-16")))]
fn a_stored_date_never_moves_to_earlier_by_itself(
    #[case] stored: &str,
    #[case] computed: &str,
    #[case] expected: Redate,
) {
    assert_eq!(redate(day(stored), day(computed)), expected);
}

#[test]
fn the_stamp_is_one_line_with_its_values() {
    let case = CaseId(uuid::Uuid::nil());
    let stamp = |template: &str| {
        stamp_text(template, day("2026-11-02"), case, &user("mzsmitj")).map_err(|e| e.to_string())
    };
    let default = stamp(&DeparturePolicy::default().stamp);
    let expected = "Disabled 2026-11-02 by lapsed, case 00000000-0000-0000-0000-000000000000";
    assert_eq!(default.as_deref(), Ok(expected));
    assert_eq!(stamp("{{ user_id|upper }}\n left\u{1b}").as_deref(), Ok("MZSMITJ  left"));
    assert_eq!(stamp("").as_deref(), Ok(""));
}

#[rstest]
#[case("{{ dat }}")]
#[case("{{ date")]
#[case("{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}")]
#[case("{% for a in range(2000) %}x{% endfor %}")]
fn a_stamp_that_can_not_be_carried_out_names_its_key(#[case] template: &str) {
    let case = CaseId(uuid::Uuid::nil());
    let error = stamp_text(template, day("2026-11-02"), case, &user("mzsmitj"));
    let text = error.expect_err("no text").to_string();
    assert!(text.contains("departure.stamp"), "{text}");
    let policy = DeparturePolicy { stamp: template.into(), ..DeparturePolicy::default() };
    let keys: Vec<String> = policy.faults().into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["departure.stamp"]);
}

#[test]
fn linked_accounts_are_named_by_templates() {
    let templates = [
        "adm-{{ user_id }}",
        "{% if user_id is startingwith 'mz' %}{{ user_id }}-t0{% endif %}",
        "{{ user_id|upper }}",
        "ADM-{{ user_id }}",
    ]
    .map(str::to_owned);
    let linked = |id: &str| {
        let ids = linked_user_ids(&templates, &user(id)).expect("IDs");
        ids.into_iter().map(String::from).collect::<Vec<_>>()
    };
    assert_eq!(linked("mzsmitj"), ["adm-mzsmitj", "mzsmitj-t0"]);
    assert_eq!(linked("mqlia"), ["adm-mqlia"]);
}

#[test]
fn a_linked_account_that_is_no_user_id_names_its_key() {
    let long = format!("{}{{{{ user_id }}}}", "x".repeat(64));
    let templates = ["adm-{{ user_id }}".to_owned(), long];
    let error = linked_user_ids(&templates, &user("mqlia")).expect_err("too long");
    assert!(error.to_string().contains("departure.linked_accounts[1]"), "{error}");
    let policy =
        DeparturePolicy { linked_accounts: templates.into(), ..DeparturePolicy::default() };
    let keys: Vec<String> = policy.faults().into_iter().map(|fault| fault.key).collect();
    assert_eq!(keys, ["departure.linked_accounts[1]"]);
    assert_eq!(DeparturePolicy::default().faults(), []);
}

fn any_date() -> impl Strategy<Value = Date> {
    (0_i64..50_000).prop_map(|n| day("1970-01-01").saturating_add(n.days()))
}

proptest! {
    #[test]
    fn a_mailbox_goes_on_a_work_day_and_never_within_retention(
        disabled_on in any_date(),
        days in 0_u16..400,
    ) {
        let work_days =
            WorkDays { yearly: missouri_state_holidays(), ..WorkDays::default() };
        let dated = mailbox_deletion(disabled_on, &mailbox(days), &work_days).expect("a date");
        let ends = disabled_on.saturating_add(i64::from(days).days());
        prop_assert!(dated.date > ends && work_days.is_work_day(dated.date));
        prop_assert!(dated.date <= ends.saturating_add(6.days()));
        prop_assert!(dated.reason.ends_with(&dated.date.to_string()));
        let later = disabled_on.tomorrow().expect("a date");
        let next = mailbox_deletion(later, &mailbox(days), &work_days).expect("a date");
        prop_assert!(next.date >= dated.date);
    }

    #[test]
    fn access_never_ends_before_the_notice_nor_within_the_last_day(
        last_day in any_date(),
        received in 0_i64..4_000_000_000,
        name in prop::sample::select(vec!["America/Chicago", "America/Havana", "Pacific/Apia", "Asia/Beirut"]),
    ) {
        let (zone, received) = (zone(name), Timestamp::from_second(received).expect("a moment"));
        let time = EffectiveTime::EndOfDay;
        let ends = effective_at(Some(last_day), false, received, &time, &zone).expect("a moment");
        prop_assert!(ends >= received);
        prop_assert!(ends.to_zoned(zone.clone()).date() > last_day);
        let before = ends.checked_sub(1.nanosecond()).expect("a moment").to_zoned(zone).date();
        prop_assert!(ends == received || before <= last_day);
    }
}
