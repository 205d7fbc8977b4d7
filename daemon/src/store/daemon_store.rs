//! The daemons that share a state: who is there, who is heard of, and who is fenced off.
//!
//! **Guarantees.** A daemon writes under a session. When it has not been heard of for the time given,
//! another ends that session and takes its steps, tickets and turn over, in one write transaction. From
//! then on each transaction of the silent one is refused at its beginning, until it has joined anew.
//! Times are the database's own, so that machines whose clocks differ agree.

use super::connect::Store;
use super::error::Doing as _;
use super::settings::{PLANNING, Turn};
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

/// Where a process stands among the daemons that share a state.
#[derive(Debug, Default)]
pub(super) enum Membership {
    /// It never joined: a command, or a state of its own. It writes as it is.
    #[default]
    Alone,
    /// It has joined.
    Joined(Member),
    /// It has left, or could not say whether it had joined: it writes nothing.
    Outside {
        /// The session under which it last tried to join: whether that was stored is not known.
        tried: Option<Uuid>,
    },
}

/// SQL: a row is in the hands of no daemon that is heard of, but for the one whose name stands at a
/// placeholder. Such a daemon has its work in hand whatever this machine's clock says of its lease.
pub(super) fn in_no_others_hands(row: &str, own: &str) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM daemons o WHERE o.name = {row}.lease_owner \
         AND o.session IS NOT NULL AND o.name <> {own})"
    )
}

/// SQL: a row is in nobody's hands who is heard of.
pub(super) const IN_NO_HANDS: &str = "NOT EXISTS (SELECT 1 FROM daemons o WHERE o.name = s.lease_owner \
                                      AND o.session IS NOT NULL)";

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
    /// After so long without a word from it, its work is another's.
    pub takeover: SignedDuration,
}

/// Whether a daemon could join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joining {
    /// It is one of them now.
    Joined,
    /// A process of the same name has the session.
    InUse {
        /// When that one was last heard of: alive, if this moves.
        seen_at: Timestamp,
    },
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
    /// Those of the others that were not heard of for the time that they gave.
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

impl DaemonRecord {
    /// True of one that works on the state.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state == "runs"
    }
}

impl Store {
    fn member(&self) -> Option<Member> {
        let known = self.inner.member.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Membership::Joined(member) = &*known { Some(member.clone()) } else { None }
    }

    fn set_member(&self, member: Membership) {
        *self.inner.member.write().unwrap_or_else(std::sync::PoisonError::into_inner) = member;
    }

    /// The session under which this process last tried to join, where it does not know whether it did.
    fn tried(&self) -> Option<Uuid> {
        let known = self.inner.member.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Membership::Outside { tried } = *known { tried } else { None }
    }

    fn is_outside(&self) -> bool {
        let known = self.inner.member.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        matches!(*known, Membership::Outside { .. })
    }

    /// Refuses where another daemon has taken this one's work over. For the beginning of a transaction.
    pub(super) async fn still_a_member(&self, db: &DatabaseExecutor<'_>) -> Result<(), StoreError> {
        if self.is_outside() {
            return Err(StoreError::FencedOff);
        }
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
    /// back; while that life may still be there, this one has to wait. From now on every write transaction
    /// is refused once another has taken over.
    pub async fn join(&self, new: &Newcomer<'_>) -> Result<Joining, StoreError> {
        let Some(apart) = &self.inner.apart else { return Ok(Joining::Joined) };
        let tried = self.tried();
        self.set_member(Membership::Outside { tried });
        let mut tx = self.begin_in_line().await?;
        advisory(&tx.db(), "pg_advisory_xact_lock", lock::HOLDS).await?;
        if let Some(seen_at) = tx.elder(new.name, tried).await? {
            return Ok(Joining::InUse { seen_at });
        }
        tx.release_leases_of(new.name).await?;
        let sql = format!(
            "INSERT INTO daemons (name, session, version, started_at, seen_at, state, takeover, process) \
             VALUES ($1, $2, $3, $4, {NOW}, 'runs', $5, $6) ON CONFLICT (name) DO UPDATE SET \
             session = $2, version = $3, started_at = $4, seen_at = {NOW}, state = 'runs', \
             takeover = $5, process = $6"
        );
        let values = vec![
            new.name.into(),
            new.session.into(),
            new.version.into(),
            convert::micros(new.started_at).into(),
            micros(new.takeover).into(),
            apart.process.as_str().into(),
        ];
        sql::run(&tx.db(), "joining the daemons", &sql, values).await?;
        let entry = AuditEntry::new(new.started_at, "lapsed", "daemon.joined");
        tx.audit(AuditEntry { detail: json!({ "daemon": new.name }), ..entry });
        self.set_member(Membership::Outside { tried: Some(new.session) });
        tx.commit().await?;
        let member = Member { name: new.name.to_owned(), session: new.session };
        self.set_member(Membership::Joined(member));
        Ok(Joining::Joined)
    }

    /// Says that this daemon is there, and learns about the others. Waits for no other transaction.
    /// `takeover` is its own word: after so long without the next beat its work is another's.
    pub async fn beat(&self, takeover: SignedDuration) -> Result<Beat, StoreError> {
        let doing = "saying that this daemon is there";
        let Some(Member { name, session }) = self.member() else {
            return Err(StoreError::FencedOff);
        };
        let Some(apart) = &self.inner.apart else { return Err(StoreError::FencedOff) };
        let db = (&apart.db).into();
        let sql = format!(
            "UPDATE daemons SET seen_at = {NOW}, takeover = $3 WHERE name = $1 AND session = $2"
        );
        let values = vec![name.as_str().into(), session.into(), micros(takeover).into()];
        let beaten = sql::run(&db, doing, &sql, values).await?;
        let sql = format!("SELECT name, session, seen_at, takeover, {NOW} AS now FROM daemons");
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
            let silent_for: i64 = row.try_get("", "takeover").doing(doing)?;
            beat.at = convert::moment("moment", row.try_get("", "now").doing(doing)?)?;
            beat.members += usize::from(theirs.is_some());
            if other == name {
                beat.replaced = theirs.is_some_and(|theirs| theirs != session);
            } else if theirs.is_some()
                && beat.at.duration_since(seen) > SignedDuration::from_micros(silent_for)
            {
                beat.silent.push(other);
            }
        }
        Ok(beat)
    }

    /// Takes over what a daemon had in hand that has not been heard of for as long as it gave; false when it
    /// has been meanwhile, or another was quicker.
    pub async fn take_over(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        // Claims under way share this lock: none of a session that has just ended comes after.
        advisory(&tx.db(), "pg_advisory_xact_lock", lock::HOLDS).await?;
        let sql = format!(
            "UPDATE daemons SET session = NULL, state = 'taken over' \
             WHERE name = $1 AND session IS NOT NULL AND seen_at < {NOW} - takeover"
        );
        let values = vec![name.into()];
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
        let told = self.tell_others().await;
        self.set_member(Membership::Outside { tried: None });
        told
    }

    /// Says "look again" to the other daemons on a shared state.
    pub async fn tell_others(&self) -> Result<(), StoreError> {
        if !self.is_shared() {
            return Ok(());
        }
        let me = self.member().map_or_else(String::new, |member| member.session.to_string());
        let sql = "SELECT pg_notify($1, $2)";
        let values = vec![CHANNEL.into(), me.into()];
        let db = self.inner.apart.as_ref().map_or(&self.inner.db, |apart| &apart.db);
        sql::all(&db.into(), "waking the other daemons", sql, values).await.map(drop)
    }

    /// What the other daemons say: "look again". Ends never; a lost connection is made anew.
    pub async fn heed_others(&self, mut wake: impl FnMut()) -> Result<(), StoreError> {
        let failed = |error: sqlx::Error| StoreError::Database {
            doing: "listening to the other daemons",
            source: sea_orm::DbErr::Custom(error.to_string()),
        };
        let db = self.inner.apart.as_ref().map_or(&self.inner.db, |apart| &apart.db);
        let pool = db.get_postgres_connection_pool().clone();
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

/// A time in microseconds.
fn micros(time: SignedDuration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl Tx {
    /// When a process was last heard of that has the session of a name, and may still be at work: it was
    /// heard of lately, and its connections are there.
    async fn elder(
        &self,
        name: &str,
        tried: Option<Uuid>,
    ) -> Result<Option<Timestamp>, StoreError> {
        let doing = "looking whether the name is in use";
        let sql = format!(
            "SELECT d.session, d.seen_at FROM daemons d WHERE d.name = $1 AND d.session IS NOT NULL \
             AND d.seen_at >= {NOW} - d.takeover AND EXISTS (SELECT 1 FROM pg_stat_activity a \
             WHERE a.application_name = d.process)"
        );
        let rows = sql::all(&self.db(), doing, &sql, vec![name.into()]).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let session: Uuid = row.try_get("", "session").doing(doing)?;
        if tried == Some(session) {
            return Ok(None);
        }
        convert::moment("moment", row.try_get("", "seen_at").doing(doing)?).map(Some)
    }

    /// Whether a daemon has a session.
    pub(super) async fn is_there(&self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT 1 AS one FROM daemons WHERE name = $1 AND session IS NOT NULL";
        let doing = "looking whether a daemon is there";
        Ok(!sql::all(&self.db(), doing, sql, vec![name.into()]).await?.is_empty())
    }

    /// Gives back what a daemon has in hand: steps, tickets, and its turn. Says how many steps.
    pub(super) async fn release_leases_of(&self, owner: &str) -> Result<u64, StoreError> {
        let doing = "giving leases back";
        let sql = "UPDATE steps SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE lease_owner = $1 AND NOT ended";
        let released = sql::run(&self.db(), doing, sql, vec![owner.into()]).await?;
        let sql = "UPDATE tickets SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE lease_owner = $1";
        sql::run(&self.db(), doing, sql, vec![owner.into()]).await?;
        let key = Turn::key(PLANNING);
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
