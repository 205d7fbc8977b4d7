//! `approvals`, `approve`, `deny` and `away list`.

use super::{Page, Piece, Text};
use crate::views::{AbsencesView, ApprovalView, ApprovalsView, DecidedView};

impl Text for ApprovalsView {
    fn write(&self, page: &mut Page) {
        if self.waiting.is_empty() {
            page.line("Nothing waits for you.");
            return;
        }
        for form in &self.waiting {
            form_on(page, form);
        }
        page.gap();
        page.line("Decide with `lapsed approve NUMBER` or `lapsed deny NUMBER --reason \"...\"`.");
    }
}

impl Text for DecidedView {
    fn write(&self, page: &mut Page) {
        form_on(page, &self.form);
        page.gap();
        page.line(&format!("Decided as {}: {}.", self.role, self.message));
    }
}

fn form_on(page: &mut Page, form: &ApprovalView) {
    let hash: String = form.hash.chars().take(12).collect();
    let at = form.location.as_deref().map(|place| format!(", {place}")).unwrap_or_default();
    let asks = form.asks.replace('_', " ");
    page.line(&format!("{}  {asks} for {}{at}  (hash {hash})", form.form, form.person));
    if !form.systems.is_empty() {
        page.indented(4, &format!("asks for: {}", form.systems.join("; ")));
    }
    if let Some(reason) = &form.reason {
        page.indented(4, &format!("because: {reason}"));
    }
    let days = [("from", &form.starts_on), ("until", &form.ends_on)];
    for (word, day) in days.into_iter().filter_map(|(word, day)| Some((word, day.as_ref()?))) {
        page.indented(4, &format!("{word} {day}"));
    }
    page.indented(4, &format!("filed {}", form.filed));
    if !form.given.is_empty() {
        page.indented(4, &format!("yes so far: {}", form.given.join(", ")));
    }
    if !form.roles.is_empty() {
        page.indented(4, &format!("you decide as {}", form.roles.join(" or ")));
    }
}

impl Text for AbsencesView {
    fn write(&self, page: &mut Page) {
        if self.absences.is_empty() {
            page.line("Nobody is away.");
            return;
        }
        page.table(
            ["id", "away", "decides meanwhile", "as", "from", "until"],
            self.absences.iter().map(|absence| {
                let id: String = absence.id.chars().take(13).collect();
                [
                    Piece::from(id),
                    Piece::from(&absence.away),
                    Piece::from(&absence.deputy),
                    Piece::from(absence.role.as_deref().unwrap_or("everything")),
                    Piece::from(&absence.from),
                    Piece::from(&absence.until),
                ]
            }),
        );
    }
}
