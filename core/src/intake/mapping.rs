//! The spec's columns, made ready once for all rows: names to places, expressions compiled, tables folded.

use super::read::Wanted;
use super::row_problem::RowProblem;
use super::source::Source;
use super::spec::{Columns, DateColumn, FeedSpec, NumberColumn, TextColumn};
use crate::facts::{GateName, LocationId, PersonKind, Status};
use minijinja::{Environment, Value};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Steps that one evaluation of an expression may take: more is a mistake in the YAML.
const FUEL: u64 = 20_000;

/// Longest value that any field takes, in characters.
pub(super) const LONGEST_VALUE: usize = 256;

/// A spec made ready. Built by [`super::check::compile`], which finds its mistakes.
pub(super) struct Mapping<'s> {
    pub(super) columns: &'s Columns,
    pub(super) wanted: Vec<Wanted>,
    environment: Environment<'s>,
    pub(super) employee_number: Option<Field<'s>>,
    pub(super) former_employee_number: Option<Field<'s>>,
    pub(super) user_id: Option<Field<'s>>,
    pub(super) record: Option<Field<'s>>,
    pub(super) name: Option<Field<'s>>,
    pub(super) last_name: Option<Field<'s>>,
    pub(super) first_name: Option<Field<'s>>,
    pub(super) preferred_name: Option<Field<'s>>,
    pub(super) status: Option<Field<'s>>,
    pub(super) starts_on: Option<Field<'s>>,
    pub(super) ends_on: Option<Field<'s>>,
    pub(super) for_cause: Option<Field<'s>>,
    pub(super) worksite: Option<Field<'s>>,
    pub(super) kind: Option<Field<'s>>,
    pub(super) supervisor: Option<Field<'s>>,
    pub(super) gates: Vec<(&'s GateName, Field<'s>, &'s DateColumn)>,
    pub(super) statuses: HashMap<String, Status>,
    pub(super) causes: HashSet<String>,
    pub(super) worksites: HashMap<String, LocationId>,
    pub(super) kinds: HashMap<String, PersonKind>,
}

/// One target and where it comes from.
pub(super) struct Field<'s> {
    /// What messages call it.
    pub(super) what: &'static str,
    origin: Origin<'s>,
}

enum Origin<'s> {
    Column(usize),
    Constant(&'s str),
    Expression(Vec<(String, usize)>),
}

/// An expression that does not compile: the target and what is wrong.
pub(super) type BadExpression = (&'static str, String);

impl<'s> Mapping<'s> {
    /// Makes the columns ready; every expression that does not compile is pushed to `bad`.
    pub(super) fn new(spec: &'s FeedSpec, bad: &mut Vec<BadExpression>) -> Self {
        let columns = &spec.columns;
        let mut make = Maker { environment: environment(), wanted: Vec::new(), bad };
        let text = |column: &'s Option<TextColumn>| column.as_ref().map(|column| &column.from);
        let number = |column: &'s Option<NumberColumn>| column.as_ref().map(|column| &column.from);
        let date = |column: &'s Option<DateColumn>| column.as_ref().map(|column| &column.from);
        Self {
            employee_number: make.field("employee number", number(&columns.employee_number)),
            former_employee_number: make
                .field("former employee number", number(&columns.former_employee_number)),
            user_id: make.field("user ID", text(&columns.user_id)),
            record: make.field("record", text(&columns.record)),
            name: make.field("name", columns.name.as_ref().map(|column| &column.from)),
            last_name: make.field("last name", text(&columns.last_name)),
            first_name: make.field("first name", text(&columns.first_name)),
            preferred_name: make.field("preferred name", text(&columns.preferred_name)),
            status: make.field("status", columns.status.as_ref().map(|column| &column.from)),
            starts_on: make.field("start date", date(&columns.starts_on)),
            ends_on: make.field("end date", date(&columns.ends_on)),
            for_cause: make
                .field("for-cause mark", columns.for_cause.as_ref().map(|column| &column.from)),
            worksite: make.field("worksite", columns.worksite.as_ref().map(|column| &column.from)),
            kind: make.field("kind of person", columns.kind.as_ref().map(|column| &column.from)),
            supervisor: make.field("supervisor's employee number", number(&columns.supervisor)),
            gates: gates(columns, &mut make),
            statuses: statuses(columns),
            causes: columns
                .for_cause
                .iter()
                .flat_map(|column| column.values.iter().map(|value| folded(value)))
                .collect(),
            worksites: columns.worksite.as_ref().map(|c| table(&c.table)).unwrap_or_default(),
            kinds: columns.kind.as_ref().map(|c| table(&c.table)).unwrap_or_default(),
            columns,
            wanted: make.wanted,
            environment: make.environment,
        }
    }

    /// The field's value in a row, without outer spaces; empty when the feed doesn't have the field.
    pub(super) fn value<'r>(
        &'r self,
        field: Option<&'r Field<'s>>,
        cells: &'r [Cow<'_, str>],
    ) -> Result<Cow<'r, str>, RowProblem> {
        let Some(field) = field else { return Ok(Cow::Borrowed("")) };
        let cell = |place: usize| cells.get(place).map_or("", |cell| cell.trim());
        let value = match &field.origin {
            Origin::Constant(text) => Cow::Borrowed(text.trim()),
            Origin::Column(place) => Cow::Borrowed(cell(*place)),
            Origin::Expression(inputs) => {
                let input = |(name, place): &(String, usize)| (name.clone(), cell(*place).into());
                Cow::Owned(self.evaluate(field.what, inputs.iter().map(input).collect())?)
            }
        };
        checked(field.what, value)
    }

    fn evaluate(
        &self,
        what: &'static str,
        inputs: BTreeMap<String, Value>,
    ) -> Result<String, RowProblem> {
        let rendered = self.environment.get_template(what).and_then(|text| text.render(inputs));
        match rendered {
            Ok(text) => Ok(text.trim().to_owned()),
            // Only the kind: the error's text may quote the row (P2).
            Err(error) => Err(RowProblem::Expression { what, problem: error.kind().to_string() }),
        }
    }
}

fn checked<'r>(what: &'static str, value: Cow<'r, str>) -> Result<Cow<'r, str>, RowProblem> {
    if value.len() > LONGEST_VALUE && value.chars().count() > LONGEST_VALUE {
        return Err(RowProblem::TooLong { what, most: LONGEST_VALUE });
    }
    if value.chars().any(char::is_control) {
        return Err(RowProblem::ControlCharacter { what });
    }
    Ok(value)
}

/// Filters, tests and functions without side effects, strict about names that don't exist.
fn environment<'s>() -> Environment<'s> {
    crate::template::strict(FUEL)
}

struct Maker<'s, 'b> {
    environment: Environment<'s>,
    wanted: Vec<Wanted>,
    bad: &'b mut Vec<BadExpression>,
}

impl<'s> Maker<'s, '_> {
    fn field(&mut self, what: &'static str, source: Option<&'s Source>) -> Option<Field<'s>> {
        let origin = match source? {
            Source::Column(name) => Origin::Column(self.place(name, false)),
            Source::Constant(text) => Origin::Constant(text),
            Source::Expression(text) => Origin::Expression(self.inputs(what, text)),
        };
        Some(Field { what, origin })
    }

    fn inputs(&mut self, what: &'static str, text: &'s str) -> Vec<(String, usize)> {
        if let Err(error) = self.environment.add_template(what, text) {
            let detail = error.detail().unwrap_or_default();
            self.bad.push((what, format!("{}: {detail}", error.kind())));
            return Vec::new();
        }
        let names = match self.environment.get_template(what) {
            Ok(template) => template.undeclared_variables(false),
            Err(_) => HashSet::new(),
        };
        let functions: HashSet<String> =
            self.environment.globals().map(|(name, _)| name.to_owned()).collect();
        let mut names: Vec<String> = names.difference(&functions).cloned().collect();
        names.sort();
        names.into_iter().map(|name| (name.clone(), self.place(&name, true))).collect()
    }

    fn place(&mut self, name: &str, as_variable: bool) -> usize {
        let column = Wanted { name: name.to_owned(), as_variable };
        if let Some(place) = self.wanted.iter().position(|known| *known == column) {
            return place;
        }
        self.wanted.push(column);
        self.wanted.len() - 1
    }
}

/// Expressions are refused where the spec is checked: a gate is a column of its own.
fn gates<'s>(
    columns: &'s Columns,
    make: &mut Maker<'s, '_>,
) -> Vec<(&'s GateName, Field<'s>, &'s DateColumn)> {
    let plain = columns.gates.iter().filter(|(_, c)| !matches!(c.from, Source::Expression(_)));
    let field = |(gate, column): (&'s GateName, &'s DateColumn)| {
        Some((gate, make.field("gate's date", Some(&column.from))?, column))
    };
    plain.filter_map(field).collect()
}

/// How two words of HR are compared: without outer spaces and without regard to case.
pub(super) fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

fn statuses(columns: &Columns) -> HashMap<String, Status> {
    let own = [
        ("active", Status::Active),
        ("on_leave", Status::OnLeave),
        ("departed", Status::Departed),
        ("withdrawn", Status::Withdrawn),
    ];
    let mut statuses: HashMap<String, Status> =
        own.into_iter().map(|(word, status)| (word.to_owned(), status)).collect();
    let given = columns.status.iter().flat_map(|column| &column.values);
    statuses.extend(given.map(|(word, status)| (folded(word), *status)));
    statuses
}

fn table<T: Clone>(table: &BTreeMap<String, T>) -> HashMap<String, T> {
    table.iter().map(|(word, value)| (folded(word), value.clone())).collect()
}
