//! Which daemons work on this state, and whether each is heard of.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000024_daemons"
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
    // `session` is that of the process which may write; none once it ended or another took its work over.
    // `seen_at` is by the database's clock.
    "CREATE TABLE daemons (
        name text NOT NULL PRIMARY KEY,
        session uuid,
        version text NOT NULL,
        started_at bigint NOT NULL,
        seen_at bigint NOT NULL,
        state text NOT NULL
    )",
];
