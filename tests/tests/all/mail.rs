//! Mail, against a server of our own that speaks SMTP with TLS and log-on, read by another parser than
//! the one that wrote it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests fail as the tests themselves do"
)]

mod sending;
