//! Dovecot: mail sessions are ended, and mailboxes deleted, by its administration API (D7);
//! one that is needed is given to somebody else to read (D8).
//!
//! Whether somebody may log on is the directory's affair; here what is open already is ended, and on
//! its date the mail goes. Every deletion begins with a count and ends with one. Only a user's own
//! mailboxes are touched, never what others share with them.

mod delegation;
mod doveadm;
mod mailboxes;
mod moving;
mod probe;
pub mod settings;
mod steps;

pub use settings::{
    DelegateRight, DovecotKind, DovecotSettings, DovecotTimeouts, RenameSettings, UnknownUser,
};

use crate::begun::Begun;
use crate::contract::{Apply, Observe, Probed};
use crate::http::{Http, LoginSettings};
use crate::secret::SecretSource;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use doveadm::Doveadm;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};
use mailboxes::Own;
use std::path::Path;
use std::sync::Arc;

/// A listing of one user's mailboxes is far smaller, whatever it holds.
const LARGEST_REPLY: usize = 4 * 1024 * 1024;

/// A Dovecot server.
#[derive(Debug)]
pub struct Dovecot {
    settings: DovecotSettings,
    own: Own,
    doveadm: Doveadm,
    /// Steps that were begun and have not ended: deleted mail may be on the disk still.
    begun: Begun,
    /// The server's address, for receipts and for people.
    address: String,
}

impl ConnectorKind for DovecotSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let files = [("ca_file", &self.ca_file), ("api_key_file", &self.api_key_file)];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        let all = [
            (true, Ability::DisableMailbox),
            (true, Ability::DeleteMailbox),
            (self.delegates(), Ability::DelegateMailbox),
            (true, Ability::CreateMailbox),
            (self.rename.is_some(), Ability::RenameMailbox),
        ];
        all.into_iter().filter_map(|(can, ability)| can.then_some(ability)).collect()
    }

    fn noun(&self) -> &'static str {
        "mail server"
    }

    fn connect(&self, _: &ConnectorName, _: &Shared<'_>) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self)?))
    }
}

/// Prepares a Dovecot server; nothing is connected before the first use, and the key is read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(settings: &DovecotSettings) -> Result<Dovecot, SettingsError> {
    let address = settings.checked()?;
    let (file, credential) = (settings.api_key_file.as_ref(), settings.api_key_credential.as_ref());
    let key = SecretSource::of(file, credential).ok_or_else(|| {
        SettingsError::one("api_key_file", "is missing; name the file with the API key")
    })?;
    let timeouts = settings.timeouts.of_http();
    let http = Http::new(
        &settings.url,
        settings.ca_file.as_deref(),
        &LoginSettings::default(),
        &timeouts,
    )?;
    let http = http.replies_up_to(LARGEST_REPLY);
    let own = Own {
        shared_prefixes: settings.shared_prefixes.clone(),
        automatic: settings.automatic_mailboxes.clone(),
    };
    Ok(Dovecot {
        settings: settings.clone(),
        own,
        doveadm: Doveadm { http, key },
        begun: Begun::default(),
        address: address.shown(),
    })
}

impl Dovecot {
    fn window(&self) -> usize {
        usize::try_from(self.settings.window).unwrap_or(1).max(1)
    }
}

impl Observe for Dovecot {
    /// A mail server has no accounts of its own to be found: those are the directory's.
    fn observe<'a>(&'a self, _scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        let server = self.address.clone();
        Box::pin(async move { Ok(Observed { server, ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        let looks = stream::iter(steps).map(|step| self.begun.seeing(step, self.see(step)));
        Box::pin(looks.buffered(self.window()).collect())
    }

    /// A receipt says that it has ended, perhaps by another daemon's hand.
    fn remind(&self, step: StepId, _: &Receipt) {
        self.begun.forget(step);
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(self.try_all())
    }
}

impl Apply for Dovecot {
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
