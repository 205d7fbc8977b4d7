//! Whose departure is to be looked at, and what the guard and the closing of cases count.

use super::error::Doing as _;
use super::tables::{cases, to_decide};
use super::{Reader, SetAside, Store, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{Case, PersonId};
use lapsed_core::step::Step;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Who is marked to be looked at, and which mark it is: since when, at the earliest.
pub type Marks = BTreeMap<PersonId, Timestamp>;

impl Tx {
    /// Marks people: the next round looks at their departure. Whoever is marked already is marked anew:
    /// a round that read the earlier mark does not take this one off.
    pub async fn mark_to_decide(
        &self,
        people: &[PersonId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let since = convert::micros(now);
        // One statement can't set a row twice.
        let once: BTreeSet<PersonId> = people.iter().copied().collect();
        let rows = once.iter().map(|id| to_decide::Model { person: id.0, since }).collect();
        let mut conflict = sql::keep::<to_decide::Entity>();
        // Another value at any rate, also where clocks differ: a mark is known by it.
        conflict.value(
            to_decide::Column::Since,
            sea_orm::sea_query::Expr::cust(
                "CASE WHEN excluded.since > to_decide.since THEN excluded.since \
                 ELSE to_decide.since + 1 END",
            ),
        );
        sql::put_all(&self.db(), "marking people", rows, Some(conflict)).await
    }

    /// Takes the marks off people whose plan, if any, is stored in the same transaction: those marks
    /// that were read before the people were. A mark set since then stays, and the next round looks.
    ///
    /// Marks are compared as such and not by time: the moment of a mark is taken before its transaction
    /// stands in line, so one with an earlier moment may well be committed later than it was read.
    pub async fn clear_to_decide(
        &self,
        people: &[PersonId],
        read: &Marks,
    ) -> Result<(), StoreError> {
        let marks: Vec<(PersonId, Timestamp)> =
            people.iter().filter_map(|id| Some((*id, *read.get(id)?))).collect();
        for some in marks.chunks(sql::rows_at_once(2)) {
            let sql = format!(
                "DELETE FROM to_decide WHERE (person, since) IN (VALUES {})",
                sql::value_rows(1, 2, some.len()),
            );
            let values = some.iter().flat_map(|(person, since)| -> [Value; 2] {
                [person.0.into(), convert::micros(*since).into()]
            });
            sql::run(&self.db(), "unmarking people", &sql, values.collect()).await?;
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
    /// Everyone who is marked; to be read before the people are, and kept for
    /// [`Tx::clear_to_decide`].
    pub async fn people_to_decide(&self) -> Result<Marks, StoreError> {
        let doing = "reading who is marked";
        let rows = to_decide::Entity::find().all(&self.db).await.doing(doing)?;
        let mark =
            |row: to_decide::Model| Ok((PersonId(row.person), convert::moment("mark", row.since)?));
        rows.into_iter().map(mark).collect()
    }

    /// Who has had a departure let through since a moment: the guard's window. Read from the plans, since a
    /// target that is down must not hide the drip behind it, nor that somebody has accounts in systems only.
    pub async fn people_departing_since(
        &self,
        since: Timestamp,
    ) -> Result<BTreeSet<PersonId>, StoreError> {
        let doing = "reading who departs";
        // The states that are not meant: by those that are, SQLite would read every plan there ever was.
        let sql = "SELECT DISTINCT s.person AS person FROM steps s \
                   JOIN plans p ON p.hash = s.plan \
                   JOIN cases c ON c.id = s.case_id AND c.kind = 'departure' \
                   WHERE s.action IN ('disable', 'revoke_access') AND COALESCE(p.decided_at, p.created_at) >= $1 \
                   AND p.state NOT IN ('held', 'rejected', 'replaced')";
        let rows = sql::all(&self.db, doing, sql, vec![convert::micros(since).into()]).await?;
        rows.iter().map(|row| Ok(PersonId(row.try_get("", "person").doing(doing)?))).collect()
    }

    /// Open departures with steps, all of which have ended well.
    pub async fn cases_ended(&self) -> Result<Vec<Case>, StoreError> {
        let sql = "SELECT c.body FROM cases c WHERE c.state = 'open' AND c.kind = 'departure' \
                   AND EXISTS (SELECT 1 FROM steps s WHERE s.case_id = c.id) \
                   AND NOT EXISTS (SELECT 1 FROM steps s WHERE s.case_id = c.id \
                                   AND (NOT s.ended OR s.state IN ('refused', 'drifted', 'cancelled')))";
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
            .filter(cases::Column::Kind.eq("departure"))
            .filter(cases::Column::State.is_in(states))
            .all(&self.inner.db)
            .await
            .doing("reading departures")?;
        let people: Vec<PersonId> = rows.into_iter().map(|row| PersonId(row.person)).collect();
        let tx = self.begin().await?;
        tx.mark_to_decide(&people, now).await?;
        tx.look_at_suspensions(now).await?;
        tx.commit().await?;
        Ok(people.len())
    }
}
