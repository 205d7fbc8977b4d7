//! Where a password or key of the daemon's own is had from: a file or a systemd credential.

use secrecy::SecretString;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// A place that holds a secret; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of this file.
    File(PathBuf),
    /// A systemd credential of this name, in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why a secret could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("can't read the secret in {}; let the daemon's user read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// systemd handed no credentials over.
    #[error("no systemd credentials are there; add LoadCredential={0}:/path to the unit")]
    NoCredentials(String),
    /// Nothing is in it. A log-on without a password succeeds as nobody, so it is never tried.
    #[error("the secret in {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl SecretSource {
    /// What the settings name, if they name one; the file where they name both.
    pub(crate) fn of(file: Option<&PathBuf>, credential: Option<&String>) -> Option<Self> {
        let file = file.cloned().map(Self::File);
        file.or_else(|| credential.cloned().map(Self::Credential))
    }

    /// Reads it anew: a changed password counts at the next connection.
    ///
    /// # Errors
    /// When the place is missing, unreadable or empty.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let path = match self {
            Self::File(path) => path.clone(),
            Self::Credential(name) => std::env::var_os("CREDENTIALS_DIRECTORY")
                .map(|folder| PathBuf::from(folder).join(name))
                .ok_or_else(|| SecretError::NoCredentials(name.clone()))?,
        };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => Zeroizing::new(text),
            Err(source) => return Err(SecretError::Unreadable { path, source }),
        };
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(SecretString::from(line.to_owned())),
            _ => Err(SecretError::Empty { path }),
        }
    }
}
