//! How a Samba server gets ports of its own: they are fixed in its source, so every server lives in a
//! network namespace of its own.

use crate::process::{find_program, plain_command, run, server_user};
use crate::{Done, Failure};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// As whom the server runs, and in which namespaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// As an ordinary user who is root within a user namespace.
    OfUser,
    /// As root, where user namespaces are forbidden.
    OfRoot,
}

impl Namespace {
    /// The first kind that works on this machine.
    pub fn find() -> Done<Self> {
        static FOUND: OnceLock<Option<Namespace>> = OnceLock::new();
        let works = |kind: &Self| {
            kind.enter(Path::new("/bin/true")).is_ok_and(|mut command| run(&mut command).is_ok())
        };
        let found = FOUND.get_or_init(|| [Self::OfUser, Self::OfRoot].into_iter().find(works));
        found.ok_or_else(|| {
            Failure::new("neither user namespaces nor root's namespaces can be had here: allow one")
        })
    }

    /// The user to run as, when it is another than ours.
    #[must_use]
    pub fn user(self) -> Option<(u32, u32)> {
        match self {
            Self::OfUser => server_user(),
            Self::OfRoot => None,
        }
    }

    /// A command in new namespaces. When it is killed, all that it started is killed.
    pub fn enter(self, program: &Path) -> Done<Command> {
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
