//! The audit: one row a fact, each chained to the one before by its hash.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261101_000002_audit"
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

const STATEMENTS: [&str; 2] = [
    // No foreign keys: a record outlives what it speaks of.
    "CREATE TABLE audit (
        seq bigint NOT NULL PRIMARY KEY,
        at_us bigint NOT NULL,
        actor text NOT NULL,
        event text NOT NULL,
        person uuid,
        case_id uuid,
        step uuid,
        plan text,
        user_id text,
        clause text,
        detail text NOT NULL,
        prev text NOT NULL,
        hash text NOT NULL
    )",
    "CREATE INDEX audit_person ON audit (person, seq)",
];
