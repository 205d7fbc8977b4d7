//! Rows of CSV (RFC 4180, any delimiter).

use super::read::{Event, Fields, Sink, Wanted, frame_of, places};
use super::rejection::{Frame, Rejection};
use super::row_problem::RowProblem;
use super::spec::FeedSpec;
use csv::{ReaderBuilder, StringRecord};
use std::borrow::Cow;

/// Reads all lines of `text`.
pub(super) fn read(
    spec: &FeedSpec,
    wanted: &[Wanted],
    text: &str,
    sink: &mut Sink<'_>,
) -> Result<(), Rejection> {
    let delimiter = u8::try_from(spec.delimiter).unwrap_or(b',');
    if spec.quoting {
        check_quotes(text.as_bytes(), delimiter, spec.contract.max_line_bytes)?;
    }
    let mut layout = if spec.header { None } else { Some(Layout::of(wanted, &spec.names)?) };
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .quoting(spec.quoting)
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes());
    let mut record = StringRecord::new();
    let mut start = 0;
    // Reading valid text of records of any width from memory can't fail.
    while reader.read_record(&mut record).unwrap_or(false) {
        let line = lines.line_of_record(start);
        start = usize::try_from(reader.position().byte()).unwrap_or(usize::MAX);
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if let Some((frame, fields)) = frame_line(spec, &record) {
            sink(Event::Frame { line, frame, fields })?;
            continue;
        }
        match &layout {
            None => layout = Some(Layout::of(wanted, &record.iter().collect::<Vec<_>>())?),
            Some(layout) => layout.row(line, &record, lines.breaks_off_at(start), sink)?,
        }
    }
    Ok(())
}

fn frame_line(spec: &FeedSpec, record: &StringRecord) -> Option<(Frame, Fields)> {
    let first = record.get(0)?.trim();
    let frame = frame_of(&spec.contract, |mark| mark == first)?;
    Some((frame, Fields::Columns(record.iter().map(str::to_owned).collect())))
}

/// Where the wanted columns stand, and how many there are in all.
struct Layout {
    places: Vec<usize>,
    width: usize,
}

impl Layout {
    fn of(wanted: &[Wanted], names: &[impl AsRef<str>]) -> Result<Self, Rejection> {
        let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
        Ok(Self { places: places(wanted, &names)?, width: names.len() })
    }

    fn row(
        &self,
        line: u64,
        record: &StringRecord,
        breaks_off: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Rejection> {
        let (has, wants) = (record.len(), self.width);
        if has < wants && breaks_off {
            return Err(Rejection::CutOff { line });
        }
        if has != wants {
            return sink(Event::Bad { line, problem: RowProblem::ColumnCount { has, wants } });
        }
        let cell = |place: &usize| Cow::Borrowed(record.get(*place).unwrap_or_default());
        let cells: Vec<Cow<'_, str>> = self.places.iter().map(cell).collect();
        sink(Event::Row { line, cells: &cells })
    }
}

/// Counts lines of the file as an editor does. The reader's own count takes the blank lines before a
/// record for its start.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

impl Lines<'_> {
    fn line_of_record(&mut self, start: usize) -> u64 {
        let line_ends = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
        let read = self.text.get(self.at..start).unwrap_or_default();
        let rest = self.text.get(start..).unwrap_or_default();
        let blank = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        let passed = line_ends(read) + line_ends(rest.get(..blank).unwrap_or_default());
        self.line += u64::try_from(passed).unwrap_or(0);
        self.at = start + blank;
        self.line
    }

    /// True when a record that ends at `end` is the last thing in the file and has no line end.
    fn breaks_off_at(&self, end: usize) -> bool {
        end >= self.text.len() && !self.text.ends_with(b"\n") && !self.text.ends_with(b"\r")
    }
}

/// Where the scan for quotation marks stands.
#[derive(Clone, Copy, PartialEq)]
enum Quote {
    CellStart,
    Bare,
    Open,
    /// After a quotation mark inside a quoted cell: the end, or the first of two.
    Perhaps,
}

/// Refuses a quotation mark that is never closed (it would swallow the rest of the file into one cell)
/// and records that are too long though their lines are not. The `csv` crate takes both in silence.
fn check_quotes(text: &[u8], delimiter: u8, most: usize) -> Result<(), Rejection> {
    let mut state = Quote::CellStart;
    let (mut line, mut opened_on) = (1_u64, 1_u64);
    let mut record_start = 0;
    for (at, byte) in text.iter().enumerate() {
        if *byte == b'\n' {
            line += 1;
        }
        state = match (state, *byte) {
            (Quote::CellStart, b'"') => {
                opened_on = line;
                Quote::Open
            }
            (Quote::Open, b'"') => Quote::Perhaps,
            (Quote::Open, _) | (Quote::Perhaps, b'"') => Quote::Open,
            (_, b'\r' | b'\n') => {
                record_start = at + 1;
                Quote::CellStart
            }
            (_, byte) if byte == delimiter => Quote::CellStart,
            _ => Quote::Bare,
        };
        if at - record_start.min(at) > most {
            let opened = state == Quote::Open;
            return Err(match opened {
                true => Rejection::UnterminatedQuote { line: opened_on },
                false => Rejection::LineTooLong { line, most },
            });
        }
    }
    match state {
        Quote::Open => Err(Rejection::UnterminatedQuote { line: opened_on }),
        _ => Ok(()),
    }
}
