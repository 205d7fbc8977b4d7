//! What the readers of all formats have in common: the wanted columns and what a line turns out to be.

use super::rejection::{Frame, MissingColumn, Rejection};
use super::row_problem::RowProblem;
use super::spec::{Contract, Place};
use crate::mask::mask;
use crate::shown::shown_within;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How alike two column names must be for one to be named as the nearest.
const ALIKE: f64 = 0.45;

/// The same where none of the mapped columns is there: the file may have no header line, and what looks
/// like a name may be a cell, which a message must not show (P2).
const ALIKE_WITHOUT_HEADER: f64 = 0.75;

/// A column that some field is made from; all others are dropped while parsing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) name: String,
    /// True when an expression asks for it, in which a name has `_` for what is no letter or digit.
    pub(super) as_variable: bool,
}

impl Wanted {
    pub(super) fn is(&self, header: &str) -> bool {
        let header = header.trim();
        self.name.eq_ignore_ascii_case(header)
            || (self.as_variable && self.name.eq_ignore_ascii_case(&variable(header)))
    }
}

/// A column's name as a variable of an expression.
pub(super) fn variable(name: &str) -> String {
    name.chars().map(|c| if c.is_alphanumeric() { c } else { '_' }).collect()
}

/// What a line of the file turned out to be.
pub(super) enum Event<'a> {
    /// The wanted cells of a row, in the order of the wanted columns.
    Row { line: u64, cells: &'a [Cow<'a, str>] },
    /// A row that can't be read.
    Bad { line: u64, problem: RowProblem },
    /// A header or trailer line.
    Frame { line: u64, frame: Frame, fields: Fields },
}

/// Takes what the reader finds; an error ends the reading.
pub(super) type Sink<'s> = dyn FnMut(Event<'_>) -> Result<(), Rejection> + 's;

/// The values of a header or trailer line.
pub(super) enum Fields {
    Columns(Vec<String>),
    Named(BTreeMap<String, String>),
    Line(String),
}

impl Fields {
    /// The value at a place, without outer spaces.
    pub(super) fn get(&self, place: &Place) -> Option<&str> {
        let value = match (self, place) {
            (Self::Columns(values), Place::Column(number)) => {
                values.get(number.checked_sub(1)?)?.as_str()
            }
            (Self::Named(values), Place::Field(name)) => values.get(name)?.as_str(),
            (Self::Line(line), Place::Bytes { at, width }) => {
                let start = at.checked_sub(1)?;
                let rest = line.get(start..)?;
                rest.get(..*width).unwrap_or(rest)
            }
            _ => return None,
        };
        Some(value.trim())
    }
}

/// Which frame line, if any, begins with (or has a field called) one of the contract's marks.
pub(super) fn frame_of(contract: &Contract, is_mark: impl Fn(&str) -> bool) -> Option<Frame> {
    if contract.header.as_ref().is_some_and(|header| is_mark(&header.mark)) {
        return Some(Frame::Header);
    }
    contract.trailer.as_ref().filter(|trailer| is_mark(&trailer.mark)).map(|_| Frame::Trailer)
}

/// Where each wanted column stands among `names`.
pub(super) fn places(wanted: &[Wanted], names: &[&str]) -> Result<Vec<usize>, Rejection> {
    let mut places = Vec::with_capacity(wanted.len());
    let mut missing = Vec::new();
    for column in wanted {
        let mut found = names.iter().enumerate().filter(|(_, name)| column.is(name));
        match (found.next(), found.next()) {
            (Some((at, _)), None) => places.push(at),
            (Some(_), Some(_)) => {
                return Err(Rejection::DoubleColumn { name: column.name.clone() });
            }
            (None, _) => missing.push(column),
        }
    }
    let missing = missing_columns(&missing, names, places.is_empty());
    if missing.is_empty() { Ok(places) } else { Err(Rejection::Columns { missing }) }
}

/// Each missing column with the name that is most like it.
pub(super) fn missing_columns(
    missing: &[&Wanted],
    names: &[&str],
    none_found: bool,
) -> Vec<MissingColumn> {
    let least = if none_found { ALIKE_WITHOUT_HEADER } else { ALIKE };
    let column = |column: &&Wanted| MissingColumn {
        name: column.name.clone(),
        nearest: most_like(&column.name, names, least),
    };
    missing.iter().map(column).collect()
}

/// The name most like `name`, if any is like it, safe to show.
pub(super) fn nearest(name: &str, names: &[&str]) -> Option<String> {
    most_like(name, names, ALIKE)
}

fn most_like(name: &str, names: &[&str], least: f64) -> Option<String> {
    let folded = name.to_lowercase();
    names
        .iter()
        .filter(|other| other.len() <= 64)
        .map(|other| {
            let other = other.trim();
            (strsim::normalized_damerau_levenshtein(&folded, &other.to_lowercase()), other)
        })
        .filter(|(likeness, _)| *likeness >= least)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, other)| shown_within(&mask(other), 40))
}
