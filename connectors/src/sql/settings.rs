//! What the YAML says of a system whose accounts are rows, and what of it can't be.

use super::statement::{Marks, Parameter, Purpose, Statement};
use crate::secret::SecretSource;
use crate::settings::SettingsProblem;
use crate::system_account::LastUseShown;
use lapsed_core::facts::UserId;
use lapsed_core::policy::departure::account_name;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqlKind {
    /// A system whose accounts are rows of a database.
    Sql,
}

/// Which database it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SqlServer {
    /// PostgreSQL.
    Postgresql,
    /// MariaDB. Its tables must be transactional (InnoDB).
    Mariadb,
    /// MySQL. Its tables must be transactional (InnoDB).
    Mysql,
    /// A file of SQLite.
    Sqlite,
}

/// A system whose accounts are rows of a database: looked up, and revoked, by statements of yours (D4).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlSettings {
    /// `sql`.
    pub kind: SqlKind,
    /// Which database it is.
    pub server: SqlServer,
    /// The server's name or address. Beyond this machine's loopback the connection is always
    /// encrypted, and the certificate must be for this name.
    #[serde(default)]
    pub host: Option<String>,
    /// The server's port, where it is not the usual one.
    #[serde(default)]
    pub port: Option<u16>,
    /// Instead of `host`: a Unix socket of this machine (for PostgreSQL the folder that it is in).
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// The database on the server.
    #[serde(default)]
    pub database: Option<String>,
    /// The file of SQLite.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// As whom to log on. Grant no more than the statements need.
    #[serde(default)]
    pub user: Option<String>,
    /// A file with the password in its first line.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The name of a systemd credential that holds the password.
    #[serde(default)]
    pub password_credential: Option<String>,
    /// A PEM file with the certificates of your own authority, trusted beside those of this machine.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What the system calls the account of a log-on name (minijinja: `user_id`), bound as `:account`.
    #[serde(default = "default_account")]
    pub account: String,
    /// Finds accounts: a SELECT that gives the columns `id`, `user_id`, `enabled` and, where there are
    /// such, `last_name` and `employee_number`. It is asked for one key at a time, bound as `:user_id`
    /// (with `:account`), `:employee_number` or `:id`; the others are then NULL.
    pub find: String,
    /// Lists every account with the same columns, for `lapsed adopt`.
    #[serde(default)]
    pub list: Option<String>,
    /// Reads one account again by `:id`, same columns; `find` does where this is absent.
    #[serde(default)]
    pub look: Option<String>,
    /// Ends the access of the account `:id`.
    pub revoke: SqlChange,
    /// Deletes the account `:id` for good, where `departure.delete_accounts` names this connector.
    #[serde(default)]
    pub delete: Option<SqlChange>,
    /// Makes an account, shut (A1): statements in order, in one transaction; see `grant` for what they may name.
    #[serde(default)]
    pub create: Vec<SqlStatement>,
    /// Opens the account `:id` and gives it exactly its roles (A1, A3). Beside `:id`, `:user_id`, `:account` and
    /// `:employee_number` there are `:first`, `:last`, `:display_name`, `:mail` and `:location`, `:roles` (with
    /// commas between) and `:role`: a statement that names it is run once for each role.
    #[serde(default)]
    pub grant: Vec<SqlStatement>,
    /// Renames the account `:id` (N7); `:old_user_id` and `:old_account` are the names before.
    #[serde(default)]
    pub rename: Vec<SqlStatement>,
    /// `find` and `list` give the column `last_used`, and `made_at` where there is such: when an account was
    /// last used (S3), as text in UTC or as seconds since 1970; NULL: never.
    #[serde(default)]
    pub last_use: Option<LastUseShown>,
    /// How long to wait.
    #[serde(default)]
    pub timeouts: SqlTimeouts,
}

/// One of several statements that change rows in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlStatement {
    /// UPDATE, DELETE or INSERT.
    pub statement: String,
    /// How many rows it changes: a number, or `any`. Where it would be another, nothing is changed and a
    /// person is asked.
    #[serde(default)]
    pub rows: RowCount,
}

/// How many rows a statement changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RowCount {
    /// Exactly so many.
    Exactly(u32),
    /// `any`.
    Any(AnyRows),
}

/// Any number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnyRows {
    /// None, one or more.
    Any,
}

impl Default for RowCount {
    fn default() -> Self {
        Self::Exactly(default_rows())
    }
}

/// A statement that changes rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlChange {
    /// UPDATE, DELETE or INSERT, with `:id` in it.
    pub statement: String,
    /// How many rows it changes; where it would be another number, nothing is changed and a person is
    /// asked.
    #[serde(default = "default_rows")]
    #[schemars(range(min = 1, max = 1_000))]
    pub rows: u32,
}

/// How long to wait.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SqlTimeouts {
    /// Seconds for reaching the server, encryption and log-on included.
    #[schemars(range(min = 1, max = 300))]
    pub connect_seconds: u32,
    /// Seconds for one statement, waiting for other sessions' locks included.
    #[schemars(range(min = 1, max = 3_600))]
    pub statement_seconds: u32,
}

impl Default for SqlTimeouts {
    fn default() -> Self {
        Self { connect_seconds: 10, statement_seconds: 30 }
    }
}

fn default_account() -> String {
    "{{ user_id }}".into()
}

fn default_rows() -> u32 {
    1
}

impl SqlTimeouts {
    pub(super) fn connect(&self) -> Duration {
        Duration::from_secs(self.connect_seconds.into())
    }
    pub(super) fn statement(&self) -> Duration {
        Duration::from_secs(self.statement_seconds.into())
    }
}

impl SqlServer {
    pub(super) fn marks(self) -> Marks {
        match self {
            Self::Postgresql => Marks::Dollar,
            Self::Mariadb | Self::Mysql => Marks::Question,
            Self::Sqlite => Marks::Numbered,
        }
    }

    /// Its name, for people.
    pub(super) fn shown(self) -> &'static str {
        match self {
            Self::Postgresql => "PostgreSQL",
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
            Self::Sqlite => "SQLite",
        }
    }
}

/// The statements, ready to be prepared.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    pub(super) find: Statement,
    pub(super) list: Option<Statement>,
    pub(super) look: Option<Statement>,
    pub(super) revoke: Change,
    pub(super) delete: Option<Change>,
    pub(super) create: Vec<Given>,
    pub(super) grant: Vec<Given>,
    pub(super) rename: Vec<Given>,
}

impl Statements {
    /// Every one of them with its key, what reads first.
    pub(super) fn all(&self) -> Vec<(&'static str, &Statement)> {
        let mut all = vec![("find", &self.find)];
        all.extend(self.list.iter().map(|list| ("list", list)));
        all.extend(self.look.iter().map(|look| ("look", look)));
        all.push(("revoke", &self.revoke.statement));
        all.extend(self.delete.iter().map(|delete| ("delete", &delete.statement)));
        for (key, given) in
            [("create", &self.create), ("grant", &self.grant), ("rename", &self.rename)]
        {
            all.extend(given.iter().map(|one| (key, &one.statement)));
        }
        all
    }
}

/// One of several changes, ready to be prepared.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) statement: Statement,
    /// `None`: any number.
    pub(super) rows: Option<u64>,
}

/// A change, ready to be prepared.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) statement: Statement,
    pub(super) rows: u64,
}

impl SqlSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = self.address_problems();
        if let Err(problems) = self.statements() {
            found.extend(problems);
        }
        found.extend(self.account_problem().map(|text| SettingsProblem::new("account", text)));
        for (key, zero) in [
            ("timeouts.connect_seconds", self.timeouts.connect_seconds == 0),
            ("timeouts.statement_seconds", self.timeouts.statement_seconds == 0),
        ] {
            if zero {
                found.push(SettingsProblem::new(key, "is 0; write at least 1"));
            }
        }
        found
    }

    fn address_problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, text: &str| found.push(SettingsProblem::new(key, text));
        if self.server == SqlServer::Sqlite {
            if self.file.is_none() {
                wrong("file", "is missing; name the file of the database");
            }
            for (key, given) in [
                ("host", self.host.is_some()),
                ("socket", self.socket.is_some()),
                ("user", self.user.is_some()),
                ("password_file", self.password_file.is_some()),
                ("password_credential", self.password_credential.is_some()),
            ] {
                if given {
                    wrong(key, "has no meaning for a file; take it out");
                }
            }
            return found;
        }
        if self.file.is_some() {
            wrong("file", "is for SQLite only; give `database`, which is on the server");
        }
        match (&self.host, &self.socket) {
            (None, None) => wrong("host", "is missing; name the server, or a `socket`"),
            (Some(_), Some(_)) => wrong("socket", "goes not with `host`; keep one of them"),
            (Some(host), None) if host.trim().is_empty() || host.contains(['/', '@', ' ']) => {
                wrong("host", "is no name of a server; write it without port and path");
            }
            _ => {}
        }
        if self.database.as_ref().is_none_or(|name| name.trim().is_empty()) {
            wrong("database", "is missing; name the database on the server");
        }
        if self.user.as_ref().is_none_or(|name| name.trim().is_empty()) {
            wrong("user", "is missing; name the account to log on with");
        }
        match (&self.password_file, &self.password_credential) {
            (Some(_), Some(_)) => {
                wrong("password_file", "goes not with password_credential; keep one of them");
            }
            (None, None) if self.socket.is_none() && !self.is_local() => wrong(
                "password_file",
                "is missing; give password_file or password_credential, as only servers of this machine know you without",
            ),
            _ => {}
        }
        found
    }

    /// Every leaver would be asked for as the same account.
    fn account_problem(&self) -> Option<String> {
        let names = ["mzsmitj", "mbdoej"].map(|name| {
            let user_id = UserId::new(name).ok()?;
            Some(account_name("account", &self.account, &user_id))
        });
        match names {
            [Some(Err(error)), _] | [_, Some(Err(error))] => {
                Some(format!("gives no name: {error}"))
            }
            [Some(Ok(one)), Some(Ok(other))] if one == other => {
                Some("is the same for everyone; write it with `{{ user_id }}`".into())
            }
            _ => None,
        }
    }

    /// The statements, or every problem with them.
    pub(super) fn statements(&self) -> Result<Statements, Vec<SettingsProblem>> {
        let mut problems = Vec::new();
        let find = self.read("find", &self.find, Purpose::Reads, &mut problems);
        let list =
            self.list.as_ref().map(|text| self.read("list", text, Purpose::Reads, &mut problems));
        let look =
            self.look.as_ref().map(|text| self.read("look", text, Purpose::Reads, &mut problems));
        let revoke = self.change("revoke", &self.revoke, &mut problems);
        let delete =
            self.delete.as_ref().map(|change| self.change("delete", change, &mut problems));
        let keys = [Parameter::UserId, Parameter::Account];
        let create = self.given("create", &self.create, &keys, &mut problems);
        let grant = self.given("grant", &self.grant, &[Parameter::Id], &mut problems);
        let rename = self.given("rename", &self.rename, &[Parameter::Id], &mut problems);
        if let Some(find) = &find {
            let keys = [Parameter::UserId, Parameter::Account, Parameter::EmployeeNumber];
            if !keys.iter().any(|key| find.binds(*key)) {
                let text = "asks for nobody; write :user_id, :account or :employee_number into it";
                problems.push(SettingsProblem::new("find", text));
            }
            if look.is_none() && !find.binds(Parameter::Id) {
                let text =
                    "can't look at one account again; write `OR id = :id` into it, or give `look`";
                problems.push(SettingsProblem::new("find", text));
            }
        }
        if let Some(Some(look)) = &look
            && !look.binds(Parameter::Id)
        {
            problems
                .push(SettingsProblem::new("look", "is not about one account; write :id into it"));
        }
        if let Some(Some(list)) = &list
            && !list.bound.is_empty()
        {
            problems.push(SettingsProblem::new("list", "lists everyone; take the parameters out"));
        }
        match (find, revoke) {
            (Some(find), Some(revoke)) if problems.is_empty() => Ok(Statements {
                find,
                list: list.flatten(),
                look: look.flatten(),
                revoke,
                delete: delete.flatten(),
                create,
                grant,
                rename,
            }),
            _ => Err(problems),
        }
    }

    fn read(
        &self,
        key: &'static str,
        text: &str,
        purpose: Purpose,
        problems: &mut Vec<SettingsProblem>,
    ) -> Option<Statement> {
        let read = Statement::read(text, purpose, self.server.marks());
        read.map_err(|problem| problems.push(SettingsProblem::new(key, problem))).ok()
    }

    /// Statements of one change; each must be about one account, by one of these keys.
    fn given(
        &self,
        key: &'static str,
        statements: &[SqlStatement],
        keys: &[Parameter],
        problems: &mut Vec<SettingsProblem>,
    ) -> Vec<Given> {
        let mut all = Vec::new();
        for one in statements {
            let Some(statement) = self.read(key, &one.statement, Purpose::Gives, problems) else {
                continue;
            };
            if !keys.iter().any(|key| statement.binds(*key)) {
                let text = match keys {
                    [Parameter::Id] => "is not about one account; write :id into each statement",
                    _ => "is not about one account; write :account or :user_id into each statement",
                };
                problems.push(SettingsProblem::new(key, text));
            }
            let rows = match one.rows {
                RowCount::Exactly(rows) => Some(u64::from(rows)),
                RowCount::Any(AnyRows::Any) => None,
            };
            all.push(Given { statement, rows });
        }
        if !all.is_empty() && all.iter().all(|given| given.rows.is_none_or(|rows| rows == 0)) {
            let text = "changes nothing for certain; give at least one statement its `rows`";
            problems.push(SettingsProblem::new(key, text));
        }
        all
    }

    fn change(
        &self,
        key: &'static str,
        change: &SqlChange,
        problems: &mut Vec<SettingsProblem>,
    ) -> Option<Change> {
        let statement = self.read(key, &change.statement, Purpose::Changes, problems)?;
        if !statement.binds(Parameter::Id) {
            let text = "would change more than one account; write `WHERE id = :id` into it";
            problems.push(SettingsProblem::new(key, text));
        }
        if change.rows == 0 {
            problems
                .push(SettingsProblem::new(key, "changes 0 rows; write at least 1 under `rows`"));
        }
        Some(Change { statement, rows: change.rows.into() })
    }

    /// Whether the server is on this machine, as far as its address says.
    pub(super) fn is_local(&self) -> bool {
        let host = self.host.as_deref().unwrap_or_default();
        self.socket.is_some()
            || host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn password(&self) -> Option<SecretSource> {
        SecretSource::of(self.password_file.as_ref(), self.password_credential.as_ref())
    }

    /// The address, for receipts and for people.
    pub(super) fn shown(&self) -> String {
        let kind = self.server.shown();
        let database = self.database.as_deref().unwrap_or_default();
        match (&self.file, &self.socket, &self.host) {
            (Some(file), ..) => format!("{kind} {}", file.display()),
            (None, Some(socket), _) => format!("{kind} {database} at {}", socket.display()),
            (None, None, host) => {
                let host = host.as_deref().unwrap_or_default();
                let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
                format!("{kind} {database} at {host}{port}")
            }
        }
    }
}
