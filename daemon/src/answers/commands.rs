//! Holds, the pause of deletions, and settling what was set aside.

use super::people::hold_line;
use super::the_person;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::carry_out::PAUSED;
use crate::service::Daemon;
use crate::store::AuditEntry;
use crate::views::{
    DoneView, HoldRequest, HoldView, HoldsView, LiftRequest, PauseRequest, SettleRequest,
};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Hold, Person, UserId};
use lapsed_core::mask::mask;
use serde_json::json;

pub(super) async fn holds(daemon: &Daemon) -> Result<HoldsView, ConsoleError> {
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let mut holds = Vec::new();
    for hold in read.holds().await? {
        let person = read.person(hold.person).await?;
        holds.push(HoldView {
            person: person.map(|p| p.shown()).unwrap_or_else(|| hold.person.to_string()),
            authority: hold.authority.clone(),
            reason: hold.reason.clone(),
            placed: format!("{} by {}", cycle.shown_time(hold.placed_at), hold.placed_by),
            review_on: hold.review_on.map(|d| d.to_string()),
        });
    }
    Ok(HoldsView { holds })
}

pub(super) async fn hold(
    daemon: &Daemon,
    caller: &Caller,
    request: HoldRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered the hold", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let person = the_person(daemon, &request.person).await?;
    let now = daemon.now();
    let hold = Hold {
        person: person.id,
        authority: request.authority,
        reason: mask(&request.reason),
        placed_at: now,
        placed_by: caller.name.clone(),
        review_on: request.review_on,
        lifted_at: None,
    };
    let mut tx = daemon.store.begin().await?;
    tx.save_hold(&hold).await?;
    tx.audit(entry(
        daemon,
        caller,
        Some(&person),
        "hold.placed",
        json!({ "authority": hold.authority, "reason": hold.reason }),
    ));
    tx.commit().await?;
    Ok(DoneView {
        message: format!(
            "hold placed: nothing of {} is deleted while it stands ({})",
            person.shown(),
            hold_line(&daemon.cycle(), &hold)
        ),
    })
}

pub(super) async fn lift(
    daemon: &Daemon,
    caller: &Caller,
    request: LiftRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered the lifting", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let person = the_person(daemon, &request.person).await?;
    let now = daemon.now();
    let standing: Vec<Hold> = daemon
        .store
        .read()
        .holds_of(person.id)
        .await?
        .into_iter()
        .filter(|h| h.lifted_at.is_none())
        .collect();
    if standing.is_empty() {
        return Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("no hold stands for {}", person.shown()),
            "lapsed hold list shows those that do",
        ));
    }
    // Whoever ordered a hold has it lifted; another authority's stays.
    let theirs = |hold: &Hold| hold.authority.trim().eq_ignore_ascii_case(request.authority.trim());
    let (standing, others): (Vec<Hold>, Vec<Hold>) = standing.into_iter().partition(theirs);
    if standing.is_empty() {
        let ordered: Vec<String> = others.iter().map(|hold| hold.authority.clone()).collect();
        return Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("no hold of {} was ordered by {}", person.shown(), request.authority),
            format!("give --authority as it stands on the hold: {}", ordered.join(", ")),
        ));
    }
    let mut tx = daemon.store.begin().await?;
    for hold in &standing {
        tx.save_hold(&Hold { lifted_at: Some(now), ..hold.clone() }).await?;
    }
    tx.audit(entry(
        daemon,
        caller,
        Some(&person),
        "hold.lifted",
        json!({ "authority": request.authority, "reason": mask(&request.reason), "holds": standing.len() }),
    ));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "{} hold(s) of {} lifted; {}",
            standing.len(),
            person.shown(),
            match others.len() {
                0 => "deletions that are due go on".to_owned(),
                count => format!("{count} of another authority still stand, so nothing is deleted"),
            }
        ),
    })
}

pub(super) async fn pause(
    daemon: &Daemon,
    caller: &Caller,
    request: PauseRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let now = daemon.now();
    let since = daemon.cycle().shown_time(now);
    let text = format!("by {} since {since}: {}", caller.name, mask(&request.reason));
    let mut tx = daemon.store.begin().await?;
    tx.set_setting(PAUSED, &Some(&text)).await?;
    tx.audit(entry(
        daemon,
        caller,
        None,
        "deletions.paused",
        json!({ "reason": mask(&request.reason) }),
    ));
    tx.commit().await?;
    Ok(DoneView {
        message: "deletions are paused: none is begun until lapsed resume deletions. Accounts are still shut."
            .into(),
    })
}

pub(super) async fn resume(
    daemon: &Daemon,
    caller: &Caller,
    request: PauseRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let mut tx = daemon.store.begin().await?;
    tx.set_setting(PAUSED, &None::<String>).await?;
    tx.audit(entry(
        daemon,
        caller,
        None,
        "deletions.resumed",
        json!({ "reason": mask(&request.reason) }),
    ));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView { message: "deletions go on: what is due is begun now".into() })
}

pub(super) async fn settle(
    daemon: &Daemon,
    caller: &Caller,
    request: SettleRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let now = daemon.now();
    let open = daemon.store.read().open_set_asides().await?;
    let mut named: Vec<_> =
        open.into_iter().filter(|a| a.id.to_string().starts_with(&request.id)).collect();
    let (Some(mut aside), true) = (named.pop(), named.is_empty()) else {
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("not exactly one open entry has the id {:?}", request.id),
            "lapsed set-aside list shows them",
        ));
    };
    aside.settled_at = Some(now);
    let mut tx = daemon.store.begin().await?;
    tx.set_aside(&[aside.clone()]).await?;
    tx.audit(entry(
        daemon,
        caller,
        None,
        "set_aside.settled",
        json!({ "id": aside.id, "who": aside.who, "reason": mask(&request.reason) }),
    ));
    tx.commit().await?;
    Ok(DoneView { message: "settled; it is no longer listed".into() })
}

fn needed(text: &str, what: &str, flag: &str) -> Result<(), ConsoleError> {
    if text.trim().is_empty() {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            format!("{what} is needed"),
            format!("add {flag} \"…\""),
        ));
    }
    Ok(())
}

fn entry(
    daemon: &Daemon,
    caller: &Caller,
    person: Option<&Person>,
    event: &str,
    detail: serde_json::Value,
) -> AuditEntry {
    let rule = if event.starts_with("hold") { Rule::D6 } else { Rule::P3 };
    AuditEntry {
        person: person.map(|p| p.id),
        user_id: person.and_then(|p| UserId::new(p.shown()).ok()),
        clause: Some(daemon.cycle().config.policy.citations.cite(rule)),
        detail,
        ..AuditEntry::new(daemon.now(), caller.name.as_str(), event)
    }
}
