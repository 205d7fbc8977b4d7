//! `check`.

use super::{Page, Piece, Text, Tone, counted};
use crate::views::{CheckView, ProblemView};

impl Text for CheckView {
    fn write(&self, page: &mut Page) {
        let count = |found: &[ProblemView], one, many| counted(found.len() as u64, one, many);
        page.line(&match self.problems.as_slice() {
            [] => format!("{} is sound.", self.config),
            found => format!("{} has {}.", self.config, count(found, "mistake", "mistakes")),
        });
        self.problems.iter().for_each(|problem| found(page, "error", problem));
        self.warnings.iter().for_each(|warning| found(page, "warning", warning));
        if self.connectors.is_empty() {
            return;
        }
        page.gap();
        page.table(
            ["connector", "answer", "finding"],
            self.connectors.iter().map(|probe| {
                let answer = match probe.sound {
                    true => Piece::toned("sound", Tone::Good),
                    false => Piece::toned("not sound", Tone::Bad),
                };
                [Piece::from(&probe.name), answer, Piece::from(&probe.finding)]
            }),
        );
    }
}

fn found(page: &mut Page, label: &str, problem: &ProblemView) {
    let ProblemView { line, column, path, problem, advice } = problem;
    let place = match (line, column) {
        (Some(line), Some(column)) => format!("line {line}, column {column}: "),
        _ => String::new(),
    };
    let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
    page.gap();
    page.line(&format!("{label}: {place}{path}{problem}"));
    page.indented(2, &format!("→ {advice}"));
}
