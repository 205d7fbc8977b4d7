//! What people see: fits a hundred columns, and nothing that HR sends moves the cursor.

use crate::samples;
use insta::assert_snapshot;
use lapsed::cli::output::{Format, Output, WIDEST};
use lapsed::cli::render::{Text, when};
use rstest::rstest;
use serde::Serialize;
use std::fmt::Debug;

const PLAIN: Output = Output { format: Format::Text, colour: false, width: WIDEST };

fn text<T: Text + Serialize>(view: &T) -> String {
    PLAIN.text(view).unwrap()
}

fn texts() -> Vec<(&'static str, String)> {
    vec![
        ("status", text(&samples::status())),
        ("due", text(&samples::due())),
        ("person", text(&samples::person())),
        ("plans", text(&samples::plans())),
        ("plan", text(&samples::plan())),
        ("holds", text(&samples::holds())),
        ("access_forms", text(&samples::access_forms())),
        ("access_form", text(&samples::access_form())),
        ("approvals", text(&samples::approvals())),
        ("decided", text(&samples::decided())),
        ("absences", text(&samples::absences())),
        ("suspensions", text(&samples::suspensions())),
        ("findings", text(&samples::findings())),
        ("rosters", text(&samples::rosters())),
        ("requests", text(&samples::requests())),
        ("envelopes", text(&samples::envelopes())),
        ("password", text(&samples::password())),
        ("set_asides", text(&samples::set_asides())),
        ("notices", text(&samples::notices())),
        ("letter", text(&samples::letter())),
        ("tickets", text(&samples::tickets())),
        ("audit", text(&samples::audit())),
        ("audit_verify", text(&samples::audit_verify())),
        ("adopt", text(&samples::adopt())),
        ("reload", text(&samples::reload())),
        ("check", text(&samples::check())),
        ("simulate", text(&samples::simulate())),
        ("user_ids", text(&samples::user_ids())),
        ("restore", text(&samples::restore())),
        ("late", text(&samples::late())),
    ]
}

#[test]
fn every_answer_looks_as_it_should() {
    for (name, text) in texts() {
        assert_snapshot!(name, text);
    }
}

#[test]
fn every_line_fits_a_hundred_columns() {
    for (name, text) in texts() {
        for line in text.lines() {
            let width = line.chars().count();
            assert!(width <= usize::from(WIDEST), "{name} has {width} columns: {line}");
        }
    }
}

#[test]
fn no_control_character_and_no_invisible_one_survives() {
    for (name, text) in texts() {
        let bad = text
            .chars()
            .find(|c| (c.is_control() && *c != '\n') || matches!(*c, '\u{202a}'..='\u{202e}'));
        assert_eq!(bad, None, "{name}");
        assert!(!text.lines().any(|line| line.trim() == "All is well."), "{name} forged a line");
    }
}

#[test]
fn colour_is_only_there_when_asked_for() {
    let coloured = Output { colour: true, ..PLAIN }.text(&samples::status()).unwrap();
    assert!(coloured.contains("\u{1b}["));
    let unseen: String = strip(&coloured);
    assert_eq!(unseen, text(&samples::status()));
}

/// Takes out what comfy-table puts in: select-graphic-rendition sequences alone.
fn strip(coloured: &str) -> String {
    let mut parts = coloured.split("\u{1b}[");
    let first = parts.next().unwrap().to_owned();
    let stripped = parts.fold(first, |text, part| {
        let (codes, rest) = part.split_once('m').unwrap();
        assert!(codes.chars().all(|c| c.is_ascii_digit() || c == ';'), "{codes:?}");
        text + rest
    });
    stripped.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn json_is_the_view_itself() {
    fn same<T>(view: T)
    where
        T: Text + Serialize + serde::de::DeserializeOwned + PartialEq + Debug,
    {
        let json = Output { format: Format::Json, ..PLAIN }.text(&view).unwrap();
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), view);
        assert!(!json.chars().any(|c| c.is_ascii_control() && c != '\n'));
    }
    same(samples::status());
    same(samples::person());
    same(samples::plans());
    same(samples::adopt());
}

#[rstest]
#[case::date("2026-11-27", "Fri 2026-11-27")]
#[case::moment("2026-11-27T17:00:00-06:00", "Fri 2026-11-27 17:00 -06:00")]
#[case::moment_with_fraction("2026-11-27T17:00:59.123456789+05:30", "Fri 2026-11-27 17:00 +05:30")]
#[case::moment_of_greenwich("2026-11-27T17:00:00Z", "Fri 2026-11-27 17:00 +00:00")]
#[case::with_its_reason("2026-11-27: next work day", "2026-11-27: next work day")]
#[case::written_already("Fri 2026-11-27", "Fri 2026-11-27")]
#[case::no_date("2026-02-30", "2026-02-30")]
#[case::nothing("", "")]
fn dates_have_weekdays_and_moments_an_offset(#[case] text: &str, #[case] shown: &str) {
    assert_eq!(when(text), shown);
}
