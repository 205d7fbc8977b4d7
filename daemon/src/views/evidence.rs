//! Everything about one person's access with its proof, and who was cut off late.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed evidence`: docs/evidence.md says how it is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceView {
    /// `lapsed evidence 1`.
    pub format: String,
    /// What happened: notices, decisions, plans, steps with before-images and read-backs, answers.
    pub record: serde_json::Value,
    /// What proves it.
    pub audit: AuditProofView,
}

/// Rows of the audit, in runs that signed checkpoints end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditProofView {
    /// The key that signed, in PEM; absent where no checkpoints are kept.
    pub public_key: Option<String>,
    /// Runs of rows, oldest first.
    pub segments: Vec<SegmentView>,
}

/// Rows that follow one another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SegmentView {
    /// Hash of the row before the first.
    pub prev: String,
    /// The rows: those about the person with their fields, of others number and digest.
    #[schemars(with = "Vec<serde_json::Value>")]
    pub rows: Vec<LinkView>,
    /// The signed line about the last row.
    pub checkpoint: Option<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum LinkView {
    /// With its fields.
    Row {
        /// The eleven fields in the order of docs/evidence.md; null where there is nothing.
        fields: Vec<Option<String>>,
        /// Hashed in one piece, as rows of before are.
        former: bool,
    },
    /// Of somebody else.
    Other {
        /// Number.
        seq: u64,
        /// Digest of its fields.
        digest: String,
    },
}

/// `lapsed late`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LateView {
    /// Minutes after the end of access within which it is to be read back as ended (YAML).
    pub within_minutes: u32,
    /// Who was cut off later than that, or is not yet, the latest first.
    pub late: Vec<LateLineView>,
    /// Time from the notice, or from the effective time where that came later, to disabled and read back:
    /// overall first, then by system.
    pub times: Vec<TimesView>,
}

/// One person in one system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LateLineView {
    /// User ID or employee number.
    pub person: String,
    /// The departure.
    pub case: String,
    /// Where; empty where nothing could be planned yet.
    pub connector: String,
    /// What was late: `disable account mzsmitj`.
    pub what: String,
    /// The rule and clause that sets the deadline.
    pub clause: String,
    /// By when it was to be done.
    pub deadline: String,
    /// When it was read back as done; absent: not yet.
    pub done: Option<String>,
    /// By how many seconds it was late, up to now where it is not done.
    pub late_seconds: u64,
    /// Why: `waited for release`, `feed late`, `system away`, ….
    pub why: Vec<String>,
}

/// Percentiles, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TimesView {
    /// The system; `all` for all of them together.
    pub connector: String,
    /// How many.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ms: u64,
    /// 95 % of them took no longer.
    pub p95_ms: u64,
    /// 99 % of them took no longer.
    pub p99_ms: u64,
}
