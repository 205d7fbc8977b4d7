//! Opening the database: URL, file rights, durability, schema.

use super::audit::checkpoint::{Checkpoints, Witness};
use super::error::Doing as _;
use super::tx::Reader;
use super::{StoreError, postgres_tls};
use lapsed_migrations::Migrator;
use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, DbBackend,
    TransactionOptions, TransactionTrait as _,
};
use sea_orm_migration::{MigratorTrait as _, SchemaManager};
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::HashSet;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// How long SQLite waits for another process, and a write transaction for another of this process.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// So long a transaction on PostgreSQL may say nothing. No work between two statements takes so long.
const IDLE_IN_TRANSACTION: &str = "10s";

/// Where the state is.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// `sqlite:///var/lib/lapsed/state.db` or `postgres://user@host/name`, without a password. A server
    /// elsewhere must prove itself by its certificate, whatever the URL says; `sslrootcert` in it names
    /// an own authority.
    pub url: String,
    /// File that holds the password, for PostgreSQL.
    pub password_file: Option<PathBuf>,
    /// Most connections at once; at least two are used.
    pub max_connections: u32,
}

impl DatabaseSettings {
    /// A SQLite file.
    #[must_use]
    pub fn sqlite(path: &Path) -> Self {
        Self {
            url: format!("sqlite://{}", path.display()),
            password_file: None,
            max_connections: 8,
        }
    }
}

/// The state; cheap to clone, and every clone is the same one.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) db: DatabaseConnection,
    /// Write transactions of this process stand in line here rather than at the database: a line is
    /// fair, SQLite's busy handler is not, and waiting at PostgreSQL would use up the pool.
    pub(super) gate: Arc<Mutex<()>>,
    pub(super) witness: Option<Witness>,
    /// As whom this process writes, where daemons share the state.
    pub(super) member: std::sync::RwLock<super::daemon_store::Membership>,
    /// What connections of this process call themselves, and those of them that are kept apart; only where
    /// daemons may share the state.
    pub(super) apart: Option<Apart>,
    /// Deleted when the last clone of a scratch store goes.
    _folder: Option<tempfile::TempDir>,
}

/// Connections that no other work can use up: by them a daemon says that it is there, and hears the others.
pub(super) struct Apart {
    pub(super) db: DatabaseConnection,
    pub(super) process: String,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("backend", &self.backend()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, makes it if it is a SQLite file that is not there (readable for its owner
    /// only), brings the schema up to this release, and, where checkpoints are wanted, appends the one that
    /// a crash left out and looks whether audit and checkpoints still agree ([`Store::audit_alarm`]).
    pub async fn open(
        settings: &DatabaseSettings,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Self, StoreError> {
        let (db, apart) = match Kind::of(settings)? {
            Kind::Sqlite(path) => {
                make_private(&path)?;
                let connections = settings.max_connections;
                (sqlite(&path, connections, SqliteSynchronous::Full, false).await?, None)
            }
            Kind::Postgres => {
                let process = format!("lapsed {}", uuid::Uuid::now_v7());
                let few = DatabaseSettings { max_connections: 4, ..settings.clone() };
                let apart = Apart { db: postgres(&few, &process, false).await?, process };
                (postgres(settings, &apart.process, false).await?, Some(apart))
            }
        };
        migrate(&db).await?;
        let witness = checkpoints.map(Witness::open).transpose()?;
        let store = Self::over(db, apart, witness, None);
        if let Some(witness) = &store.inner.witness {
            let behind = witness.mend(&store.read(), store.is_shared()).await?;
            store.note_behind(behind).await?;
        }
        Ok(store)
    }

    /// Opens an existing database without the right to change it, for commands that run beside the
    /// daemon (`plan`, `simulate`, `audit verify`). Migrates nothing.
    pub async fn open_to_read(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let db = match Kind::of(settings)? {
            Kind::Sqlite(path) if !path.exists() => return Err(StoreError::Absent { path }),
            Kind::Sqlite(path) => {
                sqlite(&path, settings.max_connections, SqliteSynchronous::Full, true).await?
            }
            Kind::Postgres => postgres(settings, "lapsed", true).await?,
        };
        let applied = applied_migrations(&db).await?;
        let missing = Migrator::migrations().iter().any(|step| !applied.contains(step.name()));
        if missing { Err(StoreError::Older) } else { Ok(Self::over(db, None, None, None)) }
    }

    /// True where other machines' daemons may work on the same state.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.backend() == sea_orm::DbBackend::Postgres
    }

    /// An empty store in a temporary folder of its own, gone with its last clone. Nothing in it is
    /// durable: for `plan`, `simulate` and tests.
    pub async fn empty_scratch() -> Result<Self, StoreError> {
        let folder = tempfile::tempdir()
            .map_err(|source| StoreError::Folder { path: std::env::temp_dir(), source })?;
        let path = folder.path().join("scratch.db");
        make_private(&path)?;
        let db = sqlite(&path, 8, SqliteSynchronous::Off, false).await?;
        migrate(&db).await?;
        Ok(Self::over(db, None, None, Some(folder)))
    }

    fn over(
        db: DatabaseConnection,
        apart: Option<Apart>,
        witness: Option<Witness>,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let gate = Arc::new(Mutex::new(()));
        Self {
            inner: Arc::new(Inner {
                db,
                gate,
                witness,
                member: std::sync::RwLock::default(),
                apart,
                _folder: folder,
            }),
        }
    }

    /// Every query, over the last committed state.
    #[must_use]
    pub fn read(&self) -> Reader<'_> {
        Reader { db: (&self.inner.db).into() }
    }

    /// Closes all connections; SQLite then folds its write-ahead log into the file.
    pub async fn close(&self) -> Result<(), StoreError> {
        let doing = "closing the database";
        if let Some(apart) = &self.inner.apart {
            apart.db.clone().close().await.doing(doing)?;
        }
        self.inner.db.clone().close().await.doing(doing)
    }

    /// An alarm about the audit: its end was cut off, exchanged or added to by other hands, the checkpoint
    /// file was cut, or a checkpoint could not be written.
    #[must_use]
    pub fn audit_alarm(&self) -> Option<String> {
        self.inner.witness.as_ref().and_then(Witness::alarm)
    }

    pub(super) fn backend(&self) -> DbBackend {
        self.inner.db.get_database_backend()
    }
}

pub(super) enum Kind {
    Sqlite(PathBuf),
    Postgres,
}

impl Kind {
    pub(super) fn of(settings: &DatabaseSettings) -> Result<Self, StoreError> {
        let url = settings.url.as_str();
        if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path.contains('?') {
                return Err(StoreError::UnknownUrl);
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let rest = url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .ok_or(StoreError::UnknownUrl)?;
        let authority = rest.split(['/', '?']).next().unwrap_or("");
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        if user.contains(':') || rest.contains("password=") {
            return Err(StoreError::PasswordInUrl);
        }
        postgres_tls::check(url)?;
        Ok(Self::Postgres)
    }
}

pub(super) fn make_private(path: &Path) -> Result<(), StoreError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::read_dir(folder)
            .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
    }
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::File { path: path.to_owned(), source }),
    }
}

async fn sqlite(
    path: &Path,
    connections: u32,
    synchronous: SqliteSynchronous,
    reading: bool,
) -> Result<DatabaseConnection, StoreError> {
    let mut options = quiet("sqlite://state", connections);
    let path = path.to_owned();
    options.map_sqlx_sqlite_opts(move |options: SqliteConnectOptions| {
        let options = options
            .filename(&path)
            .create_if_missing(false)
            .synchronous(synchronous)
            .foreign_keys(true)
            .busy_timeout(PATIENCE)
            // SQLite's own two MiB make it read the same pages over and over where a state has millions of rows.
            .pragma("cache_size", "-16384")
            // Written into the file every 32 MiB rather than every four: each time waits for the disk once more.
            .pragma("wal_autocheckpoint", "8192");
        if reading {
            options.pragma("query_only", "ON")
        } else {
            options.journal_mode(SqliteJournalMode::Wal)
        }
    });
    // On a full disk SQLite rolls back by itself, which the driver does not learn: it would never again begin a
    // transaction on that connection. One that is still in a transaction when it is given back is closed.
    options.map_sqlx_sqlite_pool_opts(|pool| {
        pool.after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
    });
    Database::connect(options).await.map_err(|source| StoreError::Open { source })
}

async fn postgres(
    settings: &DatabaseSettings,
    process: &str,
    reading: bool,
) -> Result<DatabaseConnection, StoreError> {
    let process = process.to_owned();
    let password = match &settings.password_file {
        Some(path) => Some(password(path)?),
        None => None,
    };
    let mut options = quiet(&settings.url, settings.max_connections);
    options.map_sqlx_postgres_opts(move |options: PgConnectOptions| {
        let options = postgres_tls::proven(options);
        let options = match &password {
            Some(password) => options.password(password.expose_secret()),
            None => options,
        };
        // Whatever the server's default: an intent must survive a power cut.
        // A daemon that is frozen, or cut off, within a transaction must not keep its locks.
        let options = options.application_name(&process).options([
            ("synchronous_commit", "on"),
            ("idle_in_transaction_session_timeout", IDLE_IN_TRANSACTION),
            // What is due is found by many small questions in one: to compile them takes longer than to ask them.
            ("jit", "off"),
        ]);
        if reading { options.options([("default_transaction_read_only", "on")]) } else { options }
    });
    Database::connect(options).await.map_err(|source| StoreError::Open { source })
}

fn password(path: &Path) -> Result<SecretString, StoreError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| StoreError::Password { path: path.to_owned(), source })?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}

/// Statements carry names and user IDs in their values: they go into no log.
fn quiet(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections.max(2))
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    options
}

async fn migrate(db: &DatabaseConnection) -> Result<(), StoreError> {
    // Several daemons may start at once on one PostgreSQL: one of them migrates, the others wait.
    let turn = match db.get_database_backend() {
        DbBackend::Postgres => {
            let turn = db
                .begin_with_options(TransactionOptions::default())
                .await
                .doing("waiting for the migration")?;
            turn.execute_unprepared("SELECT pg_advisory_xact_lock(7811201)")
                .await
                .doing("waiting for the migration")?;
            Some(turn)
        }
        _ => None,
    };
    applied_migrations(db).await?;
    Migrator::up(db, None).await.map_err(|source| StoreError::Migration { source })?;
    if let Some(turn) = turn {
        turn.commit().await.doing("ending the migration")?;
    }
    Ok(())
}

/// The names of all migrations that the database has seen; an error if one is not known here.
async fn applied_migrations(db: &DatabaseConnection) -> Result<HashSet<String>, StoreError> {
    let doing = "reading the schema's version";
    if !SchemaManager::new(db).has_table("seaql_migrations").await.doing(doing)? {
        return Ok(HashSet::new());
    }
    let sql = "SELECT version FROM seaql_migrations ORDER BY version";
    let known: HashSet<String> =
        Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    let mut applied = HashSet::new();
    for row in super::sql::all(&db.into(), doing, sql, Vec::new()).await? {
        let name: String = row.try_get("", "version").doing(doing)?;
        if !known.contains(&name) {
            return Err(StoreError::Newer { found: name });
        }
        applied.insert(name);
    }
    Ok(applied)
}
