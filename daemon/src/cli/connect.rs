//! Where the daemon's socket is, and a client to it.

use crate::cli::exit::Exit;
use crate::cli::output::Failure;
use crate::config::socket_named_in;
use crate::control::client::{Client, Transport};
use std::io;
use std::path::{Path, PathBuf};

/// Where the configuration is unless `--config` says otherwise.
pub const DEFAULT_CONFIG: &str = "/etc/lapsed/config.yaml";
/// Where the socket is unless `--socket` or the configuration says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/lapsed/control.sock";

/// A client over the socket: of `socket`, else of the configuration, else the default one.
///
/// # Errors
/// When a configuration was named that can't be read.
pub fn client(socket: Option<&Path>, config: Option<&Path>) -> Result<Client, Failure> {
    Ok(Client::new(Transport::Socket(socket_path(socket, config)?)))
}

/// The socket's path, as for [`client`].
///
/// # Errors
/// When a configuration was named that can't be read.
pub fn socket_path(socket: Option<&Path>, config: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(path) = socket {
        return Ok(path.to_owned());
    }
    let named = config.is_some();
    let config = config.unwrap_or(Path::new(DEFAULT_CONFIG));
    let found = match std::fs::read_to_string(config) {
        Ok(text) => socket_named_in(&text),
        // Who may ask the daemon need not be allowed to read its configuration.
        Err(_) if !named => None,
        Err(problem) => return Err(unreadable(config, &problem)),
    };
    Ok(found.unwrap_or_else(|| DEFAULT_SOCKET.into()))
}

fn unreadable(config: &Path, problem: &io::Error) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("the configuration {} can't be read: {problem}", config.display()),
        "Name another by --config, or the daemon's socket by --socket.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::set("control: {socket: /run/x.sock, roles: {}}\nfeeds: {}", Some("/run/x.sock"))]
    #[case::mistakes_elsewhere(
        "control:\n  socket: /run/x.sock\nnonsense: [1]",
        Some("/run/x.sock")
    )]
    #[case::not_set("control: {roles: {}}", None)]
    #[case::no_yaml(": : [", None)]
    #[case::empty("", None)]
    fn the_socket_is_found_whatever_else_the_file_says(
        #[case] text: &str,
        #[case] socket: Option<&str>,
    ) {
        assert_eq!(socket_named_in(text), socket.map(PathBuf::from));
    }

    #[test]
    fn a_socket_that_is_named_goes_before_a_configuration_that_is_missing() {
        let missing = Path::new("/nonexistent/config.yaml");
        let named = socket_path(Some(Path::new("/x.sock")), Some(missing)).unwrap();
        assert_eq!(named, PathBuf::from("/x.sock"));
        let failure = socket_path(None, Some(missing)).unwrap_err();
        assert!(failure.text().contains("/nonexistent/config.yaml can't be read"));
    }
}
