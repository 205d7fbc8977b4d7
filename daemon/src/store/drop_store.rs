//! Drops: every file that came in, taken or rejected.

use super::error::Doing as _;
use super::tables::drops;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::{Timestamp, civil::Date};
use lapsed_core::facts::SourceName;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What became of a drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropState {
    /// Taken; single rows may have been set aside.
    Accepted,
    /// Rejected whole.
    Rejected,
}

/// One drop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DropRecord {
    /// Its id.
    pub id: Uuid,
    /// SHA-256 of its bytes, in hexadecimal: the same drop again is known by it.
    pub sha256: String,
    /// The feed.
    pub source: SourceName,
    /// Its name in the inbox.
    pub file_name: String,
    /// When it came.
    pub received_at: Timestamp,
    /// What became of it.
    pub state: DropState,
    /// Its number, where the feed numbers its drops.
    pub sequence: Option<u64>,
    /// How many people a full feed had in it: the denominator of percentages.
    pub headcount: Option<u64>,
    /// The day that it speaks of.
    pub as_of: Option<Date>,
    /// Rows by what became of them; the shape belongs to the intake.
    pub counts: serde_json::Value,
    /// Why it was rejected.
    pub rejection: Option<String>,
}

impl Tx {
    /// Stores a drop, over what was there under the same id.
    pub async fn record_drop(&self, drop: &DropRecord) -> Result<(), StoreError> {
        let row = drops::Model {
            id: drop.id,
            sha256: drop.sha256.clone(),
            source: drop.source.to_string(),
            file_name: drop.file_name.clone(),
            received_at: convert::micros(drop.received_at),
            state: convert::word(drop.state),
            sequence: drop.sequence.map(convert::signed),
            headcount: drop.headcount.map(convert::signed),
            as_of: drop.as_of.map(|date| date.to_string()),
            counts: convert::body("drop", &drop.counts)?,
            rejection: drop.rejection.clone(),
        };
        let conflict = sql::replace::<drops::Entity>();
        sql::put_all(&self.db(), "recording a drop", vec![row], Some(conflict)).await
    }
}

impl Reader<'_> {
    /// The newest drop with these bytes.
    pub async fn drop_by_digest(&self, sha256: &str) -> Result<Option<DropRecord>, StoreError> {
        let query = drops::Entity::find().filter(drops::Column::Sha256.eq(sha256));
        Ok(self.newest_drops(query, 1).await?.pop())
    }

    /// The newest accepted drop of a feed.
    pub async fn last_accepted_drop(
        &self,
        source: &SourceName,
    ) -> Result<Option<DropRecord>, StoreError> {
        let query = drops::Entity::find()
            .filter(drops::Column::Source.eq(source.as_str()))
            .filter(drops::Column::State.eq(convert::word(DropState::Accepted)));
        Ok(self.newest_drops(query, 1).await?.pop())
    }

    /// The newest drops of all feeds.
    pub async fn recent_drops(&self, limit: u64) -> Result<Vec<DropRecord>, StoreError> {
        self.newest_drops(drops::Entity::find(), limit).await
    }

    async fn newest_drops(
        &self,
        query: sea_orm::Select<drops::Entity>,
        limit: u64,
    ) -> Result<Vec<DropRecord>, StoreError> {
        let rows = query
            .order_by_desc(drops::Column::ReceivedAt)
            .order_by_desc(drops::Column::Id)
            .limit(limit)
            .all(&self.db)
            .await
            .doing("reading drops")?;
        rows.into_iter().map(record_of).collect()
    }
}

fn record_of(row: drops::Model) -> Result<DropRecord, StoreError> {
    Ok(DropRecord {
        id: row.id,
        sha256: row.sha256,
        source: convert::checked("source", row.source)?,
        file_name: row.file_name,
        received_at: convert::moment("drop's moment", row.received_at)?,
        state: convert::from_word("drop state", &row.state)?,
        sequence: row.sequence.map(convert::unsigned),
        headcount: row.headcount.map(convert::unsigned),
        as_of: convert::date_if("drop's date", row.as_of.as_deref())?,
        counts: convert::from_body("drop", &row.counts)?,
        rejection: row.rejection,
    })
}
