//! Everything that needs more than one crate or a real server: one binary, since linking is slow.

mod departure;
mod directory;
#[cfg(test)]
mod laws;
mod servers;
#[cfg(test)]
mod service;
mod store;
