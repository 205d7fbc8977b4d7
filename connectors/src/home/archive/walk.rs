//! Everything below the listed paths of a home, without following anything.

use super::super::folders::{gone, open_below};
use super::super::keeper::fault;
use lapsed_core::step::{Cause, Fault};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::ffi::CString;
use rustix::fs::{AtFlags, Dir, FileType, Stat, statat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// So many folders are kept open; what lies deeper is not copied, and so not deleted.
const DEEPEST: usize = 400;

/// What a walk came by.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The folder that has it, open.
    pub folder: BorrowedFd<'a>,
    /// Its name there.
    pub name: &'a OsStr,
    /// Its path below the home: bytes, not text.
    pub path: &'a [u8],
    /// What was known of it a moment ago.
    pub stat: Stat,
    /// What it is.
    pub kind: FileType,
}

/// How a walk ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Listed paths that are not there.
    pub missing: Vec<String>,
    /// Files and folders that the rights at hand do not open.
    pub unreadable: u64,
}

/// Whether an entry could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// It could, or was none of ours.
    Fine,
    /// The rights at hand do not open it.
    Unreadable,
}

/// Visits every file, link and folder below the paths, folders before what is in them; all of the home
/// where there are none.
///
/// # Errors
/// What the visitor says, a mount point, or folders that lie too deep.
pub fn walk(
    home: &OwnedFd,
    paths: &[String],
    visit: &mut dyn FnMut(&Entry<'_>) -> Result<Visit, Fault>,
) -> Result<Walked, Fault> {
    let mut walked = Walked::default();
    if paths.is_empty() {
        below(home, Vec::new(), &mut walked, visit)?;
    }
    for path in outermost(paths) {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let Some(folder) = gone(open_below(home, parent)).map_err(broken)? else {
            walked.missing.push(path.to_owned());
            continue;
        };
        let name = OsStr::new(name);
        let stat = gone(statat(&folder, Path::new(name), AtFlags::SYMLINK_NOFOLLOW));
        let Some(stat) = stat.map_err(broken)? else {
            walked.missing.push(path.to_owned());
            continue;
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let entry = Entry { folder: folder.as_fd(), name, path: path.as_bytes(), stat, kind };
        one(&entry, &mut walked, visit)?;
    }
    Ok(walked)
}

/// Paths without those that lie below another one.
fn outermost(paths: &[String]) -> Vec<&str> {
    let mut sorted: Vec<&str> = paths.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let mut kept: Vec<&str> = Vec::new();
    for path in sorted {
        let is_below = kept.iter().any(|above| {
            path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        if !is_below {
            kept.push(path);
        }
    }
    kept
}

fn one(
    entry: &Entry<'_>,
    walked: &mut Walked,
    visit: &mut dyn FnMut(&Entry<'_>) -> Result<Visit, Fault>,
) -> Result<(), Fault> {
    if visit(entry)? == Visit::Unreadable {
        walked.unreadable += 1;
    }
    if entry.kind != FileType::Directory {
        return Ok(());
    }
    match gone(open_below(entry.folder, Path::new(entry.name))) {
        Ok(Some(folder)) => below(&folder, entry.path.to_vec(), walked, visit),
        Ok(None) => Ok(()),
        Err(Errno::ACCESS | Errno::PERM) => {
            walked.unreadable += 1;
            Ok(())
        }
        Err(errno) => Err(broken(errno)),
    }
}

/// The content of a folder. Folders within are kept on a stack of their own: a hostile depth must not
/// be one of this program's.
fn below(
    top: &OwnedFd,
    path: Vec<u8>,
    walked: &mut Walked,
    visit: &mut dyn FnMut(&Entry<'_>) -> Result<Visit, Fault>,
) -> Result<(), Fault> {
    let mut open = vec![(Dir::read_from(top).map_err(broken)?, path)];
    while let Some((dir, prefix)) = open.last_mut() {
        let name = match dir.read() {
            None => {
                open.pop();
                continue;
            }
            Some(found) => CString::from(found.map_err(broken)?.file_name()),
        };
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let folder = dir.fd().map_err(broken)?;
        let found = gone(statat(folder, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW));
        let Some(stat) = found.map_err(broken)? else { continue };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let path = joined(prefix, name.to_bytes());
        let entry =
            Entry { folder, name: OsStr::from_bytes(name.to_bytes()), path: &path, stat, kind };
        if visit(&entry)? == Visit::Unreadable {
            walked.unreadable += 1;
        }
        if kind != FileType::Directory {
            continue;
        }
        match gone(open_below(folder, name.as_c_str())) {
            Ok(None) => {}
            Err(Errno::ACCESS | Errno::PERM) => walked.unreadable += 1,
            Err(errno) => return Err(broken(errno)),
            Ok(Some(_)) if open.len() >= DEEPEST => {
                return Err(Fault::Refused(Cause::new(format!(
                    "folders of the home lie more than {DEEPEST} deep; copy them by hand"
                ))));
            }
            Ok(Some(child)) => open.push((Dir::new(child).map_err(broken)?, path)),
        }
    }
    Ok(())
}

fn joined(prefix: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = prefix.to_vec();
    if !path.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

fn broken(errno: Errno) -> Fault {
    fault(errno, "the home")
}
