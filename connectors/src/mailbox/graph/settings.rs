//! What the YAML says of Microsoft Graph, and what of it can't be.

use crate::http::{ClientSecretIn, HttpTimeouts, LoginBy, LoginSettings};
use crate::settings::SettingsProblem;
use lapsed_core::facts::{SystemRole, UserId};
use lapsed_core::policy::departure::{TemplateError, account_name};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use uuid::Uuid;

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GraphKind {
    /// Microsoft 365 by Microsoft Graph.
    Graph,
}

/// Microsoft 365 (Entra ID, Exchange Online, Intune), reached by Microsoft Graph as an application of
/// its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphSettings {
    /// `graph`.
    pub kind: GraphKind,
    /// The tenant: its id, or one of its domains.
    pub tenant: String,
    /// The id of the application that was registered for lapsed.
    pub client_id: Uuid,
    /// A file with the application's secret in its first line.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The name of a systemd credential that holds the secret.
    #[serde(default)]
    pub secret_credential: Option<String>,
    /// Where Graph is; a national cloud has a host of its own, such as `https://graph.microsoft.us`.
    #[serde(default = "default_url")]
    pub url: String,
    /// Where tokens are given out; `https://login.microsoftonline.us` in that cloud.
    #[serde(default = "default_login_url")]
    pub login_url: String,
    /// A PEM file with the certificates of your own authority; only these are then trusted.
    /// Without it the machine's own list is.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The user principal name of a log-on name (minijinja: `user_id`), `{{ user_id }}@example.org`.
    pub user: String,
    /// Users that are never touched, by user principal name; `*` stands for any characters. Name the
    /// break-glass accounts here.
    #[serde(default)]
    pub never: Vec<String>,
    /// What to do about an account that Entra Connect copies from a directory of your own.
    #[serde(default)]
    pub synced_accounts: SyncedAccounts,
    /// Licences (`skuId`) that are taken away when access ends. None that carries a mailbox: Exchange
    /// Online would delete it.
    #[serde(default)]
    pub remove_licenses: Vec<Uuid>,
    /// Licences (`skuId`) that carry the mailbox: taken away on the mailbox's date, which starts the
    /// 30 days after which Exchange Online deletes it.
    #[serde(default)]
    pub mailbox_licenses: Vec<Uuid>,
    /// Have Intune take the agency's data off the user's devices (`retire`). They are never wiped.
    #[serde(default)]
    pub retire_devices: bool,
    /// Delete the user where a mailbox or an account is to be deleted. Entra ID keeps it for 30 days.
    #[serde(default)]
    pub delete_user: bool,
    /// Make users (A1), shut, and set their first passwords (A6). Only for those that are not copied from a
    /// directory of your own: there Entra Connect makes them.
    #[serde(default)]
    pub create: bool,
    /// Let users that are given access log on (A1), and put them into the groups below.
    #[serde(default)]
    pub grant: bool,
    /// Rename users (N7): principal name, mail nickname, names. Their mail addresses are Exchange's.
    #[serde(default)]
    pub rename: bool,
    /// The country of new users (ISO 3166, two letters), which a licence needs: `US`.
    #[serde(default)]
    pub usage_location: Option<String>,
    /// Groups (object ids) of everybody who is given access, such as one that carries a licence.
    #[serde(default)]
    pub groups: Vec<Uuid>,
    /// Groups (object ids) of each role (A3). Who has not the role is taken out of them.
    #[serde(default)]
    pub roles: BTreeMap<SystemRole, Vec<Uuid>>,
    /// Users worked on at the same time.
    #[serde(default = "default_window")]
    #[schemars(range(min = 1, max = 64))]
    pub window: u32,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: HttpTimeouts,
}

/// What to do about an account that is copied from a directory of the agency's own: it can be shut
/// there only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncedAccounts {
    /// A person has to look.
    #[default]
    Refuse,
    /// Another connector shuts it there: try again until that has come through.
    Wait,
}

fn default_url() -> String {
    "https://graph.microsoft.com".into()
}
fn default_login_url() -> String {
    "https://login.microsoftonline.com".into()
}
fn default_window() -> u32 {
    4
}

impl GraphSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, problem: String| {
            found.push(SettingsProblem::new(key, problem));
        };
        let of_tenant = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
        if self.tenant.is_empty() || !self.tenant.chars().all(of_tenant) {
            let text = format!("{:?} is no tenant; write its id or its domain", self.tenant);
            wrong("tenant", text);
        }
        for (key, url) in [("url", &self.url), ("login_url", &self.login_url)] {
            if let Err(advice) = crate::http::Base::parse(url) {
                wrong(key, format!("{url:?} {advice}"));
            }
        }
        if self.secret_file.is_some() == self.secret_credential.is_some() {
            wrong(
                "client_id",
                "has no secret, or two; give either secret_file or secret_credential".into(),
            );
        }
        if let Some(problem) = self.user_problem() {
            wrong("user", problem);
        }
        if self.mailbox_licenses.iter().any(|sku| self.remove_licenses.contains(sku)) {
            wrong(
                "remove_licenses",
                "has a licence of mailbox_licenses; taken away at once, it deletes the mailbox before its date"
                    .into(),
            );
        }
        if self.delete_user && !self.mailbox_licenses.is_empty() {
            wrong(
                "mailbox_licenses",
                "is of no use with delete_user: true; the user is deleted with all licences".into(),
            );
        }
        if let Some(problem) = self.giving_problem() {
            wrong(problem.0, problem.1.into());
        }
        for (key, zero) in [
            ("window", self.window == 0),
            ("timeouts.connect_seconds", self.timeouts.connect_seconds == 0),
            ("timeouts.request_seconds", self.timeouts.request_seconds == 0),
        ] {
            if zero {
                wrong(key, "is 0; write at least 1".into());
            }
        }
        found
    }

    /// One user shut for every leaver is what a template without the log-on name would do.
    fn user_problem(&self) -> Option<String> {
        let tried = ["mzsmitj", "mbdoej"]
            .map(|name| UserId::new(name).ok().map(|id| principal_name(&self.user, &id)));
        match tried {
            [Some(Err(error)), _] | [_, Some(Err(error))] => {
                Some(format!("gives no user: {error}"))
            }
            [Some(Ok(one)), Some(Ok(other))] if one == other => Some(
                "is the same user for everyone who leaves; write it with `{{ user_id }}`".into(),
            ),
            [Some(Ok(one)), _] if !one.contains('@') => Some(
                "gives no user principal name; write it with its domain, {{ user_id }}@example.org"
                    .into(),
            ),
            _ => None,
        }
    }

    fn giving_problem(&self) -> Option<(&'static str, &'static str)> {
        let is_country = |text: &String| {
            text.len() == 2 && text.chars().all(|letter| letter.is_ascii_uppercase())
        };
        if self.usage_location.as_ref().is_some_and(|text| !is_country(text)) {
            return Some(("usage_location", "is no country; write two letters, US"));
        }
        if self.roles.values().any(Vec::is_empty) {
            return Some(("roles", "has a role without a group; name its groups by object id"));
        }
        let gives_groups = !self.roles.is_empty() || !self.groups.is_empty();
        if gives_groups && !self.grant {
            return Some(("grant", "is false, so that nobody gets the groups; write grant: true"));
        }
        if self.create && !self.grant {
            return Some((
                "grant",
                "is false, so that users are made and never opened; write grant: true",
            ));
        }
        None
    }

    /// Whether there is a way to have a mailbox deleted.
    pub(super) fn deletes_mailboxes(&self) -> bool {
        self.delete_user || !self.mailbox_licenses.is_empty()
    }

    /// The log-on to Graph: a token of the tenant for everything the application was granted.
    pub(super) fn login(&self) -> LoginSettings {
        let host = self.login_url.trim_end_matches('/');
        LoginSettings {
            by: LoginBy::ClientCredentials,
            user: Some(self.client_id.to_string()),
            secret_file: self.secret_file.clone(),
            secret_credential: self.secret_credential.clone(),
            token_url: Some(format!("{host}/{}/oauth2/v2.0/token", self.tenant)),
            scope: Some(format!("{}/.default", self.url.trim_end_matches('/'))),
            client_secret_in: ClientSecretIn::Body,
            ..LoginSettings::default()
        }
    }
}

/// The user principal name of a log-on name.
pub(super) fn principal_name(template: &str, user_id: &UserId) -> Result<String, TemplateError> {
    account_name("user", template, user_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::{Value, json};

    const SKU: &str = "c7df2760-2c81-4ef7-b578-5b5392b571df";

    fn keys(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut written = json!({
            "kind": "graph",
            "tenant": "dmh.example.org",
            "client_id": "00000000-0000-4000-8000-000000000001",
            "secret_credential": "graph",
            "user": "{{ user_id }}@dmh.example.org",
        });
        change(&mut written);
        let settings: GraphSettings = serde_json::from_value(written).unwrap();
        settings.problems().into_iter().map(|problem| problem.key.into_owned()).collect()
    }

    #[test]
    fn the_least_that_can_be_written_is_enough() {
        assert_eq!(keys(|_| ()), [] as [&str; 0]);
    }

    #[rstest]
    #[case::path_in_the_tenant("tenant", json!("dmh/../common"), "tenant")]
    #[case::no_tenant("tenant", json!(""), "tenant")]
    #[case::unencrypted("url", json!("http://graph.example.org"), "url")]
    #[case::unencrypted_login("login_url", json!("http://login.example.org"), "login_url")]
    #[case::two_secrets("secret_file", json!("/a"), "client_id")]
    #[case::everybody("user", json!("all@dmh.example.org"), "user")]
    #[case::no_domain("user", json!("{{ user_id }}"), "user")]
    #[case::broken("user", json!("{{ user_id"), "user")]
    #[case::no_country("usage_location", json!("Missouri"), "usage_location")]
    #[case::a_role_that_is_nothing("roles", json!({ "clerk": [] }), "roles")]
    #[case::groups_that_nobody_gets("groups", json!([SKU]), "grant")]
    #[case::users_that_nobody_opens("create", json!(true), "grant")]
    #[case::nobody_at_a_time("window", json!(0), "window")]
    fn what_cannot_work_is_named_by_its_key(
        #[case] key: &str,
        #[case] value: Value,
        #[case] named: &str,
    ) {
        assert_eq!(keys(|written| written[key] = value), [named]);
    }

    #[test]
    fn a_mailbox_is_not_deleted_before_its_date_by_taking_its_licence_away() {
        let both = keys(|written| {
            written["remove_licenses"] = json!([SKU]);
            written["mailbox_licenses"] = json!([SKU]);
        });
        assert_eq!(both, ["remove_licenses"]);
        let twice = keys(|written| {
            written["mailbox_licenses"] = json!([SKU]);
            written["delete_user"] = json!(true);
        });
        assert_eq!(twice, ["mailbox_licenses"]);
    }
}
