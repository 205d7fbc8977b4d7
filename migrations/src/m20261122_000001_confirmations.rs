//! Documents by which those who were asked confirmed, or said no.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000001_confirmations"
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
    // The file itself lies in the documents folder under its digest; a No may come without one.
    "CREATE TABLE documents (
        id uuid NOT NULL PRIMARY KEY,
        case_id uuid NOT NULL REFERENCES cases (id),
        step uuid NOT NULL REFERENCES steps (id),
        sha256 text,
        bytes bigint NOT NULL,
        file_name text NOT NULL,
        answer text NOT NULL,
        reason text,
        token_digest text,
        filed_by text NOT NULL,
        filed_at bigint NOT NULL
    )",
    "CREATE INDEX documents_step ON documents (step)",
    "CREATE INDEX documents_case ON documents (case_id)",
    "CREATE INDEX documents_token ON documents (token_digest)",
];
