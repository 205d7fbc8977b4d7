//! The control socket: HTTP and JSON over a Unix socket, by which the commands speak to the daemon.
//!
//! The caller is known by the kernel's word (`SO_PEERCRED`), never by what the request says; what a
//! caller may do is in [`endpoints`]; every call is on record (P3).

pub mod client;
pub mod console;
pub mod endpoints;
mod on_record;
pub mod peer;
pub mod roles;
pub mod server;
pub mod socket;
