//! LDAP directories: Active Directory and OpenLDAP behind one contract.
//!
//! Every object is known by its stable id and looked at before it is changed. A listing is whole or
//! a fault. A change names the value that it replaces, so that one made by others in between is
//! noticed. What differs by kind stands behind `dialect.rs`.

mod account_steps;
mod active_directory;
mod address;
mod apply;
mod ber;
mod changes;
mod codes;
mod counting;
mod create;
mod dial;
mod dialect;
mod dn;
mod entry;
mod exchange;
mod filter;
mod first_password;
mod frame_guard;
mod group_steps;
mod group_values;
mod joining;
mod layout;
mod making;
mod members;
mod memberships;
mod message;
mod moment;
mod named_groups;
mod observe;
mod old_password;
mod openldap;
mod probe;
mod protect;
mod put_back;
mod read;
mod read_back;
mod recent;
mod rename;
mod session;
pub mod settings;
mod supervisor;
mod taken_names;
mod trust;
mod words;

pub use crate::secret::{SecretError, SecretSource};
use crate::settings::{Ability, ConnectorKind};
pub use dn::escape_value;
pub use settings::{DirectoryKind, DirectorySettings, SettingsError, SettingsProblem};
use std::path::Path;
use std::sync::Arc;

use crate::contract::{Apply, Observe, Probed};
use crate::handover::Sealer;
use crate::tls;
use active_directory::ActiveDirectory;
use address::ServerAddress;
use dialect::Dialect;
use exchange::Exchange;
use futures_util::future::BoxFuture;
use lapsed_core::facts::{ConnectorName, UserId};
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::policy::access::PasswordRules;
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};
use layout::Layout;
use making::CreateSettings;
use openldap::Openldap;
use protect::Rules;
use recent::{Before, Recent};
use supervisor::Supervisor;

/// What all calls on one directory share.
#[derive(Debug)]
struct Shared {
    dialect: Box<dyn Dialect>,
    layout: Layout,
    rules: Rules,
    exchange: Option<Exchange>,
    window: usize,
    members_per_request: usize,
    /// The log-on name shown for an account that has none that can be shown.
    unnamed: UserId,
    recent: Recent,
    create: Option<CreateSettings>,
    handover: Sealer,
    passwords: PasswordRules,
    /// By what our stamp on a description (D2) is known again.
    stamp: Option<String>,
}

/// A directory: reads and changes accounts and groups.
#[derive(Debug)]
pub struct Directory {
    name: ConnectorName,
    shared: Shared,
    supervisor: Supervisor,
}

impl ConnectorKind for DirectorySettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let files = [("ca_file", &self.ca_file), ("bind.password_file", &self.bind.password_file)];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        let mut abilities = vec![Ability::Accounts, Ability::RenameAccount];
        if self.create.is_some() {
            abilities.push(Ability::CreateAccount);
        }
        if self.kind == DirectoryKind::ActiveDirectory || self.openldap.keeps_last_use {
            abilities.push(Ability::LastUse);
        }
        let has_policy = self.openldap.lock.attribute.eq_ignore_ascii_case("pwdAccountLockedTime");
        if self.kind == DirectoryKind::ActiveDirectory || has_policy {
            abilities.push(Ability::ExpirePassword);
        }
        if self.exchange.is_some() {
            abilities.push(Ability::DisableMailbox);
        }
        abilities
    }

    fn noun(&self) -> &'static str {
        "directory"
    }

    fn connect(
        &self,
        name: &ConnectorName,
        shared: &crate::settings::Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect_with(name, self, shared)?))
    }
}

/// Prepares a directory that shares nothing with other connectors: no first passwords are handed over.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(
    name: &ConnectorName,
    settings: &DirectorySettings,
) -> Result<Directory, SettingsError> {
    connect_with(name, settings, &crate::settings::Shared::default())
}

/// Prepares a directory; nothing is connected before the first use, and the password is read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect_with(
    name: &ConnectorName,
    settings: &DirectorySettings,
    common: &crate::settings::Shared<'_>,
) -> Result<Directory, SettingsError> {
    let problems = settings.problems();
    if !problems.is_empty() {
        return Err(SettingsError(problems));
    }
    let one = |key: &'static str, problem: String| SettingsError::one(key, problem);
    let config = tls::trust(settings.ca_file.as_deref()).map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        one("ca_file", format!("{error}{}", source.unwrap_or_default()))
    })?;
    let servers: Vec<ServerAddress> =
        settings.servers.iter().filter_map(|url| ServerAddress::parse(url).ok()).collect();
    let dialect: Box<dyn Dialect> = match settings.kind {
        DirectoryKind::ActiveDirectory => Box::new(ActiveDirectory),
        DirectoryKind::Openldap => Box::new(Openldap::new(settings.openldap_with_templates())),
    };
    let exchange = settings.exchange.as_ref().map(Exchange::new);
    let shared = Shared {
        layout: Layout::of(settings, dialect.as_ref(), exchange.as_ref()),
        dialect,
        rules: Rules::of(&settings.protected),
        exchange,
        window: usize::try_from(settings.window).unwrap_or(1),
        members_per_request: usize::try_from(settings.members_per_request).unwrap_or(1),
        unnamed: UserId::new("(unnamed)").map_err(|bad| one("attributes", bad.to_string()))?,
        recent: Recent::default(),
        create: settings.create.clone(),
        handover: Sealer(common.handover.cloned()),
        passwords: common.passwords.cloned().unwrap_or_default(),
        stamp: common.stamp.and_then(words::stamp_pattern),
    };
    let supervisor = Supervisor::new(settings, servers, config);
    Ok(Directory { name: name.clone(), shared, supervisor })
}

impl Directory {
    /// The name of the connector in the YAML.
    #[must_use]
    pub fn name(&self) -> &ConnectorName {
        &self.name
    }

    /// The one server that took all of these steps, if it is known.
    fn server_of(&self, steps: &[Step]) -> Option<String> {
        let mut servers = steps.iter().filter_map(|step| self.shared.recent.server(step.id));
        let first = servers.next()?;
        servers.all(|other| other == first).then_some(first)
    }
}

impl Observe for Directory {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async move {
            let connected = self.supervisor.connected().await?;
            match scope {
                Scope::People(wanted) => observe::people(&self.shared, &connected, wanted).await,
                Scope::AccountsOf(wanted) => {
                    observe::without_groups(&self.shared, &connected, wanted).await
                }
                Scope::AllAccounts => observe::all(&self.shared, &connected).await,
                Scope::TakenNames => {
                    taken_names::taken_names(&self.shared, &connected.session).await
                }
                Scope::Groups(names) => {
                    named_groups::named(&self.shared, &connected.session, names).await
                }
                Scope::Members(names) => members::of(&self.shared, &connected, names).await,
                Scope::Changed(since) => changes::since(&self.shared, &connected, since).await,
            }
        })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async move {
            let connected = match self.server_of(steps) {
                Some(server) => self.supervisor.connected_to(&server).await,
                None => self.supervisor.connected().await,
            };
            match connected {
                Ok(connected) => read_back::read_back(&self.shared, &connected, steps).await,
                Err(fault) => steps.iter().map(|_| Err(fault.clone())).collect(),
            }
        })
    }

    fn remind(&self, step: StepId, receipt: &Receipt) {
        let Some(server) = &receipt.server else { return };
        self.shared.recent.note_server(step, server);
        let dialect = &self.shared.dialect;
        let names = [dialect.password_changed_attribute(), dialect.password_version_attribute()];
        if let Some(moments) = names.iter().find_map(|name| receipt.before.get(*name)) {
            let before = Before { password_changed: moments.first().cloned() };
            self.shared.recent.note(step, server, before);
        }
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(probe::probe(self))
    }
}

impl Apply for Directory {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(async move {
            let connected = match self.supervisor.connected().await {
                Ok(connected) => connected,
                Err(fault) => return steps.iter().map(|_| Err(not_begun(&fault))).collect(),
            };
            for step in steps {
                self.shared.recent.note_server(step.id, &connected.session.server);
            }
            apply::apply(&self.shared, &connected, steps).await
        })
    }
}

/// Without a connection nothing was tried: whatever the reason, even a wrong password, the steps wait
/// until it is mended. Only what is refused to a step itself ends it.
fn not_begun(fault: &Fault) -> Fault {
    match fault {
        Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause) => {
            Fault::Retry(cause.clone())
        }
    }
}
