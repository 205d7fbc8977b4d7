//! What the YAML says of a system with an HTTP API of its own.

use crate::http::{HttpTimeouts, LoginSettings, Method};
use crate::system_account::LastUseShown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestKind {
    /// A system with an HTTP API of its own.
    Rest,
}

/// A system with an HTTP API of its own, described by request templates and expressions (D4, D7).
///
/// Templates (minijinja) may name `user_id`, `employee_number`, `id` (the system's own), `case` and
/// `step` (the same for the same step: an idempotency key). Expressions may name `status`, `body` (JSON),
/// `text` (anything else) and `headers`.
///
/// `create` and `rename` may also name `first`, `last`, `preferred`, `display_name`, `mail`, `location` and
/// `location_name`; `create` besides them `kind`, `title`, `supervisor` and `ends_on`, and knows no `id`;
/// `rename` the `old_user_id` (`user_id` is then the new one) and the list `aliases`. `grant` may name the
/// list `roles`, `give_role` and `take_role` one `role`. What is not known of a person is empty there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RestSettings {
    /// `rest`.
    pub kind: RestKind,
    /// Address below which all paths are: `https://host/api`; `http://` on this machine's loopback only.
    pub url: String,
    /// A PEM file with the certificates of your own authority; only these are then trusted.
    /// Without it the machine's own list is.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// How the daemon logs on.
    #[serde(default)]
    pub login: LoginSettings,
    /// How accounts are found: every search whose key a person has is made.
    #[serde(default)]
    pub find: Vec<Search>,
    /// What an account in a reply says of itself; wanted by all that concerns accounts.
    #[serde(default)]
    pub account: Option<AccountShape>,
    /// How one account is looked at before and after a change; wanted by all that concerns accounts.
    #[serde(default)]
    pub look: Option<Look>,
    /// Ends an account's access (D4).
    #[serde(default)]
    pub revoke: Option<Operation>,
    /// Deletes an account for good, where `departure.delete_accounts` names this connector (D4).
    #[serde(default)]
    pub delete: Option<Operation>,
    /// Makes an account, shut (A1). It is looked for before by every search.
    #[serde(default)]
    pub create: Option<Operation>,
    /// Opens an account, with exactly `roles` where the request takes them all (A1, A3). Without `create` it is
    /// sent, without an `id`, for an account that is not there: a system that makes accounts by giving access.
    #[serde(default)]
    pub grant: Option<Operation>,
    /// Gives one more role, before `grant`: for systems that take each by itself. Needs `account.roles`.
    #[serde(default)]
    pub give_role: Option<Operation>,
    /// Takes one role that the account is not to have any more, before `grant`. Needs `account.roles`.
    #[serde(default)]
    pub take_role: Option<Operation>,
    /// Gives an account another name (N7).
    #[serde(default)]
    pub rename: Option<Operation>,
    /// By how much `account.last_used` may lag behind.
    #[serde(default)]
    pub last_use: LastUseShown,
    /// Ends mail sessions and hides a mailbox (D7). `id` is then the directory's.
    #[serde(default)]
    pub disable_mailbox: Option<Operation>,
    /// Deletes a mailbox (D7). `id` is then the directory's.
    #[serde(default)]
    pub delete_mailbox: Option<Operation>,
    /// Accounts that are never touched, by nobody's release: user IDs, `*` for any letters.
    #[serde(default)]
    pub never: Vec<String>,
    /// Requests under way at the same time.
    #[serde(default = "default_window")]
    #[schemars(range(min = 1, max = 64))]
    pub window: u32,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: HttpTimeouts,
}

/// By which key a search is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchBy {
    /// `user_id`.
    UserId,
    /// `employee_number`.
    EmployeeNumber,
}

/// How accounts are found by one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The key: `user_id` or `employee_number`.
    pub by: SearchBy,
    /// The path and query of a GET: `/users?login={{ user_id }}`.
    pub path: String,
    /// Whether the reply says that there is no such account (expression), where it does not say so by an
    /// empty list. Not `status == 404` alone: a wrong address says that too.
    #[serde(default)]
    pub none: Option<String>,
    /// The accounts in the reply: a list, or one account (expression).
    #[serde(default = "default_accounts")]
    pub accounts: String,
}

/// What an account in a reply says of itself. Expressions, in which it is `account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountShape {
    /// The system's own id, which survives renames: `account.id`.
    pub id: String,
    /// Its log-on name: `account.login`.
    pub user_id: String,
    /// Whether it may be used, true or false: `account.state == 'active'`.
    pub enabled: String,
    /// Its owner's last name: `account.last_name`.
    #[serde(default)]
    pub last_name: Option<String>,
    /// Its owner's first name.
    #[serde(default)]
    pub first_name: Option<String>,
    /// HR's number on it.
    #[serde(default)]
    pub employee_number: Option<String>,
    /// The name as others see it.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Its mail address.
    #[serde(default)]
    pub mail: Option<String>,
    /// Its roles, a list of texts: `account.roles | map(attribute='name') | list`.
    #[serde(default)]
    pub roles: Option<String>,
    /// When it was last used: RFC 3339, or seconds since 1970; nothing where it never was. The audit can't use
    /// it (S3): it lists all accounts, which this kind of connector can't.
    #[serde(default)]
    pub last_used: Option<String>,
}

/// How one account is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// The path of a GET: `/users/{{ id }}`. Only `id` is known here.
    pub path: String,
    /// The account in the reply (expression).
    #[serde(default = "default_account")]
    pub account: String,
    /// Whether the reply says that the account is gone (expression): `status == 404 and body.code ==
    /// 'no_such_user'`. Not `status == 404` alone: a wrong address says that too.
    pub gone: String,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// How it is sent.
    #[serde(default)]
    pub method: Verb,
    /// The path and query.
    pub path: String,
    /// Headers beside those of the log-on, each a template: `Idempotency-Key: "{{ step }}"`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// What the body is.
    #[serde(default)]
    pub send: Send,
    /// The body. Values stand between quotes in JSON: `{"login": "{{ user_id }}"}`.
    #[serde(default)]
    pub body: Option<String>,
    /// Whether the reply says that it was done (expression).
    #[serde(default = "default_success")]
    pub success: String,
    /// Whether the reply says that there was nothing to do (expression).
    #[serde(default)]
    pub already: Option<String>,
    /// How it is looked at afterwards. Without it: by `look`, and for mailboxes not at all (unverified).
    #[serde(default)]
    pub read_back: Option<ReadBack>,
}

/// How a change is looked at afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadBack {
    /// The path and query of a GET.
    pub path: String,
    /// Whether it is as wanted (expression): true, false, and an error where the reply does not say.
    pub done: String,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verb {
    /// `GET`, for APIs that change things by it.
    Get,
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

impl Verb {
    pub(super) fn method(self) -> Method {
        match self {
            Self::Get => Method::GET,
            Self::Post => Method::POST,
            Self::Put => Method::PUT,
            Self::Patch => Method::PATCH,
            Self::Delete => Method::DELETE,
        }
    }
}

/// What a body is, which decides how values are written in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Send {
    /// `application/json`.
    #[default]
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// `text/xml`.
    Xml,
}

fn default_accounts() -> String {
    "body".into()
}
fn default_account() -> String {
    "body".into()
}
fn default_success() -> String {
    "status >= 200 and status < 300".into()
}
fn default_window() -> u32 {
    4
}
