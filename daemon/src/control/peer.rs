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
        let primary = Gid::from_raw(gid);
        let numbers = user
            .as_ref()
            .and_then(|user| CString::new(user.name.as_bytes()).ok())
            .and_then(|name| getgrouplist(&name, primary).ok())
            .unwrap_or_else(|| vec![primary]);
        let groups = numbers
            .into_iter()
            .filter_map(|number| Group::from_gid(number).ok().flatten())
            .map(|group| group.name)
            .collect::<BTreeSet<_>>();
        Ok(Identity { uid, name: actor(user.map(|user| user.name), uid)?, groups })
    }
}

/// The account's name; its number where it has none, or one that no record should carry.
fn actor(name: Option<String>, uid: u32) -> Result<Actor, Invalid> {
    match name.map(Actor::new) {
        Some(Ok(actor)) => Ok(actor),
        Some(Err(_)) | None => Actor::new(format!("uid {uid}")),
    }
}
