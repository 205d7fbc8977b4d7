//! Counts: for `status`, and for the guard's windows.

use super::error::Doing as _;
use super::{Reader, StoreError, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::facts::ConnectorName;
use serde::Serialize;

/// Steps of one connector in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepCount {
    /// The connector.
    pub connector: ConnectorName,
    /// The state's name.
    pub state: String,
    /// True for steps whose date lies ahead.
    pub ahead: bool,
    /// How many.
    pub steps: u64,
    /// Since when the first of them has been in that state.
    pub oldest: Timestamp,
    /// The first date among them, where they have one.
    pub first_due: Option<Date>,
}

/// A kind of change that the guard counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Accounts disabled.
    Departures,
    /// Mailboxes and home directories deleted.
    Deletions,
}

impl Reader<'_> {
    /// Steps by connector, state, and whether their date lies ahead of today.
    pub async fn step_counts(&self, today: Date) -> Result<Vec<StepCount>, StoreError> {
        let doing = "counting steps";
        let sql = "SELECT connector, state, CASE WHEN due_on > $1 THEN 1 ELSE 0 END AS ahead, \
                   COUNT(*) AS steps, MIN(changed_at) AS oldest, MIN(due_on) AS first_due FROM steps \
                   GROUP BY connector, state, CASE WHEN due_on > $1 THEN 1 ELSE 0 END \
                   ORDER BY connector, state, ahead";
        let values = vec![today.to_string().into()];
        let mut counts = Vec::new();
        for row in sql::all(&self.db, doing, sql, values).await? {
            let first_due: Option<String> = row.try_get("", "first_due").doing(doing)?;
            counts.push(StepCount {
                connector: convert::checked(
                    "connector",
                    row.try_get("", "connector").doing(doing)?,
                )?,
                state: row.try_get("", "state").doing(doing)?,
                ahead: row.try_get::<i32>("", "ahead").doing(doing)? != 0,
                steps: convert::unsigned(row.try_get("", "steps").doing(doing)?),
                oldest: convert::moment("moment", row.try_get("", "oldest").doing(doing)?)?,
                first_due: convert::date_if("date", first_due.as_deref())?,
            });
        }
        Ok(counts)
    }

    /// How many people had such a change begun since a moment, each counted once: the guard's window.
    pub async fn people_changed_since(
        &self,
        change: Change,
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        let doing = "counting people";
        let which = match change {
            Change::Departures => "action = 'disable'",
            Change::Deletions => "destroys",
        };
        let sql = format!(
            "SELECT COUNT(DISTINCT person) AS people FROM steps \
             WHERE {which} AND first_started_at >= $1"
        );
        let rows = sql::all(&self.db, doing, &sql, vec![convert::micros(since).into()]).await?;
        let people = rows.first().map(|row| row.try_get("", "people")).transpose().doing(doing)?;
        Ok(convert::unsigned(people.unwrap_or(0)))
    }

    /// Number of people known.
    pub async fn people_count(&self) -> Result<u64, StoreError> {
        let doing = "counting people";
        let sql = "SELECT COUNT(*) AS people FROM people";
        let rows = sql::all(&self.db, doing, sql, Vec::new()).await?;
        let people = rows.first().map(|row| row.try_get("", "people")).transpose().doing(doing)?;
        Ok(convert::unsigned(people.unwrap_or(0)))
    }

    /// The first moment after now at which a retry or a left-behind lease comes up: when to wake.
    pub async fn next_step_at(&self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let doing = "reading the journal";
        let sql = "SELECT MIN(CASE WHEN not_before > COALESCE(lease_until, 0) THEN not_before \
                   ELSE lease_until END) AS at FROM steps WHERE NOT ended \
                   AND (not_before > $1 OR lease_until > $1)";
        let rows = sql::all(&self.db, doing, sql, vec![convert::micros(now).into()]).await?;
        let at = rows.first().map(|row| row.try_get("", "at")).transpose().doing(doing)?;
        convert::moment_if("moment", at.flatten())
    }
}
