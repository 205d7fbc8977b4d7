//! Everything that needs more than one crate or a real server: one binary, since linking is slow.

mod beside;
mod crash;
mod departure;
mod directory;
mod journal;
mod latency;
mod servers;
mod store;
