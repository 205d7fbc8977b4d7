//! Making a home (A1), and moving it to where the account's new name puts it (N7). Blocking, and in
//! whichever process has the rights.
//!
//! A home is made whole in the quarantine, which nobody else can open, and put into its place by one
//! rename: a crash leaves nothing half made there. It is moved by one rename as well.

use super::folders::{Emptied, Pace, empty, gone, identity, open_below};
use super::keeper::{Ground, Keeper, Order, fault};
use super::owner::Owner;
use super::place::{Place, locate};
use super::skeleton;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Fault, Found, Outcome, Receipt, Seen};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Mode, RenameFlags, fchmod, fsync, mkdirat, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Instant;

/// Rights of a new home: its owner's alone.
const MODE: u32 = 0o700;

/// Which home goes where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The home by the account's new name, with what the directory is to say of it.
    pub to: Order,
    /// The account's log-on name before.
    pub from: UserId,
    /// What the directory said of the home before.
    pub old_home: Option<String>,
}

impl Keeper {
    /// Makes a home.
    ///
    /// # Errors
    /// Refused where another's is in its place. Retry where the account, the skeleton or the folder
    /// above is not there yet.
    pub fn create(&self, order: &Order, until: Instant) -> Result<Outcome, Fault> {
        let Some(settings) = &self.settings.create else {
            let why = "homes are not made here; write `create:` at the connector";
            return Err(Fault::Refused(Cause::new(why)));
        };
        let place = self.place(order)?;
        let ground = self.ground(&place.root)?;
        let owner = self.new_owner(&order.user_id, order.uid_number)?;
        let parent = parent(&ground, &place)?;
        if let Some(home) = there(&parent, &place)? {
            return self.theirs(&home, owner).map(|()| Outcome::AlreadySo);
        }
        let entry = format!("{}.new", order.step);
        let failed = |errno| fault(errno, "the new home");
        clear(&ground, &entry, until)?;
        mkdirat(&ground.quarantine, entry.as_str(), Mode::from_raw_mode(MODE)).map_err(failed)?;
        let made = open_below(&ground.quarantine, entry.as_str()).map_err(failed)?;
        if let Some(from) = &settings.skeleton {
            skeleton::copy(from, &made, owner)?;
        }
        fchmod(&made, Mode::from_raw_mode(MODE)).map_err(failed)?;
        owner.give(&made).map_err(failed)?;
        fsync(&made).map_err(failed)?;
        let placed = renameat_with(
            &ground.quarantine,
            entry.as_str(),
            &parent,
            &place.name,
            RenameFlags::NOREPLACE,
        );
        match placed {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                clear(&ground, &entry, until)?;
                let why = "another made the home at the same moment; it is looked at again";
                return Err(Fault::Retry(Cause::new(why)));
            }
            Err(errno) => return Err(failed(errno)),
        }
        fsync(&parent).map_err(failed)?;
        Ok(Outcome::Changed(receipt([("made", place.shown())])))
    }

    /// Whether the home is there and the account's.
    ///
    /// # Errors
    /// Where that can't be seen.
    pub fn read_created(&self, order: &Order) -> Result<Seen, Fault> {
        let place = self.place(order)?;
        let ground = self.ground(&place.root)?;
        let owner = self.new_owner(&order.user_id, order.uid_number)?;
        self.see(&ground, &place, owner)
    }

    /// Moves a home to where the new name puts it.
    ///
    /// # Errors
    /// Refused where a home is there already, or it is another's; nothing is then moved.
    pub fn move_home(&self, order: &Move) -> Result<Outcome, Fault> {
        if !self.settings.rename {
            let why = "homes are not moved here; write `rename: true` at the connector";
            return Err(Fault::Refused(Cause::new(why)));
        }
        let (old, new) = self.places(order)?;
        let ground = self.ground(&new.root)?;
        let owner = self.new_owner(&order.to.user_id, order.to.uid_number)?;
        let above = parent(&ground, &new)?;
        let before = ground.parent(&old)?;
        let home = before.as_ref().map(|folder| there(folder, &old)).transpose()?.flatten();
        let (home, taken) = match (home, there(&above, &new)?) {
            // There is nothing to move: whoever logs on without a home has none afterwards either.
            (None, None) => return Ok(Outcome::AlreadySo),
            (None, Some(new)) => return self.theirs(&new, owner).map(|()| Outcome::AlreadySo),
            (Some(home), taken) => (home, taken),
        };
        self.theirs(&home, owner)?;
        if taken.is_some() {
            return Err(Fault::Refused(Cause::new(format!(
                "there is a home at {} as well as at {}; see which is to be kept, and move it by hand",
                new.shown(),
                old.shown()
            ))));
        }
        let Some(before) = before else { return Ok(Outcome::AlreadySo) };
        let failed = |errno| fault(errno, "the home");
        let known = identity(&home).map_err(failed)?;
        let moved = renameat_with(&before, &old.name, &above, &new.name, RenameFlags::NOREPLACE);
        match moved {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::EXIST) => {
                let why = "another moved the home at the same moment; it is looked at again";
                return Err(Fault::Retry(Cause::new(why)));
            }
            Err(errno) => return Err(failed(errno)),
        }
        if open_below(&above, &new.name).and_then(identity) != Ok(known) {
            return put_back((&above, &new), (&before, &old));
        }
        fsync(&above).map_err(failed)?;
        fsync(&before).map_err(failed)?;
        Ok(Outcome::Changed(receipt([("moved_from", old.shown()), ("moved_to", new.shown())])))
    }

    /// Whether the home is at its new place, and nothing at the old one.
    ///
    /// # Errors
    /// Where that can't be seen.
    pub fn read_moved(&self, order: &Move) -> Result<Seen, Fault> {
        let (old, new) = self.places(order)?;
        let ground = self.ground(&new.root)?;
        let left = match ground.parent(&old)? {
            None => None,
            Some(folder) => gone(statat(&folder, &old.name, AtFlags::SYMLINK_NOFOLLOW))
                .map_err(|errno| fault(errno, "the home"))?,
        };
        if left.is_some() {
            let description = format!("{} is still there; see what made it", old.shown());
            return Ok(Seen::Otherwise(Found { description }));
        }
        let owner = self.new_owner(&order.to.user_id, order.to.uid_number)?;
        let is_there = match ground.parent(&new)? {
            None => false,
            Some(folder) => there(&folder, &new)?.is_some(),
        };
        // Where there was none, none is wanted.
        if is_there { self.see(&ground, &new, owner) } else { Ok(Seen::AsWanted) }
    }

    fn see(&self, ground: &Ground, place: &Place, owner: Owner) -> Result<Seen, Fault> {
        let home = match ground.parent(place)? {
            None => None,
            Some(folder) => there(&folder, place)?,
        };
        let otherwise = |description: String| Ok(Seen::Otherwise(Found { description }));
        match home {
            None => otherwise(format!("there is no home at {}", place.shown())),
            Some(home) if self.is_theirs(&home, owner)? => Ok(Seen::AsWanted),
            Some(_) => otherwise(format!("{} is another account's", place.shown())),
        }
    }

    fn theirs(&self, home: &OwnedFd, owner: Owner) -> Result<(), Fault> {
        if self.is_theirs(home, owner)? {
            return Ok(());
        }
        let why = "the home belongs to another account; find out whose it is";
        Err(Fault::Refused(Cause::new(why)))
    }

    /// Where the home was, and where it is to be: below one root, so that one rename moves it.
    fn places(&self, order: &Move) -> Result<(Place, Place), Fault> {
        let refused = |why: String| Fault::Refused(Cause::new(why));
        let old =
            locate(&self.settings, &order.from, order.old_home.as_deref()).map_err(refused)?;
        let new = self.place(&order.to)?;
        if old.root != new.root {
            return Err(refused(format!(
                "the home would go from {} to {}, which is below another of `roots`; move it by hand",
                old.shown(),
                new.shown()
            )));
        }
        Ok((old, new))
    }
}

/// The folder that has the home, or is to have it.
fn parent(ground: &Ground, place: &Place) -> Result<OwnedFd, Fault> {
    ground.parent(place)?.ok_or_else(|| {
        Fault::Retry(Cause::new(format!(
            "the folder above {} is not there; make it",
            place.shown()
        )))
    })
}

fn there(parent: &OwnedFd, place: &Place) -> Result<Option<OwnedFd>, Fault> {
    gone(open_below(parent, &place.name)).map_err(|errno| fault(errno, "the home"))
}

/// Takes away what a crash left of a home that was being made.
fn clear(ground: &Ground, entry: &str, until: Instant) -> Result<(), Fault> {
    let failed = |errno| fault(errno, "what is left of a home that was being made");
    let Some(left) = gone(open_below(&ground.quarantine, entry)).map_err(failed)? else {
        return Ok(());
    };
    let emptied = empty(&left, &mut Pace::new(until, None)).map_err(failed)?;
    if emptied != Emptied::Whole {
        let why = "what an earlier try left is being taken away; it goes on";
        return Err(Fault::Retry(Cause::new(why)));
    }
    gone(unlinkat(&ground.quarantine, entry, AtFlags::REMOVEDIR)).map_err(failed)?;
    Ok(())
}

/// Something else was moved than what was looked at: it goes back.
fn put_back(now: (&OwnedFd, &Place), then: (&OwnedFd, &Place)) -> Result<Outcome, Fault> {
    match renameat_with(now.0, &now.1.name, then.0, &then.1.name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Outcome::Drifted(Found {
            description:
                "the home was exchanged for something else while it was looked at; nothing \
                          was moved; find out who did"
                    .into(),
        })),
        Err(errno) => Err(Fault::Refused(Cause::coded(
            format!(
                "something was exchanged for the home and is now at {}; look at it",
                now.1.shown()
            ),
            format!("errno {}", errno.raw_os_error()),
        ))),
    }
}

fn receipt<const N: usize>(facts: [(&str, String); N]) -> Receipt {
    let facts = facts.into_iter().map(|(key, value)| (key.to_owned(), vec![value]));
    Receipt { before: facts.collect::<BTreeMap<_, _>>(), server: None }
}
