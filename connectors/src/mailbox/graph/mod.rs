//! Microsoft 365 by Microsoft Graph: log-ons are shut and ended, licences taken, devices retired (D4, D7).
//!
//! Graph deletes no mailbox. What deletes one is taking its licence away, or deleting the user, and
//! Exchange Online then keeps it for 30 days: that is done on the mailbox's date only, never before.
//! Devices are retired, which takes the agency's data off them; nothing here can wipe one.

mod api;
mod observe;
mod probe;
pub mod settings;
mod steps;
#[cfg(test)]
mod tests;
mod user;

pub use settings::{GraphKind, GraphSettings, SyncedAccounts};

use crate::contract::{Apply, Observe, Probed};
use crate::http::Http;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use api::Api;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A tenant of Microsoft 365.
#[derive(Debug)]
pub struct Graph {
    settings: GraphSettings,
    api: Api,
    /// From when on log-ons counted before a step ended them: what read-back compares with.
    sessions_before: Mutex<HashMap<StepId, String>>,
}

impl ConnectorKind for GraphSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let files = [("ca_file", &self.ca_file), ("secret_file", &self.secret_file)];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        let mut abilities = vec![Ability::Access, Ability::DisableMailbox];
        if self.deletes_mailboxes() {
            abilities.push(Ability::DeleteMailbox);
        }
        abilities
    }

    fn noun(&self) -> &'static str {
        "tenant of Microsoft 365"
    }

    fn never_run_live(&self) -> bool {
        true
    }

    fn connect(&self, _: &ConnectorName, _: &Shared<'_>) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self)?))
    }
}

/// Prepares a tenant; nothing is contacted before the first use, and the secret is read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(settings: &GraphSettings) -> Result<Graph, SettingsError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    let ca_file = settings.ca_file.as_deref();
    let http = Http::new(&settings.url, ca_file, &settings.login(), &settings.timeouts)?;
    let (settings, sessions_before) = (settings.clone(), Mutex::default());
    Ok(Graph { settings, api: Api { http }, sessions_before })
}

/// The receipt's key for the moment from which on log-ons counted before.
const SESSIONS_FROM: &str = "signInSessionsValidFromDateTime";

impl Graph {
    fn window(&self) -> usize {
        usize::try_from(self.settings.window).unwrap_or(1).max(1)
    }

    fn note_sessions(&self, step: StepId, before: String) {
        let mut noted = self.sessions_before.lock().unwrap_or_else(PoisonError::into_inner);
        noted.entry(step).or_insert(before);
    }

    /// What was noted; it is asked for once, so that the notes do not grow for ever.
    fn noted_sessions(&self, step: StepId) -> Option<String> {
        self.sessions_before.lock().unwrap_or_else(PoisonError::into_inner).remove(&step)
    }
}

impl Observe for Graph {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(self.look(scope))
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        let looks = stream::iter(steps).map(|step| self.see(step));
        Box::pin(looks.buffered(self.window()).collect())
    }

    fn remind(&self, step: StepId, receipt: &Receipt) {
        if let Some(before) = receipt.before.get(SESSIONS_FROM).and_then(|all| all.first()) {
            self.note_sessions(step, before.clone());
        }
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(self.try_all())
    }
}

impl Apply for Graph {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        let runs = stream::iter(steps).map(|step| self.carry_out(step));
        Box::pin(runs.buffered(self.window()).collect())
    }
}
