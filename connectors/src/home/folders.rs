//! Folders opened so that nothing leads out of them, counted and emptied without following anything.

use rustix::fd::{AsFd, OwnedFd};
use rustix::ffi::CStr;
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, fstat, openat2,
    renameat_with, statat, unlinkat,
};
use rustix::io::Errno;
use rustix::path::Arg;
use std::path::Path;
use std::time::{Duration, Instant};

/// So many folders are kept open while counting; what lies deeper is left uncounted.
const DEEPEST_COUNT: usize = 200;

const FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens a folder by its path from `/`; a symbolic link anywhere in it is an error.
pub fn open_root(path: &Path) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(CWD, path, FOLDER, Mode::empty(), resolve)
}

/// Opens a folder below another: no symbolic link, no mount point and no `..` leads out of it.
pub fn open_below(folder: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    openat2(folder, path, FOLDER, Mode::empty(), beneath())
}

/// How everything below a root is resolved.
pub fn beneath() -> ResolveFlags {
    ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV
}

/// Device and number of an open file: the same file, whatever it is called.
pub fn identity(file: impl AsFd) -> Result<(u64, u64), Errno> {
    let known = fstat(file)?;
    Ok((known.st_dev, known.st_ino))
}

/// Time and speed of a deletion.
#[derive(Debug)]
pub struct Pace {
    until: Instant,
    per_second: Option<u32>,
    began: Instant,
    done: u64,
}

impl Pace {
    /// From now until a moment, at so many files a second.
    #[must_use]
    pub fn new(until: Instant, per_second: Option<u32>) -> Self {
        Self { until, per_second, began: Instant::now(), done: 0 }
    }

    /// Files and folders deleted.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.done
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn deleted(&mut self) {
        self.done += 1;
        let Some(rate) = self.per_second else { return };
        let earliest = Duration::from_secs_f64(self.done as f64 / f64::from(rate.max(1)));
        let ahead = earliest.saturating_sub(self.began.elapsed());
        // Short waits would cost more than they slow down.
        if ahead > Duration::from_millis(20) {
            std::thread::sleep(ahead.min(self.until.saturating_duration_since(Instant::now())));
        }
    }
}

/// What is in a home.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counted {
    /// All but folders.
    pub files: u64,
    /// Sizes of regular files.
    pub bytes: u64,
    /// False where the time was over before, or folders lie too deep: there is at least so much.
    pub whole: bool,
}

/// Counts a folder's content; a mount point in it is an error (`XDEV`). Memory and open files grow with
/// the depth only.
pub fn count(home: impl AsFd, until: Instant) -> Result<Counted, Errno> {
    let mut counted = Counted { whole: true, ..Counted::default() };
    let mut open = vec![Dir::read_from(home)?];
    while let Some(dir) = open.last_mut() {
        let entry = match dir.read() {
            None => {
                open.pop();
                continue;
            }
            Some(entry) => entry?,
        };
        let name = entry.file_name();
        if is_dots(name) {
            continue;
        }
        if Instant::now() >= until {
            return Ok(Counted { whole: false, ..counted });
        }
        let folder = dir.fd()?;
        let Some(known) = gone(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW))? else { continue };
        if FileType::from_raw_mode(known.st_mode) != FileType::Directory {
            counted.files += 1;
            if FileType::from_raw_mode(known.st_mode) == FileType::RegularFile {
                counted.bytes += u64::try_from(known.st_size).unwrap_or(0);
            }
            continue;
        }
        let Some(child) = gone(open_below(folder, name))? else { continue };
        if open.len() >= DEEPEST_COUNT {
            counted.whole = false;
        } else {
            open.push(Dir::new(child)?);
        }
    }
    Ok(counted)
}

/// How emptying a folder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emptied {
    /// Nothing is in it any more.
    Whole,
    /// The time is over.
    Partly,
    /// Somebody keeps making files in it.
    Refilled,
}

/// Deletes all that is in a folder. Folders within are brought to its top before they are emptied, so
/// that neither memory nor open files grow with the depth, and it can be taken up again at any point.
pub fn empty(top: &OwnedFd, pace: &mut Pace) -> Result<Emptied, Errno> {
    loop {
        let before = pace.done();
        let mut is_empty = true;
        let mut dir = Dir::read_from(top)?;
        while let Some(entry) = dir.read() {
            let entry = entry?;
            let name = entry.file_name();
            if is_dots(name) {
                continue;
            }
            is_empty = false;
            if pace.is_over() {
                return Ok(Emptied::Partly);
            }
            if is_folder(top, name, entry.file_type())? {
                empty_child(top, name, pace)?;
            } else {
                delete(top, name, AtFlags::empty(), pace)?;
            }
        }
        if is_empty {
            return Ok(Emptied::Whole);
        }
        if pace.done() == before {
            return Ok(Emptied::Refilled);
        }
    }
}

/// Deletes a folder at the top: its files are deleted, its folders moved beside it.
fn empty_child(top: &OwnedFd, name: &CStr, pace: &mut Pace) -> Result<(), Errno> {
    let Some(child) = gone(open_below(top, name))? else { return Ok(()) };
    let mut dir = Dir::read_from(&child)?;
    while let Some(entry) = dir.read() {
        let entry = entry?;
        let inner = entry.file_name();
        if is_dots(inner) {
            continue;
        }
        if pace.is_over() {
            return Ok(());
        }
        if !is_folder(&child, inner, entry.file_type())? {
            delete(&child, inner, AtFlags::empty(), pace)?;
        } else if !delete(&child, inner, AtFlags::REMOVEDIR, pace)? {
            raise(&child, inner, top)?;
        }
    }
    delete(top, name, AtFlags::REMOVEDIR, pace)?;
    Ok(())
}

/// Moves a folder to the top, under a name that is free there.
fn raise(from: &OwnedFd, name: &CStr, top: &OwnedFd) -> Result<(), Errno> {
    let Some(folder) = gone(open_below(from, name))? else { return Ok(()) };
    let (_, number) = identity(&folder)?;
    for attempt in 0..1_000_u32 {
        let free = format!("lapsed-{number}-{attempt}");
        match renameat_with(from, name, top, free.as_str(), RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            done => return gone(done).map(|_| ()),
        }
    }
    Err(Errno::EXIST)
}

/// Deletes one name; false where it is a folder with something in it.
fn delete(folder: &OwnedFd, name: &CStr, flags: AtFlags, pace: &mut Pace) -> Result<bool, Errno> {
    match gone(unlinkat(folder, name, flags)) {
        Ok(found) => {
            if found.is_some() {
                pace.deleted();
            }
            Ok(true)
        }
        Err(Errno::NOTEMPTY | Errno::EXIST) if flags == AtFlags::REMOVEDIR => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn is_folder(folder: &OwnedFd, name: &CStr, kind: FileType) -> Result<bool, Errno> {
    if kind != FileType::Unknown {
        return Ok(kind == FileType::Directory);
    }
    let known = gone(statat(folder, name, AtFlags::SYMLINK_NOFOLLOW))?;
    Ok(known.is_some_and(|k| FileType::from_raw_mode(k.st_mode) == FileType::Directory))
}

fn is_dots(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// `None` for what is not there.
pub fn gone<T>(found: Result<T, Errno>) -> Result<Option<T>, Errno> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}
