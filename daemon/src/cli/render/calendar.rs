//! `due` and `simulate`.

use super::{Page, Piece, Text, Tone, counted, when};
use crate::views::{DueEntry, DueView, SimulateView};

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

fn entries(page: &mut Page, entries: &[DueEntry]) {
    page.table(
        ["date", "who", "what", "why", "rule", "waits for"],
        entries.iter().map(|entry| {
            let date = when(&entry.date);
            let date = match entry.overdue {
                true => Piece::toned(&format!("{date} due"), Tone::Bad),
                false => Piece::from(date),
            };
            [
                date,
                Piece::from(&entry.person),
                Piece::from(&entry.what),
                Piece::from(&entry.why),
                Piece::from(&entry.clause),
                Piece::from(&entry.waits_for),
            ]
        }),
    );
}
