//! `lapsed depart`: an operator's notice, for the phone call that can't wait for HR's file.

use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::decide::OPERATOR;
use crate::service::Daemon;
use crate::store::AuditEntry;
use crate::views::{DepartRequest, DoneView};
use jiff::civil::Date;
use lapsed_core::absorb::{Change, Context, agrees, notice, withdraw};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{About, Person, PersonId, SourceName, UserId};
use lapsed_core::observed::{ObservedAccount, PersonKeys, Scope};
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
    let found = whom(daemon, &request.person).await?;
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
        notices_only: true,
        listed_before: false,
    };
    let mut tx = daemon.store.begin().await?;
    // As the person is by now: a drop may have been taken while the directory was asked.
    let mut person = tx.read().person(found.id).await?.unwrap_or_else(|| found.clone());
    for link in found.accounts {
        if !person.accounts.contains(&link) {
            person.accounts.push(link);
        }
    }
    let mut changes = Vec::new();
    if request.withdraw {
        withdraw(&mut person, About::Person, &source, &mut changes);
        if !changes.contains(&Change::NoticeWithdrawn) {
            return Err(ConsoleError::new(
                ErrorKind::Conflict,
                format!("no operator's notice stands about {}", person.shown()),
                "HR's notices are taken back by HR's next file",
            ));
        }
    } else {
        // Without a last day it is a dismissal on the phone: first in line.
        let for_cause = request.last_day.is_none();
        notice(&mut person, About::Person, request.last_day, for_cause, context, &mut changes)
            .map_err(|why| {
                ConsoleError::new(ErrorKind::Bad, why, "give a last day that a calendar has")
            })?;
    }
    let event =
        if request.withdraw { "notice.withdrawn_by_operator" } else { "notice.by_operator" };
    tx.save_person(&person).await?;
    tx.mark_to_decide(&[person.id], now).await?;
    tx.audit(AuditEntry {
        person: Some(person.id),
        user_id: UserId::new(person.shown()).ok(),
        clause: Some(cycle.config.policy.citations.cite(Rule::D1)),
        detail: json!({ "reason": lapsed_core::mask::mask(&request.reason), "last_day": request.last_day }),
        ..AuditEntry::new(now, caller.name.as_str(), event)
    });
    tx.commit().await?;
    daemon.wake();
    let shown = person.shown();
    let what = match (request.withdraw, request.last_day) {
        (true, _) => format!(
            "the operators' notices about {shown} are taken back; what was taken comes back by an approved form"
        ),
        (false, Some(day)) => match begins_after(&person, day) {
            None => format!("notice taken: {shown} departs at the end of their last day, {day}"),
            Some(start) => format!(
                "notice taken: the last day of {shown} is {day}, and the employment that begins on {start} goes on; \
                 give a later last day, or none, if that ends too"
            ),
        },
        (false, None) => format!(
            "notice taken: {shown} is to depart now. Access ends as soon as each target answers, which this does \
             not wait for: see that it has ended"
        ),
    };
    Ok(DoneView { message: format!("{what}. Watch it with: lapsed person {shown}") })
}

/// The day on which an employment begins that goes on after a last day: the notice says nothing of it.
fn begins_after(person: &Person, last_day: Date) -> Option<Date> {
    let going_on = person.engagements.iter().filter(|engagement| engagement.goes_on());
    going_on.filter_map(|engagement| engagement.starts_on).filter(|start| *start > last_day).max()
}

/// The person known by that key, or, where none is, whoever has exactly that account in a directory.
pub(super) async fn whom(daemon: &Daemon, who: &str) -> Result<Person, ConsoleError> {
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
    let cycle = daemon.cycle();
    for (name, eye) in cycle.directories() {
        let observed = eye.observe(&scope).await.map_err(|fault| {
            ConsoleError::new(
                ErrorKind::Unavailable,
                fault.to_string(),
                "lapsed check names what is wrong",
            )
        })?;
        for account in observed.accounts {
            if let Some(known) = owner_of(daemon, &account).await? {
                person = Person { accounts: person.accounts, ..known };
            }
            person.accounts.push(account.link(name));
        }
    }
    if person.accounts.is_empty() { Err(unknown()) } else { Ok(person) }
}

/// The one person whose number and last name an account carries: HR knows them, adoption has not linked
/// them yet. Two records of one person would each keep the other's access.
async fn owner_of(
    daemon: &Daemon,
    account: &ObservedAccount,
) -> Result<Option<Person>, ConsoleError> {
    let Some(number) = &account.employee_number else { return Ok(None) };
    let mut known = daemon.store.read().people_by_keys(std::slice::from_ref(number), &[]).await?;
    known.retain(|p| p.name().is_some_and(|name| agrees(name, &account.name)));
    Ok(if known.len() == 1 { known.pop() } else { None })
}
