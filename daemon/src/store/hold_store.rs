//! Holds, and what was set aside for a person to look at.

use super::error::Doing as _;
use super::tables::{holds, set_asides};
use super::tx::{advisory, lock};
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{Hold, PersonId, SourceName};
use sea_orm::{
    ColumnTrait as _, ConnectionTrait as _, DbBackend, EntityTrait as _, QueryFilter as _,
    QueryOrder as _,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A row or a person that could not be used, until someone settles it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// Its id.
    pub id: Uuid,
    /// The drop that it came with.
    pub drop: Option<Uuid>,
    /// The feed.
    pub source: SourceName,
    /// The drop's file.
    pub file_name: String,
    /// Line in it, from 1.
    pub line: Option<u64>,
    /// Why, and what to do.
    pub reason: String,
    /// Whom it is about, no more than needed: a user ID or an employee number (P2).
    pub who: Option<String>,
    /// When it was set aside.
    pub at: Timestamp,
    /// When it was settled, if it was.
    pub settled_at: Option<Timestamp>,
}

impl Tx {
    /// Stores a hold; the same person, moment and authority is the same hold, so that one with
    /// `lifted_at` lifts it. No deletion of that person is claimed once this has committed.
    pub async fn save_hold(&self, hold: &Hold) -> Result<(), StoreError> {
        if self.db().get_database_backend() == DbBackend::Postgres {
            // Claims that are looking at the holds just now end first.
            advisory(&self.db(), "pg_advisory_xact_lock", lock::HOLDS).await?;
        }
        let placed_at = convert::micros(hold.placed_at);
        let name = format!("hold {placed_at} {}", hold.authority);
        let row = holds::Model {
            id: Uuid::new_v5(&hold.person.0, name.as_bytes()),
            person: hold.person.0,
            placed_at,
            lifted_at: hold.lifted_at.map(convert::micros),
            review_on: hold.review_on.map(|date| date.to_string()),
            body: convert::body("hold", hold)?,
        };
        let conflict = sql::replace::<holds::Entity>();
        sql::put_all(&self.db(), "storing a hold", vec![row], Some(conflict)).await
    }

    /// Stores what was set aside, over what was there under the same ids.
    pub async fn set_aside(&self, all: &[SetAside]) -> Result<(), StoreError> {
        let rows = all.iter().map(|aside| set_asides::Model {
            id: aside.id,
            drop_id: aside.drop,
            source: aside.source.to_string(),
            file_name: aside.file_name.clone(),
            line: aside.line.map(convert::signed),
            reason: aside.reason.clone(),
            who: aside.who.clone(),
            at: convert::micros(aside.at),
            settled_at: aside.settled_at.map(convert::micros),
        });
        let conflict = sql::replace::<set_asides::Entity>();
        sql::put_all(&self.db(), "setting rows aside", rows.collect(), Some(conflict)).await
    }
}

impl Reader<'_> {
    /// Every hold that stands, oldest first.
    pub async fn holds(&self) -> Result<Vec<Hold>, StoreError> {
        let query = holds::Entity::find().filter(holds::Column::LiftedAt.is_null());
        self.holds_by(query).await
    }

    /// Every hold of a person, lifted ones too, oldest first.
    pub async fn holds_of(&self, person: PersonId) -> Result<Vec<Hold>, StoreError> {
        self.holds_by(holds::Entity::find().filter(holds::Column::Person.eq(person.0))).await
    }

    async fn holds_by(
        &self,
        query: sea_orm::Select<holds::Entity>,
    ) -> Result<Vec<Hold>, StoreError> {
        let query = query.order_by_asc(holds::Column::PlacedAt).order_by_asc(holds::Column::Id);
        let rows = query.all(&self.db).await.doing("reading holds")?;
        rows.iter().map(|row| convert::from_body("hold", &row.body)).collect()
    }

    /// True if an entry of this id was ever set aside.
    pub(super) async fn has_set_aside(&self, id: Uuid) -> Result<bool, StoreError> {
        let found = set_asides::Entity::find_by_id(id).one(&self.db).await;
        Ok(found.doing("reading what was set aside")?.is_some())
    }

    /// What still waits for a person, oldest first.
    pub async fn open_set_asides(&self) -> Result<Vec<SetAside>, StoreError> {
        let rows = set_asides::Entity::find()
            .filter(set_asides::Column::SettledAt.is_null())
            .order_by_asc(set_asides::Column::At)
            .order_by_asc(set_asides::Column::Line)
            .order_by_asc(set_asides::Column::Who)
            .order_by_asc(set_asides::Column::Reason)
            .order_by_asc(set_asides::Column::Id)
            .all(&self.db)
            .await
            .doing("reading what was set aside")?;
        rows.into_iter().map(aside_of).collect()
    }
}

pub(super) fn aside_of(row: set_asides::Model) -> Result<SetAside, StoreError> {
    Ok(SetAside {
        id: row.id,
        drop: row.drop_id,
        source: convert::checked("source", row.source)?,
        file_name: row.file_name,
        line: row.line.map(convert::unsigned),
        reason: row.reason,
        who: row.who,
        at: convert::moment("moment", row.at)?,
        settled_at: convert::moment_if("moment", row.settled_at)?,
    })
}
