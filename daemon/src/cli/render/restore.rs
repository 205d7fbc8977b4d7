//! `restore`.

use super::{Page, Text};
use crate::views::RestoreView;

impl Text for RestoreView {
    fn write(&self, page: &mut Page) {
        let short = self.hash.get(..12).unwrap_or(&self.hash);
        page.line(&match self.state.as_str() {
            "held" => {
                format!("What the departure of {} took can be put back, by consent.", self.person)
            }
            "under_way" => format!("What the departure of {} took is being put back.", self.person),
            "done" => format!("What the departure of {} took was put back.", self.person),
            _ => format!(
                "Of what the departure of {} took there is nothing to put back.",
                self.person
            ),
        });
        page.field("departure", &self.departure);
        page.field("plan", &self.hash);
        page.field("consent", &self.consent);
        page.list("What a second pair of eyes has to look at", &self.findings);
        if !self.steps.is_empty() {
            page.gap();
            super::person::steps(page, &self.steps);
        }
        let not: Vec<String> =
            self.not_restored.iter().map(|one| format!("{}: {}", one.what, one.why)).collect();
        page.list("Not put back", &not);
        page.list("To know", &self.notes);
        if self.state == "held" {
            page.gap();
            let person = &self.person;
            page.line(&format!(
                "Consent to exactly this: lapsed restore {person} --consent {short} --reason \"...\""
            ));
            page.line(&format!("Reject it: lapsed reject {short} --reason \"...\""));
        }
    }
}
