//! `user-id`.

use super::{Page, Piece, Text, Tone};
use crate::views::UserIdsView;

impl Text for UserIdsView {
    fn write(&self, page: &mut Page) {
        if let [only] = self.rows.as_slice()
            && let Some(user_id) = &only.user_id
        {
            page.line(user_id);
            return;
        }
        page.table(
            ["last", "first", "preferred", "location", "kind", "user id", "error"],
            self.rows.iter().map(|row| {
                [
                    Piece::from(&row.last),
                    Piece::from(&row.first),
                    Piece::from(&row.preferred),
                    Piece::from(&row.location),
                    Piece::from(&row.kind),
                    Piece::from(&row.user_id),
                    Piece::toned(row.error.as_deref().unwrap_or_default(), Tone::Bad),
                ]
            }),
        );
    }
}
