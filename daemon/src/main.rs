//! The `lapsed` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS provider for the whole program; a second call can only find the first one's.
    let _ = rustls::crypto::ring::default_provider().install_default();
    lapsed::cli::main()
}
