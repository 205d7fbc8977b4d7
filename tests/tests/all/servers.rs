//! The harness itself: each server starts, answers its witness, and stops.

mod agency;
mod postgres;
pub mod samba;
mod slapd;
