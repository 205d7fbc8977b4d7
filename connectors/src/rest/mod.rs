//! Systems with an HTTP API of their own, described in the YAML: requests as templates, and what
//! replies mean as expressions (D4, D7).
//!
//! No value of a person can become syntax of a request, whatever is in it; and what a system says that
//! it did is looked at afterwards.

mod accounts;
mod check;
mod expression;
mod giving;
mod probe;
mod request;
pub mod settings;
mod steps;
mod template;
#[cfg(test)]
mod tests;

pub use settings::{
    AccountShape, Look, Operation, ReadBack, RestKind, RestSettings, Search, SearchBy, Send, Verb,
};

use crate::begun::Begun;
use crate::contract::{Apply, Observe, Probed};
use crate::http::Http;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Cause, Fault, Outcome, Receipt, Seen, Step, StepId};
use std::path::Path;
use std::sync::Arc;

/// A system with an HTTP API of its own.
#[derive(Debug)]
pub struct Rest {
    settings: RestSettings,
    http: Http,
    /// Steps that may have made an account, and have not ended.
    begun: Begun,
}

impl ConnectorKind for RestSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let ca_file = self.ca_file.as_deref().map(|path| ("ca_file", path));
        ca_file.into_iter().chain(self.login.files()).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        let all = [
            (self.revoke.is_some(), Ability::Access),
            (self.delete.is_some(), Ability::DeleteAccount),
            (self.disable_mailbox.is_some(), Ability::DisableMailbox),
            (self.delete_mailbox.is_some(), Ability::DeleteMailbox),
            (self.create.is_some(), Ability::CreateAccount),
            (self.grant.is_some(), Ability::GrantAccess),
            (self.rename.is_some(), Ability::RenameAccount),
        ];
        all.into_iter().filter_map(|(can, ability)| can.then_some(ability)).collect()
    }

    /// It looks accounts up one by one.
    fn lists_accounts(&self) -> bool {
        false
    }

    fn noun(&self) -> &'static str {
        "system with an API"
    }

    fn connect(&self, _: &ConnectorName, _: &Shared<'_>) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self)?))
    }
}

/// Prepares the connector; nothing is contacted before the first use, and secrets are read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(settings: &RestSettings) -> Result<Rest, SettingsError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    let http =
        Http::new(&settings.url, settings.ca_file.as_deref(), &settings.login, &settings.timeouts)?;
    Ok(Rest { settings: settings.clone(), http, begun: Begun::default() })
}

impl Rest {
    fn window(&self) -> usize {
        usize::try_from(self.settings.window).unwrap_or(1).max(1)
    }
}

impl Observe for Rest {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async move {
            let server = self.http.address().to_owned();
            match scope {
                Scope::People(people) | Scope::AccountsOf(people) => {
                    let accounts = self.accounts_of(people).await?;
                    Ok(Observed { accounts, server, ..Observed::default() })
                }
                Scope::AllAccounts | Scope::TakenNames => Err(Fault::Refused(Cause::new(
                    "a rest connector looks accounts up one by one and can't list them all",
                ))),
                Scope::Groups(_) | Scope::Members(_) | Scope::Changed(_) => {
                    Ok(Observed { server, ..Observed::default() })
                }
            }
        })
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

impl Apply for Rest {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        let runs = stream::iter(steps).map(|step| self.begun.ending(step, self.carry_out(step)));
        Box::pin(runs.buffered(self.window()).collect())
    }

    fn perhaps_begun(&self, step: StepId) {
        self.begun.note(step);
    }
}
