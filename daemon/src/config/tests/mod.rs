//! What good and bad configurations get.

mod access_forms;
mod example;
mod good;
mod hostile;
mod messages;

use super::{Config, ConfigErrors, Warning};

/// The least that a configuration has; tests change one thing in it.
const SMALL: &str = include_str!("small.yaml");

fn parse(text: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    super::parse(text, "lapsed.yaml")
}

/// The small configuration with one passage replaced, which must stand in it.
fn with(old: &str, new: &str) -> String {
    assert!(SMALL.contains(old), "{old:?} is not in the small configuration");
    SMALL.replacen(old, new, 1)
}

/// All that is said of a refused configuration.
fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(_) => panic!("this was accepted:\n{text}"),
        Err(errors) => errors.to_string(),
    }
}
