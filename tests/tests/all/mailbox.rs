//! The mail connector against a real Dovecot, with the `doveadm` command as witness, and against a
//! responder of our own for what the real one does not do on demand.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod conformance;
mod delegation;
mod departure;
mod moving;
mod outages;
mod responder;
mod support;
