//! `hold list` and `set-aside list`.

use super::{Page, Piece, Text, at, when, when_given};
use crate::views::{HoldsView, SetAsideView, SetAsidesView};

impl Text for HoldsView {
    fn write(&self, page: &mut Page) {
        if self.holds.is_empty() {
            page.line("There are no holds.");
            return;
        }
        page.table(
            ["who", "ordered by", "reason", "placed", "look again"],
            self.holds.iter().map(|hold| {
                [
                    Piece::from(&hold.person),
                    Piece::from(&hold.authority),
                    Piece::from(&hold.reason),
                    Piece::from(when(&hold.placed)),
                    Piece::from(when_given(&hold.review_on)),
                ]
            }),
        );
    }
}

impl Text for SetAsidesView {
    fn write(&self, page: &mut Page) {
        if self.rows.is_empty() {
            page.line("Nothing is set aside.");
            return;
        }
        set_aside(page, &self.rows);
        page.gap();
        page.line("Settle one with `lapsed set-aside settle ID --reason \"...\"`.");
    }
}

/// Rows that were set aside: reasons are whole sentences, which no column holds.
pub(super) fn set_aside(page: &mut Page, rows: &[SetAsideView]) {
    let length = telling_length(rows);
    for row in rows {
        let id: String = row.id.chars().take(length).collect();
        let who = if row.who.is_empty() { String::new() } else { format!(", {}", row.who) };
        page.line(&format!("{id}  {}{who}, {}", row.from, at(&row.at)));
        page.indented(4, &row.reason);
    }
}

/// So many characters tell the ids apart; `set-aside settle` takes any beginning that does.
fn telling_length(rows: &[SetAsideView]) -> usize {
    const LEAST: usize = 8;
    let common = |a: &SetAsideView, b: &SetAsideView| {
        a.id.chars().zip(b.id.chars()).take_while(|(x, y)| x == y).count()
    };
    let mut sorted: Vec<&SetAsideView> = rows.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let longest = sorted.windows(2).map(|pair| common(pair[0], pair[1]) + 1).max();
    longest.unwrap_or(0).max(LEAST)
}
