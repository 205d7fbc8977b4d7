//! What the daemon and its privileged helper say to each other: one line of JSON each way a connection.
//!
//! The helper takes no path: it works out the place from its own reading of the configuration, so that a
//! daemon in wrong hands can't name anything outside the configured roots.

use super::archive::{ArchiveOrder, archive, read_back};
use super::keeper::{Keeper, Order};
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
    /// To `read_back` and `read_archive`.
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
        return refused("the helper deletes for the daemon's account only".into());
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
    let keeper = Keeper::new(settings.clone());
    match request.call {
        Call::Delete { order, seconds } => {
            let seconds = Duration::from_secs(seconds.min(settings.slice_seconds).into());
            match keeper.delete(&order, Instant::now() + seconds, Timestamp::now()) {
                Ok(outcome) => Reply::Deleted(outcome),
                Err(fault) => Reply::Failed(fault),
            }
        }
        Call::ReadBack { order } => match keeper.read_back(&order) {
            Ok(seen) => Reply::Seen(seen),
            Err(fault) => Reply::Failed(fault),
        },
        Call::Archive { order, seconds } => {
            let seconds = Duration::from_secs(seconds.min(settings.slice_seconds).into());
            match archive(&keeper, &order, Instant::now() + seconds) {
                Ok(outcome) => Reply::Archived(outcome),
                Err(fault) => Reply::Failed(fault),
            }
        }
        Call::ReadArchive { order } => match read_back(&keeper, &order) {
            Ok(seen) => Reply::Seen(seen),
            Err(fault) => Reply::Failed(fault),
        },
        Call::Probe => {
            let lines = keeper.probe().into_iter();
            Reply::Probed(lines.map(|line: Probed| (line.what, line.problem)).collect())
        }
    }
}

/// Asks the helper; a reply that does not come leaves open what was done.
///
/// # Errors
/// Retry where it was not reached, unknown where its reply was lost.
pub async fn ask(socket: &Path, request: &Request) -> Result<Reply, Fault> {
    let seconds = match &request.call {
        Call::Delete { seconds, .. } | Call::Archive { seconds, .. } => {
            Duration::from_secs((*seconds).into())
        }
        Call::ReadBack { .. } | Call::ReadArchive { .. } | Call::Probe => Duration::ZERO,
    };
    let door = Door {
        socket,
        unit: "lapsed-helper.socket",
        patience: seconds + PATIENCE,
        longest_reply: LONGEST_LINE,
    };
    crate::helper::ask(door, request).await
}
