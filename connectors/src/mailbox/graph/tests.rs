//! Against a double of Graph that takes only what Graph is documented to take. Never run live.

mod behaviour;
mod giving;
mod misbehaviour;
mod tenant;
