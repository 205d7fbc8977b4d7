//! `hold list` and `set-aside list`.

use super::{Page, Piece, Text, when, when_given};
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

/// Rows that were set aside.
pub(super) fn set_aside(page: &mut Page, rows: &[SetAsideView]) {
    page.table(
        ["id", "from", "who", "reason", "when"],
        rows.iter().map(|row| {
            [
                Piece::from(&row.id),
                Piece::from(&row.from),
                Piece::from(&row.who),
                Piece::from(&row.reason),
                Piece::from(when(&row.at)),
            ]
        }),
    );
}
