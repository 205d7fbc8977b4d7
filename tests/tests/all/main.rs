//! Everything that needs more than one crate or a real server: one binary, since linking is slow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking, in its helpers too"
)]

mod departure;
mod directory;
mod homes;
#[cfg(test)]
mod laws;
mod servers;
#[cfg(test)]
mod service;
mod store;
