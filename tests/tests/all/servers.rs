//! The harness itself: each server starts, answers its witness, and stops.

mod postgres;
mod samba;
mod slapd;
