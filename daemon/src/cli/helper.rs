//! `lapsed helper`: what needs rights that the daemon has not, for one request.
//!
//! systemd starts one process a connection, with the socket as its standard input. It answers the
//! daemon's account only (and root, who may try the roots by `lapsed check`), by its own reading of a configuration that only root may write.

use super::exit::Exit;
use super::output::Failure;
use super::{Globals, Outcome};
use crate::config::{self, Config, ConnectorSettings};
use lapsed_connectors::home::HomeSettings;
use lapsed_connectors::home::archive::wait_for_copies;
use lapsed_connectors::home::helper::{Caller, LONGEST_LINE, Reply, answer};
use lapsed_core::facts::ConnectorName;
use lapsed_core::step::{Cause, Fault};
use nix::unistd::{Uid, User};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The daemon sends its request at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom to answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Started by systemd: systemctl enable --now lapsed-helper.socket")]
pub struct HelperArgs {
    /// The daemon's account; everyone else is refused, but for root's `lapsed check`
    #[arg(long = "for", value_name = "ACCOUNT", default_value = "lapsed")]
    pub account: String,
}

pub(super) fn helper(globals: &Globals, args: &HelperArgs) -> Outcome {
    let mut socket = socket().map_err(|problem| {
        Failure::caused(&problem, "It is started by systemd: lapsed-helper.socket.")
    })?;
    let reply = reply(&socket, globals.config_path(), &args.account);
    let mut line = serde_json::to_vec(&reply).unwrap_or_default();
    line.push(b'\n');
    if let Reply::Failed(fault) = &reply {
        eprintln!("{fault}");
    }
    socket
        .write_all(&line)
        .and_then(|()| socket.shutdown(std::net::Shutdown::Both))
        .map_err(|problem| Failure::caused(&problem, "The daemon asks again by itself."))?;
    // A copy of many files outlives its answer.
    wait_for_copies();
    Ok(Exit::Fine)
}

/// Standard input, which is the connection.
fn socket() -> std::io::Result<UnixStream> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn reply(socket: &UnixStream, path: &Path, account: &str) -> Reply {
    let refused = |why: &str| Reply::Failed(Fault::Refused(Cause::new(why)));
    // Read before anything else: a connection that is closed with words unread loses the reply, too.
    let line = request(socket);
    let caller = match caller(socket, account) {
        Ok(Some(caller)) => caller,
        Ok(None) => return refused("the helper answers the daemon's account only"),
        Err(error) => {
            let why = "the helper can't tell who calls; see its --for and its log";
            return Reply::Failed(Fault::Retry(Cause::coded(why, error.to_string())));
        }
    };
    if !is_trusted(path) {
        return refused(
            "the helper's configuration must belong to root and be writable by no other",
        );
    }
    let config = match config::load(path) {
        Ok((config, _)) => config,
        Err(_) => return refused("the configuration has mistakes; lapsed check names them"),
    };
    match line {
        Ok(line) => answer(&line, &homes(&config), caller),
        Err(_) => refused("the helper got no request of one line"),
    }
}

/// Who is at the other end, by the kernel's word; `None` for everyone but the daemon and root.
fn caller(socket: &UnixStream, account: &str) -> std::io::Result<Option<Caller>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _guard = runtime.enter();
    let copy = socket.try_clone()?;
    copy.set_nonblocking(true)?;
    let peer = tokio::net::UnixStream::from_std(copy)?.peer_cred()?.uid();
    // The copy shares its mode with the socket.
    socket.set_nonblocking(false)?;
    let wanted = User::from_name(account).map_err(std::io::Error::from)?;
    if wanted.is_some_and(|wanted| wanted.uid == Uid::from_raw(peer)) {
        return Ok(Some(Caller::Daemon));
    }
    Ok((peer == 0).then_some(Caller::Checker))
}

/// A configuration that others can change would be their word, not root's.
fn is_trusted(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|known| {
        let owner = known.uid();
        (owner == 0 || owner == Uid::effective().as_raw()) && known.mode() & 0o022 == 0
    })
}

fn request(socket: &UnixStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(socket.take(LONGEST_LINE)).read_line(&mut line)?;
    Ok(line)
}

fn homes(config: &Config) -> BTreeMap<ConnectorName, HomeSettings> {
    let home = |(name, settings): (&ConnectorName, &ConnectorSettings)| match settings {
        ConnectorSettings::Home(settings) => Some((name.clone(), (**settings).clone())),
        _ => None,
    };
    config.connectors.iter().filter_map(home).collect()
}
