//! What stops access for a while, and what the nightly audit found.

use super::claim::SET_BACK;
use super::daemon_store::IN_NO_HANDS;
use super::error::Doing as _;
use super::tables::{access_findings, suspensions};
use super::{Reader, StoreError, StoredStep, Tx, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::access::finding::AccessFinding;
use lapsed_core::access::suspension::Suspension;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId};
use lapsed_core::step::StepId;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _, Select,
};
use std::collections::{BTreeSet, HashSet};
use uuid::Uuid;

/// That step `s`, which gives access, must not be carried out, as SQL; `$2` is today. A departure of its
/// person is in effect, or a suspension stops them there.
pub(super) const STOPPED: &str = "EXISTS (SELECT 1 FROM cases d WHERE d.person = s.person \
        AND d.kind = 'departure' AND d.state = 'open') \
    OR EXISTS (SELECT 1 FROM suspensions u WHERE u.person = s.person AND NOT u.lifted \
        AND (u.starts_on IS NULL OR u.starts_on <= $2) \
        AND (u.connectors = '*' OR u.connectors LIKE '%|' || s.connector || '|%'))";

/// Steps of which nobody knows whether they were done, and that no claim takes up.
#[derive(Debug, Default)]
pub struct LostSteps {
    /// All of them.
    pub steps: Vec<StoredStep>,
    /// Those among them whose case is over.
    pub over: BTreeSet<StepId>,
}

impl Tx {
    /// Stores suspensions over what was there under the same ids; the moment is when each is to be looked
    /// at next, if at all. Nothing that one stops is claimed once this has committed.
    pub async fn save_suspensions(
        &self,
        all: &[(Suspension, Option<Timestamp>)],
    ) -> Result<(), StoreError> {
        self.wait_for_claims().await?;
        let row = |(suspension, look_at): &(Suspension, Option<Timestamp>)| {
            Ok(suspensions::Model {
                id: suspension.id,
                person: suspension.person.0,
                kind: convert::word(suspension.kind),
                connectors: covered(&suspension.connectors),
                starts_on: suspension.starts_on.map(|day| day.to_string()),
                lifted: suspension.lifted_at.is_some(),
                placed_at: convert::micros(suspension.placed_at),
                body: convert::body("suspension", suspension)?,
                over: suspension.over_at.is_some(),
                look_at: look_at.map(convert::micros),
            })
        };
        sql::replace_all(&self.db(), "storing a suspension", all, row).await?;
        let people: Vec<PersonId> = all.iter().map(|(suspension, _)| suspension.person).collect();
        self.look_at_access_of(&people).await
    }

    /// Has the suspensions of some people looked at by a moment, lifted ones too of which something may
    /// still come.
    pub async fn look_at_suspensions_of(
        &self,
        people: &[PersonId],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE suspensions SET look_at = $1 WHERE NOT over AND person";
        sql::mark_people(&self.db(), "marking suspensions", sql, at, people).await
    }

    /// Has the suspensions of some people looked at by a moment that stand: access that was being given may
    /// have come after they looked.
    pub async fn look_at_standing_suspensions_of(
        &self,
        people: &[PersonId],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE suspensions SET look_at = $1 WHERE NOT over AND NOT lifted AND person";
        sql::mark_people(&self.db(), "marking standing suspensions", sql, at, people).await
    }

    /// Has every suspension looked at of which something may still come.
    pub async fn look_at_suspensions(&self, at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE suspensions SET look_at = $1 WHERE NOT over";
        sql::run(&self.db(), "marking suspensions", sql, vec![convert::micros(at).into()]).await?;
        Ok(())
    }

    /// What a suspension shut is no longer looked at on later days: opened again, it is as it should be.
    pub async fn stop_rechecks(&self, case: CaseId) -> Result<(), StoreError> {
        let sql = "UPDATE steps SET recheck_on = NULL WHERE case_id = $1 AND NOT gives AND ended";
        sql::run(&self.db(), "ending later looks", sql, vec![case.0.into()]).await?;
        Ok(())
    }

    /// Stores findings over what was there under the same ids.
    pub async fn save_access_findings(&self, all: &[AccessFinding]) -> Result<(), StoreError> {
        let row = |finding: &AccessFinding| {
            Ok(access_findings::Model {
                id: finding.id,
                kind: convert::word(finding.kind),
                person: finding.person.map(|id| id.0),
                found_at: convert::micros(finding.found_at),
                settled: finding.settled_at.is_some(),
                body: convert::body("finding", finding)?,
            })
        };
        sql::replace_all(&self.db(), "storing a finding", all, row).await
    }
}

/// As the column has it: names between bars, which no name of a connector may have.
fn covered(connectors: &[ConnectorName]) -> String {
    if connectors.is_empty() {
        return "*".into();
    }
    let names: Vec<&str> = connectors.iter().map(ConnectorName::as_str).collect();
    format!("|{}|", names.join("|"))
}

impl Reader<'_> {
    /// Those of some people for whom a step that gives access has moved since a moment.
    pub async fn given_since(
        &self,
        people: &[PersonId],
        since: Timestamp,
    ) -> Result<HashSet<PersonId>, StoreError> {
        let doing = "looking for access that was given meanwhile";
        let mut found = HashSet::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "SELECT DISTINCT person FROM steps WHERE gives AND changed_at >= $1 AND person IN ({})",
                sql::placeholders(2, some.len())
            );
            let values = std::iter::once(convert::micros(since).into());
            let values = values.chain(some.iter().map(|id| id.0.into())).collect();
            for row in sql::all(&self.db, doing, &sql, values).await? {
                found.insert(PersonId(row.try_get("", "person").doing(doing)?));
            }
        }
        Ok(found)
    }

    /// Steps of one target of which nobody knows whether they were done, and that no claim takes up: their
    /// reply was lost, or their daemon died and they were stopped meanwhile, by the end of their case (D10), a
    /// departure or a suspension.
    pub async fn lost_steps(
        &self,
        connector: &ConnectorName,
        now: Timestamp,
        today: Date,
    ) -> Result<LostSteps, StoreError> {
        let doing = "looking for steps whose reply was lost";
        let sql = format!(
            "SELECT s.id, c.state AS case_state FROM steps s JOIN cases c ON c.id = s.case_id \
             WHERE s.connector = $3 AND (s.state = 'unknown' \
                   OR (s.state = 'started' AND (c.state <> 'open' OR (s.gives AND ({STOPPED}))))) \
             AND (COALESCE(s.lease_until, 0) <= $1 OR {SET_BACK}) \
             AND (s.not_before <= $1 OR {SET_BACK}) AND {IN_NO_HANDS}"
        );
        let values =
            vec![convert::micros(now).into(), today.to_string().into(), connector.as_str().into()];
        let (mut ids, mut over) = (Vec::new(), BTreeSet::new());
        for row in sql::all(&self.db, doing, &sql, values).await? {
            let id = StepId(row.try_get("", "id").doing(doing)?);
            let case_state: String = row.try_get("", "case_state").doing(doing)?;
            ids.push(id);
            if case_state != "open" {
                over.insert(id);
            }
        }
        Ok(LostSteps { steps: self.steps_by_id(&ids).await?, over })
    }

    /// All suspensions of some people, lifted ones too, oldest first.
    pub async fn suspensions_of(&self, people: &[PersonId]) -> Result<Vec<Suspension>, StoreError> {
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let theirs = suspensions::Column::Person.is_in(some.iter().map(|id| id.0));
            found.extend(self.suspensions_in(suspensions::Entity::find().filter(theirs)).await?);
        }
        Ok(found)
    }

    /// Everybody's suspensions, those that are over too.
    pub async fn all_suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        self.suspensions_in(suspensions::Entity::find()).await
    }

    /// Suspensions that stand, oldest first.
    pub async fn standing_suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        let stands = suspensions::Column::Lifted.eq(false);
        self.suspensions_in(suspensions::Entity::find().filter(stands)).await
    }

    /// Suspensions of which something may still come, oldest first.
    pub async fn unfinished_suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        let goes_on = suspensions::Column::Over.eq(false);
        self.suspensions_in(suspensions::Entity::find().filter(goes_on)).await
    }

    /// Suspensions that are to be looked at by now and have begun, oldest first.
    pub async fn suspensions_to_look_at(
        &self,
        now: Timestamp,
        today: Date,
    ) -> Result<Vec<Suspension>, StoreError> {
        let begun = Condition::any()
            .add(suspensions::Column::Lifted.eq(true))
            .add(suspensions::Column::StartsOn.is_null())
            .add(suspensions::Column::StartsOn.lte(today.to_string()));
        let query = suspensions::Entity::find()
            .filter(suspensions::Column::Over.eq(false))
            .filter(suspensions::Column::LookAt.lte(convert::micros(now)))
            .filter(begun);
        self.suspensions_in(query).await
    }

    /// Suspensions placed since a moment.
    pub async fn suspensions_placed_since(
        &self,
        since: Timestamp,
    ) -> Result<Vec<Suspension>, StoreError> {
        let lately = suspensions::Column::PlacedAt.gte(convert::micros(since));
        self.suspensions_in(suspensions::Entity::find().filter(lately)).await
    }

    async fn suspensions_in(
        &self,
        query: Select<suspensions::Entity>,
    ) -> Result<Vec<Suspension>, StoreError> {
        let rows = query
            .order_by_asc(suspensions::Column::PlacedAt)
            .order_by_asc(suspensions::Column::Id)
            .all(&self.db)
            .await
            .doing("reading suspensions")?;
        rows.iter().map(|row| convert::from_body("suspension", &row.body)).collect()
    }

    /// Findings that are not settled, oldest first.
    pub async fn open_access_findings(&self) -> Result<Vec<AccessFinding>, StoreError> {
        let open = access_findings::Column::Settled.eq(false);
        self.findings_in(access_findings::Entity::find().filter(open)).await
    }

    /// All findings, settled ones too, oldest first.
    pub async fn all_access_findings(&self) -> Result<Vec<AccessFinding>, StoreError> {
        self.findings_in(access_findings::Entity::find()).await
    }

    /// Findings by their ids, settled ones too.
    pub async fn access_findings(&self, ids: &[Uuid]) -> Result<Vec<AccessFinding>, StoreError> {
        let mut found = Vec::new();
        for some in ids.chunks(sql::rows_at_once(1)) {
            let these = access_findings::Column::Id.is_in(some.iter().copied());
            found.extend(self.findings_in(access_findings::Entity::find().filter(these)).await?);
        }
        Ok(found)
    }

    /// Everything ever found about certain people, settled findings too.
    pub async fn access_findings_of(
        &self,
        people: &[PersonId],
    ) -> Result<Vec<AccessFinding>, StoreError> {
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let theirs = access_findings::Column::Person.is_in(some.iter().map(|id| id.0));
            found.extend(self.findings_in(access_findings::Entity::find().filter(theirs)).await?);
        }
        Ok(found)
    }

    async fn findings_in(
        &self,
        query: Select<access_findings::Entity>,
    ) -> Result<Vec<AccessFinding>, StoreError> {
        let rows = query
            .order_by_asc(access_findings::Column::FoundAt)
            .order_by_asc(access_findings::Column::Id)
            .all(&self.db)
            .await
            .doing("reading findings")?;
        rows.iter().map(|row| convert::from_body("finding", &row.body)).collect()
    }
}
