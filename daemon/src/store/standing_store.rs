//! What stops access for a while, and what the nightly audit found.

use super::error::Doing as _;
use super::tables::{access_findings, suspensions};
use super::{Reader, StoreError, Tx, convert, sql};
use lapsed_core::access::finding::AccessFinding;
use lapsed_core::access::suspension::Suspension;
use lapsed_core::facts::{ConnectorName, PersonId};
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, Select};
use uuid::Uuid;

/// That step `s`, which gives access, must not be carried out, as SQL; `$2` is today. A departure of its
/// person is in effect, or a suspension stops them there.
pub(super) const STOPPED: &str = "EXISTS (SELECT 1 FROM cases d WHERE d.person = s.person \
        AND d.kind = 'departure' AND d.state = 'open') \
    OR EXISTS (SELECT 1 FROM suspensions u WHERE u.person = s.person AND NOT u.lifted \
        AND (u.starts_on IS NULL OR u.starts_on <= $2) \
        AND (u.connectors = '*' OR u.connectors LIKE '%|' || s.connector || '|%'))";

impl Tx {
    /// Stores suspensions over what was there under the same ids. Nothing that one stops is claimed once
    /// this has committed.
    pub async fn save_suspensions(&self, all: &[Suspension]) -> Result<(), StoreError> {
        self.wait_for_claims().await?;
        let row = |suspension: &Suspension| {
            Ok(suspensions::Model {
                id: suspension.id,
                person: suspension.person.0,
                kind: convert::word(suspension.kind),
                connectors: covered(&suspension.connectors),
                starts_on: suspension.starts_on.map(|day| day.to_string()),
                lifted: suspension.lifted_at.is_some(),
                placed_at: convert::micros(suspension.placed_at),
                body: convert::body("suspension", suspension)?,
            })
        };
        let rows = all.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        let conflict = sql::replace::<suspensions::Entity>();
        sql::put_all(&self.db(), "storing a suspension", rows, Some(conflict)).await?;
        let people: Vec<PersonId> = all.iter().map(|suspension| suspension.person).collect();
        self.look_at_access_of(&people).await
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
        let rows = all.iter().map(row).collect::<Result<Vec<_>, StoreError>>()?;
        let conflict = sql::replace::<access_findings::Entity>();
        sql::put_all(&self.db(), "storing a finding", rows, Some(conflict)).await
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
    /// All suspensions of some people, lifted ones too, oldest first.
    pub async fn suspensions_of(&self, people: &[PersonId]) -> Result<Vec<Suspension>, StoreError> {
        let mut found = Vec::new();
        for some in people.chunks(sql::rows_at_once(1)) {
            let theirs = suspensions::Column::Person.is_in(some.iter().map(|id| id.0));
            found.extend(self.suspensions_in(suspensions::Entity::find().filter(theirs)).await?);
        }
        Ok(found)
    }

    /// Suspensions that stand, oldest first.
    pub async fn standing_suspensions(&self) -> Result<Vec<Suspension>, StoreError> {
        let stands = suspensions::Column::Lifted.eq(false);
        self.suspensions_in(suspensions::Entity::find().filter(stands)).await
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

    /// Findings by their ids, settled ones too.
    pub async fn access_findings(&self, ids: &[Uuid]) -> Result<Vec<AccessFinding>, StoreError> {
        let mut found = Vec::new();
        for some in ids.chunks(sql::rows_at_once(1)) {
            let these = access_findings::Column::Id.is_in(some.iter().copied());
            found.extend(self.findings_in(access_findings::Entity::find().filter(these)).await?);
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
