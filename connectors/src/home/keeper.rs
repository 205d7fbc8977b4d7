//! Deleting a home: looked at, moved to quarantine, emptied, seen gone. Blocking, and in whichever
//! process has the rights.
//!
//! **Order.** A note with what was counted is on disk before the home is moved; the home is moved whole
//! before anything in it is deleted; the note goes last. A crash at any point is taken up by the same
//! order again: the step's id names both in the quarantine.

use super::archive::{self, check_kept, forget};
use super::folders::{
    Counted, Emptied, Pace, beneath, count, empty, gone, identity, open_below, open_root,
};
use super::place::{Place, locate};
use super::settings::HomeSettings;
use crate::contract::Probed;
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Fault, Found, Outcome, Receipt, Seen, StepId};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Mode, OFlags, RenameFlags, fstat, fsync, openat2, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::process::geteuid;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;
use uuid::Uuid;

/// A note is a few hundred bytes; more than this was not written here.
const LARGEST_NOTE: u64 = 65_536;

/// Which home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The step that asks for it: the home's name in the quarantine.
    pub step: StepId,
    /// Whose home.
    pub user_id: UserId,
    /// What the directory said of it when the plan was made.
    pub home: Option<String>,
    /// The departure: names what was copied for it.
    #[serde(default)]
    pub case: Uuid,
    /// The account's number on file systems when the plan was made, where the directory has one.
    #[serde(default)]
    pub uid_number: Option<u32>,
}

/// What stands beside a home in the quarantine: enough to put it back by hand.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    from: String,
    user_id: UserId,
    counted: Counted,
    /// When it was moved there: its days in quarantine run from then.
    #[serde(default)]
    since: Option<Timestamp>,
}

/// Deletes homes as the settings allow.
#[derive(Debug, Clone)]
pub struct Keeper {
    pub(super) settings: HomeSettings,
}

/// A root and its quarantine, both open.
pub(super) struct Ground {
    root: OwnedFd,
    pub(super) quarantine: OwnedFd,
}

enum Taken {
    InQuarantine,
    NotThere,
    Other(Found),
}

impl Keeper {
    /// For settings without problems.
    #[must_use]
    pub fn new(settings: HomeSettings) -> Self {
        Self { settings }
    }

    /// Deletes a home, until the time is over; then the same call again goes on where this one ended. With
    /// days of grace it stays whole in quarantine until they are over at `now`.
    ///
    /// # Errors
    /// Refused where the home is not what may be deleted; nothing is then moved. Retry where the file
    /// system was not there.
    pub fn delete(&self, order: &Order, until: Instant, now: Timestamp) -> Result<Outcome, Fault> {
        let place = self.place(order)?;
        let ground = self.ground(&place.root)?;
        let entry = order.step.to_string();
        let mut top = ground.waiting(&entry)?;
        if top.is_none() {
            match self.take(&ground, &place, order, (until, now))? {
                Taken::InQuarantine => top = ground.waiting(&entry)?,
                Taken::Other(found) => return Ok(Outcome::Drifted(found)),
                // Gone before, unless a note says that this step had begun.
                Taken::NotThere if ground.note(&entry).is_none() => return Ok(Outcome::AlreadySo),
                Taken::NotThere => {}
            }
        }
        let note = ground.note(&entry);
        if let Some(top) = top {
            let since = note.as_ref().and_then(|note| note.since);
            if let Some(waits) = self.grace(&top, since, now)? {
                return Ok(waits);
            }
            if let Some(found) = self.clear(&ground, &top, &entry, until)? {
                return Ok(Outcome::Partly { found, again_at: None });
            }
        }
        let counted = note.map(|note| note.counted);
        let failed = |errno| fault(errno, "the quarantine");
        forget(&ground.quarantine, order.case)?;
        gone(unlinkat(&ground.quarantine, note_name(&entry), AtFlags::empty())).map_err(failed)?;
        fsync(&ground.quarantine).map_err(failed)?;
        Ok(Outcome::Changed(receipt(&place, counted)))
    }

    /// What to say while the days in quarantine are not over; `None` once they are. Where the note says
    /// no day, the folder's own last change does: moving it was one, and so is any deletion in it, so that
    /// it only ever counts too late.
    fn grace(
        &self,
        top: &OwnedFd,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<Option<Outcome>, Fault> {
        if self.settings.grace_days == 0 {
            return Ok(None);
        }
        let since = match since {
            Some(since) => since,
            None => changed(top)?,
        };
        let grace = SignedDuration::from_hours(24 * i64::from(self.settings.grace_days));
        let over = since.checked_add(grace).unwrap_or(Timestamp::MAX);
        if now >= over {
            return Ok(None);
        }
        let day = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
        let description = format!("in quarantine since {}, deleted on {}", day(since), day(over));
        Ok(Some(Outcome::Partly { found: Found { description }, again_at: Some(over) }))
    }

    /// Whether the home is gone from its place and from the quarantine.
    ///
    /// # Errors
    /// Where that can't be seen.
    pub fn read_back(&self, order: &Order) -> Result<Seen, Fault> {
        let place = self.place(order)?;
        let ground = self.ground(&place.root)?;
        let entry = order.step.to_string();
        if ground.waiting(&entry)?.is_some() || ground.note(&entry).is_some() {
            let description = "it is in quarantine, and not all of it is deleted yet".into();
            return Ok(Seen::Otherwise(Found { description }));
        }
        let is_there = match ground.parent(&place)? {
            None => false,
            Some(parent) => gone(statat(&parent, &place.name, AtFlags::SYMLINK_NOFOLLOW))
                .map_err(|errno| fault(errno, "the home"))?
                .is_some(),
        };
        if is_there {
            let description = format!("{} is there; look whose it is", place.shown());
            return Ok(Seen::Otherwise(Found { description }));
        }
        Ok(Seen::AsWanted)
    }

    /// Tries every root and its quarantine.
    #[must_use]
    pub fn probe(&self) -> Vec<Probed> {
        let look = |root: &Path| match self.ground(root) {
            Ok(_) => None,
            Err(Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause)) => {
                Some(cause.to_string())
            }
        };
        let roots = self.settings.roots.iter();
        let homes = roots.map(|root| Probed {
            what: format!("homes in {} and their quarantine", root.display()),
            problem: look(root),
        });
        let archive = self.settings.archive.iter().map(|settings| Probed {
            what: format!("archives in {}", settings.folder),
            problem: archive::probe(settings),
        });
        homes.chain(archive).collect()
    }

    pub(super) fn place(&self, order: &Order) -> Result<Place, Fault> {
        locate(&self.settings, &order.user_id, order.home.as_deref())
            .map_err(|why| Fault::Refused(Cause::new(why)))
    }

    /// Opens a root with its quarantine. The quarantine also says that the file system is mounted: an
    /// empty mount point must never read as homes that are gone.
    pub(super) fn ground(&self, path: &Path) -> Result<Ground, Fault> {
        let shown = path.display();
        let later = |what: String, errno: Errno| {
            let what = match errno {
                Errno::NOSYS => "openat2 is not allowed here; RestrictSUIDSGID= must be off, and \
                                 Linux 5.6 or newer"
                    .into(),
                _ => what,
            };
            Fault::Retry(Cause::coded(what, format!("errno {}", errno.raw_os_error())))
        };
        let root = open_root(path).map_err(|errno| {
            later(format!("{shown} can't be opened; it must be a folder without symbolic links in its path"), errno)
        })?;
        let name = &self.settings.quarantine;
        let quarantine = open_below(&root, name.as_str()).map_err(|errno| {
            later(format!("{shown}/{name} is not there; is the file system mounted? Else make it: install -d -m 0700"), errno)
        })?;
        let known = fstat(&quarantine).map_err(|errno| later(format!("{shown}/{name}"), errno))?;
        if known.st_uid != geteuid().as_raw() || known.st_mode & 0o077 != 0 {
            return Err(Fault::Retry(Cause::new(format!(
                "{shown}/{name} must belong to the account that deletes, with mode 0700: others could \
                 take homes out of it"
            ))));
        }
        Ok(Ground { root, quarantine })
    }

    /// Looks at the home, and moves it whole into the quarantine.
    fn take(
        &self,
        ground: &Ground,
        place: &Place,
        order: &Order,
        (until, now): (Instant, Timestamp),
    ) -> Result<Taken, Fault> {
        let Some(parent) = ground.parent(place)? else { return Ok(Taken::NotThere) };
        let failed = |errno| fault(errno, "the home");
        let Some(home) = gone(open_below(&parent, &place.name)).map_err(failed)? else {
            return Ok(Taken::NotThere);
        };
        let known = identity(&home).map_err(failed)?;
        self.check_owner(&home, &order.user_id, order.uid_number)?;
        check_kept(&ground.quarantine, order.case, &home)?;
        let counted = count(&home, until).map_err(failed)?;
        let entry = order.step.to_string();
        let user_id = order.user_id.clone();
        let note = Note { from: place.shown(), user_id, counted, since: Some(now) };
        ground.write_note(&entry, &note)?;
        let moved = renameat_with(
            &parent,
            &place.name,
            &ground.quarantine,
            entry.as_str(),
            RenameFlags::NOREPLACE,
        );
        if gone(moved).map_err(failed)?.is_none() {
            // Someone else was faster: the note would claim it for this step.
            let _ = unlinkat(&ground.quarantine, note_name(&entry), AtFlags::empty());
            return Ok(Taken::NotThere);
        }
        let seen = open_below(&ground.quarantine, entry.as_str()).and_then(identity);
        if seen == Ok(known) {
            fsync(&ground.quarantine).map_err(failed)?;
            return Ok(Taken::InQuarantine);
        }
        put_back(ground, &parent, place, &entry)
    }

    fn clear(
        &self,
        ground: &Ground,
        top: &OwnedFd,
        entry: &str,
        until: Instant,
    ) -> Result<Option<Found>, Fault> {
        let mut pace = Pace::new(until, self.settings.files_per_second);
        let failed = |errno| fault(errno, "the home in quarantine");
        match empty(top, &mut pace).map_err(failed)? {
            Emptied::Whole => {}
            Emptied::Partly => {
                let done = pace.done();
                let description =
                    format!("{done} files and folders deleted in this round; it goes on");
                return Ok(Some(Found { description }));
            }
            Emptied::Refilled => {
                let why = "a program still makes files in the home; end it";
                return Err(Fault::Retry(Cause::new(why)));
            }
        }
        gone(unlinkat(&ground.quarantine, entry, AtFlags::REMOVEDIR)).map_err(failed)?;
        Ok(None)
    }
}

/// When a folder was last moved or changed.
fn changed(folder: &OwnedFd) -> Result<Timestamp, Fault> {
    let known = fstat(folder).map_err(|errno| fault(errno, "the home in quarantine"))?;
    Timestamp::from_second(known.st_ctime).map_err(|error| {
        Fault::Retry(Cause::coded("the file system's clock is beyond all times", error.to_string()))
    })
}

/// Something else was moved than what was looked at: it goes back.
fn put_back(ground: &Ground, parent: &OwnedFd, place: &Place, entry: &str) -> Result<Taken, Fault> {
    let back =
        renameat_with(&ground.quarantine, entry, parent, &place.name, RenameFlags::NOREPLACE);
    let _ = unlinkat(&ground.quarantine, note_name(entry), AtFlags::empty());
    match back {
        Ok(()) => Ok(Taken::Other(Found {
            description:
                "the home was exchanged for something else while it was looked at; nothing \
                          was deleted; find out who did"
                    .into(),
        })),
        Err(errno) => Err(Fault::Refused(Cause::coded(
            format!(
                "something was exchanged for the home and is now in quarantine as {entry}; look at it"
            ),
            format!("errno {}", errno.raw_os_error()),
        ))),
    }
}

impl Ground {
    /// The folder that has the home; `None` where there is none.
    pub(super) fn parent(&self, place: &Place) -> Result<Option<OwnedFd>, Fault> {
        let path = if place.parents.as_os_str().is_empty() {
            Path::new(".")
        } else {
            place.parents.as_path()
        };
        gone(open_below(&self.root, path)).map_err(|errno| fault(errno, "the folder of the home"))
    }

    /// The home in its place; `None` where there is none.
    pub(super) fn home(&self, place: &Place) -> Result<Option<OwnedFd>, Fault> {
        let Some(parent) = self.parent(place)? else { return Ok(None) };
        gone(open_below(&parent, &place.name)).map_err(|errno| fault(errno, "the home"))
    }

    /// The home in the quarantine.
    fn waiting(&self, entry: &str) -> Result<Option<OwnedFd>, Fault> {
        gone(open_below(&self.quarantine, entry))
            .map_err(|errno| fault(errno, "the home in quarantine"))
    }

    /// What was noted; a note that can't be read is one without numbers.
    fn note(&self, entry: &str) -> Option<Note> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat2(&self.quarantine, note_name(entry), flags, Mode::empty(), beneath());
        let mut text = String::new();
        File::from(file.ok()?).take(LARGEST_NOTE).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    }

    fn write_note(&self, entry: &str, note: &Note) -> Result<(), Fault> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |errno| fault(errno, "the quarantine");
        let file = openat2(&self.quarantine, note_name(entry), flags, Mode::from(0o600), beneath())
            .map_err(failed)?;
        let mut file = File::from(file);
        let text = serde_json::to_string(note).unwrap_or_default();
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|error| {
            Fault::Retry(Cause::coded("the quarantine can't be written to", error.to_string()))
        })?;
        fsync(&self.quarantine).map_err(failed)
    }
}

fn note_name(entry: &str) -> String {
    format!("{entry}.json")
}

fn receipt(place: &Place, counted: Option<Counted>) -> Receipt {
    let mut before = BTreeMap::from([("deleted".to_owned(), vec![place.shown()])]);
    if let Some(counted) = counted {
        let least = if counted.whole { "" } else { "at least " };
        before.insert("files".into(), vec![format!("{least}{}", counted.files)]);
        before.insert("bytes".into(), vec![format!("{least}{}", counted.bytes)]);
    }
    Receipt { before, server: None }
}

/// What an error of the file system means for the step.
pub(super) fn fault(errno: Errno, what: &str) -> Fault {
    let code = format!("errno {}", errno.raw_os_error());
    let refused = |why: &str| Fault::Refused(Cause::coded(format!("{what} {why}"), &code));
    match errno {
        Errno::XDEV | Errno::BUSY => {
            refused("is or has a mount point; unmount it, nothing behind it was touched")
        }
        Errno::LOOP | Errno::NOTDIR => {
            refused("is reached by a symbolic link or is no folder; look what it is")
        }
        Errno::ACCESS | Errno::PERM => refused(
            "can't be read or changed with the rights that lapsed has; give them, or see to it by hand",
        ),
        Errno::ROFS => Fault::Retry(Cause::coded(
            format!("{what} is on a read-only file system; the unit needs ReadWritePaths= for it"),
            &code,
        )),
        _ => Fault::Retry(Cause::coded(
            format!("the file system failed at {what}; see its log"),
            &code,
        )),
    }
}
