//! `late`.

use super::{Page, Piece, Text, when};
use crate::views::LateView;
use jiff::SignedDuration;
use lapsed_core::lateness::words;

impl Text for LateView {
    fn write(&self, page: &mut Page) {
        let within = self.within_minutes;
        if self.late.is_empty() {
            page.line(&format!(
                "Everybody was cut off within {within} minutes of the end of access."
            ));
        } else {
            page.line(&format!("Cut off later than {within} minutes after the end of access:"));
            page.table(
                ["who", "system", "due by", "done", "late by", "why"],
                self.late.iter().map(|one| {
                    let late = i64::try_from(one.late_seconds).unwrap_or(i64::MAX);
                    let done = one.done.as_deref().map_or_else(|| "not yet".to_owned(), when);
                    [
                        Piece::from(&one.person),
                        Piece::from(&one.connector),
                        Piece::from(when(&one.deadline)),
                        Piece::from(done),
                        Piece::from(words(SignedDuration::from_secs(late))),
                        Piece::from(one.why.join("; ")),
                    ]
                }),
            );
        }
        if self.times.is_empty() {
            return;
        }
        page.heading("From notice to disabled and read back");
        page.table(
            ["system", "count", "p50", "p95", "p99"],
            self.times.iter().map(|one| {
                [
                    Piece::from(&one.connector),
                    Piece::from(one.count),
                    Piece::from(seconds(one.p50_ms)),
                    Piece::from(seconds(one.p95_ms)),
                    Piece::from(seconds(one.p99_ms)),
                ]
            }),
        );
    }
}

fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        short if short < 60_000 => format!("{}.{:03} s", short / 1_000, short % 1_000),
        long => words(SignedDuration::from_millis(i64::try_from(long).unwrap_or(i64::MAX))),
    }
}
