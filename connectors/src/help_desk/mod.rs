//! A help desk: what only people can do becomes a ticket, which is followed until it is resolved (H1 to
//! H3).
//!
//! Every ticket carries a key in its subject that follows from what it is about, and is looked for by it
//! before it is opened: neither a retry nor a crash makes a second one, and one that was opened by phone
//! with the key in its subject is found as well. What is asked of which product stands in templates
//! ([`shape`]); the known ones are [`Preset`]s.

mod desk;
mod presets;
pub mod settings;
pub mod shape;
mod steps;
pub(crate) mod templates;
#[cfg(test)]
mod tests;

pub use settings::{ChangeWords, HelpDeskKind, HelpDeskSettings, Preset, RequestWords};

use crate::contract::{Apply, Observe, Probed};
use crate::http::Http;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use crate::tickets::{CorrelationKey, NewTicket, Opened, TicketDesk, TicketStatus};
use futures_util::future::BoxFuture;
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Fault, Outcome, Receipt, Seen, Step, StepId};
use shape::{Operations, Statuses};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A help desk.
#[derive(Debug)]
pub struct HelpDesk {
    name: ConnectorName,
    settings: HelpDeskSettings,
    operations: Operations,
    statuses: Statuses,
    http: Http,
    /// Numbers of the tickets of steps, as their receipts have them.
    numbers: Mutex<HashMap<StepId, String>>,
}

impl ConnectorKind for HelpDeskSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        self.all_problems()
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let ca = self.ca_file.as_deref().map(|path| ("ca_file", path));
        ca.into_iter().chain(self.login.files()).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        vec![Ability::Request]
    }

    fn noun(&self) -> &'static str {
        "help desk"
    }

    fn never_run_live(&self) -> bool {
        self.known().is_none_or(|known| known.never_run_live)
    }

    fn connect(
        &self,
        name: &ConnectorName,
        _: &Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(name, self)?))
    }

    fn desk(&self, name: &ConnectorName) -> Option<Result<Arc<dyn TicketDesk>, SettingsError>> {
        let desk = connect(name, self);
        Some(desk.map(|desk| Arc::new(desk) as Arc<dyn TicketDesk>))
    }
}

/// Prepares a help desk; nothing is contacted before the first use, and the secret is read then.
///
/// # Errors
/// Every problem of the settings, and of the file with the certificates.
pub fn connect(
    name: &ConnectorName,
    settings: &HelpDeskSettings,
) -> Result<HelpDesk, SettingsError> {
    let (operations, statuses) = settings.checked()?;
    let ca_file = settings.ca_file.as_deref();
    let http = Http::new(&settings.url, ca_file, &settings.login, &settings.timeouts)?;
    let (name, settings) = (name.clone(), settings.clone());
    Ok(HelpDesk { name, settings, operations, statuses, http, numbers: Mutex::default() })
}

impl HelpDesk {
    fn numbers(&self) -> MutexGuard<'_, HashMap<StepId, String>> {
        // Whoever panicked left a whole map.
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observe for HelpDesk {
    /// A help desk has no accounts.
    fn observe<'a>(&'a self, _scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        let server = self.http.address().to_owned();
        Box::pin(async move { Ok(Observed { server, ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(stream::iter(steps).then(|step| self.see(step)).collect())
    }

    fn remind(&self, step: StepId, receipt: &Receipt) {
        let number = receipt.before.get("ticket").and_then(|numbers| numbers.first());
        if let Some(number) = number {
            self.numbers().insert(step, number.clone());
        }
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async {
            // A search looks at everything that is needed but the right to open tickets, which no look
            // can tell.
            let nothing = CorrelationKey::of(uuid::Uuid::nil());
            let problem = self.find_ticket(&nothing).await.err().map(|fault| fault.to_string());
            let what = format!("search for tickets at {}", self.http.address());
            vec![Probed { what, problem }]
        })
    }
}

impl Apply for HelpDesk {
    /// One after another: two at once could open the same ticket twice.
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(stream::iter(steps).then(|step| self.ask(step)).collect())
    }
}

impl TicketDesk for HelpDesk {
    fn find<'a>(&'a self, key: &'a CorrelationKey) -> BoxFuture<'a, Result<Option<Opened>, Fault>> {
        Box::pin(self.find_ticket(key))
    }

    fn open<'a>(&'a self, ticket: &'a NewTicket) -> BoxFuture<'a, Result<Opened, Fault>> {
        Box::pin(async { self.open_ticket(ticket).await.map(|(opened, _)| opened) })
    }

    fn status<'a>(&'a self, number: &'a str) -> BoxFuture<'a, Result<TicketStatus, Fault>> {
        Box::pin(self.ticket_status(number))
    }

    fn comment<'a>(&'a self, number: &'a str, text: &'a str) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.comment_on(number, text))
    }
}
