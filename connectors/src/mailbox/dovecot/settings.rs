//! What the YAML says of a Dovecot server, and what of it can't be.

use crate::http::HttpTimeouts;
use crate::settings::{SettingsError, SettingsProblem};
use lapsed_core::facts::UserId;
use lapsed_core::policy::departure::{TemplateError, account_name};
use reqwest::Url;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;

/// Which kind of mail server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DovecotKind {
    /// Dovecot 2.3 with its administration API over HTTP.
    Dovecot,
}

/// A Dovecot server, reached by its administration API (doveadm) over HTTP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DovecotSettings {
    /// `dovecot`.
    pub kind: DovecotKind,
    /// Address: `https://host:port`; `http://` on this machine's loopback only.
    pub url: String,
    /// A PEM file with the certificates of your own authority; only these are then trusted.
    /// Without it the machine's own list is.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// A file with the API key (`doveadm_api_key` of Dovecot) in its first line.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// The name of a systemd credential that holds the API key.
    #[serde(default)]
    pub api_key_credential: Option<String>,
    /// The mail user of a log-on name (minijinja: `user_id`), such as `{{ user_id }}@example.org`.
    #[serde(default = "default_user")]
    pub user: String,
    /// How the names of mailboxes begin that a user sees but that are other people's: the prefixes of
    /// shared and public namespaces, `shared/` say. Nothing below them is touched. Empty where there
    /// are none.
    pub shared_prefixes: Vec<String>,
    /// Mailboxes that the server makes anew for everyone (`auto = create`): these may be left, empty.
    #[serde(default)]
    pub automatic_mailboxes: Vec<String>,
    /// What it means when Dovecot does not know the user.
    #[serde(default)]
    pub unknown_user: UnknownUser,
    /// What somebody who is given a leaver's mailbox may do in it (D8), no more and no less. Empty
    /// where nobody is ever given one: the server then needs no ACLs.
    #[serde(default = "default_delegate_rights")]
    pub delegate_rights: Vec<DelegateRight>,
    /// How mail is brought over to a user's new name (N7); absent: it is not.
    #[serde(default)]
    pub rename: Option<RenameSettings>,
    /// Users worked on at the same time.
    #[serde(default = "default_window")]
    #[schemars(range(min = 1, max = 64))]
    pub window: u32,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: DovecotTimeouts,
}

/// How mail is brought over to a user's new name. Where mail is kept by something that stays (a number),
/// there is nothing to bring over: leave it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameSettings {
    /// Where the server keeps the mail of the old name, as Dovecot's `mail_location` (minijinja: `user_id`):
    /// `maildir:/var/mail/{{ user_id }}/Maildir`.
    pub old_location: String,
}

impl RenameSettings {
    /// The location of a user's mail; the error is a sentence with advice.
    pub(super) fn location_of(&self, user_id: &UserId) -> Result<String, String> {
        let plain = |c: char| c.is_alphanumeric() || "-_.@+'".contains(c);
        let id = user_id.as_str();
        if !id.chars().all(plain) || id.starts_with('.') {
            return Err(
                "the old user ID can't be part of a path; bring the mail over by hand".into()
            );
        }
        let location = account_name("rename.old_location", &self.old_location, user_id)
            .map_err(|error| format!("`rename.old_location` gives no location: {error}"))?;
        match location.split_once(":/") {
            Some((kind, _)) if kind.chars().all(|c| c.is_ascii_alphanumeric()) => Ok(location),
            _ => Err("`rename.old_location` is no mail location; write it like \
                      `maildir:/var/mail/{{ user_id }}/Maildir`"
                .into()),
        }
    }

    fn problem(&self) -> Option<String> {
        let tried = ["mzsmitj", "mbdoej"].map(|name| {
            let user_id = UserId::new(name).map_err(|error| error.to_string())?;
            self.location_of(&user_id)
        });
        match tried {
            [Err(why), _] | [_, Err(why)] => Some(why),
            [Ok(one), Ok(other)] if one == other => {
                Some("is the same for everyone; write it with `{{ user_id }}`".into())
            }
            _ => None,
        }
    }
}

/// What it means when Dovecot does not know the user whose mailbox is to be deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnknownUser {
    /// There is no mailbox: the step has nothing to do.
    #[default]
    NoMailbox,
    /// A person has to look: Dovecot hides users whose accounts are shut, while their mail is still there.
    Refuse,
}

/// A right in a mailbox, by Dovecot's own names (RFC 4314). Another name ends Dovecot's worker.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DelegateRight {
    /// See that the mailbox is there.
    Lookup,
    /// Read it.
    Read,
    /// Set flags and keywords.
    Write,
    /// Mark as read.
    WriteSeen,
    /// Mark as deleted.
    WriteDeleted,
    /// Put messages in.
    Insert,
    /// Have mail delivered into it.
    Post,
    /// Delete marked messages for good.
    Expunge,
    /// Make mailboxes below it.
    Create,
    /// Delete the mailbox.
    Delete,
}

impl DelegateRight {
    /// As doveadm writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lookup => "lookup",
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteSeen => "write-seen",
            Self::WriteDeleted => "write-deleted",
            Self::Insert => "insert",
            Self::Post => "post",
            Self::Expunge => "expunge",
            Self::Create => "create",
            Self::Delete => "delete",
        }
    }
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DovecotTimeouts {
    /// Seconds for reaching the server, encryption included.
    #[schemars(range(min = 1, max = 300))]
    pub connect_seconds: u32,
    /// Seconds for one command; expunging a large mailbox is one.
    #[schemars(range(min = 1, max = 3_600))]
    pub command_seconds: u32,
}

impl Default for DovecotTimeouts {
    fn default() -> Self {
        Self { connect_seconds: 10, command_seconds: 60 }
    }
}

fn default_user() -> String {
    "{{ user_id }}".into()
}
fn default_delegate_rights() -> Vec<DelegateRight> {
    vec![DelegateRight::Lookup, DelegateRight::Read]
}
fn default_window() -> u32 {
    4
}

impl DovecotTimeouts {
    /// The time for one command begins when the server is reached.
    pub(super) fn of_http(&self) -> HttpTimeouts {
        let Self { connect_seconds, command_seconds } = *self;
        let request_seconds = connect_seconds.saturating_add(command_seconds);
        HttpTimeouts { connect_seconds, request_seconds }
    }
}

impl DovecotSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, problem: String| {
            found.push(SettingsProblem::new(key, problem));
        };
        if let Err(advice) = Address::parse(&self.url) {
            wrong("url", format!("{:?} {advice}", self.url));
        }
        match (&self.api_key_file, &self.api_key_credential) {
            (Some(_), None) | (None, Some(_)) => {}
            _ => wrong(
                "url",
                "no key goes with it, or two; give either api_key_file or api_key_credential"
                    .into(),
            ),
        }
        if self.shared_prefixes.iter().any(|prefix| prefix.trim().is_empty()) {
            wrong(
                "shared_prefixes",
                "has an empty prefix, below which every mailbox is; write [] where nothing is shared"
                    .into(),
            );
        }
        let can = |right: DelegateRight| self.delegate_rights.contains(&right);
        if self.delegates() && !(can(DelegateRight::Lookup) && can(DelegateRight::Read)) {
            wrong(
                "delegate_rights",
                "lets nobody read the mailbox; write lookup and read among them, or [] where nobody gets one"
                    .into(),
            );
        }
        if let Some(problem) = self.user_problem() {
            wrong("user", problem);
        }
        if let Some(problem) = self.rename.as_ref().and_then(RenameSettings::problem) {
            wrong("rename.old_location", problem);
        }
        for (key, zero) in [
            ("window", self.window == 0),
            ("timeouts.connect_seconds", self.timeouts.connect_seconds == 0),
            ("timeouts.command_seconds", self.timeouts.command_seconds == 0),
        ] {
            if zero {
                wrong(key, "is 0; write at least 1".into());
            }
        }
        found
    }

    /// Whether mailboxes can be given to others.
    pub(super) fn delegates(&self) -> bool {
        !self.delegate_rights.is_empty()
    }

    /// One user's mailbox deleted for every leaver is what a template without the log-on name would do.
    fn user_problem(&self) -> Option<String> {
        let tried = ["mzsmitj", "mbdoej"].map(|name| {
            let user_id = UserId::new(name).ok()?;
            Some(mail_user(&self.user, &user_id))
        });
        match tried {
            [Some(Err(error)), _] | [_, Some(Err(error))] => {
                Some(format!("gives no user: {error}"))
            }
            [Some(Ok(one)), Some(Ok(other))] if one == other => Some(
                "is the same mailbox for everyone who leaves; write it with `{{ user_id }}`".into(),
            ),
            _ => None,
        }
    }

    pub(super) fn checked(&self) -> Result<Address, SettingsError> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(SettingsError(problems));
        }
        Address::parse(&self.url).map_err(|advice| SettingsError::one("url", advice))
    }
}

/// Why a log-on name gives no mail user.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoMailUser {
    /// The template fails.
    #[error("{0}")]
    Template(#[source] TemplateError),
    /// doveadm takes `*` and `?` as standing for any characters, and no name as everybody.
    #[error(
        "the mail user would be {0:?}, which could stand for several users; see to this mailbox by hand"
    )]
    Several(String),
}

/// The one mail user of a log-on name.
pub(super) fn mail_user(template: &str, user_id: &UserId) -> Result<String, NoMailUser> {
    let user = account_name("user", template, user_id).map_err(NoMailUser::Template)?;
    let several = |c: char| matches!(c, '*' | '?' | '%' | '/' | '\\') || c.is_whitespace();
    if user.is_empty() || user.chars().any(several) {
        return Err(NoMailUser::Several(user));
    }
    Ok(user)
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) encrypted: bool,
    /// Without the brackets of an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads an address; the error completes `"…" ….`.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        const NONE: &str = "is no address; write https://host:port";
        let parsed = Url::parse(url).map_err(|_| NONE)?;
        let encrypted = match parsed.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(NONE),
        };
        let host = parsed.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let user = !parsed.username().is_empty() || parsed.password().is_some();
        let more = parsed.query().is_some() || parsed.fragment().is_some();
        if user || more || !parsed.path().trim_matches('/').is_empty() {
            return Err("has more in it than host and port; the API's own path is added");
        }
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if !encrypted && !local {
            return Err("would send the key unencrypted; write https://, or http:// on loopback");
        }
        let port = parsed.port_or_known_default().ok_or(NONE)?;
        Ok(Self { encrypted, host, port })
    }

    /// Host and port as they stand in a URL.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// The address for people.
    pub(super) fn shown(&self) -> String {
        let scheme = if self.encrypted { "https" } else { "http" };
        format!("{scheme}://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("https://mail.example.org:8080", "https://mail.example.org:8080")]
    #[case("https://mail.example.org/", "https://mail.example.org:443")]
    #[case("http://127.0.0.1:8080", "http://127.0.0.1:8080")]
    #[case("http://[::1]:8080", "http://[::1]:8080")]
    fn an_address_is_read(#[case] url: &str, #[case] shown: &str) {
        assert_eq!(Address::parse(url).map(|a| a.shown()).as_deref(), Ok(shown));
    }

    #[rstest]
    #[case("http://mail.example.org:8080")]
    #[case("http://10.0.0.1")]
    #[case("https://user@mail.example.org")]
    #[case("https://mail.example.org/doveadm/v1")]
    #[case("ldaps://mail.example.org")]
    #[case("mail.example.org")]
    #[case("")]
    fn what_is_no_address_or_unencrypted_is_refused(#[case] url: &str) {
        assert!(Address::parse(url).is_err());
    }

    #[rstest]
    #[case("*")]
    #[case("mz?mitj")]
    #[case("a b")]
    #[case("../mzsmitj")]
    fn a_name_that_could_stand_for_several_users_gives_no_mail_user(#[case] name: &str) {
        let user_id = UserId::new(name).unwrap();
        assert!(mail_user("{{ user_id }}", &user_id).is_err());
    }

    #[test]
    fn a_template_gives_the_user_with_a_domain() {
        let user_id = UserId::new("mzsmitj").unwrap();
        let user = mail_user("{{ user_id }}@dmh.test", &user_id).unwrap();
        assert_eq!(user, "mzsmitj@dmh.test");
        assert!(mail_user("", &user_id).is_err());
    }
}
