//! Who is whose account in a directory that exists: every key on the account counts.
#![allow(clippy::unwrap_used, reason = "a test ends by panicking, in its helpers too")]

use jiff::{Timestamp, tz::TimeZone};
use lapsed_core::adopt::{Adoption, Existing, adopt};
use lapsed_core::facts::*;
use lapsed_core::guard::Limits;
use lapsed_core::observed::ObservedAccount;
use lapsed_core::policy::Policy;
use lapsed_core::policy::departure::DeparturePolicy;
use lapsed_core::policy::naming::{NamingPolicy, default_locations};
use lapsed_core::policy::work_days::WorkDays;
use rstest::rstest;
use uuid::Uuid;

fn policy() -> Policy {
    Policy {
        access: lapsed_core::policy::access::AccessPolicy::default(),
        time_zone: "America/Chicago".into(),
        locations: default_locations(),
        naming: NamingPolicy::default(),
        departure: DeparturePolicy::default(),
        work_days: WorkDays::default(),
        guard: Limits::default(),
        citations: Default::default(),
    }
}

fn name() -> PersonName {
    PersonName { last: "Smith".into(), first: "John".into(), preferred: None }
}

fn person() -> Person {
    let mut person = Person::new(PersonId(Uuid::from_u128(1)));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: EmployeeNumber::new("E-77").ok(),
        former_numbers: Vec::new(),
        user_id: UserId::new("john.smith").ok(),
        record: String::new(),
        ordinal: 0,
        name: Some(name()),
        status: Status::Active,
        starts_on: None,
        ends_on: None,
        worksite: LocationId::new("z").ok(),
        kind: None,
        supervisor: None,
    });
    person
}

fn adopted(other_user_ids: &[&str], other_numbers: &[&str]) -> Adoption {
    let account = ObservedAccount {
        realm: lapsed_core::observed::Realm::Directory,
        held_in_trust: Vec::new(),
        details: lapsed_core::observed::Details::default(),
        id: StableId::new("a").unwrap(),
        user_id: UserId::new("mzsmitj").unwrap(),
        other_user_ids: other_user_ids.iter().map(|id| UserId::new(*id).unwrap()).collect(),
        place: "uid=mzsmitj".into(),
        enabled: true,
        employee_number: EmployeeNumber::new("00123").ok(),
        other_employee_numbers: other_numbers
            .iter()
            .map(|number| EmployeeNumber::new(*number).unwrap())
            .collect(),
        name: name(),
        description: None,
        home: None,
        uid_number: None,
        mail: None,
        protection: None,
        groups: Vec::new(),
    };
    adopt(&Existing {
        people: &[person()],
        accounts: &[(ConnectorName::new("directory").unwrap(), account)],
        policy: &policy(),
        now: Timestamp::UNIX_EPOCH,
        zone: &TimeZone::UTC,
    })
}

#[rstest]
#[case::name(&["john.smith"], &[])]
#[case::number(&[], &["E-77"])]
fn an_account_is_matched_by_its_second_key(#[case] names: &[&str], #[case] numbers: &[&str]) {
    let out = adopted(names, numbers);
    assert_eq!(out.links.len(), 1, "{out:?}");
    assert_eq!(out.links[0].1.user_id.as_str(), "mzsmitj");
}

#[test]
fn an_account_without_any_key_of_the_person_is_matched_by_nothing_but_its_name() {
    let out = adopted(&["j.smith"], &["E-78"]);
    assert!(out.links.is_empty() && out.to_settle.len() == 1, "{out:?}");
}
