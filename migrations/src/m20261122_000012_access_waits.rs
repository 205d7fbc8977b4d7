//! Until when a person's access need not be looked at again: nothing would have changed.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000012_access_waits"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &STATEMENTS).await
    }

    /// SQLite would not do so by itself, and half a schema helps nobody.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const STATEMENTS: [&str; 1] = [
    // Only a rest: whoever has no row is looked at, and every change of what they hold takes the row away.
    "CREATE TABLE access_waits (
        person uuid NOT NULL PRIMARY KEY REFERENCES people (id),
        until bigint NOT NULL
    )",
];
