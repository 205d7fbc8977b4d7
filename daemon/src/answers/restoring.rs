//! `lapsed restore`: what a mistaken departure took, shown, and put back by consent (D10).

use super::commands::needed;
use super::people::{in_order, step_view};
use super::plans::{decision, plan_view, still_held, the_plan};
use super::the_person;
use crate::config::Role;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::access::authority::{Account, GroupsAsked};
use crate::cycle::access::restoring::{NotPrepared, Prepared};
use crate::cycle::{Cycle, CycleError};
use crate::service::Daemon;
use crate::store::{AuditEntry, StepFilter, StoredPlan};
use crate::views::{DecisionRequest, DoneView, NotRestoredView, RestoreRequest, RestoreView};
use jiff::SignedDuration;
use lapsed_core::access::authority::{Question, Refusal};
use lapsed_core::access::chain::{Part, Wish, progress};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Actor, ApproverRole, CaseId, CaseState, Person};
use lapsed_core::guard::Finding;
use lapsed_core::mask::mask;
use lapsed_core::plan::{PlanKind, PlanState};
use lapsed_core::step::Action;
use serde_json::json;

impl From<NotPrepared> for ConsoleError {
    fn from(error: NotPrepared) -> Self {
        match error {
            NotPrepared::Failed(error) => error.into(),
            NotPrepared::Refused(refusal) => Self::new(
                ErrorKind::Conflict,
                refusal.to_string(),
                "lapsed person shows the departures and their notices",
            ),
        }
    }
}

/// Shows what would be put back, and has the plan wait for consent.
pub(super) async fn restore(
    daemon: &Daemon,
    caller: &Caller,
    request: RestoreRequest,
) -> Result<RestoreView, ConsoleError> {
    let cycle = daemon.cycle();
    let (person, named) = whose(daemon, &request.person).await?;
    if !caller.may(Role::Operator) {
        may_consent(&cycle, daemon, caller, &person, None).await?;
    }
    let now = daemon.now();
    let held = held_for(daemon, &person).await?;
    let asked_by = held.iter().find_map(|plan| plan.released_by.first().cloned());
    let asked_by = asked_by.unwrap_or_else(|| caller.name.clone());
    let prepared = cycle.prepare_restoration(person, named, &asked_by, now).await?;
    let mut view = view_of(&cycle, &prepared)?;
    if prepared.plan.steps.is_empty() {
        view.state = if prepared.done_before { "done" } else { "nothing" }.to_owned();
        return under_way(daemon, &prepared, view).await;
    }
    let mut tx = daemon.store.begin().await?;
    for old in held.iter().filter(|old| old.plan.hash != prepared.plan.hash) {
        tx.set_plan_state(&old.plan.hash, PlanState::Replaced, None).await?;
    }
    let known = tx.save_plan(&prepared.plan, PlanState::Held, &prepared.plan.findings, now).await?;
    match known {
        None => {
            let asks = DecisionRequest { hash: String::new(), reason: "asked for".to_owned() };
            let mut word = decision(caller, &asks, now, None);
            word.by = asked_by;
            tx.set_plan_state(&prepared.plan.hash, PlanState::Held, Some(&word)).await?;
            tx.audit(entry(daemon, caller, &prepared, "restore.asked", "asked for"));
        }
        Some(PlanState::Rejected) => {
            return Err(ConsoleError::new(
                ErrorKind::Conflict,
                "putting exactly this back was rejected",
                "access comes back by an approved form (D10); lapsed plans --all shows who rejected it",
            ));
        }
        Some(_) => {}
    }
    tx.commit().await?;
    view.state = "held".to_owned();
    view.hash = prepared.plan.hash.to_string();
    Ok(view)
}

/// What is being put back, where nothing more is to be consented to.
async fn under_way(
    daemon: &Daemon,
    prepared: &Prepared,
    mut view: RestoreView,
) -> Result<RestoreView, ConsoleError> {
    let filter = StepFilter { cases: vec![prepared.case.id], ..StepFilter::default() };
    let steps = daemon.store.read().steps(&filter).await?;
    if prepared.case.state == CaseState::Open && !steps.is_empty() {
        let waits = steps.iter().any(|s| !s.state.has_ended());
        view.state = if waits { "under_way" } else { "done" }.to_owned();
    }
    let cycle = daemon.cycle();
    view.steps = in_order(&steps).into_iter().map(|s| step_view(&cycle, s)).collect();
    Ok(view)
}

fn view_of(cycle: &Cycle, prepared: &Prepared) -> Result<RestoreView, ConsoleError> {
    let plan = plan_view(cycle, &prepared.plan, "held");
    let not = prepared.restored.not_restored.iter();
    Ok(RestoreView {
        person: prepared.person.shown(),
        departure: prepared.departure.id.to_string(),
        consent: consent_role(cycle)?.to_string(),
        steps: plan.steps,
        not_restored: not
            .map(|one| NotRestoredView { what: one.what.clone(), why: one.why.clone() })
            .collect(),
        notes: prepared.restored.notes.clone(),
        findings: plan.findings,
        ..RestoreView::default()
    })
}

/// A person by any key, or by the departure that took it.
async fn whose(daemon: &Daemon, who: &str) -> Result<(Person, Option<CaseId>), ConsoleError> {
    if let Ok(id) = who.parse::<uuid::Uuid>() {
        let read = daemon.store.read();
        if let Some(case) = read.case(CaseId(id)).await?
            && let Some(person) = read.person(case.person).await?
        {
            return Ok((person, Some(case.id)));
        }
    }
    Ok((the_person(daemon, who).await?, None))
}

async fn held_for(daemon: &Daemon, person: &Person) -> Result<Vec<StoredPlan>, ConsoleError> {
    let mut held = daemon.store.read().plans(&[PlanState::Held]).await?;
    held.retain(|stored| {
        matches!(stored.plan.kind, PlanKind::Restoration { person: of, .. } if of == person.id)
    });
    Ok(held)
}

/// Consents to a plan by its hash: its steps go into the journal.
pub(super) async fn consent(
    daemon: &Daemon,
    caller: &Caller,
    request: DecisionRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    if request.hash.len() < 12 {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            "a consent is bound to a hash, and this is too little of one",
            "give at least its first twelve characters; lapsed restore shows it",
        ));
    }
    let stored = the_plan(daemon, &request.hash).await?;
    let PlanKind::Restoration { person, departure, .. } = stored.plan.kind else {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            "this plan puts nothing back",
            "lapsed plans shows what it is; lapsed release releases it",
        ));
    };
    let cycle = daemon.cycle();
    let person = daemon.store.read().person(person).await?.ok_or_else(nobody)?;
    let asked_by = stored.released_by.first().cloned();
    let is_protected = stored.findings.iter().any(|f| matches!(f, Finding::Protected { .. }));
    let asker = asked_by.as_ref().filter(|_| is_protected);
    may_consent(&cycle, daemon, caller, &person, asker).await?;
    if stored.state != PlanState::Held {
        return Err(decided(&stored));
    }
    let asked_by = asked_by.unwrap_or_else(|| caller.name.clone());
    let now = daemon.now();
    // As the targets are by now: consent is for what still is as it was shown.
    let prepared = cycle.prepare_restoration(person, Some(departure), &asked_by, now).await?;
    if prepared.plan.hash != stored.plan.hash {
        return Err(ConsoleError::new(
            ErrorKind::Conflict,
            "what would be put back is no longer what was shown",
            "something changed since; look again: lapsed restore, and consent to the new hash",
        ));
    }
    not_their_own_envelope(caller, &prepared)?;
    carry_out(daemon, caller, &request, stored, prepared).await
}

async fn carry_out(
    daemon: &Daemon,
    caller: &Caller,
    request: &DecisionRequest,
    stored: StoredPlan,
    prepared: Prepared,
) -> Result<DoneView, ConsoleError> {
    let cycle = daemon.cycle();
    let now = daemon.now();
    let hours = i64::from(cycle.config.policy.guard.release_expires_hours);
    let expires_at = now.checked_add(SignedDuration::from_hours(hours)).ok();
    let mut tx = daemon.store.begin().await?;
    still_held(&tx, &stored).await?;
    // A notice that came this very moment goes first.
    let still_off = tx.read().case(prepared.departure.id).await?;
    if still_off.is_none_or(|case| case.state != prepared.departure.state) {
        return Err(ConsoleError::new(
            ErrorKind::Conflict,
            "the departure changed at this very moment",
            "look again: lapsed person, then lapsed restore",
        ));
    }
    let word = decision(caller, request, now, expires_at);
    tx.set_plan_state(&stored.plan.hash, PlanState::Released, Some(&word)).await?;
    let mut case = prepared.case.clone();
    case.state = CaseState::Open;
    case.opened_at = now;
    case.effective_at = now;
    tx.save_case(&case).await?;
    // First in line: somebody can't work.
    tx.add_steps(&stored.plan.hash, &stored.plan.steps, true, now).await?;
    // What the departure shut is open again by right, and no longer looked at as if it had to be shut.
    tx.stop_rechecks(prepared.departure.id).await?;
    tx.audit(entry(daemon, caller, &prepared, "restore.consented", &request.reason));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "{} steps put back what the departure of {} took; lapsed restore {} shows how far they are. {}",
            stored.plan.steps.len(),
            prepared.person.shown(),
            prepared.person.shown(),
            match prepared.restored.not_restored.len() {
                0 => "Nothing is left out.".to_owned(),
                count => format!("{count} things are not put back, as it was shown."),
            }
        ),
    })
}

/// Whether the caller has the role that D10 asks for, for this person, and it is not their own matter.
async fn may_consent(
    cycle: &Cycle,
    daemon: &Daemon,
    caller: &Caller,
    person: &Person,
    asker: Option<&Actor>,
) -> Result<(), ConsoleError> {
    let role = consent_role(cycle)?;
    let mut groups = GroupsAsked::default();
    let member = cycle.member(&Account::from(caller), &mut groups).await?;
    let today = cycle.today(daemon.now());
    let away = cycle.away_for(&caller.name, today, &mut groups).await?;
    let matter = cycle.restoration_matter(person, asker).await?;
    let asked = progress(vec![Part { what: Wish::Whole, chain: vec![role.clone()] }], "", &[]);
    let question = Question {
        matter: &matter,
        progress: &asked,
        rules: &cycle.config.policy.access.approvers,
        away: &away,
        today,
    };
    question.may_decide(&member, &role).map(drop).map_err(|refusal| {
        let kind = match refusal {
            Refusal::NotNow { .. } => ErrorKind::Unavailable,
            _ => ErrorKind::Refused,
        };
        ConsoleError::new(
            kind,
            refusal.to_string(),
            format!(
                "putting a departure back needs the consent of {role} (D10, access.restore.consent)"
            ),
        )
    })
}

fn consent_role(cycle: &Cycle) -> Result<ApproverRole, ConsoleError> {
    cycle.config.policy.access.restore.consent.clone().ok_or_else(|| {
        ConsoleError::new(
            ErrorKind::Refused,
            "nobody may consent: access.restore.consent names no role",
            "name one, or give access back by an approved form (D10)",
        )
    })
}

/// Who consents does not get the password as well (A6).
fn not_their_own_envelope(caller: &Caller, prepared: &Prepared) -> Result<(), ConsoleError> {
    let own = prepared.plan.steps.iter().any(|step| match &step.action {
        Action::SetPassword { envelope, .. } => {
            envelope.opener.folded() == caller.name.as_str().to_lowercase()
        }
        _ => false,
    });
    match own {
        false => Ok(()),
        true => Err(ConsoleError::new(
            ErrorKind::Refused,
            "the new password would be sealed for you, and who consents does not open it (A6)",
            "have another one with this role consent, or set access.accounts.handover.opener",
        )),
    }
}

fn decided(stored: &StoredPlan) -> ConsoleError {
    let by = stored.decided_by.as_ref().map(ToString::to_string).unwrap_or_default();
    ConsoleError::new(
        ErrorKind::Conflict,
        format!("the plan is {} by {by}, not held", super::people::word(&stored.state)),
        "lapsed restore shows how far it is",
    )
}

fn nobody() -> ConsoleError {
    let problem = CycleError::Rule("the plan's person is not known any more".into());
    problem.into()
}

fn entry(
    daemon: &Daemon,
    caller: &Caller,
    prepared: &Prepared,
    event: &str,
    reason: &str,
) -> AuditEntry {
    AuditEntry {
        person: Some(prepared.person.id),
        case: Some(prepared.case.id),
        plan: Some(prepared.plan.hash.clone()),
        user_id: prepared.person.user_ids().into_iter().next(),
        clause: Some(daemon.cycle().config.policy.citations.cite(Rule::D10)),
        detail: json!({
            "reason": mask(reason), "departure": prepared.departure.id,
            "steps": prepared.plan.steps.len(),
            "not_restored": prepared.restored.not_restored.len(),
        }),
        ..AuditEntry::new(daemon.now(), caller.name.as_str(), event)
    }
}
