//! Systems that a program of the agency's reaches: mainframes, PowerShell modules, anything else (D4,
//! D7). The program gets one request as JSON and gives one answer as JSON; `docs/command.md` publishes
//! both.
//!
//! It runs under an account of its own in the command helper, or, where that is set, beside the daemon.

pub mod exchange;
pub mod helper;
mod run;
pub mod settings;

pub use settings::{CommandKind, CommandSettings, ExitMeaning, Operation};

use crate::contract::{Apply, Observe, Probed};
use crate::helper::{Caller, Door, LONGEST_LINE, ask, probed, strange};
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use crate::system_account::SystemAccount;
use exchange::{AccountKeys, Keys, Request, Wanted};
use futures_util::future::BoxFuture;
use helper::{Call, Reply, answer};
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, ObservedAccount, PersonKeys, Scope};
use lapsed_core::step::{Action, Cause, Fault, Outcome, Receipt, Seen, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much longer than the program the helper may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Keys of so many people go into one request, which has to fit into a line.
const PEOPLE_A_REQUEST: usize = 50;

/// A system behind a program.
#[derive(Debug, Clone)]
pub struct Program {
    name: ConnectorName,
    settings: CommandSettings,
}

impl ConnectorKind for CommandSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let helper = self.helper.as_deref().map(|path| ("helper", path));
        std::iter::once(("program", self.program.as_path())).chain(helper).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        Self::abilities(self)
    }

    fn lists_accounts(&self) -> bool {
        self.offers(Operation::List)
    }

    fn noun(&self) -> &'static str {
        "system behind a program"
    }

    fn connect(
        &self,
        name: &ConnectorName,
        _: &Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(name, self)?))
    }
}

/// Prepares the connector; nothing is started yet.
///
/// # Errors
/// Every problem of the settings.
pub fn connect(name: &ConnectorName, settings: &CommandSettings) -> Result<Program, SettingsError> {
    let problems = settings.problems();
    if problems.is_empty() {
        Ok(Program { name: name.clone(), settings: settings.clone() })
    } else {
        Err(SettingsError(problems))
    }
}

impl Program {
    async fn call(&self, request: Request) -> Result<Reply, Fault> {
        let changes = request.operation.changes();
        let call = Call { connector: self.name.clone(), request };
        let reply = match &self.settings.helper {
            Some(socket) => {
                let door = Door {
                    socket,
                    unit: "lapsed-command.socket",
                    patience: self.settings.time_limit() + PATIENCE,
                    // What the program answered, read and written again.
                    longest_reply: u64::from(self.settings.output_bytes) * 2 + LONGEST_LINE,
                };
                ask(door, &call).await.map_err(|fault| harmless(fault, changes))?
            }
            None => self.here(&call).await?,
        };
        match reply {
            Reply::Failed(fault) => Err(fault),
            reply => Ok(reply),
        }
    }

    /// The helper's own work in this process.
    async fn here(&self, call: &Call) -> Result<Reply, Fault> {
        let commands = BTreeMap::from([(self.name.clone(), self.settings.clone())]);
        let line = serde_json::to_string(call)
            .map_err(|error| Fault::Refused(Cause::new(error.to_string())))?;
        Ok(answer(&line, &commands, Caller::Daemon).await)
    }

    async fn people(&self, wanted: &[PersonKeys]) -> Result<Vec<SystemAccount>, Fault> {
        let mut all: Vec<SystemAccount> = Vec::new();
        for block in wanted.chunks(PEOPLE_A_REQUEST) {
            let people = block.iter().map(Keys::from).collect();
            let found =
                self.accounts(Request { people, ..Request::new(Operation::Observe) }).await?;
            if let Some(stranger) = found.iter().find(|account| !carries_a_key(account, block)) {
                return Err(Fault::Refused(Cause::new(format!(
                    "the program gave the account {}, which carries no key that was asked for; see the program",
                    stranger.id
                ))));
            }
            let known: BTreeSet<_> = all.iter().map(|account| account.id.clone()).collect();
            all.extend(found.into_iter().filter(|account| !known.contains(&account.id)));
        }
        Ok(all)
    }

    async fn accounts(&self, request: Request) -> Result<Vec<SystemAccount>, Fault> {
        let Reply::Accounts(found) = self.call(request).await? else { return Err(strange()) };
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        let twice = found.iter().find(|account| {
            !ids.insert(account.id.as_str()) | !names.insert(account.user_id.folded())
        });
        match twice {
            None => Ok(found),
            Some(account) => Err(Fault::Refused(Cause::new(format!(
                "the program gave {} ({}) twice; see which of them is the account",
                account.id, account.user_id
            )))),
        }
    }

    async fn observed(&self, scope: &Scope) -> Result<Observed, Fault> {
        let server = self.settings.program.display().to_string();
        let mut observed = Observed { server, ..Observed::default() };
        // A program that has to do with mailboxes only knows no accounts: the empty answer is whole.
        let is_for_directories =
            matches!(scope, Scope::Groups(_) | Scope::Members(_) | Scope::Changed(_));
        if !self.settings.offers(Operation::Observe) || is_for_directories {
            return Ok(observed);
        }
        if let Scope::People(wanted) | Scope::AccountsOf(wanted) = scope {
            let found = self.people(wanted).await?.into_iter();
            observed.accounts = found.map(|account| self.shown(account)).collect();
            return Ok(observed);
        }
        if !self.settings.offers(Operation::List) {
            return Err(Fault::Refused(Cause::new(
                "accounts can't be listed; have the program offer `list`",
            )));
        }
        let all = self.accounts(Request::new(Operation::List)).await?;
        if *scope == Scope::TakenNames {
            observed.taken_names = all.iter().map(|account| account.user_id.folded()).collect();
        } else {
            observed.accounts = all.into_iter().map(|account| self.shown(account)).collect();
        }
        Ok(observed)
    }

    fn shown(&self, account: SystemAccount) -> ObservedAccount {
        account.observed(&self.settings.program.display().to_string(), self.settings.last_use)
    }

    /// What the program is asked for a step.
    fn operation(&self, step: &Step) -> Result<Operation, Fault> {
        let operation = operation(step)?;
        if operation == Operation::Rename && self.settings.mainframe {
            return Err(Fault::Refused(Cause::new(
                "accounts of this mainframe are never renamed (N7); the person keeps the old name there",
            )));
        }
        Ok(operation)
    }

    async fn carry_out(&self, step: &Step) -> Result<Outcome, Fault> {
        let operation = self.operation(step)?;
        // A look first, so that what is done is not done twice; without one the program looks itself.
        if self.settings.offers(Operation::Look) && self.see(step).await? == Seen::AsWanted {
            return Ok(Outcome::AlreadySo);
        }
        let Reply::Done(outcome) = self.call(about(step, operation)).await? else {
            return Err(strange());
        };
        Ok(match outcome {
            Outcome::Changed(Receipt { before, .. }) => Outcome::Changed(Receipt {
                before,
                server: Some(self.settings.program.display().to_string()),
            }),
            other => other,
        })
    }

    async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        let wanted = self.operation(step)?;
        if !self.settings.offers(Operation::Look) {
            return Ok(Seen::CannotTell(Cause::new(
                "the program can't look; see in the system itself, and have it offer `look`",
            )));
        }
        let version = Request::new(wanted).version;
        let request = Request { look_for: Some(wanted), version, ..about(step, Operation::Look) };
        match self.call(request).await? {
            Reply::Seen(seen) => Ok(seen),
            _ => Err(strange()),
        }
    }
}

/// A lost reply of a helper that was to change nothing: it is asked again.
fn harmless(fault: Fault, changes: bool) -> Fault {
    match fault {
        Fault::Unknown(cause) if !changes => Fault::Retry(cause),
        other => other,
    }
}

/// What a program is asked for a step.
fn operation(step: &Step) -> Result<Operation, Fault> {
    match &step.action {
        Action::RevokeAccess { .. } => Ok(Operation::Revoke),
        Action::DeleteAccount { .. } => Ok(Operation::Delete),
        Action::DisableMailbox { .. } => Ok(Operation::DisableMailbox),
        Action::DeleteMailbox { .. } => Ok(Operation::DeleteMailbox),
        Action::CreateAccount { .. } => Ok(Operation::Create),
        Action::GrantAccess { .. } => Ok(Operation::Grant),
        Action::Rename { .. } => Ok(Operation::Rename),
        other => Err(Fault::Refused(Cause::new(format!(
            "a program can't be asked to {}; name another connector in the YAML",
            other.name()
        )))),
    }
}

fn about(step: &Step, operation: Operation) -> Request {
    let account = AccountKeys {
        id: step.action.account().id.clone(),
        user_id: step.expect.user_id.clone(),
        employee_number: step.expect.employee_number.clone(),
    };
    let (wanted, roles) = match &step.action {
        Action::CreateAccount { blueprint, .. } => (Some(Wanted::from(blueprint.as_ref())), None),
        Action::Rename { to, .. } => {
            (Some(Wanted::renamed(to, step.expect.employee_number.as_ref())), None)
        }
        Action::GrantAccess { roles, .. } => (None, Some(roles.clone())),
        _ => (None, None),
    };
    Request {
        wanted,
        roles,
        account: Some(account),
        case: Some(step.case),
        step: Some(step.id),
        ..Request::new(operation)
    }
}

/// Whether an account was asked for: a program that gives others would have others revoked.
fn carries_a_key(account: &SystemAccount, wanted: &[PersonKeys]) -> bool {
    wanted.iter().any(|keys| {
        let by_name = keys.user_ids.iter().any(|id| id.folded() == account.user_id.folded());
        let number = account.employee_number.as_ref();
        let by_number = number.is_some_and(|number| {
            keys.employee_numbers.iter().any(|known| known.folded() == number.folded())
        });
        by_name || by_number || keys.ids.contains(&account.id)
    })
}

impl Observe for Program {
    fn observe<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        Box::pin(self.observed(scope))
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        Box::pin(async move {
            let mut seen = Vec::with_capacity(steps.len());
            for step in steps {
                seen.push(self.see(step).await);
            }
            seen
        })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async {
            let what = self.settings.program.display().to_string();
            let lines = match self.call(Request::new(Operation::Probe)).await {
                Ok(Reply::Probed(lines)) => Ok(lines),
                Ok(_) => Err(strange()),
                Err(fault) => Err(fault),
            };
            probed(&what, lines)
        })
    }
}

impl Apply for Program {
    /// One after the other; what would begin after the time of one request waits for a later round, so
    /// that no step's lease is over before its turn.
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(async move {
            let begun = Instant::now();
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                if begun.elapsed() > self.settings.time_limit() {
                    let why = "the time of this round was used up by others; its turn comes";
                    outcomes.push(Err(Fault::Retry(Cause::new(why))));
                } else {
                    outcomes.push(self.carry_out(step).await);
                }
            }
            outcomes
        })
    }
}
