//! Plans: looking at them, releasing and rejecting held ones by their hash.

use super::people::{due_line, in_order, step_view, word};
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::access::filer::filer_of;
use crate::cycle::decide::OPERATOR;
use crate::cycle::take::statement_keys;
use crate::cycle::{Cycle, CycleError};
use crate::service::Daemon;
use crate::store::{AuditEntry, Decision, StepFilter, StoredPlan, Tx};
use crate::views::{DecisionRequest, DoneView, PlanPersonView, PlanView, PlansView, StepView};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, CaseState, Notice, NoticeState, PersonId};
use lapsed_core::guard::Finding;
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::standing::{Standing, standing};
use lapsed_core::step::Action;
use serde_json::json;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};

pub(super) async fn plans(
    daemon: &Daemon,
    states: &[PlanState],
) -> Result<PlansView, ConsoleError> {
    let cycle = daemon.cycle();
    let mut plans: Vec<PlanView> = daemon
        .store
        .read()
        .plans(states)
        .await?
        .iter()
        .map(|stored| PlanView {
            steps: Vec::new(),
            explanations: Vec::new(),
            people: Vec::new(),
            ..stored_view(&cycle, stored)
        })
        .collect();
    plans.reverse();
    Ok(PlansView { plans })
}

pub(super) async fn plan(daemon: &Daemon, hash: &str) -> Result<PlanView, ConsoleError> {
    let stored = the_plan(daemon, hash).await?;
    let cycle = daemon.cycle();
    let mut view = stored_view(&cycle, &stored);
    let filter = StepFilter { plan: Some(stored.plan.hash.clone()), ..StepFilter::default() };
    let journal = daemon.store.read().steps(&filter).await?;
    if !journal.is_empty() {
        view.steps = in_order(&journal).into_iter().map(|s| step_view(&cycle, s)).collect();
    }
    Ok(view)
}

fn stored_view(cycle: &Cycle, stored: &StoredPlan) -> PlanView {
    let decision = stored.decided_by.as_ref().map(|by| {
        let at = stored.decided_at.map(|at| cycle.shown_time(at)).unwrap_or_default();
        format!(
            "{} by {by} {at}: {}",
            word(&stored.state),
            stored.reason.clone().unwrap_or_default()
        )
    });
    PlanView {
        made_at: cycle.stamp(stored.created_at),
        decision,
        ..plan_view(cycle, &stored.plan, &word(&stored.state))
    }
}

/// A plan as it is shown, with the state that it has or would have.
#[must_use]
pub fn plan_view(cycle: &Cycle, plan: &Plan, state: &str) -> PlanView {
    PlanView {
        hash: plan.hash.to_string(),
        state: state.to_owned(),
        about: about(plan),
        findings: plan.findings.iter().map(Finding::describe).collect(),
        steps: plan
            .steps
            .iter()
            .map(|step| StepView {
                id: step.id.to_string(),
                connector: step.connector.to_string(),
                what: step.action.describe(),
                state: "planned".into(),
                due: due_line(&step.due),
                note: String::new(),
                clause: cycle.config.policy.citations.cite(step.rule),
            })
            .collect(),
        step_count: plan.steps.len() as u64,
        people: people(plan),
        explanations: plan.explanations.iter().map(|e| e.text.clone()).collect(),
        ..PlanView::default()
    }
}

/// What would be done to each person, in the order of the plan.
fn people(plan: &Plan) -> Vec<PlanPersonView> {
    let mut places: HashMap<CaseId, usize> = HashMap::new();
    let mut cases: Vec<Vec<&Action>> = Vec::new();
    for step in &plan.steps {
        let place = *places.entry(step.case).or_insert(cases.len());
        match cases.get_mut(place) {
            Some(actions) => actions.push(&step.action),
            None => cases.push(vec![&step.action]),
        }
    }
    let view = |actions: Vec<&Action>| PlanPersonView {
        who: actions.first().map(|a| a.account().label.clone()).unwrap_or_default(),
        what: in_words(&actions),
    };
    cases.into_iter().map(view).collect()
}

/// `disable 2 accounts, leave 9 groups; 2 deletions later`.
#[must_use]
pub fn in_words(actions: &[&Action]) -> String {
    let count = |wanted: fn(&Action) -> bool| actions.iter().filter(|a| wanted(a)).count();
    let mut parts = Vec::new();
    match count(|a| matches!(a, Action::Disable { .. })) {
        0 => {}
        1 => parts.push("disable the account".to_owned()),
        more => parts.push(format!("disable {more} accounts")),
    }
    match count(|a| matches!(a, Action::LeaveGroup { .. })) {
        0 => {}
        1 => parts.push("leave 1 group".to_owned()),
        more => parts.push(format!("leave {more} groups")),
    }
    let now =
        if parts.is_empty() { "small changes to the account".into() } else { parts.join(", ") };
    match count(Action::destroys) {
        0 => now,
        1 => format!("{now}; 1 deletion later"),
        more => format!("{now}; {more} deletions later"),
    }
}

fn about(plan: &Plan) -> String {
    match plan.kind {
        PlanKind::Departure { .. }
        | PlanKind::Form { .. }
        | PlanKind::Suspension { .. }
        | PlanKind::Restoration { .. } => {
            // Mailbox and home hang on the person's own account, not on a second one beside it.
            let own = plan.steps.iter().find(|step| step.action.destroys());
            let named = own.or(plan.steps.first());
            named.map(|step| step.action.account().label.clone()).unwrap_or_default()
        }
        PlanKind::MassDeparture { people, .. }
        | PlanKind::MassSuspension { people }
        | PlanKind::Passwords { people } => format!("{people} people"),
    }
}

pub(super) async fn the_plan(daemon: &Daemon, hash: &str) -> Result<StoredPlan, ConsoleError> {
    let mut found = daemon.store.read().plans_by_prefix(hash).await?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(ConsoleError::new(
            ErrorKind::NotFound,
            "no plan has a hash that begins so",
            "lapsed plans lists them",
        )),
        count => Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("{count} plans have a hash that begins so"),
            "give more of the hash",
        )),
    }
}

pub(super) async fn release(
    daemon: &Daemon,
    caller: &Caller,
    request: DecisionRequest,
) -> Result<DoneView, ConsoleError> {
    let stored = held(daemon, &request).await?;
    if matches!(stored.plan.kind, PlanKind::Restoration { .. }) {
        // By consent, and by whom D10 names.
        return super::restoring::consent(daemon, caller, request).await;
    }
    let cycle = daemon.cycle();
    if stored.plan.policy_version != cycle.config.policy.version() {
        return Err(ConsoleError::new(
            ErrorKind::Conflict,
            "the rules have changed since the plan was made",
            "it is made anew by the rules of today; look at that one: lapsed plans",
        ));
    }
    second_operator(daemon, caller, &stored).await?;
    let now = daemon.now();
    let hours = i64::from(cycle.config.policy.guard.release_expires_hours);
    let expires_at = now.checked_add(SignedDuration::from_hours(hours)).ok();
    let mut tx = daemon.store.begin().await?;
    still_held(&tx, &stored).await?;
    let decision = decision(caller, &request, now, expires_at);
    tx.set_plan_state(&stored.plan.hash, PlanState::Released, Some(&decision)).await?;
    let plan = still_wanted(&tx, &stored.plan).await?;
    crate::cycle::decide::add_steps(&tx, &[&plan], now).await?;
    // Looked at again at once: what could not be read when the plan was made is planned now.
    let people: Vec<PersonId> = stored.plan.steps.iter().map(|s| s.person).collect();
    tx.mark_to_decide(&people, now).await?;
    tx.audit(entry(daemon, caller, &stored, "plan.released", &request.reason, now));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "plan {} ({}) is released; {} of its {} steps are carried out now or on their day. The release \
             ends {}.",
            stored.plan.hash.short(),
            about(&stored.plan),
            plan.steps.len(),
            stored.plan.steps.len(),
            expires_at.map(|at| cycle.shown_time(at)).unwrap_or_default()
        ),
    })
}

/// The plan without those whose departure is off or ahead by now: a release is for what is still true.
async fn still_wanted(tx: &Tx, plan: &Plan) -> Result<Plan, CycleError> {
    let mut open: HashMap<CaseId, bool> = HashMap::new();
    for step in &plan.steps {
        if let Entry::Vacant(unknown) = open.entry(step.case) {
            let case = tx.read().case(step.case).await?;
            unknown.insert(case.is_some_and(|case| case.state == CaseState::Open));
        }
    }
    let mut wanted = plan.clone();
    wanted.steps.retain(|step| open.get(&step.case) == Some(&true));
    Ok(wanted)
}

pub(super) async fn reject(
    daemon: &Daemon,
    caller: &Caller,
    request: DecisionRequest,
) -> Result<DoneView, ConsoleError> {
    let stored = held(daemon, &request).await?;
    let now = daemon.now();
    let mut tx = daemon.store.begin().await?;
    still_held(&tx, &stored).await?;
    let decision = decision(caller, &request, now, None);
    tx.set_plan_state(&stored.plan.hash, PlanState::Rejected, Some(&decision)).await?;
    ask_again(&tx, &stored.plan, now, &daemon.cycle().config.time_zone).await?;
    lift_rejected(&daemon.cycle(), &mut tx, &stored.plan, caller, now).await?;
    tx.audit(entry(daemon, caller, &stored, "plan.rejected", &request.reason, now));
    tx.commit().await?;
    Ok(DoneView {
        message: format!(
            "plan {} ({}) is rejected: nothing is changed, and they are planned again only when HR's next file, or an operator, says so again",
            stored.plan.hash.short(),
            about(&stored.plan)
        ),
    })
}

/// The plan as it is by now: two operators may decide at the same moment, and facts may have moved on.
pub(super) async fn still_held(tx: &Tx, stored: &StoredPlan) -> Result<(), ConsoleError> {
    match tx.read().plan(&stored.plan.hash).await? {
        Some(now) if now.state == PlanState::Held => Ok(()),
        _ => Err(ConsoleError::new(
            ErrorKind::Conflict,
            "the plan was decided or replaced at this very moment",
            "look at it again: lapsed plans",
        )),
    }
}

/// Forgets what HR last said of the plan's people, so that its next file counts as news although it says
/// the same: a rejection holds until HR insists.
async fn ask_again(
    tx: &Tx,
    plan: &Plan,
    now: Timestamp,
    zone: &TimeZone,
) -> Result<(), ConsoleError> {
    if !plan.kind.is_departure() {
        return Ok(());
    }
    let mut ids: Vec<PersonId> = plan.steps.iter().map(|s| s.person).collect();
    ids.sort();
    ids.dedup();
    for person in tx.read().people(&ids).await? {
        let keys = statement_keys(&person);
        // An older notice about another post, which its feed goes on listing, insists on nothing.
        let end = match standing(&person, now, zone) {
            Standing::Left(end) | Standing::Leaving(end) => Some(end.at),
            Standing::Employed | Standing::Unknown => None,
        };
        let described = person.engagements.iter().map(|engagement| &engagement.source);
        let noticed = person.notices.iter().filter(|notice| {
            notice.state == NoticeState::Standing && Some(notice.effective_at) == end
        });
        let sources = described.chain(noticed.map(|notice| &notice.source));
        for source in sources.collect::<BTreeSet<_>>() {
            tx.hear_again(source, &keys).await?;
        }
    }
    Ok(())
}

async fn held(daemon: &Daemon, request: &DecisionRequest) -> Result<StoredPlan, ConsoleError> {
    if request.hash.len() < 12 {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            "a release or rejection is bound to a hash, and this is too little of one",
            "give at least its first twelve characters; lapsed plans shows them",
        ));
    }
    if request.reason.trim().is_empty() {
        return Err(ConsoleError::new(ErrorKind::Bad, "a reason is needed", "add --reason \"…\""));
    }
    let stored = the_plan(daemon, &request.hash).await?;
    if stored.state == PlanState::Held {
        return Ok(stored);
    }
    Err(ConsoleError::new(
        ErrorKind::Conflict,
        format!("the plan is {}, not held", word(&stored.state)),
        "only a held plan can be released or rejected, and only once",
    ))
}

/// A protected account's departure needs an operator other than the one who gave the notice.
async fn second_operator(
    daemon: &Daemon,
    caller: &Caller,
    stored: &StoredPlan,
) -> Result<(), ConsoleError> {
    for finding in &stored.plan.findings {
        let Finding::Protected { person, account, .. } = finding else { continue };
        let person = daemon.store.read().person(*person).await?;
        let is_theirs = |notice: &Notice| match notice.source.as_str() {
            OPERATOR => notice.brought_by == caller.name.as_str(),
            _ => filer_of(notice) == Some(caller.name.as_str()),
        };
        let gave_notice = person.is_some_and(|p| {
            p.notices.iter().any(|n| n.state == NoticeState::Standing && is_theirs(n))
        });
        let ordered = ordered_by(daemon, stored).await?;
        if gave_notice || ordered.as_ref() == Some(&caller.name) {
            return Err(ConsoleError::new(
                ErrorKind::Refused,
                format!("account {account} is protected, and you gave the notice yourself"),
                "a second operator has to release it",
            ));
        }
    }
    Ok(())
}

/// Who ordered the suspension that a plan carries out.
async fn ordered_by(
    daemon: &Daemon,
    stored: &StoredPlan,
) -> Result<Option<lapsed_core::facts::Actor>, ConsoleError> {
    let PlanKind::Suspension { case, person } = stored.plan.kind else { return Ok(None) };
    let theirs = daemon.store.read().suspensions_of(&[person]).await?;
    Ok(theirs.into_iter().find(|s| s.case() == case).and_then(|s| s.placed_by))
}

/// Suspensions that nobody ordered one by one end with their plan: what was rejected stops nobody's forms.
async fn lift_rejected(
    cycle: &Cycle,
    tx: &mut Tx,
    plan: &Plan,
    by: &Caller,
    now: Timestamp,
) -> Result<(), ConsoleError> {
    if plan.kind.is_departure() {
        return Ok(());
    }
    let people: Vec<PersonId> = plan.steps.iter().map(|s| s.person).collect();
    for suspension in tx.read().suspensions_of(&people).await? {
        let is_meant = plan.steps.iter().any(|step| step.case == suspension.case());
        if is_meant && suspension.lifted_at.is_none() && suspension.is_by_machine() {
            let why = format!("plan {} was rejected", plan.hash.short());
            cycle.lift(tx, suspension, by.name.as_str(), &why, now).await?;
        }
    }
    Ok(())
}

pub(super) fn decision(
    caller: &Caller,
    request: &DecisionRequest,
    now: Timestamp,
    expires_at: Option<Timestamp>,
) -> Decision {
    Decision { by: caller.name.clone(), at: now, reason: Some(request.reason.clone()), expires_at }
}

fn entry(
    daemon: &Daemon,
    caller: &Caller,
    stored: &StoredPlan,
    event: &str,
    reason: &str,
    now: Timestamp,
) -> AuditEntry {
    AuditEntry {
        plan: Some(stored.plan.hash.clone()),
        case: stored.plan.only_case(),
        person: stored.plan.only_case().and_then(|_| stored.plan.steps.first()).map(|s| s.person),
        user_id: stored
            .plan
            .only_case()
            .and_then(|_| stored.plan.steps.first())
            .map(|s| s.expect.user_id.clone()),
        clause: Some(daemon.cycle().config.policy.citations.cite(Rule::P3)),
        detail: json!({ "reason": lapsed_core::mask::mask(reason), "steps": stored.plan.steps.len() }),
        ..AuditEntry::new(now, caller.name.as_str(), event)
    }
}
