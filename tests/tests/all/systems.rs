//! Connectors of systems (D4) against real servers, and a departure through the whole daemon.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod departure;
mod giving;
mod scim;
pub mod support;
