//! The receipt that HR finds beside a moved drop: what was taken, set aside or rejected, and why.
//!
//! Plain text, one fact a line. Says no more of a person than employee number or user ID (P2); what came
//! from HR is masked (P1), escaped, and never starts a formula should a spreadsheet open it.

use super::{Note, Rejection, SetAside, Taken};
use crate::mask::mask;
use crate::shown::{shown, shown_in_a_cell, shown_within};
use jiff::Zoned;
use std::fmt::Write as _;

/// Most rows that a receipt lists one by one.
const MOST_LISTED: usize = 1_000;

/// What a receipt is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The feed, as the YAML calls it.
    pub feed: &'a str,
    /// The drop's file name as HR gave it.
    pub file_name: &'a str,
    /// When it was read, in the agency's time zone.
    pub read_at: &'a Zoned,
    /// SHA-256 of the drop, in lower-case hex.
    pub digest: &'a str,
}

/// What a taken drop meant, counted by the caller, who knows what was there before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Effect {
    /// Statements that said something new.
    pub changed: u64,
    /// Statements that said what was already known.
    pub unchanged: u64,
    /// Statements that no one person could be found for: set aside by the matching.
    pub unmatched: u64,
}

/// The receipt of a drop that was taken. `also_set_aside` are the rows that the matching set aside.
#[must_use]
pub fn of_taken(
    about: About<'_>,
    taken: &Taken,
    also_set_aside: &[SetAside],
    effect: Effect,
) -> String {
    let mut text = head(about, "TAKEN");
    let set_aside = taken.set_aside.len() + also_set_aside.len();
    fact(&mut text, "Rows", taken.rows);
    fact(
        &mut text,
        "Rows taken",
        taken.statements.len() - also_set_aside.len().min(taken.statements.len()),
    );
    fact(&mut text, "Rows set aside", set_aside);
    fact(&mut text, "Rows repeated", taken.repeated);
    fact(&mut text, "People listed", taken.headcount);
    fact(&mut text, "Said something new", effect.changed);
    fact(&mut text, "Said what was known", effect.unchanged);
    fact(&mut text, "Matched nobody", effect.unmatched);
    if let Some(sequence) = taken.sequence {
        fact(&mut text, "Sequence number", sequence);
    }
    if let Some(as_of) = taken.as_of {
        fact(&mut text, "Speaks for", as_of);
    }
    let mut rows: Vec<&SetAside> = taken.set_aside.iter().chain(also_set_aside).collect();
    rows.sort_by_key(|row| row.line);
    section(&mut text, "Set aside; please correct these rows and send them again:");
    lines(&mut text, rows.into_iter().map(|row| (row.line, &row.who, &row.reason)), set_aside);
    section(&mut text, "Taken, with a remark:");
    let remarks = taken.notes.iter().map(|Note { line, text, who }| (*line, who, text));
    lines(&mut text, remarks, taken.notes.len());
    text
}

/// The receipt of a drop that was rejected whole.
#[must_use]
pub fn of_rejected(about: About<'_>, rejection: &Rejection) -> String {
    let mut text = head(about, "REJECTED WHOLE; nothing in it was taken");
    // What a rejection quotes of the file was masked where it was quoted; masking the whole sentence
    // would take parts of digests and sequence numbers for protected numbers.
    fact(&mut text, "Reason", first_upper(&rejection.to_string()));
    text
}

/// The receipt of a drop whose very bytes were taken before.
#[must_use]
pub fn of_repeated(about: About<'_>) -> String {
    let mut text = head(about, "TAKEN BEFORE; nothing changes");
    fact(&mut text, "Reason", "The same file, byte for byte, was taken before");
    text
}

fn head(about: About<'_>, verdict: &str) -> String {
    let mut text = String::new();
    fact(&mut text, "Drop", shown_in_a_cell(about.file_name));
    fact(&mut text, "Feed", shown_in_a_cell(about.feed));
    fact(&mut text, "Read at", about.read_at.strftime("%Y-%m-%d %H:%M:%S %Z"));
    fact(&mut text, "SHA-256", shown(about.digest));
    fact(&mut text, "Result", verdict);
    text
}

fn fact(text: &mut String, what: &str, value: impl std::fmt::Display) {
    // Writing to a String can't fail.
    let _ = writeln!(text, "{:<21}{value}", format!("{what}:"));
}

fn section(text: &mut String, title: &str) {
    let _ = writeln!(text, "\n{title}");
}

fn lines<'l>(
    text: &mut String,
    rows: impl Iterator<Item = (u64, &'l Option<String>, &'l String)>,
    count: usize,
) {
    if count == 0 {
        let _ = writeln!(text, "  none");
    }
    for (line, who, reason) in rows.take(MOST_LISTED) {
        let who =
            who.as_deref().map_or_else(String::new, |who| format!("{}: ", shown_in_a_cell(who)));
        let _ = writeln!(text, "  line {line}: {who}{}", shown_long(reason));
    }
    if let Some(more) = count.checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        let _ = writeln!(text, "  and {more} more");
    }
}

fn shown_long(reason: &str) -> String {
    shown_within(&mask(reason), 400)
}

fn first_upper(sentence: &str) -> String {
    let sentence = shown_within(sentence, 1_000);
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
