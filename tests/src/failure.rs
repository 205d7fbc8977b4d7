//! What went wrong while a server was being set up, in words for the one who reads the test's output.

use std::fmt;

/// A failure of the harness; its text holds the whole story, the server's own last words included.
pub struct Failure(String);

/// What the harness returns.
pub type Done<T> = Result<T, Failure>;

impl Failure {
    /// A failure told in one text.
    pub fn new(story: impl Into<String>) -> Self {
        Self(story.into())
    }

    /// The same failure with what was being done in front.
    #[must_use]
    pub fn during(self, what: impl fmt::Display) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Unlike elsewhere, `Debug` shows the text itself: it is what `unwrap` in a test prints.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

impl From<rcgen::Error> for Failure {
    fn from(error: rcgen::Error) -> Self {
        Self(format!("the certificate could not be made: {error}"))
    }
}

impl From<rustls::Error> for Failure {
    fn from(error: rustls::Error) -> Self {
        Self(format!("TLS could not be set up: {error}"))
    }
}

impl From<rustls::pki_types::pem::Error> for Failure {
    fn from(error: rustls::pki_types::pem::Error) -> Self {
        Self(format!("the certificate could not be read: {error}"))
    }
}
