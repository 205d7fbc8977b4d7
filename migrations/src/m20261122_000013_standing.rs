//! When a suspension is to be looked at, and that nothing more comes of it.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261122_000013_standing", statements: &STATEMENTS };

const STATEMENTS: [&str; 3] = [
    "ALTER TABLE suspensions ADD COLUMN over boolean NOT NULL DEFAULT FALSE",
    "ALTER TABLE suspensions ADD COLUMN look_at bigint",
    "CREATE INDEX suspensions_look_at ON suspensions (look_at) WHERE look_at IS NOT NULL",
];
