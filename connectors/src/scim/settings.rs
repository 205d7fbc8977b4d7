//! What the YAML says of a SCIM server, and what of it can't be.

use super::attribute::Attribute;
use super::naming::Naming;
use crate::http::{self, HttpTimeouts, LoginSettings};
use crate::settings::SettingsProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScimKind {
    /// A system with a SCIM 2.0 server (RFC 7643, RFC 7644).
    Scim,
}

/// A system whose accounts are reached by SCIM 2.0 (D4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScimSettings {
    /// `scim`.
    pub kind: ScimKind,
    /// Address under which `/Users` is: `https://host/scim/v2`; `http://` on this machine's loopback only.
    pub url: String,
    /// A PEM file with the certificates of your own authority; only these are then trusted.
    /// Without it the machine's own list is.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How the daemon logs on.
    #[serde(default)]
    pub login: LoginSettings,
    /// Which attributes of an account say whose it is.
    #[serde(default, rename = "match")]
    pub matching: Match,
    /// How an account is shut.
    #[serde(default)]
    pub update: Update,
    /// Send `active` as text (`"False"`) to a server that takes no truth value.
    #[serde(default)]
    pub active_as_text: bool,
    /// The server deletes accounts on DELETE: `departure.delete_accounts` may name this connector.
    #[serde(default)]
    pub delete: bool,
    /// Make accounts (A1), shut: by POST, with `userName`, `name`, `displayName`, `emails` and the employee
    /// number where `match` says. `match.user_id` must be `userName`.
    #[serde(default)]
    pub create: bool,
    /// Open accounts that are given access (A1), with their roles where `roles` says.
    #[serde(default)]
    pub grant: bool,
    /// Rename accounts (N7). `match.user_id` must be `userName`.
    #[serde(default)]
    pub rename: bool,
    /// Where an account's roles are kept; absent: the system has none.
    #[serde(default)]
    pub roles: Option<RoleAttribute>,
    /// Where the server shows when an account was last used (S3); absent: it does not.
    #[serde(default)]
    pub last_use: Option<LastUseAttributes>,
    /// Accounts that are never touched, by nobody's release: user names, `*` for any letters.
    #[serde(default)]
    pub never: Vec<String>,
    /// Accounts a page of a listing.
    #[serde(default = "default_page_size")]
    #[schemars(range(min = 2, max = 1_000))]
    pub page_size: u32,
    /// Requests under way at the same time.
    #[serde(default = "default_window")]
    #[schemars(range(min = 1, max = 64))]
    pub window: u32,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: HttpTimeouts,
}

/// Where an account's roles are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleAttribute {
    /// An attribute with several values, each with the role in its `value`: `roles` or `entitlements`.
    /// What is in it is replaced whole.
    pub attribute: String,
}

/// Where the server shows when an account was last used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LastUseAttributes {
    /// The attribute with that time; an account without it was never used.
    pub attribute: String,
    /// By how many days it may lag behind.
    #[serde(default)]
    pub lag_days: u16,
}

/// Which attributes of an account say whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Match {
    /// The attribute with the user ID; null where user IDs are not kept there.
    pub user_id: Option<String>,
    /// The attribute's value for a user ID (minijinja: `user_id`), such as `{{ user_id }}@example.org`.
    pub user_id_as: String,
    /// The attribute with the employee number: `externalId`, or `employeeNumber` after
    /// `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:`. Absent where it is not kept there.
    pub employee_number: Option<String>,
}

impl Default for Match {
    fn default() -> Self {
        Self {
            user_id: Some("userName".into()),
            user_id_as: "{{ user_id }}".into(),
            employee_number: None,
        }
    }
}

/// How an account is shut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// As the server's `ServiceProviderConfig` says; by PATCH where it has none.
    #[default]
    Auto,
    /// By PATCH of `active`.
    Patch,
    /// By PUT of the whole account with `active` false.
    Put,
}

fn default_page_size() -> u32 {
    100
}
fn default_window() -> u32 {
    4
}

impl ScimSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = http::problems(&self.url, &self.login, &self.timeouts);
        let mut wrong = |key: &'static str, problem: String| {
            found.push(SettingsProblem::new(key, problem));
        };
        let keys = [
            ("match.user_id", &self.matching.user_id),
            ("match.employee_number", &self.matching.employee_number),
        ];
        for (key, attribute) in keys {
            if let Some(Err(problem)) = attribute.as_deref().map(Attribute::parse) {
                wrong(key, problem.to_string());
            }
        }
        if keys.iter().all(|(_, attribute)| attribute.is_none()) {
            wrong(
                "match",
                "names no attribute by which an account is found; name user_id or employee_number"
                    .into(),
            );
        }
        if (self.create || self.rename) && self.matching.user_id.as_deref() != Some("userName") {
            wrong(
                "create",
                "makes and renames accounts by their `userName`; write it under match.user_id, or leave \
                 `create` and `rename` out"
                    .into(),
            );
        }
        if let Some(roles) = &self.roles {
            match Attribute::parse(&roles.attribute) {
                Err(problem) => wrong("roles.attribute", problem.to_string()),
                Ok(attribute) if !attribute.is_whole() => {
                    wrong("roles.attribute", "goes into its values; write `roles` for it".into());
                }
                Ok(_) => {}
            }
        }
        if let Some(Err(problem)) =
            self.last_use.as_ref().map(|last_use| Attribute::parse(&last_use.attribute))
        {
            wrong("last_use.attribute", problem.to_string());
        }
        if let Err(problem) = Naming::new(&self.matching.user_id_as) {
            wrong("match.user_id_as", problem);
        }
        if self.page_size < 2 {
            wrong("page_size", "is less than 2, so that a second account would not be seen".into());
        }
        if self.window == 0 {
            wrong("window", "is 0; write at least 1".into());
        }
        found
    }
}
