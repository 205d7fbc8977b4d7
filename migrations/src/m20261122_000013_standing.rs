//! When a suspension is to be looked at, and that nothing more comes of it.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000013_standing"
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

const STATEMENTS: [&str; 3] = [
    "ALTER TABLE suspensions ADD COLUMN over boolean NOT NULL DEFAULT FALSE",
    "ALTER TABLE suspensions ADD COLUMN look_at bigint",
    "CREATE INDEX suspensions_look_at ON suspensions (look_at) WHERE look_at IS NOT NULL",
];
