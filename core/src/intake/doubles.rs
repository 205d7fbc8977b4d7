//! Rows of one drop about the same engagement.

use super::map::Key;
use super::row_problem::RowProblem;
use super::{Note, SetAside};
use crate::facts::Statement;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

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
pub(super) fn settle(mut statements: Vec<Statement>, unread: &HashMap<String, u64>) -> Settled {
    let verdicts = verdicts(&statements, unread);
    let mut settled = Settled::default();
    let mut place = 0;
    statements.retain(|statement| {
        let verdict = verdicts.get(&place).copied().unwrap_or(Verdict::Take);
        place += 1;
        settled.takes(statement, verdict)
    });
    settled.statements = statements;
    settled
}

/// By place, of all rows that are not simply taken. Rows about one engagement are found by a number made of its
/// name: a feed has a million names, and nearly all of them once.
fn verdicts(statements: &[Statement], unread: &HashMap<String, u64>) -> HashMap<usize, Verdict> {
    let named = |statement: &Statement| engagement(&Key::of(statement), &statement.record);
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let hashed = |statement: &Statement| hasher.hash_one(named(statement));
    let mut rows: Vec<(u64, usize)> = statements.iter().map(hashed).zip(0..).collect();
    rows.sort_unstable();
    let mut verdicts = HashMap::new();
    for alike in rows.chunk_by(|one, other| one.0 == other.0) {
        if alike.len() == 1 && unread.is_empty() {
            continue;
        }
        // Two names may make the same number.
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (_, place) in alike {
            groups
                .entry(statements.get(*place).map(named).unwrap_or_default())
                .or_default()
                .push(*place);
        }
        for (engagement, places) in groups {
            if let Some(line) = unread.get(&engagement) {
                verdicts.extend(places.iter().map(|place| (*place, Verdict::Uncertain(*line))));
            } else if places.len() > 1 {
                judge(statements, &places, &mut verdicts);
            }
        }
    }
    verdicts
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
    /// True if the row is taken; says why if it is not.
    fn takes(&mut self, statement: &Statement, verdict: Verdict) -> bool {
        let line = statement.line;
        let who = || Key::of(statement).shown();
        let problem = match verdict {
            Verdict::Take => return true,
            Verdict::Repeats(other) => {
                self.repeated += 1;
                let text = format!("it is the same as line {other}: taken once");
                self.notes.push(Note { line, text, who: who() });
                return false;
            }
            Verdict::Contradicts(other, difference) => {
                RowProblem::Contradiction { other, fields: difference.names() }
            }
            Verdict::Uncertain(other) => RowProblem::Uncertain { other },
        };
        self.set_aside.push(SetAside { line, reason: problem.to_string(), who: who() });
        false
    }
}

/// Names one engagement within a drop.
pub(super) fn engagement(key: &Key, record: &str) -> String {
    let mut name = key.folded().unwrap_or_default();
    name.push('\n');
    name.push_str(&record.to_lowercase());
    name
}

fn judge(statements: &[Statement], places: &[usize], verdicts: &mut HashMap<usize, Verdict>) {
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
        verdicts.insert(*place, verdict);
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
