//! What is due at one target, in the order in which it is claimed: nothing else is looked at.

use crate::Step;

pub(crate) const STEP: Step =
    Step { name: "m20261123_000002_claim_order", statements: &STATEMENTS };

const STATEMENTS: [&str; 2] = [
    "DROP INDEX steps_claim",
    "CREATE INDEX steps_claim ON steps (connector, for_cause DESC, rank, target_key, id) WHERE NOT ended",
];
