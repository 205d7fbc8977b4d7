//! From complete files in the inbox to facts, each with its receipt beside it.

use super::Daemon;
use crate::cycle::take::{Drop, Taking};
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::drops::{DropError, Handled, Ready};
use crate::store::AuditEntry;
use jiff::Timestamp;
use lapsed_core::citation::Rule;
use lapsed_core::facts::SourceName;
use lapsed_core::intake::spec::Done;
use lapsed_core::intake::{self, Rejection};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};

impl Daemon {
    /// Handles every complete drop of the inbox; says how many. One that can't be handled now stays
    /// where it is, and the others are still handled.
    pub async fn take_inbox(&self) -> Result<usize, CycleError> {
        let cycle = self.cycle();
        let config = cycle.config.clone();
        let wants_done = move |name: &str| {
            let mut feeds = config.feeds.values();
            let feed = feeds.find(|feed| feed.files.matches(name));
            feed.is_some_and(|feed| feed.spec.contract.done != Done::Optional)
        };
        let ready = match self.inbox.ready(wants_done).await {
            Ok(ready) => ready,
            Err(error) => {
                warn(&error);
                return Ok(0);
            }
        };
        let mut handled = 0;
        let mut wait: HashSet<SourceName> = HashSet::new();
        for drop in self.last_taken_first(&cycle, ready).await? {
            let feed = feed_of(&cycle, &drop.name.to_string_lossy());
            if feed.is_some_and(|feed| wait.contains(feed)) {
                continue;
            }
            match self.handle(&cycle, &drop).await {
                Ok(()) => handled += 1,
                Err(HandleError::Drop(error)) => {
                    warn(&error);
                    // One that was taken and lies there still would be news again after a newer one.
                    wait.extend(feed.cloned());
                }
                Err(HandleError::Cycle(error)) => return Err(error),
            }
        }
        Ok(handled)
    }

    /// A drop that was taken by a daemon which was killed before it could move it goes first, whatever else
    /// came since: after a newer one, its old words would count anew.
    async fn last_taken_first(
        &self,
        cycle: &Cycle,
        ready: Vec<Ready>,
    ) -> Result<Vec<Ready>, CycleError> {
        let mut of_feed: BTreeMap<&SourceName, u32> = BTreeMap::new();
        for feed in ready.iter().filter_map(|drop| feed_of(cycle, &drop.name.to_string_lossy())) {
            *of_feed.entry(feed).or_default() += 1;
        }
        of_feed.retain(|_, drops| *drops > 1);
        let mut ordered = Vec::with_capacity(ready.len());
        let mut others = Vec::with_capacity(ready.len());
        for drop in ready {
            let feed = feed_of(cycle, &drop.name.to_string_lossy());
            let feed = feed.filter(|feed| of_feed.contains_key(feed));
            match feed {
                Some(feed) if self.was_taken_last(cycle, feed, &drop).await? => ordered.push(drop),
                _ => others.push(drop),
            }
        }
        ordered.extend(others);
        Ok(ordered)
    }

    async fn was_taken_last(
        &self,
        cycle: &Cycle,
        feed: &SourceName,
        drop: &Ready,
    ) -> Result<bool, CycleError> {
        let Some(last) = self.store.read().last_accepted_drop(feed).await? else {
            return Ok(false);
        };
        let limit = cycle.config.feeds.get(feed).map_or(0, |f| f.spec.contract.max_bytes);
        let read = self.inbox.read(drop, move |inbox, drop| inbox.read(drop, limit)).await;
        // What can't be read is told when its turn comes.
        Ok(read.is_ok_and(|(bytes, _)| intake::digest(&bytes) == last.sha256))
    }

    async fn handle(&self, cycle: &Cycle, drop: &Ready) -> Result<(), HandleError> {
        let now = self.now();
        let name = drop.shown();
        let Some(feed) = feed_of(cycle, &drop.name.to_string_lossy()) else {
            let text =
                format!("REJECTED: no feed of the configuration has files named like {name}\n");
            tracing::warn!(drop = %name, "drop rejected: no feed has files of that name");
            let mut tx = self.store.begin().await.map_err(CycleError::from)?;
            tx.audit(AuditEntry {
                clause: Some(cycle.config.policy.citations.cite(Rule::D1)),
                detail: json!({ "file": name, "reason": "no feed has files of that name" }),
                ..AuditEntry::new(now, DAEMON, "drop.rejected")
            });
            tx.commit().await.map_err(CycleError::from)?;
            return self.finish(cycle, drop, Handled::Rejected, now, &text).await;
        };
        let limit = cycle.config.feeds.get(feed).map_or(0, |f| f.spec.contract.max_bytes);
        let read = self.inbox.read(drop, move |inbox, drop| inbox.read(drop, limit)).await;
        let (bytes, done) = match read {
            Ok(read) => read,
            // What can't be read as a drop is rejected like one; what fails for now is tried again.
            Err(error @ (DropError::NotPlain { .. } | DropError::TooLarge { .. })) => {
                let text = format!("REJECTED: {error}\n");
                tracing::warn!(drop = %name, reason = %error, "drop rejected");
                return self.finish(cycle, drop, Handled::Rejected, now, &text).await;
            }
            Err(error) => return Err(error.into()),
        };
        let content = Drop { feed, file_name: &name, bytes: &bytes, done: done.as_deref() };
        let taking = cycle.take_drop(content, now).await?;
        report(&name, feed, &taking);
        let text = cycle.receipt(content, &taking, now);
        self.finish(cycle, drop, handled(&taking), now, &text).await
    }

    async fn finish(
        &self,
        cycle: &Cycle,
        drop: &Ready,
        how: Handled,
        now: Timestamp,
        text: &str,
    ) -> Result<(), HandleError> {
        let stamp =
            now.to_zoned(cycle.config.time_zone.clone()).strftime("%Y%m%dT%H%M%S").to_string();
        self.inbox.finish(drop, Vec::new(), how, (&stamp, text)).await?;
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum HandleError {
    #[error(transparent)]
    Drop(#[from] DropError),
    #[error(transparent)]
    Cycle(#[from] CycleError),
}

/// The feed whose pattern a file name fits.
pub(crate) fn feed_of<'a>(cycle: &'a Cycle, name: &str) -> Option<&'a SourceName> {
    cycle.config.feeds.iter().find(|(_, feed)| feed.files.matches(name)).map(|(name, _)| name)
}

/// Where a drop goes that was handled so.
fn handled(taking: &Taking) -> Handled {
    match taking {
        Taking::Rejected(_) => Handled::Rejected,
        Taking::Repeated(_) | Taking::Taken(_) => Handled::Accepted,
    }
}

fn report(name: &str, feed: &SourceName, taking: &Taking) {
    match taking {
        Taking::Repeated(_) => tracing::info!(drop = name, %feed, "drop was taken before"),
        Taking::Rejected(rejection) => {
            let reason: &Rejection = rejection;
            tracing::warn!(drop = name, %feed, %reason, "drop rejected");
        }
        Taking::Taken(summary) => tracing::info!(
            drop = name, %feed, rows = summary.taken.rows, notices = summary.notices,
            set_aside = summary.taken.set_aside.len() + summary.unmatched.len(), "drop taken"
        ),
    }
}

fn warn(error: &DropError) {
    let why = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(%error, why, "a file of the inbox is left where it is");
}
