//! Tickets of the daemon's own, about what it can't do by itself.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261122_000002_tickets", statements: &STATEMENTS };

const STATEMENTS: [&str; 4] = [
    // The id follows from what the ticket is about: one ticket a matter. What it is about is a kind and
    // an id: a step, something set aside, a connector (the UUID v5 of its name).
    "CREATE TABLE tickets (
        id uuid NOT NULL PRIMARY KEY,
        problem text NOT NULL,
        about_kind text NOT NULL,
        about uuid NOT NULL,
        round bigint NOT NULL,
        case_id uuid,
        person uuid,
        connector text,
        subject text NOT NULL,
        body text NOT NULL,
        state text NOT NULL,
        number text,
        page text,
        attempts bigint NOT NULL,
        trouble text,
        comment text,
        gone_at bigint,
        created_at bigint NOT NULL,
        next_at bigint NOT NULL,
        opened_at bigint,
        closed_at bigint,
        acted_at bigint,
        lease_owner text,
        lease_until bigint,
        lease_token bigint NOT NULL
    )",
    // What is worked on, in its order.
    "CREATE INDEX tickets_next ON tickets (next_at) WHERE state IN ('queued', 'open')",
    "CREATE INDEX tickets_about ON tickets (about_kind, about)",
    "CREATE INDEX tickets_state ON tickets (state, created_at)",
];
