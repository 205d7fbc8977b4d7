//! Which daemons share the state, and what a person has to know about them.

use super::status::push;
use crate::control::console::ConsoleError;
use crate::service::Daemon;
use crate::store::{DaemonRecord, Reader};
use crate::views::{AttentionView, DaemonView};
use jiff::{SignedDuration, Timestamp};

/// The daemons of a shared state; none where the state is one machine's own.
pub(super) async fn daemons(
    daemon: &Daemon,
    read: &Reader<'_>,
    now: Timestamp,
) -> Result<Vec<DaemonView>, ConsoleError> {
    if !daemon.store.is_shared() {
        return Ok(Vec::new());
    }
    let plans = read.whose_turn("plan", now).await?;
    let cycle = daemon.cycle();
    let view = |record: DaemonRecord| DaemonView {
        this: record.name == daemon.owner(),
        plans: record.runs() && plans.as_ref() == Some(&record.name),
        since: cycle.stamp(record.started_at),
        heard_at: cycle.stamp(record.seen_at),
        name: record.name,
        version: record.version,
        state: record.state,
    };
    Ok(read.daemons().await?.into_iter().map(view).collect())
}

/// Daemons that others had to take over from, and a clock that differs from the database's.
pub(super) async fn attention(
    daemon: &Daemon,
    read: &Reader<'_>,
    now: Timestamp,
    all: &mut Vec<AttentionView>,
) -> Result<(), ConsoleError> {
    if !daemon.store.is_shared() {
        return Ok(());
    }
    let rules = &daemon.cycle().config.execution;
    let days = i64::from(rules.stuck_days).saturating_mul(24);
    let long_ago = now.checked_sub(SignedDuration::from_hours(days)).unwrap_or(Timestamp::MIN);
    let gone = |record: &DaemonRecord| record.state == "taken over" && record.seen_at > long_ago;
    for record in read.daemons().await?.iter().filter(|record| gone(record)) {
        push(
            all,
            "daemon_silent",
            format!(
                "the daemon {} was last heard of at {}; the others do its work",
                record.name,
                daemon.cycle().stamp(record.seen_at)
            ),
            "look at its machine, its log and its way to the database; start it again",
        );
    }
    let apart = daemon.fence.ahead().as_secs().unsigned_abs();
    if apart >= u64::from(rules.takeover_seconds) {
        push(
            all,
            "clock_differs",
            format!("this machine's clock and the database's are {apart} seconds apart"),
            "mend the time service (NTP) of the machine or of the database server",
        );
    }
    Ok(())
}
