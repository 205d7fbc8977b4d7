//! `report roster`.

use super::{Page, Piece, Text};
use crate::views::{RosterLine, RostersView};

impl Text for RostersView {
    fn write(&self, page: &mut Page) {
        for why in &self.unread {
            page.line(&format!("Rosters of locations may be missing: {why}."));
        }
        if self.rosters.is_empty() {
            page.line(&format!(
                "{} answers for nobody who holds access: neither as the supervisor whom HR names, nor by a role \
                 of access.reports.location_roles.",
                self.of
            ));
            return;
        }
        for roster in &self.rosters {
            page.heading(&format!("Who holds what: {}", roster.about));
            table(page, &roster.lines);
        }
        page.gap();
        match &self.answer_by {
            Some(_) => page.line(
                "Say what stays and what goes, for each person: `lapsed report roster --answer USER` writes the \
                 form, `lapsed form submit FILE` files it.",
            ),
            None => page.line("No form under access.forms asks recertify, by which it could be answered."),
        }
    }
}

fn table(page: &mut Page, lines: &[RosterLine]) {
    let row = |line: &RosterLine| {
        [
            Piece::from(&line.who),
            Piece::from(&line.system),
            Piece::from(line.role.clone().unwrap_or_default()),
            Piece::from(&line.since),
            Piece::from(line.form.map_or_else(|| "none".to_owned(), |form| form.to_string())),
            Piece::from(line.last_day.clone().unwrap_or_default()),
            Piece::from(line.state.to_string()),
            Piece::from(line.recertified.clone().unwrap_or_default()),
        ]
    };
    page.table(
        ["who", "system", "role", "since", "form", "last day", "state", "looked at"],
        lines.iter().map(row),
    );
}
