//! `plans`, `plans show` and `plan`.

use super::{Page, Piece, Text, Tone, counted, when};
use crate::views::{PlanView, PlansView};

impl Text for PlansView {
    fn write(&self, page: &mut Page) {
        if self.plans.is_empty() {
            page.line("There are no such plans.");
            return;
        }
        page.table(
            ["plan", "state", "made", "about", "steps", "findings"],
            self.plans.iter().map(|plan| {
                [
                    Piece::from(short(&plan.hash)),
                    Piece::toned(&plan.state, tone(&plan.state)),
                    Piece::from(when(&plan.made_at)),
                    Piece::from(&plan.about),
                    Piece::from(plan.step_count),
                    Piece::from(plan.findings.join(" ")),
                ]
            }),
        );
        if self.plans.iter().any(|plan| plan.state == "held") {
            page.gap();
            page.line(
                "Look at a held plan with `lapsed plans show PLAN`, then release or reject it.",
            );
        }
    }
}

impl Text for PlanView {
    fn write(&self, page: &mut Page) {
        page.line(&format!(
            "Plan {}: {}, {}",
            short(&self.hash),
            self.state,
            counted(self.step_count, "step", "steps")
        ));
        page.field("hash", &self.hash);
        page.field("about", &self.about);
        page.field("made", &when(&self.made_at));
        page.field("decision", self.decision.as_deref().unwrap_or_default());
        page.list("What the guard found", &self.findings);
        if !self.steps.is_empty() {
            page.gap();
            super::person::steps(page, &self.steps);
        }
        page.list("Why", &self.explanations);
        if self.state == "held" {
            let hash = short(&self.hash);
            page.gap();
            page.line(&format!("Release it: lapsed release {hash} --reason \"...\""));
            page.line(&format!("Reject it:  lapsed reject {hash} --reason \"...\""));
        }
    }
}

/// The first twelve characters, which are enough for commands.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

fn tone(state: &str) -> Tone {
    match state {
        "held" => Tone::Bad,
        "passed" | "released" => Tone::Good,
        _ => Tone::Plain,
    }
}
