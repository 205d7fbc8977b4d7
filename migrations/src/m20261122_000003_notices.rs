//! The outbox: notices that wait, were sent, or were not.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::DbErr;
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000003_notices"
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

const STATEMENTS: [&str; 5] = [
    // `addresses` is empty until the one who is meant has been looked up; `digest` names the notice that
    // carried this one as a line.
    "CREATE TABLE notices (
        id uuid NOT NULL PRIMARY KEY,
        kind text NOT NULL,
        case_id uuid,
        person uuid,
        about text NOT NULL,
        addressee text NOT NULL,
        addresses text NOT NULL,
        subject text NOT NULL,
        body text NOT NULL,
        told text NOT NULL,
        state text NOT NULL,
        by_digest boolean NOT NULL,
        digest uuid,
        queued_at bigint NOT NULL,
        not_before bigint NOT NULL,
        attempts bigint NOT NULL,
        cause text,
        sent_at bigint,
        lease_owner text,
        lease_until bigint,
        lease_token bigint NOT NULL
    )",
    // What the sender looks for.
    "CREATE INDEX notices_waiting ON notices (not_before) WHERE state IN ('queued', 'sending')",
    "CREATE INDEX notices_case ON notices (case_id)",
    "CREATE INDEX notices_person ON notices (person)",
    // How many of a kind went to one address within an hour.
    "CREATE INDEX notices_sent ON notices (kind, sent_at)",
];
