//! `form`.

use super::{Page, Piece, Text, Tone, at};
use crate::views::{AccessFormView, AccessFormsView, FiledView, PartView};

impl Text for FiledView {
    fn write(&self, page: &mut Page) {
        page.line(&self.message);
    }
}

impl Text for AccessFormsView {
    fn write(&self, page: &mut Page) {
        if self.forms.is_empty() {
            page.line("There is no such form.");
            return;
        }
        for form in &self.forms {
            page.line(&format!(
                "{:>5}  {}: {} ({}) for {}, filed by {} {}",
                form.number,
                form.state.replace('_', " ").to_uppercase(),
                form.form,
                form.asks,
                form.person,
                form.filed_by,
                at(&form.filed_at)
            ));
            for missing in &form.missing {
                page.indented(7, &format!("missing: {missing}"));
            }
        }
    }
}

impl Text for AccessFormView {
    fn write(&self, page: &mut Page) {
        page.line(&format!(
            "Form {}: {} ({}) for {}",
            self.number, self.title, self.asks, self.person
        ));
        page.field("state", &self.state.replace('_', " "));
        if let Some(why) = &self.ended_because {
            page.field("because", why);
        }
        page.field("filed", &format!("by {}, {}", self.filed_by, at(&self.filed_at)));
        page.field("id", &format!("{}, revision {}", self.id, self.revision));
        page.field("hash", &self.hash);
        for said in &self.says {
            page.field(&said.field, &said.value);
        }
        page.list("Missing, and who has to act", &self.missing);
        for part in &self.parts {
            write_part(page, part);
        }
        page.list("What was said", &self.decisions);
        page.list("Signatures, as the form claims", &self.signatures);
        let scans: Vec<String> = self
            .scans
            .iter()
            .map(|scan| format!("{}: {}, SHA-256 {}", scan.what, scan.file, scan.sha256))
            .collect();
        page.list("Scans", &scans);
        page.list("Groups of before, to be asked for by a form", &self.old_groups);
        if !self.steps.is_empty() {
            page.heading("Steps");
            super::person::steps(page, &self.steps);
        }
    }
}

fn write_part(page: &mut Page, part: &PartView) {
    page.heading(&format!("{}: {}", part.what, part.state));
    let rows: Vec<_> = part
        .chain
        .iter()
        .map(|step| {
            let tone = match step.state.as_str() {
                "approved" => Tone::Good,
                "denied" => Tone::Bad,
                _ => Tone::Plain,
            };
            [Piece::from(&step.title), Piece::toned(&step.state, tone), Piece::from(&step.said)]
        })
        .collect();
    if !rows.is_empty() {
        page.table(["who decides", "state", "said"], rows);
    }
    for missing in &part.missing {
        page.indented(2, &format!("missing: {missing}"));
    }
}
