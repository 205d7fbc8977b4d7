//! Rows of one drop about the same engagement.

use super::map::Key;
use super::row_problem::RowProblem;
use super::{Note, SetAside};
use crate::facts::Statement;
use std::collections::HashMap;

/// What remains when rows about the same engagement are compared.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) statements: Vec<Statement>,
    pub(super) set_aside: Vec<SetAside>,
    pub(super) notes: Vec<Note>,
    pub(super) repeated: u64,
}

/// Takes one of equal rows, and none of rows that contradict each other or a row that can't be read
/// (`unread`: its engagement and line): which of them is right is for HR to say.
pub(super) fn settle(statements: Vec<Statement>, unread: &HashMap<String, u64>) -> Settled {
    let mut groups: HashMap<String, Vec<usize>> = HashMap::with_capacity(statements.len());
    for (at, statement) in statements.iter().enumerate() {
        let engagement = engagement(&Key::of(statement), &statement.record);
        groups.entry(engagement).or_default().push(at);
    }
    let mut verdicts: Vec<Verdict> = vec![Verdict::Take; statements.len()];
    for (engagement, places) in groups {
        if let Some(line) = unread.get(&engagement) {
            places.iter().for_each(|place| verdicts[*place] = Verdict::Uncertain(*line));
        } else if places.len() > 1 {
            judge(&statements, &places, &mut verdicts);
        }
    }
    let mut settled = Settled::default();
    for (statement, verdict) in statements.into_iter().zip(verdicts) {
        settled.add(statement, verdict);
    }
    settled
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Take,
    /// The same as this line.
    Repeats(u64),
    /// Contradicts this line, which is at this place.
    Contradicts(u64, Difference),
    /// This line says something of the same engagement that can't be read.
    Uncertain(u64),
}

impl Settled {
    fn add(&mut self, statement: Statement, verdict: Verdict) {
        let (line, who) = (statement.line, Key::of(&statement).shown());
        match verdict {
            Verdict::Take => self.statements.push(statement),
            Verdict::Repeats(other) => {
                self.repeated += 1;
                let text = format!("it is the same as line {other}: taken once");
                self.notes.push(Note { line, text, who });
            }
            Verdict::Contradicts(other, difference) => {
                let problem = RowProblem::Contradiction { other, fields: difference.names() };
                self.set_aside.push(SetAside { line, reason: problem.to_string(), who });
            }
            Verdict::Uncertain(other) => {
                let problem = RowProblem::Uncertain { other };
                self.set_aside.push(SetAside { line, reason: problem.to_string(), who });
            }
        }
    }
}

/// Names one engagement within a drop.
pub(super) fn engagement(key: &Key, record: &str) -> String {
    let mut name = key.folded().unwrap_or_default();
    name.push('\n');
    name.push_str(&record.to_lowercase());
    name
}

fn judge(statements: &[Statement], places: &[usize], verdicts: &mut [Verdict]) {
    let Some(first) = places.first().and_then(|place| statements.get(*place)) else { return };
    let group: Vec<(usize, &Statement, Difference)> = places
        .iter()
        .filter_map(|place| statements.get(*place).map(|other| (*place, other)))
        .map(|(place, other)| (place, other, Difference::between(first, other)))
        .collect();
    let odd = group.iter().find(|(_, _, difference)| difference.any());
    for (place, statement, difference) in &group {
        let verdict = match odd {
            Some(_) if difference.any() => Verdict::Contradicts(first.line, *difference),
            Some((_, other, difference)) => Verdict::Contradicts(other.line, *difference),
            None if statement.line == first.line => Verdict::Take,
            None => Verdict::Repeats(first.line),
        };
        if let Some(slot) = verdicts.get_mut(*place) {
            *slot = verdict;
        }
    }
}

/// Which fields of two rows differ; a message names the fields, never what is in them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Difference([bool; 12]);

const FIELDS: [&str; 12] = [
    "user_id",
    "former_employee_number",
    "record",
    "name",
    "status",
    "starts_on",
    "ends_on",
    "for_cause",
    "worksite",
    "kind",
    "supervisor",
    "gates",
];

impl Difference {
    fn between(one: &Statement, other: &Statement) -> Self {
        Self([
            one.user_id != other.user_id,
            one.former_employee_number != other.former_employee_number,
            one.record != other.record,
            one.name != other.name,
            one.status != other.status,
            one.starts_on != other.starts_on,
            one.ends_on != other.ends_on,
            one.for_cause != other.for_cause,
            one.worksite != other.worksite,
            one.kind != other.kind,
            one.supervisor != other.supervisor,
            one.gates != other.gates,
        ])
    }

    fn any(&self) -> bool {
        self.0.contains(&true)
    }

    fn names(&self) -> String {
        let differing = FIELDS.iter().zip(self.0).filter(|(_, differs)| *differs);
        differing.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}
