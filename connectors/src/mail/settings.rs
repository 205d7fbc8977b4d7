//! What the YAML says of the mail server, and what of it can't be.

use super::address::MailAddress;
use crate::settings::SettingsProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

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
    /// The port in use.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            MailSecurity::Tls => 465,
            MailSecurity::StartTls => 587,
            MailSecurity::None => 25,
        })
    }

    /// Files that the settings name, by their keys: each must be a path from the root.
    #[must_use]
    pub fn files(&self) -> Vec<(&'static str, &Path)> {
        let files = [("ca_file", &self.ca_file), ("password_file", &self.password_file)];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, problem: &str| {
            found.push(SettingsProblem::new(key, problem));
        };
        let host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if self.server.is_empty() || !self.server.chars().all(host) {
            wrong("server", "is no host name; write the name alone, such as mail.example.org");
        }
        if self.port == Some(0) {
            wrong("port", "is 0; leave it out, or write the server's port");
        }
        if self.timeout_seconds == 0 {
            wrong("timeout_seconds", "is 0; write at least 1");
        }
        for (key, address) in [("from", Some(&self.from)), ("reply_to", self.reply_to.as_ref())] {
            if let Some(Err(bad)) = address.map(|text| MailAddress::parse(text)) {
                wrong(key, &bad.to_string());
            }
        }
        if self.security == MailSecurity::None && !self.is_local() {
            wrong(
                "security",
                "is none, which would send mail in the clear; write tls or start_tls, or a server on loopback",
            );
        }
        if self.security == MailSecurity::None && self.ca_file.is_some() {
            wrong("ca_file", "is not used with `security: none`; leave one of them out");
        }
        match (&self.user, &self.password_file, &self.password_credential) {
            (None, None, None) | (Some(_), Some(_), None) | (Some(_), None, Some(_)) => {}
            (Some(_), None, None) => wrong(
                "user",
                "has no password; name the place of it by password_file or password_credential",
            ),
            (Some(_), Some(_), Some(_)) => wrong(
                "password_credential",
                "the password is said to be in two places; keep password_file or password_credential",
            ),
            (None, ..) => wrong("user", "is missing beside a password; name the user, too"),
        }
        if self.user.as_ref().is_some_and(|user| user.trim().is_empty()) {
            wrong("user", "is empty; leave it out where the server wants no log-on");
        }
        found
    }

    fn is_local(&self) -> bool {
        let ip = self.server.parse::<IpAddr>();
        self.server == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn settings() -> MailSettings {
        MailSettings {
            server: "mail.dmh.test".into(),
            port: None,
            security: MailSecurity::StartTls,
            ca_file: None,
            from: "Accounts <lapsed@dmh.test>".into(),
            reply_to: None,
            user: None,
            password_file: None,
            password_credential: None,
            timeout_seconds: 30,
        }
    }

    #[test]
    fn a_server_and_a_sender_are_enough() {
        assert_eq!(settings().problems(), []);
    }

    #[rstest]
    #[case::tls(MailSecurity::Tls, 465)]
    #[case::start_tls(MailSecurity::StartTls, 587)]
    #[case::none(MailSecurity::None, 25)]
    fn the_port_follows_the_security(#[case] security: MailSecurity, #[case] port: u16) {
        assert_eq!(MailSettings { security, ..settings() }.port(), port);
    }

    #[rstest]
    #[case::no_server("server", MailSettings { server: String::new(), ..settings() })]
    #[case::address("server", MailSettings { server: "smtp://mail".into(), ..settings() })]
    #[case::port("port", MailSettings { port: Some(0), ..settings() })]
    #[case::from("from", MailSettings { from: "lapsed".into(), ..settings() })]
    #[case::two_lines("from", MailSettings { from: "a@dmh.test\r\nBcc: b@dmh.test".into(), ..settings() })]
    #[case::reply_to("reply_to", MailSettings { reply_to: Some("nobody".into()), ..settings() })]
    #[case::in_the_clear("security", MailSettings { security: MailSecurity::None, ..settings() })]
    #[case::no_password("user", MailSettings { user: Some("lapsed".into()), ..settings() })]
    #[case::no_user("user", MailSettings { password_file: Some("/p".into()), ..settings() })]
    #[case::two_passwords("password_credential", MailSettings {
        user: Some("lapsed".into()),
        password_file: Some("/p".into()),
        password_credential: Some("p".into()),
        ..settings()
    })]
    #[case::no_time("timeout_seconds", MailSettings { timeout_seconds: 0, ..settings() })]
    fn what_can_not_work_is_named_by_its_key(#[case] key: &str, #[case] settings: MailSettings) {
        let keys: Vec<_> = settings.problems().into_iter().map(|found| found.key).collect();
        assert_eq!(keys, [key]);
    }

    #[rstest]
    #[case("localhost")]
    #[case("127.0.0.1")]
    #[case("::1")]
    fn loopback_needs_no_encryption(#[case] server: &str) {
        let local =
            MailSettings { server: server.into(), security: MailSecurity::None, ..settings() };
        assert_eq!(local.problems(), []);
    }
}
