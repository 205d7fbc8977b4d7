//! Server trees that are slow to make: kept as archives under `target/test-servers`, made once.

use crate::process::{Scratch, find_program, run};
use crate::{Done, Failure};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// Unpacks the tree called `key` as the folder `name` in `scratch`. If no archive of it is kept yet,
/// `make` makes the tree in a folder that it is given; two processes at once make it only once.
pub fn tree(
    key: &str,
    scratch: &Scratch,
    name: &str,
    make: impl FnOnce(&Scratch, &Path) -> Done<()>,
) -> Done<PathBuf> {
    let archives = folder()?;
    let archive = archives.join(format!("{key}.tar"));
    if !archive.exists() {
        let lock = File::create(archives.join(format!("{key}.lock")))?;
        lock.lock()?;
        if !archive.exists() {
            make_archive(&archive, scratch, make).map_err(|e| e.during(key))?;
        }
    }
    let target = scratch.folder(name)?;
    unpack(&archive, scratch, &target)?;
    Ok(target)
}

fn make_archive(
    archive: &Path,
    like: &Scratch,
    make: impl FnOnce(&Scratch, &Path) -> Done<()>,
) -> Done<()> {
    let scratch = like.sibling("image")?;
    let tree = scratch.folder("tree")?;
    make(&scratch, &tree)?;
    let unfinished = archive.with_extension(format!("{}.unfinished", std::process::id()));
    // The servers' user can read the tree, and only we can write below `target`.
    let mut pack = scratch.command(find_program("tar", &[])?);
    pack.arg("--create").arg("--sparse").arg("--directory").arg(&tree).arg(".");
    let status = pack.stdout(File::create(&unfinished)?).status()?;
    if !status.success() {
        return Err(Failure::new(format!("tar ended with {status}")));
    }
    fs::rename(&unfinished, archive)?;
    Ok(())
}

fn unpack(archive: &Path, scratch: &Scratch, target: &Path) -> Done<()> {
    let mut unpack = scratch.command(find_program("tar", &[])?);
    unpack.args(["--extract", "--no-same-owner", "--directory"]).arg(target);
    run(unpack.stdin(Stdio::from(File::open(archive)?)))?;
    Ok(())
}

/// The folder of archives: it may be deleted at any time that no test runs.
fn folder() -> Done<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from);
    let folder = target.join("test-servers");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
