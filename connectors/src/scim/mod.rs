//! Systems with a SCIM 2.0 server: accounts are looked up by user ID or number and shut (D4), made,
//! opened with roles (A1, A3) and renamed (N7).
//!
//! Accounts are kept by the server's own id. What a server says that it did is looked at afterwards:
//! some answer 200 and do nothing. Accounts are deleted only where the settings say so.

mod account;
mod attribute;
mod find;
mod giving;
mod naming;
mod probe;
mod server;
pub mod settings;
mod steps;
#[cfg(test)]
mod tests;

pub use settings::{LastUseAttributes, Match, RoleAttribute, ScimKind, ScimSettings, Update};

use crate::begun::Begun;
use crate::contract::{Apply, Observe, Probed};
use crate::http::Http;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use attribute::Attribute;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};
use naming::Naming;
use server::Server;
use std::path::Path;
use std::sync::Arc;

/// A system with a SCIM server.
#[derive(Debug)]
pub struct Scim {
    settings: ScimSettings,
    server: Server,
    naming: Naming,
    user_id: Option<Attribute>,
    employee_number: Option<Attribute>,
    /// Roles, and their values.
    roles: Option<(Attribute, Attribute)>,
    last_use: Option<(Attribute, u16)>,
    /// Steps that may have made an account, and have not ended.
    begun: Begun,
}

impl ConnectorKind for ScimSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let ca_file = self.ca_file.as_deref().map(|path| ("ca_file", path));
        ca_file.into_iter().chain(self.login.files()).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        let all = [
            (true, Ability::Access),
            (self.delete, Ability::DeleteAccount),
            (self.create, Ability::CreateAccount),
            (self.grant, Ability::GrantAccess),
            (self.rename, Ability::RenameAccount),
            (self.last_use.is_some(), Ability::LastUse),
        ];
        all.into_iter().filter_map(|(can, ability)| can.then_some(ability)).collect()
    }

    fn noun(&self) -> &'static str {
        "SCIM server"
    }

    fn connect(&self, _: &ConnectorName, _: &Shared<'_>) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self)?))
    }
}

/// Prepares a SCIM server; nothing is contacted before the first use, and secrets are read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(settings: &ScimSettings) -> Result<Scim, SettingsError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    let http =
        Http::new(&settings.url, settings.ca_file.as_deref(), &settings.login, &settings.timeouts)?;
    let attribute = |key: &'static str, name: &Option<String>| {
        let parsed = name.as_deref().map(Attribute::parse).transpose();
        parsed.map_err(|error| SettingsError::one(key, error.to_string()))
    };
    let matching = &settings.matching;
    let roles = settings.roles.as_ref().map(|roles| roles.attribute.clone());
    let used = settings.last_use.as_ref().map(|last_use| last_use.attribute.clone());
    let lag_days = settings.last_use.as_ref().map_or(0, |last_use| last_use.lag_days);
    Ok(Scim {
        server: Server::new(http, settings.page_size),
        naming: Naming::new(&matching.user_id_as)
            .map_err(|problem| SettingsError::one("match.user_id_as", problem))?,
        user_id: attribute("match.user_id", &matching.user_id)?,
        employee_number: attribute("match.employee_number", &matching.employee_number)?,
        roles: attribute("roles.attribute", &roles)?.map(|whole| {
            let values = whole.within("value");
            (whole, values)
        }),
        last_use: attribute("last_use.attribute", &used)?.map(|attribute| (attribute, lag_days)),
        settings: settings.clone(),
        begun: Begun::default(),
    })
}

impl Scim {
    fn window(&self) -> usize {
        usize::try_from(self.settings.window).unwrap_or(1).max(1)
    }

    fn address(&self) -> &str {
        self.server.http.address()
    }
}

impl Observe for Scim {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(self.accounts(scope))
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

impl Apply for Scim {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        let runs = stream::iter(steps).map(|step| self.begun.ending(step, self.carry_out(step)));
        Box::pin(runs.buffered(self.window()).collect())
    }

    fn perhaps_begun(&self, step: StepId) {
        self.begun.note(step);
    }
}
