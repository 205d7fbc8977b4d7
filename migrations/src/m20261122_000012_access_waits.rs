//! Until when a person's access need not be looked at again: nothing would have changed.

use crate::Step;

pub(crate) const STEP: Step =
    Step { name: "m20261122_000012_access_waits", statements: &STATEMENTS };

const STATEMENTS: [&str; 1] = [
    // Only a rest: whoever has no row is looked at, and every change of what they hold takes the row away.
    "CREATE TABLE access_waits (
        person uuid NOT NULL PRIMARY KEY REFERENCES people (id),
        until bigint NOT NULL
    )",
];
