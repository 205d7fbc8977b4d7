//! `lapsed status`: whether all is well, and what to do where it is not.

use crate::config::ConnectorSettings;
use crate::control::console::ConsoleError;
use crate::cycle::asked::{is_overdue, is_unsure};
use crate::cycle::carry_out::{health_key, note};
use crate::cycle::confirm::answered_no;
use crate::service::Daemon;
use crate::store::{CaseFilter, DropRecord, DropState, Reader, StepCount, StepFilter};
use crate::views::{AttentionView, ConnectorView, DropView, StatusView};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::facts::{CaseId, CaseState, ConnectorName};
use lapsed_core::guard::Finding;
use lapsed_core::pacing::Breaker;
use lapsed_core::plan::PlanState;
use lapsed_core::step::Cause;
use std::collections::BTreeSet;

/// How many of one kind of trouble are listed one by one.
pub(super) const LISTED: usize = 20;

pub(super) async fn status(daemon: &Daemon) -> Result<StatusView, ConsoleError> {
    let now = daemon.now();
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let cases = read.cases(&CaseFilter::default()).await?;
    let count = |state| cases.iter().filter(|c| c.state == state).count() as u64;
    let connectors = connectors(daemon, &read, now).await?;
    let drops = read.recent_drops(10).await?;
    let pauses = read.pauses().await?;
    let view = StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: cycle.stamp(now),
        running_since: daemon.running_since().map(|at| cycle.stamp(at)),
        deletions_paused: pauses.deletions,
        giving_paused: pauses.giving,
        attention: Vec::new(),
        people: read.people_count().await?,
        scheduled: count(CaseState::Scheduled),
        open: count(CaseState::Open),
        closed: count(CaseState::Closed),
        population: cycle.population().await?,
        drops: drops.iter().map(|drop| drop_view(daemon, drop)).collect(),
        suspended: super::suspensions::suspended(&cycle, &read, now).await?,
        phone_in: super::tickets::phone_in(daemon, &read).await?,
        connectors,
        daemons: super::daemons::daemons(daemon, &read, now).await?,
    };
    let attention = attention(daemon, &read, &view, now).await?;
    Ok(StatusView { attention, ..view })
}

/// What a person has to look at, worst first: what alarms are made of.
pub(crate) async fn attention_now(daemon: &Daemon) -> Result<Vec<AttentionView>, ConsoleError> {
    Ok(status(daemon).await?.attention)
}

async fn connectors(
    daemon: &Daemon,
    read: &Reader<'_>,
    now: Timestamp,
) -> Result<Vec<ConnectorView>, ConsoleError> {
    let today = daemon.cycle().today(now);
    let counts = read.step_counts(today).await?;
    let configured = daemon.connector_names();
    let mut names: BTreeSet<ConnectorName> = configured.iter().cloned().collect();
    names.extend(counts.iter().map(|c| c.connector.clone()));
    let mut views = Vec::new();
    for name in names {
        let trouble = read.setting::<Option<Cause>>(&health_key(&name)).await?;
        let state = match (&trouble, configured.contains(&name)) {
            (_, false) => "not configured",
            (None, true) => "untried",
            (Some(None), true) => "up",
            (Some(Some(_)), true) => "down",
        };
        let view = connector_view(&name, state, trouble.flatten(), &counts);
        let tried_again_at = match daemon.pace.breaker(&name) {
            Breaker::Open { until, .. } => Some(daemon.cycle().stamp(until)),
            Breaker::Closed { .. } => None,
        };
        views.push(ConnectorView { tried_again_at, ..view });
    }
    Ok(views)
}

fn connector_view(
    name: &ConnectorName,
    state: &str,
    trouble: Option<Cause>,
    counts: &[StepCount],
) -> ConnectorView {
    let sum = |wanted: &dyn Fn(&StepCount) -> bool| {
        counts.iter().filter(|c| &c.connector == name && wanted(c)).map(|c| c.steps).sum()
    };
    let under_way =
        |c: &StepCount| matches!(c.state.as_str(), "planned" | "started" | "waiting" | "unknown");
    ConnectorView {
        name: name.to_string(),
        state: state.to_owned(),
        problem: trouble.map(|cause| cause.to_string()),
        tried_again_at: None,
        waiting: sum(&|c| under_way(c) && !c.ahead),
        scheduled: sum(&|c| under_way(c) && c.ahead),
        done: sum(&|c| matches!(c.state.as_str(), "done" | "verified" | "unverified")),
        unverified: sum(&|c| c.state == "unverified"),
        stuck: sum(&|c| matches!(c.state.as_str(), "refused" | "drifted")),
    }
}

fn drop_view(daemon: &Daemon, drop: &DropRecord) -> DropView {
    let number = |key: &str| drop.counts.get(key).and_then(serde_json::Value::as_u64).unwrap_or(0);
    DropView {
        feed: drop.source.to_string(),
        file: drop.file_name.clone(),
        at: daemon.cycle().stamp(drop.received_at),
        state: match drop.state {
            DropState::Accepted => "accepted".into(),
            DropState::Rejected => "rejected".into(),
        },
        taken: number("taken"),
        set_aside: number("set_aside"),
        reason: drop.rejection.clone(),
    }
}

async fn attention(
    daemon: &Daemon,
    read: &Reader<'_>,
    view: &StatusView,
    now: Timestamp,
) -> Result<Vec<AttentionView>, ConsoleError> {
    let mut all = Vec::new();
    held_plans(read, &mut all).await?;
    rejected_plans(read, &mut all).await?;
    stuck_steps(daemon, read, &mut all).await?;
    gone_targets(daemon, read, &mut all, now).await?;
    overdue_forms(read, &mut all).await?;
    for connector in &view.connectors {
        about_connector(connector, &mut all);
    }
    newest_drops(view, &mut all);
    set_asides(read, &mut all).await?;
    super::tickets::attention(daemon, read, view, &mut all, now).await?;
    orders(read, daemon.cycle().today(now), &mut all).await;
    let findings = read.open_access_findings().await?.len();
    if findings > 0 {
        push(
            &mut all,
            "access_findings",
            format!("the nightly audit found {findings} things that nobody has settled"),
            "lapsed findings; mend each, or lapsed findings settle ID --reason …",
        );
    }
    if let Some(paused) = &view.deletions_paused {
        push(
            &mut all,
            "deletions_paused",
            format!("deletions are paused: {paused}"),
            "after a restore-state enter the holds since the copy again; then lapsed resume deletions --reason …",
        );
    }
    if let Some(paused) = &view.giving_paused {
        push(
            &mut all,
            "giving_paused",
            format!("nothing is given: {paused}"),
            "after a restore-state look as docs/operator.md (Backup) says; then lapsed resume giving --reason …",
        );
    }
    if let Some(alarm) = daemon.store.audit_alarm() {
        push(
            &mut all,
            "audit_checkpoint",
            alarm,
            "mend the checkpoint file's place; lapsed audit verify",
        );
    }
    if view.population.is_none() {
        push(
            &mut all,
            "no_baseline",
            "no population has been accepted yet: the guard holds all but a few departures".into(),
            "lapsed adopt --feed FILE, look at the report, then again with --write",
        );
    }
    if daemon.orders_wait().await? {
        push(
            &mut all,
            "orders_unseen",
            "a daemon can't look through the orders in its forms folder: nothing is deleted".into(),
            "its log says which file or folder; mend it, or move the file away",
        );
    }
    for (folder, why) in daemon.folders_unreadable(read).await? {
        push(
            &mut all,
            "folder_unreadable",
            format!("what is dropped into {folder} is not seen: {why}"),
            "mount the disk again, or give the daemon the folder and the file; it looks again at every poll",
        );
    }
    for (feed, problem) in daemon.late_feeds(now).await? {
        push(&mut all, "late_feed", format!("feed {feed}: {problem}"), "ask HR for the file");
    }
    super::daemons::attention(daemon, read, now, &mut all).await?;
    all.extend(super::trouble::troubles(daemon, read, now).await?);
    Ok(all)
}

pub(super) fn push(all: &mut Vec<AttentionView>, kind: &str, what: String, remedy: &str) {
    all.push(AttentionView { kind: kind.into(), what, remedy: remedy.into() });
}

/// Holds whose day to be looked at has come; and that they can be read at all, since nothing is deleted
/// where they can't.
async fn orders(read: &Reader<'_>, today: Date, all: &mut Vec<AttentionView>) {
    let (holds, wishes) = (read.holds().await, read.standing_wishes().await);
    if let Some(error) = holds.as_ref().err().or(wishes.as_ref().err()) {
        push(
            all,
            "orders_unreadable",
            format!("holds or wishes can't be read, so that nothing is deleted: {error}"),
            "look at the daemon's log; restore the tables of the state database from its backup",
        );
    }
    let mut due = holds.unwrap_or_default();
    due.retain(|hold| hold.is_to_be_reviewed(today));
    for hold in due.iter().take(LISTED) {
        let whose = match (hold.person(), hold.population()) {
            (Some(id), _) => match read.person(id).await {
                Ok(Some(person)) => person.shown(),
                _ => id.to_string(),
            },
            (None, Some(population)) => population.describe(),
            (None, None) => String::new(),
        };
        let day = hold.review_on.map(|day| day.to_string()).unwrap_or_default();
        push(
            all,
            "hold_review",
            format!("the hold on {whose} by {} was to be looked at on {day}", hold.authority),
            "ask who ordered it; lapsed hold lift, or place it anew with another --review-on",
        );
    }
}

async fn held_plans(read: &Reader<'_>, all: &mut Vec<AttentionView>) -> Result<(), ConsoleError> {
    for plan in read.plans(&[PlanState::Held]).await? {
        let protected = plan.plan.findings.iter().any(|f| matches!(f, Finding::Protected { .. }));
        let kind = if protected { "protected_departure" } else { "plan_held" };
        let findings: Vec<String> = plan.plan.findings.iter().map(Finding::describe).collect();
        let hash = plan.plan.hash.short();
        all.insert(
            0,
            AttentionView {
                kind: kind.into(),
                what: format!("plan {hash} is held: {}", findings.join("; ")),
                remedy: format!(
                    "lapsed plans show {hash}, then lapsed release {hash} or lapsed reject {hash}"
                ),
            },
        );
    }
    Ok(())
}

async fn rejected_plans(
    read: &Reader<'_>,
    all: &mut Vec<AttentionView>,
) -> Result<(), ConsoleError> {
    let plans = super::trouble::plans_if_rejected(read).await?;
    let rejected = super::trouble::rejections(&plans);
    if rejected.is_empty() {
        return Ok(());
    }
    // What was planned again since, or is off, needs nobody's look.
    let filter = CaseFilter { states: vec![CaseState::Open], ..CaseFilter::default() };
    let open: BTreeSet<CaseId> = read.cases(&filter).await?.iter().map(|case| case.id).collect();
    let stands = rejected.into_iter().filter(|(_, stands)| !stands.is_disjoint(&open));
    for (plan, _) in stands.take(LISTED) {
        let hash = plan.plan.hash.short().to_owned();
        let by = plan.decided_by.as_ref().map(ToString::to_string).unwrap_or_default();
        push(
            all,
            "plan_rejected",
            format!("plan {hash} was rejected by {by}: those people keep their access"),
            "a newer notice from HR, or lapsed depart WHO --now, plans them again",
        );
    }
    Ok(())
}

async fn stuck_steps(
    daemon: &Daemon,
    read: &Reader<'_>,
    all: &mut Vec<AttentionView>,
) -> Result<(), ConsoleError> {
    let cycle = daemon.cycle();
    let filter = StepFilter {
        states: vec!["refused", "drifted", "unverified"],
        limit: Some(LISTED as u64),
        ..StepFilter::default()
    };
    for step in read.steps(&filter).await? {
        let state = step.state.name();
        let desk = cycle.config.connectors.get(&step.step.connector);
        if answered_no(&step.state) && matches!(desk, Some(ConnectorSettings::HelpDesk(_))) {
            push(
                all,
                "ticket_rejected",
                format!("{}: {}", step.step.action.describe(), note(&step.state)),
                "read why at the help desk, see to it in another way, and set the ticket to resolved",
            );
            continue;
        }
        if answered_no(&step.state) {
            push(
                all,
                "form_refused",
                format!("{}: {}", step.step.action.describe(), note(&step.state)),
                "settle it with them; their new answer is filed with lapsed confirm TOKEN --file PATH",
            );
            continue;
        }
        let remedy = match state {
            "refused" => "mend what the target names; the nightly reconcile plans it again",
            "drifted" => "look whose account it is now; lapsed person WHO",
            _ => "look at the target; it is read back again on the configured days",
        };
        push(
            all,
            &format!("step_{state}"),
            format!(
                "{} on {}: {}",
                step.step.action.describe(),
                step.step.connector,
                note(&step.state)
            ),
            remedy,
        );
    }
    Ok(())
}

/// Steps that wait for a target that has not answered for days: nobody must learn of it by chance.
async fn gone_targets(
    daemon: &Daemon,
    read: &Reader<'_>,
    all: &mut Vec<AttentionView>,
    now: Timestamp,
) -> Result<(), ConsoleError> {
    for step in daemon.steps_waiting_too_long(read, now).await?.into_iter().take(LISTED) {
        let since = step.first_started_at.map(|at| daemon.cycle().stamp(at)).unwrap_or_default();
        let what = step.step.action.describe();
        let connector = &step.step.connector;
        push(
            all,
            "target_gone",
            format!("{what} on {connector} is tried since {since}: {}", note(&step.state)),
            "bring the system back, or do it by hand there; it is tried on by itself",
        );
    }
    Ok(())
}

async fn overdue_forms(
    read: &Reader<'_>,
    all: &mut Vec<AttentionView>,
) -> Result<(), ConsoleError> {
    let filter = StepFilter { states: vec!["asked"], ..StepFilter::default() };
    let mut asked = read.steps(&filter).await?;
    let unsure = asked.iter().filter(|s| s.state.receipt().is_some_and(is_unsure));
    for stored in unsure.take(LISTED) {
        let what = stored.step.action.describe();
        push(
            all,
            "form_unverified",
            format!("{what}: {}", note(&stored.state)),
            "call them; the next reminder says it all again, and lapsed confirm TOKEN --file PATH files their answer",
        );
    }
    asked.retain(|stored| stored.state.receipt().is_some_and(is_overdue));
    for stored in asked.iter().take(LISTED) {
        let what = stored.step.action.describe();
        push(
            all,
            "form_overdue",
            format!("{what}: {}", note(&stored.state)),
            "call them; their answer is filed with lapsed confirm TOKEN --file PATH",
        );
    }
    Ok(())
}

fn about_connector(connector: &ConnectorView, all: &mut Vec<AttentionView>) {
    match connector.state.as_str() {
        "down" => push(
            all,
            "connector_down",
            format!(
                "connector {} does not answer ({} steps wait{}): {}",
                connector.name,
                connector.waiting,
                again(connector),
                connector.problem.clone().unwrap_or_default()
            ),
            "lapsed check; nothing is lost, it is tried again by itself",
        ),
        "not configured" if connector.waiting > 0 => push(
            all,
            "connector_missing",
            format!(
                "{} steps are due and need the connector {}, which is not configured",
                connector.waiting, connector.name
            ),
            "configure it under connectors, or do it by hand",
        ),
        _ => {}
    }
}

fn again(connector: &ConnectorView) -> String {
    let at = connector.tried_again_at.as_ref();
    at.map(|at| format!("; left alone until {at}")).unwrap_or_default()
}

/// Of each feed only the newest drop counts: a good one after a bad one has settled it.
fn newest_drops(view: &StatusView, all: &mut Vec<AttentionView>) {
    let mut seen = BTreeSet::new();
    for drop in &view.drops {
        if seen.insert(&drop.feed) && drop.state == "rejected" {
            push(
                all,
                "drop_rejected",
                format!("{} was rejected: {}", drop.file, drop.reason.clone().unwrap_or_default()),
                "ask HR for a new file; the reasons lie beside the rejected one",
            );
        }
    }
}

async fn set_asides(read: &Reader<'_>, all: &mut Vec<AttentionView>) -> Result<(), ConsoleError> {
    let open = read.open_set_asides().await?.len();
    if open > 0 {
        push(
            all,
            "set_aside",
            format!(
                "{open} {} set aside",
                if open == 1 { "row or person is" } else { "rows or people are" }
            ),
            "lapsed set-aside list",
        );
    }
    Ok(())
}
