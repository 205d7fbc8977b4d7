//! Turns: what only one of several daemons on a database does at a time, planning above all.

use super::Daemon;
use super::run::log_failure;
use crate::cycle::CycleError;
use jiff::SignedDuration;
use std::sync::atomic::Ordering;

impl Daemon {
    /// Of several daemons on one database, one plans at a time; a turn that is not renewed passes on.
    pub(super) async fn has_the_turn(&self) -> Result<bool, CycleError> {
        if !self.store.is_shared() {
            return Ok(true);
        }
        let now = self.shared_now();
        let seconds = i64::from(self.cycle().config.execution.lease_seconds);
        let until = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
        Ok(self.store.take_turn("plan", &self.owner, now, until).await?)
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
            self.store.ask_for_turn("plan", &self.owner).await?;
            self.wake_others();
        }
        Ok(())
    }

    async fn something_lies_in_its_folders(&self) -> bool {
        let inbox = self.cycle().config.inbox.clone();
        let mut folders = vec![inbox.folder.as_path().to_owned()];
        folders.extend(inbox.confirmations.map(|of| of.folder.as_path().to_owned()));
        folders.extend(inbox.forms.map(|of| of.folder.as_path().to_owned()));
        let look = move || {
            folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).any(|names| {
                names.flatten().any(|entry| {
                    let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
                    is_file && !entry.file_name().as_encoded_bytes().starts_with(b".")
                })
            })
        };
        tokio::task::spawn_blocking(look).await.unwrap_or(false)
    }
}
