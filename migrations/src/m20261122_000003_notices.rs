//! The outbox: notices that wait, were sent, or were not.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261122_000003_notices", statements: &STATEMENTS };

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
