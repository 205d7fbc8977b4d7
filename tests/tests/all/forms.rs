//! Forms that others confirm: the connector against a mail server, and the whole daemon from the form to
//! its confirmation.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod conformance;
mod departure;
mod support;
