//! The daemon: what people and systemd start.

pub mod store;
