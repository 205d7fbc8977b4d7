//! Forms of the folder `inbox.forms` that were taken, so that the same one twice is one order.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000006_order_forms"
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
    // The id is the form's own; `content` is the SHA-256 of what it says, `sha256` that of the file.
    "CREATE TABLE order_forms (
        id uuid NOT NULL PRIMARY KEY,
        content text NOT NULL,
        sha256 text NOT NULL,
        filed_by text NOT NULL,
        taken_at bigint NOT NULL
    )",
];
