//! A folder in which others put files, on a disk that may hang: a shared one whose server is away.
//!
//! **Guarantee.** Nothing waits for such a disk for longer than [`PATIENCE`] and the time that its file may
//! take. The look at it goes on in a thread of its own; until that ends, every further look fails at once, so
//! that one dead disk delays no departure that HR told of elsewhere.

use super::Daemon;
use super::run::log_failure;
use crate::causes::with_causes;
use crate::cycle::CycleError;
use crate::drops::{DropError, Handled, Inbox, Ready};
use crate::store::{Reader, StoreError};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, OwnedMutexGuard, watch};

/// So long a look at a folder may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many bytes a second are read at the least from a disk that is not dead.
const SLOWEST: u64 = 64 * 1024;

/// What kept the last looks from being whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Troubles {
    /// Its files could not be listed.
    listing: Option<String>,
    /// Files that could not be read or moved, by name: those of their feed that came later wait for them.
    files: BTreeMap<OsString, String>,
}

/// A folder in which others put files.
pub(super) struct Folder {
    inbox: Arc<Mutex<Inbox>>,
    path: PathBuf,
    patience: Duration,
    /// A look did not end in time, and has not ended yet.
    silent: Arc<watch::Sender<bool>>,
    troubles: StdMutex<Troubles>,
}

impl Folder {
    pub(super) fn new(inbox: Inbox) -> Self {
        let path = inbox.folder().to_owned();
        Self {
            inbox: Arc::new(Mutex::new(inbox)),
            path,
            patience: PATIENCE,
            silent: Arc::new(watch::Sender::new(false)),
            troubles: StdMutex::default(),
        }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn shown(&self) -> String {
        lapsed_core::shown::shown(&self.path.to_string_lossy())
    }

    /// The folder, and why the last look at it was not whole; `None` when it was.
    pub(super) fn trouble(&self) -> Option<(String, String)> {
        let Troubles { listing, files } = self.troubles().clone();
        listing.or(files.into_values().next()).map(|why| (self.shown(), why))
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note_listing<T>(&self, listed: &Result<T, DropError>) {
        self.troubles().listing = listed.as_ref().err().map(|error| with_causes(error));
    }

    /// What is no plain file, or too large, is its sender's trouble; what is still being written is none.
    fn note_a_file<T>(&self, name: &OsStr, looked: &Result<T, DropError>) {
        match looked {
            Err(error @ (DropError::Silent { .. } | DropError::Io { .. })) => {
                let name_shown = lapsed_core::shown::shown(&name.to_string_lossy());
                let why = format!("{name_shown} can't be read or moved: {}", with_causes(error));
                self.troubles().files.insert(name.to_owned(), why);
            }
            _ => {
                self.troubles().files.remove(name);
            }
        }
    }

    fn is_silent(&self) -> DropError {
        DropError::Silent { path: self.shown() }
    }

    /// Every look has its end, so that this has one, too.
    async fn lock(&self) -> Result<OwnedMutexGuard<Inbox>, DropError> {
        let mut silent = self.silent.subscribe();
        tokio::select! {
            biased;
            inbox = Arc::clone(&self.inbox).lock_owned() => Ok(inbox),
            _ = silent.wait_for(|silent| *silent) => Err(self.is_silent()),
        }
    }

    /// Looks at the folder in a thread of its own; `bytes` is how much there is to be read.
    pub(super) async fn with<T: Send + 'static>(
        &self,
        bytes: u64,
        look: impl FnOnce(&mut Inbox) -> Result<T, DropError> + Send + 'static,
    ) -> Result<T, DropError> {
        let patience = self.patience.saturating_add(Duration::from_secs(bytes / SLOWEST));
        let mut inbox = self.lock().await?;
        let silent = Arc::clone(&self.silent);
        let looking = tokio::task::spawn_blocking(move || {
            let looked = look(&mut inbox);
            drop(inbox);
            silent.send_replace(false);
            looked
        });
        match tokio::time::timeout(patience, looking).await {
            Ok(Ok(looked)) => looked,
            // A look that panicked has said nothing, and holds nothing any more.
            Ok(Err(_)) => Err(self.is_silent()),
            Err(_) => {
                self.silent.send_replace(true);
                // It may have ended in this very moment.
                if self.inbox.try_lock().is_ok() {
                    self.silent.send_replace(false);
                }
                Err(self.is_silent())
            }
        }
    }

    /// Lists the complete files, the oldest first ([`Inbox::ready`]).
    pub(super) async fn ready(
        &self,
        wants_done: impl Fn(&str) -> bool + Send + 'static,
    ) -> Result<Vec<Ready>, DropError> {
        let listed =
            self.with(0, move |inbox| inbox.ready(Instant::now(), false, wants_done)).await;
        self.note_listing(&listed);
        if let Ok(listed) = &listed {
            self.troubles().files.retain(|name, _| listed.iter().any(|file| file.name == *name));
        }
        listed
    }

    /// Whether files lie there, as far as can be seen.
    pub(super) async fn has_files(&self) -> bool {
        let has = self.with(0, |inbox| inbox.has_files()).await;
        self.note_listing(&has);
        has.unwrap_or(false)
    }

    /// Reads one of its files by one of the ways of [`Inbox`].
    pub(super) async fn read<T: Send + 'static>(
        &self,
        drop: &Ready,
        how: impl FnOnce(&Inbox, &Ready) -> Result<T, DropError> + Send + 'static,
    ) -> Result<T, DropError> {
        let (name, drop, size) = (drop.name.clone(), drop.clone(), drop.size());
        let read = self.with(size, move |inbox| how(inbox, &drop)).await;
        self.note_a_file(&name, &read);
        read
    }

    /// Moves a file away with its receipt ([`Inbox::finish`]), and those that belong to it after it.
    pub(super) async fn finish(
        &self,
        drop: &Ready,
        along: Vec<Ready>,
        how: Handled,
        (stamp, receipt): (&str, &str),
    ) -> Result<(), DropError> {
        let bytes = along.iter().map(Ready::size).sum::<u64>().saturating_add(drop.size());
        let name = drop.name.clone();
        let (drop, stamp, receipt) = (drop.clone(), stamp.to_owned(), receipt.to_owned());
        let finish = move |inbox: &mut Inbox| {
            inbox.finish(&drop, how, &stamp, &receipt)?;
            for file in &along {
                // It may be named under two meanings, or another took it along.
                if let Err(error) = inbox.follow(file, how, &stamp) {
                    let why = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, why, "what belongs to a form is left where it is");
                }
            }
            Ok(())
        };
        let finished = self.with(bytes, finish).await;
        self.note_a_file(&name, &finished);
        finished
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

/// By daemon: folders, each with its reason.
type Unreadable = BTreeMap<String, Vec<(String, String)>>;

impl Daemon {
    /// Folders of this daemon, and of others that work on its state, that can't be looked into, and why.
    pub(crate) async fn folders_unreadable(
        &self,
        read: &Reader<'_>,
    ) -> Result<Vec<(String, String)>, StoreError> {
        let mut known: Unreadable = read.setting(UNREADABLE).await?.unwrap_or_default();
        // Those of a daemon that is gone, or has another name now, are nobody's.
        let others = if self.store.is_shared() { read.daemons().await? } else { Vec::new() };
        known.retain(|name, _| {
            name == self.owner() || others.iter().any(|d| d.name == *name && d.runs())
        });
        let several = others.len() > 1;
        let mut all = Vec::new();
        for (name, folders) in known {
            all.extend(folders.into_iter().map(|(folder, why)| {
                if several { (format!("{folder} of {name}"), why) } else { (folder, why) }
            }));
        }
        Ok(all)
    }

    /// Puts on record which folders the last round could not look into: the one that tells people of it may
    /// be another daemon. No departure waits for it.
    pub(super) async fn note_folders(&self) {
        if let Err(error) = self.try_to_note_folders().await {
            log_failure("noting folders", &error);
        }
    }

    async fn try_to_note_folders(&self) -> Result<(), CycleError> {
        if self.store.is_shared() {
            let seen = self.orders_seen.load(Ordering::Relaxed);
            self.store.note_orders_seen(self.owner(), seen).await?;
        }
        let troubles: Vec<_> = self.folders().filter_map(|folder| folder.trouble()).collect();
        let known: Unreadable = self.store.read().setting(UNREADABLE).await?.unwrap_or_default();
        if known.get(self.owner()).map_or(&[][..], Vec::as_slice) == troubles {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        let mut known: Unreadable = tx.read().setting(UNREADABLE).await?.unwrap_or_default();
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
        assert!(folder.trouble().is_some_and(|(_, told)| told.contains("does not answer")));
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
    async fn whoever_waits_for_a_look_that_takes_its_time_is_not_told_that_the_disk_is_dead() {
        let at = tempfile::tempdir().unwrap();
        let folder = Arc::new(folder_at(at.path()));
        let (disk, slow) = mpsc::channel::<()>();
        let (begins, begun) = tokio::sync::oneshot::channel();
        let reader = Arc::clone(&folder);
        let reading = tokio::spawn(async move {
            let read = move |_: &mut Inbox| {
                let _ = begins.send(());
                let _ = slow.recv();
                Ok(())
            };
            reader.with(3_600 * SLOWEST, read).await
        });
        begun.await.unwrap();
        let mut listing = Box::pin(folder.ready(|_| false));
        let patience = folder.patience * 3;
        assert!(tokio::time::timeout(patience, &mut listing).await.is_err(), "it waits");
        disk.send(()).unwrap();
        assert!(listing.await.is_ok() && reading.await.unwrap().is_ok());
        assert_eq!(folder.trouble(), None);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_in_time_is_told_until_it_is_read_or_gone() {
        let at = tempfile::tempdir().unwrap();
        std::fs::write(at.path().join("hr.csv"), "x").unwrap();
        let folder = folder_at(at.path());
        let listed = folder.ready(|_| false).await.unwrap();
        let (disk, hangs) = mpsc::channel::<()>();
        let hang = move |_: &Inbox, _: &Ready| {
            let _ = hangs.recv();
            Ok(())
        };
        assert!(folder.read(&listed[0], hang).await.is_err());
        disk.send(()).unwrap();
        while folder.ready(|_| false).await.is_err() {
            tokio::task::yield_now().await;
        }
        assert!(folder.trouble().is_some(), "that it can be listed says nothing of the file");
        folder.read(&listed[0], |_, _| Ok(())).await.unwrap();
        assert_eq!(folder.trouble(), None);
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_told() {
        let at = tempfile::tempdir().unwrap();
        let folder = folder_at(&at.path().join("gone"));
        assert!(folder.ready(|_| false).await.is_err());
        let (_, told) = folder.trouble().unwrap();
        assert!(told.contains("gone") && told.contains("No such file"), "{told}");
    }
}
