//! Pauses, and settling what was set aside.

use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::service::Daemon;
use crate::store::{AuditEntry, FormFilter, Pausable};
use crate::views::{DoneView, PauseRequest, SettleRequest};
use lapsed_core::access::form::FormState;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Actor, Person, UserId};
use lapsed_core::mask::mask;
use serde_json::json;

pub(super) async fn pause(
    daemon: &Daemon,
    caller: &Caller,
    request: PauseRequest,
    what: Pausable,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let since = daemon.cycle().shown_time(daemon.now());
    let reason = mask(&request.reason);
    let mut tx = daemon.store.begin().await?;
    tx.pause(what, &format!("by {} since {since}: {reason}", caller.name)).await?;
    let event = format!("{}.paused", what.name());
    tx.audit(entry(daemon, caller, None, &event, json!({ "reason": reason })));
    tx.commit().await?;
    let message = match what {
        Pausable::Deletions => {
            "deletions are paused: none is begun until lapsed resume deletions. Accounts are still shut."
        }
        Pausable::Giving => "nothing is given until lapsed resume giving; access still ends",
    };
    Ok(DoneView { message: message.into() })
}

pub(super) async fn resume(
    daemon: &Daemon,
    caller: &Caller,
    request: PauseRequest,
    what: Pausable,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let mut tx = daemon.store.begin().await?;
    tx.resume(what).await?;
    let event = format!("{}.resumed", what.name());
    tx.audit(entry(daemon, caller, None, &event, json!({ "reason": mask(&request.reason) })));
    tx.commit().await?;
    daemon.wake();
    let message = match what {
        Pausable::Deletions => "deletions go on: what is due is begun now",
        Pausable::Giving => "giving goes on: what was approved is given now",
    };
    Ok(DoneView { message: message.into() })
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
    // What held a form up may be out of the way now.
    let approved = FormFilter { states: vec![FormState::Approved], ..FormFilter::default() };
    let held: Vec<_> = tx.read().access_forms(&approved).await?.iter().map(|f| f.person).collect();
    tx.look_at_access_of(&held).await?;
    tx.audit(entry(
        daemon,
        caller,
        None,
        "set_aside.settled",
        json!({ "id": aside.id, "who": aside.who, "reason": mask(&request.reason) }),
    ));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView { message: "settled; it is no longer listed".into() })
}

pub(super) fn needed(text: &str, what: &str, flag: &str) -> Result<(), ConsoleError> {
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
    cited(daemon, &caller.name, Rule::P3, person, (event, detail))
}

/// An audit row for what somebody did, with the rule that it is about.
pub(super) fn cited(
    daemon: &Daemon,
    who: &Actor,
    rule: Rule,
    person: Option<&Person>,
    (event, detail): (&str, serde_json::Value),
) -> AuditEntry {
    AuditEntry {
        person: person.map(|p| p.id),
        user_id: person.and_then(|p| UserId::new(p.shown()).ok()),
        clause: Some(daemon.cycle().config.policy.citations.cite(rule)),
        detail,
        ..AuditEntry::new(daemon.now(), who.as_str(), event)
    }
}
