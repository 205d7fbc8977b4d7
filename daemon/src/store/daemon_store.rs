//! The daemons that share a state: who is there, who is heard of, and who is fenced off.
//!
//! **Guarantees.** A daemon writes under a session. When it has not been heard of for the time given,
//! another ends that session and takes its steps, tickets and turn over, in one write transaction. From
//! then on each transaction of the silent one is refused at its beginning, until it has joined anew.
//! Times are the database's own, so that machines whose clocks differ agree.

use super::connect::Store;
use super::error::Doing as _;
use super::settings::Turn;
use super::tx::{advisory, lock};
use super::{AuditEntry, Reader, StoreError, Tx, convert, sql};
use jiff::{SignedDuration, Timestamp};
use sea_orm::DatabaseExecutor;
use serde_json::json;
use uuid::Uuid;

/// Microseconds since 1970 by PostgreSQL's clock.
const NOW: &str = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
/// Daemons wake each other by it.
pub(super) const CHANNEL: &str = "lapsed_look_again";

/// As whom a process writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) session: Uuid,
}

/// A daemon that joins.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer<'a> {
    /// Its name in leases: the same after a restart, and no other daemon's.
    pub name: &'a str,
    /// This process, or its life after it was fenced off.
    pub session: Uuid,
    /// Its release.
    pub version: &'a str,
    /// Since when it runs.
    pub started_at: Timestamp,
}

/// What a daemon learns when it says that it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Its session stands: it may go on.
    pub stands: bool,
    /// Another process has joined under the same name.
    pub replaced: bool,
    /// The moment by the database's clock.
    pub at: Timestamp,
    /// How many daemons have a session, this one with them.
    pub members: usize,
    /// Those of the others that were not heard of for the time given.
    pub silent: Vec<String>,
}

/// A daemon that works, or has worked, on the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonRecord {
    /// Its name in leases.
    pub name: String,
    /// Its release.
    pub version: String,
    /// Since when it runs, or ran.
    pub started_at: Timestamp,
    /// When it was last heard of, by the database's clock.
    pub seen_at: Timestamp,
    /// `runs`, `ended`, or `taken over`.
    pub state: String,
}

impl Store {
    fn member(&self) -> Option<Member> {
        self.inner.member.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    fn set_member(&self, member: Option<Member>) {
        *self.inner.member.write().unwrap_or_else(std::sync::PoisonError::into_inner) = member;
    }

    /// Refuses where another daemon has taken this one's work over. For the beginning of a transaction.
    pub(super) async fn still_a_member(&self, db: &DatabaseExecutor<'_>) -> Result<(), StoreError> {
        let Some(Member { name, session }) = self.member() else { return Ok(()) };
        let sql = "SELECT 1 AS one FROM daemons WHERE name = $1 AND session = $2";
        let rows = sql::all(
            db,
            "looking whether this daemon is fenced off",
            sql,
            vec![name.into(), session.into()],
        )
        .await?;
        if rows.is_empty() { Err(StoreError::FencedOff) } else { Ok(()) }
    }

    /// Joins the daemons on a shared state. What an earlier life of the same name had in hand is given
    /// back. From now on every write transaction is refused once another has taken over.
    pub async fn join(&self, new: &Newcomer<'_>) -> Result<(), StoreError> {
        self.set_member(None);
        let mut tx = self.begin().await?;
        advisory(&tx.db(), "pg_advisory_xact_lock", lock::HOLDS).await?;
        tx.release_leases_of(new.name).await?;
        let sql = format!(
            "INSERT INTO daemons (name, session, version, started_at, seen_at, state) \
             VALUES ($1, $2, $3, $4, {NOW}, 'runs') ON CONFLICT (name) DO UPDATE SET \
             session = $2, version = $3, started_at = $4, seen_at = {NOW}, state = 'runs'"
        );
        let values = vec![
            new.name.into(),
            new.session.into(),
            new.version.into(),
            convert::micros(new.started_at).into(),
        ];
        sql::run(&tx.db(), "joining the daemons", &sql, values).await?;
        let entry = AuditEntry::new(new.started_at, "lapsed", "daemon.joined");
        tx.audit(AuditEntry { detail: json!({ "daemon": new.name }), ..entry });
        tx.commit().await?;
        self.set_member(Some(Member { name: new.name.to_owned(), session: new.session }));
        Ok(())
    }

    /// Says that this daemon is there, and learns about the others. Waits for no other transaction.
    pub async fn beat(&self, silent_for: SignedDuration) -> Result<Beat, StoreError> {
        let doing = "saying that this daemon is there";
        let Some(Member { name, session }) = self.member() else {
            return Err(StoreError::FencedOff);
        };
        let db = self.read().db;
        let sql = format!("UPDATE daemons SET seen_at = {NOW} WHERE name = $1 AND session = $2");
        let beaten = sql::run(&db, doing, &sql, vec![name.as_str().into(), session.into()]).await?;
        let sql = format!("SELECT name, session, seen_at, {NOW} AS now FROM daemons");
        let mut beat = Beat {
            stands: beaten > 0,
            replaced: false,
            at: Timestamp::UNIX_EPOCH,
            members: 0,
            silent: Vec::new(),
        };
        for row in sql::all(&db, doing, &sql, Vec::new()).await? {
            let other: String = row.try_get("", "name").doing(doing)?;
            let theirs: Option<Uuid> = row.try_get("", "session").doing(doing)?;
            let seen = convert::moment("moment", row.try_get("", "seen_at").doing(doing)?)?;
            beat.at = convert::moment("moment", row.try_get("", "now").doing(doing)?)?;
            beat.members += usize::from(theirs.is_some());
            if other == name {
                beat.replaced = theirs.is_some_and(|theirs| theirs != session);
            } else if theirs.is_some() && beat.at.duration_since(seen) > silent_for {
                beat.silent.push(other);
            }
        }
        Ok(beat)
    }

    /// Takes over what a daemon had in hand that has not been heard of for so long; false when it has been
    /// meanwhile, or another was quicker.
    pub async fn take_over(
        &self,
        name: &str,
        silent_for: SignedDuration,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Claims under way share this lock: none of a session that has just ended comes after.
        advisory(&tx.db(), "pg_advisory_xact_lock", lock::HOLDS).await?;
        let sql = format!(
            "UPDATE daemons SET session = NULL, state = 'taken over' \
             WHERE name = $1 AND session IS NOT NULL AND seen_at < {NOW} - $2"
        );
        let silent = i64::try_from(silent_for.as_micros()).unwrap_or(i64::MAX);
        let values = vec![name.into(), silent.into()];
        if sql::run(&tx.db(), "taking a daemon's work over", &sql, values).await? == 0 {
            return Ok(false);
        }
        let steps = tx.release_leases_of(name).await?;
        let by = self.member().map(|member| member.name);
        let entry = AuditEntry::new(now, "lapsed", "daemon.taken_over");
        tx.audit(AuditEntry {
            detail: json!({ "daemon": name, "by": by, "steps": steps }),
            ..entry
        });
        tx.commit().await?;
        Ok(true)
    }

    /// Leaves in order: what is still in hand is another's at once.
    pub async fn part(&self) -> Result<(), StoreError> {
        let Some(Member { name, session }) = self.member() else { return Ok(()) };
        let tx = self.begin().await?;
        tx.release_leases_of(&name).await?;
        let sql =
            "UPDATE daemons SET session = NULL, state = 'ended' WHERE name = $1 AND session = $2";
        sql::run(&tx.db(), "leaving the daemons", sql, vec![name.into(), session.into()]).await?;
        tx.commit().await?;
        self.set_member(None);
        self.tell_others().await
    }

    /// Says "look again" to the other daemons on a shared state.
    pub async fn tell_others(&self) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let me = self.member().map_or_else(String::new, |member| member.session.to_string());
        let sql = "SELECT pg_notify($1, $2)";
        let values = vec![CHANNEL.into(), me.into()];
        sql::all(&self.read().db, "waking the other daemons", sql, values).await.map(drop)
    }

    /// What the other daemons say: "look again". Ends never; a lost connection is made anew.
    pub async fn heed_others(&self, mut wake: impl FnMut()) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| StoreError::Database {
            doing: "listening to the other daemons",
            source: sea_orm::DbErr::Custom(error.to_string()),
        };
        let pool = self.inner.db.get_postgres_connection_pool().clone();
        let mut listener = sqlx::postgres::PgListener::connect_with(&pool).await.map_err(failed)?;
        listener.listen(CHANNEL).await.map_err(failed)?;
        loop {
            let said = listener.recv().await.map_err(failed)?;
            let mine = self.member().map(|member| member.session.to_string());
            if mine.as_deref() != Some(said.payload()) {
                wake();
            }
        }
    }
}

impl Tx {
    /// Gives back what a daemon has in hand: steps, tickets, and its turn. Says how many steps.
    pub(super) async fn release_leases_of(&self, owner: &str) -> Result<u64, StoreError> {
        let doing = "giving leases back";
        let sql = "UPDATE steps SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE lease_owner = $1 AND NOT ended";
        let released = sql::run(&self.db(), doing, sql, vec![owner.into()]).await?;
        let sql = "UPDATE tickets SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE lease_owner = $1";
        sql::run(&self.db(), doing, sql, vec![owner.into()]).await?;
        let key = Turn::key("plan");
        let turn: Option<Turn> = self.read().setting(&key).await?;
        if let Some(turn) = turn.filter(|turn| turn.owner == owner) {
            self.set_setting(&key, &Turn { until: Timestamp::UNIX_EPOCH, ..turn }).await?;
        }
        Ok(released)
    }
}

impl Reader<'_> {
    /// The daemons of a shared state, by name.
    pub async fn daemons(&self) -> Result<Vec<DaemonRecord>, StoreError> {
        let doing = "reading which daemons there are";
        let sql = "SELECT name, version, started_at, seen_at, state FROM daemons ORDER BY name";
        let mut found = Vec::new();
        for row in sql::all(&self.db, doing, sql, Vec::new()).await? {
            found.push(DaemonRecord {
                name: row.try_get("", "name").doing(doing)?,
                version: row.try_get("", "version").doing(doing)?,
                started_at: convert::moment("moment", row.try_get("", "started_at").doing(doing)?)?,
                seen_at: convert::moment("moment", row.try_get("", "seen_at").doing(doing)?)?,
                state: row.try_get("", "state").doing(doing)?,
            });
        }
        Ok(found)
    }

    /// Whose turn it is at something that one daemon does at a time, while it lasts.
    pub async fn whose_turn(
        &self,
        what: &str,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let turn: Option<Turn> = self.setting(&Turn::key(what)).await?;
        Ok(turn.filter(|turn| turn.until > now).map(|turn| turn.owner))
    }

    /// How many steps of a target wait to be claimed, roughly: what stands in their way is not looked at.
    pub async fn steps_to_share(
        &self,
        connector: &str,
        now: Timestamp,
        today: jiff::civil::Date,
    ) -> Result<usize, StoreError> {
        let doing = "counting steps";
        let sql = "SELECT COUNT(*) AS steps FROM steps WHERE NOT ended AND state <> 'asked' \
                   AND connector = $1 AND lease_owner IS NULL AND not_before <= $2 \
                   AND (due_on IS NULL OR due_on <= $3)";
        let values = vec![connector.into(), convert::micros(now).into(), today.to_string().into()];
        let rows = sql::all(&self.db, doing, sql, values).await?;
        let count = rows.first().map(|row| row.try_get::<i64>("", "steps")).transpose();
        Ok(usize::try_from(count.doing(doing)?.unwrap_or(0)).unwrap_or(0))
    }
}
