//! The service's own files: the unit, its accounts and its folders, and a boot of all of them.

mod boot;
mod files;

use lapsed_tests::process::find_program;
use std::path::{Path, PathBuf};

/// The folder with the unit and what belongs to it.
fn systemd_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd")
}

/// Says that a test was skipped and why; a skipped test must never look like one that passed.
fn skip(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

/// A program of systemd's, or a printed word that the test is skipped without it.
fn tool(name: &str) -> Option<PathBuf> {
    let found = find_program(name, &[]);
    if found.is_err() {
        skip(&format!("{name} is not installed; `make servers` installs it"));
    }
    found.ok()
}
