//! Everything that needs more than one crate or a real server: one binary, since linking is slow.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends by panicking, in its helpers too"
)]

mod access_forms;
mod active_directory;
mod approvals;
mod beside;
mod conformance;
mod crash;
mod demo;
mod departure;
mod directory;
mod durability;
mod envelopes;
mod faults;
mod flows;
mod forms;
mod homes;
mod joiners;
mod journal;
mod latency;
mod laws;
mod mail;
mod mailbox;
mod movers;
mod nightly;
mod notices;
mod order_forms;
mod others;
mod request_tracker;
mod restoring;
mod rosters;
mod scenarios;
mod servers;
mod service;
mod several;
mod shared_state;
mod steps;
mod store;
mod suspensions;
mod systems;
mod tables;
mod torture;
mod wishes;
