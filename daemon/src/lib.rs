//! The daemon of lapsed: reads drops, keeps the state, carries out plans; and the commands by which
//! people look at it and act.

pub mod cli;
pub mod config;
pub mod control;
pub mod views;
