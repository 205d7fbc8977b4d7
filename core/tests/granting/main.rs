//! What approved forms give, round by round, in a world that does what the steps say.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test ends by panicking, in its helpers too"
)]

mod ending;
mod joiners;
mod moves;
mod trust;
mod world;
