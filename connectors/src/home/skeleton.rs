//! What a new home begins with: a folder of the agency's, copied without following anything in it.

use super::folders::{beneath, open_below, open_root};
use super::keeper::fault;
use super::owner::Owner;
use lapsed_core::step::{Cause, Fault};
use rustix::fd::{AsFd, OwnedFd};
use rustix::ffi::CStr;
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, Stat, fchmod, fstat, mkdirat, openat2, readlinkat,
    statat, symlinkat,
};
use rustix::process::geteuid;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than this is no skeleton but somebody's home.
const MOST_ENTRIES: u32 = 10_000;
const MOST_BYTES: u64 = 1024 * 1024 * 1024;
const DEEPEST: u32 = 32;

/// Copies a skeleton into a new home, and gives all of it to its owner.
///
/// # Errors
/// Retry where the skeleton is not what can be copied: whoever set it up mends it.
pub(super) fn copy(skeleton: &Path, home: &OwnedFd, owner: Owner) -> Result<(), Fault> {
    let from = open_root(skeleton).map_err(|errno| {
        let what = format!(
            "the skeleton {} can't be opened; it must be a folder without symbolic links in its path",
            skeleton.display()
        );
        Fault::Retry(Cause::coded(what, format!("errno {}", errno.raw_os_error())))
    })?;
    Copy { owner, entries: MOST_ENTRIES, bytes: MOST_BYTES }.folder(&from, home, 0)
}

struct Copy {
    owner: Owner,
    entries: u32,
    bytes: u64,
}

impl Copy {
    fn folder(&mut self, from: &OwnedFd, to: &OwnedFd, depth: u32) -> Result<(), Fault> {
        trusted(&fstat(from).map_err(of_skeleton)?)?;
        if depth > DEEPEST {
            return Err(too_much());
        }
        let mut dir = Dir::read_from(from).map_err(of_skeleton)?;
        while let Some(entry) = dir.read() {
            let entry = entry.map_err(of_skeleton)?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries = self.entries.checked_sub(1).ok_or_else(too_much)?;
            self.entry(from, to, name, depth)?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        depth: u32,
    ) -> Result<(), Fault> {
        let known = statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(of_skeleton)?;
        match FileType::from_raw_mode(known.st_mode) {
            FileType::Directory => {
                let source = open_below(from, name).map_err(of_skeleton)?;
                mkdirat(to, name, Mode::from(0o700)).map_err(of_home)?;
                let made = open_below(to, name).map_err(of_home)?;
                self.folder(&source, &made, depth + 1)?;
                self.finish(&made, &known)
            }
            FileType::RegularFile => self.file(from, to, name, &known),
            FileType::Symlink => {
                let says = readlinkat(from, name, Vec::new()).map_err(of_skeleton)?;
                symlinkat(says.as_c_str(), to, name).map_err(of_home)?;
                self.owner.give_link(to, name).map_err(of_home)
            }
            // Pipes, sockets and devices are no beginning of a home.
            _ => Ok(()),
        }
    }

    fn file(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &CStr,
        known: &Stat,
    ) -> Result<(), Fault> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let source = openat2(from, name, flags, Mode::empty(), beneath()).map_err(of_skeleton)?;
        trusted(known)?;
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat2(to, name, flags, Mode::from(0o600), beneath()).map_err(of_home)?;
        let mut made = File::from(made);
        // One byte more than allowed shows that there is more.
        let mut source = File::from(source).take(self.bytes + 1);
        let copied = io::copy(&mut source, &mut made)
            .and_then(|bytes| made.sync_all().map(|()| bytes))
            .map_err(|error| {
                let what = "the skeleton could not be copied; see the file system's log";
                Fault::Retry(Cause::coded(what, error.to_string()))
            })?;
        self.bytes = self.bytes.checked_sub(copied).ok_or_else(too_much)?;
        self.finish(&made, known)
    }

    /// The rights as in the skeleton, but for those that lend the owner's or the group's.
    fn finish(&self, made: impl AsFd, known: &Stat) -> Result<(), Fault> {
        fchmod(made.as_fd(), Mode::from_raw_mode(known.st_mode & 0o777)).map_err(of_home)?;
        self.owner.give(made).map_err(of_home)
    }
}

/// What others can write to could lead to anything that we may read.
fn trusted(known: &Stat) -> Result<(), Fault> {
    let ours = known.st_uid == 0 || known.st_uid == geteuid().as_raw();
    if ours && known.st_mode & 0o022 == 0 {
        return Ok(());
    }
    Err(Fault::Retry(Cause::new(
        "the skeleton, and all that is in it, must belong to root and be writable by nobody else",
    )))
}

fn too_much() -> Fault {
    Fault::Retry(Cause::new(format!(
        "the skeleton is more than a home begins with ({MOST_ENTRIES} files, 1 GiB, {DEEPEST} folders deep); name another"
    )))
}

fn of_skeleton(errno: rustix::io::Errno) -> Fault {
    fault(errno, "the skeleton of homes")
}

fn of_home(errno: rustix::io::Errno) -> Fault {
    fault(errno, "the new home")
}
