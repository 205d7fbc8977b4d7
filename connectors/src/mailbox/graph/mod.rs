//! Microsoft 365 by Microsoft Graph: log-ons are shut and ended, licences taken, devices retired (D4, D7).
//!
//! Graph deletes no mailbox. What deletes one is taking its licence away, or deleting the user, and
//! Exchange Online then keeps it for 30 days: that is done on the mailbox's date only, never before.
//! Devices are retired, which takes the agency's data off them; nothing here can wipe one.

mod api;
mod first_password;
mod giving;
mod groups;
mod observe;
mod probe;
pub mod settings;
mod steps;
#[cfg(test)]
mod tests;
mod user;

pub use settings::{GraphKind, GraphSettings, SyncedAccounts};

use crate::begun::Begun;
use crate::contract::{Apply, Observe, Probed};
use crate::handover::Sealer;
use crate::http::Http;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use api::Api;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::policy::access::PasswordRules;
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// A tenant of Microsoft 365.
#[derive(Debug)]
pub struct Graph {
    settings: GraphSettings,
    api: Api,
    /// What moved on with a step, as it was before: from when on log-ons counted, or when the password was
    /// changed. Read-back compares with it.
    before: Mutex<HashMap<StepId, String>>,
    /// Steps that were begun and have not ended: a part of them may be still to do.
    begun: Begun,
    handover: Sealer,
    passwords: PasswordRules,
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
        let gives = [
            (self.create, Ability::CreateAccount),
            (self.create, Ability::SetPassword),
            (self.create, Ability::ExpirePassword),
            (self.grant, Ability::GrantAccess),
            (self.rename, Ability::RenameAccount),
        ];
        abilities.extend(gives.into_iter().filter_map(|(can, ability)| can.then_some(ability)));
        abilities
    }

    fn noun(&self) -> &'static str {
        "tenant of Microsoft 365"
    }

    fn never_run_live(&self) -> bool {
        true
    }

    fn connect(
        &self,
        _: &ConnectorName,
        shared: &Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self, shared)?))
    }
}

/// Prepares a tenant; nothing is contacted before the first use, and the secret is read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(settings: &GraphSettings, shared: &Shared<'_>) -> Result<Graph, SettingsError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    let ca_file = settings.ca_file.as_deref();
    let http = Http::new(&settings.url, ca_file, &settings.login(), &settings.timeouts)?;
    Ok(Graph {
        settings: settings.clone(),
        api: Api { http },
        before: Mutex::default(),
        begun: Begun::default(),
        handover: Sealer(shared.handover.cloned()),
        passwords: shared.passwords.cloned().unwrap_or_default(),
    })
}

/// The receipt's key for the moment from which on log-ons counted before.
const SESSIONS_FROM: &str = "signInSessionsValidFromDateTime";
/// The same for the moment at which the password was changed.
const PASSWORD_CHANGED: &str = "lastPasswordChangeDateTime";

impl Graph {
    fn window(&self) -> usize {
        usize::try_from(self.settings.window).unwrap_or(1).max(1)
    }

    fn note_before(&self, step: StepId, before: String) {
        let mut noted = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        noted.entry(step).or_insert(before);
    }

    /// What was noted; it is asked for once, so that the notes do not grow for ever.
    fn noted_before(&self, step: StepId) -> Option<String> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner).remove(&step)
    }
}

impl Observe for Graph {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(self.look(scope))
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        let looks = stream::iter(steps).map(|step| self.begun.seeing(step, self.see(step)));
        Box::pin(looks.buffered(self.window()).collect())
    }

    /// A receipt also says that the step has ended, perhaps by another daemon's hand.
    fn remind(&self, step: StepId, receipt: &Receipt) {
        self.begun.forget(step);
        let noted = [SESSIONS_FROM, PASSWORD_CHANGED].map(|key| receipt.before.get(key));
        if let Some(before) = noted.into_iter().flatten().find_map(|all| all.first()) {
            self.note_before(step, before.clone());
        }
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(self.try_all())
    }
}

impl Apply for Graph {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        // Also those whose turn never comes: nobody knows then what became of them.
        for step in steps {
            self.begun.note(step.id);
        }
        let runs = stream::iter(steps).map(|step| self.begun.ending(step, self.carry_out(step)));
        Box::pin(runs.buffered(self.window()).collect())
    }

    fn perhaps_begun(&self, step: StepId) {
        self.begun.note(step);
    }
}
