//! How the daemon asks its helpers: a request of one line of JSON over a Unix socket, and an answer.
//!
//! A helper is a process of its own with rights that the daemon has not. It answers by its own reading of
//! the configuration, which only root may write.

use crate::contract::Probed;
use lapsed_core::step::{Cause, Fault};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A longer request is not read to its end.
pub const LONGEST_LINE: u64 = 65_536;

/// What a caller may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Everything.
    Daemon,
    /// Only to try whether all is set up: whoever runs `lapsed check` as root.
    Checker,
}

/// A helper's door, and how much of an answer is waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'a> {
    pub(crate) socket: &'a Path,
    /// For advice: `lapsed-helper.socket`.
    pub(crate) unit: &'static str,
    pub(crate) patience: Duration,
    /// Bytes.
    pub(crate) longest_reply: u64,
}

/// Asks a helper; a reply that does not come leaves open what was done.
///
/// # Errors
/// Retry where it was not reached, unknown where its reply was lost.
pub(crate) async fn ask<Q: Serialize, R: DeserializeOwned>(
    door: Door<'_>,
    request: &Q,
) -> Result<R, Fault> {
    let mut stream = UnixStream::connect(door.socket).await.map_err(|error| {
        Fault::Retry(Cause::coded(
            format!(
                "the helper at {} can't be reached; see systemctl status {}",
                door.socket.display(),
                door.unit
            ),
            error.to_string(),
        ))
    })?;
    let lost =
        |why: String| Fault::Unknown(Cause::coded("the helper's reply was lost; see its log", why));
    let mut line = serde_json::to_vec(request).map_err(|error| lost(error.to_string()))?;
    line.push(b'\n');
    let mut reply = Vec::new();
    let exchange = async {
        stream.write_all(&line).await?;
        stream.shutdown().await?;
        stream.take(door.longest_reply).read_to_end(&mut reply).await
    };
    match tokio::time::timeout(door.patience, exchange).await {
        Ok(Ok(_)) => serde_json::from_slice(&reply).map_err(|error| lost(error.to_string())),
        Ok(Err(error)) => Err(lost(error.to_string())),
        Err(_) => Err(lost("no reply in time".into())),
    }
}

/// A helper that answered what it was not asked.
pub(crate) fn strange() -> Fault {
    Fault::Unknown(Cause::new("the helper answered another question; are both of one version?"))
}

/// What a helper tried, or why it was not tried: `what` stands for all of it then.
pub(crate) fn probed(
    what: &str,
    lines: Result<Vec<(String, Option<String>)>, Fault>,
) -> Vec<Probed> {
    match lines {
        Ok(lines) => lines.into_iter().map(|(what, problem)| Probed { what, problem }).collect(),
        Err(fault) => vec![Probed { what: what.to_owned(), problem: Some(fault.to_string()) }],
    }
}

/// Whether only root, or the account of this process itself, can change a file: what others can change
/// would be their word.
#[must_use]
pub fn is_trusted(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|known| {
        let owner = known.uid();
        let own = nix::unistd::Uid::effective().as_raw();
        (owner == 0 || owner == own) && known.mode() & 0o022 == 0
    })
}
