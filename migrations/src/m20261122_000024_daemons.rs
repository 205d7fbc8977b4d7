//! Which daemons work on this state, and whether each is heard of.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261122_000024_daemons", statements: &STATEMENTS };

const STATEMENTS: [&str; 1] = [
    // `session` is that of the process which may write; none once it ended or another took its work over.
    // `seen_at` is by the database's clock. `takeover` is the daemon's own word: after so many microseconds of
    // silence its work is another's. `process` is what its connections call themselves.
    "CREATE TABLE daemons (
        name text NOT NULL PRIMARY KEY,
        session uuid,
        version text NOT NULL,
        started_at bigint NOT NULL,
        seen_at bigint NOT NULL,
        takeover bigint NOT NULL,
        process text NOT NULL,
        state text NOT NULL
    )",
];
