//! Write transactions, and the reader that they and the store share.

use super::audit::{ALARM, AuditEntry, append};
use super::connect::{PATIENCE, Store};
use super::crash_points::{CrashPoints, Side};
use super::error::Doing as _;
use super::{StoreError, sql};
use sea_orm::{
    ConnectionTrait as _, DatabaseExecutor, DatabaseTransaction, DbBackend, SqliteTransactionMode,
    TransactionOptions, TransactionTrait as _,
};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::OwnedMutexGuard;

/// Numbers of the advisory locks on PostgreSQL.
pub(super) mod lock {
    /// Write transactions, one after another.
    pub(in super::super) const WRITES: i64 = 7_811_202;
    /// Claims share it, a new or lifted hold takes it alone.
    pub(in super::super) const HOLDS: i64 = 7_811_203;
}

/// Every query, over a store or within a transaction.
#[derive(Debug)]
pub struct Reader<'a> {
    pub(super) db: DatabaseExecutor<'a>,
}

/// A write transaction: all of it happens at [`Tx::commit`], or none.
///
/// Only one exists at a time, so do not wait for a target, a person or another transaction while
/// holding one.
#[must_use = "a transaction that is dropped changes nothing"]
pub struct Tx {
    // In this order: the database lets go before the next in line comes.
    pub(super) inner: DatabaseTransaction,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) store: Store,
    pub(super) crash_points: CrashPoints,
    /// So many steps were added that the database should count its rows anew.
    pub(super) has_grown: AtomicBool,
    _turn: OwnedMutexGuard<()>,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tx").field("audit_entries", &self.audit.len()).finish_non_exhaustive()
    }
}

impl Store {
    /// Starts a write transaction, after those that were there before.
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let tx = self.begin_in_line().await?;
        self.still_a_member(&tx.db()).await?;
        Ok(tx)
    }

    /// The same for a daemon that is about to join the others.
    pub(super) async fn begin_in_line(&self) -> Result<Tx, StoreError> {
        let turn = tokio::time::timeout(PATIENCE, self.inner.gate.clone().lock_owned())
            .await
            .map_err(|_| StoreError::Busy { seconds: PATIENCE.as_secs() })?;
        let inner = self.begin_immediate().await?;
        if self.backend() == DbBackend::Postgres {
            // Each statement sees what was committed before it began, so all that follows the lock
            // sees every earlier write transaction.
            advisory(&(&inner).into(), "pg_advisory_xact_lock", lock::WRITES).await?;
        }
        let crash_points = CrashPoints::default();
        Ok(Tx {
            inner,
            audit: Vec::new(),
            store: self.clone(),
            crash_points,
            has_grown: AtomicBool::new(false),
            _turn: turn,
        })
    }

    /// PostgreSQL counts rows about once a minute. Until then it takes what has just been filled for empty, and
    /// looks for due steps in the slowest way there is. What was committed stands, whatever becomes of this.
    async fn count_rows_anew(&self) {
        if self.backend() != DbBackend::Postgres {
            return;
        }
        let sql = "ANALYZE (SKIP_LOCKED) people, cases, plans, steps";
        if let Err(error) = self.inner.db.execute_unprepared(sql).await {
            tracing::debug!(%error, "the database did not count its rows anew");
        }
    }

    /// The one place where a transaction that writes begins: on SQLite one that begins by reading
    /// fails as soon as another process wrote meanwhile.
    pub(super) async fn begin_immediate(&self) -> Result<DatabaseTransaction, StoreError> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.inner.db.begin_with_options(options).await.doing("starting a transaction")
    }
}

/// Takes a lock of PostgreSQL's until the end of the transaction.
pub(super) async fn advisory(
    db: &DatabaseExecutor<'_>,
    function: &str,
    number: i64,
) -> Result<(), StoreError> {
    let sql = format!("SELECT {function}($1)");
    sql::all(db, "waiting for a lock of the database", &sql, vec![number.into()]).await.map(drop)
}

impl Tx {
    /// Every query, over what this transaction has written so far.
    #[must_use]
    pub fn read(&self) -> Reader<'_> {
        Reader { db: self.db() }
    }

    pub(super) fn db(&self) -> DatabaseExecutor<'_> {
        (&self.inner).into()
    }

    /// Adds an entry to the audit; entries are chained, in the order given, when this commits.
    pub fn audit(&mut self, entry: AuditEntry) {
        self.audit.push(entry);
    }

    /// Makes it all durable, then leaves a signed checkpoint if there were audit entries. Gives the
    /// number of the last audit row, 0 if there is none yet.
    ///
    /// An audit that is not as this process left it, or a checkpoint that can't be written, undoes
    /// nothing: it raises [`Store::audit_alarm`], and the next checkpoint covers what this one should have.
    ///
    /// It goes on when its caller is given up, as at the daemon's end: what is committed and not noted as
    /// ours would be taken for somebody else's by whatever this process commits after it.
    pub async fn commit(self) -> Result<u64, StoreError> {
        let grown = self.has_grown.load(Ordering::Relaxed).then(|| self.store.clone());
        match tokio::spawn(self.commit_whole()).await {
            Ok(committed) => {
                if let (Some(store), true) = (grown, committed.is_ok()) {
                    store.count_rows_anew().await;
                }
                committed
            }
            Err(ended) => match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime ends, and with it whoever waits here.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn commit_whole(mut self) -> Result<u64, StoreError> {
        let doing = "committing a transaction";
        let store = self.store.clone();
        let witness = store.inner.witness.as_ref().filter(|_| !self.audit.is_empty());
        let Some(witness) = witness else {
            let head = append(&self.db(), &self.audit).await?;
            self.crash_points.pass(Side::Before);
            self.inner.commit().await.doing(doing)?;
            self.crash_points.pass(Side::After);
            return Ok(head.seq);
        };
        // Held over the commit, so that checkpoints stand in the file in their rows' order.
        let mut line = witness.line().await;
        if let Some(alarm) = line.compare(&self.read(), store.is_shared()).await? {
            let detail = serde_json::json!({ "alarm": alarm });
            let entry = AuditEntry::new(jiff::Timestamp::now(), "lapsed", ALARM);
            self.audit.insert(0, AuditEntry { detail, ..entry });
        }
        let head = append(&self.db(), &self.audit).await?;
        let checkpoint = line.next(&head);
        self.set_setting(&witness.setting(), &checkpoint.text()).await?;
        self.crash_points.pass(Side::Before);
        self.inner.commit().await.doing(doing)?;
        self.crash_points.pass(Side::After);
        line.committed(head.clone());
        line.write(checkpoint);
        Ok(head.seq)
    }
}
