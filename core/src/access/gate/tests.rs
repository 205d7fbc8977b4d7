use super::*;
use crate::access::form::tests::form;
use jiff::civil::date;
use rstest::rstest;
use serde_json::json;

const TODAY: Date = date(2026, 11, 20);

fn gate(name: &str) -> GateName {
    GateName::new(name).unwrap()
}

fn kinds(names: &[&str]) -> Vec<PersonKind> {
    names.iter().map(|name| PersonKind::new(*name).unwrap()).collect()
}

fn passed(name: &str, on: Date) -> GatePassed {
    let person = PersonId(Uuid::nil());
    GatePassed {
        id: GatePassed::id_of(person, &gate(name), on, "operator"),
        person,
        gate: gate(name),
        on,
        source: "operator".into(),
        document: None,
        at: Timestamp::UNIX_EPOCH,
        withdrawn_at: None,
    }
}

fn policy() -> AccessPolicy {
    serde_json::from_value(json!({
        "forms": {
            "staff_access": {
                "gates": ["device_agreement"],
                "exceptions": { "data_entry": { "gates": ["confidentiality_statement"] } },
            },
        },
        "gates": {
            "electronic_resources": { "title": "Use of Electronic Resources Agreement", "from": "HR" },
            "hipaa_training": { "valid_days": 365, "tell_days_before": 30 },
            "security_clearance": { "kinds": ["contract_provider"] },
        },
        "always": ["electronic_resources", "security_clearance"],
        "with_phi": ["hipaa_training"],
        "personal_device": { "gate": "personal_device_agreement" },
        "systems": {
            "mail": {},
            "mail_on_a_telephone": { "personal_device": true },
            "cimor": { "phi": true, "only_by_exception": ["volunteer"] },
        },
    }))
    .unwrap()
}

#[rstest]
#[case::the_agreement_gates_everything("mail", &["staff"], &["device_agreement", "electronic_resources"])]
#[case::training_gates_health_information(
    "cimor", &["staff"], &["device_agreement", "electronic_resources", "hipaa_training"]
)]
#[case::a_personal_device_has_its_agreement(
    "mail_on_a_telephone", &["staff"],
    &["device_agreement", "electronic_resources", "personal_device_agreement"]
)]
#[case::clearance_is_for_providers_only(
    "mail", &["Contract_Provider"], &["device_agreement", "electronic_resources", "security_clearance"]
)]
#[case::an_exception_brings_its_own(
    "cimor", &["volunteer"],
    &["confidentiality_statement", "device_agreement", "electronic_resources", "hipaa_training"]
)]
fn what_is_needed_follows_from_system_and_kind(
    #[case] system: &str,
    #[case] of: &[&str],
    #[case] expected: &[&str],
) {
    let form = form(json!({"asks": "new", "exceptions": ["data_entry"]}));
    let system = SystemName::new(system).unwrap();
    let needed = needed(&form, &system, &kinds(of), &policy());
    let names: Vec<&str> = needed.iter().map(GateName::as_str).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_leave_needs_no_agreement() {
    let form = form(json!({"asks": "leave", "form": "leave"}));
    assert!(needed_anyhow(&form, &kinds(&["staff"]), &policy()).is_empty());
}

#[rstest]
#[case::never(&[], Some(None))]
#[case::on_its_last_day(&[date(2025, 11, 20)], None)]
#[case::a_day_later(&[date(2025, 11, 19)], Some(Some(date(2026, 11, 19))))]
#[case::the_newest_counts(&[date(2020, 1, 1), date(2026, 1, 1)], None)]
#[case::not_before_it_is_done(&[date(2026, 11, 21)], Some(None))]
fn training_expires(#[case] days: &[Date], #[case] expected: Option<Option<Date>>) {
    let passed: Vec<_> = days.iter().map(|day| passed("hipaa_training", *day)).collect();
    let missing = missing(&[gate("hipaa_training")].into(), &passed, &policy().gates, TODAY);
    assert_eq!(missing.first().map(|missing| missing.expired_on), expected);
}

#[test]
fn what_was_taken_back_counts_no_more() {
    let mut withdrawn = passed("electronic_resources", date(2026, 1, 1));
    withdrawn.withdrawn_at = Some(Timestamp::UNIX_EPOCH);
    let needed = [gate("electronic_resources")].into();
    let found = missing(&needed, &[withdrawn], &policy().gates, TODAY);
    assert_eq!(found[0].describe(), "Use of Electronic Resources Agreement (HR)");
}

#[rstest]
#[case::far(date(2026, 6, 1), false)]
#[case::within_the_month(date(2025, 12, 19), true)]
#[case::last_day(date(2025, 11, 20), true)]
#[case::over(date(2025, 11, 19), false)]
fn what_ends_soon_is_listed(#[case] on: Date, #[case] expected: bool) {
    let all = [passed("hipaa_training", on), passed("electronic_resources", on)];
    let found = expiring(&all, &policy().gates, TODAY);
    assert_eq!(!found.is_empty(), expected, "{found:?}");
}
