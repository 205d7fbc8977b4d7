//! `lapsed backup` and `lapsed restore-state`.

use super::exit::Exit;
use super::output::Failure;
use super::plan::sound_config;
use super::{Globals, Outcome, waited};
use crate::config::Config;
use crate::rehearse::database;
use crate::service::checkpoints_of;
use crate::store::Store;
use jiff::Timestamp;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Names within a backup.
const STATE: &str = "state.db";
const CHECKPOINTS: &str = "checkpoints";
const DOCUMENTS: &str = "documents";

/// Where to.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Beside a running daemon, under its account. The keys are not part of it: keep them elsewhere.\n\nExample:\n  \
                  lapsed backup /srv/backup/lapsed-2026-11-30"
)]
pub struct BackupArgs {
    /// Folder that is made for it
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// Where from.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The daemon must be stopped. The state that was there is kept beside it.\n\nExample:\n  \
                  lapsed restore-state /srv/backup/lapsed-2026-11-30"
)]
pub struct RestoreStateArgs {
    /// Folder that `lapsed backup` made
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

pub(super) fn backup(globals: &Globals, args: &BackupArgs) -> Outcome {
    let config = sound_config(globals.config_path())?;
    let to = &args.folder;
    fs::create_dir_all(to)
        .and_then(|()| fs::set_permissions(to, fs::Permissions::from_mode(0o700)))
        .map_err(|problem| unwritten(to, &problem))?;
    let copied = waited(Store::copy_to(&database(&config), &to.join(STATE)))?;
    copied.map_err(|error| Failure::caused(&error, "Nothing was changed in the state."))?;
    // After the state: it has then seen every row that the copy has.
    let checkpoints = config.audit.checkpoint_file.as_path();
    if checkpoints.exists() {
        let copy = to.join(CHECKPOINTS);
        fs::copy(checkpoints, &copy).map_err(|problem| unwritten(&copy, &problem))?;
    }
    let documents = config.state.documents();
    let count = copied_tree(&documents, &to.join(DOCUMENTS))?;
    let what = format!("{} with {count} documents; its keys are not in it", to.display());
    globals.output().raw(format!("The state is copied to {what}.\n").as_bytes())?;
    Ok(Exit::Fine)
}

pub(super) fn restore_state(globals: &Globals, args: &RestoreStateArgs) -> Outcome {
    let config = sound_config(globals.config_path())?;
    let from = args.folder.join(STATE);
    if !from.exists() {
        return Err(Failure::new(
            Exit::Failure,
            format!("{} is no backup of lapsed: there is no {STATE} in it", args.folder.display()),
            "Name the folder that lapsed backup made.",
        ));
    }
    let count = copied_tree(&args.folder.join(DOCUMENTS), &config.state.documents())?;
    checkpoints_back(&config, &args.folder)?;
    let (settings, now) = (database(&config), Timestamp::now());
    let put = Store::put_back(&settings, checkpoints_of(&config), &from, now);
    let aside = waited(put)?.map_err(|error| {
        Failure::caused(&error, "Stop the daemon first: systemctl stop lapsed.")
    })?;
    let before = match aside {
        Some(path) => format!("what was there is kept as {}", path.display()),
        None => "there was none before".into(),
    };
    let text = format!(
        "The state is as it was at the backup ({count} documents put back); {before}.\n\
         Start the daemon, and see lapsed status: what was done after the backup is not known to it.\n\
         It gives and deletes nothing until holds and forms since then are entered again, and lapsed resume\n\
         deletions and lapsed resume giving say so. Access still ends.\n"
    );
    globals.output().raw(text.as_bytes())?;
    Ok(Exit::Fine)
}

/// The file of a machine that is lost comes back; one that is there is newer and stays: by it the daemon
/// sees that its state is an older copy.
fn checkpoints_back(config: &Config, folder: &Path) -> Result<(), Failure> {
    let (kept, file) = (folder.join(CHECKPOINTS), config.audit.checkpoint_file.as_path());
    if kept.exists() && !file.exists() {
        fs::copy(&kept, file).map_err(|problem| unwritten(file, &problem))?;
    }
    Ok(())
}

/// Copies what is not there yet: each file is named by its digest, and never changes.
fn copied_tree(from: &Path, to: &Path) -> Result<u64, Failure> {
    if !from.exists() {
        return Ok(0);
    }
    let read = |problem: io::Error| unwritten(from, &problem);
    fs::create_dir_all(to).map_err(|problem| unwritten(to, &problem))?;
    let mut count = 0;
    for entry in fs::read_dir(from).map_err(read)? {
        let entry = entry.map_err(read)?;
        let target = to.join(entry.file_name());
        let kind = entry.file_type().map_err(read)?;
        if kind.is_dir() {
            count += copied_tree(&entry.path(), &target)?;
        } else if kind.is_file() && !target.exists() {
            fs::copy(entry.path(), &target).map_err(|problem| unwritten(&target, &problem))?;
            count += 1;
        }
    }
    Ok(count)
}

fn unwritten(path: &Path, problem: &io::Error) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("{} can't be copied: {problem}", path.display()),
        "Make room, or run it under the daemon's account: runuser -u lapsed -- lapsed backup FOLDER.",
    )
}
