//! The harness itself: each server starts, answers its witness, and stops.

mod agency;
mod postgres;
mod samba;
mod slapd;
