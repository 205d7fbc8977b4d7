//! The schema of the state database, from the first release on: one file a step, one transaction each.
//!
//! The statements are plain SQL that SQLite and PostgreSQL read alike, so that what a database
//! administrator sees in `\d` is what stands here. A released step is never edited; the next one is
//! added behind it.
//!
//! Conventions of every table: moments are `bigint` microseconds since 1970-01-01 UTC, calendar dates
//! are `text` as `2026-11-25` (which sorts as a date does), bodies are JSON in `text`.

mod m20261101_000001_state;
mod m20261101_000002_audit;
mod m20261101_000003_to_decide;
mod m20261122_000001_confirmations;
mod m20261122_000002_tickets;
mod m20261122_000003_notices;
mod m20261122_000004_wishes;
mod m20261122_000006_order_forms;
mod m20261122_000007_access;
mod m20261122_000012_access_waits;
mod m20261122_000013_standing;
mod m20261122_000015_access_rests;
mod m20261122_000024_daemons;
mod m20261123_000001_indexes;
mod m20261123_000002_claim_order;
mod m20261124_000001_findings_of_people;

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, MigratorTrait, SchemaManager};

/// All steps, oldest first.
#[derive(Debug)]
pub struct Migrator;

#[async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261101_000001_state::STEP),
            Box::new(m20261101_000002_audit::STEP),
            Box::new(m20261101_000003_to_decide::STEP),
            Box::new(m20261122_000001_confirmations::STEP),
            Box::new(m20261122_000002_tickets::STEP),
            Box::new(m20261122_000003_notices::STEP),
            Box::new(m20261122_000004_wishes::Migration),
            Box::new(m20261122_000006_order_forms::STEP),
            Box::new(m20261122_000007_access::STEP),
            Box::new(m20261122_000012_access_waits::STEP),
            Box::new(m20261122_000013_standing::STEP),
            Box::new(m20261122_000015_access_rests::STEP),
            Box::new(m20261122_000024_daemons::STEP),
            Box::new(m20261123_000001_indexes::STEP),
            Box::new(m20261123_000002_claim_order::STEP),
            Box::new(m20261124_000001_findings_of_people::STEP),
        ]
    }
}

/// A step that is statements alone, the same on both databases.
struct Step {
    name: &'static str,
    statements: &'static [&'static str],
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        run(manager, self.statements).await
    }

    /// SQLite would not do so by itself, and half a schema helps nobody.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// Runs the statements of a step in their order.
async fn run(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}
