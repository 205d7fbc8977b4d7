//! Rests that last when a step ends, and what finds the access that is under way without reading all of it.

use crate::Step;

pub(crate) const STEP: Step =
    Step { name: "m20261122_000015_access_rests", statements: &STATEMENTS };

const STATEMENTS: [&str; 4] = [
    "ALTER TABLE access_waits ADD COLUMN firm boolean NOT NULL DEFAULT FALSE",
    // Of what years gave, little is under way at a time.
    "CREATE INDEX entitlements_under_way ON entitlements (person) WHERE state IN ('approved', 'ending')",
    "CREATE INDEX entitlements_ends_on ON entitlements (ends_on) WHERE ends_on IS NOT NULL",
    "CREATE INDEX access_forms_approved ON access_forms (person) WHERE state = 'approved'",
];
