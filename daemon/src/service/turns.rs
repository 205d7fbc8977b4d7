//! Turns: what only one of several daemons on a database does at a time, planning above all.

use super::Daemon;
use super::run::log_failure;
use crate::cycle::CycleError;
use jiff::SignedDuration;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Whether this process is planning, and so keeps the turn.
#[derive(Debug, Default)]
pub(super) struct Planning {
    /// Asking for the turn, one after another.
    line: Mutex<()>,
    rounds: AtomicUsize,
}

/// A round of planning under way: the turn stays with this daemon until it is dropped.
#[derive(Debug)]
#[must_use = "the turn may be given away as soon as this is dropped"]
pub(super) struct PlanningRound<'a>(&'a Planning);

impl Drop for PlanningRound<'_> {
    fn drop(&mut self) {
        self.0.rounds.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Daemon {
    /// Of several daemons on one database, one plans at a time, as long as it is there. It gives the turn to
    /// another that has asked for it between two rounds, never within one.
    pub(super) async fn turn_to_plan(&self) -> Result<Option<PlanningRound<'_>>, CycleError> {
        let planning = &self.planning;
        let _line = planning.line.lock().await;
        let busy = planning.rounds.load(Ordering::Relaxed) > 0;
        if self.store.is_shared()
            && !self.store.take_planning(&self.owner, self.shared_now(), busy).await?
        {
            return Ok(None);
        }
        planning.rounds.fetch_add(1, Ordering::Relaxed);
        Ok(Some(PlanningRound(planning)))
    }

    /// The turn for a process that will not come back for it: asked for, and waited for a while.
    pub(super) async fn turn_before_the_end(
        &self,
    ) -> Result<Option<PlanningRound<'_>>, CycleError> {
        const PAUSE: Duration = Duration::from_millis(200);
        // The turn of one that died is free after the time in which it counts as there, and a moment.
        let takeover = self.cycle().config.execution.takeover_seconds;
        let patience = Duration::from_secs(20 + 2 * u64::from(takeover));
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if let Some(turn) = self.turn_to_plan().await? {
                return Ok(Some(turn));
            }
            self.ask_for_the_turn().await?;
            tokio::time::sleep(PAUSE).await;
        }
        tracing::warn!("another daemon plans; of this round only what is due is carried out");
        Ok(None)
    }

    /// Of several daemons whose clocks strike, one does what is to be done once.
    pub(super) async fn is_the_one(&self, what: &str) -> bool {
        /// Longer than the clocks of machines differ, and shorter than the time between two of a pattern.
        const AWHILE: SignedDuration = SignedDuration::from_mins(10);
        if !self.store.is_shared() {
            return true;
        }
        let now = self.shared_now();
        let until = now.checked_add(AWHILE).unwrap_or(now);
        match self.store.take_turn(what, &self.owner, now, until).await {
            Ok(mine) => mine,
            Err(error) => {
                log_failure("asking whose turn it is", &error.into());
                false
            }
        }
    }

    /// What lies in this machine's folders may be seen by this daemon only. Where the one that plans has
    /// not taken it by the second round, the turn is asked for.
    pub(super) async fn ask_for_the_turn_if_needed(&self) -> Result<(), CycleError> {
        if !self.something_lies_in_its_folders().await {
            self.without_turn.store(0, Ordering::Relaxed);
        } else if self.without_turn.fetch_add(1, Ordering::Relaxed) > 0 {
            self.ask_for_the_turn().await?;
        }
        Ok(())
    }

    /// The others are woken for a wish that is new only: two that wait would wake each other without end.
    async fn ask_for_the_turn(&self) -> Result<(), CycleError> {
        if self.store.ask_for_turn("plan", &self.owner).await? {
            self.wake_others();
        }
        Ok(())
    }

    async fn something_lies_in_its_folders(&self) -> bool {
        for folder in self.folders() {
            if folder.has_files().await {
                return true;
            }
        }
        false
    }
}
