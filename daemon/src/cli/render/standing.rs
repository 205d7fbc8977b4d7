//! `suspensions` and `findings`.

use super::{Page, Piece, Text, when, when_given};
use crate::views::{FindingsView, SuspensionsView};

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
        page.gap();
        page.line("One is lifted with `lapsed unsuspend WHO --authority … --reason …`, by whoever may order it.");
    }
}

impl Text for FindingsView {
    fn write(&self, page: &mut Page) {
        match &self.last {
            Some(last) => page.line(&format!("Audited {last}.")),
            None => page.line(
                "Access was not audited yet: access.audit.at says when, or lapsed findings --now.",
            ),
        }
        if self.findings.is_empty() {
            page.line("Nothing is open.");
            return;
        }
        page.table(
            ["id", "kind", "finding", "found"],
            self.findings.iter().map(|one| {
                [
                    Piece::from(one.id.get(..8).unwrap_or(&one.id)),
                    Piece::from(&one.kind),
                    Piece::from(&one.text),
                    Piece::from(when(&one.found)),
                ]
            }),
        );
        page.gap();
        page.line(
            "What was put right is gone after the next audit (`lapsed findings --now --reason …`). What is as it \
             should be: `lapsed findings settle ID --reason …`.",
        );
    }
}
