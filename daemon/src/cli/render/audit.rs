//! `audit list` and `audit verify`.

use super::{Page, Piece, Text, at, counted};
use crate::views::{AuditVerifyView, AuditView};

impl Text for AuditView {
    fn write(&self, page: &mut Page) {
        if self.rows.is_empty() {
            page.line("There are no such rows.");
            return;
        }
        page.table(
            ["row", "when", "actor", "event", "who", "rule", "detail"],
            self.rows.iter().map(|row| {
                [
                    Piece::from(row.seq),
                    Piece::from(at(&row.at)),
                    Piece::from(&row.actor),
                    Piece::from(&row.event),
                    Piece::from(&row.who),
                    Piece::from(&row.clause),
                    Piece::from(&row.detail),
                ]
            }),
        );
    }
}

impl Text for AuditVerifyView {
    fn write(&self, page: &mut Page) {
        let looked = format!(
            "{} and {} were looked at",
            counted(self.rows, "row", "rows"),
            counted(self.checkpoints, "checkpoint", "checkpoints")
        );
        if self.sound {
            page.line(&format!("The audit is sound: {looked}."));
            return;
        }
        page.line(&format!("THE AUDIT IS NOT SOUND: {looked}."));
        page.list("What was found", &self.problems);
    }
}
