//! Finds the mistakes of a feed spec before any file is read, all at once.

use super::file_name::Pattern;
use super::mapping::{Mapping, folded};
use super::read::nearest;
use super::rejection::SpecProblem;
use super::source::Source;
use super::spec::{Contract, FeedSpec, Format, Place};
use jiff::civil::{Date, DateTime, date};
use jiff::fmt::strtime;
use std::collections::{BTreeMap, HashSet};

/// Makes a spec ready for reading, or says all that is wrong with it.
pub(super) fn compile(spec: &FeedSpec) -> Result<Mapping<'_>, Vec<SpecProblem>> {
    let mut problems = Problems(Vec::new());
    let mut bad = Vec::new();
    let mapping = Mapping::new(spec, &mut bad);
    for (what, problem) in bad {
        problems
            .add("columns", format!("has an expression for the {what} that is wrong: {problem}"));
    }
    layout(spec, &mut problems);
    columns(spec, &mut problems);
    known_columns(spec, &mapping, &mut problems);
    contract(spec, &mut problems);
    if problems.0.is_empty() { Ok(mapping) } else { Err(problems.0) }
}

struct Problems(Vec<SpecProblem>);

impl Problems {
    fn add(&mut self, at: impl Into<String>, problem: impl Into<String>) {
        self.0.push(SpecProblem { at: at.into(), problem: problem.into() });
    }

    fn add_if(&mut self, wrong: bool, at: &str, problem: &str) {
        if wrong {
            self.add(at, problem);
        }
    }
}

fn layout(spec: &FeedSpec, problems: &mut Problems) {
    let csv = spec.format == Format::Csv;
    let fixed = spec.format == Format::FixedWidth;
    let delimiter = spec.delimiter;
    let bad = !delimiter.is_ascii() || matches!(delimiter, '"' | '\n' | '\r' | '\0');
    problems.add_if(csv && bad, "delimiter", "must be one ASCII character, no quote or line end");
    let named = !spec.names.is_empty();
    problems.add_if(
        csv && !spec.header && !named,
        "names",
        "must name all columns, since `header` is false",
    );
    problems.add_if(
        named && (!csv || spec.header),
        "names",
        "belongs to CSV with `header: false`; the file's own header line names the columns here",
    );
    problems.add_if(fixed && spec.cuts.is_empty(), "cuts", "must give the place of every column");
    problems.add_if(!fixed && !spec.cuts.is_empty(), "cuts", "belongs to `format: fixed_width`");
    problems.add_if(
        !fixed && spec.record_bytes.is_some(),
        "record_bytes",
        "belongs to `format: fixed_width`",
    );
    problems.add_if(
        spec.cuts.iter().any(|cut| cut.at == 0 || cut.width == 0),
        "cuts",
        "count bytes from 1 and have at least one byte",
    );
}

fn columns(spec: &FeedSpec, problems: &mut Problems) {
    let columns = &spec.columns;
    let keys = [
        ("columns.employee_number.from", columns.employee_number.as_ref().map(|c| &c.from)),
        ("columns.user_id.from", columns.user_id.as_ref().map(|c| &c.from)),
    ];
    problems.add_if(
        keys.iter().all(|(_, source)| source.is_none()),
        "columns",
        "must map `employee_number` or `user_id`: people are never matched by name alone (D1)",
    );
    for (at, source) in keys {
        let constant = matches!(source, Some(Source::Constant(_)));
        problems.add_if(constant, at, "can't be a constant: it tells people apart");
    }
    let numbers = [
        ("columns.employee_number.pad_to", &columns.employee_number),
        ("columns.former_employee_number.pad_to", &columns.former_employee_number),
        ("columns.supervisor.pad_to", &columns.supervisor),
    ];
    for (at, column) in numbers {
        let width = column.as_ref().and_then(|column| column.pad_to);
        problems.add_if(width.is_some_and(|width| width > 64), at, "must be at most 64 digits");
    }
    problems.add_if(columns.status.is_none(), "columns", "must map `status`");
    let parts = columns.last_name.is_some() || columns.first_name.is_some();
    problems.add_if(
        columns.name.is_some() && parts,
        "columns.name",
        "is the whole name; leave out `last_name` and `first_name`, or it",
    );
    problems.add_if(
        columns.last_name.is_none() && (columns.first_name.is_some()),
        "columns.last_name",
        "is missing beside `first_name`",
    );
    problems.add_if(
        columns.preferred_name.is_some() && columns.name.is_none() && columns.last_name.is_none(),
        "columns.preferred_name",
        "needs `name`, or `last_name` and `first_name`, beside it",
    );
    let dates = [("starts_on", &columns.starts_on), ("ends_on", &columns.ends_on)];
    for (field, column) in dates {
        let Some(column) = column else { continue };
        date_formats(&format!("columns.{field}.formats"), &column.formats, problems);
    }
    for (gate, column) in &columns.gates {
        let at = format!("columns.gates.{gate}");
        date_formats(&format!("{at}.formats"), &column.formats, problems);
        let expression = matches!(column.from, Source::Expression(_));
        problems.add_if(expression, &format!("{at}.from"), "must be the name of a column");
    }
    tables(spec, problems);
}

fn tables(spec: &FeedSpec, problems: &mut Problems) {
    let columns = &spec.columns;
    if let Some(column) = &columns.status {
        one_meaning("columns.status.values", &column.values, problems);
    }
    if let Some(column) = &columns.worksite {
        one_meaning("columns.worksite.table", &column.table, problems);
    }
    if let Some(column) = &columns.kind {
        one_meaning("columns.kind.table", &column.table, problems);
    }
    problems.add_if(
        columns.for_cause.as_ref().is_some_and(|column| column.values.is_empty()),
        "columns.for_cause.values",
        "must have at least one text that means yes",
    );
}

fn one_meaning<T: PartialEq>(at: &str, table: &BTreeMap<String, T>, problems: &mut Problems) {
    let mut seen: BTreeMap<String, &T> = BTreeMap::new();
    for (word, value) in table {
        if seen.insert(folded(word), value).is_some_and(|other| other != value) {
            problems.add(at, format!("gives two meanings to {word:?} (case doesn't count)"));
        }
    }
}

/// A pattern must carry a whole date there and back.
fn date_formats(at: &str, formats: &[String], problems: &mut Problems) {
    problems.add_if(formats.is_empty(), at, "must have at least one pattern");
    let sample: DateTime = date(2026, 11, 22).at(13, 5, 9, 0);
    for format in formats {
        let back = strtime::format(format, sample).and_then(|text| Date::strptime(format, text));
        if back.ok() != Some(sample.date()) {
            problems.add(at, format!("has {format:?}, which is no pattern for a whole date; write it like \"%m/%d/%Y\""));
        }
    }
}

/// Where the columns are known before the file is: those that are mapped must be among them.
fn known_columns(spec: &FeedSpec, mapping: &Mapping<'_>, problems: &mut Problems) {
    let names: Vec<&str> = match spec.format {
        Format::Csv if !spec.header => spec.names.iter().map(String::as_str).collect(),
        Format::FixedWidth => spec.cuts.iter().map(|cut| cut.name.as_str()).collect(),
        _ => return,
    };
    let at = if spec.format == Format::Csv { "names" } else { "cuts" };
    let mut seen = HashSet::new();
    for name in names.iter().filter(|name| !seen.insert(folded(name))) {
        problems.add(at, format!("has two columns called {name:?}"));
    }
    for wanted in &mapping.wanted {
        if names.iter().any(|name| wanted.is(name)) {
            continue;
        }
        let near = nearest(&wanted.name, &names);
        let near = near.map_or(String::new(), |near| format!(" (the nearest is {near:?})"));
        problems.add("columns", format!("ask for {:?}, which is not in `{at}`{near}", wanted.name));
    }
}

fn contract(spec: &FeedSpec, problems: &mut Problems) {
    let contract = &spec.contract;
    for (at, place) in placed(contract) {
        let fits = match (spec.format, place) {
            (Format::Csv, Place::Column(number)) => *number >= 2,
            (Format::JsonLines, Place::Field(name)) => !name.is_empty(),
            (Format::FixedWidth, Place::Bytes { at, width }) => *at > 0 && *width > 0,
            _ => false,
        };
        problems.add_if(
            !fits,
            at,
            "must be a column's number from 2 (csv), a field's name (json_lines) or `at` and `width` (fixed_width)",
        );
    }
    if let Some(header) = &contract.header {
        date_formats("contract.header.formats", &header.formats, problems);
        problems.add_if(header.mark.is_empty(), "contract.header.mark", "must not be empty");
        let same = contract.trailer.as_ref().is_some_and(|t| t.mark == header.mark);
        problems.add_if(same, "contract.header.mark", "must differ from the trailer's");
    }
    problems.add_if(
        contract.trailer.as_ref().is_some_and(|trailer| trailer.mark.is_empty()),
        "contract.trailer.mark",
        "must not be empty",
    );
    sequence(contract, problems);
    limits(contract, problems);
}

fn placed(contract: &Contract) -> Vec<(&'static str, &Place)> {
    let header = contract.header.as_ref();
    let trailer = contract.trailer.as_ref();
    let places = [
        ("contract.header.as_of", header.and_then(|line| line.as_of.as_ref())),
        ("contract.header.sequence", header.and_then(|line| line.sequence.as_ref())),
        ("contract.trailer.count", trailer.map(|line| &line.count)),
        ("contract.trailer.sequence", trailer.and_then(|line| line.sequence.as_ref())),
    ];
    places.into_iter().filter_map(|(at, place)| Some((at, place?))).collect()
}

fn sequence(contract: &Contract, problems: &mut Problems) {
    if let Some(pattern) = &contract.file_name {
        problems.add_if(
            Pattern::new(pattern).is_none(),
            "contract.file_name",
            "must have {sequence} in it once, such as `hr_*_{sequence}.csv`",
        );
    }
    let sources = [
        contract.file_name.is_some(),
        contract.header.as_ref().is_some_and(|line| line.sequence.is_some()),
        contract.trailer.as_ref().is_some_and(|line| line.sequence.is_some()),
    ];
    let count = sources.into_iter().filter(|given| *given).count();
    problems.add_if(
        count > 1,
        "contract",
        "has several places for the sequence number; keep one of `file_name`, `header.sequence` and `trailer.sequence`",
    );
    problems.add_if(
        count == 0 && !contract.gaps,
        "contract.gaps",
        "can't be seen without a sequence number",
    );
}

fn limits(contract: &Contract, problems: &mut Problems) {
    let percents = [
        ("contract.largest_drop_percent", contract.largest_drop_percent),
        ("contract.set_aside.percent", contract.set_aside.percent),
    ];
    for (at, percent) in percents {
        problems.add_if(!(0.0..=100.0).contains(&percent), at, "must be from 0 to 100");
    }
    let none = [
        ("contract.max_bytes", contract.max_bytes == 0),
        ("contract.max_line_bytes", contract.max_line_bytes == 0),
        ("contract.max_rows", contract.max_rows == 0),
    ];
    for (at, none) in none {
        problems.add_if(none, at, "must not be 0: nothing could be taken");
    }
}
