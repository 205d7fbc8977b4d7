//! When reports are due: a moment that came while the daemon was down, or could not be used, is made up for.

use crate::config::CronPattern;
use crate::cycle::{Cycle, CycleError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A report that is made by the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recurring {
    /// The rosters of a month.
    Rosters,
    /// The report of a year.
    Yearly,
}

impl Recurring {
    /// What the turn at it is called, where several daemons share a state.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Rosters => "rosters",
            Self::Yearly => "yearly report",
        }
    }

    /// The setting that says when the next one is due.
    fn key(self) -> &'static str {
        match self {
            Self::Rosters => "reports.rosters_due",
            Self::Yearly => "reports.yearly_due",
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Next {
    /// The pattern by which it was found; of another one it says nothing.
    pattern: String,
    /// When; absent where the pattern never comes.
    at: Option<Timestamp>,
}

impl Cycle {
    /// Whether a report is due by its pattern. The first question only notes when it will be: nobody gets
    /// the rosters of a month in the middle of it because lapsed was set up.
    pub(crate) async fn is_due(
        &self,
        report: Recurring,
        pattern: &CronPattern,
        now: Timestamp,
    ) -> Result<bool, CycleError> {
        let known = self.store.read().setting::<Next>(report.key()).await?;
        if let Some(next) = known.filter(|next| next.pattern == pattern.as_str()) {
            return Ok(next.at.is_some_and(|at| at <= now));
        }
        self.was_made(report, pattern, now).await?;
        Ok(false)
    }

    /// Notes that a report was made: it is due again at the pattern's next moment.
    pub(crate) async fn was_made(
        &self,
        report: Recurring,
        pattern: &CronPattern,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let at = pattern.next_after(&now.to_zoned(self.config.time_zone.clone()));
        let next =
            Next { pattern: pattern.as_str().to_owned(), at: at.map(|moment| moment.timestamp()) };
        let tx = self.store.begin().await?;
        tx.set_setting(report.key(), &next).await?;
        tx.commit().await?;
        Ok(())
    }
}
