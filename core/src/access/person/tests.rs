use super::*;
use crate::access::form::tests::form;
use crate::facts::{PersonId, UserId};
use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

const TODAY: Date = date(2026, 11, 20);

fn person(id: u128, user_id: Option<&str>, number: Option<&str>) -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(id)));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: number.map(|number| EmployeeNumber::new(number).unwrap()),
        former_numbers: Vec::new(),
        user_id: user_id.map(|id| UserId::new(id).unwrap()),
        record: String::new(),
        ordinal: 0,
        name: None,
        status: Status::Active,
        starts_on: None,
        ends_on: None,
        worksite: None,
        kind: None,
        supervisor: None,
    });
    person
}

#[rstest]
#[case::user_id("change", json!({"user_id": "MZDOEJ"}), "0")]
#[case::number("change", json!({"employee_number": "104"}), "0")]
#[case::both("change", json!({"user_id": "mzdoej", "employee_number": "104"}), "0")]
#[case::two_people("change", json!({"user_id": "mzdoej", "employee_number": "105"}), "two different people")]
#[case::nobody("change", json!({"user_id": "nobody"}), "nobody's that is known")]
#[case::no_such_number("new", json!({"user_id": "mzdoej", "employee_number": "999"}), "not that of the person")]
#[case::name_alone("change", json!({"name": {"last": "Doe", "first": "Jane"}}), "by a name alone")]
#[case::newcomer("new", json!({"name": {"last": "Doe", "first": "Jane"}}), "new")]
#[case::newcomer_with_number("new", json!({"employee_number": "999"}), "new")]
#[case::newcomer_with_a_foreign_id("new", json!({"user_id": "nobody"}), "leave it out")]
#[case::shared("change", json!({"employee_number": "106"}), "more than one person")]
#[case::number_of_one_without("change", json!({"user_id": "mzleej", "employee_number": "200"}), "3")]
fn a_form_is_about_exactly_one_person(
    #[case] asks: &str,
    #[case] subject: Value,
    #[case] expected: &str,
) {
    let people = [
        person(1, Some("mzdoej"), Some("104")),
        person(2, Some("mzroej"), Some("105")),
        person(3, None, Some("106")),
        person(4, Some("mzleej"), None),
        person(5, None, Some("106")),
    ];
    let found = match whom(&form(json!({"asks": asks, "person": subject})), &people) {
        Ok(Whom::Known(place)) => place.to_string(),
        Ok(Whom::New) => "new".to_owned(),
        Err(problem) => problem.to_string(),
    };
    assert!(found.contains(expected), "{found}");
}

fn taken_on() -> AccessForm {
    form(json!({
        "asks": "new", "starts_on": "2026-12-01", "ends_on": "2027-01-31",
        "person": {"name": {"last": "Li", "first": "Ann"}, "kind": "contract_provider", "location": "y"},
    }))
}

#[test]
fn somebody_whom_no_feed_lists_is_employed_by_the_form_and_its_last_day_is_no_departure() {
    use crate::standing::{Standing, standing};
    let mut newcomer = Person::new(PersonId(Uuid::from_u128(9)));
    assert!(take_on(&mut newcomer, &taken_on(), EmployeeNumber::new("7").ok(), TODAY));
    let [engagement] = newcomer.engagements.as_slice() else { panic!("{newcomer:?}") };
    assert_eq!((engagement.source.as_str(), engagement.ends_on), (SOURCE, None));
    assert_eq!(engagement.kind, PersonKind::new("contract_provider").ok());
    assert_eq!(engagement.supervisor, EmployeeNumber::new("7").ok());
    let much_later = "2028-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(standing(&newcomer, much_later, &jiff::tz::TimeZone::UTC), Standing::Employed);
    assert!(!take_on(&mut newcomer, &taken_on(), None, TODAY), "the same again changes nothing");
    assert_eq!(newcomer.engagements.len(), 1);
}

#[test]
fn whom_a_feed_lists_is_not_taken_on_by_a_form() {
    let mut listed = person(1, Some("mzdoej"), Some("104"));
    let before = listed.clone();
    assert!(!take_on(&mut listed, &taken_on(), None, TODAY));
    assert_eq!(listed, before);
}

#[test]
fn who_comes_back_gets_a_new_engagement_that_the_old_notice_does_not_end() {
    use crate::facts::{About, Notice, NoticeState};
    use crate::standing::{Standing, standing};
    let mut back = Person::new(PersonId(Uuid::from_u128(9)));
    take_on(&mut back, &form(json!({"asks": "new"})), None, date(2026, 1, 1));
    let at = "2026-06-30T22:00:00Z".parse().unwrap();
    back.notices.push(Notice {
        source: SourceName::new("form:departing_employee").unwrap(),
        about: About::Person,
        last_day: Some(date(2026, 6, 30)),
        effective_at: at,
        for_cause: false,
        received_at: at,
        brought_by: "form 3".into(),
        state: NoticeState::Standing,
    });
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    assert!(matches!(standing(&back, now, &jiff::tz::TimeZone::UTC), Standing::Left(_)));
    assert!(take_on(&mut back, &taken_on(), None, TODAY));
    assert_eq!(back.engagements.len(), 2);
    assert_eq!(standing(&back, now, &jiff::tz::TimeZone::UTC), Standing::Employed);
}

/// HR lists the person all along; the security officer's notice ended it all.
fn listed_and_gone(last_day: Option<Date>) -> Person {
    use crate::facts::{About, Notice, NoticeState};
    let mut listed = person(1, Some("mzdoej"), Some("104"));
    let at = "2026-06-30T22:00:00Z".parse().unwrap();
    listed.notices.push(Notice {
        source: SourceName::new("lso").unwrap(),
        about: About::Person,
        last_day,
        effective_at: at,
        for_cause: false,
        received_at: at,
        brought_by: "form 3".into(),
        state: NoticeState::Standing,
    });
    listed
}

#[rstest]
#[case::gone("2026-11-20T12:00:00Z", true)]
#[case::leaves_tonight("2026-06-30T12:00:00Z", false)]
#[case::filed_before_the_notice("2026-06-30T21:59:59Z", false)]
fn whom_hr_lists_and_a_notice_ended_is_there_again_in_hrs_own_engagement(
    #[case] now: Timestamp,
    #[case] is_back: bool,
) {
    use crate::standing::{Standing, standing};
    let mut person = listed_and_gone(Some(date(2026, 6, 30)));
    assert_eq!(take_back(&mut person, now), is_back);
    assert_eq!(person.engagements.len(), 1, "no second one that HR never ends");
    let later = "2026-11-20T12:00:00Z".parse().unwrap();
    let employed = standing(&person, later, &jiff::tz::TimeZone::UTC) == Standing::Employed;
    assert_eq!(employed, is_back);
    assert!(!take_back(&mut person, now), "once");
}

#[rstest]
#[case::dismissed_since("operator", "2026-11-06T15:00:00Z", "2026-11-06T15:00:00Z", true)]
#[case::said_again_by_an_operator("operator", "2026-10-01T15:00:00Z", "2026-11-06T15:00:00Z", true)]
#[case::said_again_by_a_form("form:lso", "2026-10-01T15:00:00Z", "2026-11-06T15:00:00Z", true)]
#[case::listed_again_by_a_file("lso", "2026-10-01T15:00:00Z", "2026-11-06T15:00:00Z", false)]
#[case::ends_after_the_form("lso", "2026-11-06T23:00:00Z", "2026-10-01T15:00:00Z", true)]
#[case::is_still_to_come("operator", "2026-12-31T23:00:00Z", "2026-11-06T15:00:00Z", false)]
fn a_form_answers_no_notice_that_came_after_it(
    #[case] source: &str,
    #[case] effective_at: Timestamp,
    #[case] received_at: Timestamp,
    #[case] is_news: bool,
) {
    use crate::standing::{Standing, standing};
    let filed_at: Timestamp = "2026-11-05T12:00:00Z".parse().unwrap();
    let now: Timestamp = "2026-11-07T12:00:00Z".parse().unwrap();
    let mut person = listed_and_gone(Some(date(2026, 6, 30)));
    let source = SourceName::new(source).unwrap();
    let known = person.notices[0].clone();
    person.notices.push(crate::facts::Notice { source, effective_at, received_at, ..known });
    assert_eq!(noticed_since(&person, filed_at, now).is_some(), is_news);
    take_back(&mut person, filed_at);
    let stands = standing(&person, now, &jiff::tz::TimeZone::UTC);
    assert_eq!(matches!(stands, Standing::Left(_)), is_news, "{stands:?}");
}

#[rstest]
#[case::the_same_again("lso", true, Some(date(2026, 6, 30)), Some(date(2026, 6, 30)), true)]
#[case::the_same_without_a_day("lso", true, None, None, true)]
#[case::another_day("lso", true, Some(date(2026, 6, 30)), Some(date(2026, 11, 19)), false)]
#[case::left_out_meanwhile("lso", false, Some(date(2026, 6, 30)), Some(date(2026, 6, 30)), false)]
#[case::by_an_operator("operator", false, Some(date(2026, 6, 30)), Some(date(2026, 6, 30)), false)]
#[case::by_another_form("form:lso", false, Some(date(2026, 6, 30)), Some(date(2026, 6, 30)), false)]
#[case::dismissed_again("operator", false, None, None, false)]
fn a_notice_that_is_over_is_brought_back_by_a_new_word_and_not_by_the_same_row(
    #[case] source: &str,
    #[case] listed_before: bool,
    #[case] known: Option<Date>,
    #[case] said: Option<Date>,
    #[case] stays: bool,
) {
    use crate::absorb::{Context, notice, withdraw};
    use crate::facts::About;
    use crate::policy::departure::DeparturePolicy;
    use crate::standing::{Standing, standing};
    let mut person = listed_and_gone(known);
    let now = "2026-11-20T12:00:00Z".parse().unwrap();
    let (policy, source) = (DeparturePolicy::default(), SourceName::new(source).unwrap());
    person.notices[0].source = source.clone();
    take_back(&mut person, now);
    let context = Context {
        source: &source,
        notices_only: true,
        listed_before,
        received_at: now,
        brought_by: "again.csv",
        policy: &policy,
        zone: &jiff::tz::TimeZone::UTC,
    };
    let mut other = person.clone();
    notice(&mut person, About::Person, said, false, context, &mut Vec::new()).unwrap();
    let stands = standing(&person, now, &jiff::tz::TimeZone::UTC);
    assert_eq!(stands == Standing::Employed, stays, "{stands:?}");
    // A row that said something else in between says the departure anew.
    withdraw(&mut other, About::Person, &source, &mut Vec::new());
    notice(&mut other, About::Person, said, false, context, &mut Vec::new()).unwrap();
    let stands = standing(&other, now, &jiff::tz::TimeZone::UTC);
    assert!(matches!(stands, Standing::Left(_)), "{stands:?}");
}

#[test]
fn whom_hr_lists_again_after_a_form_took_them_on_has_one_engagement_that_hr_ends() {
    use crate::absorb::{Context, absorb};
    use crate::facts::Statement;
    use crate::policy::departure::DeparturePolicy;
    use crate::standing::{Standing, standing};
    let mut known = Person::new(PersonId(Uuid::from_u128(9)));
    let (policy, feed) = (DeparturePolicy::default(), SourceName::new("hr").unwrap());
    let zone = jiff::tz::TimeZone::UTC;
    let on = |known: &mut Person, status, starts_on, ends_on, at: &str| {
        let statement = Statement {
            line: 1,
            employee_number: EmployeeNumber::new("104").ok(),
            former_employee_number: None,
            user_id: None,
            record: "0".into(),
            name: None,
            status,
            starts_on,
            ends_on,
            for_cause: false,
            worksite: None,
            kind: None,
            supervisor: None,
            gates: Vec::new(),
        };
        let context = Context {
            source: &feed,
            notices_only: false,
            listed_before: false,
            received_at: at.parse().unwrap(),
            brought_by: "hr.csv",
            policy: &policy,
            zone: &zone,
        };
        absorb(known, &statement, context).unwrap();
        standing(known, at.parse().unwrap(), &zone)
    };
    let says = |known: &mut Person, status, ends_on, at: &str| on(known, status, None, ends_on, at);
    says(&mut known, Status::Active, None, "2026-05-01T12:00:00Z");
    let june = Some(date(2026, 6, 30));
    let gone = says(&mut known, Status::Departed, june, "2026-07-02T12:00:00Z");
    assert!(matches!(gone, Standing::Left(_)));
    assert!(take_on(&mut known, &taken_on(), None, TODAY));
    // A feed of changes tells of the time since only when it is over.
    let (start, end) = (Some(date(2026, 12, 1)), Some(date(2026, 12, 15)));
    let mut short = known.clone();
    let gone = on(&mut short, Status::Departed, start, end, "2026-12-16T12:00:00Z");
    assert!(matches!(gone, Standing::Left(_)), "{short:?}");
    assert_eq!(short.engagements.len(), 2);
    // HR's file still lists the old end, and then the person again.
    let back = says(&mut known, Status::Departed, june, "2026-12-02T12:00:00Z");
    assert_eq!(back, Standing::Employed);
    assert_eq!(says(&mut known, Status::Active, None, "2026-12-03T12:00:00Z"), Standing::Employed);
    let day = Some(date(2027, 1, 5));
    let gone = says(&mut known, Status::Departed, day, "2027-01-07T12:00:00Z");
    assert!(matches!(gone, Standing::Left(_)), "{known:?}");
}

#[test]
fn a_changed_name_or_place_is_taken_over_only_where_no_feed_says_it() {
    let change = form(json!({
        "asks": "name_change", "old_user_id": "mzdoej", "new_name": {"last": "Roe", "first": "Jane"},
    }));
    let mut listed = person(1, Some("mzdoej"), Some("104"));
    assert!(!move_on(&mut listed, &change));
    let mut by_form = listed.clone();
    by_form.engagements[0].source = source().unwrap();
    assert!(move_on(&mut by_form, &change));
    assert_eq!(by_form.name().unwrap().last, "Roe");
    let moved = form(json!({"asks": "location_change", "new_location": "b"}));
    assert!(move_on(&mut by_form, &moved));
    assert_eq!(by_form.engagements[0].worksite.as_ref().unwrap().as_str(), "b");
}

#[test]
fn a_feed_that_lists_somebody_later_goes_on_with_the_engagement_of_the_form() {
    use crate::absorb::{Context, absorb};
    use crate::facts::Statement;
    use crate::policy::departure::DeparturePolicy;
    use crate::standing::{Standing, standing};
    let mut known = Person::new(PersonId(Uuid::from_u128(9)));
    let mut form = taken_on();
    form.person.employee_number = EmployeeNumber::new("104").ok();
    take_on(&mut known, &form, None, TODAY);
    let says = |status: Status, ends_on: Option<Date>| Statement {
        line: 1,
        employee_number: EmployeeNumber::new("104").ok(),
        former_employee_number: None,
        user_id: None,
        record: "0".into(),
        name: None,
        status,
        starts_on: Some(date(2026, 12, 1)),
        ends_on,
        for_cause: false,
        worksite: None,
        kind: None,
        supervisor: None,
        gates: Vec::new(),
    };
    let (policy, feed) = (DeparturePolicy::default(), SourceName::new("hr").unwrap());
    let now = "2027-01-10T12:00:00Z".parse().unwrap();
    let context = Context {
        source: &feed,
        brought_by: "hr-1.csv",
        received_at: now,
        policy: &policy,
        zone: &jiff::tz::TimeZone::UTC,
        notices_only: false,
        listed_before: false,
    };
    absorb(&mut known, &says(Status::Active, None), context).unwrap();
    let [one] = known.engagements.as_slice() else { panic!("doubled: {known:?}") };
    assert_eq!((one.source.as_str(), one.kind.is_some()), ("hr", true));
    absorb(&mut known, &says(Status::Departed, Some(date(2027, 1, 8))), context).unwrap();
    assert!(matches!(standing(&known, now, &jiff::tz::TimeZone::UTC), Standing::Left(_)));
}
