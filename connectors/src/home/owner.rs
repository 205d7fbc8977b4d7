//! Whom a home belongs to, and whom it must.

use super::keeper::{Keeper, fault};
use super::settings::OwnerCheck;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Fault};
use nix::unistd::User;
use rustix::fd::{AsFd, OwnedFd};
use rustix::ffi::CStr;
use rustix::fs::{AtFlags, Gid, Uid, chownat, fchown, fstat};
use rustix::io::Errno;

/// Who owns a home, by `owner_check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody looks.
    Anyone,
    /// An account of this machine or of the directory.
    Account {
        /// Its number.
        uid: u32,
        /// Its primary group, where this machine knows it.
        gid: Option<u32>,
    },
}

/// Why nobody can own a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoOwner {
    Unknown,
    NoNumber,
    Root,
}

impl NoOwner {
    fn refused(self) -> Fault {
        Fault::Refused(Cause::new(match self {
            Self::Unknown => {
                "this machine knows no account of that name, so that the owner can't be checked; \
                 see to it by hand, or set `owner_check: off`"
            }
            Self::NoNumber => {
                "the directory named no `uidNumber` when the plan was made, so that the owner can't be \
                 checked; see to it by hand, or set another `owner_check`"
            }
            Self::Root => "the account's number is 0, which is root's; mend it where it is kept",
        }))
    }
}

impl Keeper {
    /// Refuses a home that is not the account's.
    pub(super) fn check_owner(
        &self,
        home: &OwnedFd,
        user_id: &UserId,
        uid_number: Option<u32>,
    ) -> Result<(), Fault> {
        let owner = self.owner(user_id, uid_number)?.map_err(NoOwner::refused)?;
        if self.is_theirs(home, owner)? {
            return Ok(());
        }
        let why = "the home belongs to another account; find out whose it is";
        Err(Fault::Refused(Cause::new(why)))
    }

    /// The owner of a home that is made or moved: an account that was just made or renamed may not have
    /// reached this machine's name service yet.
    pub(super) fn new_owner(
        &self,
        user_id: &UserId,
        uid_number: Option<u32>,
    ) -> Result<Owner, Fault> {
        self.owner(user_id, uid_number)?.map_err(|why| match why {
            NoOwner::Unknown => Fault::Retry(Cause::new(format!(
                "this machine does not know the account {user_id} yet; see its name service (getent passwd), \
                 or set `owner_check: uid`"
            ))),
            other => other.refused(),
        })
    }

    pub(super) fn is_theirs(&self, home: &OwnedFd, owner: Owner) -> Result<bool, Fault> {
        let found = fstat(home).map_err(|errno| fault(errno, "the home"))?.st_uid;
        Ok(match owner {
            Owner::Anyone => true,
            Owner::Account { uid, .. } => uid == found,
        })
    }

    fn owner(
        &self,
        user_id: &UserId,
        uid_number: Option<u32>,
    ) -> Result<Result<Owner, NoOwner>, Fault> {
        let failed = |errno: nix::errno::Errno| {
            let why = "this machine could not look up the account's number; see its name service";
            Fault::Retry(Cause::coded(why, errno.to_string()))
        };
        let found = match (self.settings.owner_check, uid_number) {
            (OwnerCheck::Off, _) => return Ok(Ok(Owner::Anyone)),
            (OwnerCheck::Uid, None) => return Ok(Err(NoOwner::NoNumber)),
            (OwnerCheck::Uid, Some(uid)) => {
                let known = User::from_uid(uid.into()).ok().flatten();
                Some((uid, known.map(|account| account.gid.as_raw())))
            }
            (OwnerCheck::Name, _) => {
                let known = User::from_name(user_id.as_str()).map_err(failed)?;
                known.map(|account| (account.uid.as_raw(), Some(account.gid.as_raw())))
            }
        };
        Ok(match found {
            None => Err(NoOwner::Unknown),
            Some((0, _)) => Err(NoOwner::Root),
            Some((uid, gid)) => Ok(Owner::Account { uid, gid }),
        })
    }
}

impl Owner {
    fn ids(self) -> Option<(Option<Uid>, Option<Gid>)> {
        match self {
            Self::Anyone => None,
            Self::Account { uid, gid } => Some((Some(Uid::from_raw(uid)), gid.map(Gid::from_raw))),
        }
    }

    /// Gives an open file or folder to the owner.
    pub(super) fn give(self, file: impl AsFd) -> Result<(), Errno> {
        self.ids().map_or(Ok(()), |(uid, gid)| fchown(file, uid, gid))
    }

    /// Gives a link to the owner, and nothing that it leads to.
    pub(super) fn give_link(self, folder: impl AsFd, name: &CStr) -> Result<(), Errno> {
        self.ids()
            .map_or(Ok(()), |(uid, gid)| chownat(folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW))
    }
}
