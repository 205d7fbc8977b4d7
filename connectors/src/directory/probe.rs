//! What `check` tries: every server, and everything that a working directory needs.

use super::Directory;
use crate::contract::Probed;

pub(super) async fn probe(directory: &Directory) -> Vec<Probed> {
    let _ = directory;
    Vec::new()
}
