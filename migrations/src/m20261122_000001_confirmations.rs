//! Documents by which those who were asked confirmed, or said no.

use crate::Step;

pub(crate) const STEP: Step =
    Step { name: "m20261122_000001_confirmations", statements: &STATEMENTS };

const STATEMENTS: [&str; 4] = [
    // The file itself lies in the documents folder under its digest; a No may come without one.
    "CREATE TABLE documents (
        id uuid NOT NULL PRIMARY KEY,
        case_id uuid NOT NULL REFERENCES cases (id),
        step uuid NOT NULL REFERENCES steps (id),
        sha256 text,
        bytes bigint NOT NULL,
        file_name text NOT NULL,
        answer text NOT NULL,
        reason text,
        token_digest text,
        filed_by text NOT NULL,
        filed_at bigint NOT NULL
    )",
    "CREATE INDEX documents_step ON documents (step)",
    "CREATE INDEX documents_case ON documents (case_id)",
    "CREATE INDEX documents_token ON documents (token_digest)",
];
