//! The pure part of lapsed: what the facts and the rules say must happen.
//!
//! Nothing here knows a clock, a file, a socket, a database or randomness: the moment, ids and bytes
//! come in as arguments, and values go out. `clippy.toml` beside `Cargo.toml` bans the rest, and the
//! tests crate checks the dependency list.

pub mod absorb;
pub mod access;
pub mod action;
pub mod adopt;
pub mod citation;
pub mod facts;
pub mod form_token;
pub mod guard;
pub mod holds;
pub mod intake;
pub mod journal;
pub mod lateness;
pub mod mask;
pub mod notice_rules;
pub mod observed;
pub mod pacing;
pub mod plan;
pub mod policy;
pub mod reconcile;
pub mod report;
pub mod shown;
pub mod standing;
pub mod step;
pub mod template;
pub mod wildcard;
pub mod wishes;
