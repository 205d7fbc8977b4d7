//! Why one row is set aside.

use crate::mask::mask;
use crate::shown::shown_within;
use jiff::civil::Date;

/// Why one row is set aside. What is quoted of the row is masked, escaped and short.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    #[error(
        "it has {has} columns where {wants} belong: a delimiter too many or too few, perhaps an unquoted comma in a name"
    )]
    ColumnCount { has: usize, wants: usize },
    #[error("the line has {has} bytes where {wants} belong")]
    LineLength { has: usize, wants: usize },
    #[error("it is not a JSON object")]
    NotAnObject,
    #[error("it has no field \"{column}\" (null says that there is nothing)")]
    AbsentField { column: String },
    #[error("the field \"{column}\" stands in it twice")]
    DoubleField { column: String },
    #[error("the field \"{column}\" is a list or an object; a text, number or null belongs there")]
    NestedField { column: String },
    #[error(
        "the column \"{column}\" cuts a letter in two: the places in `cuts` count bytes, and letters with accents have several in utf-8"
    )]
    SplitLetter { column: String },
    #[error("it has neither an employee number nor a user ID")]
    NoKey,
    #[error("the {what} {problem}")]
    Unusable { what: &'static str, problem: &'static str },
    #[error("the {what} has the form of a social security number, which must not be sent (P1)")]
    SocialSecurity { what: &'static str },
    #[error("the {what} {quoted} was damaged by a spreadsheet; export it as text")]
    Spreadsheet { what: &'static str, quoted: String },
    #[error("the {what} has control characters in it")]
    ControlCharacter { what: &'static str },
    #[error("the {what} is longer than {most} characters")]
    TooLong { what: &'static str, most: usize },
    #[error("the status {quoted} is not in the table `columns.status.values`")]
    Status { quoted: String },
    #[error("the {what} {quoted} is no date in the form {formats}")]
    Date { what: &'static str, quoted: String, formats: String },
    #[error("the {what} {date} is too far from our time to be meant")]
    FarDate { what: &'static str, date: Date },
    #[error("the end date {ends} lies before the start date {starts}")]
    EndBeforeStart { starts: Date, ends: Date },
    #[error("the expression for the {what} fails on this row: {problem}")]
    Expression { what: &'static str, problem: String },
    #[error(
        "line {other} has the same key and can't be read, so which of them is right is unknown"
    )]
    Uncertain { other: u64 },
    #[error(
        "it contradicts line {other}, which has the same key and other content ({fields}): neither is taken"
    )]
    Contradiction { other: u64, fields: String },
}

/// A short, safe quotation of a cell that holds a word of a list (status, worksite).
pub(super) fn quoted(cell: &str) -> String {
    format!("\"{}\"", shown_within(&mask(cell), 40))
}

/// As [`quoted`], for cells in which only digits and their separators belong: anything else may be a
/// slipped column with more of the person than a message may show (P2).
pub(super) fn quoted_number(cell: &str) -> String {
    let harmless = |c: char| c.is_ascii_digit() || "/.-:+ ETZ".contains(c);
    if cell.len() <= 30 && cell.chars().all(harmless) {
        return quoted(cell);
    }
    "(not shown)".to_owned()
}
