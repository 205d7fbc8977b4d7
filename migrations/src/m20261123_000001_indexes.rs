//! Indexes for states with many thousand open departures: each look is at the rows that it is about.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261123_000001_indexes", statements: &STATEMENTS };

const STATEMENTS: [&str; 4] = [
    "DROP INDEX cases_person",
    // By the person alone, SQLite takes the longer index of kind and state, and reads all open cases for each.
    "CREATE INDEX cases_person ON cases (person, kind, state)",
    "CREATE INDEX steps_plan ON steps (plan)",
    // Who departed lately: the guard asks in every round.
    "CREATE INDEX plans_passed ON plans ((COALESCE(decided_at, created_at)))",
];
