//! Single values by name: the baseline population, whether deletions are paused, and the like.

use super::error::Doing as _;
use super::tables::settings;
use super::{Reader, StoreError, Tx, convert, sql};
use sea_orm::EntityTrait as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

impl Tx {
    /// Stores a value under a name, over what was there.
    pub async fn set_setting<T: Serialize + Sync>(
        &self,
        key: &str,
        value: &T,
    ) -> Result<(), StoreError> {
        let value = convert::body("setting", value)?;
        let row = settings::Model { key: key.to_owned(), value };
        let conflict = sql::replace::<settings::Entity>();
        sql::put_all(&self.db(), "storing a setting", vec![row], Some(conflict)).await
    }
}

impl Reader<'_> {
    /// The value under a name, if there is one.
    pub async fn setting<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, StoreError> {
        let row = settings::Entity::find_by_id(key.to_owned())
            .one(&self.db)
            .await
            .doing("reading a setting")?;
        row.map(|row| convert::from_body("setting", &row.value)).transpose()
    }
}
