//! Forms of the folder `inbox.forms` that were taken, so that the same one twice is one order.

use crate::Step;

pub(crate) const STEP: Step =
    Step { name: "m20261122_000006_order_forms", statements: &STATEMENTS };

const STATEMENTS: [&str; 1] = [
    // The id is the form's own; `content` is the SHA-256 of what it says, `sha256` that of the file.
    "CREATE TABLE order_forms (
        id uuid NOT NULL PRIMARY KEY,
        content text NOT NULL,
        sha256 text NOT NULL,
        filed_by text NOT NULL,
        taken_at bigint NOT NULL
    )",
];
