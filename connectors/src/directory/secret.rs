//! Where the password of the daemon's own account is had from: a file or a systemd credential.

use super::settings::BindSettings;
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
    #[error("can't read the password in {}; let the daemon's user read it", path.display())]
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
    #[error("the password in {} is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

impl SecretSource {
    /// What the settings name, if they name one.
    pub(super) fn of(bind: &BindSettings) -> Option<Self> {
        let file = bind.password_file.clone().map(Self::File);
        file.or_else(|| bind.password_credential.clone().map(Self::Credential))
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
