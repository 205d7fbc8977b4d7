//! What the daemon and its command helper say to each other. The helper takes no program and no
//! argument: those are in its own reading of the configuration.

use super::exchange::{Accounts, Done, Ending, Looked, Probes, Request, Sight};
use super::run;
use super::settings::{CommandSettings, Operation};
use crate::helper::Caller;
use crate::system_account::SystemAccount;
use lapsed_core::facts::ConnectorName;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use lapsed_core::step::{Cause, Fault, Found, Outcome, Receipt, Seen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the daemon asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Which connector of the configuration.
    pub connector: ConnectorName,
    /// What its program is asked.
    pub request: Request,
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `observe` and `list`.
    Accounts(Vec<SystemAccount>),
    /// To a change.
    Done(Outcome),
    /// To `look`.
    Seen(Seen),
    /// To `probe`: what was tried, and what is wrong with it.
    Probed(Vec<(String, Option<String>)>),
    /// It could not, or would not.
    Failed(Fault),
}

impl From<Fault> for Reply {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

/// The answer to a request, by the helper's own configuration.
pub async fn answer(
    line: &str,
    commands: &BTreeMap<ConnectorName, CommandSettings>,
    caller: Caller,
) -> Reply {
    let refused = |why: String| Reply::Failed(Fault::Refused(Cause::new(why)));
    let call: Call = match serde_json::from_str(line) {
        Ok(call) => call,
        Err(error) => {
            return refused(format!(
                "the command helper does not understand the request ({error}); are both of one version?"
            ));
        }
    };
    let operation = call.request.operation;
    if caller == Caller::Checker && operation != Operation::Probe {
        return refused("the command helper starts programs for the daemon's account only".into());
    }
    let Some(settings) = commands.get(&call.connector) else {
        return refused(format!(
            "the helper's configuration has no `command` connector {}; both read the same file",
            call.connector
        ));
    };
    if let Some(problem) = settings.problems().first() {
        return refused(format!("the helper's configuration has a mistake: {problem}"));
    }
    if operation == Operation::Probe {
        return Reply::Probed(probe(settings, &call.request).await);
    }
    if !settings.offers(operation) {
        return refused(format!(
            "{} is not among the `operations` of {}",
            operation.name(),
            call.connector
        ));
    }
    run_it(settings, &call.request).await.unwrap_or_else(Reply::Failed)
}

async fn run_it(settings: &CommandSettings, request: &Request) -> Result<Reply, Fault> {
    Ok(match request.operation {
        Operation::Observe | Operation::List => {
            Reply::Accounts(run::ask::<Accounts>(settings, request).await?.accounts)
        }
        Operation::Look => Reply::Seen(seen(run::ask(settings, request).await?)),
        _ => Reply::Done(done(run::ask(settings, request).await?)?),
    })
}

/// Whether the program is there, and what it says itself.
async fn probe(settings: &CommandSettings, request: &Request) -> Vec<(String, Option<String>)> {
    let program = settings.program.display().to_string();
    if !settings.offers(Operation::Probe) {
        let trusted = crate::helper::is_trusted(&settings.program);
        let problem = "it must be there, belong to root, and be writable by nobody else";
        return vec![(program, (!trusted).then(|| problem.to_owned()))];
    }
    match run::ask::<Probes>(settings, request).await {
        Ok(probes) => {
            let said = probes.checks.into_iter();
            let safe = |text: String| mask(&shown(&text));
            let said = said.map(|check| (safe(check.what), check.problem.map(safe)));
            std::iter::once((program, None)).chain(said).collect()
        }
        Err(fault) => vec![(program, Some(fault.to_string()))],
    }
}

/// A program's sentence, safe to show.
fn sentence(message: Option<String>, otherwise: &str) -> String {
    message.map_or_else(|| otherwise.to_owned(), |message| mask(&shown(&message)))
}

fn done(done: Done) -> Result<Outcome, Fault> {
    let Done { outcome, before, message } = done;
    Ok(match outcome {
        Ending::Changed => Outcome::Changed(Receipt { before, server: None }),
        Ending::Already => Outcome::AlreadySo,
        Ending::Drifted => {
            let description = sentence(message, "the account is another than was planned");
            Outcome::Drifted(Found { description })
        }
        Ending::Refused => {
            let text = sentence(message, "the system said no; ask its owner why");
            return Err(Fault::Refused(Cause::new(text)));
        }
    })
}

fn seen(looked: Looked) -> Seen {
    match looked.seen {
        Sight::AsWanted => Seen::AsWanted,
        Sight::Otherwise => {
            let description = sentence(looked.message, "the system shows that it is not done");
            Seen::Otherwise(Found { description })
        }
        Sight::CannotTell => {
            let text = sentence(looked.message, "the system does not show it");
            Seen::CannotTell(Cause::new(text))
        }
    }
}
