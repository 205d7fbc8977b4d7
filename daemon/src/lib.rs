//! The daemon of lapsed: reads drops, keeps the state, carries out plans.

pub mod config;
