//! Reading a copy back against its manifest, before anybody says that it is there.

use super::copy::{Copied, MANIFEST, manifest_line};
use lapsed_core::plan::hex;
use lapsed_core::step::{Cause, Fault};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Read, Seek};
use tar::EntryType;

/// Reads the whole archive: every file must have the digest that was taken when it was read from the
/// home, in the same order, and the manifest must be the last entry.
///
/// # Errors
/// Where it is not so: what was written is not what was read, and it is made again.
pub fn verify(mut archive: &File, copied: &Copied) -> Result<(), Fault> {
    archive.rewind().map_err(unreadable)?;
    let decoder = zstd::Decoder::new(archive).map_err(unreadable)?;
    let mut tar = tar::Archive::new(decoder);
    let (mut files, mut whole, mut last) = (0_u64, Sha256::new(), None);
    for entry in tar.entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let path = entry.path_bytes().into_owned();
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Symlink => {
                files += 1;
                continue;
            }
            _ => continue,
        }
        let digest = hex(&digest_of(&mut entry).map_err(unreadable)?);
        if path == MANIFEST.as_bytes() {
            last = Some(digest);
            continue;
        }
        if last.is_some() {
            return Err(other("something stands behind its manifest"));
        }
        files += 1;
        whole.update(manifest_line(&path, &digest));
    }
    let manifest = hex(&whole.finalize());
    if last.as_ref() != Some(&copied.manifest) || manifest != copied.manifest {
        return Err(other("its files do not have the digests of the manifest"));
    }
    if files != copied.files {
        return Err(other("it has not as many files as were copied"));
    }
    Ok(())
}

fn digest_of(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match reader.read(&mut buffer)? {
            0 => return Ok(digest.finalize().to_vec()),
            count => digest.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn other(why: &str) -> Fault {
    Fault::Retry(Cause::new(format!(
        "the archive was read back and {why}; see the disk's log, it is made again"
    )))
}

fn unreadable(error: io::Error) -> Fault {
    Fault::Retry(Cause::coded(
        "the archive can't be read back; see the disk's log, it is made again",
        error.to_string(),
    ))
}
