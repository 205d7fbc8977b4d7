//! Copying files of a home for whoever is to keep them, before anything of it is deleted (D6).
//!
//! **Order.** The copy is written under a temporary name in the recipient's folder, synced, read back whole
//! against the digests that were taken while reading the home, and only then renamed. What was copied is
//! noted in the quarantine last of all: where that note is, the copy is whole. Deleting the home compares
//! what is in it by then with the notes of its departure.
//!
//! A copy may take longer than one request: it goes on in a thread of its own, and whoever asks again is
//! told how far it is. Whoever makes it has the turn at it until it is noted, so that none is made twice.

mod copy;
mod kept;
mod verify;
mod walk;

#[cfg(test)]
mod tests;

pub(super) use kept::{check_kept, forget};

use super::folders::{beneath, gone, open_below, open_root};
use super::keeper::{Keeper, Order, fault};
use super::settings::ArchiveSettings;
use copy::{Bounds, Parts, copy, full};
use jiff::{SignedDuration, Timestamp};
use kept::{Note, Notes};
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Fault, Found, Outcome, Receipt, Seen};
use nix::unistd::User;
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Uid, fchown, fstat, fsync, mkdirat, openat2, renameat, statat,
    unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use uuid::Uuid;
use verify::verify;

/// What to copy, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveOrder {
    /// Whose home.
    pub home: Order,
    /// The wish.
    pub wish: Uuid,
    /// Paths below the home; empty for all of it.
    pub paths: Vec<String>,
    /// Who gets it.
    pub recipient: UserId,
}

/// A copy that goes on is asked about after so long.
const ASKED_AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// Copies that go on after their request was answered.
static GOING_ON: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Waits for copies that go on: a helper ends only then.
pub fn wait_for_copies() {
    let mut all = GOING_ON.lock().unwrap_or_else(PoisonError::into_inner);
    for thread in all.drain(..) {
        // A copy that broke off has left no note: it is made again.
        let _ = thread.join();
    }
}

/// Makes the copy, until the time is over; then it goes on, and the same call again tells how far it is.
///
/// # Errors
/// Refused where not all of it can be copied: nothing is deleted then. Retry where the disk is full.
pub fn archive(keeper: &Keeper, order: &ArchiveOrder, until: Instant) -> Result<Outcome, Fault> {
    let (sender, receiver) = sync_channel(1);
    let (keeper, order) = (keeper.clone(), order.clone());
    let thread = std::thread::spawn(move || {
        let made = make(&keeper, &order);
        // Nobody waits any more where the time was over: what was refused is then said next time.
        if sender.send(made.clone()).is_err()
            && let Err(fault) = made
        {
            tracing::warn!(%fault, "a copy that went on has failed; it is tried again");
        }
    });
    let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(10));
    match receiver.recv_timeout(left) {
        Ok(made) => made,
        Err(RecvTimeoutError::Disconnected) => {
            Err(Fault::Unknown(Cause::new("the copy broke off; it is looked at again")))
        }
        Err(RecvTimeoutError::Timeout) => {
            let mut all = GOING_ON.lock().unwrap_or_else(PoisonError::into_inner);
            all.retain(|thread| !thread.is_finished());
            all.push(thread);
            Ok(going_on("files are being copied; it goes on".into()))
        }
    }
}

/// Whether the copy was made and read back.
///
/// # Errors
/// Where that can't be seen.
pub fn read_back(keeper: &Keeper, order: &ArchiveOrder) -> Result<Seen, Fault> {
    let settings = settings(keeper)?;
    let place = keeper.place(&order.home)?;
    let ground = keeper.ground(&place.root)?;
    let notes = Notes::new(&ground.quarantine, order.home.case);
    let otherwise =
        |description: &str| Ok(Seen::Otherwise(Found { description: description.to_owned() }));
    let Some(note) = notes.read(order.wish)? else {
        return otherwise("the files are not copied yet");
    };
    let folder = folder_of(settings, order, Way::Look)?;
    let found = gone(statat(&folder, note.name.as_str(), AtFlags::SYMLINK_NOFOLLOW));
    match found.map_err(|errno| fault(errno, "the archive"))? {
        Some(stat) if u64::try_from(stat.st_size).ok() == Some(note.size) => Ok(Seen::AsWanted),
        _ => otherwise("the archive is not where it was put; ask its recipient"),
    }
}

/// Tries the folder for archives.
pub fn probe(settings: &ArchiveSettings) -> Option<String> {
    let recipient = UserId::new("recipient").ok()?;
    let folder = settings.folder_of(&recipient).ok()?;
    let parent = folder.parent()?;
    open_root(parent).err().map(|errno| {
        format!(
            "{} can't be opened ({errno}); make it, without symbolic links in its path",
            parent.display()
        )
    })
}

fn settings(keeper: &Keeper) -> Result<&ArchiveSettings, Fault> {
    keeper.settings.archive.as_ref().ok_or_else(|| {
        Fault::Refused(Cause::new("no place for archives is set; give `archive:` to the connector"))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Look,
    Make,
}

/// The recipient's folder; made, and given to them, where it is not there yet.
fn folder_of(settings: &ArchiveSettings, order: &ArchiveOrder, way: Way) -> Result<OwnedFd, Fault> {
    let path =
        settings.folder_of(&order.recipient).map_err(|why| Fault::Refused(Cause::new(why)))?;
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(Fault::Refused(Cause::new(
            "the folder for archives has no name; see `archive.folder`",
        )));
    };
    let later = |errno: Errno| {
        let what = format!(
            "{} can't be opened; make it, without symbolic links in its path",
            parent.display()
        );
        Fault::Retry(Cause::coded(what, format!("errno {}", errno.raw_os_error())))
    };
    let parent = open_root(parent).map_err(later)?;
    let failed = |errno| fault(errno, "the recipient's folder for archives");
    if let Some(folder) = gone(open_below(&parent, Path::new(name))).map_err(failed)? {
        return Ok(folder);
    }
    if way == Way::Look {
        return Err(Fault::Retry(Cause::new("the recipient's folder for archives is gone")));
    }
    match mkdirat(&parent, Path::new(name), Mode::from(0o700)) {
        // Another copy for the same recipient may have made it meanwhile.
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(failed(errno)),
    }
    let folder = open_below(&parent, Path::new(name)).map_err(failed)?;
    give(&folder, &order.recipient);
    Ok(folder)
}

/// Gives a file to its recipient, where this machine knows them and the rights at hand allow it; says
/// whether it did.
fn give(file: impl rustix::fd::AsFd, recipient: &UserId) -> bool {
    let Ok(Some(account)) = User::from_name(recipient.as_str()) else { return false };
    let (uid, gid) = (Uid::from_raw(account.uid.as_raw()), Gid::from_raw(account.gid.as_raw()));
    fchown(file, Some(uid), Some(gid)).is_ok()
}

fn make(keeper: &Keeper, order: &ArchiveOrder) -> Result<Outcome, Fault> {
    let settings = settings(keeper)?;
    if let Some(path) =
        order.paths.iter().find(|path| lapsed_core::wishes::path_problem(path).is_some())
    {
        let shown = lapsed_core::shown::shown(path);
        return Err(Fault::Refused(Cause::new(format!("{shown} is no path below a home"))));
    }
    let place = keeper.place(&order.home)?;
    let ground = keeper.ground(&place.root)?;
    let notes = Notes::new(&ground.quarantine, order.home.case);
    if let Some(note) = notes.read(order.wish)? {
        return Ok(Outcome::Changed(receipt(&note)));
    }
    let folder = folder_of(settings, order, Way::Make)?;
    let name = format!("{}-{}.tar.zst", order.home.user_id.folded(), order.wish);
    let Some(_turn) = notes.turn(order.wish)? else {
        let part = statat(&folder, part_of(&name), AtFlags::SYMLINK_NOFOLLOW);
        let written = part.map_or(0, |stat| stat.st_size);
        return Ok(going_on(format!(
            "files are being copied, {written} bytes of archive so far; it goes on"
        )));
    };
    // Another may have ended its turn since the note was looked for.
    if let Some(note) = notes.read(order.wish)? {
        return Ok(Outcome::Changed(receipt(&note)));
    }
    let draft = Draft::begin(&folder, &name)?;
    let home = ground.home(&place)?.ok_or_else(|| {
        Fault::Refused(Cause::new(format!(
            "there is no home at {}; take the wish back (lapsed keep WHO --end) if there is nothing to keep",
            place.shown()
        )))
    })?;
    keeper.check_owner(&home, &order.home.user_id, order.home.uid_number)?;
    let (manifest, seen) =
        (notes.scratch(order.wish, "manifest")?, notes.scratch(order.wish, "seen")?);
    let parts = Parts { archive: &draft.file, manifest: &manifest, seen: &seen };
    let bounds = Bounds { max_bytes: settings.max_bytes, level: settings.level };
    let copied = copy(&home, &order.paths, &order.home.user_id.folded(), &parts, bounds)?;
    for file in [&draft.file, &seen] {
        file.sync_all().map_err(full)?;
    }
    verify(&draft.file, &copied)?;
    let given = give(&draft.file, &order.recipient);
    let size = draft.file.metadata().map_err(full)?.len();
    draft.finish()?;
    let path =
        settings.folder_of(&order.recipient).map_err(|why| Fault::Refused(Cause::new(why)))?;
    let note = Note {
        at: path.join(&name).display().to_string(),
        name,
        size,
        given,
        paths: order.paths.clone(),
        copied,
    };
    notes.write(order.wish, &note)?;
    Ok(Outcome::Changed(receipt(&note)))
}

/// A copy goes on by itself; it is asked about again after a while.
fn going_on(description: String) -> Outcome {
    let again_at = Timestamp::now().checked_add(ASKED_AGAIN).ok();
    Outcome::Partly { found: Found { description }, again_at }
}

/// What an archive is called while it is written.
fn part_of(name: &str) -> String {
    format!(".{name}.part")
}

/// An archive that is being written: gone again unless it is finished.
struct Draft<'a> {
    folder: &'a OwnedFd,
    name: &'a str,
    part: String,
    file: File,
    finished: bool,
}

impl<'a> Draft<'a> {
    /// Begins it, under a name that nobody else writes to: what a crash left there is begun anew.
    fn begin(folder: &'a OwnedFd, name: &'a str) -> Result<Self, Fault> {
        let part = part_of(name);
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let failed = |errno| fault(errno, "the recipient's folder for archives");
        gone(unlinkat(folder, part.as_str(), AtFlags::empty())).map_err(failed)?;
        let file =
            openat2(folder, part.as_str(), flags, Mode::from(0o600), beneath()).map_err(failed)?;
        Ok(Self { folder, name, part, file: File::from(file), finished: false })
    }

    /// The folder may belong to its recipient: what stands under a name there is compared.
    fn is_in_place(&self, name: &str) -> Result<(), Fault> {
        let failed = |errno| fault(errno, "the archive");
        let ours = fstat(&self.file).map_err(failed)?;
        let there = statat(self.folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        if (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino) {
            return Ok(());
        }
        Err(Fault::Retry(Cause::new(
            "the archive was exchanged while it was written; find out who did",
        )))
    }

    fn finish(mut self) -> Result<(), Fault> {
        let failed = |errno| fault(errno, "the archive");
        self.is_in_place(&self.part)?;
        renameat(self.folder, self.part.as_str(), self.folder, self.name).map_err(failed)?;
        self.finished = true;
        self.is_in_place(self.name)?;
        fsync(self.folder).map_err(failed)
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.finished {
            let _ = unlinkat(self.folder, self.part.as_str(), AtFlags::empty());
        }
    }
}

fn receipt(note: &Note) -> Receipt {
    let one = |value: String| vec![value];
    let mut before = BTreeMap::from([
        ("archived".to_owned(), one(note.at.clone())),
        ("files".to_owned(), one(note.copied.files.to_string())),
        ("bytes".to_owned(), one(note.copied.bytes.to_string())),
        ("manifest_sha256".to_owned(), one(note.copied.manifest.clone())),
    ]);
    if note.copied.left_out > 0 {
        before.insert("left_out".into(), one(note.copied.left_out.to_string()));
    }
    if !note.given {
        before.insert("owner".into(), one("not the recipient's; hand it over by hand".into()));
    }
    Receipt { before, server: None }
}
