//! Access forms as text: YAML and JSON, and what hostile or careless ones are told.

use crate::config::{AccessFormError, form_named_in, read_access_form};
use rstest::rstest;

const YAML: &str = "form: staff_access\nversion: 1\nid: 0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d\nasks: new\n\
                    person:\n  employee_number: 00123\n  name: { last: No, first: Yes }\nstarts_on: 2026-12-01\n";

#[test]
fn yaml_and_json_are_one_form_and_numbers_keep_their_zeros() {
    let json = r#"{"asks": "new", "person": {"name": {"first": "Yes", "last": "No"}, "employee_number": "00123"},
        "starts_on": "2026-12-01", "id": "0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d", "version": 1, "form": "staff_access"}"#;
    let (yaml, json) =
        (read_access_form(YAML.as_bytes()).unwrap(), read_access_form(json.as_bytes()).unwrap());
    assert_eq!(yaml, json);
    assert_eq!(yaml.hash().unwrap(), json.hash().unwrap());
    assert_eq!(yaml.person.employee_number.unwrap().as_str(), "00123");
    assert_eq!(form_named_in(YAML.as_bytes()).as_deref(), Some("staff_access"));
}

#[rstest]
#[case::version("version: 1", "version: 2", "version 2")]
#[case::unknown_field("asks: new", "asks: new\nsalary: 1", "salary")]
#[case::twice("asks: new", "asks: new\nasks: revoke", "asks")]
#[case::unknown_word("asks: new", "asks: everything", "everything")]
#[case::no_date("2026-12-01", "tomorrow", "starts_on")]
#[case::no_id("0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d", "17", "id")]
#[case::two_people("person:\n", "person: [a, b]\nother:\n", "person")]
#[case::control("00123", "\"a\\u0007b\"", "control")]
fn what_is_no_form_is_told_why(#[case] from: &str, #[case] to: &str, #[case] says: &str) {
    assert!(YAML.contains(from));
    let error = read_access_form(YAML.replace(from, to).as_bytes()).unwrap_err().to_string();
    assert!(error.contains(says), "{error}");
    assert!(!error.chars().any(char::is_control), "{error:?}");
}

#[test]
fn a_scan_is_no_form() {
    assert_eq!(form_named_in(b"%PDF-1.7 \xff\xfe"), None);
    assert_eq!(read_access_form(b"\xff"), Err(AccessFormError::NotUtf8));
    assert_eq!(read_access_form(&[b' '; 300_000]), Err(AccessFormError::TooLarge));
}

#[test]
fn aliases_that_grow_without_end_are_refused() {
    let mut text = "a0: &a0 [x, x]\n".to_owned();
    for level in 1..30 {
        let below = level - 1;
        text.push_str(&format!("a{level}: &a{level} [*a{below}, *a{below}]\n"));
    }
    assert!(read_access_form(text.as_bytes()).is_err());
}
