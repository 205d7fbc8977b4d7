//! Files and texts: feeds in every format, access forms, order forms, tokens, the configuration.

use lapsed::order_form::OrderForm;
use lapsed_core::access::check::{Known, check};
use lapsed_core::access::form::AccessForm;
use lapsed_core::form_token::FormToken;
use lapsed_core::intake::{FeedSpec, take};
use lapsed_core::policy::Policy;
use lapsed_core::standing::Standing;
use std::sync::OnceLock;

/// The first byte says in which format, and whether a file beside it says that it is complete.
pub fn feed(data: &[u8]) {
    static SPECS: OnceLock<Vec<FeedSpec>> = OnceLock::new();
    let specs = SPECS.get_or_init(|| {
        let keys = "mode: delta\ncolumns: {employee_number: {from: N}, status: {from: S}, \
                    ends_on: {from: E}, name: {from: M}}";
        let cuts = "cuts: [{name: N, at: 1, width: 3}, {name: S, at: 3, width: 8}, \
                    {name: E, at: 9, width: 4}, {name: M, at: 13, width: 9}]";
        ["format: csv", "format: json_lines", "encoding: windows-1252", "format: fixed_width"]
            .iter()
            .map(|format| match *format {
                "format: fixed_width" => format!("{format}\n{cuts}\n{keys}"),
                _ => format!("{format}\n{keys}"),
            })
            .map(|yaml| serde_yaml::from_str(&yaml).expect("the feeds of the fuzzer are right"))
            .collect()
    });
    let Some((choice, bytes)) = data.split_first() else { return };
    let spec = &specs[usize::from(*choice) % specs.len()];
    let (bytes, done) = match choice & 0x80 {
        0 => (bytes, None),
        _ => bytes.split_at(bytes.len() / 2).into_option(),
    };
    match take(spec, bytes, done, "hr.csv", None) {
        Ok(taken) => drop(format!("{taken:?}")),
        Err(rejection) => drop(rejection.to_string()),
    }
}

trait IntoOption<'a> {
    fn into_option(self) -> (&'a [u8], Option<&'a [u8]>);
}

impl<'a> IntoOption<'a> for (&'a [u8], &'a [u8]) {
    fn into_option(self) -> (&'a [u8], Option<&'a [u8]>) {
        (self.0, Some(self.1))
    }
}

/// A form is read, checked against the rules of the example, and shown.
pub fn access_form(data: &[u8]) {
    static POLICY: OnceLock<Policy> = OnceLock::new();
    let policy = POLICY.get_or_init(|| {
        let example = include_str!("../../config.example.yaml");
        lapsed::config::parse(example, "config.example.yaml")
            .expect("the example is right")
            .0
            .policy
    });
    let Ok(form) = serde_json::from_slice::<AccessForm>(data) else { return };
    let known = Known {
        person: None,
        standing: &Standing::Unknown,
        today: jiff::civil::date(2026, 11, 22),
    };
    if let Err(problems) = check(&form, policy, known) {
        problems.iter().for_each(|problem| drop(problem.to_string()));
    }
    let masked = form.masked();
    let once = masked.hash().expect("a form can be written");
    assert_eq!(masked.masked().hash().expect("a form can be written"), once, "masked is masked");
}

pub fn order_form(data: &[u8]) {
    match OrderForm::read(data) {
        Ok(form) => drop(form.content()),
        Err(error) => drop(error.to_string()),
    }
}

pub fn form_token(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let hidden = FormToken::hide_all(&text);
    assert!(FormToken::all_in(&hidden).is_empty(), "a token is left in {hidden:?}");
    let masked = lapsed_core::mask::mask(&text);
    assert_eq!(lapsed_core::mask::mask(&masked), masked, "masked is masked");
    let shown = lapsed_core::shown::shown(&text);
    assert!(!shown.chars().any(char::is_control), "{shown:?}");
}

pub fn yaml(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Err(errors) = lapsed::config::parse(text, "config.yaml") {
        drop(errors.to_string());
    }
}
