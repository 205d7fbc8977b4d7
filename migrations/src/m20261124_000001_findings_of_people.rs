//! What was found about some people: a look at what changed reads theirs alone.

use crate::Step;

pub(crate) const STEP: Step =
    Step { name: "m20261124_000001_findings_of_people", statements: &STATEMENTS };

const STATEMENTS: [&str; 1] = ["CREATE INDEX access_findings_person ON access_findings (person)"];
