//! What commands that change something send.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of `release` and `reject`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionRequest {
    /// The plan's hash, or at least its first twelve characters.
    pub hash: String,
    /// Why.
    pub reason: String,
}

/// Body of `depart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DepartRequest {
    /// User ID, employee number or person id.
    pub person: String,
    /// Why, and on whose word.
    pub reason: String,
    /// Last day worked; absent means now.
    pub last_day: Option<jiff::civil::Date>,
    /// Take the operators' own notices about the person back instead.
    #[serde(default)]
    pub withdraw: bool,
}

/// Body of `pause` and `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PauseRequest {
    /// Why.
    pub reason: String,
}

/// Body of `set-aside settle`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SettleRequest {
    /// Id of the entry, from `set-aside list`, or an unambiguous beginning of it.
    pub id: String,
    /// How it was settled.
    pub reason: String,
}

/// Body of `confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// The form's token, or at least eight characters of the id that `requests` shows.
    pub form: String,
    /// The document's name; empty where none comes with it.
    #[serde(default)]
    pub file_name: String,
    /// The document's bytes, base64; absent only with `refused`.
    pub content: Option<String>,
    /// Why they said no; absent where they confirmed.
    pub refused: Option<String>,
}

/// Body of `adopt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptRequest {
    /// The feed's name in the YAML.
    pub feed: String,
    /// The feed file's name, for messages.
    pub file_name: String,
    /// The file's bytes, base64: the daemon may not read the caller's folders.
    pub content: String,
    /// Write; otherwise report only.
    pub write: bool,
    /// From which day the clocks of accounts that are shut already run; today where absent, never earlier
    /// than stated.
    pub clocks_start: Option<jiff::civil::Date>,
}
