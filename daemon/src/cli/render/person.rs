//! `person`.

use super::{Footnotes, Page, Piece, Text, Tone, when, when_given};
use crate::views::{CaseView, PersonView, StepView};

impl Text for PersonView {
    fn write(&self, page: &mut Page) {
        page.line(&format!("{}: {}", self.shown, self.standing));
        page.field("person id", &self.id);
        page.field("numbers", &self.employee_numbers.join(", "));
        page.list("Accounts", &self.accounts);
        page.list("Engagements", &self.engagements);
        page.list("Notices", &self.notices);
        page.list("Holds: nothing of this person is deleted", &self.holds);
        page.list("Suspensions", &self.suspensions);
        page.list("Told by mail", &self.told);
        page.list("Wishes", &self.wishes);
        for case in &self.cases {
            departure(page, case);
        }
        if !self.set_aside.is_empty() {
            page.heading("Set aside");
            super::holds::set_aside(page, &self.set_aside);
        }
    }
}

fn departure(page: &mut Page, case: &CaseView) {
    page.heading(&format!("Departure {}: {}", case.id, case.state));
    page.field("access ends", &when(&case.effective_at));
    page.field("why", &case.reason);
    page.field("disabled on", &when_given(&case.disabled_on));
    page.field("still open", case.still_open.as_deref().unwrap_or_default());
    if !case.steps.is_empty() {
        page.gap();
        steps(page, &case.steps);
    }
    if !case.held_in_trust.is_empty() {
        page.list("Answered for, and to be taken over", &case.held_in_trust);
        let boss = case.taken_over_by.as_deref();
        page.field(
            "taken over by",
            boss.unwrap_or("nobody whom HR names: account management is told"),
        );
    }
}

/// Steps of a departure or a plan.
pub(super) fn steps(page: &mut Page, steps: &[StepView]) {
    let mut clauses = Footnotes::default();
    let rows: Vec<_> = steps
        .iter()
        .map(|step| {
            let tone = match step.state.as_str() {
                "verified" => Tone::Good,
                "refused" | "drifted" | "unverified" => Tone::Bad,
                _ => Tone::Plain,
            };
            [
                Piece::from(&step.what),
                Piece::from(&step.connector),
                Piece::toned(&step.state, tone),
                Piece::from(when(&step.due)),
                Piece::from(&step.note),
                Piece::from(clauses.rule(&step.clause)),
            ]
        })
        .collect();
    if steps.iter().all(|step| step.note.is_empty()) {
        let rows =
            rows.into_iter().map(|[what, on, state, due, _, rule]| [what, on, state, due, rule]);
        page.table(["what", "connector", "state", "due", "rule"], rows);
    } else {
        page.table(["what", "connector", "state", "due", "note", "rule"], rows);
    }
    page.list("Rules", &clauses.clauses());
}
