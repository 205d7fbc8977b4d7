//! The daemon: what people and systemd start.

pub mod store;

// The store's test suite says `lapsed::store`, here as in the tests crate, which runs it on PostgreSQL.
#[cfg(test)]
extern crate self as lapsed;
