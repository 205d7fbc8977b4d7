//! What wakes the rounds: the kernel's word on the inbox, the clock, and the control socket.

use super::Daemon;
use crate::config::CronPattern;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// No sleep is longer: a clock that is set, or a laptop's lid, must not lose a day.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Watches the inbox. The kernel's word is a hint only: network file systems give none, and polling
/// finds what it missed. The disk may hang at this, too: nothing but the hints waits for it.
pub(super) async fn watch(folder: PathBuf) -> Option<Watched> {
    tokio::task::spawn_blocking(move || watch_now(&folder)).await.ok().flatten()
}

/// What watches, for as long as it is kept, and the names that it tells.
type Watched = (RecommendedWatcher, mpsc::UnboundedReceiver<OsString>);

fn watch_now(folder: &Path) -> Option<Watched> {
    let (sender, receiver) = mpsc::unbounded_channel();
    let report = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return };
        let is_complete = matches!(
            event.kind,
            EventKind::Access(AccessKind::Close(AccessMode::Write))
                | EventKind::Modify(ModifyKind::Name(RenameMode::To))
        );
        if !is_complete {
            return;
        }
        for name in event.paths.iter().filter_map(|path| path.file_name()) {
            // The receiver is gone only when the daemon stops.
            let _ = sender.send(name.to_owned());
        }
    };
    let mut watcher = notify::recommended_watcher(report).ok()?;
    match watcher.watch(folder, RecursiveMode::NonRecursive) {
        Ok(()) => Some((watcher, receiver)),
        Err(error) => {
            tracing::warn!(%error, "the inbox can't be watched; it is polled");
            None
        }
    }
}

/// Sleeps until the pattern's next moment in the agency's zone, in short naps, so that a clock that
/// jumps is noticed. Returns the moment that came.
pub(super) async fn next(
    daemon: &Arc<Daemon>,
    pattern: impl Fn() -> Option<CronPattern>,
    zone: &TimeZone,
) -> Timestamp {
    let mut before = daemon.now();
    let mut due = next_of(&pattern(), before, zone);
    loop {
        let now = daemon.now();
        if was_set_back(before, now) {
            due = next_of(&pattern(), now, zone);
        }
        before = now;
        match due {
            Some(at) if at <= now => return at,
            Some(at) => {
                let left = Duration::try_from(at.duration_since(now)).unwrap_or(LONGEST_SLEEP);
                tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
            }
            None => {
                tokio::time::sleep(LONGEST_SLEEP).await;
                due = next_of(&pattern(), daemon.now(), zone);
            }
        }
    }
}

/// After a clock that was set back, what is due in a year may be due tonight. A clock that is being put right
/// by less strikes no hour twice.
fn was_set_back(before: Timestamp, now: Timestamp) -> bool {
    before.duration_since(now) > SignedDuration::from_mins(5)
}

fn next_of(pattern: &Option<CronPattern>, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    pattern.as_ref()?.next_after(&now.to_zoned(zone.clone())).map(|at| at.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::goes_on(10, false)]
    #[case::put_right(-60, false)]
    #[case::an_hour_back(-3_600, true)]
    #[case::a_year_back(-31_536_000, true)]
    fn a_clock_that_was_set_back_far_is_noticed(#[case] seconds: i64, #[case] expected: bool) {
        let before: Timestamp = "2026-11-22T07:00:00Z".parse().unwrap();
        let now = before + SignedDuration::from_secs(seconds);
        assert_eq!(was_set_back(before, now), expected);
    }
}
