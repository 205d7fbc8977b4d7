//! Systems whose accounts are rows: the `sql` connector against real PostgreSQL, MariaDB and SQLite,
//! with each server's own client as witness.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

pub mod command;
mod conformance;
mod departure;
mod giving;
mod outages;
pub mod support;
