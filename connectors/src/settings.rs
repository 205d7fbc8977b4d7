//! What can be wrong with the settings of a connector.

/// What is wrong with the settings, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct SettingsProblem {
    /// The key within the connector's section: `servers`.
    pub key: &'static str,
    /// One sentence with advice.
    pub problem: String,
}

/// Everything that is wrong with a connector's settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct SettingsError(pub Vec<SettingsProblem>);
