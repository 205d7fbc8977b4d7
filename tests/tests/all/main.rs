//! Everything that needs more than one crate or a real server: one binary, since linking is slow.

mod active_directory;
mod beside;
mod crash;
mod departure;
mod directory;
mod durability;
mod journal;
mod latency;
mod servers;
mod shared_state;
mod store;
