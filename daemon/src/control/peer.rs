//! Who is at the other end of a connection, by the kernel's word.

use crate::control::roles::Identity;
use axum::extract::connect_info::Connected;
use axum::serve::IncomingStream;
use lapsed_core::facts::{Actor, Invalid};
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::collections::BTreeSet;
use std::ffi::CString;
use tokio::net::{UnixListener, UnixStream};

/// The process at the other end when it connected; `None` where the kernel would not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// User and primary group numbers.
    pub ids: Option<(u32, u32)>,
}

impl Peer {
    /// The peer of a connection (`SO_PEERCRED`).
    #[must_use]
    pub fn of(stream: &UnixStream) -> Self {
        Self { ids: stream.peer_cred().ok().map(|known| (known.uid(), known.gid())) }
    }

    /// This process itself: for commands that work on a stopped daemon's state.
    #[must_use]
    pub fn own() -> Self {
        Self { ids: Some((Uid::effective().as_raw(), Gid::effective().as_raw())) }
    }
}

impl Connected<IncomingStream<'_, UnixListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Self {
        Self::of(stream.io())
    }
}

/// Names for user and group numbers.
pub trait Accounts: Send + Sync + 'static {
    /// Name and groups of the account with these numbers.
    fn identity(&self, uid: u32, gid: u32) -> Result<Identity, Invalid>;
}

/// The accounts of this machine (`nsswitch.conf`). May block on a network service.
#[derive(Debug, Clone, Copy, Default)]
pub struct MachineAccounts;

impl Accounts for MachineAccounts {
    fn identity(&self, uid: u32, gid: u32) -> Result<Identity, Invalid> {
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        let groups = groups(user.as_ref().map(|user| user.name.as_str()), Gid::from_raw(gid));
        Ok(Identity { uid, name: actor(user.map(|user| user.name), uid)?, groups })
    }
}

impl MachineAccounts {
    /// Number and groups of the account of a name, where this machine has it.
    #[must_use]
    pub fn of_name(name: &Actor) -> Option<Identity> {
        let user = User::from_name(name.as_str()).ok().flatten()?;
        let groups = groups(Some(name.as_str()), user.gid);
        Some(Identity { uid: user.uid.as_raw(), name: name.clone(), groups })
    }
}

fn groups(name: Option<&str>, primary: Gid) -> BTreeSet<String> {
    let numbers = name
        .and_then(|name| CString::new(name).ok())
        .and_then(|name| getgrouplist(&name, primary).ok())
        .unwrap_or_else(|| vec![primary]);
    let found = numbers.into_iter().filter_map(|number| Group::from_gid(number).ok().flatten());
    found.map(|group| group.name).collect()
}

/// The account's name; its number where it has none, or one that no record should carry.
fn actor(name: Option<String>, uid: u32) -> Result<Actor, Invalid> {
    match name.map(Actor::new) {
        Some(Ok(actor)) => Ok(actor),
        Some(Err(_)) | None => Actor::new(format!("uid {uid}")),
    }
}
