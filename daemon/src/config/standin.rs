//! Shapes that stand for feeds and connectors until theirs are there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a source sends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// Which files of the inbox are its own: a pattern such as `hr-*.csv`.
    pub files: super::FilePattern,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConnectorSettings {
    /// Which dialect it speaks.
    pub kind: String,
}
