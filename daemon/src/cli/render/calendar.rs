//! `due` and `simulate`.

use super::{Footnotes, Page, Piece, Text, Tone, counted, when};
use crate::views::{DueEntry, DueView, SimulateView};
use std::collections::BTreeMap;

impl Text for DueView {
    fn write(&self, page: &mut Page) {
        if self.entries.is_empty() {
            page.line("Nothing is due.");
            return;
        }
        entries(page, &self.entries);
    }
}

impl Text for SimulateView {
    fn write(&self, page: &mut Page) {
        page.line(&format!(
            "From {} to {}, {} happen; nothing was written.",
            when(&self.from),
            when(&self.until),
            counted(self.entries.len() as u64, "thing would", "things would")
        ));
        if !self.entries.is_empty() {
            page.gap();
            entries(page, &self.entries);
        }
        if !self.held.is_empty() {
            page.heading("The guard would hold:");
            for plan in &self.held {
                page.gap();
                plan.write(page);
            }
        }
    }
}

/// What a line of the calendar says; people of whom the same is said share a line.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line<'a> {
    date: &'a str,
    overdue: bool,
    what: &'a str,
    why: &'a str,
    clause: &'a str,
    waits_for: Option<&'a str>,
}

fn entries(page: &mut Page, entries: &[DueEntry]) {
    let mut lines: BTreeMap<Line<'_>, Vec<&str>> = BTreeMap::new();
    for entry in entries {
        let line = Line {
            date: &entry.date,
            overdue: entry.overdue,
            what: without_person(entry),
            why: &entry.why,
            clause: &entry.clause,
            waits_for: entry.waits_for.as_deref(),
        };
        lines.entry(line).or_default().push(&entry.person);
    }
    let mut clauses = Footnotes::default();
    let mut waits = Footnotes::default();
    let rows: Vec<_> = lines
        .into_iter()
        .map(|(line, people)| {
            let date = when(line.date);
            let date = match line.overdue {
                true => Piece::toned(&format!("{date} due"), Tone::Bad),
                false => Piece::from(date),
            };
            [
                date,
                Piece::from(line.what),
                Piece::from(people.join(", ")),
                Piece::from(line.why),
                Piece::from(clauses.rule(line.clause)),
                Piece::from(waits.mark(line.waits_for)),
            ]
        })
        .collect();
    page.table(["date", "what", "who", "why", "rule", "waits"], rows);
    page.list("Waits for", &waits.marked());
    page.list("Rules", &clauses.clauses());
}

/// `delete mailbox of mzsmitj` without the name, which has a column of its own.
fn without_person(entry: &DueEntry) -> &str {
    let named = entry.what.strip_suffix(entry.person.as_str());
    named.and_then(|what| what.strip_suffix(" of ")).unwrap_or(&entry.what)
}
