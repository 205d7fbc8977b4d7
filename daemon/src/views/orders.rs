//! What is asked about holds and wishes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `hold`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// User ID, employee number or person id; empty where it is about a population.
    #[serde(default)]
    pub person: String,
    /// Instead of one person: everyone.
    #[serde(default)]
    pub everyone: bool,
    /// Instead of one person: everyone at this location, by its character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Instead of one person: everyone of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Instead of one person: everyone who was in this group when their departure was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Who ordered it.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// When to look at it again.
    pub review_on: Option<jiff::civil::Date>,
}

/// Body of `hold lift`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftRequest {
    /// User ID, employee number or person id; empty where it is about a population.
    #[serde(default)]
    pub person: String,
    /// Instead of one person: everyone.
    #[serde(default)]
    pub everyone: bool,
    /// Instead of one person: everyone at this location, by its character.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Instead of one person: everyone of this kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Instead of one person: everyone who was in this group when their departure was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Who ordered it.
    pub authority: String,
    /// Why.
    pub reason: String,
}

/// Body of `delegate`: a mailbox that somebody else needs, or no longer needs (D8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DelegateRequest {
    /// User ID, employee number or person id of the leaver.
    pub person: String,
    /// User ID of the one who reads the mailbox. With `end`: only theirs ends, or everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// On whose word.
    pub authority: String,
    /// The mailbox is no longer needed: the right is taken back and the deletion goes on.
    #[serde(default)]
    pub end: bool,
}

/// Body of `keep`: what is to be kept for good before it is deleted (D6, D9), or no longer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepRequest {
    /// User ID, employee number or person id of the leaver.
    pub person: String,
    /// User ID of the one who gets it. With `end`: only theirs ends, or everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Paths below the home directory; empty for all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Content of the mailbox is asked for instead: it stays until this wish ends.
    #[serde(default)]
    pub mail: bool,
    /// On whose word.
    pub authority: String,
    /// The wish is taken back, or what was asked for was handed over.
    #[serde(default)]
    pub end: bool,
}
