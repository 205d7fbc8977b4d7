//! The `lapsed` command.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use std::process::ExitCode;

fn main() -> ExitCode {
    // Passwords are in memory while they are used. A limit on core dumps does not stop those that a program of
    // the machine takes (core(5)); this does, and no other process of the account may look in either.
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        eprintln!("lapsed: its memory may end up in a core dump: {error}");
    }
    // One TLS provider for the whole program; a second call can only find the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    lapsed::cli::main()
}
