//! Everything that needs more than one crate or a real server: one binary, since linking is slow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking, in its helpers too"
)]

mod departure;
mod directory;
#[cfg(test)]
mod laws;
mod mailbox;
mod servers;
#[cfg(test)]
mod service;
mod store;
