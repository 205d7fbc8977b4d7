//! How a Samba server gets ports of its own: they are fixed in its source, so every server lives in a
//! network namespace of its own, or at least on an address of its own.

use crate::process::{find_program, plain_command, run, server_user};
use crate::{Done, Failure};
use rustix::process::{Signal, getuid};
use std::net::Ipv4Addr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// As whom the server runs, and in which namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// As an ordinary user who is root within a user namespace.
    OfUser,
    /// As root, where user namespaces are forbidden.
    OfRoot,
    /// As root in the machine's own network, where no namespace can be had (in most containers).
    Machine,
}

impl Namespace {
    /// The first kind that works on this machine.
    pub fn find() -> Done<Self> {
        static FOUND: OnceLock<Option<Namespace>> = OnceLock::new();
        let works = |kind: &Self| match kind {
            Self::Machine => getuid().is_root(), // the ports are below 1024
            Self::OfUser | Self::OfRoot => kind
                .enter(Path::new("/bin/true"))
                .is_ok_and(|mut command| run(&mut command).is_ok()),
        };
        let found = FOUND
            .get_or_init(|| [Self::OfUser, Self::OfRoot, Self::Machine].into_iter().find(works));
        found.ok_or_else(|| {
            Failure::new("user namespaces are forbidden here: allow them, or run the tests as root")
        })
    }

    /// The user to run as, when it is another than ours.
    #[must_use]
    pub fn user(self) -> Option<(u32, u32)> {
        match self {
            Self::OfUser => server_user(),
            Self::OfRoot | Self::Machine => None,
        }
    }

    /// The address on which the server listens: in the machine's own network, each takes another.
    #[must_use]
    pub fn address(self) -> Ipv4Addr {
        match self {
            Self::OfUser | Self::OfRoot => Ipv4Addr::LOCALHOST,
            Self::Machine => {
                static NEXT: AtomicU8 = AtomicU8::new(0);
                let [_, _, high, low] = std::process::id().to_be_bytes();
                let turn = 1 + NEXT.fetch_add(1, Ordering::Relaxed) % 250;
                Ipv4Addr::new(127, turn, high, low)
            }
        }
    }

    /// What ends the first process, and with it all that it started.
    #[must_use]
    pub fn end(self) -> Signal {
        match self {
            // The kernel ends a namespace with its first process; that one heeds no softer signal.
            Self::OfUser | Self::OfRoot => Signal::KILL,
            Self::Machine => Signal::TERM,
        }
    }

    /// A command in new namespaces. When it is killed, all that it started is killed.
    pub fn enter(self, program: &Path) -> Done<Command> {
        if self == Self::Machine {
            return Ok(plain_command(program));
        }
        let mut command = plain_command(find_program("unshare", &[])?);
        if self == Self::OfUser {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--net", "--pid", "--fork", "--kill-child=KILL", "--"]).arg(program);
        if let Some((user, group)) = self.user() {
            command.uid(user).gid(group);
        }
        Ok(command)
    }
}
