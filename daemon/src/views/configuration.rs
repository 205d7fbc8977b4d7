//! The configuration: what is wrong with it, whether it is in use, and what it would change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed reload`: whether the new configuration is in use, and which stored dates it would move.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReloadView {
    /// True when the new configuration is in use; false when the old one was kept.
    pub loaded: bool,
    /// What is wrong with the file, each with its place and its remedy; empty when it was loaded.
    pub problems: Vec<String>,
    /// Changed settings that the daemon reads at its start only: they wait for the next one.
    #[serde(default)]
    pub from_next_start: Vec<String>,
    /// Stored dates that the new configuration would compute otherwise. None is moved by itself (D15).
    pub moved_dates: Vec<MovedDateView>,
}

/// A stored date that the configuration would now compute otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MovedDateView {
    /// User ID or employee number.
    pub person: String,
    /// `delete mailbox of mzsmitj`.
    pub what: String,
    /// The stored date, which stays.
    pub stored: String,
    /// The date by the new configuration.
    pub computed: String,
    /// Why it would differ.
    pub why: String,
}

/// `lapsed check`: the configuration and a probe of every connector.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckView {
    /// True when nothing was found.
    pub sound: bool,
    /// The configuration file.
    pub config: String,
    /// What is wrong with the file, all of it at once: it can't be used.
    pub problems: Vec<ProblemView>,
    /// What is allowed in the file, and perhaps not meant.
    pub warnings: Vec<ProblemView>,
    /// One answer a connector; empty when the file could not be read that far.
    pub connectors: Vec<ProbeView>,
}

/// One thing wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProblemView {
    /// Line in the file, the first is 1; absent when it concerns the file as a whole.
    pub line: Option<u64>,
    /// Column in characters, the first is 1.
    pub column: Option<u64>,
    /// Dotted path of the setting, empty when it concerns the text.
    pub path: String,
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub advice: String,
}

/// What a look at a connector found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeView {
    /// Its name in the YAML.
    pub name: String,
    /// True when it answered and has what is needed.
    pub sound: bool,
    /// What it is, or what is wrong with it and what to do.
    pub finding: String,
}
