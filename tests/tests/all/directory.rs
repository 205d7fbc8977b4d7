//! The directory connector against real servers, with `ldapsearch` as witness, and against a double for
//! what no real server at hand does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod active_directory;
mod double;
mod misbehaviour;
mod openldap;
mod outages;
mod support;
