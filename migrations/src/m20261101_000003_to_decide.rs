//! People whose facts have changed since their departure was last looked at.

use crate::Step;

pub(crate) const STEP: Step = Step { name: "m20261101_000003_to_decide", statements: &STATEMENTS };

const STATEMENTS: [&str; 1] = ["CREATE TABLE to_decide (
            person uuid NOT NULL PRIMARY KEY REFERENCES people (id),
            since bigint NOT NULL
        )"];
