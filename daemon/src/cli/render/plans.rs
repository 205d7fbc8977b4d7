//! `plans`, `plans show` and `plan`.

use super::{Page, Piece, Text, Tone, at, counted, when};
use crate::views::{PlanView, PlansView};

impl Text for PlansView {
    fn write(&self, page: &mut Page) {
        if self.plans.is_empty() {
            page.line("There is no plan to show.");
            return;
        }
        page.table(
            ["plan", "state", "made", "about", "steps", "findings"],
            self.plans.iter().map(|plan| {
                [
                    Piece::from(short(&plan.hash)),
                    Piece::toned(&plan.state, tone(&plan.state)),
                    Piece::from(at(&plan.made_at)),
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
        if self.people.len() > 1 {
            people(page, self);
        } else if !self.steps.is_empty() {
            page.gap();
            super::person::steps(page, &self.steps);
        }
        if self.people.len() <= 1 {
            page.list("Why", &self.explanations);
        }
        if self.state == "held" {
            let hash = short(&self.hash);
            page.gap();
            page.line(&format!("Release it: lapsed release {hash} --reason \"...\""));
            page.line(&format!("Reject it:  lapsed reject {hash} --reason \"...\""));
        }
    }
}

/// Many people's plan: a line each. Nobody decides by reading hundreds of steps.
fn people(page: &mut Page, plan: &PlanView) {
    page.gap();
    page.table(
        ["who", "what would be done"],
        plan.people.iter().map(|one| [Piece::from(&one.who), Piece::from(&one.what)]),
    );
    page.gap();
    page.line(&format!("Each of the {} steps: --format json", plan.step_count));
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
