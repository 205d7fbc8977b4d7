//! Has passwords changed that are too old (A9), where the configuration wants it: off by default.
//!
//! **Flow.** What the night found becomes one plan: a step a password, each in a case of its own, which ends
//! with it. The guard holds the plan where it is too many people at once, who would all call the help desk
//! on one morning.
//!
//! **Guarantees.** One password is expired once: what was done or refused is left, and stays a finding as
//! long as it is one. Nothing is begun past a departure or a suspension of its owner, and what is no longer
//! wanted is called off.

use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::cycle::decide::add_steps;
use crate::store::{AuditEntry, CaseFilter, StepFilter, StepUpdate, StoredStep, Tx};
use jiff::Timestamp;
use lapsed_connectors::settings::Ability;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseId, CaseKind, CaseState, ConnectorName};
use lapsed_core::guard::{Finding, Verdict, judge_passwords};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::reconcile::auditing::{Audited, OldPassword};
use lapsed_core::step::StepId;
use serde_json::json;
use std::collections::{BTreeSet, HashMap};

impl Cycle {
    /// Plans what has old passwords changed, and calls off what is no longer wanted.
    pub(super) async fn expire_passwords(
        &self,
        tx: &mut Tx,
        audited: &Audited,
        (seen, population): (&BTreeSet<ConnectorName>, Option<u32>),
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let can = |old: &&OldPassword| self.able(&old.step.connector, Ability::ExpirePassword);
        let wanted: Vec<&OldPassword> = audited.old_passwords.iter().filter(can).collect();
        self.call_off(tx, &wanted, seen, now).await?;
        let known = journal(tx, &wanted).await?;
        let fresh = |old: &&OldPassword| may_be_planned(known.get(&old.step.id));
        let wanted: Vec<&OldPassword> = wanted.into_iter().filter(fresh).collect();
        let steps = wanted.iter().map(|old| old.step.clone()).collect();
        let (limits, version) = (&self.config.policy.guard, self.config.policy.version());
        let judged = judge_passwords(steps, population, limits, &version);
        self.replace_held_passwords(tx, judged.as_ref().map(|(plan, _)| plan)).await?;
        let Some((plan, verdict)) = judged else { return Ok(()) };
        let cases: Vec<Case> = wanted.iter().map(|old| case_of(old, now)).collect();
        tx.save_cases(&cases).await?;
        self.store_passwords(tx, &plan, verdict, now).await
    }

    async fn store_passwords(
        &self,
        tx: &mut Tx,
        plan: &Plan,
        verdict: Verdict,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let state = match verdict {
            Verdict::Pass => PlanState::Passed,
            Verdict::Hold => PlanState::Held,
        };
        let known = tx.save_plan(plan, state, &plan.findings, now).await?;
        if matches!(known.unwrap_or(state), PlanState::Passed | PlanState::Released) {
            add_steps(tx, &[plan], now).await?;
        }
        if known.is_some() {
            return Ok(());
        }
        let event = if state == PlanState::Held { "plan.held" } else { "plan.passed" };
        let findings: Vec<String> = plan.findings.iter().map(Finding::describe).collect();
        tx.audit(AuditEntry {
            plan: Some(plan.hash.clone()),
            clause: Some(self.config.policy.citations.cite(Rule::A9)),
            detail: json!({
                "steps": plan.steps.len(), "findings": findings, "policy": plan.policy_version,
            }),
            ..AuditEntry::new(now, DAEMON, event)
        });
        Ok(())
    }

    /// A plan of another night that still waits for a release is no longer true.
    async fn replace_held_passwords(
        &self,
        tx: &Tx,
        newer: Option<&Plan>,
    ) -> Result<(), CycleError> {
        for held in tx.read().plans(&[PlanState::Held]).await? {
            let is_ours = matches!(held.plan.kind, PlanKind::Passwords { .. });
            if is_ours && newer.is_none_or(|newer| newer.hash != held.plan.hash) {
                tx.set_plan_state(&held.plan.hash, PlanState::Replaced, None).await?;
            }
        }
        Ok(())
    }

    /// What was not begun and is not found any more: its owner changed it, leaves, or is suspended.
    async fn call_off(
        &self,
        tx: &mut Tx,
        wanted: &[&OldPassword],
        seen: &BTreeSet<ConnectorName>,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let still: BTreeSet<StepId> = wanted.iter().map(|old| old.step.id).collect();
        for (mut case, steps) in open_cases(&tx.read()).await? {
            let gone = |s: &&StoredStep| {
                matches!(s.state, StepState::Planned | StepState::Waiting { .. })
                    && seen.contains(&s.step.connector)
                    && !still.contains(&s.step.id)
            };
            let why = "the password was changed, or is not to be expired any more";
            let off = |s: &StoredStep| s.on(StepEvent::Cancel(why.into())).ok();
            let off: Vec<StepUpdate> = steps.iter().filter(gone).filter_map(off).collect();
            if !off.is_empty() {
                tx.set_steps(&off, now).await?;
                case.state = CaseState::Closed;
                tx.save_case(&case).await?;
            }
        }
        Ok(())
    }

    /// Closes the cases of passwords of which every step has ended.
    pub(super) async fn close_passwords(&self) -> Result<(), CycleError> {
        let mut over: Vec<Case> = Vec::new();
        for (case, steps) in open_cases(&self.store.read()).await? {
            let ended =
                |s: &StoredStep| s.state.has_ended() && !matches!(s.state, StepState::Done { .. });
            // Without a step its plan is held.
            if !steps.is_empty() && steps.iter().all(ended) {
                over.push(Case { state: CaseState::Closed, ..case });
            }
        }
        if over.is_empty() {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        tx.save_cases(&over).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Done and refused stand: what of it is not so any more is a person's to look at.
fn may_be_planned(known: Option<&StepState>) -> bool {
    matches!(known, None | Some(StepState::Drifted { .. } | StepState::Cancelled { .. }))
}

async fn journal(
    tx: &Tx,
    wanted: &[&OldPassword],
) -> Result<HashMap<StepId, StepState>, CycleError> {
    let cases: Vec<CaseId> = wanted.iter().map(|old| old.step.case).collect();
    if cases.is_empty() {
        return Ok(HashMap::new());
    }
    let filter = StepFilter { cases, ..StepFilter::default() };
    let steps = tx.read().steps(&filter).await?;
    Ok(steps.into_iter().map(|stored| (stored.step.id, stored.state)).collect())
}

async fn open_cases(
    read: &crate::store::Reader<'_>,
) -> Result<Vec<(Case, Vec<StoredStep>)>, CycleError> {
    let states = vec![CaseState::Open];
    let filter = CaseFilter { kind: CaseKind::Password, states, ..CaseFilter::default() };
    let cases = read.cases(&filter).await?;
    if cases.is_empty() {
        return Ok(Vec::new());
    }
    let ids = cases.iter().map(|case| case.id).collect();
    let filter = StepFilter { cases: ids, ..StepFilter::default() };
    let mut steps: HashMap<CaseId, Vec<StoredStep>> = HashMap::new();
    for stored in read.steps(&filter).await? {
        steps.entry(stored.step.case).or_default().push(stored);
    }
    Ok(cases
        .into_iter()
        .map(|case| {
            let theirs = steps.remove(&case.id).unwrap_or_default();
            (case, theirs)
        })
        .collect())
}

fn case_of(old: &OldPassword, now: Timestamp) -> Case {
    let step = &old.step;
    Case {
        id: step.case,
        kind: CaseKind::Password,
        person: step.person,
        state: CaseState::Open,
        effective_at: now,
        for_cause: false,
        opened_at: now,
        disabled_on: None,
        worksite_class: None,
        reason: format!("the password of {} in {} is too old", old.account.user_id, step.connector),
        before: vec![(step.connector.clone(), old.account.clone())],
    }
}
