//! What the clock strikes: the nightly reconcile, the later looks, the nightly audit and the reports. Of
//! several daemons whose clocks strike, one does what is to be done once.

use super::run::log_failure;
use super::{Daemon, wake};
use crate::config::CronPattern;
use crate::cycle::access::changes::Marks;
use crate::cycle::{CycleError, DAEMON};
use crate::reports::due::Recurring;
use lapsed_core::policy::access::ReportRules;
use std::sync::Arc;
use std::time::Duration;

/// The nightly reconcile and the later looks at what was done.
pub(super) async fn keeping_time(daemon: Arc<Daemon>) {
    let zone = daemon.cycle().config.time_zone.clone();
    let full = async {
        loop {
            wake::next(
                &daemon,
                || Some(daemon.cycle().config.schedule.full_reconcile.clone()),
                &zone,
            )
            .await;
            if !daemon.is_the_one("reconcile").await {
                continue;
            }
            match daemon.store.mark_departed_to_decide(daemon.now()).await {
                Ok(people) => {
                    tracing::info!(people, "nightly reconcile");
                    daemon.decide.notify_one();
                }
                Err(error) => log_failure("nightly reconcile", &error.into()),
            }
        }
    };
    let recheck = async {
        loop {
            wake::next(&daemon, || Some(daemon.cycle().config.schedule.recheck.clone()), &zone)
                .await;
            let executor = daemon.executor();
            if !daemon.is_the_one("recheck").await {
                continue;
            }
            if let Err(error) = daemon.fenced(executor.recheck()).await {
                log_failure("reading back", &error);
            }
            daemon.wake();
        }
    };
    let audit = async {
        loop {
            wake::next(&daemon, || nightly_pattern(&daemon), &zone).await;
            if !daemon.is_the_one("nightly audit").await {
                continue;
            }
            let cycle = daemon.cycle();
            let _turn = daemon.auditing.lock().await;
            match daemon.fenced(cycle.audit_access(daemon.now())).await {
                Ok(nightly) => {
                    tracing::info!(new = nightly.new, gone = nightly.gone, "nightly audit");
                    daemon.wake();
                }
                Err(error) => log_failure("auditing access", &error),
            }
        }
    };
    let changes = async {
        let mut marks = Marks::default();
        loop {
            between_looks(&daemon).await;
            // Where it is another's turn, its own marks stay: they say from where it has to go on.
            if !daemon.is_the_one("look at changes").await {
                continue;
            }
            let cycle = daemon.cycle();
            let _turn = daemon.auditing.lock().await;
            match daemon.fenced(cycle.audit_changes(&mut marks, daemon.now())).await {
                Ok(looked) if looked.new + looked.gone > 0 => {
                    tracing::info!(new = looked.new, gone = looked.gone, "look at changes");
                    daemon.wake();
                }
                Ok(_) => {}
                Err(error) => log_failure("looking at changes", &error),
            }
        }
    };
    let rosters = recurring(&daemon, Recurring::Rosters, |rules| &rules.roster_at);
    let yearly = recurring(&daemon, Recurring::Yearly, |rules| &rules.yearly_at);
    tokio::join!(full, recheck, audit, changes, rosters, yearly);
}

/// Makes a report whenever it is due, also when its moment came while nobody was there for it.
async fn recurring(daemon: &Arc<Daemon>, report: Recurring, at: fn(&ReportRules) -> &String) {
    loop {
        if let Some(pattern) = report_pattern(daemon, at)
            && let Err(error) = daemon.fenced(make_if_due(daemon, report, &pattern)).await
        {
            log_failure("making reports", &error);
        }
        tokio::time::sleep(wake::LONGEST_SLEEP).await;
    }
}

async fn make_if_due(
    daemon: &Daemon,
    report: Recurring,
    pattern: &CronPattern,
) -> Result<(), CycleError> {
    let (cycle, now) = (daemon.cycle(), daemon.now());
    if !cycle.is_due(report, pattern, now).await? || !daemon.is_the_one(report.name()).await {
        return Ok(());
    }
    // Another may have made it between the two questions.
    if !cycle.is_due(report, pattern, now).await? {
        return Ok(());
    }
    let made = match report {
        Recurring::Rosters => cycle.write_rosters(DAEMON, now).await,
        // In April the report is of the year before.
        Recurring::Yearly => {
            cycle.write_yearly(cycle.today(now).year().saturating_sub(1), DAEMON, now).await
        }
    };
    match made {
        // Of a folder that can't be written to somebody is told; the mails went.
        Ok(_) | Err(CycleError::Rule(_)) => cycle.was_made(report, pattern, now).await?,
        Err(_) => {}
    }
    made.map(drop)
}

/// When a report is made; never where it has nowhere to go.
fn report_pattern(daemon: &Daemon, of: fn(&ReportRules) -> &String) -> Option<CronPattern> {
    let cycle = daemon.cycle();
    let rules = &cycle.config.policy.access.reports;
    if rules.folder.is_none() && cycle.config.notices.is_none() {
        return None;
    }
    CronPattern::new(of(rules)).ok()
}

/// Waits until it is time to look at what changed; for ever where that is never done.
async fn between_looks(daemon: &Daemon) {
    let minutes = || u64::from(daemon.cycle().config.policy.access.audit.changes_minutes);
    let mut waited = Duration::ZERO;
    while minutes() == 0 || waited < Duration::from_secs(minutes() * 60) {
        tokio::time::sleep(wake::LONGEST_SLEEP).await;
        waited += wake::LONGEST_SLEEP;
    }
}

/// When the nightly audit runs; a pattern that is none, or empty, never comes.
fn nightly_pattern(daemon: &Daemon) -> Option<CronPattern> {
    CronPattern::new(&daemon.cycle().config.policy.access.audit.at).ok()
}
