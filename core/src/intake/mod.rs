//! Bytes of a drop become statements and set-aside rows, or the drop is rejected whole (D1, P1).
//!
//! ```text
//! bytes -> decode (is it text?) -> csv | json_lines | fixed_width -> map (a row becomes a statement)
//!       -> frames (is all of it there?) -> doubles -> contract (is it the next one, and big enough?)
//! ```
//!
//! Columns that the spec does not map never leave the reader of the format.

mod check;
mod contract;
mod csv;
mod decode;
mod done;
mod doubles;
mod file_name;
mod fixed_width;
mod frames;
mod json_lines;
mod map;
mod mapping;
mod read;
pub mod receipt;
mod rejection;
mod row_problem;
mod source;
pub mod spec;
#[cfg(test)]
mod tests;

pub use rejection::{Frame, MissingColumn, Rejection, SpecProblem};
pub use source::Source;
pub use spec::FeedSpec;

use crate::facts::Statement;
use frames::Frames;
use jiff::civil::Date;
use mapping::Mapping;
use read::{Event, Sink};
use row_problem::RowProblem;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spec::Format;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

/// A drop that was read whole: `rows = statements + set_aside + repeated`.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// What its good rows say, in the order of the file.
    pub statements: Vec<Statement>,
    /// Its bad rows, in the order of the file.
    pub set_aside: Vec<SetAside>,
    /// Remarks about rows that were taken, in the order of the file.
    pub notes: Vec<Note>,
    /// Rows that say again exactly what an earlier row says.
    pub repeated: u64,
    /// How many people it lists: distinct keys, those of set-aside rows included.
    pub headcount: u64,
    /// Its number in the feed's sequence.
    pub sequence: Option<u64>,
    /// The day for which it speaks.
    pub as_of: Option<Date>,
    /// SHA-256 of its bytes, in lower-case hex.
    pub digest: String,
    /// Rows without header and trailer.
    pub rows: u64,
}

/// A row that is not taken. Says no more of the person than employee number or user ID (P2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Line of the file; 1 is the first.
    pub line: u64,
    /// Why; safe to show.
    pub reason: String,
    /// The person's employee number or user ID, where it could be read; safe to show.
    pub who: Option<String>,
}

/// A remark about a row that is taken. Says no more of the person than employee number or user ID.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Line of the file; 1 is the first.
    pub line: u64,
    /// The remark; safe to show.
    pub text: String,
    /// The person's employee number or user ID; safe to show.
    pub who: Option<String>,
}

/// What is remembered of the last accepted drop of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousDrop {
    /// Its number in the feed's sequence.
    pub sequence: Option<u64>,
    /// How many people it listed.
    pub headcount: u64,
    /// SHA-256 of its bytes, in lower-case hex.
    pub digest: String,
    /// The day for which it spoke.
    pub as_of: Option<Date>,
}

/// SHA-256 of a drop's bytes, in lower-case hex: the same drop twice is known by it.
#[must_use]
pub fn digest(bytes: &[u8]) -> String {
    crate::plan::hex(&Sha256::digest(bytes))
}

/// All that is wrong with a feed spec, for the check of the configuration; empty when it is right.
#[must_use]
pub fn problems(spec: &FeedSpec) -> Vec<SpecProblem> {
    check::compile(spec).err().unwrap_or_default()
}

/// Reads a drop whole or rejects it whole. `done` is the content of the file beside it, `previous` the
/// last accepted drop of this feed. Whether the same digest was accepted before is the caller's to ask.
pub fn take(
    spec: &FeedSpec,
    bytes: &[u8],
    done: Option<&[u8]>,
    file_name: &str,
    previous: Option<&PreviousDrop>,
) -> Result<Taken, Rejection> {
    let mapping = check::compile(spec).map_err(Rejection::Misconfigured)?;
    decode::check_size(spec, bytes)?;
    decode::check_lines(bytes, spec.contract.max_line_bytes)?;
    let digest = digest(bytes);
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    done::check(spec.contract.done, done, size, &digest)?;
    let text = decode::checked(spec, bytes)?;

    let mut drop = Reading::new(spec, &mapping);
    drop.read(text)?;
    let taken = drop.finish(text, file_name, digest)?;
    contract::check(&spec.contract, spec.mode, &taken, previous)?;
    Ok(taken)
}

/// A drop while it is read.
struct Reading<'s, 'm> {
    spec: &'s FeedSpec,
    mapping: &'m Mapping<'s>,
    frames: Frames<'s>,
    statements: Vec<Statement>,
    set_aside: Vec<SetAside>,
    notes: Vec<Note>,
    listed: HashSet<String>,
    /// Engagements of which a row can't be read, with the first such line.
    unread: HashMap<String, u64>,
}

impl<'s, 'm> Reading<'s, 'm> {
    fn new(spec: &'s FeedSpec, mapping: &'m Mapping<'s>) -> Self {
        Self {
            spec,
            mapping,
            frames: Frames::new(&spec.contract),
            statements: Vec::new(),
            set_aside: Vec::new(),
            notes: Vec::new(),
            listed: HashSet::new(),
            unread: HashMap::new(),
        }
    }

    fn read(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        let (spec, wanted) = (self.spec, &self.mapping.wanted);
        // The bytes were checked, so whole they always decode.
        let text = || decode::text(spec.encoding, bytes).unwrap_or_default();
        let mut sink = |event: Event<'_>| self.event(event);
        let sink: &mut Sink<'_> = &mut sink;
        match spec.format {
            Format::Csv => csv::read(spec, wanted, &text(), sink),
            Format::JsonLines => json_lines::read(spec, wanted, &text(), sink),
            Format::FixedWidth => fixed_width::read(spec, wanted, bytes, sink),
        }
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), Rejection> {
        match event {
            Event::Frame { line, frame, fields } => self.frames.frame(line, frame, &fields),
            Event::Bad { line, problem } => {
                self.frames.row(line)?;
                self.put_aside(line, &problem, None);
                Ok(())
            }
            Event::Row { line, cells } => {
                self.frames.row(line)?;
                self.row(line, cells);
                Ok(())
            }
        }
    }

    fn row(&mut self, line: u64, cells: &[Cow<'_, str>]) {
        let key = match self.mapping.key(cells) {
            Ok(key) => key,
            Err(problem) => return self.put_aside(line, &problem, None),
        };
        self.listed.extend(key.folded());
        let mut remarks = Vec::new();
        match self.mapping.statement(line, key.clone(), cells, &mut remarks) {
            Ok(statement) => {
                let note = |text| Note { line, text, who: key.shown() };
                self.notes.extend(remarks.into_iter().map(note));
                self.statements.push(statement);
            }
            Err(problem) => {
                if let Ok(record) = self.mapping.record(cells) {
                    self.unread.entry(doubles::engagement(&key, &record)).or_insert(line);
                }
                self.put_aside(line, &problem, key.shown());
            }
        }
    }

    fn put_aside(&mut self, line: u64, problem: &RowProblem, who: Option<String>) {
        self.set_aside.push(SetAside { line, reason: problem.to_string(), who });
    }

    fn finish(self, text: &[u8], file_name: &str, digest: String) -> Result<Taken, Rejection> {
        let contract = &self.spec.contract;
        let rows = self.frames.rows;
        let framed = self.frames.finish(text.ends_with(b"\n"))?;
        if rows == 0 && (contract.trailer.is_none() || self.spec.mode == spec::Mode::Full) {
            return Err(Rejection::NoRows);
        }
        let headcount = u64::try_from(self.listed.len()).unwrap_or(u64::MAX);
        // Of a million people these are a hundred megabytes, which the next part needs.
        drop(self.listed);
        let settled = doubles::settle(self.statements, &self.unread);
        let (mut set_aside, mut notes) = (self.set_aside, self.notes);
        set_aside.extend(settled.set_aside);
        set_aside.sort_by_key(|row| row.line);
        let lines_aside: HashSet<u64> = set_aside.iter().map(|row| row.line).collect();
        notes.extend(settled.notes);
        notes.retain(|note| !lines_aside.contains(&note.line));
        notes.sort_by_key(|note| note.line);
        Ok(Taken {
            statements: settled.statements,
            set_aside,
            notes,
            repeated: settled.repeated,
            headcount,
            sequence: framed.sequence.or(contract::sequence_of_name(contract, file_name)?),
            as_of: framed.as_of,
            digest,
            rows,
        })
    }
}
