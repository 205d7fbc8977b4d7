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

mod events;

use self::events::{asked_perhaps, event_of, is_unsure, lost, may_have_given, seen_events};
use super::pace::Pace;
use super::{Cycle, CycleError, DAEMON, asked};
use crate::store::{AuditEntry, Claim, StepFilter, StepUpdate, StoredStep};
use crate::targets::Hands;
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::contract::Apply;
use lapsed_connectors::settings::Ability;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseState, ConnectorName};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::pacing::Leave;
use lapsed_core::step::{
    ASKED, Action, Cause, EARLIER_ATTEMPT, Fault, Outcome, REPLY_LOST, Receipt, Step, StepId,
};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What one round carried out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct CarriedOut {
    /// Steps that ended as wanted.
    pub done: u64,
    /// Steps that were refused or had drifted.
    pub stuck: u64,
    /// Steps that will be tried again.
    pub waiting: u64,
    /// Steps that gave access, or may have: their people are marked, since a departure may have come
    /// meanwhile.
    pub given: u64,
}

impl std::ops::AddAssign for CarriedOut {
    fn add_assign(&mut self, other: Self) {
        self.done += other.done;
        self.stuck += other.stuck;
        self.waiting += other.waiting;
        self.given += other.given;
    }
}

/// So many steps are looked at again in one round; the next round takes up the rest.
const MOST_LOOKS: u64 = 100_000;

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
    /// How fast each target is worked on.
    pub pace: Pace,
    /// Whether this daemon may work, and how many share it.
    pub fence: Arc<crate::service::Fence>,
    /// Whether all orders that were filed have been seen: nothing is destroyed before that (D6).
    pub orders_seen: Arc<AtomicBool>,
}

impl Executor {
    /// Carries out all that is due now, every target by itself: a slow one holds up no other.
    pub async fn carry_out(&self) -> Result<CarriedOut, CycleError> {
        let mut all = CarriedOut::default();
        let never = CancellationToken::new();
        let runs = self.hands.0.iter().map(|(name, hand)| self.drain(name, hand.as_ref(), &never));
        for run in join_all(runs).await {
            all += run?;
        }
        Ok(all)
    }

    /// One target's due steps, batch by batch, until none is ready, the target can't be reached, or
    /// `stop`: then the batch under way is still finished and recorded.
    pub async fn drain(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
        stop: &CancellationToken,
    ) -> Result<CarriedOut, CycleError> {
        let mut all = CarriedOut::default();
        loop {
            if stop.is_cancelled() {
                return Ok(all);
            }
            let rules = &self.cycle.config.execution;
            let Leave::Steps(most) = self.pace.leave(name, rules, (self.clock)()) else {
                return Ok(all);
            };
            let batch = self.claim(name, most.min(self.at_most(name))).await?;
            self.pace.begun(name, batch.len());
            if batch.is_empty() {
                self.look_at_the_rest(name, hand, stop).await?;
                self.look_at_what_was_lost(name, hand).await?;
                let shut = self.cycle.store.read().shut_without_clocks(name).await?;
                self.after_disabling(&shut).await?;
                self.remind(name, hand).await?;
                return Ok(all);
            }
            let (round, answered) = self.batch(name, hand, &batch).await?;
            self.pace.ended(name, answered, rules, (self.clock)());
            all += round;
            if !answered {
                return Ok(all);
            }
        }
    }

    /// Reads back what was done and not looked at since: the daemon died in between, or the target did.
    async fn look_at_the_rest(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
        stop: &CancellationToken,
    ) -> Result<(), CycleError> {
        let filter = StepFilter {
            states: vec!["done"],
            connector: Some(name.clone()),
            limit: Some(MOST_LOOKS),
            ..StepFilter::default()
        };
        let left = self.cycle.store.read().steps(&filter).await?;
        for block in left.chunks(self.cycle.config.execution.batch.max(1) as usize) {
            let seen = self.look_back(hand, block).await?;
            if seen.is_empty() || stop.is_cancelled() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Looks at what nobody knows the end of, and no claim takes up: it was done, or is tried again where its
    /// case goes on. What ended with its case must not stay unseen either.
    async fn look_at_what_was_lost(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
    ) -> Result<(), CycleError> {
        let now = (self.clock)();
        let today = self.cycle.today(now);
        let left = self.cycle.store.read().lost_steps(name, now, today).await?;
        let cause = || Cause::new("the daemon ended before the reply came");
        let started = left.steps.iter().filter(|s| matches!(s.state, StepState::Started { .. }));
        let lost = started.map(|s| (s, StepEvent::ReplyLost(cause())));
        let mut unknown = self.store_events(lost, now).await?;
        unknown.extend(
            left.steps.into_iter().filter(|s| matches!(s.state, StepState::Unknown { .. })),
        );
        say_what_was_perhaps_begun(hand, unknown.iter());
        for block in unknown.chunks(self.cycle.config.execution.batch.max(1) as usize) {
            let seen = self.look_back(hand, block).await?;
            let off = seen.iter().filter(|s| left.over.contains(&s.step.id)).filter_map(called_off);
            self.store_events(off, now).await?;
        }
        Ok(())
    }

    /// What is mailed can't be found again, so that each form's outcome is stored before the next; systems
    /// are asked one account at a time, and their batch must end within the lease. Holds are looked at with
    /// each claim: of what deletes mailboxes and homes, few may be under way when one comes.
    fn at_most(&self, name: &ConnectorName) -> u32 {
        if self.cycle.able(name, Ability::Request) {
            1
        } else if [Ability::Access, Ability::DeleteMailbox, Ability::DeleteHome]
            .iter()
            .any(|ability| self.cycle.able(name, *ability))
        {
            25
        } else {
            u32::MAX
        }
    }

    async fn claim(&self, name: &ConnectorName, most: u32) -> Result<Vec<StoredStep>, CycleError> {
        let now = (self.clock)();
        let settings = &self.cycle.config.execution;
        let most = self.fair_share(name, most as usize, now).await?;
        Ok(self
            .cycle
            .store
            .claim_due(&Claim {
                connectors: std::slice::from_ref(name),
                now,
                today: self.cycle.today(now),
                owner: &self.owner,
                lease_for: SignedDuration::from_secs(i64::from(settings.lease_seconds)),
                limit: most,
                deletions_allowed: self.orders_seen.load(Ordering::Relaxed)
                    && self.cycle.store.orders_seen_by_all().await?,
            })
            .await?)
    }

    /// Of several daemons on one state, each leaves the others their part of what is due.
    async fn fair_share(
        &self,
        name: &ConnectorName,
        most: usize,
        now: Timestamp,
    ) -> Result<usize, CycleError> {
        /// Fewer are not worth a claim of their own.
        const LEAST: usize = 4;
        let members = self.fence.members();
        if members < 2 || most <= LEAST {
            return Ok(most);
        }
        let today = self.cycle.today(now);
        let due = self.cycle.store.read().steps_to_share(name.as_str(), now, today).await?;
        Ok(due.div_ceil(members).clamp(LEAST, most))
    }

    /// What became of a batch, and whether the target answered for any of it.
    async fn batch(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
        batch: &[StoredStep],
    ) -> Result<(CarriedOut, bool), CycleError> {
        let steps: Vec<Step> = batch.iter().map(|s| s.step.clone()).collect();
        say_what_was_perhaps_begun(hand, batch.iter().filter(|stored| stored.perhaps_begun));
        let results = match asked_perhaps(hand, batch) {
            Some(result) => vec![result],
            None => self.apply_where_homes_are_safe(hand, batch, &steps).await?,
        };
        // A protocol's own code is an answer: busy, or refused for this object, but there.
        let silent = |result: &_| match result {
            Err(Fault::Retry(cause) | Fault::Unknown(cause)) => cause.code.is_none(),
            _ => false,
        };
        let answered = !results.iter().all(silent);
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
            round.given += u64::from(may_have_given(step));
            match &step.state {
                state if state.is_done() => round.done += 1,
                StepState::Asked { .. } => round.done += 1,
                StepState::Drifted { .. } | StepState::Refused { .. } => round.stuck += 1,
                _ => round.waiting += 1,
            }
        }
        Ok((round, answered))
    }

    /// A call that outlasts its time is given up; what became of it is looked up, never assumed.
    pub(super) async fn apply(
        &self,
        hand: &dyn Apply,
        steps: &[Step],
    ) -> Vec<Result<Outcome, Fault>> {
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
        let trouble = results.iter().find_map(|result| match result {
            Err(Fault::Retry(cause) | Fault::Unknown(cause)) => Some(cause.clone()),
            _ => None,
        });
        let events = batch
            .iter()
            .zip(results)
            .map(|(stored, result)| (stored, event_of(stored, result, now)));
        let after = self.store_events(events, now).await?;
        let tx = self.cycle.store.begin().await?;
        tx.set_setting(&health_key(name), &trouble).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Writes what events make of steps, each with its audit row, in one transaction. A step that
    /// another daemon has taken over meanwhile is that daemon's to tell about: it is left out.
    async fn store_events(
        &self,
        events: impl Iterator<Item = (&StoredStep, StepEvent)>,
        now: Timestamp,
    ) -> Result<Vec<StoredStep>, CycleError> {
        let mut updates = Vec::new();
        let mut after = Vec::new();
        for (stored, event) in events {
            let Ok(update) = stored.on(event) else { continue };
            let update = self.next_look(update, stored, now);
            let mut moved = stored.clone().after(update.clone());
            moved.changed_at = now;
            after.push((moved, stored.state.name()));
            updates.push(update);
        }
        let mut tx = self.cycle.store.begin().await?;
        let lost: BTreeSet<StepId> = tx.set_steps(&updates, now).await?.into_iter().collect();
        if !lost.is_empty() {
            tracing::warn!(steps = lost.len(), "lease lost: outcomes left to the new owner");
        }
        after.retain(|(moved, _)| !lost.contains(&moved.step.id));
        let mut undone = BTreeSet::new();
        let mut given = BTreeSet::new();
        for (moved, was) in &after {
            if moved.state.name() != *was {
                tx.audit(self.outcome_entry(moved, now));
            }
            if matches!(moved.state, StepState::Unverified { .. }) {
                undone.insert(moved.step.person);
            }
            if moved.state.name() != *was && may_have_given(moved) {
                given.insert(moved.step.person);
            }
        }
        // A departure or an order may have come while the call was out, and looked before it took effect.
        let given: Vec<_> = given.into_iter().collect();
        tx.mark_to_decide(&given, now).await?;
        tx.look_at_standing_suspensions_of(&given, now).await?;
        // Someone put it back, or it never took: the person is planned for anew.
        let undone: Vec<_> = undone.into_iter().collect();
        tx.mark_to_decide(&undone, now).await?;
        tx.look_at_suspensions_of(&undone, now).await?;
        tx.commit().await?;
        Ok(after.into_iter().map(|(moved, _)| moved).collect())
    }

    /// Reads steps back (D13) and records what was seen; a lost reply becomes done, or is tried again.
    pub async fn look_back(
        &self,
        hand: &dyn Apply,
        steps: &[StoredStep],
    ) -> Result<Vec<StoredStep>, CycleError> {
        let nothing = Receipt::default();
        for stored in steps {
            let receipt = stored.state.receipt();
            if receipt.is_some() || stored.state.is_done() {
                hand.remind(stored.step.id, receipt.unwrap_or(&nothing));
            }
        }
        let wanted: Vec<Step> = steps.iter().map(|s| s.step.clone()).collect();
        let seen = hand.read_back(&wanted).await;
        let now = (self.clock)();
        let lag = self.cycle.config.execution.replication_seconds;
        let lag = SignedDuration::from_secs(i64::from(lag));
        // A lost reply with the change in place takes two events: the change, then the look.
        let found: Vec<(&StoredStep, Vec<StepEvent>)> = steps
            .iter()
            .zip(seen)
            .map(|(stored, seen)| (stored, seen_events(stored, seen, now, lag)))
            .collect();
        let first =
            found.iter().filter_map(|(stored, events)| Some((*stored, events.first()?.clone())));
        let mut after = self.store_events(first, now).await?;
        let second: Vec<(StoredStep, StepEvent)> = found
            .iter()
            .filter_map(|(stored, events)| {
                let event = events.get(1)?.clone();
                let moved = after.iter().find(|s| s.step.id == stored.step.id)?.clone();
                Some((moved, event))
            })
            .collect();
        let again = self.store_events(second.iter().map(|(s, e)| (s, e.clone())), now).await?;
        after.retain(|s| !again.iter().any(|other| other.step.id == s.step.id));
        after.extend(again);
        Ok(after)
    }

    /// Access gets put back by other hands: a look that told something sets the next of the configured
    /// days for another one (D13).
    pub(crate) fn next_look(
        &self,
        update: StepUpdate,
        stored: &StoredStep,
        now: Timestamp,
    ) -> StepUpdate {
        if matches!(update.state, StepState::Asked { .. }) {
            return self.first_reminder(update, stored, now);
        }
        if is_unsure(&update, stored) {
            return update.recheck(stored.recheck_on, stored.recheck_index.saturating_add(1));
        }
        if !matches!(update.state, StepState::Verified { .. } | StepState::Unverified { .. }) {
            return update;
        }
        // When a password was changed before is known only to the process that changed it, and an archive
        // is its recipient's to move: a later look could tell nothing.
        // What was given may well be taken away again, by a departure or an order: no later look tells
        // anything but that.
        if stored.step.action.gives() {
            return update.recheck(None, stored.recheck_index.saturating_add(1));
        }
        if matches!(
            stored.step.action,
            Action::ScramblePassword { .. } | Action::ArchiveHome { .. }
        ) {
            return update.recheck(None, stored.recheck_index.saturating_add(1));
        }
        let days = &self.cycle.config.policy.departure.recheck_days;
        let on = days.get(stored.recheck_index as usize).and_then(|days| {
            self.cycle.today(now).checked_add(jiff::Span::new().days(i64::from(*days))).ok()
        });
        update.recheck(on, stored.recheck_index.saturating_add(1))
    }

    /// Looks again at what was done on earlier days, where the day for it has come (D13).
    pub async fn recheck(&self) -> Result<(), CycleError> {
        let today = self.cycle.today((self.clock)());
        let steps = self.cycle.store.read().steps_to_read_back(today, MOST_LOOKS).await?;
        for (name, hand) in &self.hands.0 {
            let theirs: Vec<StoredStep> =
                steps.iter().filter(|s| &s.step.connector == name).cloned().collect();
            for block in theirs.chunks(self.cycle.config.execution.batch.max(1) as usize) {
                self.look_back(hand.as_ref(), block).await?;
            }
        }
        Ok(())
    }

    /// Closes cases in which nothing is left to do and nothing is stuck.
    pub async fn close_cases(&self) -> Result<(), CycleError> {
        let now = (self.clock)();
        if self.cycle.store.read().cases_ended().await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.cycle.store.begin().await?;
        for mut case in tx.read().cases_ended().await? {
            case.state = CaseState::Closed;
            tx.save_case(&case).await?;
            tx.audit(AuditEntry {
                person: Some(case.person),
                case: Some(case.id),
                clause: Some(self.cycle.config.policy.citations.cite(Rule::D13)),
                ..AuditEntry::new(now, DAEMON, "case.closed")
            });
            let over = "the departure is closed";
            self.cycle.end_wishes(&mut tx, &[case.person], over, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    fn outcome_entry(&self, stored: &StoredStep, now: Timestamp) -> AuditEntry {
        let mut detail = json!({
            "do": stored.step.action.describe(),
            "connector": stored.step.connector,
            "attempts": stored.attempts,
            "note": note(&stored.state),
        });
        // Of what is gone for good, the record says where it was and how much.
        if let StepState::Done { receipt: Some(receipt) } = &stored.state
            && stored.step.action.destroys()
            && !receipt.is_perhaps()
        {
            detail["gone"] = json!(receipt.before);
        }
        // Where several work on one state, it says which of them did it.
        if self.cycle.store.is_shared() {
            detail["daemon"] = json!(self.owner);
        }
        let clause = self.cycle.config.policy.citations.cite(stored.step.rule);
        AuditEntry {
            plan: Some(stored.plan.clone()),
            detail,
            ..AuditEntry::new(now, DAEMON, format!("step.{}", stored.state.name()))
                .of_step(&stored.step, clause)
        }
    }
}

/// The end of a step whose case is over, where a look did not find it done: what the look said stays with it.
fn called_off(stored: &StoredStep) -> Option<(&StoredStep, StepEvent)> {
    let StepState::Waiting { cause, .. } = &stored.state else { return None };
    let why = format!("its case was called off while it was under way; a look said: {cause}");
    Some((stored, StepEvent::Cancel(why)))
}

fn say_what_was_perhaps_begun<'s>(hand: &dyn Apply, steps: impl Iterator<Item = &'s StoredStep>) {
    for stored in steps {
        hand.perhaps_begun(stored.step.id);
    }
}

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
        | StepState::Unknown { cause, .. }
        | StepState::Refused { cause }
        | StepState::Unverified { cause, .. } => cause.to_string(),
        StepState::Done { receipt: None } | StepState::Verified { receipt: None, .. } => {
            "it was so already".into()
        }
        StepState::Asked { receipt, .. } => asked::note(receipt),
        StepState::Done { receipt: Some(receipt) }
        | StepState::Verified { receipt: Some(receipt), .. }
            if receipt.before.contains_key(REPLY_LOST) =>
        {
            "found so after the reply was lost".into()
        }
        StepState::Done { receipt: Some(receipt) }
        | StepState::Verified { receipt: Some(receipt), .. }
            if receipt.before.contains_key(EARLIER_ATTEMPT) =>
        {
            "it was so already, perhaps by an earlier attempt".into()
        }
        StepState::Done { receipt: Some(_) } => "changed".into(),
        StepState::Verified { receipt: Some(receipt), .. }
            if receipt.before.contains_key(ASKED) =>
        {
            "confirmed by those who were asked".into()
        }
        StepState::Verified { receipt: Some(_), .. } => "changed and read back".into(),
        StepState::Drifted { found } => found.description.clone(),
        StepState::Cancelled { reason } => reason.clone(),
    }
}

#[cfg(test)]
mod tests;
