//! One row becomes a statement, or is set aside with its reason.

use super::mapping::{Field, Mapping, folded};
use super::row_problem::{RowProblem, quoted, quoted_number};
use super::spec::{DateColumn, NameOrder, NumberColumn};
use crate::facts::{
    EmployeeNumber, GateName, Invalid, LocationId, PersonKind, PersonName, Statement, Status,
    UserId,
};
use crate::mask::{looks_like_ssn, mask};
use jiff::civil::Date;
use std::borrow::Cow;

/// The wanted cells of a row.
pub(super) type Cells<'c> = [Cow<'c, str>];

/// Years that HR can mean.
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2199;

/// Who a row is about, as far as messages may say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) employee_number: Option<EmployeeNumber>,
    pub(super) user_id: Option<UserId>,
}

impl Key {
    /// The one that tells people apart within the drop, folded.
    pub(super) fn folded(&self) -> Option<String> {
        match (&self.employee_number, &self.user_id) {
            (Some(number), _) => Some(format!("employee {}", number.folded())),
            (None, Some(user_id)) => Some(format!("user {}", user_id.folded())),
            (None, None) => None,
        }
    }

    /// For messages: the employee number or else the user ID, nothing more.
    pub(super) fn shown(&self) -> Option<String> {
        let key = match (&self.employee_number, &self.user_id) {
            (Some(number), _) => format!("employee {number}"),
            (None, Some(user_id)) => format!("user {user_id}"),
            (None, None) => return None,
        };
        Some(crate::shown::shown(&key))
    }

    pub(super) fn of(statement: &Statement) -> Self {
        Self {
            employee_number: statement.employee_number.clone(),
            user_id: statement.user_id.clone(),
        }
    }
}

impl Mapping<'_> {
    /// The row's key.
    pub(super) fn key(&self, cells: &Cells<'_>) -> Result<Key, RowProblem> {
        let employee_number = self.number(
            self.employee_number.as_ref(),
            self.columns.employee_number.as_ref(),
            cells,
        )?;
        let user_id = self.word(self.user_id.as_ref(), cells, UserId::new)?;
        if employee_number.is_none() && user_id.is_none() {
            return Err(RowProblem::NoKey);
        }
        Ok(Key { employee_number, user_id })
    }

    /// What the row says; remarks about values that were not understood go to `notes`.
    pub(super) fn statement(
        &self,
        line: u64,
        key: Key,
        cells: &Cells<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Statement, RowProblem> {
        let columns = self.columns;
        let status = self.status(cells)?;
        let gates = self.passed(cells, notes);
        let starts_on = self.date(self.starts_on.as_ref(), columns.starts_on.as_ref(), cells)?;
        let ends_on = self.date(self.ends_on.as_ref(), columns.ends_on.as_ref(), cells)?;
        if let (Some(starts), Some(ends)) = (starts_on, ends_on)
            && ends < starts
        {
            return Err(RowProblem::EndBeforeStart { starts, ends });
        }
        if status == Status::Departed && ends_on.is_none() {
            notes.push("it is departed without an end date: that means now".to_owned());
        }
        Ok(Statement {
            line,
            former_employee_number: self.number(
                self.former_employee_number.as_ref(),
                columns.former_employee_number.as_ref(),
                cells,
            )?,
            employee_number: key.employee_number,
            user_id: key.user_id,
            record: self.record(cells)?,
            name: self.person_name(cells)?,
            status,
            starts_on,
            ends_on,
            for_cause: self.is_for_cause(cells)?,
            worksite: self.worksite(cells, notes)?,
            kind: self.kind(cells, notes)?,
            supervisor: self.number(
                self.supervisor.as_ref(),
                columns.supervisor.as_ref(),
                cells,
            )?,
            gates,
        })
    }

    fn number(
        &self,
        field: Option<&Field<'_>>,
        column: Option<&NumberColumn>,
        cells: &Cells<'_>,
    ) -> Result<Option<EmployeeNumber>, RowProblem> {
        let Some(field) = field else { return Ok(None) };
        let value = self.value(Some(field), cells)?;
        if is_scientific(&value) {
            let quoted = quoted_number(&value);
            return Err(RowProblem::Spreadsheet { what: field.what, quoted });
        }
        let value = match column.and_then(|column| column.pad_to) {
            Some(width) if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                Cow::Owned(format!("{value:0>width$}"))
            }
            _ => value,
        };
        key_text(field.what, &value, EmployeeNumber::new)
    }

    fn word<T>(
        &self,
        field: Option<&Field<'_>>,
        cells: &Cells<'_>,
        make: impl Fn(String) -> Result<T, Invalid>,
    ) -> Result<Option<T>, RowProblem> {
        let Some(field) = field else { return Ok(None) };
        key_text(field.what, &self.value(Some(field), cells)?, make)
    }

    /// Tells engagements of one person apart; empty where the feed doesn't.
    pub(super) fn record(&self, cells: &Cells<'_>) -> Result<String, RowProblem> {
        let value = self.value(self.record.as_ref(), cells)?;
        if looks_like_ssn(&value) {
            return Err(RowProblem::SocialSecurity { what: "record" });
        }
        Ok(value.into_owned())
    }

    fn status(&self, cells: &Cells<'_>) -> Result<Status, RowProblem> {
        let value = self.value(self.status.as_ref(), cells)?;
        self.statuses
            .get(&folded(&value))
            .copied()
            .ok_or_else(|| RowProblem::Status { quoted: quoted(&value) })
    }

    fn is_for_cause(&self, cells: &Cells<'_>) -> Result<bool, RowProblem> {
        if self.for_cause.is_none() {
            return Ok(false);
        }
        Ok(self.causes.contains(&folded(&self.value(self.for_cause.as_ref(), cells)?)))
    }

    fn date(
        &self,
        field: Option<&Field<'_>>,
        column: Option<&DateColumn>,
        cells: &Cells<'_>,
    ) -> Result<Option<Date>, RowProblem> {
        let (Some(field), Some(column)) = (field, column) else { return Ok(None) };
        let value = self.value(Some(field), cells)?;
        if value.is_empty() || column.none.iter().any(|none| none.trim() == value) {
            return Ok(None);
        }
        let mut parsed = column.formats.iter().filter_map(|f| Date::strptime(f, &*value).ok());
        let what = field.what;
        match parsed.next() {
            Some(date) if YEARS.contains(&date.year()) => Ok(Some(date)),
            Some(date) => Err(RowProblem::FarDate { what, date }),
            None => Err(RowProblem::Date {
                what,
                quoted: quoted_number(&value),
                formats: column.formats.join(" or "),
            }),
        }
    }

    /// Gates that the row says were passed. A date that can't be read must not keep a departure in the same
    /// row from counting.
    fn passed(&self, cells: &Cells<'_>, notes: &mut Vec<String>) -> Vec<(GateName, Date)> {
        let mut passed = Vec::new();
        for (gate, field, column) in &self.gates {
            match self.date(Some(field), Some(column), cells) {
                Ok(Some(on)) => passed.push(((*gate).clone(), on)),
                Ok(None) => {}
                Err(problem) => notes.push(format!("{gate}: {problem}; the gate is left as it is")),
            }
        }
        passed
    }

    fn person_name(&self, cells: &Cells<'_>) -> Result<Option<PersonName>, RowProblem> {
        if self.name.is_none() && self.last_name.is_none() {
            return Ok(None);
        }
        let (last, first) = match &self.columns.name {
            Some(column) => parted(&self.value(self.name.as_ref(), cells)?, column.order),
            None => (
                self.value(self.last_name.as_ref(), cells)?.into_owned(),
                self.value(self.first_name.as_ref(), cells)?.into_owned(),
            ),
        };
        let preferred = self.value(self.preferred_name.as_ref(), cells)?;
        let preferred = (!preferred.is_empty()).then(|| without_numbers(preferred.into_owned()));
        let (last, first) = (without_numbers(last), without_numbers(first));
        if last.is_empty() && first.is_empty() {
            return Ok(None);
        }
        Ok(Some(PersonName { last, first, preferred }))
    }

    fn worksite(
        &self,
        cells: &Cells<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Option<LocationId>, RowProblem> {
        let value = self.value(self.worksite.as_ref(), cells)?;
        if value.is_empty() {
            return Ok(None);
        }
        let known = match self.worksites.is_empty() {
            true => LocationId::new(&*value).ok().filter(|_| !looks_like_ssn(&value)),
            false => self.worksites.get(&folded(&value)).cloned(),
        };
        if known.is_none() {
            notes.push(format!(
                "the worksite {} is not in the table `columns.worksite.table`: taken as unknown",
                quoted(&value)
            ));
        }
        Ok(known)
    }

    fn kind(
        &self,
        cells: &Cells<'_>,
        notes: &mut Vec<String>,
    ) -> Result<Option<PersonKind>, RowProblem> {
        let value = self.value(self.kind.as_ref(), cells)?;
        if value.is_empty() {
            return Ok(None);
        }
        let known = match self.kinds.is_empty() {
            true => PersonKind::new(&*value).ok().filter(|_| !looks_like_ssn(&value)),
            false => self.kinds.get(&folded(&value)).cloned(),
        };
        if known.is_none() {
            notes.push(format!(
                "the kind of person {} is not in the table `columns.kind.table`: taken as unknown",
                quoted(&value)
            ));
        }
        Ok(known)
    }
}

fn key_text<T>(
    what: &'static str,
    value: &str,
    make: impl Fn(String) -> Result<T, Invalid>,
) -> Result<Option<T>, RowProblem> {
    if value.is_empty() {
        return Ok(None);
    }
    if looks_like_ssn(value) {
        return Err(RowProblem::SocialSecurity { what });
    }
    let unusable = |invalid: Invalid| RowProblem::Unusable { what, problem: invalid.problem };
    make(value.to_owned()).map(Some).map_err(unusable)
}

/// A name that HR put a protected number into, without the number (P1).
fn without_numbers(name: String) -> String {
    if name.chars().any(char::is_numeric) { mask(&name) } else { name }
}

/// What spreadsheets make of long numbers: `1.23457E+11`.
fn is_scientific(value: &str) -> bool {
    let Some((number, exponent)) = value.split_once(['E', 'e']) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    exponent.strip_prefix('+').is_some_and(digits) && digits(&number.replace(['.', ','], ""))
}

/// Last and first name.
fn parted(name: &str, order: NameOrder) -> (String, String) {
    let cut = match order {
        NameOrder::LastFirst => name.split_once(','),
        NameOrder::FirstLast => name.rsplit_once(' ').map(|(first, last)| (last, first)),
    };
    let (last, first) = cut.unwrap_or((name, ""));
    (last.trim().to_owned(), first.trim().to_owned())
}
