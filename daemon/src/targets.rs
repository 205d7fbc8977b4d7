//! The configured targets: read-only for whoever plans, with hands for whoever carries out.

use crate::config::Config;
use lapsed_connectors::contract::{Apply, Observe};
use lapsed_connectors::handover::{EnvelopeSettings, Envelopes, Handover};
use lapsed_connectors::mail::Postman;
use lapsed_connectors::settings::Shared;
use lapsed_connectors::tickets::TicketDesk;
use lapsed_core::facts::ConnectorName;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Why a connector can't be set up; the configuration is at fault, not the target.
#[derive(Debug, thiserror::Error)]
#[error("{name} cannot be set up: {problem}")]
pub struct SetUpError {
    /// What: `connector directory`, `the handover of first passwords`.
    pub name: String,
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
        let (hands, faults) = Self::as_far_as_possible(config)?;
        faults.into_iter().next().map_or(Ok(hands), Err)
    }

    /// Sets up every connector that can be, and says what is wrong with the others.
    pub fn as_far_as_possible(config: &Config) -> Result<(Self, Vec<SetUpError>), SetUpError> {
        let handover: Arc<dyn Handover> = Arc::new(envelopes_of(config)?);
        let shared = Shared {
            mail: config.mail.as_ref(),
            handover: Some(&handover),
            passwords: Some(&config.policy.access.accounts.password),
            stamp: Some(&config.policy.departure.stamp),
        };
        let (mut hands, mut faults) = (Self::default(), Vec::new());
        for (name, settings) in &config.connectors {
            match settings.of_kind().connect(name, &shared) {
                Ok(hand) => _ = hands.0.insert(name.clone(), hand),
                Err(error) => faults.push(SetUpError {
                    name: format!("connector {name}"),
                    problem: error.to_string(),
                }),
            }
        }
        Ok((hands, faults))
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

/// Where first passwords are sealed and opened (A6). Nothing is written before the first of them.
///
/// # Errors
/// When the mail with the code can't be written or sent as it is set up.
pub fn envelopes_of(config: &Config) -> Result<Envelopes, SetUpError> {
    let rules = &config.policy.access.accounts.handover;
    let fault =
        |problem: String| SetUpError { name: "the handover of first passwords".into(), problem };
    let beside = config.state.documents().with_file_name("envelopes");
    let folder = rules.folder.as_ref().map_or(beside, PathBuf::from);
    if !folder.is_absolute() {
        return Err(fault("access.accounts.handover.folder must begin with /".into()));
    }
    let postman = config.mail.as_ref().map(Postman::new).transpose();
    let settings = EnvelopeSettings {
        folder,
        expires_days: rules.expires_days,
        subject: rules.subject.clone(),
        text: rules.text.clone(),
    };
    let postman = postman.map_err(|error| fault(error.to_string()))?;
    Envelopes::new(settings, postman)
        .map_err(|why| fault(format!("access.accounts.handover.text or subject: {why}")))
}

/// The help desk that takes the daemon's own tickets, if the configuration names one.
///
/// # Errors
/// When it can't be set up, or is none.
pub fn desk_of(config: &Config) -> Result<Option<Arc<dyn TicketDesk>>, SetUpError> {
    let Some(wanted) = &config.help_desk else { return Ok(None) };
    let name = &wanted.connector;
    let fault = |problem: String| SetUpError { name: format!("connector {name}"), problem };
    let settings = config.connectors.get(name);
    let desk = settings.and_then(|settings| settings.of_kind().desk(name));
    let desk = desk.ok_or_else(|| fault("it takes no tickets; name a help desk".into()))?;
    desk.map(Some).map_err(|error| fault(error.to_string()))
}
