//! One key of a configuration, whatever else is wrong with it.

use serde::Deserialize;
use std::path::PathBuf;

/// The rest is not looked at: a mistake in it must not keep an operator from asking a running daemon.
#[derive(Debug, Default, Deserialize)]
struct Glance {
    control: Option<ControlGlance>,
}

#[derive(Debug, Default, Deserialize)]
struct ControlGlance {
    socket: Option<PathBuf>,
}

/// The control socket that a configuration's text names, if it can be made out.
#[must_use]
pub fn socket_named_in(text: &str) -> Option<PathBuf> {
    serde_yaml::from_str::<Glance>(text).ok()?.control?.socket
}
