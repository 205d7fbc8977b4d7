//! Why a drop is rejected whole, in sentences that say what to do next.

use crate::shown::shown;
use jiff::civil::Date;
use std::fmt;

/// What is wrong with a feed's part of the YAML.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecProblem {
    /// The key, from the feed's own: `columns.status.from`.
    pub at: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl fmt::Display for SpecProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.at, self.problem)
    }
}

/// A mapped column that the drop lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingColumn {
    /// As the YAML calls it.
    pub name: String,
    /// The column of the drop whose name is most like it, safe to show.
    pub nearest: Option<String>,
}

impl fmt::Display for MissingColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.nearest {
            Some(nearest) => write!(f, "\"{}\" (the nearest is \"{nearest}\")", self.name),
            None => write!(f, "\"{}\"", self.name),
        }
    }
}

/// The line of a drop that frames it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// The line before all others.
    Header,
    /// The line after all others.
    Trailer,
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Trailer => "trailer",
        })
    }
}

/// Why a drop is rejected whole. Lines count from 1, offsets from 0.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
#[expect(missing_docs, reason = "the sentences say what the variants are")]
pub enum Rejection {
    #[error("the feed's configuration is wrong: {}; correct the YAML, then put the file into the inbox again", list(.0))]
    Misconfigured(Vec<SpecProblem>),
    #[error("the file is empty; ask HR to send it again")]
    Empty,
    #[error(
        "the file names its columns and has no rows; ask HR whether the export ran, and to send it again"
    )]
    NoRows,
    #[error(
        "the file has {has} bytes and the most is {most}; if that is right, raise `contract.max_bytes`"
    )]
    TooLarge { has: u64, most: u64 },
    #[error(
        "line {line} has more than {most} bytes; this is not the agreed file, or `contract.max_line_bytes` is too low"
    )]
    LineTooLong { line: u64, most: usize },
    #[error("the file has more than {most} rows; if that is right, raise `contract.max_rows`")]
    TooManyRows { most: u64 },
    #[error("the file is {kind}, not text; ask HR to export it as {wanted}")]
    NotText { kind: &'static str, wanted: &'static str },
    #[error(
        "the file is binary: a zero byte stands at byte {offset} (line {line}); ask HR to send the text file"
    )]
    Binary { offset: usize, line: u64 },
    #[error(
        "the file is not {expected}: {detail} at byte {offset} (line {line}); ask HR how it was saved, or set `encoding`"
    )]
    Encoding { expected: &'static str, detail: &'static str, offset: usize, line: u64 },
    #[error(
        "a quotation mark opened on line {line} is never closed: the file was cut off or badly written; ask HR to send it again, or set `quoting: false` if this feed never quotes"
    )]
    UnterminatedQuote { line: u64 },
    #[error(
        "the last line ({line}) breaks off in the middle: the file was cut off; ask HR to send it again"
    )]
    CutOff { line: u64 },
    #[error("the file has no column {}; ask HR whether the layout changed, and correct `columns` if so", list(.missing))]
    Columns { missing: Vec<MissingColumn> },
    #[error(
        "the file has two columns called \"{name}\", and which one is meant can't be known; ask HR to name them apart"
    )]
    DoubleColumn { name: String },
    #[error(
        "the file does not begin with the agreed header line ({mark}): it is another file, or its start is missing; ask HR to send it again"
    )]
    NoHeader { mark: String },
    #[error("the file has no trailer line ({mark}): it was cut off; ask HR to send it again")]
    NoTrailer { mark: String },
    #[error(
        "the trailer has no line end, so its last number may have been cut off; ask HR to send it again, or set `contract.trailer.line_end: optional` if this feed never has one"
    )]
    TrailerCut,
    #[error("line {line} stands after the trailer: two files were joined; ask HR to send it again")]
    AfterTrailer { line: u64 },
    #[error(
        "the {frame} line ({line}) is not in its place: header first, trailer last, each once; ask HR to send the file again"
    )]
    FrameOutOfPlace { frame: Frame, line: u64 },
    #[error(
        "the {frame} line ({line}) has no {what} where the contract has it; ask HR whether the layout changed"
    )]
    FrameField { frame: Frame, what: &'static str, line: u64 },
    #[error("the trailer says {says} rows and the file has {has}: {}; ask HR to send it again", count_cause(*.says, *.has))]
    Count { says: u64, has: u64 },
    #[error(
        "the file's name has no sequence number in the form {pattern}; ask HR to keep to the agreed names"
    )]
    NoSequence { pattern: String },
    #[error("the sequence number is {says} and {last} was taken before: {}", sequence_cause(*.says, *.last))]
    Sequence { says: u64, last: u64 },
    #[error(
        "the sequence number is {says} and the last one taken is {last}: a file is missing between them; ask HR for it and put both into the inbox in order"
    )]
    Gap { says: u64, last: u64 },
    #[error(
        "the file speaks for {says} and one for {last} was taken before: an old file was sent again; ask HR for the newest"
    )]
    Older { says: Date, last: Date },
    #[error(
        "the file lists {has} people and must list at least {least}: it is not complete; ask HR to send all of it"
    )]
    Headcount { has: u64, least: u64 },
    #[error(
        "the file lists {has} people and the last one taken listed {before}: that is {percent:.1} % fewer, and at most {most} % are accepted; ask HR whether it is complete, and raise `contract.largest_drop_percent` if it is"
    )]
    Shrunk { has: u64, before: u64, percent: f64, most: f64 },
    #[error(
        "{set_aside} of {rows} rows can't be taken, more than {most} %; the first is line {line}: {reason}"
    )]
    TooManySetAside { set_aside: u64, rows: u64, most: f64, line: u64, reason: String },
    #[error(
        "the .done file beside it is missing; it is accepted once HR's transfer has put it there"
    )]
    NoDone,
    #[error(
        "the .done file beside it has neither a `size=` or `sha256=` line nor a line of sha256sum; ask HR to write it as agreed"
    )]
    DoneUnreadable,
    #[error("the .done file says {says} bytes and the file has {has}: {}; ask HR to send it again", count_cause(*.says, *.has))]
    DoneSize { says: u64, has: u64 },
    #[error(
        "the file's SHA-256 digest is {has} and the .done file says {says}: the file was damaged or exchanged; ask HR to send both again"
    )]
    DoneDigest { says: String, has: String },
}

impl Rejection {
    /// True when the same file may well be accepted later, without anyone sending it again.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NoDone | Self::Misconfigured(_))
    }
}

fn list<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(|item| shown(&item.to_string())).collect::<Vec<_>>().join(", ")
}

fn count_cause(says: u64, has: u64) -> &'static str {
    if has < says { "it was cut off" } else { "it has more than was announced" }
}

fn sequence_cause(says: u64, last: u64) -> &'static str {
    if says == last {
        "the file was sent twice; nothing needs to be done, or ask HR for the newest"
    } else {
        "an old file was sent again; ask HR for the newest"
    }
}
