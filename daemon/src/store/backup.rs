//! Copies of the state, and what a daemon on an older copy knows of itself.

use super::audit::head;
use super::connect::{Kind, PATIENCE, make_private};
use super::error::Doing as _;
use super::pauses::Pausable;
use super::{Checkpoints, DatabaseSettings, Reader, Store, StoreError, Witness};
use jiff::Timestamp;
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{ConnectOptions, ConnectionTrait as _, Database, Statement};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The setting under which it is kept.
const BEHIND: &str = "state is an older copy";

/// What is said where the daemon paused something itself.
const BY_ITSELF: &str = "by lapsed itself: the state is an older copy";

/// The state was put back as it was earlier: what came after it took effect in the world, and is not known
/// here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The last row of the audit that the state has.
    pub ends_at: u64,
    /// The last row that the checkpoint file has seen.
    pub seen: u64,
    /// When that row was written.
    pub until: Timestamp,
    /// When this was noticed.
    pub noticed_at: Timestamp,
}

impl Reader<'_> {
    /// Whether the state is an older copy, as noticed when it was first opened.
    ///
    /// # Errors
    /// When the state can't be read.
    pub async fn behind(&self) -> Result<Option<Behind>, StoreError> {
        self.setting(BEHIND).await
    }
}

impl Store {
    /// Puts on record that the checkpoint file is ahead of the audit, the first time only, and stops giving and
    /// deletions until somebody has looked: what was given after the copy would be given again, and what was
    /// put under a legal hold after it would be deleted (D6).
    pub(super) async fn note_behind(&self, behind: Option<Behind>) -> Result<(), StoreError> {
        let Some(behind) = behind else { return Ok(()) };
        let paused = self.read().pauses().await?;
        let tx = self.begin().await?;
        tx.set_setting(BEHIND, &behind).await?;
        tx.pause(Pausable::Giving, BY_ITSELF).await?;
        // Who paused deletions before the copy has their own reason, and it stays to be read.
        if paused.deletions.is_none() {
            tx.pause(Pausable::Deletions, BY_ITSELF).await?;
        }
        tx.commit().await.map(drop)
    }

    /// Copies a SQLite database as of one moment into a new file, beside a running daemon.
    ///
    /// # Errors
    /// With PostgreSQL, which has means of its own; when the file is there already, or can't be written.
    pub async fn copy_to(settings: &DatabaseSettings, to: &Path) -> Result<(), StoreError> {
        let Kind::Sqlite(path) = Kind::of(settings)? else { return Err(StoreError::NotAFile) };
        if !path.exists() {
            return Err(StoreError::Absent { path });
        }
        let failed = |source| StoreError::Copy { path: to.to_owned(), source };
        if to.exists() {
            return Err(failed(io::ErrorKind::AlreadyExists.into()));
        }
        // Readable for its owner only from its first byte on; SQLite fills an empty file.
        make_private(to)?;
        let mut options = ConnectOptions::new("sqlite://state");
        options.max_connections(1).sqlx_logging(false);
        options.map_sqlx_sqlite_opts(move |options: SqliteConnectOptions| {
            options.filename(&path).create_if_missing(false).busy_timeout(PATIENCE)
        });
        let db = Database::connect(options).await.map_err(|source| StoreError::Open { source })?;
        let name = to.display().to_string();
        let copy = Statement::from_sql_and_values(
            db.get_database_backend(),
            "VACUUM INTO $1",
            [name.into()],
        );
        db.execute_raw(copy).await.doing("copying the database")?;
        db.close().await.doing("closing the database")?;
        File::open(to).and_then(|file| file.sync_all()).map_err(failed)
    }

    /// Puts a copy in the place of a SQLite database that no daemon uses, and gives the path to which the
    /// one that was there is moved, if there was one. The copy is looked through first.
    ///
    /// # Errors
    /// While a daemon runs; when the copy is not whole, or of a later release; when files can't be moved.
    pub async fn put_back(
        settings: &DatabaseSettings,
        checkpoints: Option<Checkpoints>,
        from: &Path,
        now: Timestamp,
    ) -> Result<Option<PathBuf>, StoreError> {
        let Kind::Sqlite(path) = Kind::of(settings)? else { return Err(StoreError::NotAFile) };
        // Its lock says that no daemon runs, and that none starts meanwhile.
        let _line = checkpoints.map(Witness::open).transpose()?;
        let beside = path.with_extension("restoring");
        let failed = |source| StoreError::Copy { path: beside.clone(), source };
        let _ = std::fs::remove_file(&beside);
        let source = DatabaseSettings::sqlite(from);
        Self::copy_to(&source, &beside).await?;
        let copy = Self::open_to_read(&DatabaseSettings::sqlite(&beside)).await;
        match copy {
            // A backup of an earlier release is brought up to this one at the start.
            Err(StoreError::Older) => {}
            other => other?.close().await?,
        }
        let aside = free_beside(&path, now);
        let replaced = path.exists();
        if replaced {
            std::fs::rename(&path, &aside).map_err(failed)?;
        }
        // A log that is not the copy's own must never be played into it.
        for ending in ["-wal", "-shm"] {
            let beside_of = |file: &Path| {
                let mut name = file.to_owned().into_os_string();
                name.push(ending);
                PathBuf::from(name)
            };
            let log = beside_of(&path);
            if log.exists() {
                std::fs::rename(&log, beside_of(&aside)).map_err(failed)?;
            }
            let _ = std::fs::remove_file(beside_of(&beside));
        }
        std::fs::rename(&beside, &path).map_err(failed)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        // Also where the checkpoints came back with the copy, and nothing tells what came after it.
        let store = Self::open(settings, None).await?;
        let end = head(&store.read().db).await?.seq;
        let behind = Behind { ends_at: end, seen: end, until: now, noticed_at: now };
        store.note_behind(Some(behind)).await?;
        store.close().await?;
        Ok(replaced.then_some(aside))
    }
}

/// A name beside the database that nothing has: what was there is never written over.
fn free_beside(path: &Path, now: Timestamp) -> PathBuf {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ");
    let named = |nth: u32| match nth {
        1 => path.with_extension(format!("before-{stamp}")),
        nth => path.with_extension(format!("before-{stamp}.{nth}")),
    };
    let mut nth = 1;
    while named(nth).exists() {
        nth += 1;
    }
    named(nth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_was_put_aside_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.db");
        let now: Timestamp = "2026-11-23T16:00:00Z".parse().unwrap();
        let mut names = Vec::new();
        for _ in 0..3 {
            let aside = free_beside(&state, now);
            std::fs::write(&aside, "").unwrap();
            names.push(aside.file_name().unwrap().to_owned());
        }
        assert_eq!(
            names,
            [
                "state.before-20261123T160000Z",
                "state.before-20261123T160000Z.2",
                "state.before-20261123T160000Z.3"
            ]
        );
    }
}
