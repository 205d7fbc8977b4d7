//! Indexes for states with many thousand open departures: each look is at the rows that it is about.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_000001_indexes"
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

const STATEMENTS: [&str; 4] = [
    "DROP INDEX cases_person",
    // By the person alone, SQLite takes the longer index of kind and state, and reads all open cases for each.
    "CREATE INDEX cases_person ON cases (person, kind, state)",
    "CREATE INDEX steps_plan ON steps (plan)",
    // Who departed lately: the guard asks in every round.
    "CREATE INDEX plans_passed ON plans ((COALESCE(decided_at, created_at)))",
];
