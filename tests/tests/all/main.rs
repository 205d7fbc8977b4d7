//! Everything that needs more than one crate or a real server: one binary, since linking is slow.

mod departure;
mod directory;
mod scenarios;
mod servers;
mod store;
