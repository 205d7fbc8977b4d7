//! `lapsed depart`: an operator's notice, for the phone call that can't wait for HR's file.

use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::decide::OPERATOR;
use crate::service::Daemon;
use crate::store::AuditEntry;
use crate::views::{DepartRequest, DoneView};
use lapsed_core::absorb::{Context, notice};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{About, Person, PersonId, SourceName, UserId};
use lapsed_core::observed::{PersonKeys, Scope};
use serde_json::json;
use uuid::Uuid;

pub(super) async fn depart(
    daemon: &Daemon,
    caller: &Caller,
    request: DepartRequest,
) -> Result<DoneView, ConsoleError> {
    if request.reason.trim().is_empty() {
        return Err(ConsoleError::new(ErrorKind::Bad, "a reason is needed", "add --reason \"…\""));
    }
    let mut person = whom(daemon, &request.person).await?;
    let now = daemon.now();
    let cycle = daemon.cycle();
    let source = SourceName::new(OPERATOR)
        .map_err(|e| ConsoleError::new(ErrorKind::Bad, e.to_string(), "report this"))?;
    let context = Context {
        source: &source,
        brought_by: caller.name.as_str(),
        received_at: now,
        policy: &cycle.config.policy.departure,
        zone: &cycle.config.time_zone,
    };
    // Without a last day it is a dismissal on the phone: first in line.
    let for_cause = request.last_day.is_none();
    let mut changes = Vec::new();
    notice(&mut person, About::Person, request.last_day, for_cause, context, &mut changes)
        .map_err(|why| {
            ConsoleError::new(ErrorKind::Bad, why, "give a last day that a calendar has")
        })?;
    if changes.is_empty() {
        return Ok(DoneView {
            message: format!("{} has that notice already; nothing was changed", person.shown()),
        });
    }
    let mut tx = daemon.store.begin().await?;
    tx.save_person(&person).await?;
    tx.mark_to_decide(&[person.id], now).await?;
    tx.audit(AuditEntry {
        person: Some(person.id),
        user_id: UserId::new(person.shown()).ok(),
        clause: Some(cycle.config.policy.citations.cite(Rule::D1)),
        detail: json!({ "reason": lapsed_core::mask::mask(&request.reason), "last_day": request.last_day }),
        ..AuditEntry::new(now, caller.name.as_str(), "notice.by_operator")
    });
    tx.commit().await?;
    daemon.wake();
    let when = match request.last_day {
        Some(day) => format!("at the end of their last day, {day}"),
        None => "now".into(),
    };
    Ok(DoneView {
        message: format!(
            "notice taken: {} departs {when}. Watch it with: lapsed person {}",
            person.shown(),
            person.shown()
        ),
    })
}

/// The person known by that key, or, where none is, whoever has exactly that account in a directory.
async fn whom(daemon: &Daemon, who: &str) -> Result<Person, ConsoleError> {
    match super::the_person(daemon, who).await {
        Err(error) if error.kind == ErrorKind::NotFound => {}
        other => return other,
    }
    let unknown = || {
        ConsoleError::new(
            ErrorKind::NotFound,
            format!("neither a person nor an account has the key {who:?}"),
            "give the user ID of the account to be shut",
        )
    };
    let user_id = UserId::new(who).map_err(|_| unknown())?;
    let scope =
        Scope::People(vec![PersonKeys { user_ids: vec![user_id], ..PersonKeys::default() }]);
    let mut person = Person::new(PersonId(Uuid::now_v7()));
    for (name, eye) in &daemon.cycle().eyes.0 {
        let observed = eye.observe(&scope).await.map_err(|fault| {
            ConsoleError::new(
                ErrorKind::Unavailable,
                fault.to_string(),
                "lapsed check names what is wrong",
            )
        })?;
        person.accounts.extend(observed.accounts.into_iter().map(|account| {
            lapsed_core::facts::LinkedAccount {
                connector: name.clone(),
                id: account.id,
                user_id: account.user_id,
            }
        }));
    }
    if person.accounts.is_empty() { Err(unknown()) } else { Ok(person) }
}
