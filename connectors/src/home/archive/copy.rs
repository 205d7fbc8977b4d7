//! Writing the copy: a tar of everything wished, compressed, with a manifest as its last entry.

use super::walk::{Entry, Visit, Walked, walk};
use crate::home::folders::beneath;
use lapsed_core::plan::hex;
use lapsed_core::step::{Cause, Fault};
use rustix::fd::OwnedFd;
use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat2, readlinkat};
use rustix::io::Errno;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// The manifest's name in the archive, in the form that `sha256sum --check` reads.
pub const MANIFEST: &str = "MANIFEST.sha256";

/// What a copy has in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Copied {
    /// Files and links.
    pub files: u64,
    /// Sizes of the files.
    pub bytes: u64,
    /// Pipes, sockets and devices, which have no content to keep.
    pub left_out: u64,
    /// SHA-256 of the manifest, in hexadecimal.
    pub manifest: String,
}

/// Where the parts of a copy go while it is made.
pub struct Parts<'a> {
    /// The archive.
    pub archive: &'a File,
    /// The manifest, until it goes into the archive.
    pub manifest: &'a File,
    /// What was copied, as keys: see [`key`].
    pub seen: &'a File,
}

/// What a copy must keep to.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Sizes of all files, at most.
    pub max_bytes: u64,
    /// How hard zstd tries.
    pub level: i32,
}

/// Copies what the paths name; `below` is the folder in the archive under which it stands.
///
/// # Errors
/// Refused where something can't be read, is not there or is too much. Retry where the disk is full or a
/// file changed meanwhile.
pub fn copy(
    home: &OwnedFd,
    paths: &[String],
    below: &str,
    parts: &Parts<'_>,
    bounds: Bounds,
) -> Result<Copied, Fault> {
    let encoder = zstd::Encoder::new(parts.archive, bounds.level).map_err(full)?;
    let mut writer = Writer {
        tar: Builder::new(encoder),
        manifest: io::BufWriter::new(parts.manifest),
        digest: Sha256::new(),
        seen: io::BufWriter::new(parts.seen),
        below,
        bounds,
        copied: Copied::default(),
    };
    let walked = walk(home, paths, &mut |entry| writer.take(entry))?;
    complete(&walked)?;
    writer.end()
}

fn complete(walked: &Walked) -> Result<(), Fault> {
    let refused = |why: String| Err(Fault::Refused(Cause::new(why)));
    if walked.unreadable > 0 {
        return refused(format!(
            "{} files or folders that are to be kept can't be read with the rights that lapsed has; give them, or \
             copy by hand and take the wish back (lapsed keep WHO --end)",
            walked.unreadable
        ));
    }
    if let Some(first) = walked.missing.first() {
        return refused(format!(
            "{} of the listed paths are not in the home, such as {}; wish for what is there, or take the wish back \
             (lapsed keep WHO --end)",
            walked.missing.len(),
            lapsed_core::shown::shown(first)
        ));
    }
    Ok(())
}

struct Writer<'a> {
    tar: Builder<zstd::Encoder<'static, &'a File>>,
    manifest: io::BufWriter<&'a File>,
    digest: Sha256,
    seen: io::BufWriter<&'a File>,
    below: &'a str,
    bounds: Bounds,
    copied: Copied,
}

impl Writer<'_> {
    fn take(&mut self, entry: &Entry<'_>) -> Result<Visit, Fault> {
        match entry.kind {
            FileType::Directory => self.folder(entry)?,
            FileType::RegularFile => return self.file(entry),
            FileType::Symlink => self.link(entry)?,
            _ => self.copied.left_out += 1,
        }
        Ok(Visit::Fine)
    }

    fn path(&self, entry: &Entry<'_>) -> Vec<u8> {
        let mut path = self.below.as_bytes().to_vec();
        path.push(b'/');
        path.extend_from_slice(entry.path);
        path
    }

    fn folder(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let mut header = header(&entry.stat, EntryType::Directory);
        let path = self.path(entry);
        self.tar.append_data(&mut header, as_path(&path), io::empty()).map_err(full)
    }

    /// A link is kept as what it says; where it leads is nobody's business here.
    fn link(&mut self, entry: &Entry<'_>) -> Result<(), Fault> {
        let says = readlinkat(entry.folder, Path::new(entry.name), Vec::new()).map_err(changed)?;
        let mut header = header(&entry.stat, EntryType::Symlink);
        header.set_size(0);
        let path = self.path(entry);
        self.tar
            .append_link(&mut header, as_path(&path), as_path(says.to_bytes()))
            .map_err(full)?;
        self.copied.files += 1;
        self.seen.write_all(&key(entry)).map_err(full)
    }

    fn file(&mut self, entry: &Entry<'_>) -> Result<Visit, Fault> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = Path::new(entry.name);
        let file = match openat2(entry.folder, name, flags, Mode::empty(), beneath()) {
            Err(Errno::ACCESS | Errno::PERM) => return Ok(Visit::Unreadable),
            opened => opened.map_err(changed)?,
        };
        let before = fstat(&file).map_err(changed)?;
        if !same(&before, &entry.stat) {
            return Err(busy());
        }
        let size = u64::try_from(before.st_size).unwrap_or(0);
        self.copied.bytes = self.copied.bytes.saturating_add(size);
        self.within_bounds()?;
        let mut header = header(&before, EntryType::Regular);
        header.set_size(size);
        let mut source = Hashed {
            inner: File::from(file).take(size),
            digest: Sha256::new(),
            read: 0,
            failed: None,
        };
        let path = self.path(entry);
        let appended = self.tar.append_data(&mut header, as_path(&path), &mut source);
        if let Some(error) = source.failed.take() {
            return Err(Fault::Retry(Cause::coded("a file could not be read to its end", error)));
        }
        appended.map_err(full)?;
        let after = fstat(source.inner.get_ref()).map_err(changed)?;
        if source.read != size || !same(&before, &after) {
            return Err(busy());
        }
        let line = manifest_line(&path, &hex(&source.digest.finalize()));
        self.digest.update(&line);
        self.manifest.write_all(&line).map_err(full)?;
        self.copied.files += 1;
        self.seen.write_all(&key(entry)).map_err(full)?;
        Ok(Visit::Fine)
    }

    fn within_bounds(&self) -> Result<(), Fault> {
        if self.copied.bytes <= self.bounds.max_bytes {
            return Ok(());
        }
        Err(Fault::Refused(Cause::new(format!(
            "what is to be kept is more than {} bytes (archive.max_bytes); wish for less, or raise it",
            self.bounds.max_bytes
        ))))
    }

    fn end(mut self) -> Result<Copied, Fault> {
        self.seen.flush().map_err(full)?;
        self.manifest.flush().map_err(full)?;
        let mut manifest: &File = self.manifest.get_ref();
        let size = io::Seek::stream_position(&mut manifest).map_err(full)?;
        io::Seek::rewind(&mut manifest).map_err(full)?;
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_size(size);
        self.tar.append_data(&mut header, MANIFEST, manifest.take(size)).map_err(full)?;
        let encoder = self.tar.into_inner().map_err(full)?;
        encoder.finish().map_err(full)?;
        Ok(Copied { manifest: hex(&self.digest.finalize()), ..self.copied })
    }
}

/// A line of the manifest: two spaces between, and a mark where the name has a line end or a backslash.
#[must_use]
pub fn manifest_line(path: &[u8], digest: &str) -> Vec<u8> {
    let odd = path.iter().any(|byte| matches!(byte, b'\\' | b'\n' | b'\r'));
    let mut line = Vec::with_capacity(path.len() + digest.len() + 4);
    if odd {
        line.push(b'\\');
    }
    line.extend_from_slice(digest.as_bytes());
    line.extend_from_slice(b"  ");
    for byte in path {
        match byte {
            b'\\' => line.extend_from_slice(b"\\\\"),
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            other => line.push(*other),
        }
    }
    line.push(b'\n');
    line
}

/// Length of a [`key`].
pub const KEY: usize = 16;

/// Stands for a file as it was: path, kind, size and time of its last change.
#[must_use]
pub fn key(entry: &Entry<'_>) -> [u8; KEY] {
    let mut digest = Sha256::new();
    digest.update(entry.stat.st_mode.to_le_bytes());
    digest.update(entry.stat.st_size.to_le_bytes());
    digest.update(entry.stat.st_mtime.to_le_bytes());
    digest.update(entry.stat.st_mtime_nsec.to_le_bytes());
    digest.update(entry.path);
    let whole = digest.finalize();
    let mut short = [0; KEY];
    short.copy_from_slice(&whole[..KEY]);
    short
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn header(stat: &Stat, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(stat.st_mode & 0o7777);
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(0);
    header
}

fn same(one: &Stat, other: &Stat) -> bool {
    (one.st_ino, one.st_size, one.st_mtime, one.st_mtime_nsec)
        == (other.st_ino, other.st_size, other.st_mtime, other.st_mtime_nsec)
}

/// Reads through to the digest; a file that ends early is filled up, so that the archive stays one.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
    read: u64,
    failed: Option<String>,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.inner.read(buffer) {
            Ok(count) => {
                self.digest.update(buffer.get(..count).unwrap_or_default());
                self.read += count as u64;
                Ok(count)
            }
            Err(error) => {
                self.failed = Some(error.to_string());
                Err(error)
            }
        }
    }
}

fn busy() -> Fault {
    Fault::Retry(Cause::new(
        "a file changed while it was copied; end the programs that still write in the home",
    ))
}

fn changed(errno: Errno) -> Fault {
    match errno {
        Errno::NOENT | Errno::LOOP => busy(),
        errno => super::super::keeper::fault(errno, "a file of the home"),
    }
}

/// What a failed write means; a full disk is waited for.
pub fn full(error: io::Error) -> Fault {
    let what = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk for archives is full; make room, nothing was deleted"
        }
        _ => "the archive could not be written; see the file system's log, nothing was deleted",
    };
    Fault::Retry(Cause::coded(what, error.to_string()))
}
