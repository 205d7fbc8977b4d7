//! The configured targets: read-only for whoever plans, with hands for whoever carries out.

use crate::config::{Config, ConnectorSettings};
use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::directory;
use lapsed_connectors::mailbox::dovecot;
use lapsed_connectors::settings::SettingsError;
use lapsed_core::facts::ConnectorName;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a connector can't be set up; the configuration is at fault, not the target.
#[derive(Debug, thiserror::Error)]
#[error("connector {name} cannot be set up: {problem}")]
pub struct SetUpError {
    /// Which.
    pub name: ConnectorName,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Read-only views of every target: all that `plan`, `simulate` and `check` ever hold.
#[derive(Clone, Default)]
pub struct Eyes(pub BTreeMap<ConnectorName, Arc<dyn Observe>>);

/// Targets that can be changed: held by the executor alone.
#[derive(Clone, Default)]
pub struct Hands(pub BTreeMap<ConnectorName, Arc<dyn Apply>>);

impl Hands {
    /// Sets up every connector of the configuration; nothing is contacted yet.
    pub fn new(config: &Config) -> Result<Self, SetUpError> {
        config
            .connectors
            .iter()
            .map(|(name, settings)| Ok((name.clone(), set_up(name, settings)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The same targets without the right to change them.
    #[must_use]
    pub fn eyes(&self) -> Eyes {
        Eyes(
            self.0
                .iter()
                .map(|(name, hand)| (name.clone(), hand.clone() as Arc<dyn Observe>))
                .collect(),
        )
    }

    /// The names of all configured targets.
    #[must_use]
    pub fn names(&self) -> Vec<ConnectorName> {
        self.0.keys().cloned().collect()
    }
}

fn set_up(
    name: &ConnectorName,
    settings: &ConnectorSettings,
) -> Result<Arc<dyn Apply>, SetUpError> {
    let at_fault =
        |error: SettingsError| SetUpError { name: name.clone(), problem: error.to_string() };
    Ok(match settings {
        ConnectorSettings::Directory(settings) => {
            Arc::new(directory::connect(name, settings).map_err(at_fault)?)
        }
        ConnectorSettings::Dovecot(settings) => {
            Arc::new(dovecot::connect(settings).map_err(at_fault)?)
        }
    })
}
