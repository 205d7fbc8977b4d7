use super::*;
use crate::access::form::tests::form;
use crate::facts::{Engagement, PersonId, PersonName, SourceName, Status, UserId};
use crate::standing::End;
use jiff::Timestamp;
use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};
use uuid::Uuid;

const TODAY: Date = date(2026, 11, 20);

fn policy() -> Policy {
    let mut policy = Policy::built_in();
    policy.access = serde_json::from_value(json!({
        "forms": {
            "staff_access": {
                "asks": ["new", "change", "name_change", "location_change", "revoke"],
                "kinds": ["staff"],
                "required": ["reason"],
            },
            "contractor_consent": {
                "asks": ["new"],
                "kinds": ["contract_provider"],
                "systems": ["omis"],
                "required": ["position", "requested_by"],
                "attachments": ["consent"],
                "signatures": [
                    { "role": "staff_member", "by": "hand" }, { "role": "supervisor", "by": "hand" },
                ],
            },
            "volunteer_access": {
                "asks": ["new", "change"],
                "kinds": ["volunteer"],
                "exceptions": { "data_entry": { "attachments": ["statement"] } },
            },
            "leave": { "asks": ["leave", "return"] },
            "suspension": { "asks": ["suspend", "lift"] },
            "agreement": { "asks": ["agreement"] },
            "reset": { "asks": ["reset_password"] },
        },
        "gates": { "hipaa_training": {} },
        "systems": {
            "mail": {},
            "omis": { "never": ["offender"] },
            "cimor": {
                "roles": { "nurse": {}, "clerk": {} },
                "only_by_exception": ["volunteer"],
            },
        },
    }))
    .unwrap();
    for kind in ["volunteer", "offender"] {
        let rule = policy.naming.kinds.values().next().unwrap().clone();
        policy.naming.kinds.insert(PersonKind::new(kind).unwrap(), rule);
    }
    policy
}

fn person(kind: &str) -> Person {
    let mut person = Person::new(PersonId(Uuid::nil()));
    person.engagements.push(Engagement {
        source: SourceName::new("hr").unwrap(),
        employee_number: None,
        former_numbers: Vec::new(),
        user_id: UserId::new("mzdoej").ok(),
        record: String::new(),
        ordinal: 0,
        name: Some(PersonName { last: "Doe".into(), first: "Jane".into(), preferred: None }),
        status: Status::Active,
        starts_on: None,
        ends_on: None,
        worksite: None,
        kind: PersonKind::new(kind).ok(),
        supervisor: None,
    });
    person
}

fn problems(fields: Value, person: Option<&Person>, standing: &Standing) -> Vec<String> {
    let known = Known { person, standing, today: TODAY };
    let found = check(&form(fields), &policy(), known).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

fn of_staff(fields: Value) -> Vec<String> {
    problems(fields, Some(&person("staff")), &Standing::Employed)
}

#[rstest]
#[case::new(json!({"asks": "new", "reason": "r"}))]
#[case::change(json!({"asks": "change", "reason": "r", "systems": [{"system": "cimor", "role": "nurse"}]}))]
#[case::taken_away(json!({"asks": "change", "reason": "r", "systems": [{"system": "cimor", "remove": true}]}))]
#[case::name(json!({
    "asks": "name_change", "reason": "r", "old_user_id": "MZDOEJ", "new_name": {"last": "Roe", "first": "Jane"},
    "person": {"user_id": "mzdoej", "name": {"last": "Doe", "first": "Jane"}},
}))]
#[case::location(json!({"asks": "location_change", "reason": "r", "new_location": "b"}))]
#[case::revoke(json!({"asks": "revoke", "reason": "r", "ends_on": "2026-11-01", "for_cause": true}))]
#[case::leave(json!({"form": "leave", "asks": "leave", "starts_on": "2026-12-01", "ends_on": "2027-03-01"}))]
#[case::back(json!({"form": "leave", "asks": "return"}))]
#[case::order(json!({"form": "suspension", "asks": "suspend", "reason": "r", "systems": [{"system": "cimor"}]}))]
#[case::agreement(json!({"form": "agreement", "asks": "agreement", "gate": "hipaa_training", "signed_on": "2026-11-20"}))]
#[case::reset(json!({"form": "reset", "asks": "reset_password"}))]
fn what_is_whole_is_taken(#[case] fields: Value) {
    assert_eq!(of_staff(fields), Vec::<String>::new());
}

#[rstest]
#[case::unknown_form(json!({"form": "holiday", "asks": "new"}), &["`form` \"holiday\" is not known here"])]
#[case::not_by_this_form(json!({"asks": "leave", "reason": "r"}), &["`asks` is leave, which the form staff_access is not for"])]
#[case::version(json!({"version": 2, "asks": "new", "reason": "r"}), &["`version` is 2"])]
#[case::nil(json!({"id": "00000000-0000-0000-0000-000000000000", "asks": "new", "reason": "r"}), &["`id` is the nil UUID"])]
#[case::required(json!({"asks": "new"}), &["`reason` is missing or empty; the form"])]
#[case::blank(json!({"asks": "new", "reason": "  "}), &["`reason` is missing"])]
#[case::no_systems(json!({"asks": "change", "reason": "r"}), &["`systems` is missing"])]
#[case::no_meaning(
    json!({"asks": "new", "reason": "r", "for_cause": true, "new_location": "b"}),
    &["`for_cause` says nothing", "`new_location` says nothing"]
)]
#[case::unknown_system(json!({"asks": "change", "reason": "r", "systems": [{"system": "epic"}]}), &["`systems[0]` names \"epic\""])]
#[case::unknown_role(
    json!({"asks": "change", "reason": "r", "systems": [{"system": "cimor", "role": "king"}]}), &["has the role \"king\""]
)]
#[case::no_role(json!({"asks": "change", "reason": "r", "systems": [{"system": "cimor"}]}), &["without a role"])]
#[case::role_of_nothing(
    json!({"asks": "change", "reason": "r", "systems": [{"system": "mail", "role": "x"}]}), &["it has no roles"]
)]
#[case::twice(
    json!({"asks": "change", "reason": "r", "systems": [{"system": "mail"}, {"system": "Mail"}]}),
    &["`systems[1]` names \"Mail\" a second time", "`systems[1]` names \"Mail\", which is not known"]
)]
#[case::taken_away_from_a_newcomer(
    json!({"asks": "new", "reason": "r", "systems": [{"system": "mail", "remove": true}]}), &["has `remove`"]
)]
#[case::second_key(
    json!({"asks": "name_change", "reason": "r", "old_user_id": "mzroej", "new_name": {"last": "Roe", "first": "J"}}),
    &["`old_user_id` \"mzroej\" is not a user ID of this person"]
)]
#[case::another_name(
    json!({"asks": "new", "reason": "r", "person": {"user_id": "mzdoej", "name": {"last": "Smith", "first": "John"}}}),
    &["`person.name` is not that of the person"]
)]
#[case::location(json!({"asks": "location_change", "reason": "r", "new_location": "nowhere"}), &["no location"])]
#[case::days(
    json!({"asks": "new", "reason": "r", "starts_on": "2026-11-10", "ends_on": "2026-11-09"}),
    &["before the first day", "what is over"]
)]
#[case::too_late(json!({"asks": "new", "reason": "r", "valid_until": "2026-11-19"}), &["have it signed again"])]
#[case::order_without_reason(json!({"form": "suspension", "asks": "suspend"}), &["`reason` is missing"])]
#[case::gate(
    json!({"form": "agreement", "asks": "agreement", "gate": "x", "signed_on": "2026-11-21"}),
    &["`gate` \"x\" is not known here", "file it on that day"]
)]
#[case::no_gate(json!({"form": "agreement", "asks": "agreement", "signed_on": "2026-11-20"}), &["`gate` is missing"])]
#[case::escape(json!({"asks": "new", "reason": "\u{1b}[31m"}), &["`reason` has control"])]
#[case::bidirectional(json!({"asks": "new", "reason": "r", "position": "a\u{202e}b"}), &["`position` has control or invisible"])]
#[case::two_lines(json!({"asks": "new", "reason": "one\ntwo"}), &["`reason` has control"])]
#[case::ssn(json!({"asks": "new", "reason": "r", "requested_by": "123-45-6789"}), &["social security number"])]
fn each_mistake_is_named_with_what_to_do(#[case] fields: Value, #[case] says: &[&str]) {
    let found = of_staff(fields);
    assert_eq!(found.len(), says.len(), "{found:#?}");
    for (found, says) in found.iter().zip(says) {
        assert!(found.contains(says) && found.contains("; "), "{found}");
    }
}

fn consent(by: &str) -> Value {
    json!({
        "form": "contractor_consent", "asks": "new", "position": "Counsellor", "requested_by": "mzroej",
        "person": {"name": {"last": "Li", "first": "Ann"}, "kind": "contract_provider", "location": "y"},
        "systems": [{"system": "omis"}],
        "signatures": [
            {"role": "staff_member", "name": "Ann Li", "on": "2026-11-19", "by": by},
            {"role": "supervisor", "name": "J. Roe", "on": "2026-11-19", "by": "hand"},
        ],
        "attachments": [{"what": "consent", "file": "consent.pdf", "sha256": "0".repeat(64)}],
    })
}

fn of_nobody(fields: Value) -> Vec<String> {
    problems(fields, None, &Standing::Unknown)
}

#[test]
fn a_consent_form_is_taken_when_it_is_signed_by_hand_and_scanned() {
    assert_eq!(of_nobody(consent("hand")), Vec::<String>::new());
}

#[test]
fn an_electronic_signature_is_refused_where_the_policy_wants_ink() {
    let found = of_nobody(consent("electronic"));
    assert!(found.len() == 1 && found[0].contains("electronic one of staff_member"), "{found:?}");
}

#[rstest]
#[case::signature("signatures", json!([]), &["none of staff_member", "none of supervisor"])]
#[case::scan("attachments", json!([]), &["has no scan that is consent"])]
#[case::path("attachments", json!([{"what": "consent", "file": "../shadow", "sha256": "0".repeat(64)}]), &["no plain name"])]
#[case::digest("attachments", json!([{"what": "consent", "file": "a.pdf", "sha256": "abc"}]), &["no SHA-256"])]
#[case::another_system("systems", json!([{"system": "mail"}]), &["not asked for by this form"])]
#[case::name("person", json!({"kind": "contract_provider", "location": "y"}), &["`person.name` is missing"])]
#[case::kind(
    "person", json!({"name": {"last": "Li", "first": "Ann"}, "kind": "staff", "location": "z"}),
    &["`person.kind` is staff, and the form contractor_consent is only for: contract_provider"]
)]
#[case::day("signatures", json!([
    {"role": "staff_member", "name": "A", "on": "2026-11-21", "by": "hand"},
    {"role": "supervisor", "name": "B", "on": "2026-11-19", "by": "hand"},
]), &["`signatures[0].on` is 2026-11-21"])]
fn what_a_consent_form_lacks_is_named(
    #[case] field: &str,
    #[case] value: Value,
    #[case] says: &[&str],
) {
    let mut fields = consent("hand");
    fields[field] = value;
    let found = of_nobody(fields);
    assert_eq!(found.len(), says.len(), "{found:#?}");
    assert!(found.iter().zip(says).all(|(found, says)| found.contains(says)), "{found:#?}");
}

#[test]
fn a_kind_that_never_gets_a_system_does_not_get_it_by_any_form() {
    let fields = json!({"asks": "change", "reason": "r", "systems": [{"system": "omis"}]});
    let mut both = person("offender");
    both.engagements.extend(person("staff").engagements);
    let found = problems(fields, Some(&both), &Standing::Employed);
    assert!(found.len() == 1 && found[0].contains("never gets"), "{found:?}");
}

#[rstest]
#[case::none(json!([]), json!([]), "only by an exception")]
#[case::unknown(json!(["friend"]), json!([]), "\"friend\", which is not known here")]
#[case::without_its_paper(json!(["data_entry"]), json!([]), "has no scan that is statement")]
#[case::with_it(json!(["data_entry"]), json!([{"what": "statement", "file": "s.pdf", "sha256": "0".repeat(64)}]), "")]
fn a_volunteer_gets_data_entry_only_by_an_exception(
    #[case] exceptions: Value,
    #[case] attachments: Value,
    #[case] says: &str,
) {
    let fields = json!({
        "form": "volunteer_access", "asks": "change", "systems": [{"system": "cimor", "role": "clerk"}],
        "exceptions": exceptions, "attachments": attachments,
    });
    let found = problems(fields, Some(&person("volunteer")), &Standing::Employed);
    assert_eq!(found.is_empty(), says.is_empty(), "{found:?}");
    assert!(found.is_empty() || found[0].contains(says), "{found:?}");
}

#[rstest]
#[case::change(json!({"asks": "change", "reason": "r", "systems": [{"system": "mail"}]}), &["and the person has left"])]
#[case::new_without_keys(
    json!({"asks": "new", "reason": "r", "person": {"employee_number": "1"}}),
    &["the same user ID", "`starts_on` is missing"]
)]
#[case::rehire(json!({"asks": "new", "reason": "r", "starts_on": "2026-12-01"}), &[])]
#[case::another_notice(json!({"asks": "revoke", "reason": "r"}), &[])]
fn after_a_departure_only_a_rehire_is_asked_for(#[case] fields: Value, #[case] says: &[&str]) {
    let left = Standing::Left(End {
        at: Timestamp::UNIX_EPOCH,
        for_cause: false,
        worksite: None,
        supervisor: None,
        reason: "notice from hr".into(),
    });
    let found = problems(fields, Some(&person("staff")), &left);
    assert_eq!(found.len(), says.len(), "{found:#?}");
    assert!(found.iter().zip(says).all(|(found, says)| found.contains(says)), "{found:#?}");
}

#[rstest]
#[case::elsewhere(json!({"asks": "new", "reason": "r"}), "z", "hr", true)]
#[case::there(json!({"asks": "new", "reason": "r"}), "Y", "hr", false)]
#[case::said_anew(json!({"asks": "new", "reason": "r"}), "z", "form", false)]
#[case::change(json!({"asks": "change", "reason": "r", "systems": [{"system": "mail"}]}), "z", "hr", true)]
#[case::change_of_one_only_forms_know(
    json!({"asks": "change", "reason": "r", "systems": [{"system": "mail"}]}), "z", "form", true
)]
#[case::moved_already(
    json!({"asks": "location_change", "reason": "r", "new_location": "y"}), "z", "hr", false
)]
#[case::ends(json!({"asks": "revoke", "reason": "r"}), "z", "hr", false)]
fn who_works_here_is_not_given_anything_elsewhere(
    #[case] mut fields: Value,
    #[case] says: &str,
    #[case] source: &str,
    #[case] is_wrong: bool,
) {
    fields["person"] = json!({"user_id": "mzdoej", "location": says});
    let mut person = person("staff");
    person.engagements[0].source = SourceName::new(source).unwrap();
    person.engagements[0].worksite = crate::facts::LocationId::new("y").ok();
    let found = problems(fields, Some(&person), &Standing::Employed);
    let wrong = found.iter().any(|found| found.contains("the person works at y"));
    assert_eq!(wrong, is_wrong, "{found:#?}");
}
