//! The ledger of user IDs: a name once seen or given is never given again (N5).

use super::error::Doing as _;
use super::tables::user_ids;
use super::{Reader, StoreError, Tx, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{PersonId, UserId};
use sea_orm::{EntityTrait as _, QuerySelect as _};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// How a user ID came into the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdOrigin {
    /// Seen in a target.
    Seen,
    /// Given by lapsed.
    Issued,
    /// Set apart for someone.
    Reserved,
    /// On a list of names that nobody may get.
    ReservedList,
}

/// One user ID of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserIdRecord {
    /// As given; what counts as the same is decided in lower case.
    pub user_id: UserId,
    /// Whose it is or was, where known.
    pub person: Option<PersonId>,
    /// How it came in.
    pub origin: IdOrigin,
    /// When.
    pub at: Timestamp,
}

impl Tx {
    /// Adds IDs to the ledger. One that is there stays as it is, but is given its person if it had none.
    pub async fn save_user_ids(&self, records: &[UserIdRecord]) -> Result<(), StoreError> {
        let mut once: HashMap<String, &UserIdRecord> = HashMap::new();
        for record in records {
            once.entry(record.user_id.folded()).or_insert(record);
        }
        let rows = once.into_iter().map(|(folded, record)| user_ids::Model {
            folded,
            shown: record.user_id.to_string(),
            person: record.person.map(|id| id.0),
            origin: convert::word(record.origin),
            at: convert::micros(record.at),
        });
        let mut conflict = sql::keep::<user_ids::Entity>();
        conflict.value(
            user_ids::Column::Person,
            sea_orm::sea_query::Expr::cust("COALESCE(user_ids.person, excluded.person)"),
        );
        sql::put_all(&self.db(), "storing user IDs", rows.collect(), Some(conflict)).await
    }
}

impl Reader<'_> {
    /// The ledger's entry of a user ID, whatever its case.
    pub async fn user_id(&self, user_id: &UserId) -> Result<Option<UserIdRecord>, StoreError> {
        let row = user_ids::Entity::find_by_id(user_id.folded())
            .one(&self.db)
            .await
            .doing("reading user IDs")?;
        row.map(record_of).transpose()
    }

    /// True if the user ID was ever seen, given or reserved.
    pub async fn user_id_taken(&self, user_id: &UserId) -> Result<bool, StoreError> {
        Ok(self.user_id(user_id).await?.is_some())
    }

    /// Every user ID of the ledger, in lower case.
    pub async fn taken_user_ids(&self) -> Result<HashSet<String>, StoreError> {
        let folded: Vec<String> = user_ids::Entity::find()
            .select_only()
            .column(user_ids::Column::Folded)
            .into_tuple()
            .all(&self.db)
            .await
            .doing("reading user IDs")?;
        Ok(folded.into_iter().collect())
    }
}

fn record_of(row: user_ids::Model) -> Result<UserIdRecord, StoreError> {
    Ok(UserIdRecord {
        user_id: convert::checked("user ID", row.shown)?,
        person: row.person.map(PersonId),
        origin: convert::from_word("origin", &row.origin)?,
        at: convert::moment("moment", row.at)?,
    })
}
