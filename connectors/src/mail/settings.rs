//! What the YAML says of the mail server, and what of it can't be.

use crate::settings::SettingsProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The server that takes the daemon's mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// The mail server's name.
    pub server: String,
    /// Its port; by default 465 for `tls`, 587 for `start_tls` and 25 for `none`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub security: MailSecurity,
    /// Certificates of your own authority (PEM); only these are then trusted.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The sender's address, `lapsed <lapsed@example.org>`.
    pub from: String,
    /// Where answers go; the sender where absent.
    #[serde(default)]
    pub reply_to: Option<String>,
    /// Log-on name at the mail server, if it wants one.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password in its first line.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The name of a systemd credential that holds the password.
    #[serde(default)]
    pub password_credential: Option<String>,
    /// Seconds to wait for the server, each time.
    #[serde(default = "default_timeout")]
    #[schemars(range(min = 1, max = 300))]
    pub timeout_seconds: u32,
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MailSecurity {
    /// From the first byte on.
    Tls,
    /// Switched on by STARTTLS before anything is said; a server that offers none is refused.
    #[default]
    StartTls,
    /// Not at all: for a server on this machine's loopback only.
    None,
}

fn default_timeout() -> u32 {
    30
}

impl MailSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        if self.server.trim().is_empty() {
            found.push(SettingsProblem::new("server", "is empty; name the mail server"));
        }
        found
    }
}
