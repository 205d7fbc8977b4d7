//! Suspensions: ordered, lifted and listed (S1 to S3).

use super::commands::{cited, needed};
use super::people::word;
use super::{notices, the_person};
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::service::Daemon;
use crate::store::{Reader, StepFilter};
use crate::views::{DoneView, SuspendRequest, SuspensionView, SuspensionsView, UnsuspendRequest};
use jiff::Timestamp;
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::{ConnectorName, Person, PersonId};
use lapsed_core::mask::mask;
use lapsed_core::plan::PlanState;
use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;

pub(super) async fn suspensions(daemon: &Daemon) -> Result<SuspensionsView, ConsoleError> {
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let now = daemon.now();
    let mut views = Vec::new();
    for suspension in read.unfinished_suspensions().await? {
        let person = read.person(suspension.person).await?;
        let shown = person.map_or_else(|| suspension.person.to_string(), |p| p.shown());
        views.push(view(&cycle, &read, shown, &suspension, now).await?);
    }
    Ok(SuspensionsView { suspensions: views })
}

/// How many people's access is stopped now.
pub(super) async fn suspended(
    cycle: &Cycle,
    read: &Reader<'_>,
    now: Timestamp,
) -> Result<u64, ConsoleError> {
    let today = cycle.today(now);
    let standing = read.standing_suspensions().await?;
    let people: BTreeSet<PersonId> =
        standing.iter().filter(|s| s.stands(today)).map(|s| s.person).collect();
    Ok(people.len() as u64)
}

/// A person's suspensions for `lapsed person`.
pub(super) async fn lines(
    cycle: &Cycle,
    read: &Reader<'_>,
    person: PersonId,
    now: Timestamp,
) -> Result<Vec<String>, ConsoleError> {
    let mut lines = Vec::new();
    for suspension in read.suspensions_of(&[person]).await? {
        let one = view(cycle, read, String::new(), &suspension, now).await?;
        let places = match one.connectors.is_empty() {
            true => "everywhere".to_owned(),
            false => one.connectors.join(", "),
        };
        let until = one.ends_on.map(|day| format!(", until {day}")).unwrap_or_default();
        let lifted = match (suspension.lifted_at, suspension.lifted_because) {
            (Some(at), because) => {
                format!("; lifted {}: {}", cycle.shown_time(at), because.unwrap_or_default())
            }
            (None, _) => String::new(),
        };
        lines.push(format!(
            "{} ({}), {places}, by {}: {}; placed {}{until}{lifted}",
            one.kind,
            one.state,
            one.authority,
            one.reason,
            cycle.shown_time(suspension.placed_at),
        ));
    }
    Ok(lines)
}

async fn view(
    cycle: &Cycle,
    read: &Reader<'_>,
    person: String,
    suspension: &Suspension,
    now: Timestamp,
) -> Result<SuspensionView, ConsoleError> {
    Ok(SuspensionView {
        id: suspension.id.to_string(),
        person,
        kind: word(&suspension.kind),
        connectors: suspension.connectors.iter().map(ToString::to_string).collect(),
        authority: suspension.authority.clone(),
        reason: suspension.reason.clone(),
        placed: cycle.stamp(suspension.placed_at),
        starts_on: suspension.starts_on.map(|day| day.to_string()),
        ends_on: suspension.ends_on.map(|day| day.to_string()),
        form: suspension.form,
        state: state(read, suspension, cycle.today(now)).await?.to_owned(),
    })
}

async fn state(
    read: &Reader<'_>,
    suspension: &Suspension,
    today: jiff::civil::Date,
) -> Result<&'static str, ConsoleError> {
    if suspension.over_at.is_some() {
        return Ok("over");
    }
    if suspension.lifted_at.is_some() {
        return Ok("lifted");
    }
    if !suspension.stands(today) {
        return Ok("ahead");
    }
    let case = suspension.case();
    let held = read.plans(&[PlanState::Held]).await?;
    if held.iter().any(|plan| plan.plan.steps.iter().any(|step| step.case == case)) {
        return Ok("held");
    }
    if read.case(case).await?.is_none() {
        return Ok("stopping");
    }
    let filter = StepFilter { cases: vec![case], ended: Some(false), ..StepFilter::default() };
    Ok(if read.steps(&filter).await?.is_empty() { "stopped" } else { "stopping" })
}

pub(super) async fn suspend(
    daemon: &Daemon,
    caller: &Caller,
    request: SuspendRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered it", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let cycle = daemon.cycle();
    let kind = if request.leave { SuspensionKind::Leave } else { SuspensionKind::Order };
    if request.until.is_some() && kind == SuspensionKind::Order {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            "an order has no last day: only an order lifts it",
            "leave --until out, and lift it by lapsed unsuspend",
        ));
    }
    let named = connectors(&cycle, &request.systems)?;
    let found = notices::whom(daemon, &request.person).await?;
    let now = daemon.now();
    let mut tx = daemon.store.begin().await?;
    let person = current(&tx.read(), found).await?;
    let suspension = Suspension {
        id: Uuid::now_v7(),
        person: person.id,
        kind,
        connectors: cycle.stopped_by_default(named, kind),
        starts_on: request.from,
        ends_on: request.until,
        authority: mask(&request.authority),
        reason: mask(&request.reason),
        form: None,
        placed_at: now,
        lifted_at: None,
        lifted_because: None,
        placed_by: Some(caller.name.clone()),
        by_feed: None,
        feed_moved_on: false,
        over_at: None,
    };
    tx.save_person(&person).await?;
    cycle.note_suspension(&mut tx, &person, &suspension, caller.name.as_str(), now);
    let is_ahead = !suspension.stands(cycle.today(now));
    tx.save_suspensions(&[(suspension, Some(now))]).await?;
    tx.commit().await?;
    daemon.wake();
    let shown = person.shown();
    let when = match (is_ahead, request.from) {
        (true, Some(day)) => format!("stops on {day}"),
        _ => "stops now".to_owned(),
    };
    Ok(DoneView {
        message: format!(
            "access of {shown} {when} ({}); nothing is deleted. Watch it with: lapsed suspensions",
            kind.noun()
        ),
    })
}

/// The person as they are by now, with the accounts just found.
async fn current(read: &Reader<'_>, found: Person) -> Result<Person, ConsoleError> {
    let mut person = read.person(found.id).await?.unwrap_or_else(|| found.clone());
    for link in found.accounts {
        if !person.accounts.contains(&link) {
            person.accounts.push(link);
        }
    }
    Ok(person)
}

fn connectors(cycle: &Cycle, names: &[String]) -> Result<Vec<ConnectorName>, ConsoleError> {
    let systems = &cycle.config.policy.access.systems;
    let one = |name: &String| {
        let wanted = name.trim().to_lowercase();
        let system = systems.iter().find(|(known, _)| known.folded() == wanted);
        if let Some(connector) = system.and_then(|(_, rule)| rule.connector.clone()) {
            return Ok(connector);
        }
        let connector = cycle.config.connectors.keys().find(|known| known.folded() == wanted);
        connector.cloned().ok_or_else(|| {
            ConsoleError::new(
                ErrorKind::NotFound,
                format!("no system or connector that lapsed can stop is called {name:?}"),
                "give one of those under access.systems or connectors in the configuration; who gives access by \
                 hand has to be asked to stop it",
            )
        })
    };
    names.iter().map(one).collect()
}

pub(super) async fn unsuspend(
    daemon: &Daemon,
    caller: &Caller,
    request: UnsuspendRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered it", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let person = the_person(daemon, &request.person).await?;
    let cycle = daemon.cycle();
    let now = daemon.now();
    let mut tx = daemon.store.begin().await?;
    let mut standing = tx.read().suspensions_of(&[person.id]).await?;
    standing.retain(|suspension| suspension.lifted_at.is_none());
    let standing = of_one_kind(standing, request.kind.as_deref(), &person)?;
    let why = format!("{}: {}", mask(&request.authority), mask(&request.reason));
    let rule = standing.first().map_or(SuspensionKind::Order, |s| s.kind).rule();
    let count = standing.len();
    for suspension in standing {
        cycle.lift(&mut tx, suspension, caller.name.as_str(), &why, now).await?;
    }
    let detail = json!({
        "authority": mask(&request.authority), "reason": mask(&request.reason), "suspensions": count,
    });
    tx.audit(cited(daemon, &caller.name, rule, Some(&person), ("suspension.lift_ordered", detail)));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "{count} suspension(s) of {} lifted; what they shut, and nothing else stops, is opened again",
            person.shown()
        ),
    })
}

fn of_one_kind(
    mut standing: Vec<Suspension>,
    kind: Option<&str>,
    person: &Person,
) -> Result<Vec<Suspension>, ConsoleError> {
    if let Some(kind) = kind {
        standing.retain(|suspension| word(&suspension.kind) == kind.trim().to_lowercase());
    }
    let kinds: BTreeSet<String> = standing.iter().map(|s| word(&s.kind)).collect();
    match kinds.len() {
        0 => Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("no such suspension stands for {}", person.shown()),
            "lapsed suspensions shows those that do",
        )),
        1 => Ok(standing),
        _ => Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("suspensions of several kinds stand for {}", person.shown()),
            format!("name one by --kind: {}", kinds.into_iter().collect::<Vec<_>>().join(", ")),
        )),
    }
}
