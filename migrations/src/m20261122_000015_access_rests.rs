//! Rests that last when a step ends, and what finds the access that is under way without reading all of it.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000015_access_rests"
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
    "ALTER TABLE access_waits ADD COLUMN firm boolean NOT NULL DEFAULT FALSE",
    // Of what years gave, little is under way at a time.
    "CREATE INDEX entitlements_under_way ON entitlements (person) WHERE state IN ('approved', 'ending')",
    "CREATE INDEX entitlements_ends_on ON entitlements (ends_on) WHERE ends_on IS NOT NULL",
    "CREATE INDEX access_forms_approved ON access_forms (person) WHERE state = 'approved'",
];
