//! Writing the journal: new steps, and what became of those that are there.

use super::error::Doing as _;
use super::journal_store::{due_on, target_key};
use super::tables::{plans, steps};
use super::tx::Tx;
use super::{StoreError, StoredStep, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::facts::ConnectorName;
use lapsed_core::journal::StepState;
use lapsed_core::plan::{PlanHash, PlanState};
use lapsed_core::step::{Step, StepId};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Value};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use uuid::Uuid;

/// So many steps at once change what the database should know of its own sizes.
const MANY_STEPS: usize = 500;

/// What became of the steps of a plan when they were added to the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AddedSteps {
    /// Not known before.
    pub new: usize,
    /// Known and ended, not a deletion that was done, and planned again.
    pub reopened: usize,
    /// Known and not ended, of a plan that no longer counts or with a later date: now of this plan.
    pub taken_over: usize,
    /// Left as they were: under way, still to come by a plan that counts, or a deletion that was done.
    pub left: usize,
}

/// One step of a plan, for the journal.
#[derive(Debug, Clone, Copy)]
pub struct ToAdd<'p> {
    /// The plan, which must be stored.
    pub plan: &'p PlanHash,
    /// What is to be done.
    pub step: &'p Step,
    /// First in line (D2).
    pub for_cause: bool,
}

/// A step's new state, with the fencing counter of the row from which it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct StepUpdate {
    /// Which step.
    pub id: StepId,
    /// Whose it is.
    pub connector: ConnectorName,
    /// What it does ([`lapsed_core::step::Action::name`]).
    pub action: &'static str,
    /// The counter as read.
    pub token: i64,
    /// The new state.
    pub state: StepState,
    /// Not to be started before.
    pub not_before: Option<Timestamp>,
    /// When to read it back again.
    pub recheck_on: Option<Date>,
    /// How many of the later read-backs are behind it.
    pub recheck_index: u32,
}

impl StepUpdate {
    /// A new state for a step as it was read; [`StoredStep::on`] makes one from an event. A waiting step
    /// is not started before its moment; everything else is kept.
    #[must_use]
    pub fn new(step: &StoredStep, state: StepState) -> Self {
        let not_before = match &state {
            StepState::Waiting { until, .. } => Some(*until),
            StepState::Unknown { until, .. } => *until,
            _ => None,
        };
        Self {
            id: step.step.id,
            connector: step.step.connector.clone(),
            action: step.step.action.name(),
            token: step.token,
            state,
            not_before,
            recheck_on: step.recheck_on,
            recheck_index: step.recheck_index,
        }
    }

    /// Not to be started, or looked at after a lost reply, before this moment.
    #[must_use]
    pub fn not_before(mut self, moment: Timestamp) -> Self {
        self.not_before = Some(moment);
        self
    }

    /// When to read it back again, and how many of the later read-backs are behind it.
    #[must_use]
    pub fn recheck(mut self, on: Option<Date>, index: u32) -> Self {
        self.recheck_on = on;
        self.recheck_index = index;
        self
    }
}

impl Tx {
    /// Adds a plan's steps to the journal; the plan and its departures must be stored. Each step may
    /// come once.
    ///
    /// A step that is there already is left as it is, with three exceptions: one that has ended is
    /// planned again, unless it is a deletion that was done; one that has not ended comes over to this plan if its own no longer
    /// counts (held, rejected, replaced); and one not begun takes a later date with this plan. A date
    /// never moves to earlier by itself (D15).
    pub async fn add_steps(
        &self,
        plan: &PlanHash,
        all: &[Step],
        for_cause: bool,
        now: Timestamp,
    ) -> Result<AddedSteps, StoreError> {
        let all: Vec<ToAdd<'_>> = all.iter().map(|step| ToAdd { plan, step, for_cause }).collect();
        self.add_steps_of_plans(&all, now).await
    }

    /// Adds the steps of many plans, as [`Tx::add_steps`] does.
    pub async fn add_steps_of_plans(
        &self,
        all: &[ToAdd<'_>],
        now: Timestamp,
    ) -> Result<AddedSteps, StoreError> {
        let doing = "adding steps to the journal";
        let mut known: HashMap<Uuid, steps::Model> = HashMap::new();
        for some in all.chunks(sql::rows_at_once(1)) {
            let these = steps::Column::Id.is_in(some.iter().map(|add| add.step.id.0));
            let rows = steps::Entity::find().filter(these).all(&self.db()).await.doing(doing)?;
            known.extend(rows.into_iter().map(|row| (row.id, row)));
        }
        for ToAdd { step, .. } in all {
            let planned = StepState::Planned.name();
            self.crash_points.note_step(&step.connector, step.action.name(), planned);
        }
        let counting = self.plans_that_count(known.values()).await?;
        let mut added = AddedSteps::default();
        let mut rows = Vec::new();
        let mut seen = HashSet::new();
        for add in all.iter().filter(|add| seen.insert(add.step.id)) {
            let fresh = new_row(add, now)?;
            match known.remove(&add.step.id.0) {
                None => {
                    added.new += 1;
                    rows.push(fresh);
                }
                Some(old) => {
                    let counts = counting.contains(&old.plan);
                    rows.extend(merged(old, fresh, counts, &mut added));
                }
            }
        }
        let conflict = sql::replace::<steps::Entity>();
        if rows.len() >= MANY_STEPS {
            self.has_grown.store(true, Ordering::Relaxed);
        }
        sql::put_all(&self.db(), doing, rows, Some(conflict)).await?;
        Ok(added)
    }

    async fn plans_that_count(
        &self,
        rows: impl Iterator<Item = &steps::Model>,
    ) -> Result<HashSet<String>, StoreError> {
        let hashes: Vec<String> =
            rows.map(|row| row.plan.clone()).collect::<HashSet<_>>().into_iter().collect();
        let states = [PlanState::Passed, PlanState::Released].map(convert::word);
        let mut counting = HashSet::new();
        for some in hashes.chunks(sql::rows_at_once(1)) {
            let rows = plans::Entity::find()
                .filter(plans::Column::Hash.is_in(some.iter().cloned()))
                .filter(plans::Column::State.is_in(states.clone()))
                .all(&self.db())
                .await
                .doing("reading plans")?;
            counting.extend(rows.into_iter().map(|row| row.hash));
        }
        Ok(counting)
    }

    /// Writes the new states of steps and gives their leases back. Gives the ids of those that were
    /// *not* written, because another has written them since they were read: their lease had run out
    /// and was taken over, or an operator was quicker. Each step may come once.
    pub async fn set_steps(
        &self,
        updates: &[StepUpdate],
        now: Timestamp,
    ) -> Result<Vec<StepId>, StoreError> {
        for update in updates {
            let (connector, action) = (&update.connector, update.action);
            self.crash_points.note_step(connector, action, update.state.name());
        }
        let mut lost = Vec::new();
        for some in updates.chunks(sql::rows_at_once(COLUMNS)) {
            let sql = format!(
                "UPDATE steps SET state = v.column3, ended = v.column4, state_body = v.column5, \
                 not_before = v.column6, recheck_on = v.column7, recheck_index = v.column8, \
                 changed_at = $1, lease_token = steps.lease_token + 1, \
                 lease_owner = CASE WHEN v.column3 = 'started' THEN steps.lease_owner END, \
                 lease_until = CASE WHEN v.column3 = 'started' THEN steps.lease_until END \
                 FROM (VALUES {}) AS v \
                 WHERE steps.id = v.column1 AND steps.lease_token = v.column2 RETURNING steps.id",
                sql::value_rows(2, COLUMNS, some.len()),
            );
            let mut values: Vec<Value> = vec![convert::micros(now).into()];
            for update in some {
                values.extend(columns(update)?);
            }
            let ids = some.iter().map(|update| update.id);
            lost.extend(self.written(&sql, values, ids, "writing the outcome of steps").await?);
        }
        self.use_releases(updates).await?;
        // What ended may be what the next change of somebody's access waits for.
        let ended = updates.iter().filter(|update| update.state.has_ended());
        self.look_at_access_of_steps(ended.map(|update| update.id.0)).await?;
        Ok(lost)
    }

    /// A release of which something was done, or of which others were asked, no longer expires: its later
    /// steps wait for their dates, and who was asked is not asked twice. What is under way counts as well:
    /// its outcome is not known. One whose target could not be reached is not used by having been tried.
    async fn use_releases(&self, updates: &[StepUpdate]) -> Result<(), StoreError> {
        let done: Vec<Value> =
            updates.iter().filter(|u| uses_release(&u.state)).map(|u| u.id.0.into()).collect();
        for some in done.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "UPDATE plans SET release_expires_at = NULL \
                 WHERE release_expires_at IS NOT NULL AND state = 'released' \
                 AND hash IN (SELECT plan FROM steps WHERE id IN ({}))",
                sql::placeholders(1, some.len()),
            );
            sql::run(&self.db(), "marking a release as used", &sql, some.to_vec()).await?;
        }
        Ok(())
    }

    /// Runs a fenced update and gives those of the ids that it did not write.
    pub(super) async fn written(
        &self,
        sql: &str,
        values: Vec<Value>,
        ids: impl Iterator<Item = StepId>,
        doing: &'static str,
    ) -> Result<Vec<StepId>, StoreError> {
        let mut written = HashSet::new();
        for row in sql::all(&self.db(), doing, sql, values).await? {
            written.insert(StepId(row.try_get("", "id").doing(doing)?));
        }
        Ok(ids.filter(|id| !written.contains(id)).collect())
    }
}

fn uses_release(state: &StepState) -> bool {
    state.is_done()
        || matches!(
            state,
            StepState::Asked { .. } | StepState::Started { .. } | StepState::Unknown { .. }
        )
}

/// Columns of one row of `set_steps`.
const COLUMNS: usize = 8;

fn columns(update: &StepUpdate) -> Result<[Value; COLUMNS], StoreError> {
    Ok([
        update.id.0.into(),
        update.token.into(),
        update.state.name().into(),
        update.state.has_ended().into(),
        convert::body("step state", &update.state)?.into(),
        update.not_before.map_or(0, convert::micros).into(),
        update.recheck_on.map(|date| date.to_string()).into(),
        i64::from(update.recheck_index).into(),
    ])
}

fn new_row(add: &ToAdd<'_>, now: Timestamp) -> Result<steps::Model, StoreError> {
    let ToAdd { plan, step, for_cause } = *add;
    let state = StepState::Planned;
    Ok(steps::Model {
        id: step.id.0,
        plan: plan.0.clone(),
        case_id: step.case.0,
        person: step.person.0,
        connector: step.connector.to_string(),
        action: step.action.name().to_owned(),
        rank: i32::from(step.action.rank()),
        destroys: step.action.destroys(),
        for_cause,
        due_on: due_on(step),
        not_before: 0,
        state: state.name().to_owned(),
        ended: state.has_ended(),
        attempts: 0,
        first_started_at: None,
        changed_at: convert::micros(now),
        target_key: target_key(step).to_owned(),
        body: convert::body("step", step)?,
        state_body: convert::body("step state", &state)?,
        lease_owner: None,
        lease_until: None,
        lease_token: 0,
        recheck_on: None,
        recheck_index: 0,
        wish: step.action.wish(),
        gives: step.action.gives(),
    })
}

/// The row to write for a step that is there already, if any.
fn merged(
    old: steps::Model,
    fresh: steps::Model,
    plan_counts: bool,
    added: &mut AddedSteps,
) -> Option<steps::Model> {
    let is_done = matches!(old.state.as_str(), "done" | "verified" | "unverified");
    let is_waiting = matches!(old.state.as_str(), "planned" | "waiting");
    let lease_token = old.lease_token + 1;
    // What was done and is wished for again was undone by other hands (D13); a deletion can't be.
    if old.ended && !(is_done && old.destroys) {
        added.reopened += 1;
        return Some(steps::Model { lease_token, first_started_at: old.first_started_at, ..fresh });
    }
    let is_later = is_waiting && fresh.due_on > old.due_on;
    if is_done || (plan_counts && !is_later) {
        added.left += 1;
        return None;
    }
    added.taken_over += 1;
    let for_cause = old.for_cause || fresh.for_cause;
    let taken =
        if is_later { steps::Model { body: fresh.body, due_on: fresh.due_on, ..old } } else { old };
    Some(steps::Model { plan: fresh.plan, for_cause, lease_token, ..taken })
}
