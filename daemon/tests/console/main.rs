//! The control socket and the commands, end to end: a console in memory, a real Unix socket, the real
//! binary. One test binary, since each links the whole daemon.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "all of this crate is tests; clippy.toml lets them only inside of #[test] functions"
)]

mod commands;
mod document;
mod fake;
mod rendering;
mod roles;
mod samples;
mod socket;
