//! Wishes about a leaver's things, and holds on populations with the facts that they ask for.

use sea_orm_migration::async_trait::async_trait;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend, DbErr};
use sea_orm_migration::{MigrationName, MigrationTrait, SchemaManager};

pub(crate) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_000004_wishes"
    }
}

#[async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        crate::run(manager, &STATEMENTS).await?;
        let known = match manager.get_connection().get_database_backend() {
            DbBackend::Postgres => &KNOWN_ON_POSTGRES,
            _ => &KNOWN_ON_SQLITE,
        };
        crate::run(manager, known).await
    }

    /// SQLite would not do so by itself, and half a schema helps nobody.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

const STATEMENTS: [&str; 6] = [
    "CREATE TABLE wishes (
        id uuid NOT NULL PRIMARY KEY,
        person uuid NOT NULL REFERENCES people (id),
        kind text NOT NULL,
        recipient text NOT NULL,
        at bigint NOT NULL,
        ended_at bigint,
        body text NOT NULL
    )",
    "CREATE INDEX wishes_person ON wishes (person)",
    // The wish that a step carries out or ends.
    "ALTER TABLE steps ADD COLUMN wish uuid",
    "CREATE INDEX steps_wish ON steps (wish) WHERE wish IS NOT NULL",
    // Orders that nothing be deleted of all whom a fact describes: fact and value as in person_facts,
    // or 'everyone'.
    "CREATE TABLE population_holds (
        id uuid NOT NULL PRIMARY KEY,
        fact text NOT NULL,
        value text NOT NULL,
        placed_at bigint NOT NULL,
        lifted_at bigint,
        review_on text,
        body text NOT NULL
    )",
    // Where and what a person is or was, and in which groups their accounts were: rows are only added,
    // so that who moved elsewhere stays under the order for where they were.
    "CREATE TABLE person_facts (
        person uuid NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        fact text NOT NULL,
        value text NOT NULL,
        PRIMARY KEY (person, fact, value)
    )",
];

/// Facts of the people and departures that are there already.
const KNOWN_ON_SQLITE: [&str; 3] = [
    "INSERT INTO person_facts (person, fact, value)
        SELECT DISTINCT p.id, 'location', lower(json_extract(e.value, '$.worksite'))
        FROM people p, json_each(p.body, '$.engagements') e
        WHERE json_extract(e.value, '$.worksite') IS NOT NULL",
    "INSERT INTO person_facts (person, fact, value)
        SELECT DISTINCT p.id, 'kind', lower(json_extract(e.value, '$.kind'))
        FROM people p, json_each(p.body, '$.engagements') e
        WHERE json_extract(e.value, '$.kind') IS NOT NULL",
    "INSERT INTO person_facts (person, fact, value)
        SELECT DISTINCT c.person, 'group', lower(json_extract(g.value, '$.name'))
        FROM cases c, json_each(c.body, '$.before') b, json_each(b.value, '$[1].groups') g",
];

/// The same for PostgreSQL.
const KNOWN_ON_POSTGRES: [&str; 3] = [
    "INSERT INTO person_facts (person, fact, value)
        SELECT DISTINCT p.id, 'location', lower(e.value ->> 'worksite')
        FROM people p, jsonb_array_elements(p.body::jsonb -> 'engagements') e
        WHERE e.value ->> 'worksite' IS NOT NULL",
    "INSERT INTO person_facts (person, fact, value)
        SELECT DISTINCT p.id, 'kind', lower(e.value ->> 'kind')
        FROM people p, jsonb_array_elements(p.body::jsonb -> 'engagements') e
        WHERE e.value ->> 'kind' IS NOT NULL",
    "INSERT INTO person_facts (person, fact, value)
        SELECT DISTINCT c.person, 'group', lower(g.value ->> 'name')
        FROM cases c, jsonb_array_elements(c.body::jsonb -> 'before') b,
            jsonb_array_elements(b.value -> 1 -> 'groups') g",
];
