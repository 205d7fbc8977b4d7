//! The directory connector against real servers, with `ldapsearch` as witness, and against a double for
//! what no real server at hand does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod active_directory;
mod changes;
mod double;
mod exchange;
mod giving;
mod giving_support;
mod half_shut;
mod last_use;
mod lies;
mod members;
mod misbehaviour;
mod opening;
mod openldap;
mod outages;
mod paging;
mod protection;
mod renaming;
pub mod support;
mod trust;
