//! Access forms, what was decided on them, what people hold by them, and what stops it for a while.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261122_000007_access", statements: &STATEMENTS };

const STATEMENTS: [&str; 20] = [
    // departure, form or suspension.
    "ALTER TABLE cases ADD COLUMN kind text NOT NULL DEFAULT 'departure'",
    // Steps that give access: none runs past a departure or a suspension of its person.
    "ALTER TABLE steps ADD COLUMN gives boolean NOT NULL DEFAULT FALSE",
    // The numbers are given by the daemon, so that a rolled back form leaves no gap to be explained.
    "CREATE TABLE access_forms (
        number bigint NOT NULL PRIMARY KEY,
        id uuid NOT NULL UNIQUE,
        person uuid NOT NULL REFERENCES people (id),
        form text NOT NULL,
        asks text NOT NULL,
        state text NOT NULL,
        ended boolean NOT NULL,
        filed_at bigint NOT NULL,
        look_at bigint,
        body text NOT NULL
    )",
    "CREATE INDEX access_forms_person ON access_forms (person)",
    "CREATE INDEX access_forms_look_at ON access_forms (look_at) WHERE look_at IS NOT NULL",
    "CREATE TABLE form_decisions (
        id uuid NOT NULL PRIMARY KEY,
        form bigint NOT NULL REFERENCES access_forms (number),
        hash text NOT NULL,
        role text NOT NULL,
        decided_by text NOT NULL,
        at bigint NOT NULL,
        body text NOT NULL
    )",
    "CREATE INDEX form_decisions_form ON form_decisions (form)",
    "CREATE TABLE absences (
        id uuid NOT NULL PRIMARY KEY,
        away text NOT NULL,
        ends_on text NOT NULL,
        body text NOT NULL
    )",
    "CREATE TABLE gates_passed (
        id uuid NOT NULL PRIMARY KEY,
        person uuid NOT NULL REFERENCES people (id),
        gate text NOT NULL,
        passed_on text NOT NULL,
        withdrawn boolean NOT NULL,
        body text NOT NULL
    )",
    "CREATE INDEX gates_passed_person ON gates_passed (person)",
    "CREATE TABLE entitlements (
        id uuid NOT NULL PRIMARY KEY,
        person uuid NOT NULL REFERENCES people (id),
        system text NOT NULL,
        form bigint NOT NULL,
        state text NOT NULL,
        ends_on text,
        body text NOT NULL
    )",
    "CREATE INDEX entitlements_person ON entitlements (person)",
    "CREATE INDEX entitlements_form ON entitlements (form)",
    // connectors: '*' for all, or names with a bar before and after each.
    "CREATE TABLE suspensions (
        id uuid NOT NULL PRIMARY KEY,
        person uuid NOT NULL REFERENCES people (id),
        kind text NOT NULL,
        connectors text NOT NULL,
        starts_on text,
        lifted boolean NOT NULL,
        placed_at bigint NOT NULL,
        body text NOT NULL
    )",
    "CREATE INDEX suspensions_person ON suspensions (person)",
    "CREATE TABLE access_findings (
        id uuid NOT NULL PRIMARY KEY,
        kind text NOT NULL,
        person uuid,
        found_at bigint NOT NULL,
        settled boolean NOT NULL,
        body text NOT NULL
    )",
    "CREATE INDEX access_findings_open ON access_findings (kind) WHERE NOT settled",
    // What is given out once, by kind and value: numbers for file systems.
    "CREATE TABLE reserved_numbers (
        kind text NOT NULL,
        value bigint NOT NULL,
        person uuid NOT NULL REFERENCES people (id),
        at bigint NOT NULL,
        PRIMARY KEY (kind, value)
    )",
    "CREATE UNIQUE INDEX reserved_numbers_person ON reserved_numbers (kind, person)",
    "CREATE INDEX cases_kind ON cases (kind, state)",
];
