//! The inbox: which drops are complete, reading them safely, and moving them with their receipt.
//!
//! The folder belongs to HR, so nothing in it is trusted: only plain files are opened, never through a
//! link, never a pipe or device, never past the size limit; and a file that is still growing is left alone.

use lapsed_core::shown::shown;
use rustix::fs::{FileType, Mode, OFlags};
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Endings under which senders write before they rename.
const UNFINISHED: [&str; 4] = [".tmp", ".part", ".filepart", ".crdownload"];

/// Why a drop can't be read or moved.
#[derive(Debug, thiserror::Error)]
pub enum DropError {
    /// The file system said no.
    #[error("cannot {what} {path}")]
    Io {
        /// `read`, `move`, …
        what: &'static str,
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// Not a plain file.
    #[error("{path} is {found}, not a plain file: drops must be plain files of their own")]
    NotPlain {
        /// Which file.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// Larger than a drop may be.
    #[error("{path} has {size} bytes; a drop may have {limit} (feeds.*.contract.max_bytes)")]
    TooLarge {
        /// Which file.
        path: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// It was written to after it had been listed as complete.
    #[error("{path} changed while it was read; it is taken once it is complete")]
    Changed {
        /// Which file.
        path: String,
    },
    /// The disk did not answer in time.
    #[error("{path} does not answer: its disk hangs, or its server is away")]
    Silent {
        /// Which folder.
        path: String,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DropError {
    let path = shown(&path.to_string_lossy());
    move |source| DropError::Io { what, path, source }
}

/// What a look at a file showed; two equal looks far enough apart mean that it is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Look {
    inode: u64,
    size: u64,
    modified: i64,
}

impl Look {
    fn of(data: &fs::Metadata) -> Self {
        Self {
            inode: data.ino(),
            size: data.len(),
            modified: data.mtime_nsec().wrapping_add(data.mtime().wrapping_mul(1_000_000_000)),
        }
    }

    fn is_of(self, data: &fs::Metadata) -> bool {
        self == Self::of(data)
    }

    /// Whether that has the same content, whatever its number: some file systems give a new one when a file
    /// is moved.
    fn has_content_of(self, data: &fs::Metadata) -> bool {
        let other = Self::of(data);
        (self.size, self.modified) == (other.size, other.modified)
    }

    /// Whether that is a `.done` file of this drop's: one from before it was left behind by another of its name.
    fn is_done_by(self, done: Self) -> bool {
        done.modified >= self.modified
    }
}

/// The inbox and where its drops go.
#[derive(Debug)]
pub struct Inbox {
    folder: PathBuf,
    accepted: PathBuf,
    rejected: PathBuf,
    settle: Duration,
    looks: HashMap<OsString, (Look, Instant)>,
    finished: HashMap<OsString, Look>,
}

/// A complete drop, ready to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its name in the inbox.
    pub name: OsString,
    /// What it looked like then: another file of the same name is another drop.
    look: Option<Look>,
}

impl Ready {
    /// The name, made safe to show and to store.
    #[must_use]
    pub fn shown(&self) -> String {
        shown(&self.name.to_string_lossy())
    }

    /// Whether what lies there is what was listed; true also where that can't be told.
    fn is_still(&self, path: &Path, same: fn(Look, &fs::Metadata) -> bool) -> bool {
        match (self.look, fs::symlink_metadata(path)) {
            (Some(listed), Ok(data)) => same(listed, &data),
            _ => true,
        }
    }

    /// When it was last written, in nanoseconds of Unix time.
    pub(crate) fn modified(&self) -> Option<i64> {
        self.look.map(|look| look.modified)
    }

    /// Its size in bytes, as it was listed.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.look.map_or(0, |look| look.size)
    }
}

/// Whose a file is, by the kernel's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// User number.
    pub uid: u32,
    /// Group number.
    pub gid: u32,
    /// True when others than owner and group may write it.
    pub anyone_writes: bool,
    /// Names that the file has: with more than one, it may lie here against its owner's will.
    pub names: u64,
}

/// Where a drop goes when it has been handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handled {
    /// Taken, or the same as one that was.
    Accepted,
    /// Rejected whole.
    Rejected,
}

impl Inbox {
    /// An inbox whose files count as complete when they have not changed for `settle`.
    #[must_use]
    pub fn new(folder: PathBuf, accepted: PathBuf, rejected: PathBuf, settle: Duration) -> Self {
        Self { folder, accepted, rejected, settle, looks: HashMap::new(), finished: HashMap::new() }
    }

    /// The folder that is watched.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Notes that the system said a writer closed the file or renamed it into place. A file that changes
    /// after that is being written again.
    pub fn finished(&mut self, name: &OsStr) {
        if let Ok(data) = fs::symlink_metadata(self.folder.join(name)) {
            self.finished.insert(name.to_owned(), Look::of(&data));
        }
    }

    /// Whether files lie there, complete or not; hidden ones do not count.
    pub fn has_files(&self) -> Result<bool, DropError> {
        let listed = fs::read_dir(&self.folder).map_err(failed("list", &self.folder))?;
        let mut files =
            listed.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
        Ok(files.any(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")))
    }

    /// Whether the last look found a file that may still be being written.
    #[must_use]
    pub fn waits(&self) -> bool {
        !self.looks.is_empty()
    }

    /// Lists the complete drops, the oldest first; one waits while an older file may still turn out to be
    /// complete. `wants_done` says whether a drop is incomplete without its
    /// `.done` file; `settle_at_once` is for rehearsals, which take every file for complete.
    pub fn ready(
        &mut self,
        now: Instant,
        settle_at_once: bool,
        wants_done: impl Fn(&str) -> bool,
    ) -> Result<Vec<Ready>, DropError> {
        let began = Instant::now();
        let mut present: HashMap<OsString, Look> = HashMap::new();
        for entry in fs::read_dir(&self.folder).map_err(failed("list", &self.folder))? {
            let entry = entry.map_err(failed("list", &self.folder))?;
            // Gone again between listing and looking: nothing to do.
            let Ok(data) = entry.metadata() else { continue };
            if data.is_dir() {
                continue;
            }
            present.insert(entry.file_name(), Look::of(&data));
        }
        // A disk that hung meanwhile must not make what was only just written look old.
        let seen = now + began.elapsed();
        self.looks.retain(|name, _| present.contains_key(name));
        self.finished.retain(|name, _| present.contains_key(name));
        let mut ready: Vec<Ready> = Vec::new();
        let mut oldest_unsettled = i64::MAX;
        for (name, look) in &present {
            let text = name.to_string_lossy();
            let is_done = present.get(&done_name(name)).is_some_and(|done| look.is_done_by(*done));
            if is_set_aside(&text) || (wants_done(&text) && !is_done) {
                continue;
            }
            let complete = self.finished.get(name) == Some(look)
                || is_done
                || self.has_settled(name, *look, (now, seen))
                || settle_at_once;
            if complete {
                ready.push(Ready { name: name.clone(), look: Some(*look) });
            } else {
                oldest_unsettled = oldest_unsettled.min(look.modified);
            }
        }
        ready.retain(|drop| drop.modified().is_none_or(|at| at <= oldest_unsettled));
        // By name alone, hr-10.csv would come before hr-9.csv.
        ready.sort_by(|a, b| (a.modified(), &a.name).cmp(&(b.modified(), &b.name)));
        Ok(ready)
    }

    /// Whether it looked the same when this look began, long enough after an earlier one had ended.
    fn has_settled(&mut self, name: &OsStr, look: Look, (now, seen): (Instant, Instant)) -> bool {
        if self.settle.is_zero() {
            return true;
        }
        match self.looks.get(name) {
            Some((before, since)) if *before == look => now.duration_since(*since) >= self.settle,
            _ => {
                self.looks.insert(name.to_owned(), (look, seen));
                false
            }
        }
    }

    /// Reads a drop and its `.done` file, refusing whatever is not a plain file of at most `limit` bytes.
    pub fn read(&self, drop: &Ready, limit: u64) -> Result<(Vec<u8>, Option<Vec<u8>>), DropError> {
        let bytes = self.read_as_listed(drop, |path| read_plain(path, limit))?;
        let done = self.folder.join(done_name(&drop.name));
        let is_its = |data: &fs::Metadata| drop.look.is_none_or(|of| of.is_done_by(Look::of(data)));
        let done = match fs::symlink_metadata(&done) {
            Ok(data) if is_its(&data) => Some(read_plain(&done, 64 * 1024)?),
            _ => None,
        };
        Ok((bytes, done))
    }

    /// What lies there must be what was listed, before it is read and after: a file that is written anew
    /// meanwhile is not complete.
    fn read_as_listed<T>(
        &self,
        drop: &Ready,
        read: impl FnOnce(&Path) -> Result<T, DropError>,
    ) -> Result<T, DropError> {
        let path = self.folder.join(&drop.name);
        let is_as_listed = || drop.is_still(&path, Look::is_of);
        let read = if is_as_listed() { Some(read(&path)?) } else { None };
        let changed = || DropError::Changed { path: shown(&path.to_string_lossy()) };
        read.filter(|_| is_as_listed()).ok_or_else(changed)
    }

    /// Reads a drop of which it matters whose it is, and says so.
    pub fn read_owned(&self, drop: &Ready, limit: u64) -> Result<(Vec<u8>, Owner), DropError> {
        self.read_as_listed(drop, |path| read_plain_of(path, limit))
    }

    /// Whether a file that is not complete may still be being written, under its name or one before it.
    #[must_use]
    pub fn may_grow(&self, name: &str) -> bool {
        let there = |name: String| fs::symlink_metadata(self.folder.join(name)).is_ok();
        let unfinished = UNFINISHED.iter().any(|end| there(format!("{name}{end}")));
        there(name.to_owned()) || unfinished || there(format!(".{name}"))
    }

    /// Reads a file that another one names, as [`Self::read`] reads drops.
    pub fn read_beside(&self, drop: &Ready, limit: u64) -> Result<Vec<u8>, DropError> {
        read_plain(&self.folder.join(&drop.name), limit)
    }

    /// How long ago a file was last changed, and how large it is; `None` where that can't be said.
    #[must_use]
    pub fn age(&self, drop: &Ready) -> Option<(Duration, u64)> {
        let data = fs::symlink_metadata(self.folder.join(&drop.name)).ok()?;
        Some((data.modified().ok()?.elapsed().ok()?, data.len()))
    }

    /// Moves a file that belongs to a handled one after it; without a receipt of its own.
    pub fn follow(&mut self, drop: &Ready, how: Handled, stamp: &str) -> Result<(), DropError> {
        let folder = match how {
            Handled::Accepted => &self.accepted,
            Handled::Rejected => &self.rejected,
        };
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        let to = free_path(folder, &format!("{stamp}-{}", safe_name(&drop.name)));
        move_file(&self.folder.join(&drop.name), &to)?;
        self.finished.remove(&drop.name);
        self.looks.remove(&drop.name);
        Ok(())
    }

    /// Moves a drop and its `.done` file away and writes the receipt beside it; returns where it went.
    ///
    /// The receipt is written first: a crash in between leaves the drop in the inbox, where it is
    /// recognised by its digest and only moved.
    pub fn finish(
        &mut self,
        drop: &Ready,
        how: Handled,
        stamp: &str,
        receipt: &str,
    ) -> Result<PathBuf, DropError> {
        let folder = match how {
            Handled::Accepted => &self.accepted,
            Handled::Rejected => &self.rejected,
        };
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        let to = free_path(folder, &format!("{stamp}-{}", safe_name(&drop.name)));
        let receipt_path = with_ending(&to, ".receipt.txt");
        write_synced(&receipt_path, receipt.as_bytes())?;
        let from = self.folder.join(&drop.name);
        // HR may have put a newer file under the same name meanwhile, or written over it: that one was not
        // read, and stays. Looked at before the move, and after it, so that nothing can slip in between.
        if !drop.is_still(&from, Look::is_of) {
            self.looks.remove(&drop.name);
            return Ok(from);
        }
        let moved = move_file(&from, &to).inspect_err(|_| {
            // It is tried again in every round, which would leave a receipt each.
            let _ = fs::remove_file(&receipt_path);
        })?;
        if moved == Moved::Renamed && !drop.is_still(&to, Look::has_content_of) && !from.exists() {
            move_file(&to, &from)?;
            self.looks.remove(&drop.name);
            return Ok(from);
        }
        let done = self.folder.join(done_name(&drop.name));
        if fs::symlink_metadata(&done).is_ok() {
            move_file(&done, &with_ending(&to, ".done"))?;
        }
        self.finished.remove(&drop.name);
        self.looks.remove(&drop.name);
        Ok(to)
    }
}

fn is_set_aside(name: &str) -> bool {
    name.starts_with('.')
        || name.ends_with(".done")
        || UNFINISHED.iter().any(|end| name.ends_with(end))
}

fn done_name(name: &OsStr) -> OsString {
    let mut done = name.to_owned();
    done.push(".done");
    done
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(ending);
    PathBuf::from(text)
}

fn read_plain(path: &Path, limit: u64) -> Result<Vec<u8>, DropError> {
    read_plain_of(path, limit).map(|(bytes, _)| bytes)
}

/// Opens a plain file, and nothing else; gives what the system says of it.
fn open_plain(path: &Path) -> Result<(File, rustix::fs::Stat), DropError> {
    // NONBLOCK: opening a pipe that nobody writes must not hang the daemon.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let fd = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::LOOP) => {
            return Err(DropError::NotPlain {
                path: shown(&path.to_string_lossy()),
                found: "a link",
            });
        }
        Err(errno) => return Err(failed("read", path)(errno.into())),
    };
    let data = rustix::fs::fstat(&fd).map_err(|e| failed("read", path)(e.into()))?;
    if FileType::from_raw_mode(data.st_mode) != FileType::RegularFile {
        return Err(DropError::NotPlain {
            path: shown(&path.to_string_lossy()),
            found: "a pipe or device",
        });
    }
    Ok((File::from(fd), data))
}

fn read_plain_of(path: &Path, limit: u64) -> Result<(Vec<u8>, Owner), DropError> {
    let (file, data) = open_plain(path)?;
    let owner = Owner {
        uid: data.st_uid,
        gid: data.st_gid,
        anyone_writes: data.st_mode & 0o002 != 0,
        names: data.st_nlink,
    };
    let size = u64::try_from(data.st_size).unwrap_or(u64::MAX);
    if size > limit {
        return Err(DropError::TooLarge { path: shown(&path.to_string_lossy()), size, limit });
    }
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(DropError::TooLarge {
            path: shown(&path.to_string_lossy()),
            size: bytes.len() as u64,
            limit,
        });
    }
    Ok((bytes, owner))
}

/// Letters, digits, dot, dash and underscore of the name; everything else becomes `_`.
fn safe_name(name: &OsStr) -> String {
    let text = String::from_utf8_lossy(name.as_bytes());
    let safe =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    text.chars().take(120).map(safe).collect()
}

fn free_path(folder: &Path, name: &str) -> PathBuf {
    let first = folder.join(name);
    if fs::symlink_metadata(&first).is_err() {
        return first;
    }
    (2_u32..)
        .map(|n| folder.join(format!("{name}.{n}")))
        .find(|path| fs::symlink_metadata(path).is_err())
        .unwrap_or(first)
}

/// Nobody sees a file that is half written: it gets its name when it is whole.
fn write_synced(path: &Path, bytes: &[u8]) -> Result<(), DropError> {
    let unfinished = with_ending(path, ".part");
    let mut file = File::create(&unfinished).map_err(failed("write", &unfinished))?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    finish_writing(&unfinished, path, written.map_err(failed("write", path)))
}

/// Copies a plain file piece by piece: one that was refused for its size may be larger than the memory.
fn copy_plain(from: &Path, to: &Path) -> Result<(), DropError> {
    let (mut file, _) = open_plain(from)?;
    let unfinished = with_ending(to, ".part");
    let mut copy = File::create(&unfinished).map_err(failed("write", &unfinished))?;
    let copied = io::copy(&mut file, &mut copy).map_err(failed("copy", from));
    let copied = copied.and_then(|_| copy.sync_all().map_err(failed("write", to)));
    finish_writing(&unfinished, to, copied)
}

/// Half a file is worth nothing, and goes.
fn finish_writing(
    unfinished: &Path,
    path: &Path,
    written: Result<(), DropError>,
) -> Result<(), DropError> {
    let written =
        written.and_then(|()| fs::rename(unfinished, path).map_err(failed("write", path)));
    if written.is_err() {
        let _ = fs::remove_file(unfinished);
    }
    written
}

/// How a file was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moved {
    Renamed,
    /// To another file system: the copy is another file.
    Copied,
}

fn move_file(from: &Path, to: &Path) -> Result<Moved, DropError> {
    match fs::rename(from, to) {
        Ok(()) => Ok(Moved::Renamed),
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy_plain(from, to)?;
            fs::remove_file(from).map_err(|error| {
                let _ = fs::remove_file(to);
                failed("remove", from)(error)
            })?;
            Ok(Moved::Copied)
        }
        Err(error) => Err(failed("move", from)(error)),
    }
}

#[cfg(test)]
mod tests;
