//! Plans what suspensions stop, and what their end gives back.
//!
//! **Flow.** A suspension that is to be looked at (`look_at`) is held against what its targets show, as long
//! as something may still come of it. Standing, it shuts what is open; lifted, it opens what its own steps
//! shut. Both are plans of a case of their own.
//!
//! **Guarantees.** One person's order waits for no limit; many suspensions that nobody ordered one by one
//! are held. Only an order lifts an order (S2): neither a day, nor HR's word, nor a departure does.

mod by_feed;
mod by_form;
mod lifting;

use super::super::decide::{Decided, aside};
use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::store::{AuditEntry, CaseFilter, StepFilter, Tx};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::{Case, CaseId, CaseKind, CaseState, Person, PersonId};
use lapsed_core::guard::{Baseline, Proposed, Verdict, judge_suspensions};
use lapsed_core::journal::StepState;
use lapsed_core::observed::ObservedAccount;
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::reconcile::suspending::{Stopped, Stopping, stop};
use lapsed_core::step::StepId;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// A target is asked for so many people in one go.
const PEOPLE_A_QUESTION: usize = 200;
/// What can't be finished now is looked at again after so long.
const AGAIN: SignedDuration = SignedDuration::from_secs(5);
/// A target that can't be read is asked again after so long.
const LATER: SignedDuration = SignedDuration::from_secs(30);

/// One suspension with all that is planned for it.
struct Work {
    suspension: Suspension,
    person: Person,
    case: Case,
    stopped: Stopped,
    readable: bool,
}

impl Cycle {
    /// Plans what suspensions stop, and what their end gives back.
    pub(super) async fn suspend(&self, now: Timestamp) -> Result<(), CycleError> {
        self.end_suspensions(now).await?;
        self.plan_anew(now).await?;
        let due = self.store.read().suspensions_to_look_at(now, self.today(now)).await?;
        let (standing, lifted): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|suspension| suspension.lifted_at.is_none());
        let mut decided = Decided::default();
        let mut work = Vec::new();
        for block in standing.chunks(PEOPLE_A_QUESTION) {
            work.extend(self.stopping(block, &mut decided, now).await?);
        }
        if !work.is_empty() {
            self.store_stops(work, now).await?;
        }
        for suspension in lifted {
            self.give_back(suspension, &mut decided, now).await?;
        }
        Ok(())
    }

    /// Has those looked at whose plan is held and was made by other rules than those of today: made anew,
    /// it can be released.
    async fn plan_anew(&self, now: Timestamp) -> Result<(), CycleError> {
        let version = self.config.policy.version();
        let mut held = self.store.read().plans(&[PlanState::Held]).await?;
        held.retain(|stored| {
            let is_ours = matches!(
                stored.plan.kind,
                PlanKind::Suspension { .. } | PlanKind::MassSuspension { .. }
            );
            is_ours && stored.plan.policy_version != version
        });
        if held.is_empty() {
            return Ok(());
        }
        let people: Vec<PersonId> =
            held.iter().flat_map(|stored| stored.plan.steps.iter().map(|s| s.person)).collect();
        let tx = self.store.begin().await?;
        for stored in &held {
            tx.set_plan_state(&stored.plan.hash, PlanState::Replaced, None).await?;
        }
        tx.look_at_suspensions_of(&people, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Observes the people of some standing suspensions and works out what is to be shut.
    async fn stopping(
        &self,
        block: &[Suspension],
        decided: &mut Decided,
        now: Timestamp,
    ) -> Result<Vec<Work>, CycleError> {
        let people = self.people_of(block).await?;
        let cases = self.cases_of(block).await?;
        let asked: Vec<(Person, Case)> = block
            .iter()
            .filter_map(|suspension| {
                let person = people.get(&suspension.person)?.clone();
                let known = cases.get(&suspension.case()).cloned();
                Some((person, known.unwrap_or_else(|| case_of(suspension, now))))
            })
            .collect();
        let filter = StepFilter {
            cases: asked.iter().map(|(_, case)| case.id).collect(),
            ..StepFilter::default()
        };
        let journal: HashMap<StepId, StepState> = match filter.cases.is_empty() {
            true => HashMap::new(),
            false => {
                let steps = self.store.read().steps(&filter).await?;
                steps.into_iter().map(|s| (s.step.id, s.state)).collect()
            }
        };
        // After the journal: a step that ends in between would look as if somebody had undone it.
        let mut observed = self.accounts_of(&asked, decided).await;
        let mut of_others = self.leave_to_others(&asked, &mut observed).await?;
        let by_case: HashMap<CaseId, &Suspension> = block.iter().map(|s| (s.case(), s)).collect();
        let mut all = Vec::new();
        for ((person, mut case), (accounts, readable)) in asked.into_iter().zip(observed) {
            let Some(suspension) = by_case.get(&case.id).map(|s| (*s).clone()) else { continue };
            let (doubted, told) = of_others.remove(&person.id).unwrap_or_default();
            let mut stopped = stop(&Stopping {
                suspension: &suspension,
                case: &case,
                person: &person,
                accounts: &accounts,
                of_others: &doubted,
                policy: &self.config.policy,
                today: self.today(now),
                journal: &|id| journal.get(&id).cloned(),
            });
            stopped.doubtful.extend(told);
            remember(&mut case, &suspension, accounts);
            case.state = CaseState::Open;
            all.push(Work { suspension, person, case, stopped, readable: readable.all });
        }
        Ok(all)
    }

    /// Judges what is to be shut and stores it: cases, plans, steps, and who was linked, in one go.
    async fn store_stops(&self, work: Vec<Work>, now: Timestamp) -> Result<(), CycleError> {
        let proposed = work.iter().map(proposed).collect();
        let baseline = self.suspension_baseline(&work, now).await?;
        let version = self.config.policy.version();
        let judged = judge_suspensions(proposed, baseline, &self.config.policy.guard, &version);
        let mut tx = self.store.begin().await?;
        // As they are by now: one that was lifted while its targets were asked stops nothing.
        let people: Vec<PersonId> = work.iter().map(|w| w.person.id).collect();
        let current: HashMap<_, _> =
            tx.read().suspensions_of(&people).await?.into_iter().map(|s| (s.id, s)).collect();
        let stands =
            |w: &Work| current.get(&w.suspension.id).is_some_and(|now| now.lifted_at.is_none());
        let gone: HashSet<CaseId> = work.iter().filter(|w| !stands(w)).map(|w| w.case.id).collect();
        let work: Vec<Work> = work.into_iter().filter(|w| !gone.contains(&w.case.id)).collect();
        tx.link_accounts(
            &work.iter().map(|w| (w.person.id, w.stopped.links.clone())).collect::<Vec<_>>(),
        )
        .await?;
        tx.save_cases(&work.iter().map(|w| w.case.clone()).collect::<Vec<_>>()).await?;
        for (plan, verdict) in judged {
            if plan.steps.iter().any(|step| gone.contains(&step.case)) {
                continue;
            }
            self.store_stop(&mut tx, plan, verdict, &work, now).await?;
        }
        for w in &work {
            for reason in &w.stopped.doubtful {
                tx.set_aside_once(&aside(&w.person, reason, now)?).await?;
            }
        }
        // What was given while the targets were asked may have come after the look.
        let given = tx.read().given_since(&people, now).await?;
        let looks: Vec<_> = work
            .into_iter()
            .map(|w| {
                let again = match (w.readable, given.contains(&w.person.id)) {
                    (_, true) => Some(later(now, AGAIN)),
                    (false, false) => Some(later(now, LATER)),
                    (true, false) => None,
                };
                (w.suspension, again)
            })
            .collect();
        tx.save_suspensions(&looks).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn store_stop(
        &self,
        tx: &mut Tx,
        plan: Plan,
        verdict: Verdict,
        work: &[Work],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let state = match verdict {
            Verdict::Pass => PlanState::Passed,
            Verdict::Hold => PlanState::Held,
        };
        if state == PlanState::Held {
            replace_held(tx, &plan).await?;
        }
        let known = tx.save_plan(&plan, state, &plan.findings, now).await?;
        let counts = known.unwrap_or(state);
        if matches!(counts, PlanState::Passed | PlanState::Released) {
            // First in line: an order waits behind nobody's groups.
            tx.add_steps(&plan.hash, &plan.steps, true, now).await?;
        }
        if known.is_some() {
            return Ok(());
        }
        let event = if state == PlanState::Held { "plan.held" } else { "plan.passed" };
        let whose = plan.only_case().and_then(|case| work.iter().find(|w| w.case.id == case));
        let findings: Vec<String> = plan.findings.iter().map(|f| f.describe()).collect();
        let kind = whose.map_or(SuspensionKind::Inactivity, |w| w.suspension.kind);
        tx.audit(AuditEntry {
            person: whose.map(|w| w.person.id),
            case: plan.only_case(),
            plan: Some(plan.hash.clone()),
            user_id: whose.and_then(|w| w.person.user_ids().into_iter().next()),
            clause: Some(self.config.policy.citations.cite(kind.rule())),
            detail: json!({
                "steps": plan.steps.len(), "findings": findings, "policy": plan.policy_version,
                "suspension": kind.noun(),
            }),
            ..AuditEntry::new(now, DAEMON, event)
        });
        Ok(())
    }

    /// What the limits are measured against: suspensions that nobody ordered one by one.
    async fn suspension_baseline(
        &self,
        work: &[Work],
        now: Timestamp,
    ) -> Result<Baseline, CycleError> {
        let again: HashSet<PersonId> = work.iter().map(|w| w.person.id).collect();
        let limit = &self.config.policy.guard.suspensions;
        let since = |hours: i64| {
            now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN)
        };
        let window = since(i64::from(limit.window_days).saturating_mul(24));
        let placed = self.store.read().suspensions_placed_since(window).await?;
        let count = |hours: i64| {
            let from = since(hours);
            let people: HashSet<PersonId> = placed
                .iter()
                .filter(|s| s.is_by_machine() && s.placed_at >= from && !again.contains(&s.person))
                .map(|s| s.person)
                .collect();
            u32::try_from(people.len()).unwrap_or(u32::MAX)
        };
        Ok(Baseline {
            population: self.population().await?,
            departed_in_window: count(i64::from(limit.window_days).saturating_mul(24)),
            departed_in_day: count(24),
            departed_in_hour: count(1),
        })
    }

    pub(super) async fn people_of(
        &self,
        block: &[Suspension],
    ) -> Result<HashMap<PersonId, Person>, CycleError> {
        let mut ids: Vec<PersonId> = block.iter().map(|s| s.person).collect();
        ids.sort();
        ids.dedup();
        let people = self.store.read().people(&ids).await?;
        Ok(people.into_iter().map(|person| (person.id, person)).collect())
    }

    async fn cases_of(&self, block: &[Suspension]) -> Result<HashMap<CaseId, Case>, CycleError> {
        let filter = CaseFilter {
            kind: CaseKind::Suspension,
            people: Some(block.iter().map(|s| s.person).collect()),
            ..CaseFilter::default()
        };
        let cases = self.store.read().cases(&filter).await?;
        Ok(cases.into_iter().map(|case| (case.id, case)).collect())
    }
}

fn proposed(work: &Work) -> Proposed {
    Proposed {
        case: work.case.id,
        person: work.person.id,
        noticed_at: work.suspension.placed_at,
        by_operator: !work.suspension.is_by_machine(),
        steps: work.stopped.steps.clone(),
        findings: work.stopped.findings.clone(),
        explanations: work.stopped.explanations.clone(),
    }
}

/// The case of a suspension that has none yet.
fn case_of(suspension: &Suspension, now: Timestamp) -> Case {
    Case {
        id: suspension.case(),
        kind: CaseKind::Suspension,
        person: suspension.person,
        state: CaseState::Open,
        effective_at: suspension.placed_at,
        for_cause: false,
        opened_at: now,
        disabled_on: None,
        worksite_class: None,
        reason: format!(
            "{} by {}: {}",
            suspension.kind.noun(),
            suspension.authority,
            suspension.reason
        ),
        before: Vec::new(),
    }
}

/// Keeps how the accounts were before they were shut.
fn remember(
    case: &mut Case,
    suspension: &Suspension,
    accounts: Vec<(lapsed_core::facts::ConnectorName, ObservedAccount)>,
) {
    for (name, account) in accounts {
        let known = case.before.iter().any(|(n, a)| *n == name && a.id == account.id);
        if suspension.covers(&name) && !known {
            case.before.push((name, account));
        }
    }
}

/// A newer plan for the same people takes the place of older ones that are held.
async fn replace_held(tx: &Tx, plan: &Plan) -> Result<(), CycleError> {
    let cases: HashSet<CaseId> = plan.steps.iter().map(|step| step.case).collect();
    for held in tx.read().plans(&[PlanState::Held]).await? {
        let theirs: HashSet<CaseId> = held.plan.steps.iter().map(|step| step.case).collect();
        if held.plan.hash != plan.hash && theirs.is_subset(&cases) {
            tx.set_plan_state(&held.plan.hash, PlanState::Replaced, None).await?;
        }
    }
    Ok(())
}

fn later(now: Timestamp, after: SignedDuration) -> Timestamp {
    now.checked_add(after).unwrap_or(now)
}
