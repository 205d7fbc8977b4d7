//! Carries due steps out: intent on stable storage first, then the call, then the look back.
//!
//! **Flow.** `claim_due` marks a batch Started under a lease and commits. The connector applies it.
//! Outcomes and audit rows are committed together. Then each change is read back from the server that
//! took it, and that is committed as well.
//!
//! **Guarantees.** No call is made that a restart would not know of. A step whose reply was lost, or
//! whose daemon died, is looked at before it is tried again: every `apply` begins with a look.
//!
//! **Assumptions.** A lease outlasts a batch; a daemon that wakes after its lease has run out finds its
//! outcomes refused by the fencing token, and the steps with their next owner.

use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, Claim, StepFilter, StepUpdate, StoredStep};
use crate::targets::Hands;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::contract::Apply;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseState, ConnectorName};
use lapsed_core::journal::{StepEvent, StepState, transition};
use lapsed_core::policy::departure::{Redate, WorksiteClass, redate, worksite_class};
use lapsed_core::reconcile::deletions;
use lapsed_core::standing::{Standing, standing};
use lapsed_core::step::{Action, Cause, Due, Fault, Outcome, Seen, Step, next_attempt};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// What one round carried out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CarriedOut {
    /// Steps that ended as wanted.
    pub done: u64,
    /// Steps that were refused or had drifted.
    pub stuck: u64,
    /// Steps that will be tried again.
    pub waiting: u64,
}

impl std::ops::AddAssign for CarriedOut {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.stuck += other.stuck;
        self.waiting += other.waiting;
    }
}

/// Where the moment comes from: the system's clock, or a test's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A cycle with hands.
#[derive(Clone)]
pub struct Executor {
    /// State, rules and eyes.
    pub cycle: Cycle,
    /// The targets that it may change.
    pub hands: Hands,
    /// This daemon's name in leases.
    pub owner: String,
    /// The moment.
    pub clock: Clock,
}

impl Executor {
    /// Carries out all that is due now, every target by itself: a slow one holds up no other.
    pub async fn carry_out(&self) -> Result<CarriedOut, CycleError> {
        let mut all = CarriedOut::default();
        let runs = self.hands.0.iter().map(|(name, hand)| self.drain(name, hand.as_ref()));
        for run in join_all(runs).await {
            all += run?;
        }
        Ok(all)
    }

    /// One target's due steps, batch by batch, until none is ready or the target can't be reached.
    pub async fn drain(&self, name: &ConnectorName, hand: &dyn Apply) -> Result<CarriedOut, CycleError> {
        let mut all = CarriedOut::default();
        loop {
            let batch = self.claim(name).await?;
            if batch.is_empty() {
                return Ok(all);
            }
            let round = self.batch(name, hand, &batch).await?;
            let unreachable = round.done == 0 && round.stuck == 0;
            all += round;
            if unreachable {
                return Ok(all);
            }
        }
    }

    async fn claim(&self, name: &ConnectorName) -> Result<Vec<StoredStep>, CycleError> {
        let now = (self.clock)();
        let settings = &self.cycle.config.execution;
        let deletions_allowed = self.cycle.store.setting::<String>(PAUSED).await?.is_none();
        Ok(self
            .cycle
            .store
            .claim_due(&Claim {
                connectors: std::slice::from_ref(name),
                now,
                today: self.cycle.today(now),
                owner: &self.owner,
                lease_for: SignedDuration::from_secs(i64::from(settings.lease_seconds)),
                limit: settings.batch as usize,
                deletions_allowed,
            })
            .await?)
    }

    async fn batch(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
        batch: &[StoredStep],
    ) -> Result<CarriedOut, CycleError> {
        let steps: Vec<Step> = batch.iter().map(|s| s.step.clone()).collect();
        let results = self.apply(hand, &steps).await;
        let mut outcomes = self.record(name, batch, results).await?;
        let look: Vec<StoredStep> = outcomes
            .iter()
            .filter(|s| matches!(s.state, StepState::Done { .. } | StepState::Unknown { .. }))
            .cloned()
            .collect();
        if !look.is_empty() {
            let seen = self.look_back(hand, &look).await?;
            outcomes.retain(|s| !seen.iter().any(|other| other.step.id == s.step.id));
            outcomes.extend(seen);
        }
        self.after_disabling(batch).await?;
        let mut round = CarriedOut::default();
        for step in &outcomes {
            match &step.state {
                state if state.is_done() => round.done += 1,
                StepState::Drifted { .. } | StepState::Refused { .. } => round.stuck += 1,
                _ => round.waiting += 1,
            }
        }
        Ok(round)
    }

    /// A call that outlasts its time is given up; what became of it is looked up, never assumed.
    async fn apply(&self, hand: &dyn Apply, steps: &[Step]) -> Vec<Result<Outcome, Fault>> {
        // The lease bounds the batch: past it, another daemon may take the steps over.
        let lease = Duration::from_secs(u64::from(self.cycle.config.execution.lease_seconds));
        match tokio::time::timeout(lease, hand.apply(steps)).await {
            Ok(results) if results.len() == steps.len() => results,
            Ok(_) => lost(steps, "the connector did not answer for every step"),
            Err(_) => lost(steps, "no answer within the lease (execution.lease_seconds)"),
        }
    }

    async fn record(
        &self,
        name: &ConnectorName,
        batch: &[StoredStep],
        results: Vec<Result<Outcome, Fault>>,
    ) -> Result<Vec<StoredStep>, CycleError> {
        let now = (self.clock)();
        let mut tx = self.cycle.store.begin().await?;
        let mut updates = Vec::with_capacity(batch.len());
        let mut after = Vec::with_capacity(batch.len());
        let mut trouble: Option<Cause> = None;
        for (stored, result) in batch.iter().zip(results) {
            if let Err(Fault::Retry(cause) | Fault::Unknown(cause)) = &result {
                trouble.get_or_insert_with(|| cause.clone());
            }
            let attempts = stored.attempts + u32::from(result.is_err());
            let event = event_of(result, now, attempts);
            let Ok(state) = transition(&stored.state, event) else { continue };
            let mut moved = stored.clone();
            moved.state = state.clone();
            moved.attempts = attempts;
            updates.push(StepUpdate { attempts, ..StepUpdate::to(stored, state) });
            tx.audit(self.outcome_entry(&moved, now));
            after.push(moved);
        }
        let fenced = tx.set_steps(&updates, now).await?;
        // A step that another daemon has taken over is that daemon's to tell about.
        if !fenced.is_empty() {
            drop(tx);
            tracing::warn!(steps = fenced.len(), connector = %name, "lease lost: outcomes left to the new owner");
            return self.record_unfenced(name, batch, after, &fenced, now).await;
        }
        tx.set_setting(&health_key(name), &trouble).await?;
        tx.commit().await?;
        Ok(after)
    }

    async fn record_unfenced(
        &self,
        name: &ConnectorName,
        batch: &[StoredStep],
        after: Vec<StoredStep>,
        fenced: &BTreeSet<lapsed_core::step::StepId>,
        now: Timestamp,
    ) -> Result<Vec<StoredStep>, CycleError> {
        let mine: Vec<StoredStep> = after.into_iter().filter(|s| !fenced.contains(&s.step.id)).collect();
        let mut tx = self.cycle.store.begin().await?;
        let updates: Vec<StepUpdate> = mine
            .iter()
            .filter_map(|moved| {
                let stored = batch.iter().find(|s| s.step.id == moved.step.id)?;
                Some(StepUpdate { attempts: moved.attempts, ..StepUpdate::to(stored, moved.state.clone()) })
            })
            .collect();
        for moved in &mine {
            tx.audit(self.outcome_entry(moved, now));
        }
        tx.set_steps(&updates, now).await?;
        tx.set_setting(&health_key(name), &None::<Cause>).await?;
        tx.commit().await?;
        Ok(mine)
    }

    /// Reads steps back (D13) and records what was seen; a lost reply becomes done, or is tried again.
    pub async fn look_back(
        &self,
        hand: &dyn Apply,
        steps: &[StoredStep],
    ) -> Result<Vec<StoredStep>, CycleError> {
        let wanted: Vec<Step> = steps.iter().map(|s| s.step.clone()).collect();
        let seen = hand.read_back(&wanted).await;
        let now = (self.clock)();
        let today = self.cycle.today(now);
        let mut tx = self.cycle.store.begin().await?;
        let mut updates = Vec::new();
        let mut after = Vec::new();
        for (stored, seen) in steps.iter().zip(seen) {
            let Some(state) = seen_state(stored, seen, now) else { continue };
            let mut moved = stored.clone();
            moved.state = state.clone();
            let mut update = StepUpdate::to(stored, state);
            self.next_look(&mut update, stored, today);
            if moved.state.name() != stored.state.name() {
                tx.audit(self.outcome_entry(&moved, now));
            }
            if matches!(moved.state, StepState::Unverified { .. }) {
                // Someone put it back, or it never took: the person is planned for anew.
                tx.mark_to_decide(&[moved.step.person], now).await?;
            }
            updates.push(update);
            after.push(moved);
        }
        tx.set_steps(&updates, now).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Access gets put back by other hands: the next of the configured days for another look (D13).
    fn next_look(&self, update: &mut StepUpdate, stored: &StoredStep, today: jiff::civil::Date) {
        let days = &self.cycle.config.policy.departure.recheck_days;
        let index = stored.recheck_index as usize;
        update.recheck_on = days.get(index).and_then(|days| {
            today.checked_add(jiff::Span::new().days(i64::from(*days))).ok()
        });
        update.recheck_index = stored.recheck_index.saturating_add(1);
    }

    /// Looks again at what was done on earlier days, where the day for it has come (D13).
    pub async fn recheck(&self) -> Result<(), CycleError> {
        let today = self.cycle.today((self.clock)());
        for (name, hand) in &self.hands.0 {
            let steps = self.cycle.store.steps_to_read_back(name, today).await?;
            for block in steps.chunks(self.cycle.config.execution.batch.max(1) as usize) {
                self.look_back(hand.as_ref(), block).await?;
            }
        }
        Ok(())
    }

    /// The first day with every account of a case shut starts its clocks and freezes its worksite class.
    async fn after_disabling(&self, batch: &[StoredStep]) -> Result<(), CycleError> {
        let cases: BTreeSet<_> = batch
            .iter()
            .filter(|s| matches!(s.step.action, Action::Disable { .. }))
            .map(|s| s.step.case)
            .collect();
        for id in cases {
            let steps =
                self.cycle.store.steps(&StepFilter { case: Some(id), ..StepFilter::default() }).await?;
            let mut disabling = steps.iter().filter(|s| matches!(s.step.action, Action::Disable { .. }));
            let all_ended = disabling.clone().all(|s| s.state.has_ended());
            if !all_ended || !disabling.any(|s| s.state.is_done()) {
                continue;
            }
            if let Some(case) = self.cycle.store.case(id).await?
                && case.disabled_on.is_none()
            {
                self.start_clocks(case, &steps).await?;
            }
        }
        Ok(())
    }

    async fn start_clocks(&self, mut case: Case, steps: &[StoredStep]) -> Result<(), CycleError> {
        let now = (self.clock)();
        let today = self.cycle.today(now);
        let class = match case.worksite_class {
            Some(class) => class,
            None => self.class_of(&case, now).await?,
        };
        case.disabled_on = Some(today);
        case.worksite_class = Some(class);
        let mut tx = self.cycle.store.begin().await?;
        tx.save_case(&case).await?;
        for stored in steps.iter().filter(|s| s.step.action.destroys()) {
            if let Some(step) = self.later(stored, class, today)? {
                tx.redate_step(&step).await?;
            }
        }
        tx.audit(AuditEntry {
            person: Some(case.person),
            case: Some(case.id),
            user_id: steps.first().map(|s| s.step.action.account().label.clone()),
            clause: Some(self.cycle.config.policy.citations.cite(Rule::D6)),
            ..AuditEntry::new(now, DAEMON, "case.clocks_started", json!({ "disabled_on": today, "worksite": class }))
        });
        tx.commit().await?;
        Ok(())
    }

    async fn class_of(&self, case: &Case, now: Timestamp) -> Result<WorksiteClass, CycleError> {
        let person = self.cycle.store.person(case.person).await?;
        let worksite = person.and_then(|p| match standing(&p, now, &self.cycle.config.time_zone) {
            Standing::Left(end) | Standing::Leaving(end) => end.worksite,
            Standing::Employed | Standing::Unknown => None,
        });
        Ok(worksite_class(worksite.as_ref(), &self.cycle.config.policy.locations))
    }

    /// The deletion with a later date, where disabling came later than planned; never an earlier one (D15).
    fn later(
        &self,
        stored: &StoredStep,
        class: WorksiteClass,
        today: jiff::civil::Date,
    ) -> Result<Option<Step>, CycleError> {
        let Due::On { date, .. } = &stored.step.due else { return Ok(None) };
        let all = deletions(&self.cycle.config.policy, today, class, stored.step.action.account())
            .map_err(CycleError::Rule)?;
        let fresh = all.into_iter().find(|(_, action, ..)| action.name() == stored.step.action.name());
        Ok(fresh.and_then(|(_, _, _, (computed, reason))| match redate(*date, computed) {
            Redate::Later(date) => {
                Some(Step { due: Due::On { date, reason }, ..stored.step.clone() })
            }
            Redate::Same | Redate::EarlierNeedsRelease(_) => None,
        }))
    }

    /// Closes cases in which nothing is left to do and nothing is stuck.
    pub async fn close_cases(&self) -> Result<(), CycleError> {
        let now = (self.clock)();
        for mut case in self.cycle.store.cases_ended().await? {
            let mut tx = self.cycle.store.begin().await?;
            case.state = CaseState::Closed;
            tx.save_case(&case).await?;
            tx.audit(AuditEntry {
                person: Some(case.person),
                case: Some(case.id),
                clause: Some(self.cycle.config.policy.citations.cite(Rule::D13)),
                ..AuditEntry::new(now, DAEMON, "case.closed", json!({}))
            });
            tx.commit().await?;
        }
        Ok(())
    }

    fn outcome_entry(&self, stored: &StoredStep, now: Timestamp) -> AuditEntry {
        let detail = json!({
            "do": stored.step.action.describe(),
            "connector": stored.step.connector,
            "attempts": stored.attempts,
            "note": note(&stored.state),
        });
        AuditEntry {
            person: Some(stored.step.person),
            case: Some(stored.step.case),
            step: Some(stored.step.id),
            plan: Some(stored.plan.clone()),
            user_id: Some(stored.step.action.account().label.clone()),
            clause: Some(self.cycle.config.policy.citations.cite(stored.step.rule)),
            ..AuditEntry::new(now, DAEMON, &format!("step.{}", stored.state.name()), detail)
        }
    }
}

/// The setting that says by whom and since when deletions are paused.
pub const PAUSED: &str = "pause.deletions";

/// The setting under which a connector's last trouble is kept; null when it answered.
#[must_use]
pub fn health_key(name: &ConnectorName) -> String {
    format!("health.{name}")
}

/// One line about a state, for people.
#[must_use]
pub fn note(state: &StepState) -> String {
    match state {
        StepState::Planned | StepState::Started { .. } => String::new(),
        StepState::Waiting { cause, .. }
        | StepState::Unknown { cause }
        | StepState::Refused { cause }
        | StepState::Unverified { cause, .. } => cause.to_string(),
        StepState::Done { receipt: None } | StepState::Verified { receipt: None, .. } => {
            "it was so already".into()
        }
        StepState::Done { receipt: Some(_) } => "changed".into(),
        StepState::Verified { receipt: Some(_), .. } => "changed and read back".into(),
        StepState::Drifted { found } => found.description.clone(),
        StepState::Cancelled { reason } => reason.clone(),
    }
}

fn lost(steps: &[Step], why: &str) -> Vec<Result<Outcome, Fault>> {
    steps.iter().map(|_| Err(Fault::Unknown(Cause::new(why)))).collect()
}

fn event_of(result: Result<Outcome, Fault>, now: Timestamp, attempts: u32) -> StepEvent {
    match result {
        Ok(Outcome::Changed(receipt)) => StepEvent::Changed(receipt),
        Ok(Outcome::AlreadySo) => StepEvent::AlreadySo,
        Ok(Outcome::Drifted(found)) => StepEvent::Drifted(found),
        Err(Fault::Retry(cause)) => StepEvent::RetryAt(next_attempt(now, attempts), cause),
        Err(Fault::Refused(cause)) => StepEvent::Refused(cause),
        Err(Fault::Unknown(cause)) => StepEvent::ReplyLost(cause),
    }
}

fn seen_state(stored: &StoredStep, seen: Result<Seen, Fault>, now: Timestamp) -> Option<StepState> {
    let lost = matches!(stored.state, StepState::Unknown { .. });
    let retry = |cause| StepEvent::RetryAt(next_attempt(now, stored.attempts), cause);
    let event = match seen {
        // The reply was lost, but the change is there; its before-image is in the case.
        Ok(Seen::AsWanted) if lost => {
            let done = transition(&stored.state, StepEvent::AlreadySo).ok()?;
            return transition(&done, StepEvent::SeenAsWanted(now)).ok();
        }
        Ok(Seen::AsWanted) => StepEvent::SeenAsWanted(now),
        Ok(Seen::Otherwise(found)) if lost => retry(Cause::new(found.description)),
        Ok(Seen::CannotTell(cause)) if lost => retry(cause),
        Ok(Seen::Otherwise(found)) => StepEvent::NotSeen(Cause::new(found.description)),
        Ok(Seen::CannotTell(cause)) => StepEvent::NotSeen(cause),
        Err(Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause)) if lost => retry(cause),
        // The server went away after the change: another look later, at the next recheck.
        Err(Fault::Retry(_) | Fault::Unknown(_)) => return None,
        Err(Fault::Refused(cause)) => StepEvent::NotSeen(cause),
    };
    transition(&stored.state, event).ok()
}
