//! Killed at every moment, in the middle of everything: nothing is lost, and nothing is done twice. What no
//! protocol can tell is shown as unverified, and counted as that.

mod desk;
mod harm;
pub mod picture;
pub mod points;
mod restored;
mod secrets;
pub mod stage;
