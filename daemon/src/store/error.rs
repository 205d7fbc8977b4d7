//! What can go wrong with the state, one sentence a layer.

use lapsed_core::journal::IllegalTransition;
use sea_orm::DbErr;
use std::path::PathBuf;

/// Why the state could not be read or changed. Nothing was changed where one of these comes back.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The URL is neither of SQLite nor of PostgreSQL.
    #[error(
        "the database URL is of no kind that lapsed knows; write sqlite:///path/to/file or postgres://user@host/name"
    )]
    UnknownUrl,
    /// A password stands in the URL.
    #[error(
        "the database URL has a password in it; take it out and name a file that holds it (password_file)"
    )]
    PasswordInUrl,
    /// The URL asks for less than a checked certificate.
    #[error(
        "the database URL asks for sslmode={mode:?} to {host}, which does not prove whose server it is; take sslmode out (the certificate is then checked in full) and, for an own authority, add sslrootcert=/path/to/ca.pem"
    )]
    WeakTls {
        /// The server.
        host: String,
        /// What was asked for.
        mode: String,
    },
    /// The folder of the database file is missing or not writable.
    #[error("the folder {} of the state database can't be used; create it and give it to the daemon's user", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database file can't be made or protected.
    #[error("the state database {} can't be made readable for its owner only", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state is on PostgreSQL, which has means of its own for copies.
    #[error(
        "the state is on PostgreSQL: back it up by pg_dump or a base backup, and restore it by its own means"
    )]
    NotAFile,
    /// A copy of the state can't be made or put back.
    #[error("{} can't be written; name a folder that is empty or not there, on a disk with room", path.display())]
    Copy {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There is no database yet and only reading was asked for.
    #[error("there is no state database at {} yet; it comes with the first run of the daemon", path.display())]
    Absent {
        /// Where one was looked for.
        path: PathBuf,
    },
    /// The file with the password can't be read.
    #[error("the password file {} can't be read; check its path and owner", path.display())]
    Password {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No connection.
    #[error("the state database can't be opened; check its URL, its rights and that it runs")]
    Open {
        /// What the driver said.
        source: DbErr,
    },
    /// The schema was written by a later release.
    #[error(
        "the state database was migrated by a later release of lapsed ({found} is not known here); install that release again or restore the backup made before it"
    )]
    Newer {
        /// The migration that is not known here.
        found: String,
    },
    /// The schema is an older one and only reading was asked for.
    #[error(
        "the state database has an older schema; start the daemon of this release once, which migrates it"
    )]
    Older,
    /// A migration failed; it was rolled back.
    #[error(
        "the state database could not be migrated and was left as it was; the cause below says why"
    )]
    Migration {
        /// What the driver said.
        source: DbErr,
    },
    /// Another transaction of this process held the database for too long.
    #[error(
        "the state database was busy for {seconds} seconds; if this comes again, report which command or job ran meanwhile"
    )]
    Busy {
        /// How long was waited.
        seconds: u64,
    },
    /// Another daemon has taken this one's work over.
    #[error(
        "this daemon was not heard of for too long, and another has taken its work over; nothing was written, and it joins again by itself"
    )]
    FencedOff,
    /// Two daemons with one name.
    #[error(
        "another daemon that is called {name:?} works on this database; give each its own name (execution.instance), or stop that one first"
    )]
    NameInUse {
        /// The name in leases.
        name: String,
    },
    /// A statement failed.
    #[error(
        "{doing} failed; nothing was changed, and the daemon tries again when the database answers"
    )]
    Database {
        /// What was being done, as the beginning of a sentence.
        doing: &'static str,
        /// What the driver said.
        source: DbErr,
    },
    /// There is no room left for what was to be written.
    #[error(
        "the disk of the state is full: {doing} failed and nothing was changed; make room, and the daemon goes on by itself"
    )]
    DiskFull {
        /// What was being done.
        doing: &'static str,
        /// What the driver said.
        source: DbErr,
    },
    /// A stored body can't be read.
    #[error(
        "a stored {what} can't be read; it was written by another release or changed by hand, restore it from a backup"
    )]
    Body {
        /// What kind of row.
        what: &'static str,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A stored value is not of its column's kind.
    #[error(
        "a stored {what} reads {found:?}, which lapsed never writes; restore the row from a backup"
    )]
    Value {
        /// Which column.
        what: &'static str,
        /// What was found, cut.
        found: String,
    },
    /// A step was asked to go a way that the journal does not know.
    #[error("the journal refused a step's new state")]
    Transition(#[from] IllegalTransition),
    /// A plan that is not there.
    #[error("there is no plan {hash}; `lapsed plans` lists those that are")]
    NoSuchPlan {
        /// What was asked for.
        hash: String,
    },
    /// The file of signed checkpoints or its key.
    #[error("{} can't be used; check that its folder exists and belongs to the daemon's user", path.display())]
    Witness {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process writes the file of signed checkpoints.
    #[error("{} is being written by another lapsed; stop that one first (`systemctl stop lapsed`)", path.display())]
    WitnessTaken {
        /// The file.
        path: PathBuf,
    },
    /// A key file that holds no key.
    #[error("{} holds no Ed25519 key in PEM; restore it, or move it away to have a new one made (checkpoints before it then need the old public key)", path.display())]
    Key {
        /// The file.
        path: PathBuf,
    },
}

/// Gives a driver's error its place: `.doing("reading plans")?`.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, DbErr> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        // PostgreSQL's details quote whole rows, and `Debug` would print them: only the sentence is kept.
        self.map_err(|error| {
            let source = DbErr::Custom(error.to_string());
            if is_full(&error.to_string()) {
                StoreError::DiskFull { doing, source }
            } else {
                StoreError::Database { doing, source }
            }
        })
    }
}

/// SQLite's words for its result `SQLITE_FULL`, and the system's for `ENOSPC`, which PostgreSQL passes on.
fn is_full(said: &str) -> bool {
    said.contains("database or disk is full") || said.contains("No space left on device")
}
