//! Where documents are kept: each under the digest of its bytes, so that it can't be changed unseen and
//! the same file is there once.

use lapsed_core::intake::digest;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// Why a document could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("the document can't be kept in {}; see that the folder is the daemon's and the disk has room", folder.display())]
pub struct DocumentError {
    folder: PathBuf,
    source: io::Error,
}

/// A folder of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    folder: PathBuf,
}

impl Documents {
    /// The documents below a folder, which is made with the first of them.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the document of a digest lies.
    #[must_use]
    pub fn path(&self, sha256: &str) -> PathBuf {
        let (first, rest) = sha256.split_at_checked(2).unwrap_or((sha256, ""));
        self.folder.join(first).join(rest)
    }

    /// Keeps a document and gives its digest. When this returns, it is on stable storage, whole: a crash
    /// leaves either nothing or all of it under its name.
    pub fn keep(&self, bytes: &[u8]) -> Result<String, DocumentError> {
        let sha256 = digest(bytes);
        let failed = |source| DocumentError { folder: self.folder.clone(), source };
        self.write(&self.path(&sha256), bytes).map_err(failed)?;
        Ok(sha256)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        // One that is there is kept only if it is still what its name says.
        if fs::read(path).is_ok_and(|there| there == bytes) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(&self.folder);
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let unfinished = folder.join(format!(".{}.unfinished", Uuid::new_v4()));
        let written = write_new(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            // It is of no use to anyone; the failure itself is what is told.
            let _ = fs::remove_file(&unfinished);
        }
        written?;
        for folder in [folder, &self.folder] {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_document_lies_under_its_digest_and_only_the_daemon_reads_it() {
        let root = tempfile::tempdir().unwrap();
        let documents = Documents::new(root.path().join("documents"));
        let sha256 = documents.keep(b"scan").unwrap();
        assert_eq!(documents.keep(b"scan").unwrap(), sha256);
        let path = documents.path(&sha256);
        assert_eq!(fs::read(&path).unwrap(), b"scan");
        let name = path.strip_prefix(root.path()).unwrap().to_str().unwrap().replace('/', "");
        assert_eq!(name, format!("documents{sha256}"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let folder = path.parent().unwrap();
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn a_document_that_was_changed_is_written_anew() {
        let root = tempfile::tempdir().unwrap();
        let documents = Documents::new(root.path().to_owned());
        let sha256 = documents.keep(b"scan").unwrap();
        fs::write(documents.path(&sha256), b"forged").unwrap();
        documents.keep(b"scan").unwrap();
        assert_eq!(fs::read(documents.path(&sha256)).unwrap(), b"scan");
    }

    #[test]
    fn a_folder_that_can_not_be_written_is_told() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Documents::new(file).keep(b"scan").unwrap_err();
        assert!(error.to_string().contains("can't be kept"), "{error}");
    }
}
