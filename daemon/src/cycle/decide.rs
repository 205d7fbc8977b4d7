//! Plans every departure that is in effect and has something left to do, and asks the guard.

use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, Marks, SetAside, StoreError, StoredPlan, Tx};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseId, ConnectorName, NoticeState, Person, PersonId, SourceName};
use lapsed_core::guard::{Baseline, Proposed, Verdict, judge};
use lapsed_core::plan::{Plan, PlanState};
use lapsed_core::step::Fault;
use serde_json::json;
use std::collections::{BTreeMap, HashMap, HashSet};
use uuid::Uuid;

/// The source of notices that operators give themselves.
pub const OPERATOR: &str = "operator";

/// What one round decided.
#[derive(Debug, Default)]
pub struct Decided {
    /// Plans of this round with their state: passed or held, or what an earlier round made of the same plan.
    pub plans: Vec<(Plan, PlanState)>,
    /// Targets that could not be read; who is affected is looked at again next round.
    pub unreadable: BTreeMap<ConnectorName, Fault>,
}

/// How many people one round plans for at the most; the rest follow at once in the next round.
const PEOPLE_AT_ONCE: usize = 2_000;

impl Cycle {
    /// Looks at everyone whose facts have changed or whose day has come, and plans what must happen.
    ///
    /// People stay marked until their plan is stored: a crash or an unreadable target loses nobody.
    pub async fn decide(&self, now: Timestamp) -> Result<Decided, CycleError> {
        let mut decided = Decided::default();
        self.expire_releases(now).await?;
        let marks = self.store.read().people_to_decide().await?;
        let mut wanted: Vec<PersonId> = marks.keys().copied().collect();
        wanted.extend(self.store.read().cases_due(now).await?.into_iter().map(|case| case.person));
        wanted.sort();
        wanted.dedup();
        // All departures of a round are judged together: a cut into blocks would blind the guard.
        let mut in_effect = Vec::new();
        for block in wanted.chunks(PEOPLE_AT_ONCE) {
            in_effect.extend(self.settle_block(block, &marks, now).await?);
        }
        let undecided = self.undecided(in_effect, &marks).await?;
        let (proposed, work) = self.propose(undecided, now, &mut decided).await?;
        let baseline = self.baseline(now).await?;
        let limits = &self.config.policy.guard;
        let judged = judge(proposed, baseline, limits, &self.config.policy.version());
        self.store_plans(judged, work, &marks, now, &mut decided).await?;
        Ok(decided)
    }

    /// A release that was not used in time is a held plan again: the world may have moved on.
    async fn expire_releases(&self, now: Timestamp) -> Result<(), CycleError> {
        let expired = self.store.read().plans_expired(now).await?;
        if expired.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for plan in expired {
            tx.set_plan_state(&plan.plan.hash, PlanState::Held, None).await?;
            tx.audit(AuditEntry {
                plan: Some(plan.plan.hash.clone()),
                case: plan.plan.only_case(),
                ..AuditEntry::new(now, DAEMON, "plan.release_expired")
            });
        }
        tx.commit().await?;
        Ok(())
    }

    /// Settles the cases of some people; those without anything to plan are no longer marked.
    async fn settle_block(
        &self,
        block: &[PersonId],
        marks: &Marks,
        now: Timestamp,
    ) -> Result<Vec<(Person, Case)>, CycleError> {
        let people = self.store.read().people(block).await?;
        let mut in_effect = Vec::new();
        let mut settled = Vec::new();
        let mut tx = self.store.begin().await?;
        for mut person in people {
            match self.settle_case(&mut tx, &mut person, now).await? {
                Some(case) => in_effect.push((person, case)),
                None => settled.push(person.id),
            }
        }
        tx.clear_to_decide(&settled, marks).await?;
        tx.commit().await?;
        Ok(in_effect)
    }

    /// Leaves out whose plan waits for a release, or was rejected and no newer notice has come since.
    async fn undecided(
        &self,
        in_effect: Vec<(Person, Case)>,
        marks: &Marks,
    ) -> Result<Vec<(Person, Case)>, CycleError> {
        if in_effect.is_empty() {
            return Ok(in_effect);
        }
        let decisions = self.decisions_by_case().await?;
        let (blocked, free): (Vec<_>, Vec<_>) =
            in_effect.into_iter().partition(|(person, case)| {
                decisions.get(&case.id).is_some_and(|plan| blocks(plan, person))
            });
        let blocked: Vec<PersonId> = blocked.iter().map(|(person, _)| person.id).collect();
        let tx = self.store.begin().await?;
        tx.clear_to_decide(&blocked, marks).await?;
        tx.commit().await?;
        Ok(free)
    }

    async fn decisions_by_case(&self) -> Result<HashMap<CaseId, StoredPlan>, CycleError> {
        let mut latest: HashMap<CaseId, StoredPlan> = HashMap::new();
        for plan in self.store.read().plans(&[PlanState::Held, PlanState::Rejected]).await? {
            let cases: HashSet<CaseId> = plan.plan.steps.iter().map(|s| s.case).collect();
            for case in cases {
                let newer =
                    latest.get(&case).is_none_or(|known| known.created_at < plan.created_at);
                if newer {
                    latest.insert(case, plan.clone());
                }
            }
        }
        Ok(latest)
    }

    async fn baseline(&self, now: Timestamp) -> Result<Baseline, CycleError> {
        let days = self.config.policy.guard.departures.window_days;
        let since = now
            .checked_sub(SignedDuration::from_hours(i64::from(days) * 24))
            .unwrap_or(Timestamp::MIN);
        Ok(Baseline {
            population: self.population().await?,
            departed_in_window: self.store.read().people_departing_since(since).await?,
        })
    }

    /// The last accepted population: what each full feed, or the adoption before any, counted.
    pub async fn population(&self) -> Result<Option<u32>, CycleError> {
        let mut sum: Option<u32> = None;
        for feed in self.config.feeds.keys() {
            if let Some(count) =
                self.store.read().setting::<u32>(&format!("population.{feed}")).await?
            {
                sum = Some(sum.unwrap_or(0).saturating_add(count));
            }
        }
        Ok(sum)
    }

    async fn store_plans(
        &self,
        judged: Vec<(Plan, Verdict)>,
        work: Vec<Departing>,
        marks: &Marks,
        now: Timestamp,
        decided: &mut Decided,
    ) -> Result<(), CycleError> {
        let mut states = Vec::new();
        for (plan, verdict) in judged {
            let known = self.store.read().plan(&plan.hash).await?.map(|p| p.state);
            let state = match (known, verdict) {
                (Some(PlanState::Replaced) | None, Verdict::Pass) => PlanState::Passed,
                (Some(PlanState::Replaced) | None, Verdict::Hold) => PlanState::Held,
                // The same wish again attaches to the same plan, whatever was made of it.
                (Some(state), _) => state,
            };
            states.push((plan, state, known.is_none()));
        }
        let mut tx = self.store.begin().await?;
        for departing in &work {
            tx.save_person(&departing.person).await?;
            tx.save_case(&departing.case).await?;
        }
        for (plan, state, is_new) in &states {
            if *is_new {
                tx.save_plan(plan, *state, &plan.findings, now).await?;
            }
            if matches!(state, PlanState::Passed | PlanState::Released) {
                add_steps(&tx, plan, now).await?;
            }
            if *is_new {
                self.note_plan(&mut tx, plan, *state, &work, now);
            }
        }
        let nobody: Vec<&Departing> =
            work.iter().filter(|d| d.accounts == 0 && d.readable).collect();
        for departing in nobody {
            self.set_nobody_aside(&mut tx, departing, now).await?;
        }
        let done: Vec<PersonId> = work.iter().filter(|d| d.readable).map(|d| d.person.id).collect();
        tx.clear_to_decide(&done, marks).await?;
        tx.commit().await?;
        decided.plans = states.into_iter().map(|(plan, state, _)| (plan, state)).collect();
        Ok(())
    }

    fn note_plan(
        &self,
        tx: &mut Tx,
        plan: &Plan,
        state: PlanState,
        work: &[Departing],
        now: Timestamp,
    ) {
        let event = if state == PlanState::Held { "plan.held" } else { "plan.passed" };
        let findings: Vec<String> = plan.findings.iter().map(|f| f.describe()).collect();
        let only = plan.only_case();
        let whose = only.and_then(|case| work.iter().find(|d| d.case.id == case));
        tx.audit(AuditEntry {
            person: whose.map(|d| d.person.id),
            case: only,
            plan: Some(plan.hash.clone()),
            user_id: whose.and_then(|d| d.person.user_ids().into_iter().next()),
            clause: Some(self.config.policy.citations.cite(Rule::D2)),
            detail: json!({
                "steps": plan.steps.len(), "findings": findings, "policy": plan.policy_version,
            }),
            ..AuditEntry::new(now, DAEMON, event)
        });
    }

    async fn set_nobody_aside(
        &self,
        tx: &mut Tx,
        departing: &Departing,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let standing =
            departing.person.notices.iter().rev().find(|n| n.state == NoticeState::Standing);
        let Ok(nowhere) = SourceName::new("daemon") else { return Ok(()) };
        tx.set_aside_once(&SetAside {
            id: Uuid::now_v7(),
            drop: None,
            source: standing.map_or(nowhere, |n| n.source.clone()),
            file_name: standing.map(|n| n.brought_by.clone()).unwrap_or_default(),
            line: None,
            reason: "the person has left, and no account carries their employee number or user ID: look \
                     whether there is one under another number"
                .into(),
            who: Some(departing.person.shown()),
            at: now,
            settled_at: None,
        })
        .await?;
        Ok(())
    }
}

/// Puts a plan's steps into the journal; a dismissal for cause comes first in line (D2).
pub async fn add_steps(tx: &Tx, plan: &Plan, now: Timestamp) -> Result<(), StoreError> {
    let mut cases: Vec<CaseId> = plan.steps.iter().map(|s| s.case).collect();
    cases.sort();
    cases.dedup();
    for id in cases {
        let for_cause = tx.read().case(id).await?.is_some_and(|case| case.for_cause);
        let steps: Vec<_> = plan.steps.iter().filter(|s| s.case == id).cloned().collect();
        tx.add_steps(&plan.hash, &steps, for_cause, now).await?;
    }
    Ok(())
}

/// One departure that was planned in this round.
#[derive(Debug)]
pub struct Departing {
    /// Whose, with the accounts that are now known to be theirs.
    pub person: Person,
    /// The case, with what is frozen now.
    pub case: Case,
    /// Accounts found in all targets.
    pub accounts: usize,
    /// False when a target could not be read: the person stays marked.
    pub readable: bool,
}

/// The parts of a round that later parts need.
pub type Round = (Vec<Proposed>, Vec<Departing>);

fn blocks(plan: &StoredPlan, person: &Person) -> bool {
    match plan.state {
        PlanState::Held => true,
        PlanState::Rejected => !person.notices.iter().any(|n| {
            n.state == NoticeState::Standing
                && plan.decided_at.is_some_and(|decided| n.received_at > decided)
        }),
        PlanState::Passed | PlanState::Released | PlanState::Replaced => false,
    }
}
