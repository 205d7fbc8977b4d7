//! Whose departure is to be looked at, and what the guard and the closing of cases count.

use super::error::Doing as _;
use super::tables::{cases, to_decide};
use super::{Reader, SetAside, Store, StoreError, StoredPlan, StoredStep, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{Case, PersonId};
use lapsed_core::plan::PlanState;
use lapsed_core::step::{Step, StepId};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _};

impl Tx {
    /// Marks people: the next round looks at their departure.
    pub async fn mark_to_decide(
        &self,
        people: &[PersonId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let since = convert::micros(now);
        let rows = people.iter().map(|id| to_decide::Model { person: id.0, since }).collect();
        let mut conflict = sql::keep::<to_decide::Entity>();
        conflict.do_nothing();
        sql::put_all(&self.db(), "marking people", rows, Some(conflict)).await
    }

    /// Takes the mark off people whose plan, if any, is stored in the same transaction.
    pub async fn clear_to_decide(&self, people: &[PersonId]) -> Result<(), StoreError> {
        for some in people.chunks(sql::rows_at_once(1)) {
            to_decide::Entity::delete_many()
                .filter(to_decide::Column::Person.is_in(some.iter().map(|id| id.0)))
                .exec(&self.db())
                .await
                .doing("unmarking people")?;
        }
        Ok(())
    }

    /// Sets something aside unless an entry of the same id is there already.
    pub async fn set_aside_once(&self, aside: &SetAside) -> Result<(), StoreError> {
        if self.read().has_set_aside(aside.id).await? {
            return Ok(());
        }
        self.set_aside(std::slice::from_ref(aside)).await
    }

    /// Gives a step that has not begun a later date (D15: never an earlier one).
    pub async fn redate_step(&self, step: &Step) -> Result<(), StoreError> {
        let sql = "UPDATE steps SET due_on = $1, body = $2, lease_token = lease_token + 1 \
                   WHERE id = $3 AND NOT ended AND (due_on IS NULL OR due_on <= $1)";
        let due = super::journal_store::due_on(step);
        let values = vec![due.into(), convert::body("step", step)?.into(), step.id.0.into()];
        sql::run(&self.db(), "dating a step anew", sql, values).await.map(drop)
    }
}

impl Reader<'_> {
    /// Everyone who is marked, those marked first first.
    pub async fn people_to_decide(&self) -> Result<Vec<PersonId>, StoreError> {
        let rows = to_decide::Entity::find()
            .order_by_asc(to_decide::Column::Since)
            .order_by_asc(to_decide::Column::Person)
            .all(&self.db)
            .await
            .doing("reading who is marked")?;
        Ok(rows.into_iter().map(|row| PersonId(row.person)).collect())
    }

    /// How many people have had a departure let through since a moment, each counted once: the guard's
    /// window. Counted from the plan, since a target that is down must not hide the drip behind it.
    pub async fn people_departing_since(&self, since: Timestamp) -> Result<u32, StoreError> {
        let doing = "counting people";
        let sql = "SELECT COUNT(DISTINCT s.person) AS people FROM steps s \
                   JOIN plans p ON p.hash = s.plan \
                   WHERE s.action = 'disable' AND COALESCE(p.decided_at, p.created_at) >= $1 \
                   AND p.state IN ('passed', 'released')";
        let rows = sql::all(&self.db, doing, sql, vec![convert::micros(since).into()]).await?;
        let people: Option<i64> =
            rows.first().map(|row| row.try_get("", "people")).transpose().doing(doing)?;
        Ok(u32::try_from(people.unwrap_or(0)).unwrap_or(u32::MAX))
    }

    /// Steps under way when their case was stopped, whose daemon has died or whose reply was lost: no
    /// claim takes them up any more (D10).
    pub async fn steps_left_behind(&self, now: Timestamp) -> Result<Vec<StoredStep>, StoreError> {
        let sql = "SELECT s.id FROM steps s JOIN cases c ON c.id = s.case_id \
                   WHERE s.state IN ('started', 'unknown') AND c.state <> 'open' \
                   AND COALESCE(s.lease_until, 0) <= $1";
        let doing = "looking for steps left behind";
        let mut ids = Vec::new();
        for row in sql::all(&self.db, doing, sql, vec![convert::micros(now).into()]).await? {
            ids.push(StepId(row.try_get("", "id").doing(doing)?));
        }
        self.steps_by_id(&ids).await
    }

    /// Plans whose release has run out unused.
    pub async fn plans_expired(&self, now: Timestamp) -> Result<Vec<StoredPlan>, StoreError> {
        let released = self.plans(&[PlanState::Released]).await?;
        let expired = |plan: &StoredPlan| plan.release_expires_at.is_some_and(|at| at <= now);
        Ok(released.into_iter().filter(expired).collect())
    }

    /// Open cases with steps, all of which have ended well.
    pub async fn cases_ended(&self) -> Result<Vec<Case>, StoreError> {
        let sql = "SELECT c.body FROM cases c WHERE c.state = 'open' \
                   AND EXISTS (SELECT 1 FROM steps s WHERE s.case_id = c.id) \
                   AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.case_id = c.id \
                                   AND (NOT s.ended OR s.state IN ('refused', 'drifted')))";
        let doing = "looking for cases that have ended";
        let mut found = Vec::new();
        for row in sql::all(&self.db, doing, sql, Vec::new()).await? {
            let body: String = row.try_get("", "body").doing(doing)?;
            found.push(convert::from_body("case", &body)?);
        }
        Ok(found)
    }
}

impl Store {
    /// Marks everyone whose departure is in effect or done, for a full reconcile; says how many.
    pub async fn mark_departed_to_decide(&self, now: Timestamp) -> Result<usize, StoreError> {
        let states = ["open", "closed"];
        let rows = cases::Entity::find()
            .filter(cases::Column::State.is_in(states))
            .all(&self.inner.db)
            .await
            .doing("reading departures")?;
        let people: Vec<PersonId> = rows.into_iter().map(|row| PersonId(row.person)).collect();
        let tx = self.begin().await?;
        tx.mark_to_decide(&people, now).await?;
        tx.commit().await?;
        Ok(people.len())
    }
}
