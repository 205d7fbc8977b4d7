//! Files that a command sends to the daemon whole.

use super::exit::Exit;
use super::output::Failure;
use crate::control::endpoints::Call;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;

/// A file that is sent.
pub(super) struct Upload {
    bytes: Vec<u8>,
    /// The most bytes that its call takes.
    pub(super) most: usize,
}

impl Upload {
    /// Reads a file for a call.
    pub(super) fn read(path: &Path, call: Call) -> Result<Self, Failure> {
        // Base64 makes four characters of three bytes; some room is left for the rest of the request.
        Ok(Self { bytes: whole(path)?, most: call.endpoint().body_limit() / 4 * 3 - 4096 })
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// As it stands in the request.
    pub(super) fn encoded(&self) -> String {
        STANDARD.encode(&self.bytes)
    }
}

/// A file, read with the caller's rights and not the daemon's.
pub(super) fn whole(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|problem| {
        Failure::new(
            Exit::Failure,
            format!("{} can't be read: {problem}", path.display()),
            "Check the path, and that your account may read the file.",
        )
    })
}

/// A file's own name, as it is told to the daemon; empty where it has none.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
