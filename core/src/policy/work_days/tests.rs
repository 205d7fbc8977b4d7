//! Work days as tables, and what must hold for every calendar.

use super::*;
use jiff::{ToSpan, civil::date};
use proptest::prelude::*;
use rstest::rstest;

fn missouri() -> WorkDays {
    WorkDays { yearly: missouri_state_holidays(), ..WorkDays::default() }
}

fn day(text: &str) -> Date {
    text.parse().expect("a date")
}

#[rstest]
#[case("2026-11-25", None)]
#[case("2026-11-26", Some("is a holiday (Thanksgiving Day)"))]
#[case("2026-11-28", Some("is a weekend day"))]
#[case("2026-01-19", Some("is a holiday (Martin Luther King Day)"))]
#[case("2026-02-16", Some("is a holiday (Washington's Birthday)"))]
#[case("2026-05-25", Some("is a holiday (Memorial Day)"))]
#[case("2027-05-31", Some("is a holiday (Memorial Day)"))]
// 4 July 2026 is a Saturday, 4 July 2027 a Sunday.
#[case("2026-07-03", Some("is a holiday (Independence Day)"))]
#[case("2027-07-05", Some("is a holiday (Independence Day)"))]
#[case("2026-07-06", None)]
// New Year's Day 2028 is a Saturday: it is kept in the year before.
#[case("2027-12-31", Some("is a holiday (New Year's Day)"))]
fn state_holidays_fall_where_the_law_puts_them(#[case] text: &str, #[case] why: Option<&str>) {
    assert_eq!(missouri().why_not_a_work_day(day(text)).as_deref(), why);
    assert_eq!(missouri().is_work_day(day(text)), why.is_none());
}

#[rstest]
#[case("2026-11-16", "2026-11-17")]
#[case("2026-11-20", "2026-11-23")]
#[case("2026-11-21", "2026-11-23")]
#[case("2026-11-25", "2026-11-27")]
#[case("2026-12-24", "2026-12-28")]
fn the_next_work_day_passes_over_weekends_and_holidays(#[case] after: &str, #[case] next: &str) {
    let next_day = missouri().next_work_day_after(day(after)).expect("a work day");
    assert_eq!(next_day.date, day(next));
}

#[test]
fn the_days_passed_over_are_told() {
    let next = missouri().next_work_day_after(day("2026-12-24")).expect("a work day");
    let christmas = DayOff::Holiday(Some("Christmas Day".into()));
    let expected = vec![
        (day("2026-12-25"), christmas),
        (day("2026-12-26"), DayOff::Weekend),
        (day("2026-12-27"), DayOff::Weekend),
    ];
    assert_eq!(next.passed_over, expected);
}

#[rstest]
#[case(Observed::None, "2026-07-03", false)]
#[case(Observed::None, "2026-07-06", false)]
#[case(Observed::NearestWeekday, "2026-07-03", true)]
#[case(Observed::NearestWeekday, "2026-07-06", false)]
#[case(Observed::NextMonday, "2026-07-03", false)]
#[case(Observed::NextMonday, "2026-07-06", true)]
fn a_fixed_holiday_on_a_weekend_is_kept_as_the_rule_says(
    #[case] observed: Observed,
    #[case] text: &str,
    #[case] kept: bool,
) {
    let falls = Falls::Fixed { month: 7, day: 4, observed };
    let yearly = vec![YearlyHoliday { name: "Independence Day".into(), falls }];
    let days = WorkDays { yearly, ..WorkDays::default() };
    assert_eq!(!days.is_work_day(day(text)), kept);
}

#[test]
fn the_day_after_a_movable_holiday_moves_with_it() {
    let falls = Falls::Nth { which: 4, weekday: DayOfWeek::Thursday, month: 11, days_after: 1 };
    let yearly = vec![YearlyHoliday { name: "Day after Thanksgiving".into(), falls }];
    let days = WorkDays { yearly, ..WorkDays::default() };
    // November 2024 begins on a Friday: the day after is its fifth Friday, not the fourth.
    assert!(!days.is_work_day(day("2024-11-29")) && days.is_work_day(day("2024-11-22")));
}

#[test]
fn another_weekend_is_another_calendar() {
    let weekend = vec![DayOfWeek::Friday, DayOfWeek::Saturday];
    let days = WorkDays { weekend, ..WorkDays::default() };
    assert!(!days.is_work_day(day("2026-11-20")) && days.is_work_day(day("2026-11-22")));
}

#[test]
fn a_calendar_without_work_days_is_an_error_and_no_endless_search() {
    let every_day = (0..800).map(|n| day("2026-01-01").saturating_add(n.days()));
    let holidays = every_day.map(|date| Holiday { date, name: None });
    let days = WorkDays::default().with_holidays(holidays);
    let after = day("2026-01-05");
    assert_eq!(days.next_work_day_after(after), Err(NoWorkDay { after }));
    assert_eq!(days.next_work_day_after(Date::MAX), Err(NoWorkDay { after: Date::MAX }));
}

#[test]
fn rules_that_never_fall_are_faults() {
    use DayOfWeek::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let holiday = |falls| YearlyHoliday { name: "A".into(), falls };
    let yearly = vec![
        holiday(Falls::Fixed { month: 2, day: 29, observed: Observed::None }),
        holiday(Falls::Fixed { month: 2, day: 30, observed: Observed::None }),
        holiday(Falls::Nth { which: 6, weekday: Monday, month: 1, days_after: 0 }),
        holiday(Falls::Last { weekday: Monday, month: 13, days_after: 0 }),
    ];
    let weekend = vec![Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday];
    let days = WorkDays { weekend, yearly, ..WorkDays::default() };
    let keys: Vec<String> = days.faults().into_iter().map(|fault| fault.key).collect();
    let expected =
        ["work_days.yearly[1]", "work_days.yearly[2]", "work_days.yearly[3]", "work_days.weekend"];
    assert_eq!(keys, expected);
    assert_eq!(missouri().faults(), []);
}

#[test]
fn the_rules_survive_their_own_json() {
    let text = serde_json::to_string(&missouri()).expect("JSON");
    assert_eq!(serde_json::from_str::<WorkDays>(&text).expect("the rules"), missouri());
    let short = r#"{"yearly": [{"name": "A", "falls": {"nth": {"which": 1, "weekday": "monday", "month": 9}}}]}"#;
    assert!(serde_json::from_str::<WorkDays>(short).is_ok());
    let typo = r#"{"yearly": [{"name": "A", "falls": {"fixed": {"month": 1, "dya": 1}}}]}"#;
    assert!(serde_json::from_str::<WorkDays>(typo).is_err());
}

fn calendar(events: &[&str]) -> String {
    let events: String =
        events.iter().map(|event| format!("BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n")).collect();
    format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//agency//EN\r\n{events}END:VCALENDAR\r\n")
}

fn dates(event: &str) -> Vec<String> {
    let holidays = holidays_from_ics(&calendar(&[event]), 2026..=2028).expect("holidays");
    holidays.into_iter().map(|holiday| holiday.date.to_string()).collect()
}

#[rstest]
#[case("DTSTART;VALUE=DATE:20261126", &["2026-11-26"])]
#[case("DTSTART:20261126", &["2026-11-26"])]
#[case("dtstart;value=DATE:20261126", &["2026-11-26"])]
#[case("DTSTART;VALUE=DATE:20251126", &[])]
#[case("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261226", &["2026-12-24", "2026-12-25"])]
#[case("DTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20261224", &["2026-12-24"])]
#[case("DTSTART;VALUE=DATE:20261224\r\nDURATION:P2D", &["2026-12-24", "2026-12-25"])]
#[case("DTSTART;TZID=America/Chicago:20261224T000000\r\nDTEND;TZID=America/Chicago:20261225T000000", &["2026-12-24"])]
#[case("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY", &["2026-12-25", "2027-12-25", "2028-12-25"])]
#[case("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY;UNTIL=20271225", &["2026-12-25", "2027-12-25"])]
#[case("DTSTART;VALUE=DATE:20251225\r\nRRULE:FREQ=YEARLY;COUNT=2", &["2026-12-25"])]
#[case("DTSTART;VALUE=DATE:20241225\r\nRRULE:FREQ=YEARLY;INTERVAL=2;WKST=SU", &["2026-12-25", "2028-12-25"])]
#[case("DTSTART;VALUE=DATE:20240229\r\nRRULE:FREQ=YEARLY", &["2028-02-29"])]
#[case("DTSTART;VALUE=DATE:20201126\r\nRRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH", &["2026-11-26", "2027-11-25", "2028-11-23"])]
#[case("DTSTART;VALUE=DATE:20200525\r\nRRULE:FREQ=YEARLY;BYDAY=-1MO;BYMONTH=5", &["2026-05-25", "2027-05-31", "2028-05-29"])]
#[case("DTSTART;VALUE=DATE:20201225\r\nRRULE:FREQ=YEARLY\r\nEXDATE;VALUE=DATE:20261225,20271225", &["2028-12-25"])]
#[case("DTSTART;VALUE=DATE:20251231\r\nDTEND;VALUE=DATE:20260103", &["2026-01-01", "2026-01-02"])]
#[case("DTSTART;VALUE=DATE:20261126\r\nSTATUS:CANCELLED", &[])]
fn whole_day_events_become_holidays(#[case] event: &str, #[case] expected: &[&str]) {
    assert_eq!(dates(event), expected);
}

#[rstest]
#[case("SUMMARY:Nothing", IcsProblem::Missing("DTSTART"))]
#[case("DTSTART:2026-11-26", IcsProblem::Malformed("DTSTART"))]
#[case("DTSTART;VALUE=DATE:20260230", IcsProblem::Malformed("DTSTART"))]
#[case("DTSTART:20261126T100000", IcsProblem::TimeOfDay("DTSTART"))]
#[case("DTSTART:20261126T000000Z", IcsProblem::TimeOfDay("DTSTART"))]
#[case("DTSTART:20261126\r\nDTEND:20261120", IcsProblem::Length)]
#[case("DTSTART:20261126\r\nDTEND:20291120", IcsProblem::Length)]
#[case("DTSTART:20261126\r\nDURATION:PT2H", IcsProblem::TimeOfDay("DURATION"))]
#[case("DTSTART:20261126\r\nDURATION:-P1D", IcsProblem::Length)]
#[case("DTSTART:20261126\r\nDURATION:soon", IcsProblem::Malformed("DURATION"))]
#[case("DTSTART:20261126\r\nRRULE:FREQ=WEEKLY", IcsProblem::Recurrence("FREQ=WEEKLY".into()))]
#[case("DTSTART:20261126\r\nRRULE:COUNT=3", IcsProblem::Recurrence("COUNT=3".into()))]
#[case("DTSTART:20261126\r\nRRULE:FREQ=YEARLY;BYDAY=4TH", IcsProblem::Recurrence("FREQ=YEARLY;BYDAY=4TH".into()))]
#[case("DTSTART:20261126\r\nRRULE:FREQ=YEARLY;BYMONTHDAY=3", IcsProblem::Recurrence("FREQ=YEARLY;BYMONTHDAY=3".into()))]
#[case("DTSTART:20261126\r\nRRULE:FREQ=YEARLY;BYMONTH=1,7", IcsProblem::Recurrence("BYMONTH=1,7".into()))]
#[case("DTSTART:20261126\r\nRRULE:FREQ=YEARLY;BYSETPOS=1", IcsProblem::Recurrence("BYSETPOS=1".into()))]
#[case("DTSTART:20261126\r\nRDATE:20271126", IcsProblem::Unsupported("RDATE"))]
fn an_event_that_can_not_be_understood_is_refused(
    #[case] event: &str,
    #[case] expected: IcsProblem,
) {
    let good = "DTSTART:20260101";
    let error = holidays_from_ics(&calendar(&[good, event]), 2026..=2028).expect_err("refused");
    let IcsError::Event { number, source, .. } = error else { panic!("{error}") };
    assert_eq!((number, source), (2, expected));
}

#[rstest]
#[case("")]
#[case("date,name\n2026-11-26,Thanksgiving")]
#[case("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261126\r\nEND:VEVENT\r\n")]
#[case("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20261126\r\n")]
#[case("BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\nBEGIN:VEVENT\r\n")]
#[case("BEGIN:VEVENT\r\nDTSTART:20261126\r\nEND:VEVENT\r\n")]
fn a_text_that_is_no_whole_calendar_is_refused(#[case] text: &str) {
    assert_eq!(holidays_from_ics(text, 2026..=2028), Err(IcsError::Unreadable));
}

#[test]
fn names_are_unfolded_and_harmless() {
    let event = "DTSTART:20261126\r\nSUMMARY:Thanks\r\n giving\\, the\u{1b}[2J day\\nof";
    let text = format!("\u{feff}{}", calendar(&[event, "DTSTART:20261127"]));
    let holidays = holidays_from_ics(&text, 2026..=2026).expect("holidays");
    let names: Vec<Option<&str>> = holidays.iter().map(|h| h.name.as_deref()).collect();
    assert_eq!(names, [Some("Thanksgiving, the [2J day of"), None]);
    let days = WorkDays::default().with_holidays(holidays);
    assert_eq!(days.why_not_a_work_day(day("2026-11-27")).as_deref(), Some("is a holiday"));
}

#[test]
fn neither_two_calendars_nor_a_bottomless_one_is_read() {
    let two = calendar(&["DTSTART:20261126"]) + &calendar(&["DTSTART:20261127"]);
    assert_eq!(holidays_from_ics(&two, 2026..=2026), Err(IcsError::Unreadable));
    let deep = "BEGIN:VCALENDAR\r\n".repeat(200_000);
    assert_eq!(holidays_from_ics(&deep, 2026..=2026), Err(IcsError::Unreadable));
}

fn any_date() -> impl Strategy<Value = Date> {
    (0_i64..60_000).prop_map(|n| date(1950, 1, 1).saturating_add(n.days()))
}

proptest! {
    #[test]
    fn the_next_work_day_is_the_first_one_after(
        after in any_date(),
        closed in prop::collection::vec(0_i64..30, 0..25),
    ) {
        let closed = closed.into_iter().map(|n| after.saturating_add(n.days()));
        let days = missouri().with_holidays(closed.map(|date| Holiday { date, name: None }));
        let next = days.next_work_day_after(after).expect("a work day");
        prop_assert!(next.date > after && days.is_work_day(next.date));
        let mut between = after;
        for (passed, _) in &next.passed_over {
            between = between.tomorrow().expect("a date");
            prop_assert_eq!(*passed, between);
            prop_assert!(!days.is_work_day(between));
        }
        prop_assert_eq!(between.tomorrow().expect("a date"), next.date);
    }

    #[test]
    fn each_state_holiday_comes_once_a_year(year in 1950_i16..2100) {
        let days = missouri();
        for holiday in missouri_state_holidays() {
            let alone = WorkDays { yearly: vec![holiday.clone()], ..WorkDays::default() };
            // From the middle of the year before to the middle of the year after: two of each.
            let kept = (0..731).map(|n| date(year, 7, 10).saturating_add(n.days()))
                .filter(|&day| matches!(alone.day_off(day), Some(DayOff::Holiday(_))));
            prop_assert_eq!(kept.count(), 2, "{}", holiday.name);
        }
        prop_assert!(days.faults().is_empty());
    }

    #[test]
    fn no_text_makes_the_calendar_reader_panic(text in "\\PC{0,200}", event in "(DT(START|END)|RRULE|DURATION|EXDATE)[;:=A-Z0-9,-]{0,40}") {
        let _ = holidays_from_ics(&text, 1..=9999);
        let _ = holidays_from_ics(&calendar(&["DTSTART:20260101", &event]), -9999..=9999);
    }
}
