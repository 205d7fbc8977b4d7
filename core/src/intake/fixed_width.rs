//! Rows of fixed width: columns are cut from the bytes of the line, and decoded afterwards.

use super::decode::text;
use super::read::{Event, Fields, Sink, Wanted, frame_of, places};
use super::rejection::{Frame, Rejection};
use super::row_problem::RowProblem;
use super::spec::{Cut, FeedSpec};
use std::borrow::Cow;

/// Reads all lines of `bytes`, which are text in the spec's encoding.
pub(super) fn read(
    spec: &FeedSpec,
    wanted: &[Wanted],
    bytes: &[u8],
    sink: &mut Sink<'_>,
) -> Result<(), Rejection> {
    let names: Vec<&str> = spec.cuts.iter().map(|cut| cut.name.as_str()).collect();
    let places = places(wanted, &names)?;
    let cuts: Vec<&Cut> = places.into_iter().filter_map(|place| spec.cuts.get(place)).collect();
    let mut line = 0;
    let mut rest = bytes;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let row = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
        line += 1;
        let row = row.strip_suffix(b"\r").unwrap_or(row);
        if row.trim_ascii().is_empty() {
            continue;
        }
        if let Some((frame, fields)) = frame_line(spec, row) {
            sink(Event::Frame { line, frame, fields })?;
            continue;
        }
        if let Some(wants) = spec.record_bytes.filter(|wants| *wants != row.len()) {
            if end.is_none() && row.len() < wants {
                return Err(Rejection::CutOff { line });
            }
            let problem = RowProblem::LineLength { has: row.len(), wants };
            sink(Event::Bad { line, problem })?;
            continue;
        }
        match cells(spec, &cuts, row) {
            Ok(cells) => sink(Event::Row { line, cells: &cells })?,
            Err(problem) => sink(Event::Bad { line, problem })?,
        }
    }
    Ok(())
}

fn frame_line(spec: &FeedSpec, row: &[u8]) -> Option<(Frame, Fields)> {
    let frame = frame_of(&spec.contract, |mark| row.starts_with(mark.as_bytes()))?;
    Some((frame, Fields::Line(text(spec.encoding, row)?.into_owned())))
}

/// Lines without their trailing spaces are common, so a column beyond the end of the line is empty.
fn cells<'r>(
    spec: &FeedSpec,
    cuts: &[&Cut],
    row: &'r [u8],
) -> Result<Vec<Cow<'r, str>>, RowProblem> {
    let cell = |cut: &&Cut| {
        let start = cut.at.saturating_sub(1).min(row.len());
        let end = start.saturating_add(cut.width).min(row.len());
        let piece = row.get(start..end).unwrap_or_default();
        text(spec.encoding, piece)
            .ok_or_else(|| RowProblem::SplitLetter { column: cut.name.clone() })
    };
    cuts.iter().map(cell).collect()
}
