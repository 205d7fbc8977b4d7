//! `make bench`: what lapsed costs beside what an administrator would use instead, in one run on the same
//! servers.
//!
//! Every row runs both sides in turns and keeps the medians; their ratio is what counts, since the machines
//! are noisy. `LAPSED_BENCH=short` shrinks everything to see that it works.

mod curve;
mod daemons;
mod directory;
mod growth;
mod homes;
mod ids;
mod journal;
mod land;
mod leavers;
mod memory;
mod report;
mod scale;
mod timing;

use crate::{Done, Failure};
use report::Row;
use std::path::Path;
use std::process::Command;

/// How large everything is.
#[derive(Debug, Clone)]
pub struct Sizes {
    /// Rounds of each row.
    pub rounds: usize,
    /// People in the directory.
    pub people: usize,
    /// Groups there; each person is in eight.
    pub groups: usize,
    /// Departures, each one by itself, of the row about latency.
    pub urgent: usize,
    /// Files of the home that is deleted.
    pub files: usize,
    /// Log-on names that are taken.
    pub taken_ids: usize,
    /// Log-on names to be given.
    pub new_ids: usize,
    /// Steps through the journal.
    pub steps: usize,
    /// People at the three points of the growth curve.
    pub growth: [usize; 3],
}

impl Sizes {
    /// The sizes that the goals speak of.
    #[must_use]
    pub fn whole() -> Self {
        Self {
            rounds: 3,
            people: 100_000,
            groups: 2_000,
            urgent: 200,
            files: 1_000_000,
            taken_ids: 10_000_000,
            new_ids: 1_000_000,
            steps: 20_000,
            growth: [10_000, 100_000, 1_000_000],
        }
    }

    /// Just large enough that every row runs.
    #[must_use]
    pub fn short() -> Self {
        Self {
            rounds: 1,
            people: 2_000,
            groups: 120,
            urgent: 5,
            files: 2_000,
            taken_ids: 20_000,
            new_ids: 5_000,
            steps: 1_000,
            growth: [200, 400, 800],
        }
    }
}

/// What gives rows.
type Measure = fn(&Sizes) -> Done<Vec<Row>>;

/// The parts by name, quick ones first.
const PARTS: [(&str, Measure); 9] = [
    ("user_ids", ids::rows),
    ("home_vs_rm", |sizes| Ok(vec![homes::row(sizes)?])),
    ("journal_vs_raw", journal::rows),
    ("memory", memory::rows),
    ("directory", directory::rows),
    ("leavers", leavers::rows),
    ("growth", growth::rows),
    ("daemons", daemons::rows),
    ("scale", scale::rows),
];

/// Measures the named parts, or all; prints the table and writes the report.
///
/// # Errors
///
/// When a name is unknown, or a part fails: the others' rows are written all the same.
pub fn run(names: &[String], sizes: &Sizes) -> Done<()> {
    if let Some(unknown) = names.iter().find(|name| PARTS.iter().all(|(part, _)| part != name)) {
        let known: Vec<&str> = PARTS.iter().map(|(part, _)| *part).collect();
        return Err(Failure::new(format!("no part {unknown:?}; there are {}", known.join(", "))));
    }
    let mut rows = Vec::new();
    let mut failed = Vec::new();
    for (part, measure) in PARTS {
        if !names.is_empty() && names.iter().all(|name| name != part) {
            continue;
        }
        println!("{part}");
        match measure(sizes) {
            Ok(measured) => rows.extend(measured),
            Err(failure) => {
                println!("    failed: {failure}");
                failed.push(part);
            }
        }
    }
    println!("\n{}", report::head());
    for row in &rows {
        println!("{}", row.line());
    }
    println!("\n{}", report::write(&rows)?.display());
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(format!("these could not be measured: {}", failed.join(", "))))
    }
}

/// Runs a Python script that prints the seconds it took and a count.
fn python(script: &str, arguments: &[&Path]) -> Done<(f64, usize)> {
    // The system's own: its packages are what `tests/install-servers bench` installs.
    let system = Path::new("/usr/bin/python3");
    let mut command = Command::new(if system.exists() { system } else { Path::new("python3") });
    command.arg("-c").arg(script).args(arguments);
    let said = crate::process::run(&mut command)?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let mut words = text.split_whitespace();
    let took = words.next().and_then(|word| word.parse().ok());
    let count = words.next().and_then(|word| word.parse().ok());
    took.zip(count).ok_or_else(|| Failure::new(format!("the script printed {text:?}")))
}
