//! One connection to the database, and the transaction in it. Dropped without a commit, the server
//! rolls back what was under way.

use super::cells::{Cells, account};
use super::settings::{SqlServer, SqlSettings};
use super::statement::{Parameter, Statement};
use super::trouble::{Trouble, of_connecting, of_silence, of_statement};
use crate::system_account::SystemAccount;
use futures_util::{Stream, StreamExt};
use lapsed_core::step::Cause;
use secrecy::{ExposeSecret, SecretString};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgSslMode};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ConnectOptions, Either, Encode, Executor, Postgres,
    SqlSafeStr, Statement as _, Type, TypeInfo,
};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::str::FromStr;
use std::time::Duration;
use uuid::Uuid;

/// The server's own time-out is to come first: it says more than silence.
const LEEWAY: Duration = Duration::from_secs(2);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The server itself refuses every change.
    Reads,
    /// Changes, up to a commit.
    Changes,
}

/// What is bound.
#[derive(Debug, Clone, Default)]
pub(super) struct Values(BTreeMap<Parameter, String>);

impl Values {
    /// The same with one more; what is not there is NULL.
    pub(super) fn with(mut self, parameter: Parameter, value: impl ToString) -> Self {
        self.0.insert(parameter, value.to_string());
        self
    }

    /// The same with one more, where it is known.
    pub(super) fn perhaps(self, parameter: Parameter, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(parameter, value),
            None => self,
        }
    }

    fn of(&self, parameter: Parameter) -> Option<&str> {
        self.0.get(&parameter).map(String::as_str)
    }
}

/// An open connection.
pub(super) struct Session {
    connection: Connection,
    limit: Duration,
}

enum Connection {
    Postgres(PgConnection),
    MySql(MySqlConnection),
    Sqlite(SqliteConnection),
}

impl Session {
    /// Connects and begins a transaction.
    pub(super) async fn begin(settings: &SqlSettings, access: Access) -> Result<Self, Trouble> {
        let password = match settings.password() {
            None => None,
            Some(source) => Some(source.read().map_err(|error| {
                let text = std::error::Error::source(&error).map(ToString::to_string);
                Trouble::Passing(Cause { message: error.to_string(), code: text })
            })?),
        };
        let limit = settings.timeouts.connect();
        let connection =
            match tokio::time::timeout(limit, connect(settings, password, access)).await {
                Ok(connected) => connected.map_err(|error| of_connecting(&error))?,
                Err(_) => {
                    let text = format!("the server was not reached within {} s", limit.as_secs());
                    return Err(Trouble::Passing(Cause::new(text)));
                }
            };
        let mut session = Self { connection, limit: settings.timeouts.statement() };
        session.prepare(settings, access).await?;
        Ok(session)
    }

    /// The server's own time limits, and the transaction.
    async fn prepare(&mut self, settings: &SqlSettings, access: Access) -> Result<(), Trouble> {
        let seconds = settings.timeouts.statement_seconds;
        match settings.server {
            SqlServer::Mariadb => {
                self.say(format!(
                    "SET SESSION max_statement_time={seconds}, innodb_lock_wait_timeout={seconds}, lock_wait_timeout={seconds}"
                ))
                .await?;
            }
            SqlServer::Mysql => {
                let milliseconds = u64::from(seconds) * 1_000;
                self.say(format!(
                    "SET SESSION max_execution_time={milliseconds}, innodb_lock_wait_timeout={seconds}, lock_wait_timeout={seconds}"
                ))
                .await?;
            }
            SqlServer::Postgresql | SqlServer::Sqlite => {}
        }
        let begin = match (settings.server, access) {
            (SqlServer::Postgresql, Access::Reads) => "BEGIN READ ONLY",
            (SqlServer::Postgresql, Access::Changes) => "BEGIN ISOLATION LEVEL REPEATABLE READ",
            (SqlServer::Sqlite, Access::Reads) => "BEGIN",
            (SqlServer::Sqlite, Access::Changes) => "BEGIN IMMEDIATE",
            (_, Access::Reads) => "START TRANSACTION READ ONLY",
            (_, Access::Changes) => "START TRANSACTION",
        };
        self.say(begin.to_owned()).await
    }

    /// Words of our own, without parameters.
    async fn say(&mut self, words: String) -> Result<(), Trouble> {
        let (words, limit) = (sqlx::raw_sql(AssertSqlSafe(words)), self.limit);
        match &mut self.connection {
            Connection::Postgres(c) => within(limit, words.execute(c)).await.map(drop),
            Connection::MySql(c) => within(limit, words.execute(c)).await.map(drop),
            Connection::Sqlite(c) => within(limit, words.execute(c)).await.map(drop),
        }
    }

    /// The accounts that a statement gives, `most` at most.
    pub(super) async fn accounts(
        &mut self,
        statement: &Statement,
        values: &Values,
        most: usize,
    ) -> Result<Vec<SystemAccount>, Trouble> {
        let (text, limit) = (AssertSqlSafe(statement.text.clone()), self.limit);
        match &mut self.connection {
            Connection::Postgres(c) => {
                let Some(arguments) = within_trouble(limit, postgres(c, statement, values)).await?
                else {
                    return Ok(Vec::new());
                };
                collect(limit, sqlx::query_with(text, arguments).fetch(c), most).await
            }
            Connection::MySql(c) => {
                let query = statement.bound.iter().fold(sqlx::query(text), |query, parameter| {
                    query.bind(values.of(*parameter).map(str::to_owned))
                });
                collect(limit, query.fetch(c), most).await
            }
            Connection::Sqlite(c) => {
                let query = statement.bound.iter().fold(sqlx::query(text), |query, parameter| {
                    query.bind(values.of(*parameter).map(str::to_owned))
                });
                collect(limit, query.fetch(c), most).await
            }
        }
    }

    /// Carries a change out, and says how many rows it changed.
    pub(super) async fn change(
        &mut self,
        statement: &Statement,
        values: &Values,
    ) -> Result<u64, Trouble> {
        let (text, limit) = (AssertSqlSafe(statement.text.clone()), self.limit);
        match &mut self.connection {
            Connection::Postgres(c) => {
                let arguments = within_trouble(limit, postgres(c, statement, values)).await?;
                let arguments = arguments.ok_or_else(|| {
                    Trouble::refused(
                        "a parameter is compared with a column of another type than in `find`; cast it",
                    )
                })?;
                let done = within(limit, sqlx::query_with(text, arguments).execute(c)).await?;
                Ok(done.rows_affected())
            }
            Connection::MySql(c) => {
                let query = statement.bound.iter().fold(sqlx::query(text), |query, parameter| {
                    query.bind(values.of(*parameter).map(str::to_owned))
                });
                Ok(within(limit, query.execute(c)).await?.rows_affected())
            }
            Connection::Sqlite(c) => {
                let query = statement.bound.iter().fold(sqlx::query(text), |query, parameter| {
                    query.bind(values.of(*parameter).map(str::to_owned))
                });
                Ok(within(limit, query.execute(c)).await?.rows_affected())
            }
        }
    }

    /// The columns that a statement would give; the server reads it, and does not carry it out.
    pub(super) async fn columns(&mut self, statement: &Statement) -> Result<Vec<String>, Trouble> {
        let (text, limit) = (AssertSqlSafe(statement.text.clone()).into_sql_str(), self.limit);
        match &mut self.connection {
            Connection::Postgres(c) => {
                let prepared = within(limit, c.prepare(text)).await?;
                Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
            }
            Connection::MySql(c) => {
                let prepared = within(limit, c.prepare(text)).await?;
                Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
            }
            Connection::Sqlite(c) => {
                let prepared = within(limit, c.prepare(text)).await?;
                Ok(prepared.columns().iter().map(|column| column.name().to_owned()).collect())
            }
        }
    }

    /// Makes the changes last.
    pub(super) async fn commit(mut self) -> Result<(), Trouble> {
        self.say("COMMIT".into()).await
    }

    /// Takes everything back.
    pub(super) async fn roll_back(&mut self) {
        // Where it fails, the connection is soon closed, which rolls back as well.
        let _ = self.say("ROLLBACK".into()).await;
    }
}

async fn connect(
    settings: &SqlSettings,
    password: Option<SecretString>,
    access: Access,
) -> Result<Connection, sqlx::Error> {
    let password = password.as_ref().map(ExposeSecret::expose_secret);
    match settings.server {
        SqlServer::Postgresql => {
            let options = postgres_options(settings, password).disable_statement_logging();
            options.connect().await.map(Connection::Postgres)
        }
        SqlServer::Mariadb | SqlServer::Mysql => {
            let options = mysql_options(settings, password).disable_statement_logging();
            options.connect().await.map(Connection::MySql)
        }
        SqlServer::Sqlite => {
            let options = SqliteConnectOptions::new()
                .filename(settings.file.clone().unwrap_or_default())
                .read_only(access == Access::Reads)
                .busy_timeout(settings.timeouts.statement())
                .disable_statement_logging();
            options.connect().await.map(Connection::Sqlite)
        }
    }
}

fn postgres_options(settings: &SqlSettings, password: Option<&str>) -> PgConnectOptions {
    let milliseconds = (u64::from(settings.timeouts.statement_seconds) * 1_000).to_string();
    let mut options = PgConnectOptions::new_without_pgpass()
        .username(settings.user.as_deref().unwrap_or_default())
        .database(settings.database.as_deref().unwrap_or_default())
        .port(settings.port.unwrap_or(5432))
        .application_name("lapsed")
        .options([
            ("statement_timeout", milliseconds.as_str()),
            ("lock_timeout", milliseconds.as_str()),
            ("idle_in_transaction_session_timeout", milliseconds.as_str()),
        ]);
    if let Some(password) = password {
        options = options.password(password);
    }
    if let Some(file) = &settings.ca_file {
        options = options.ssl_root_cert(file);
    }
    if let Some(socket) = &settings.socket {
        return options.socket(socket).ssl_mode(PgSslMode::Disable);
    }
    let mode = if unproven(settings) { PgSslMode::Prefer } else { PgSslMode::VerifyFull };
    options.host(settings.host.as_deref().unwrap_or_default()).ssl_mode(mode)
}

fn mysql_options(settings: &SqlSettings, password: Option<&str>) -> MySqlConnectOptions {
    let mut options = MySqlConnectOptions::new()
        .username(settings.user.as_deref().unwrap_or_default())
        .database(settings.database.as_deref().unwrap_or_default())
        .port(settings.port.unwrap_or(3306));
    if let Some(password) = password {
        options = options.password(password);
    }
    if let Some(file) = &settings.ca_file {
        options = options.ssl_ca(file);
    }
    if let Some(socket) = &settings.socket {
        return options.socket(socket).ssl_mode(MySqlSslMode::Disabled);
    }
    let mode =
        if unproven(settings) { MySqlSslMode::Preferred } else { MySqlSslMode::VerifyIdentity };
    options.host(settings.host.as_deref().unwrap_or_default()).ssl_mode(mode)
}

/// On this machine's loopback nobody listens in: only where an authority is named is it asked for.
fn unproven(settings: &SqlSettings) -> bool {
    settings.is_local() && settings.ca_file.is_none()
}

/// Parameters as the types that the server gives them: `None` where a value can't be of that type, so
/// that no row has it.
async fn postgres(
    connection: &mut PgConnection,
    statement: &Statement,
    values: &Values,
) -> Result<Option<PgArguments>, Trouble> {
    let text = AssertSqlSafe(statement.text.clone()).into_sql_str();
    let prepared = connection.prepare(text).await.map_err(|error| of_statement(&error))?;
    let kinds = match prepared.parameters() {
        Some(Either::Left(kinds)) => kinds,
        _ => &[],
    };
    let mut arguments = PgArguments::default();
    for (parameter, kind) in statement.bound.iter().zip(kinds) {
        let value = values.of(*parameter);
        let fits = match kind.name() {
            "INT2" => add::<i16>(&mut arguments, value),
            "INT4" => add::<i32>(&mut arguments, value),
            "INT8" => add::<i64>(&mut arguments, value),
            "UUID" => add::<Uuid>(&mut arguments, value),
            "TEXT" | "VARCHAR" | "CHAR" | "NAME" | "CITEXT" | "UNKNOWN" => {
                add::<String>(&mut arguments, value)
            }
            other => Err(Trouble::refused(format!(
                "a parameter is compared with a column of type {other}; cast the column to text"
            ))),
        }?;
        if !fits {
            return Ok(None);
        }
    }
    Ok(Some(arguments))
}

fn add<T>(arguments: &mut PgArguments, value: Option<&str>) -> Result<bool, Trouble>
where
    T: FromStr + for<'e> Encode<'e, Postgres> + Type<Postgres>,
{
    let Ok(value) = value.map(str::parse::<T>).transpose() else { return Ok(false) };
    let added = arguments.add(value);
    added.map(|()| true).map_err(|error| Trouble::refused(error.to_string()))
}

async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Trouble> {
    let call = async { call.await.map_err(|error| of_statement(&error)) };
    within_trouble(limit, call).await
}

async fn within_trouble<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit + LEEWAY, call).await {
        Ok(ended) => ended,
        Err(_) => Err(of_silence(limit)),
    }
}

async fn collect<R: Cells>(
    limit: Duration,
    rows: impl Stream<Item = Result<R, sqlx::Error>>,
    most: usize,
) -> Result<Vec<SystemAccount>, Trouble> {
    let all = async {
        let mut rows = pin!(rows);
        let mut found = Vec::new();
        while let Some(row) = rows.next().await {
            if found.len() == most {
                break;
            }
            found.push(account(&row.map_err(|error| of_statement(&error))?)?);
        }
        Ok(found)
    };
    within_trouble(limit, all).await
}
