//! Rows of JSON Lines: one object a line, fields found by name.

use super::read::{Event, Fields, Sink, Wanted, frame_of, missing_columns};
use super::rejection::Rejection;
use super::row_problem::RowProblem;
use super::spec::{AbsentFields, FeedSpec};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Most field names that are remembered for a message about a missing one.
const NAMES_KEPT: usize = 200;

/// Reads all lines of `text`.
pub(super) fn read(
    spec: &FeedSpec,
    wanted: &[Wanted],
    text: &str,
    sink: &mut Sink<'_>,
) -> Result<(), Rejection> {
    let mut seen = Seen::new(wanted);
    let mut line = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let (row, after, ended) = match rest.split_once('\n') {
            Some((row, after)) => (row, after, true),
            None => (rest, "", false),
        };
        rest = after;
        line += 1;
        if row.trim().is_empty() {
            continue;
        }
        if let Some((frame, fields)) = frame_line(spec, row) {
            sink(Event::Frame { line, frame, fields })?;
            continue;
        }
        let Some(cells) = parse(wanted, row, &mut seen) else {
            if !ended {
                return Err(Rejection::CutOff { line });
            }
            sink(Event::Bad { line, problem: RowProblem::NotAnObject })?;
            continue;
        };
        match texts(spec, wanted, cells) {
            Ok(cells) => sink(Event::Row { line, cells: &cells })?,
            Err(problem) => sink(Event::Bad { line, problem })?,
        }
    }
    seen.check(wanted)
}

/// A header or trailer object, known by a field called like the mark. Looked for only in lines that have
/// the mark in them at all, since it costs a second parse.
fn frame_line(spec: &FeedSpec, row: &str) -> Option<(super::rejection::Frame, Fields)> {
    frame_of(&spec.contract, |mark| row.contains(mark))?;
    let values: BTreeMap<String, serde_json::Value> = serde_json::from_str(row).ok()?;
    let frame = frame_of(&spec.contract, |mark| values.contains_key(mark))?;
    let text = |value: serde_json::Value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let named = values.into_iter().map(|(name, value)| (name, text(value))).collect();
    Some((frame, Fields::Named(named)))
}

/// What stands in a wanted field.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Absent,
    Text(String),
    Nested,
    Twice,
}

fn texts<'c>(
    spec: &FeedSpec,
    wanted: &[Wanted],
    cells: Vec<Cell>,
) -> Result<Vec<Cow<'c, str>>, RowProblem> {
    let text = |(wanted, cell): (&Wanted, Cell)| {
        let column = wanted.name.clone();
        match cell {
            Cell::Text(text) => Ok(Cow::Owned(text)),
            Cell::Absent if spec.absent_fields == AbsentFields::Empty => Ok(Cow::Borrowed("")),
            Cell::Absent => Err(RowProblem::AbsentField { column }),
            Cell::Nested => Err(RowProblem::NestedField { column }),
            Cell::Twice => Err(RowProblem::DoubleField { column }),
        }
    };
    wanted.iter().zip(cells).map(text).collect()
}

fn parse(wanted: &[Wanted], row: &str, seen: &mut Seen) -> Option<Vec<Cell>> {
    let mut parser = serde_json::Deserializer::from_str(row);
    let cells = RowSeed { wanted, seen }.deserialize(&mut parser).ok()?;
    parser.end().ok().map(|()| cells)
}

/// Which fields any row had: a mapped one that no row has is a changed layout, not many bad rows.
struct Seen {
    rows: u64,
    found: Vec<bool>,
    names: BTreeSet<String>,
}

impl Seen {
    fn new(wanted: &[Wanted]) -> Self {
        Self { rows: 0, found: vec![false; wanted.len()], names: BTreeSet::new() }
    }

    fn check(&self, wanted: &[Wanted]) -> Result<(), Rejection> {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        let absent = wanted.iter().zip(&self.found).filter(|(_, found)| !**found);
        let absent: Vec<&Wanted> = absent.map(|(column, _)| column).collect();
        if self.rows == 0 || absent.is_empty() {
            return Ok(());
        }
        // Names of fields are no cells, also when none of them is known.
        let missing = missing_columns(&absent, &names, false);
        Err(Rejection::Columns { missing })
    }
}

/// Keeps the wanted fields of one object and passes over all others.
struct RowSeed<'w> {
    wanted: &'w [Wanted],
    seen: &'w mut Seen,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_> {
    type Value = Vec<Cell>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Cell>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_> {
    type Value = Vec<Cell>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<Cell>, A::Error> {
        let mut cells = vec![Cell::Absent; self.wanted.len()];
        self.seen.rows += 1;
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            let places: Vec<usize> =
                (0..cells.len()).filter(|at| self.wanted[*at].is(&name)).collect();
            if places.is_empty() {
                map.next_value::<IgnoredAny>()?;
                if self.seen.names.len() < NAMES_KEPT && !self.seen.names.contains(&*name) {
                    self.seen.names.insert(name.into_owned());
                }
                continue;
            }
            let value: Cell = map.next_value_seed(CellSeed)?;
            for place in places {
                self.seen.found[place] = true;
                let first = cells[place] == Cell::Absent;
                cells[place] = if first { value.clone() } else { Cell::Twice };
            }
        }
        Ok(cells)
    }
}

struct CellSeed;

impl<'de> DeserializeSeed<'de> for CellSeed {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for CellSeed {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Cell, E> {
        Ok(Cell::Text(text.to_owned()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Text(String::new()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Nested)
    }
}
