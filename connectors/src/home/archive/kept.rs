//! What was copied, noted in the quarantine; and the look at it before a home is deleted.

use super::copy::{Copied, KEY, key};
use super::full;
use super::walk::{Visit, walk};
use crate::home::folders::{beneath, gone};
use crate::home::keeper::fault;
use lapsed_core::step::{Cause, Fault};
use rustix::fd::OwnedFd;
use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, flock, fsync, openat2, renameat, unlinkat,
};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, ErrorKind, Read, Write};
use uuid::Uuid;

/// A note names the wished paths: some hundred of them at most.
const LARGEST_NOTE: u64 = 4 * 1024 * 1024;

/// One copy that is whole.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Note {
    /// Its name in the recipient's folder.
    pub name: String,
    /// The whole path, for people.
    pub at: String,
    /// Bytes of the archive.
    pub size: u64,
    /// Whether it belongs to the recipient.
    pub given: bool,
    /// What was wished.
    pub paths: Vec<String>,
    /// What is in it.
    pub copied: Copied,
}

/// The notes of one departure, in a quarantine.
pub(super) struct Notes<'a> {
    quarantine: &'a OwnedFd,
    case: Uuid,
}

impl<'a> Notes<'a> {
    pub(super) fn new(quarantine: &'a OwnedFd, case: Uuid) -> Self {
        Self { quarantine, case }
    }

    fn name(&self, wish: Uuid, ending: &str) -> String {
        format!("kept.{}.{wish}.{ending}", self.case)
    }

    /// The note of a wish; one that can't be read is an error, since nothing may be deleted then.
    pub(super) fn read(&self, wish: Uuid) -> Result<Option<Note>, Fault> {
        let Some(file) = self.open(&self.name(wish, "json"))? else { return Ok(None) };
        let mut text = String::new();
        file.take(LARGEST_NOTE).read_to_string(&mut text).map_err(full)?;
        serde_json::from_str(&text).map(Some).map_err(|error| {
            Fault::Refused(Cause::coded(
                "the note of what was copied can't be read; look at the quarantine, nothing is deleted",
                error.to_string(),
            ))
        })
    }

    fn open(&self, name: &str) -> Result<Option<File>, Fault> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = gone(openat2(self.quarantine, name, flags, Mode::empty(), beneath()));
        Ok(file.map_err(failed)?.map(File::from))
    }

    /// A file of this departure's own for the time of a copy, empty.
    pub(super) fn scratch(&self, wish: Uuid, ending: &str) -> Result<File, Fault> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let name = self.name(wish, ending);
        let file = openat2(self.quarantine, name, flags, Mode::from(0o600), beneath());
        Ok(File::from(file.map_err(failed)?))
    }

    /// The turn at making the copy of a wish, held until it is dropped; none while another has it. It is
    /// held until after the note, so that whoever has it next sees a whole copy or none.
    pub(super) fn turn(&self, wish: Uuid) -> Result<Option<File>, Fault> {
        let file = self.scratch(wish, "turn")?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => Ok(None),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Writes the note, last of all: from now on the copy counts.
    pub(super) fn write(&self, wish: Uuid, note: &Note) -> Result<(), Fault> {
        let mut file = self.scratch(wish, "part")?;
        let text = serde_json::to_vec(note).map_err(|error| full(error.into()))?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(full)?;
        let (from, to) = (self.name(wish, "part"), self.name(wish, "json"));
        renameat(self.quarantine, from, self.quarantine, to).map_err(failed)?;
        let _ = unlinkat(self.quarantine, self.name(wish, "manifest"), AtFlags::empty());
        fsync(self.quarantine).map_err(failed)
    }

    /// Wishes whose copies are whole.
    fn wishes(&self) -> Result<Vec<Uuid>, Fault> {
        let prefix = format!("kept.{}.", self.case);
        let names = names(self.quarantine)?;
        let wishes = names
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix(".json")?.parse().ok());
        Ok(wishes.collect())
    }
}

/// Compares what is in a home now with what was copied of it: nothing is deleted that was to be kept and
/// came, or changed, after its copy.
///
/// # Errors
/// Refused where there is such a file.
pub fn check_kept(quarantine: &OwnedFd, case: Uuid, home: &OwnedFd) -> Result<(), Fault> {
    let notes = Notes::new(quarantine, case);
    let (mut copied, mut listed) = (HashSet::new(), Vec::new());
    for wish in notes.wishes()? {
        let Some(note) = notes.read(wish)? else { continue };
        let seen = notes.open(&notes.name(wish, "seen"))?.ok_or_else(|| {
            Fault::Refused(Cause::new(
                "the list of what was copied is gone from the quarantine; wish for it again (lapsed keep)",
            ))
        })?;
        read_keys(seen, &mut copied)?;
        listed.push(note.paths);
    }
    let mut lacking = 0_u64;
    for paths in listed {
        let walked = walk(home, &paths, &mut |entry| {
            let has_content = matches!(entry.kind, FileType::RegularFile | FileType::Symlink);
            lacking += u64::from(has_content && !copied.contains(&key(entry)));
            Ok(Visit::Fine)
        })?;
        lacking += walked.unreadable;
    }
    if lacking == 0 {
        return Ok(());
    }
    Err(Fault::Refused(Cause::new(format!(
        "{lacking} files that are to be kept came or changed after they were copied; wish for them again (lapsed \
         keep), and the home is deleted once that copy is made"
    ))))
}

fn read_keys(file: File, into: &mut HashSet<[u8; KEY]>) -> Result<(), Fault> {
    let mut reader = BufReader::new(file);
    let mut one = [0; KEY];
    loop {
        match reader.read_exact(&mut one) {
            Ok(()) => _ = into.insert(one),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(full(error)),
        }
    }
}

/// Takes the notes of a departure away, once its home is gone.
///
/// # Errors
/// What the file system says.
pub fn forget(quarantine: &OwnedFd, case: Uuid) -> Result<(), Fault> {
    let prefix = format!("kept.{case}.");
    for name in names(quarantine)?.into_iter().filter(|name| name.starts_with(&prefix)) {
        gone(unlinkat(quarantine, name, AtFlags::empty())).map_err(failed)?;
    }
    Ok(())
}

fn names(folder: &OwnedFd) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    let mut dir = Dir::read_from(folder).map_err(failed)?;
    while let Some(entry) = dir.read() {
        let entry = entry.map_err(failed)?;
        if let Ok(name) = entry.file_name().to_str() {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}

fn failed(errno: Errno) -> Fault {
    fault(errno, "the quarantine")
}
