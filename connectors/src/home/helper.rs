//! What the daemon and its privileged helper say to each other: one line of JSON each way a connection.
//!
//! The helper takes no path: it works out the place from its own reading of the configuration, so that a
//! daemon in wrong hands can't name anything outside the configured roots.

use super::archive::{ArchiveOrder, archive, read_back};
use super::keeper::{Keeper, Order};
use super::maker::Move;
use super::settings::HomeSettings;
use crate::contract::Probed;
pub use crate::helper::Caller;
use crate::helper::{Door, LONGEST_LINE};
use jiff::Timestamp;
use lapsed_core::facts::ConnectorName;
use lapsed_core::step::{Cause, Fault, Outcome, Seen};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// How much longer than asked for the helper may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the daemon asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Which connector of the configuration.
    pub connector: ConnectorName,
    /// What to do.
    pub call: Call,
}

/// All that the helper can do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Call {
    /// Delete a home.
    Delete {
        /// Whose.
        order: Order,
        /// Seconds at most, within the configured slice.
        seconds: u32,
    },
    /// Look whether it is gone.
    ReadBack {
        /// Whose.
        order: Order,
    },
    /// Copy files of a home.
    Archive {
        /// What, and for whom.
        order: ArchiveOrder,
        /// Seconds at most until an answer; the copy itself goes on.
        seconds: u32,
    },
    /// Look whether they were copied.
    ReadArchive {
        /// What, and for whom.
        order: ArchiveOrder,
    },
    /// Make a home.
    Create {
        /// Whose.
        order: Order,
        /// Seconds at most, within the configured slice.
        seconds: u32,
    },
    /// Look whether it is there and theirs.
    ReadCreated {
        /// Whose.
        order: Order,
    },
    /// Move a home to where its owner's new name puts it.
    Move {
        /// Which.
        order: Move,
    },
    /// Look whether it was moved.
    ReadMoved {
        /// Which.
        order: Move,
    },
    /// Look at roots and quarantine.
    Probe,
}

/// What the helper answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `delete`.
    Deleted(Outcome),
    /// To `archive`.
    Archived(Outcome),
    /// To `create` and `move`.
    Done(Outcome),
    /// To every question whether something is so.
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
#[must_use]
pub fn answer(line: &str, homes: &BTreeMap<ConnectorName, HomeSettings>, caller: Caller) -> Reply {
    let refused = |why: String| Reply::Failed(Fault::Refused(Cause::new(why)));
    let request: Request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(error) => {
            return refused(format!(
                "the helper does not understand the request ({error}); are both of one version?"
            ));
        }
    };
    if caller == Caller::Checker && request.call != Call::Probe {
        return refused("the helper works for the daemon's account only".into());
    }
    let Some(settings) = homes.get(&request.connector) else {
        return refused(format!(
            "the helper's configuration has no `home` connector {}; both read the same file",
            request.connector
        ));
    };
    if let Some(problem) = settings.problems().first() {
        return refused(format!("the helper's configuration has a mistake: {problem}"));
    }
    carry_out(request.call, settings).unwrap_or_else(Reply::Failed)
}

fn carry_out(call: Call, settings: &HomeSettings) -> Result<Reply, Fault> {
    let keeper = Keeper::new(settings.clone());
    let until = |seconds: u32| {
        Instant::now() + Duration::from_secs(seconds.min(settings.slice_seconds).into())
    };
    Ok(match call {
        Call::Delete { order, seconds } => {
            Reply::Deleted(keeper.delete(&order, until(seconds), Timestamp::now())?)
        }
        Call::ReadBack { order } => Reply::Seen(keeper.read_back(&order)?),
        Call::Archive { order, seconds } => {
            Reply::Archived(archive(&keeper, &order, until(seconds))?)
        }
        Call::ReadArchive { order } => Reply::Seen(read_back(&keeper, &order)?),
        Call::Create { order, seconds } => Reply::Done(keeper.create(&order, until(seconds))?),
        Call::ReadCreated { order } => Reply::Seen(keeper.read_created(&order)?),
        Call::Move { order } => Reply::Done(keeper.move_home(&order)?),
        Call::ReadMoved { order } => Reply::Seen(keeper.read_moved(&order)?),
        Call::Probe => {
            let lines = keeper.probe().into_iter();
            Reply::Probed(lines.map(|line: Probed| (line.what, line.problem)).collect())
        }
    })
}

/// Asks the helper; a reply that does not come leaves open what was done.
///
/// # Errors
/// Retry where it was not reached, unknown where its reply was lost.
pub async fn ask(socket: &Path, request: &Request) -> Result<Reply, Fault> {
    let seconds = match &request.call {
        Call::Delete { seconds, .. }
        | Call::Archive { seconds, .. }
        | Call::Create { seconds, .. } => Duration::from_secs((*seconds).into()),
        Call::ReadBack { .. }
        | Call::ReadArchive { .. }
        | Call::ReadCreated { .. }
        | Call::Move { .. }
        | Call::ReadMoved { .. }
        | Call::Probe => Duration::ZERO,
    };
    let door = Door {
        socket,
        unit: "lapsed-helper.socket",
        patience: seconds + PATIENCE,
        longest_reply: LONGEST_LINE,
    };
    crate::helper::ask(door, request).await
}
