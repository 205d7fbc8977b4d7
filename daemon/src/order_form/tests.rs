use super::*;
use jiff::civil::date;
use rstest::rstest;
use serde_json::{Value, json};
use std::path::Path;

const ID: &str = "0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d";

/// A form of a kind with some fields put in, or taken out where they are null.
fn form(kind: &str, fields: Value) -> Vec<u8> {
    let mut form = json!({
        "form": kind, "version": 1, "id": ID, "person": "mzsmitj", "authority": "General Counsel",
    });
    for (name, value) in fields.as_object().unwrap() {
        match value {
            Value::Null => form.as_object_mut().unwrap().remove(name),
            value => form.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    serde_json::to_vec(&form).unwrap()
}

fn order(kind: &str, fields: Value) -> Order {
    OrderForm::read(&form(kind, fields)).unwrap().order()
}

#[test]
fn each_form_is_the_command_that_does_the_same() {
    let hold = order("hold", json!({ "reason": "Case 1", "review_on": "2027-06-01" }));
    let Order::Hold(hold) = hold else { panic!("{hold:?}") };
    assert_eq!((hold.person.as_str(), hold.reason.as_str()), ("mzsmitj", "Case 1"));
    assert_eq!(hold.review_on, Some(date(2027, 6, 1)));
    assert!(!hold.everyone && hold.location.is_none() && hold.group.is_none());
    assert!(matches!(order("lift", json!({ "reason": "Settled" })), Order::Lift(_)));
    let of = |kind, fields| match order(kind, fields) {
        Order::Delegate(request) => (request.to, request.end, Vec::new(), false),
        Order::Keep(request) => (request.to, request.end, request.paths, request.mail),
        other => panic!("{other:?}"),
    };
    let to = || Some("mzdoeja".to_owned());
    assert_eq!(of("delegate", json!({ "to": "mzdoeja" })), (to(), false, vec![], false));
    assert_eq!(of("end_delegation", json!({})), (None, true, vec![], false));
    let paths = json!({ "to": "mzdoeja", "paths": ["letters"], "reason": "r" });
    assert_eq!(of("keep", paths), (to(), false, vec!["letters".into()], false));
    assert_eq!(of("end_keep", json!({ "mail": true })), (None, true, vec![], true));
}

#[rstest]
#[case::no_reason("hold", json!({}), "`reason` is missing")]
#[case::blank_reason("lift", json!({ "reason": " " }), "`reason` is missing")]
#[case::no_authority("delegate", json!({ "to": "x", "authority": "" }), "`authority` is missing")]
#[case::authority_left_out("delegate", json!({ "to": "x", "authority": null }), "missing field `authority`")]
#[case::nobody("keep", json!({ "to": "x", "person": "" }), "`person` is missing")]
#[case::for_nobody("keep", json!({}), "`to` is missing")]
#[case::ends_for_nobody("end_keep", json!({ "to": "" }), "`to` is missing")]
#[case::nil_id("hold", json!({ "reason": "r", "id": "00000000-0000-0000-0000-000000000000" }), "`id` is missing")]
#[case::no_id("hold", json!({ "reason": "r", "id": "7" }), "this is no form")]
#[case::unknown_field("hold", json!({ "reason": "r", "approved": true }), "unknown field `approved`")]
#[case::unknown_kind("erase", json!({}), "unknown variant `erase`")]
#[case::later_version("hold", json!({ "reason": "r", "version": 2, "new": 1 }), "version 2, and version 1")]
#[case::stale_version("hold", json!({ "reason": "r", "version": 0 }), "version 0, and version 1")]
#[case::version_as_text("hold", json!({ "reason": "r", "version": "1" }), "version \"1\", and version 1")]
#[case::no_version("hold", json!({ "reason": "r", "version": null }), "missing field `version`")]
#[case::review_of_a_wish("delegate", json!({ "to": "x", "review_on": "2027-01-01" }), "`review_on` says nothing")]
#[case::paths_of_mail("keep", json!({ "to": "x", "mail": true, "paths": ["a"] }), "`paths` says nothing")]
#[case::mail_of_a_hold("hold", json!({ "reason": "r", "mail": true }), "`mail` says nothing")]
#[case::no_day("hold", json!({ "reason": "r", "review_on": "2027-02-30" }), "this is no form")]
#[case::escape("hold", json!({ "reason": "a\u{1b}[2Jb" }), "`reason` has control")]
#[case::turned("hold", json!({ "reason": "r", "authority": "a\u{202e}b" }), "`authority` has control")]
#[case::header("hold", json!({ "reason": "r\r\nBcc: x@y.test" }), "`reason` has control")]
#[case::path("keep", json!({ "to": "x", "paths": ["a\u{7}"] }), "`paths` has control")]
#[case::long("hold", json!({ "reason": "r".repeat(1001) }), "`reason` has more than 1000")]
fn what_is_not_wholly_right_is_rejected(
    #[case] kind: &str,
    #[case] fields: Value,
    #[case] says: &str,
) {
    let error = OrderForm::read(&form(kind, fields)).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    assert!(!error.contains(['\u{1b}', '\u{202e}', '\r', '\n', '\u{7}']), "{error:?}");
}

#[rstest]
#[case::empty(b"")]
#[case::csv(b"form,version\nhold,1\n")]
#[case::list(b"[]")]
#[case::not_utf8(b"{\"form\":\"\xff\"}")]
#[case::deep(&[b'['; 100_000])]
#[case::escapes_in_a_name(b"{\"version\":1,\"\x1b[31m\":1}")]
fn what_is_no_form_is_said_to_be_none(#[case] bytes: &[u8]) {
    let error = OrderForm::read(bytes).unwrap_err().to_string();
    assert!(error.starts_with("this is no form") && !error.contains('\u{1b}'), "{error}");
}

#[test]
fn a_field_that_is_there_twice_is_no_form() {
    let text = String::from_utf8(form("hold", json!({ "reason": "r" }))).unwrap();
    let twice = text.replace("\"person\":", "\"person\":\"mzother\",\"person\":");
    let error = OrderForm::read(twice.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("duplicate field `person`"), "{error}");
}

#[test]
fn a_form_counts_to_the_end_of_its_last_day() {
    let fields = json!({ "reason": "r", "valid_until": "2026-12-31" });
    let form = OrderForm::read(&form("hold", fields)).unwrap();
    assert_eq!(form.in_time(date(2026, 12, 31)), Ok(()));
    assert!(matches!(form.in_time(date(2027, 1, 1)), Err(FormError::Expired { .. })));
}

#[test]
fn spaces_and_order_make_no_other_form() {
    let one = OrderForm::read(&form("hold", json!({ "reason": "r" }))).unwrap();
    let same = format!(
        "{{ \"reason\": \"r\", \"authority\": \"General Counsel\", \"person\": \"mzsmitj\",\n \"id\": \"{ID}\", \
         \"version\": 1, \"form\": \"hold\" }}"
    );
    let same = OrderForm::read(same.as_bytes()).unwrap();
    assert_eq!(one.content().unwrap(), same.content().unwrap());
    let other = OrderForm::read(&form("hold", json!({ "reason": "s" }))).unwrap();
    assert_ne!(one.content().unwrap(), other.content().unwrap());
}

/// Before the schema in `docs/forms.md`.
const MARK: &str = "<!-- schema, written by a test -->\n";

#[test]
fn docs_forms_md_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/forms.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, _) = text.split_once(MARK).unwrap();
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(OrderForm)).unwrap();
    let wanted = format!("{before}{MARK}\n```json\n{schema}\n```\n");
    if std::env::var_os("LAPSED_WRITE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    assert!(
        text == wanted || std::env::var_os("LAPSED_WRITE_DOCS").is_some(),
        "docs/forms.md is not current: LAPSED_WRITE_DOCS=1 cargo nextest run -p lapsed docs_forms_md_is_current"
    );
}

#[test]
fn the_examples_of_the_page_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/forms.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (before, _) = text.split_once(MARK).unwrap();
    let examples: Vec<&str> =
        before.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!examples.is_empty());
    for example in examples {
        OrderForm::read(example.as_bytes()).unwrap_or_else(|error| panic!("{example}: {error}"));
    }
}
