//! Home directories on mounted file systems: made, moved on a rename (A1, N7), and on their day moved to
//! quarantine, then deleted (D6).
//!
//! The connector itself needs no rights: it asks a privileged helper, or, where the daemon's own account
//! may write in the homes, does the same work in this process.

pub mod archive;
mod folders;
pub mod helper;
pub mod keeper;
pub mod maker;
mod owner;
pub mod place;
pub mod settings;
mod skeleton;

#[cfg(test)]
mod tests;

pub use settings::{
    ArchiveSettings, CreateSettings, FromDirectory, HomeKind, HomeSettings, OwnerCheck,
};

use crate::contract::{Apply, Observe, Probed};
use crate::helper::{probed, strange};
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use archive::ArchiveOrder;
use futures_util::future::BoxFuture;
use helper::{Call, Caller, Reply, Request, answer, ask};
use keeper::Order;
use lapsed_core::facts::{ConnectorName, UserId};
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Action, Cause, Fault, Found, HomePlace, Outcome, Seen, Step};
use maker::Move;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Home directories, deleted by order.
#[derive(Debug, Clone)]
pub struct Home {
    name: ConnectorName,
    settings: HomeSettings,
}

/// Prepares the connector; nothing is contacted or looked at yet.
///
/// # Errors
/// Every problem of the settings.
pub fn connect(name: &ConnectorName, settings: &HomeSettings) -> Result<Home, SettingsError> {
    let problems = settings.problems();
    if problems.is_empty() {
        Ok(Home { name: name.clone(), settings: settings.clone() })
    } else {
        Err(SettingsError(problems))
    }
}

impl ConnectorKind for HomeSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn abilities(&self) -> Vec<Ability> {
        let all = [
            (true, Ability::DeleteHome),
            (self.archive.is_some(), Ability::ArchiveHome),
            (self.create.is_some(), Ability::CreateHome),
            (self.rename, Ability::RenameHome),
        ];
        all.into_iter().filter_map(|(can, ability)| can.then_some(ability)).collect()
    }

    fn noun(&self) -> &'static str {
        "file server"
    }

    fn connect(
        &self,
        name: &ConnectorName,
        _: &Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(name, self)?))
    }
}

impl Home {
    async fn call(&self, call: Call) -> Result<Reply, Fault> {
        let request = Request { connector: self.name.clone(), call };
        let reply = match &self.settings.helper {
            Some(socket) => ask(socket, &request).await?,
            None => self.here(request).await?,
        };
        match reply {
            Reply::Failed(fault) => Err(fault),
            reply => Ok(reply),
        }
    }

    /// The helper's own work in this process.
    async fn here(&self, request: Request) -> Result<Reply, Fault> {
        let homes = BTreeMap::from([(self.name.clone(), self.settings.clone())]);
        let ended =
            |error: String| Fault::Unknown(Cause::coded("the work on the home broke off", error));
        let line = serde_json::to_string(&request).map_err(|error| ended(error.to_string()))?;
        tokio::task::spawn_blocking(move || answer(&line, &homes, Caller::Daemon))
            .await
            .map_err(|error| ended(error.to_string()))
    }

    async fn carry_out(&self, step: &Step, until: Instant) -> Result<Outcome, Fault> {
        let task = task(step)?;
        let left = until.saturating_duration_since(Instant::now()).as_secs();
        let seconds = u32::try_from(left).unwrap_or(u32::MAX);
        if seconds == 0 {
            let description = "the time of this round was used up by others; its turn comes".into();
            return Ok(Outcome::Partly { found: Found { description }, again_at: None });
        }
        let call = match task {
            Task::Delete(order) => Call::Delete { order, seconds },
            Task::Archive(order) => Call::Archive { order, seconds },
            Task::Create(order) => Call::Create { order, seconds },
            Task::Move(order) => Call::Move { order },
        };
        match self.call(call).await? {
            Reply::Deleted(outcome) | Reply::Archived(outcome) | Reply::Done(outcome) => {
                Ok(outcome)
            }
            _ => Err(strange()),
        }
    }

    async fn look(&self, step: &Step) -> Result<Seen, Fault> {
        let call = match task(step)? {
            Task::Delete(order) => Call::ReadBack { order },
            Task::Archive(order) => Call::ReadArchive { order },
            Task::Create(order) => Call::ReadCreated { order },
            Task::Move(order) => Call::ReadMoved { order },
        };
        match self.call(call).await? {
            Reply::Seen(seen) => Ok(seen),
            _ => Err(strange()),
        }
    }
}

/// What a step asks of this connector.
enum Task {
    Delete(Order),
    Archive(ArchiveOrder),
    Create(Order),
    Move(Move),
}

fn task(step: &Step) -> Result<Task, Fault> {
    let of = |home: &Option<String>, uid_number: &Option<u32>| Order {
        step: step.id,
        user_id: step.expect.user_id.clone(),
        home: home.clone(),
        case: step.case.0,
        uid_number: *uid_number,
    };
    let at = |place: &HomePlace| of(&place.home, &place.uid_number);
    match &step.action {
        Action::CreateHome { place, .. } => Ok(Task::Create(at(place))),
        Action::RenameHome { from, old, new, .. } => {
            Ok(Task::Move(renamed(from, old, new, at(new))))
        }
        Action::DeleteHome { home, uid_number, .. } => Ok(Task::Delete(of(home, uid_number))),
        Action::ArchiveHome { home, uid_number, wish, paths, recipient, .. } => {
            Ok(Task::Archive(ArchiveOrder {
                home: of(home, uid_number),
                wish: *wish,
                paths: paths.clone(),
                recipient: recipient.clone(),
            }))
        }
        other => Err(Fault::Refused(Cause::new(format!(
            "this connector has homes only and can't {}; name another one in the YAML",
            other.name()
        )))),
    }
}

/// The number of an account stays on a rename: either place may name it.
fn renamed(from: &UserId, old: &HomePlace, new: &HomePlace, to: Order) -> Move {
    let uid_number = new.uid_number.or(old.uid_number);
    Move { to: Order { uid_number, ..to }, from: from.clone(), old_home: old.home.clone() }
}

impl Observe for Home {
    /// There are no accounts here: an empty answer is the whole truth.
    fn observe<'a>(&'a self, _scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(async { Ok(Observed { server: self.name.to_string(), ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async move {
            let mut seen = Vec::with_capacity(steps.len());
            for step in steps {
                seen.push(self.look(step).await);
            }
            seen
        })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async {
            let lines = match self.call(Call::Probe).await {
                Ok(Reply::Probed(lines)) => Ok(lines),
                Ok(_) => Err(strange()),
                Err(fault) => Err(fault),
            };
            probed("homes", lines)
        })
    }
}

impl Apply for Home {
    /// One after the other, within one slice of time for all: the disk is the same for each.
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(async move {
            let slice = Duration::from_secs(self.settings.slice_seconds.into());
            // A moment more, so that the first step gets its whole seconds.
            let until = Instant::now() + slice + Duration::from_millis(500);
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                outcomes.push(self.carry_out(step, until).await);
            }
            outcomes
        })
    }
}
