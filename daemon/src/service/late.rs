//! What should have come or been done by now: feeds, and steps whose target does not answer.

use super::Daemon;
use crate::store::{Reader, StepFilter, StoreError, StoredStep};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::SourceName;

impl Daemon {
    /// Feeds whose time of a work day has passed without an accepted drop that day.
    pub async fn late_feeds(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(SourceName, String)>, StoreError> {
        let cycle = self.cycle();
        let zoned = now.to_zoned(cycle.config.time_zone.clone());
        let mut late = Vec::new();
        if !cycle.config.policy.work_days.is_work_day(zoned.date()) {
            return Ok(late);
        }
        for (feed, by) in &cycle.config.schedule.late_feed {
            if zoned.time() < by.time() {
                continue;
            }
            let last = self.store.read().last_accepted_drop(feed).await?;
            let came =
                last.as_ref().is_some_and(|drop| cycle.today(drop.received_at) == zoned.date());
            if !came {
                let since = match last {
                    Some(drop) => format!("the last came {}", cycle.shown_time(drop.received_at)),
                    None => "none has ever come".into(),
                };
                late.push((
                    feed.clone(),
                    format!("no file by {}; {since}", by.time().strftime("%H:%M")),
                ));
            }
        }
        Ok(late)
    }
}

impl Daemon {
    /// Steps that were begun so many days ago (`execution.stuck_days`) and are tried on in vain: their
    /// target does not answer.
    pub async fn steps_waiting_too_long(
        &self,
        read: &Reader<'_>,
        now: Timestamp,
    ) -> Result<Vec<StoredStep>, StoreError> {
        waiting_too_long(read, self.cycle().config.execution.stuck_days, now).await
    }
}

/// Steps that were begun so many days ago and are tried on in vain.
pub(crate) async fn waiting_too_long(
    read: &Reader<'_>,
    days: u16,
    now: Timestamp,
) -> Result<Vec<StoredStep>, StoreError> {
    let by = now.checked_sub(SignedDuration::from_hours(i64::from(days).saturating_mul(24)));
    let filter = StepFilter {
        states: vec!["waiting", "unknown", "started"],
        begun_by: Some(by.unwrap_or(Timestamp::MIN)),
        ..StepFilter::default()
    };
    read.steps(&filter).await
}
