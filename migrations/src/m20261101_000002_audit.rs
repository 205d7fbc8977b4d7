//! The audit: one row a fact, each chained to the one before by its hash.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261101_000002_audit", statements: &STATEMENTS };

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
