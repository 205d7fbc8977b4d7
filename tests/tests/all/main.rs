//! Everything that needs more than one crate or a real server: one binary, since linking is slow.

mod departure;
mod directory;
mod servers;
mod store;
