//! What runs beside the daemon under other rights: `lapsed helper` and `lapsed command-helper`, one
//! process a request.
//!
//! systemd starts one process a connection, with the socket as its standard input. It answers the
//! daemon's account only (and root, who may try what is set up by `lapsed check`), by its own reading of
//! a configuration that only root may write.

use super::exit::Exit;
use super::output::Failure;
use super::{Globals, Outcome, waited};
use crate::config::{self, Config, ConnectorSettings};
use lapsed_connectors::command;
use lapsed_connectors::helper::{Caller, LONGEST_LINE, is_trusted};
use lapsed_connectors::home;
use lapsed_core::facts::ConnectorName;
use lapsed_core::step::{Cause, Fault};
use nix::unistd::{Uid, User};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The daemon sends its request at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whom to answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Started by systemd, by its socket; see the operator's page")]
pub struct HelperArgs {
    /// The daemon's account; everyone else is refused, but for root's `lapsed check`
    #[arg(long = "for", value_name = "ACCOUNT", default_value = "lapsed")]
    pub account: String,
}

/// Deletes homes.
pub(super) fn homes(globals: &Globals, args: &HelperArgs) -> Outcome {
    serve(globals, args, |line, config, caller| {
        let homes = of_kind(config, |settings| match settings {
            ConnectorSettings::Home(settings) => Some(settings.as_ref()),
            _ => None,
        });
        let reply = home::helper::answer(line, &homes, caller);
        if let home::helper::Reply::Failed(fault) = &reply {
            eprintln!("{fault}");
        }
        reply
    })
}

/// Starts programs.
pub(super) fn commands(globals: &Globals, args: &HelperArgs) -> Outcome {
    serve(globals, args, |line, config, caller| {
        let commands = of_kind(config, |settings| match settings {
            ConnectorSettings::Command(settings) => Some(settings.as_ref()),
            _ => None,
        });
        let reply = waited(command::helper::answer(line, &commands, caller)).unwrap_or_else(|_| {
            Fault::Retry(Cause::new("the machine is out of memory or of file handles")).into()
        });
        if let command::helper::Reply::Failed(fault) = &reply {
            eprintln!("{fault}");
        }
        reply
    })
}

/// The connectors of one kind.
fn of_kind<S: Clone>(
    config: &Config,
    kind: impl Fn(&ConnectorSettings) -> Option<&S>,
) -> BTreeMap<ConnectorName, S> {
    let all = config.connectors.iter();
    all.filter_map(|(name, settings)| Some((name.clone(), kind(settings)?.clone()))).collect()
}

/// Answers the one request on standard input.
fn serve<R: Serialize + From<Fault>>(
    globals: &Globals,
    args: &HelperArgs,
    answer: impl FnOnce(&str, &Config, Caller) -> R,
) -> Outcome {
    let mut socket = socket()
        .map_err(|problem| Failure::caused(&problem, "It is started by systemd, by its socket."))?;
    let reply =
        reply(&socket, globals.config_path(), &args.account, answer).unwrap_or_else(|fault| {
            eprintln!("{fault}");
            fault.into()
        });
    let mut line = serde_json::to_vec(&reply).unwrap_or_default();
    line.push(b'\n');
    socket
        .write_all(&line)
        .and_then(|()| socket.shutdown(std::net::Shutdown::Both))
        .map_err(|problem| Failure::caused(&problem, "The daemon asks again by itself."))?;
    // A copy of many files outlives its answer.
    home::archive::wait_for_copies();
    Ok(Exit::Fine)
}

/// Standard input, which is the connection.
fn socket() -> std::io::Result<UnixStream> {
    let socket = UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

fn reply<R>(
    socket: &UnixStream,
    path: &Path,
    account: &str,
    answer: impl FnOnce(&str, &Config, Caller) -> R,
) -> Result<R, Fault> {
    let refused = |why: &str| Fault::Refused(Cause::new(why));
    // Read before anything else: a connection that is closed with words unread loses the reply, too.
    let line = request(socket);
    let caller = match caller(socket, account) {
        Ok(Some(caller)) => caller,
        Ok(None) => return Err(refused("the helper answers the daemon's account only")),
        Err(error) => {
            let why = "the helper can't tell who calls; see its --for and its log";
            return Err(Fault::Retry(Cause::coded(why, error.to_string())));
        }
    };
    if !is_trusted(path) {
        return Err(refused(
            "the helper's configuration must belong to root and be writable by no other",
        ));
    }
    let (config, _) = config::load(path)
        .map_err(|_| refused("the configuration has mistakes; lapsed check names them"))?;
    let line = line.map_err(|_| refused("the helper got no request of one line"))?;
    Ok(answer(&line, &config, caller))
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

fn request(socket: &UnixStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(socket.take(LONGEST_LINE)).read_line(&mut line)?;
    Ok(line)
}
