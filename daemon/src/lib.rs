//! The daemon and its commands: HR drops and access forms become the right state of accounts, provably.

pub mod answers;
mod causes;
pub mod cli;
pub mod config;
pub mod control;
pub mod cycle;
pub mod documents;
pub mod drops;
pub mod evidence;
pub mod notices;
pub mod order_form;
pub mod rehearse;
pub mod reports;
pub mod service;
pub mod store;
pub mod targets;
pub mod tickets;
pub mod views;

// The store's test suite says `lapsed::store`, here as in the tests crate, which runs it on PostgreSQL.
#[cfg(test)]
extern crate self as lapsed;
