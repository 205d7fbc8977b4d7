//! Columns of an answer as text, whatever type they have in the database.

use super::trouble::{Trouble, of_statement};
use crate::system_account::{LastUsed, SystemAccount, moment};
use jiff::Timestamp;
use lapsed_core::facts::{EmployeeNumber, StableId, SystemRole, UserId};
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Error, Row};
use uuid::Uuid;

/// A row whose columns can be read as text.
pub(super) trait Cells {
    /// The column as text; `None` for NULL.
    fn text(&self, column: &str) -> Result<Option<String>, Error>;
}

macro_rules! cells {
    ($row:ty: $($kind:ty),*) => {
        impl Cells for $row {
            fn text(&self, column: &str) -> Result<Option<String>, Error> {
                let first = self.try_get::<Option<String>, _>(column);
                let Err(error @ Error::ColumnDecode { .. }) = first else { return first };
                $(
                    if let Ok(value) = self.try_get::<Option<$kind>, _>(column) {
                        return Ok(value.map(|value| value.to_string()));
                    }
                )*
                Err(error)
            }
        }
    };
}

cells!(PgRow: bool, i64, i32, i16, Uuid);
cells!(MySqlRow: i64, u64);
cells!(SqliteRow: i64);

/// The account in a row.
pub(super) fn account(row: &impl Cells) -> Result<SystemAccount, Trouble> {
    let id = StableId::new(needed(row, "id")?).map_err(|e| Trouble::refused(e.to_string()))?;
    let user_id = UserId::new(needed(row, "user_id")?)
        .map_err(|e| Trouble::refused(format!("row {id}: {e}")))?;
    let employee_number = optional(row, "employee_number")?
        .filter(|number| !number.trim().is_empty())
        .map(EmployeeNumber::new)
        .transpose()
        .map_err(|e| Trouble::refused(format!("row {id}: {e}")))?;
    Ok(SystemAccount {
        roles: roles(row, &id)?,
        last_used: last_used(row, &id)?,
        enabled: truth(&needed(row, "enabled")?, &id)?,
        last_name: optional(row, "last_name")?,
        id,
        user_id,
        employee_number,
    })
}

fn needed(row: &impl Cells, column: &str) -> Result<String, Trouble> {
    let value = row.text(column).map_err(|error| of_statement(&error))?;
    value.ok_or_else(|| {
        Trouble::refused(format!(
            "a row has NULL as {column}; let the statement give a value always"
        ))
    })
}

fn optional(row: &impl Cells, column: &str) -> Result<Option<String>, Trouble> {
    match row.text(column) {
        Ok(value) => Ok(value),
        Err(Error::ColumnNotFound(_)) => Ok(None),
        Err(error) => Err(of_statement(&error)),
    }
}

/// A column as text, where the answer has such a column; the inner `None` is NULL.
fn column(row: &impl Cells, name: &str) -> Result<Option<Option<String>>, Trouble> {
    match row.text(name) {
        Ok(value) => Ok(Some(value)),
        Err(Error::ColumnNotFound(_)) => Ok(None),
        Err(error) => Err(of_statement(&error)),
    }
}

fn roles(row: &impl Cells, id: &StableId) -> Result<Option<Vec<SystemRole>>, Trouble> {
    let Some(text) = column(row, "roles")? else { return Ok(None) };
    let text = text.unwrap_or_default();
    let named = text.split(',').map(str::trim).filter(|role| !role.is_empty());
    let mut roles = named
        .map(SystemRole::new)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| Trouble::refused(format!("row {id}: {error}")))?;
    roles.sort_unstable();
    roles.dedup();
    Ok(Some(roles))
}

fn last_used(row: &impl Cells, id: &StableId) -> Result<Option<LastUsed>, Trouble> {
    let Some(at) = column(row, "last_used")? else { return Ok(None) };
    let read = |text: Option<String>| -> Result<Option<Timestamp>, Trouble> {
        let Some(text) = text.filter(|text| !text.trim().is_empty()) else { return Ok(None) };
        moment(&text).map(Some).ok_or_else(|| {
            Trouble::refused(format!(
                "row {id} has a time that can't be read; give it as text in UTC, as in `CAST(… AS CHAR)`, or as \
                 seconds since 1970"
            ))
        })
    };
    Ok(Some(LastUsed { at: read(at)?, made_at: read(column(row, "made_at")?.flatten())? }))
}

/// What says yes and what says no; a word of the system's own is for the statement to translate.
fn truth(text: &str, id: &StableId) -> Result<bool, Trouble> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "t" | "yes" | "y" => Ok(true),
        "0" | "false" | "f" | "no" | "n" => Ok(false),
        _ => Err(Trouble::refused(format!(
            "row {id} has something else than yes or no as `enabled`; compare it in the statement, as in `status = 'A' AS enabled`"
        ))),
    }
}
