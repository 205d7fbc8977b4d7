//! `suspensions`.

use super::{Page, Piece, Text, when, when_given};
use crate::views::SuspensionsView;

impl Text for SuspensionsView {
    fn write(&self, page: &mut Page) {
        if self.suspensions.is_empty() {
            page.line("Nobody's access is stopped for a while.");
            return;
        }
        page.table(
            ["who", "kind", "state", "where", "ordered by", "reason", "placed", "until"],
            self.suspensions.iter().map(|one| {
                let places = match one.connectors.is_empty() {
                    true => "everywhere".to_owned(),
                    false => one.connectors.join(", "),
                };
                [
                    Piece::from(&one.person),
                    Piece::from(&one.kind),
                    Piece::from(&one.state),
                    Piece::from(places),
                    Piece::from(&one.authority),
                    Piece::from(&one.reason),
                    Piece::from(when(&one.placed)),
                    Piece::from(when_given(&one.ends_on)),
                ]
            }),
        );
    }
}
