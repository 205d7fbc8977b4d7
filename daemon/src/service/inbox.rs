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
use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

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
        self.unmoved().retain(|known| ready.contains(&known.drop));
        let mut handled = 0;
        let mut wait: HashSet<SourceName> = HashSet::new();
        for drop in self.last_taken_first(&cycle, ready).await? {
            let feed = feed_of(&cycle, &drop.name.to_string_lossy());
            if feed.is_some_and(|feed| wait.contains(feed)) {
                continue;
            }
            match self.handle(&cycle, &drop).await {
                Ok(()) => handled += 1,
                Err(HandleError::Drop(error)) => warn(&error),
                Err(HandleError::NotMoved(how, error)) => {
                    warn(&error);
                    if how == Handled::Accepted {
                        // After a newer one, its old words would count anew.
                        wait.extend(feed.cloned());
                    }
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
        mut ready: Vec<Ready>,
    ) -> Result<Vec<Ready>, CycleError> {
        if ready.len() < 2 {
            return Ok(ready);
        }
        let mut left_behind = Vec::new();
        for (place, drop) in ready.iter().enumerate() {
            if let Some(feed) = feed_of(cycle, &drop.name.to_string_lossy())
                && self.was_taken_last(cycle, feed, drop).await?
            {
                left_behind.push(place);
            }
        }
        for place in left_behind {
            ready[..=place].rotate_right(1);
        }
        Ok(ready)
    }

    /// Whether it is the very file that was taken last: the same words may come again, and mean something.
    async fn was_taken_last(
        &self,
        cycle: &Cycle,
        feed: &SourceName,
        drop: &Ready,
    ) -> Result<bool, CycleError> {
        let last = self.store.read().last_accepted_drop(feed).await?;
        let Some(last) = last.filter(|last| last.file_name == drop.shown()) else {
            return Ok(false);
        };
        let taken_at = last.received_at.as_nanosecond();
        if drop.modified().is_none_or(|written| i128::from(written) > taken_at) {
            return Ok(false);
        }
        let limit = cycle.config.feeds.get(feed).map_or(0, |f| f.spec.contract.max_bytes);
        let read = self.inbox.read(drop, move |inbox, drop| inbox.read(drop, limit)).await;
        // What can't be read is told when its turn comes.
        Ok(read.is_ok_and(|(bytes, _)| intake::digest(&bytes) == last.sha256))
    }

    async fn handle(&self, cycle: &Cycle, drop: &Ready) -> Result<(), HandleError> {
        let now = self.now();
        let name = drop.shown();
        if let Some(Unmoved { how, text, .. }) = self.unmoved_before(drop) {
            return self.finish(cycle, drop, how, now, &text).await;
        }
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
        let moved = self.inbox.finish(drop, Vec::new(), how, (&stamp, text)).await;
        let mut unmoved = self.unmoved();
        unmoved.retain(|known| known.drop.name != drop.name);
        moved.map_err(|error| {
            unmoved.push(Unmoved { drop: drop.clone(), how, text: text.to_owned() });
            HandleError::NotMoved(how, error)
        })
    }

    /// What was made of this very file in a round before, where it could not be moved: it is only moved.
    fn unmoved_before(&self, drop: &Ready) -> Option<Unmoved> {
        self.unmoved().iter().find(|known| &known.drop == drop).cloned()
    }

    fn unmoved(&self) -> MutexGuard<'_, Vec<Unmoved>> {
        self.unmoved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A drop that was handled and lies in the inbox still.
#[derive(Debug, Clone)]
pub(super) struct Unmoved {
    drop: Ready,
    how: Handled,
    text: String,
}

#[derive(Debug, thiserror::Error)]
enum HandleError {
    #[error(transparent)]
    Drop(#[from] DropError),
    #[error("it was handled and could not be moved")]
    NotMoved(Handled, #[source] DropError),
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
