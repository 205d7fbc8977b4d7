//! Feeds that should have come by now.

use super::Daemon;
use crate::store::StoreError;
use jiff::Timestamp;
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
