//! A table of names in, the same table with `user_id` and `error` out.

use super::{Asked, Giver};
use crate::cli::Outcome;
use crate::cli::exit::Exit;
use crate::cli::output::Failure;
use crate::views::UserIdView;
use csv::ByteRecord;
use lapsed_core::shown::{shown_in_a_cell, shown_within};
use std::io::Read;

/// Where each column stands in the input.
#[derive(Debug)]
struct Columns {
    last: usize,
    first: usize,
    preferred: Option<usize>,
    location: Option<usize>,
    kind: Option<usize>,
    count: usize,
}

/// Answers row by row; each line goes out as soon as it is known.
pub(super) fn answer(
    input: impl Read,
    giver: &mut Giver<'_>,
    mut write: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Outcome {
    let mut reader = reader(input);
    let header = reader.byte_headers().map_err(unreadable)?.clone();
    let columns = Columns::new(&header)?;
    write(&line(texts(&header), ["user_id".into(), "error".into()])?)?;
    let mut exit = Exit::Fine;
    for record in reader.byte_records() {
        let record = record.map_err(unreadable)?;
        let UserIdView { user_id, error, .. } = columns.answer(&record, giver);
        if error.is_some() {
            exit = Exit::Attention;
        }
        let answer = [user_id.unwrap_or_default(), error.unwrap_or_default()];
        // A short row is filled up, so that the answer stands in its own columns.
        let mut fields = texts(&record);
        fields.resize(columns.count.max(fields.len()), String::new());
        write(&line(fields, answer)?)?;
    }
    Ok(exit)
}

/// Answers as JSON's shapes, all at once.
pub(super) fn views(input: impl Read, giver: &mut Giver<'_>) -> Result<Vec<UserIdView>, Failure> {
    let mut reader = reader(input);
    let columns = Columns::new(&reader.byte_headers().map_err(unreadable)?.clone())?;
    reader
        .byte_records()
        .map(|record| Ok(columns.answer(&record.map_err(unreadable)?, giver)))
        .collect()
}

fn reader<R: Read>(input: R) -> csv::Reader<R> {
    csv::ReaderBuilder::new().flexible(true).from_reader(input)
}

impl Columns {
    fn new(header: &ByteRecord) -> Result<Self, Failure> {
        let names: Vec<String> = texts(header)
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').trim().to_lowercase())
            .collect();
        let place = |name: &str| names.iter().position(|found| found == name);
        let needed = |name: &str| place(name).ok_or_else(|| missing(name));
        Ok(Self {
            last: needed("last")?,
            first: needed("first")?,
            preferred: place("preferred"),
            location: place("location"),
            kind: place("kind"),
            count: names.len(),
        })
    }

    fn answer(&self, record: &ByteRecord, giver: &mut Giver<'_>) -> UserIdView {
        let text = |place: usize| {
            record.get(place).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        };
        let asked = Asked {
            last: text(self.last).unwrap_or_default(),
            first: text(self.first).unwrap_or_default(),
            preferred: self.preferred.and_then(text),
            location: self.location.and_then(text),
            kind: self.kind.and_then(text),
        };
        if record.len() == self.count {
            return giver.give(asked);
        }
        let error = format!(
            "the row has {} fields and the header {}; put fields with a comma in them into quotes",
            record.len(),
            self.count
        );
        let Asked { last, first, preferred, location, kind } = asked;
        UserIdView { last, first, preferred, location, kind, user_id: None, error: Some(error) }
    }
}

fn texts(record: &ByteRecord) -> Vec<String> {
    record.iter().map(|field| String::from_utf8_lossy(field).into_owned()).collect()
}

/// One line of output; no cell starts a formula, whatever the input had.
fn line(fields: Vec<String>, answer: [String; 2]) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let cells = fields.into_iter().chain(answer);
    let written = writer.write_record(cells.map(|text| cell(&text)));
    written.map_err(unreadable)?;
    writer
        .into_inner()
        .map_err(|problem| Failure::caused(&problem, "Report this as a mistake in lapsed."))
}

/// As [`shown_in_a_cell`], but never cut: what comes out is what went in.
fn cell(text: &str) -> String {
    let safe = shown_within(text, usize::MAX);
    let guarded = shown_in_a_cell(text);
    if guarded.starts_with('\'') && !safe.starts_with('\'') { format!("'{safe}") } else { safe }
}

fn unreadable(problem: csv::Error) -> Failure {
    Failure::caused(&problem, "Give a table in CSV with a header line on standard input.")
}

fn missing(name: &str) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("the table has no column `{name}`"),
        "The first line names the columns: last,first,preferred,location,kind.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapsed_core::policy::naming::{Namer, NamingPolicy, TakenIds, default_locations};

    fn answered(table: &[u8], taken: &[&str]) -> (String, Exit) {
        let (policy, locations) = (NamingPolicy::default(), default_locations());
        let taken: TakenIds = taken.iter().collect();
        let mut giver = Giver { namer: Namer::new(&policy, &locations), taken: &taken };
        let mut out = Vec::new();
        let exit = answer(table, &mut giver, |line| {
            out.extend_from_slice(line);
            Ok(())
        });
        (String::from_utf8(out).unwrap(), exit.unwrap())
    }

    #[test]
    fn the_output_is_the_input_with_the_answer_after_it() {
        let table = "ticket,last,first,preferred,location,kind\n1,Smith,John,,z,\n2,\"Smith, Jr\",Jane,,z,staff\n";
        let (out, exit) = answered(table.as_bytes(), &["MZSMITJ"]);
        assert_eq!(
            out,
            "ticket,last,first,preferred,location,kind,user_id,error\n\
             1,Smith,John,,z,,mzsmi1j,\n2,\"Smith, Jr\",Jane,,z,staff,mzsmi2j,\n"
        );
        assert_eq!(exit, Exit::Fine);
    }

    #[test]
    fn a_row_without_an_id_says_why_and_the_others_go_on() {
        let table =
            b"last,first,location\nSmith,John,nowhere\nSmith,John,z\nSmith,John\nSm\xefth,John,z\n";
        let (out, exit) = answered(table, &[]);
        let lines: Vec<_> = out.lines().collect();
        assert!(lines[1].starts_with("Smith,John,nowhere,,"), "{out}");
        assert_eq!(lines[2], "Smith,John,z,mzsmitj,");
        assert!(lines[3].starts_with("Smith,John,,,") && lines[3].contains("2 fields"), "{out}");
        assert!(lines[4].contains("lost in a conversion"), "{out}");
        assert_eq!(exit, Exit::Attention);
    }

    #[test]
    fn no_cell_starts_a_formula_or_moves_the_cursor() {
        let (out, _) = answered(b"last,first,location\n=1+1,\x1b[2J,z\n", &[]);
        assert!(out.contains("'=1+1,\\u{1b}[2J,z,"), "{out}");
    }

    #[test]
    fn a_long_cell_comes_out_whole() {
        let long = "x".repeat(500);
        let (out, _) =
            answered(format!("last,first,location,note\nSmith,John,z,{long}\n").as_bytes(), &[]);
        assert!(out.contains(&format!(",{long},mzsmitj,")), "{out}");
    }

    #[test]
    fn a_table_without_the_columns_is_refused() {
        let (policy, locations) = (NamingPolicy::default(), default_locations());
        let taken = TakenIds::default();
        let mut giver = Giver { namer: Namer::new(&policy, &locations), taken: &taken };
        let failure = answer(&b"surname,first\n"[..], &mut giver, |_| Ok(())).unwrap_err();
        assert_eq!(failure.error, "the table has no column `last`");
    }
}
