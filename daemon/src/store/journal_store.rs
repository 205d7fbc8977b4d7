//! The journal's rows: a step, where it stands, and who has it in hand.

use super::error::Doing as _;
use super::tables::{cases, steps};
use super::{Reader, StepUpdate, StoreError, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::facts::{CaseId, ConnectorName, PersonId};
use lapsed_core::journal::{IllegalTransition, StepEvent, StepState, transition};
use lapsed_core::plan::PlanHash;
use lapsed_core::step::{Action, Due, Step, StepId};
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _, QueryTrait as _, Select,
};

/// A step with where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredStep {
    /// The step.
    pub step: Step,
    /// The plan that asks for it.
    pub plan: PlanHash,
    /// Where it stands.
    pub state: StepState,
    /// Of a dismissal for cause: first in line.
    pub for_cause: bool,
    /// How often it was started.
    pub attempts: u32,
    /// Not started before this moment, if it is set.
    pub not_before: Option<Timestamp>,
    /// When it was started for the first time.
    pub first_started_at: Option<Timestamp>,
    /// When its state changed last.
    pub changed_at: Timestamp,
    /// Who has it in hand.
    pub lease_owner: Option<String>,
    /// Until when.
    pub lease_until: Option<Timestamp>,
    /// Fencing counter: every write raises it, and a write that knows an older one changes nothing.
    pub token: i64,
    /// When to read it back again (D13).
    pub recheck_on: Option<Date>,
    /// How many of the later read-backs are behind it. Of a form that is not known to be sent: how many
    /// attempts have an end that nobody knows. Of one that is: how many reminders.
    pub recheck_index: u32,
    /// Of a step that was just claimed: an earlier attempt may have carried it out, its daemon died or its
    /// reply was lost.
    pub perhaps_begun: bool,
}

impl StoredStep {
    /// What an event makes of the step, ready for [`super::Tx::set_steps`]; an illegal one is an error.
    pub fn on(&self, event: StepEvent) -> Result<StepUpdate, IllegalTransition> {
        Ok(StepUpdate::new(self, transition(&self.state, event)?))
    }

    /// The step as it stands after an update was written, so that the next one can follow.
    #[must_use]
    pub fn after(mut self, update: StepUpdate) -> Self {
        if !matches!(update.state, StepState::Started { .. }) {
            self.lease_owner = None;
            self.lease_until = None;
        }
        self.token = update.token + 1;
        self.not_before = update.not_before;
        self.recheck_on = update.recheck_on;
        self.recheck_index = update.recheck_index;
        self.state = update.state;
        self
    }
}

/// Which steps; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepFilter {
    /// Of these departures, unless empty.
    pub cases: Vec<CaseId>,
    /// Of these people only, if given: some hundreds at once.
    pub people: Option<Vec<PersonId>>,
    /// Of this plan.
    pub plan: Option<PlanHash>,
    /// In states of these names, unless empty.
    pub states: Vec<&'static str>,
    /// Only those of this kind of action.
    pub action: Option<&'static str>,
    /// Of this connector.
    pub connector: Option<ConnectorName>,
    /// Due on or after this date; leaves out what is due at once.
    pub due_from: Option<Date>,
    /// Due on or before this date; leaves out what is due at once.
    pub due_to: Option<Date>,
    /// Only those that have ended, or only those that have not.
    pub ended: Option<bool>,
    /// First begun at this moment or before.
    pub begun_by: Option<Timestamp>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Reader<'_> {
    /// What a connector shut in departures that are open and whose clocks don't run: the last account is
    /// not shut yet, or the daemon died between that and the start of the clocks. What was shut for an end
    /// that was moved to a later day since says nothing of this one.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn shut_without_clocks(
        &self,
        connector: &ConnectorName,
    ) -> Result<Vec<StoredStep>, StoreError> {
        let doing = "looking for departures whose clocks don't run";
        let sql = "SELECT s.id FROM cases c JOIN steps s ON s.case_id = c.id \
                   WHERE c.state = 'open' AND c.disabled_on IS NULL AND s.connector = $1 \
                   AND s.action = 'disable' AND s.state IN ('done', 'verified', 'unverified') \
                   AND s.changed_at >= c.effective_at";
        let mut ids = Vec::new();
        for row in sql::all(&self.db, doing, sql, vec![connector.as_str().into()]).await? {
            ids.push(StepId(row.try_get("", "id").doing(doing)?));
        }
        self.steps_by_id(&ids).await
    }

    /// One step.
    pub async fn step(&self, id: StepId) -> Result<Option<StoredStep>, StoreError> {
        Ok(self.steps_by_id(&[id]).await?.pop())
    }

    /// Those of the steps given that are stored.
    pub async fn steps_by_id(&self, ids: &[StepId]) -> Result<Vec<StoredStep>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(sql::rows_at_once(1)) {
            let these = steps::Column::Id.is_in(some.iter().map(|id| id.0));
            found.extend(self.steps_of(steps::Entity::find().filter(these)).await?);
        }
        Ok(found)
    }

    /// Steps by date, then departure, then their order within it.
    pub async fn steps(&self, filter: &StepFilter) -> Result<Vec<StoredStep>, StoreError> {
        let query = filtered(filter);
        if filter.cases.is_empty() {
            return self.steps_of(query.limit(filter.limit)).await;
        }
        let mut found = Vec::new();
        for some in filter.cases.chunks(sql::rows_at_once(1)) {
            let theirs = steps::Column::CaseId.is_in(some.iter().map(|id| id.0));
            found.extend(self.steps_of(query.clone().filter(theirs).limit(filter.limit)).await?);
        }
        if let Some(limit) = filter.limit {
            found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        }
        Ok(found)
    }

    /// Steps to look at again: done and not yet read back, and those whose day of a later read-back has
    /// come (D13).
    pub async fn steps_to_read_back(
        &self,
        today: Date,
        limit: u64,
    ) -> Result<Vec<StoredStep>, StoreError> {
        let again = steps::Column::RecheckOn.lte(today.to_string());
        // Of whom is employed again, or still for a while, access may well be back.
        let in_effect = cases::Entity::find()
            .select_only()
            .column(cases::Column::Id)
            .filter(cases::Column::State.is_in(["open", "closed"]))
            .into_query();
        let query = steps::Entity::find()
            .filter(Condition::any().add(steps::Column::State.eq("done")).add(again))
            .filter(steps::Column::Ended.eq(true))
            .filter(steps::Column::CaseId.in_subquery(in_effect));
        self.steps_of(query.limit(limit)).await
    }

    async fn steps_of(&self, query: Select<steps::Entity>) -> Result<Vec<StoredStep>, StoreError> {
        // What is due at once has no date and comes first; the two databases order NULL differently.
        let dated = sea_orm::sea_query::Expr::cust("COALESCE(due_on, '')");
        let rows = query
            .order_by_asc(dated)
            .order_by_asc(steps::Column::CaseId)
            .order_by_asc(steps::Column::Rank)
            .order_by_asc(steps::Column::TargetKey)
            .order_by_asc(steps::Column::Id)
            .all(&self.db)
            .await
            .doing("reading the journal")?;
        rows.into_iter().map(stored).collect()
    }
}

fn filtered(filter: &StepFilter) -> Select<steps::Entity> {
    let mut query = steps::Entity::find();
    if let Some(people) = &filter.people {
        query = query.filter(steps::Column::Person.is_in(people.iter().map(|id| id.0)));
    }
    if let Some(plan) = &filter.plan {
        query = query.filter(steps::Column::Plan.eq(plan.0.as_str()));
    }
    if !filter.states.is_empty() {
        query = query.filter(steps::Column::State.is_in(filter.states.iter().copied()));
    }
    if let Some(action) = filter.action {
        query = query.filter(steps::Column::Action.eq(action));
    }
    if let Some(connector) = &filter.connector {
        query = query.filter(steps::Column::Connector.eq(connector.as_str()));
    }
    if let Some(from) = filter.due_from {
        query = query.filter(steps::Column::DueOn.gte(from.to_string()));
    }
    if let Some(to) = filter.due_to {
        query = query.filter(steps::Column::DueOn.lte(to.to_string()));
    }
    if let Some(ended) = filter.ended {
        query = query.filter(steps::Column::Ended.eq(ended));
    }
    if let Some(by) = filter.begun_by {
        query = query.filter(steps::Column::FirstStartedAt.lte(convert::micros(by)));
    }
    query
}

pub(super) fn stored(row: steps::Model) -> Result<StoredStep, StoreError> {
    let not_before = (row.not_before > 0).then_some(row.not_before);
    Ok(StoredStep {
        step: convert::from_body("step", &row.body)?,
        plan: PlanHash(row.plan),
        state: convert::from_body("step state", &row.state_body)?,
        for_cause: row.for_cause,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        not_before: convert::moment_if("moment", not_before)?,
        first_started_at: convert::moment_if("moment", row.first_started_at)?,
        changed_at: convert::moment("moment", row.changed_at)?,
        lease_owner: row.lease_owner,
        lease_until: convert::moment_if("lease", row.lease_until)?,
        token: row.lease_token,
        recheck_on: convert::date_if("date", row.recheck_on.as_deref())?,
        recheck_index: u32::try_from(row.recheck_index).unwrap_or(0),
        perhaps_begun: false,
    })
}

pub(super) fn due_on(step: &Step) -> Option<String> {
    match &step.due {
        Due::AtOnce => None,
        Due::On { date, .. } => Some(date.to_string()),
    }
}

/// What steps that change the same object have in common, so that one claim brings them together.
pub(super) fn target_key(step: &Step) -> &str {
    match &step.action {
        Action::LeaveGroup { group, .. } | Action::JoinGroup { group, .. } => group.id.as_str(),
        other => other.account().id.as_str(),
    }
}
