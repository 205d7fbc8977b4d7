//! People, drops, departures, plans and the journal of steps.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261101_000001_state", statements: &STATEMENTS };

const STATEMENTS: [&str; 26] = [
    "CREATE TABLE people (
        id uuid NOT NULL PRIMARY KEY,
        body text NOT NULL
    )",
    // By what a person is found. Employee numbers are given to others after years: nothing is unique
    // here but the whole row.
    "CREATE TABLE person_keys (
        kind text NOT NULL,
        value text NOT NULL,
        person uuid NOT NULL REFERENCES people (id) ON DELETE CASCADE,
        PRIMARY KEY (kind, value, person)
    )",
    "CREATE INDEX person_keys_person ON person_keys (person)",
    "CREATE TABLE statement_digests (
        source text NOT NULL,
        key text NOT NULL,
        digest text NOT NULL,
        PRIMARY KEY (source, key)
    )",
    "CREATE TABLE drops (
        id uuid NOT NULL PRIMARY KEY,
        sha256 text NOT NULL,
        source text NOT NULL,
        file_name text NOT NULL,
        received_at bigint NOT NULL,
        state text NOT NULL,
        sequence bigint,
        headcount bigint,
        as_of text,
        counts text NOT NULL,
        rejection text
    )",
    "CREATE INDEX drops_source ON drops (source, received_at)",
    "CREATE INDEX drops_sha256 ON drops (sha256)",
    "CREATE TABLE cases (
        id uuid NOT NULL PRIMARY KEY,
        person uuid NOT NULL REFERENCES people (id),
        state text NOT NULL,
        effective_at bigint NOT NULL,
        for_cause boolean NOT NULL,
        disabled_on text,
        body text NOT NULL
    )",
    "CREATE INDEX cases_state ON cases (state, effective_at)",
    "CREATE INDEX cases_person ON cases (person)",
    "CREATE TABLE plans (
        hash text NOT NULL PRIMARY KEY,
        kind text NOT NULL,
        state text NOT NULL,
        subject text NOT NULL,
        created_at bigint NOT NULL,
        body text NOT NULL,
        findings text NOT NULL,
        decided_by text,
        decided_at bigint,
        release_expires_at bigint,
        released_by text NOT NULL,
        reason text
    )",
    "CREATE INDEX plans_state ON plans (state, created_at)",
    "CREATE INDEX plans_subject ON plans (kind, subject)",
    "CREATE TABLE steps (
        id uuid NOT NULL PRIMARY KEY,
        plan text NOT NULL REFERENCES plans (hash),
        case_id uuid NOT NULL REFERENCES cases (id),
        person uuid NOT NULL,
        connector text NOT NULL,
        action text NOT NULL,
        rank integer NOT NULL,
        destroys boolean NOT NULL,
        for_cause boolean NOT NULL,
        due_on text,
        not_before bigint NOT NULL,
        state text NOT NULL,
        ended boolean NOT NULL,
        attempts bigint NOT NULL,
        first_started_at bigint,
        changed_at bigint NOT NULL,
        target_key text NOT NULL,
        body text NOT NULL,
        state_body text NOT NULL,
        lease_owner text,
        lease_until bigint,
        lease_token bigint NOT NULL,
        recheck_on text,
        recheck_index bigint NOT NULL
    )",
    // The order of claims, of what has not ended only: a claim walks it and stops at its limit.
    "CREATE INDEX steps_claim ON steps (for_cause DESC, rank, target_key, id) WHERE NOT ended",
    // Does a step of a lower rank stand before this one?
    "CREATE INDEX steps_before ON steps (case_id, connector, rank) WHERE NOT ended",
    "CREATE INDEX steps_case ON steps (case_id, rank)",
    "CREATE INDEX steps_person ON steps (person)",
    "CREATE INDEX steps_state ON steps (state, connector)",
    // The guard's window.
    "CREATE INDEX steps_begun ON steps (first_started_at) WHERE first_started_at IS NOT NULL",
    "CREATE INDEX steps_recheck ON steps (recheck_on) WHERE recheck_on IS NOT NULL",
    "CREATE TABLE holds (
        id uuid NOT NULL PRIMARY KEY,
        person uuid NOT NULL REFERENCES people (id),
        placed_at bigint NOT NULL,
        lifted_at bigint,
        review_on text,
        body text NOT NULL
    )",
    "CREATE INDEX holds_person ON holds (person)",
    "CREATE TABLE set_asides (
        id uuid NOT NULL PRIMARY KEY,
        drop_id uuid REFERENCES drops (id),
        source text NOT NULL,
        file_name text NOT NULL,
        line bigint,
        reason text NOT NULL,
        who text,
        at bigint NOT NULL,
        settled_at bigint
    )",
    "CREATE TABLE user_ids (
        folded text NOT NULL PRIMARY KEY,
        shown text NOT NULL,
        person uuid,
        origin text NOT NULL,
        at bigint NOT NULL
    )",
    "CREATE TABLE settings (
        key text NOT NULL PRIMARY KEY,
        value text NOT NULL
    )",
];
