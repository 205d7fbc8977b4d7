//! A folder in which others put files, on a disk that may hang: a shared one whose server is away.
//!
//! **Guarantee.** Nothing waits for such a disk for longer than [`PATIENCE`] and the time that its file may
//! take. The look at it goes on in a thread of its own; until that ends, every further look fails at once, so
//! that one dead disk delays no departure that HR told of elsewhere.

use super::Daemon;
use crate::cycle::CycleError;
use crate::drops::{DropError, Handled, Inbox, Ready};
use crate::store::{Reader, StoreError};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// So long a look at a folder may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many bytes a second are read at the least from a disk that is not dead.
const SLOWEST: u64 = 256 * 1024;

/// A folder in which others put files.
pub(super) struct Folder {
    inbox: Arc<Mutex<Inbox>>,
    path: PathBuf,
    patience: Duration,
    /// The last look did not end in time. A hint that only shortens the wait: who gets the lock, goes on.
    silent: AtomicBool,
    trouble: StdMutex<Option<String>>,
}

impl Folder {
    pub(super) fn new(inbox: Inbox) -> Self {
        let path = inbox.folder().to_owned();
        Self {
            inbox: Arc::new(Mutex::new(inbox)),
            path,
            patience: PATIENCE,
            silent: AtomicBool::new(false),
            trouble: StdMutex::new(None),
        }
    }

    /// Why the last list of its files could not be made; `None` when it was.
    fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn is_silent(&self) -> DropError {
        self.silent.store(true, Ordering::Relaxed);
        DropError::Silent { path: lapsed_core::shown::shown(&self.path.to_string_lossy()) }
    }

    async fn lock(&self, patience: Duration) -> Result<OwnedMutexGuard<Inbox>, DropError> {
        let inbox = Arc::clone(&self.inbox);
        if self.silent.load(Ordering::Relaxed) {
            return inbox.try_lock_owned().map_err(|_| self.is_silent());
        }
        let waiting = tokio::time::timeout(patience, inbox.lock_owned());
        waiting.await.map_err(|_| self.is_silent())
    }

    /// Looks at the folder in a thread of its own; `bytes` is how much there is to be read.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        bytes: u64,
        look: impl FnOnce(&mut Inbox) -> Result<T, DropError> + Send + 'static,
    ) -> Result<T, DropError> {
        let patience = self.patience.saturating_add(Duration::from_secs(bytes / SLOWEST));
        let mut inbox = self.lock(patience).await?;
        self.silent.store(false, Ordering::Relaxed);
        let looking = tokio::task::spawn_blocking(move || look(&mut inbox));
        match tokio::time::timeout(patience, looking).await {
            Ok(Ok(looked)) => looked,
            // A look that panicked has said nothing, either.
            Ok(Err(_)) | Err(_) => Err(self.is_silent()),
        }
    }

    /// Lists the complete files, by name ([`Inbox::ready`]).
    pub(super) async fn ready(
        &self,
        wants_done: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<Ready>, DropError> {
        let listed =
            self.with(0, move |inbox| inbox.ready(Instant::now(), false, wants_done)).await;
        let trouble = listed.as_ref().err().map(|error| {
            let why = std::error::Error::source(error).map(|why| format!(": {why}"));
            format!("{error}{}", why.unwrap_or_default())
        });
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        listed
    }

    /// Whether files lie there, as far as can be seen.
    pub(super) async fn has_files(&self) -> bool {
        self.with(0, |inbox| Ok(inbox.has_files())).await.unwrap_or(false)
    }

    /// Reads one of its files by one of the ways of [`Inbox`].
    pub(super) async fn read<T: Send + 'static>(
        &self,
        drop: &Ready,
        how: impl FnOnce(&Inbox, &Ready) -> Result<T, DropError> + Send + 'static,
    ) -> Result<T, DropError> {
        let drop = drop.clone();
        self.with(drop.size(), move |inbox| how(inbox, &drop)).await
    }

    /// Moves a file away with its receipt ([`Inbox::finish`]).
    pub(super) async fn finish(
        &self,
        drop: &Ready,
        how: Handled,
        (stamp, receipt): (&str, &str),
    ) -> Result<(), DropError> {
        let bytes = drop.size();
        let (drop, stamp, receipt) = (drop.clone(), stamp.to_owned(), receipt.to_owned());
        let finish =
            move |inbox: &mut Inbox| inbox.finish(&drop, how, &stamp, &receipt).map(|_| ());
        self.with(bytes, finish).await
    }

    /// Notes that the kernel said a file was closed or moved into place.
    pub(super) async fn finished(&self, name: &OsStr) {
        let name = name.to_owned();
        let note = move |inbox: &mut Inbox| {
            inbox.finished(&name);
            Ok(())
        };
        // A hint: without it, the file counts as complete a few moments later.
        let _ = self.with(0, note).await;
    }
}

/// The setting with the folders that can't be looked into, by the daemon that says so.
const UNREADABLE: &str = "folders that can't be looked into";

/// Folders of this daemon, and of others on its state, that can't be looked into, and why.
pub(crate) async fn folders_unreadable(read: &Reader<'_>) -> Result<Vec<String>, StoreError> {
    let known: BTreeMap<String, Vec<String>> = read.setting(UNREADABLE).await?.unwrap_or_default();
    Ok(known.into_values().flatten().collect())
}

impl Daemon {
    /// Puts on record which folders the last round could not look into: the one that tells people of it may
    /// be another daemon.
    pub(super) async fn note_folders(&self) -> Result<(), CycleError> {
        type Known = BTreeMap<String, Vec<String>>;
        let troubles: Vec<String> = self.folders().filter_map(Folder::trouble).collect();
        let known: Known = self.store.read().setting(UNREADABLE).await?.unwrap_or_default();
        if known.get(self.owner()).map_or(&[][..], Vec::as_slice) == troubles {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        let mut known: Known = tx.read().setting(UNREADABLE).await?.unwrap_or_default();
        if troubles.is_empty() {
            known.remove(self.owner());
        } else {
            known.insert(self.owner().to_owned(), troubles);
        }
        tx.set_setting(UNREADABLE, &known).await?;
        tx.commit().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn folder_at(at: &std::path::Path) -> Folder {
        let inbox =
            Inbox::new(at.to_owned(), at.join("in"), at.join("out"), Duration::from_secs(0));
        Folder { patience: Duration::from_millis(50), ..Folder::new(inbox) }
    }

    #[tokio::test]
    async fn a_disk_that_hangs_is_waited_for_once_and_read_again_when_it_is_back() {
        let at = tempfile::tempdir().unwrap();
        std::fs::write(at.path().join("hr.csv"), "x").unwrap();
        let folder = folder_at(at.path());
        let (disk, hangs) = mpsc::channel::<()>();
        let (is_back, back) = tokio::sync::oneshot::channel::<()>();
        let hang = move |_: &mut Inbox| {
            let _ = hangs.recv();
            drop(is_back);
            Ok(())
        };
        assert!(matches!(folder.with(0, hang).await, Err(DropError::Silent { .. })));

        // Without the memory of it, each further look would wait as long as the first.
        let folder = Folder { patience: Duration::from_secs(3_600), ..folder };
        assert!(matches!(folder.ready(|_| false).await, Err(DropError::Silent { .. })));
        assert!(folder.trouble().is_some_and(|told| told.contains("does not answer")));
        assert!(!folder.has_files().await);

        disk.send(()).unwrap();
        let _ = back.await;
        while folder.ready(|_| false).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(folder.trouble(), None);
        assert!(folder.has_files().await);
    }

    #[tokio::test]
    async fn a_large_file_may_take_its_time() {
        let at = tempfile::tempdir().unwrap();
        let folder = folder_at(at.path());
        let slow = |_: &mut Inbox| {
            std::thread::sleep(Duration::from_millis(100));
            Ok(7)
        };
        assert_eq!(folder.with(10 * SLOWEST, slow).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_told() {
        let at = tempfile::tempdir().unwrap();
        let folder = folder_at(&at.path().join("gone"));
        assert!(folder.ready(|_| false).await.is_err());
        let told = folder.trouble().unwrap();
        assert!(told.contains("gone") && told.contains("No such file"), "{told}");
    }
}
