//! Answers to commands that change something.

use super::{Page, Piece, Text, when};
use crate::views::{DoneView, ReloadView};

impl Text for DoneView {
    fn write(&self, page: &mut Page) {
        page.line(&self.message);
    }
}

impl Text for ReloadView {
    fn write(&self, page: &mut Page) {
        page.line(if self.loaded {
            "The new configuration is in use."
        } else {
            "The old configuration stays in use: the new one can't be used."
        });
        page.list("What is wrong with the new one", &self.problems);
        page.list("Changed, and read at a start only: restart the daemon", &self.from_next_start);
        if self.moved_dates.is_empty() {
            return;
        }
        page.heading(
            "Stored dates that it would compute otherwise; none is moved by itself (D15):",
        );
        page.gap();
        page.table(
            ["who", "what", "stored", "computed", "why"],
            self.moved_dates.iter().map(|moved| {
                [
                    Piece::from(&moved.person),
                    Piece::from(&moved.what),
                    Piece::from(when(&moved.stored)),
                    Piece::from(when(&moved.computed)),
                    Piece::from(&moved.why),
                ]
            }),
        );
    }
}
