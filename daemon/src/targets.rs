//! The configured targets: read-only for whoever plans, with hands for whoever carries out.

use crate::config::Config;
use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::settings::{SettingsError, Shared};
use lapsed_connectors::tickets::TicketDesk;
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
        let shared = Shared {
            mail: config.mail.as_ref(),
            handover: None,
            passwords: Some(&config.policy.access.accounts.password),
            stamp: Some(&config.policy.departure.stamp),
        };
        config
            .connectors
            .iter()
            .map(|(name, settings)| {
                let hand = settings.of_kind().connect(name, &shared);
                let fault = |error: SettingsError| SetUpError {
                    name: name.clone(),
                    problem: error.to_string(),
                };
                Ok((name.clone(), hand.map_err(fault)?))
            })
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

/// The help desk that takes the daemon's own tickets, if the configuration names one.
///
/// # Errors
/// When it can't be set up, or is none.
pub fn desk_of(config: &Config) -> Result<Option<Arc<dyn TicketDesk>>, SetUpError> {
    let Some(wanted) = &config.help_desk else { return Ok(None) };
    let name = &wanted.connector;
    let fault = |problem: String| SetUpError { name: name.clone(), problem };
    let settings = config.connectors.get(name);
    let desk = settings.and_then(|settings| settings.of_kind().desk(name));
    let desk = desk.ok_or_else(|| fault("it takes no tickets; name a help desk".into()))?;
    desk.map(Some).map_err(|error| fault(error.to_string()))
}
