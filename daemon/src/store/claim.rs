//! Claims: which steps may be carried out now, marked as started before anybody learns of them.

use super::connect::Store;
use super::crash_points::{CrashPoints, Side};
use super::daemon_store::in_no_others_hands;
use super::error::Doing as _;
use super::hold_store::held;
use super::journal_store::stored;
use super::pauses::{Pausable, paused};
use super::standing_store::STOPPED;
use super::tables::steps;
use super::tx::{advisory, lock};
use super::wish_store::KEPT;
use super::{StoreError, StoredStep, convert, sql};
use jiff::{SignedDuration, Timestamp, civil::Date};
use lapsed_core::facts::ConnectorName;
use lapsed_core::journal::{StepEvent, StepState, transition};
use lapsed_core::step::StepId;
use sea_orm::{
    ConnectionTrait as _, DatabaseExecutor, DbBackend, EntityTrait as _, Statement, Value,
};

/// What to claim.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// Connectors that can take work now.
    pub connectors: &'a [ConnectorName],
    /// Now.
    pub now: Timestamp,
    /// Today in the agency's zone; overdue is due.
    pub today: Date,
    /// Who claims: a name that no other daemon on the same database has.
    pub owner: &'a str,
    /// How long the steps are held; longer than a batch can take, or see [`Store::extend_leases`].
    pub lease_for: SignedDuration,
    /// At most so many.
    pub limit: usize,
    /// False while an order that forbids them may lie unread.
    pub deletions_allowed: bool,
}

impl Store {
    /// Claims steps that may be carried out now. When this returns, their intent is durable: state
    /// `started`, a lease, one more attempt.
    ///
    /// A step may be carried out when its plan has passed or its release is good; it is planned, or has
    /// waited long enough, or was left behind by a lease that ran out; its date has come; no step of the
    /// same departure and connector with a lower rank is still to come; and the departure is open: a
    /// person hired again, a notice withdrawn or an end moved to a later day leave nothing to carry out,
    /// nor does a suspension that was lifted. What is unknown is looked at first ([`Reader::lost_steps`]).
    /// What gives access also needs that no departure of the person is in effect and no suspension stops it
    /// there, and that giving is not paused. What destroys also needs that deletions are allowed and not paused,
    /// the departure's disabling is on record, no account of it in any target is left whose disabling was
    /// refused, has drifted or is still to come, and no hold stands over the person, nor a wish over what
    /// would be deleted: all looked at in this same transaction. Where that can't be read, nothing that
    /// destroys is claimed. Dismissals for cause come first, then lower ranks, then steps on the same object
    /// together.
    pub async fn claim_due(&self, claim: &Claim<'_>) -> Result<Vec<StoredStep>, StoreError> {
        if claim.connectors.is_empty() || claim.limit == 0 {
            return Ok(Vec::new());
        }
        match self.claim_by(claim, Orders::Heeded).await {
            Err(full @ StoreError::DiskFull { .. }) => Err(full),
            Err(error) => {
                // Accounts are still shut where only the orders can't be read. Anything else fails again.
                let Ok(claimed) = self.claim_by(claim, Orders::Unreadable).await else {
                    return Err(error);
                };
                tracing::error!(%error, "holds, wishes and suspensions can't be read: nothing is deleted or given");
                Ok(claimed)
            }
            claimed => claimed,
        }
    }

    async fn claim_by(
        &self,
        claim: &Claim<'_>,
        orders: Orders,
    ) -> Result<Vec<StoredStep>, StoreError> {
        // SQLite has one writer: it stands in line with the others. PostgreSQL gives each claim other
        // rows, so claims need not wait.
        match self.backend() {
            DbBackend::Postgres => {
                let tx = self.begin_immediate().await?;
                // Also where orders can't be read: whoever takes over from this daemon waits for the claim.
                advisory(&(&tx).into(), "pg_advisory_xact_lock_shared", lock::HOLDS).await?;
                self.still_a_member(&(&tx).into()).await?;
                let claimed = claim_in(&(&tx).into(), claim, orders).await?;
                let crash_points = begun(&claimed);
                crash_points.pass(Side::Before);
                tx.commit().await.doing("committing a claim")?;
                crash_points.pass(Side::After);
                Ok(claimed)
            }
            _ => {
                let tx = self.begin().await?;
                let claimed = claim_in(&tx.db(), claim, orders).await?;
                let crash_points = begun(&claimed);
                crash_points.pass(Side::Before);
                tx.inner.commit().await.doing("committing a claim")?;
                crash_points.pass(Side::After);
                Ok(claimed)
            }
        }
    }

    /// Gives the leases of a daemon's earlier life back, so that its steps need not wait for them to run
    /// out. For the start, before the first claim; says how many there were.
    pub async fn release_own_leases(&self, owner: &str) -> Result<u64, StoreError> {
        let tx = self.begin().await?;
        let released = tx.release_leases_of(owner).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Gives back what a daemon has in hand at one target: after a round that failed, it does not know what
    /// it had claimed. For the one task of that target, between two rounds.
    pub async fn release_lost_leases(
        &self,
        owner: &str,
        connector: &ConnectorName,
    ) -> Result<u64, StoreError> {
        let sql = "UPDATE steps SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 \
                   WHERE lease_owner = $1 AND connector = $2 AND NOT ended";
        let tx = self.begin().await?;
        let values = vec![owner.into(), connector.as_str().into()];
        let released = sql::run(&tx.db(), "giving lost leases back", sql, values).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Holds claimed steps until another moment; gives the ids of those that are lost to another. The
    /// fencing counter stays, so outcomes can be written from the steps as they were claimed.
    pub async fn extend_leases(
        &self,
        claimed: &[StoredStep],
        until: Timestamp,
    ) -> Result<Vec<StepId>, StoreError> {
        let tx = self.begin().await?;
        let mut lost = Vec::new();
        for some in claimed.chunks(sql::rows_at_once(2)) {
            let sql = format!(
                "UPDATE steps SET lease_until = $1 FROM (VALUES {}) AS v \
                 WHERE steps.id = v.column1 AND steps.lease_token = v.column2 RETURNING steps.id",
                sql::value_rows(2, 2, some.len()),
            );
            let mut values: Vec<Value> = vec![convert::micros(until).into()];
            values.extend(some.iter().flat_map(|s| [s.step.id.0.into(), s.token.into()]));
            let ids = some.iter().map(|stored| stored.step.id);
            lost.extend(tx.written(&sql, values, ids, "extending leases").await?);
        }
        tx.commit().await?;
        Ok(lost)
    }
}

/// Whether holds, wishes and suspensions can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Orders {
    /// They are, in the claim's own transaction.
    Heeded,
    /// They can't be read: nothing is deleted or given, and no wish is carried out.
    Unreadable,
}

async fn claim_in(
    db: &DatabaseExecutor<'_>,
    claim: &Claim<'_>,
    orders: Orders,
) -> Result<Vec<StoredStep>, StoreError> {
    let ready = Statement::from_sql_and_values(
        db.get_database_backend(),
        ready_sql(db.get_database_backend(), claim, orders),
        ready_values(claim),
    );
    let rows =
        steps::Entity::find().from_raw_sql(ready).all(db).await.doing("looking for due steps")?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let mut step = stored(row)?;
        step.perhaps_begun = step.state.is_perhaps_begun();
        if matches!(step.state, StepState::Started { .. }) && step.step.action.asks() {
            // An attempt that nobody knows the end of: counted where the reminders are counted later on.
            step.recheck_index = step.recheck_index.saturating_add(1);
        }
        step.state = transition(&step.state, StepEvent::Start(claim.now))?;
        step.token += 1;
        step.attempts = step.attempts.saturating_add(1);
        step.first_started_at = step.first_started_at.or(Some(claim.now));
        step.changed_at = claim.now;
        step.lease_owner = Some(claim.owner.to_owned());
        step.lease_until = Some(lease_end(claim));
        claimed.push(step);
    }
    mark_started(db, claim, &claimed).await?;
    Ok(claimed)
}

fn lease_end(claim: &Claim<'_>) -> Timestamp {
    claim.now.checked_add(claim.lease_for).unwrap_or(Timestamp::MAX)
}

/// True of a step `s` that was written more than five minutes from now (`$1`): the clock was set back since,
/// and what the step waits for, a lease or its next attempt, would be waited for as long as that.
pub(super) const SET_BACK: &str = "s.changed_at > $1 + 300000000";

/// What else must be so before anything is destroyed, and before a wish is carried out.
fn orders_sql(orders: Orders) -> String {
    match orders {
        Orders::Unreadable => {
            "(NOT s.destroys OR ($3 AND FALSE)) AND s.wish IS NULL AND NOT s.gives".into()
        }
        Orders::Heeded => format!(
            "(NOT s.destroys OR ($3 AND NOT {} AND c.disabled_on IS NOT NULL \
                  AND NOT EXISTS (SELECT 1 FROM steps d \
                                  WHERE d.case_id = s.case_id AND d.action = 'disable' \
                                  AND (NOT d.ended OR d.state IN ('refused', 'drifted'))) \
                  AND NOT ({}))) \
             AND NOT ({KEPT}) AND NOT (s.gives AND ({STOPPED}))",
            paused(Pausable::Deletions),
            held("s.person")
        ),
    }
}

fn ready_sql(backend: DbBackend, claim: &Claim<'_>, orders: Orders) -> String {
    let (connectors, limit) = (claim.connectors.len(), claim.limit);
    let orders = orders_sql(orders);
    // What is paused waits, and nothing that ends access waits for it.
    let giving = paused(Pausable::Giving);
    let in_no_others_hands = in_no_others_hands("s", "$4");
    // SQLite would begin with the open cases, and sort all that is due for the few that come first; a cross join
    // it takes in the order in which it is written.
    let join = if backend == DbBackend::Postgres { "JOIN" } else { "CROSS JOIN" };
    let mut sql = format!(
        "SELECT s.* FROM steps s \
         {join} plans p ON p.hash = s.plan \
         {join} cases c ON c.id = s.case_id \
         WHERE NOT s.ended AND s.state NOT IN ('asked', 'unknown') \
         AND (s.not_before <= $1 OR {SET_BACK}) \
         AND (s.lease_until IS NULL OR s.lease_until <= $1 OR {SET_BACK}) \
         AND {in_no_others_hands} \
         AND (s.due_on IS NULL OR s.due_on <= $2) \
         AND (p.state = 'passed' OR (p.state = 'released' \
              AND (p.release_expires_at IS NULL OR p.release_expires_at > $1))) \
         AND c.state = 'open' \
         AND {orders} AND NOT (s.gives AND {giving}) \
         AND (c.kind <> 'suspension' OR s.gives OR EXISTS (SELECT 1 FROM suspensions u \
              WHERE u.person = s.person AND NOT u.lifted)) \
         AND (s.action NOT IN ('disable_mailbox', 'archive_home') OR c.disabled_on IS NOT NULL \
              OR (c.kind = 'suspension' AND NOT EXISTS (SELECT 1 FROM steps e WHERE NOT e.ended \
                  AND e.case_id = s.case_id AND e.action = 'disable'))) \
         AND NOT EXISTS (SELECT 1 FROM steps b WHERE NOT b.ended AND b.case_id = s.case_id \
                         AND b.connector = s.connector AND b.rank < s.rank \
                         AND NOT (b.gives AND {giving})) \
         AND s.connector IN ({}) \
         ORDER BY s.for_cause DESC, s.rank, s.target_key, s.id LIMIT {limit}",
        sql::placeholders(5, connectors),
    );
    // SQLite has no row locks and needs none: the transaction holds the whole database.
    if backend == DbBackend::Postgres {
        sql.push_str(" FOR UPDATE OF s SKIP LOCKED");
    }
    sql
}

fn ready_values(claim: &Claim<'_>) -> Vec<Value> {
    let mut values: Vec<Value> = vec![
        convert::micros(claim.now).into(),
        claim.today.to_string().into(),
        claim.deletions_allowed.into(),
        claim.owner.into(),
    ];
    values.extend(claim.connectors.iter().map(|name| Value::from(name.as_str())));
    values
}

async fn mark_started(
    db: &DatabaseExecutor<'_>,
    claim: &Claim<'_>,
    claimed: &[StoredStep],
) -> Result<(), StoreError> {
    for some in claimed.chunks(sql::rows_at_once(1)) {
        let Some(first) = some.first() else { continue };
        // All were started at the same moment, so one body serves all of them.
        let sql = format!(
            "UPDATE steps SET state = $1, state_body = $2, lease_owner = $3, lease_until = $4, \
             lease_token = lease_token + 1, attempts = attempts + 1, changed_at = $5, \
             recheck_index = recheck_index + CASE WHEN state = 'started' \
             AND action IN ('request_revocation', 'request_change') THEN 1 ELSE 0 END, \
             first_started_at = COALESCE(first_started_at, $5) WHERE id IN ({})",
            sql::placeholders(6, some.len()),
        );
        let mut values: Vec<Value> = vec![
            first.state.name().into(),
            convert::body("step state", &first.state)?.into(),
            claim.owner.into(),
            convert::micros(lease_end(claim)).into(),
            convert::micros(claim.now).into(),
        ];
        values.extend(some.iter().map(|stored| Value::from(stored.step.id.0)));
        sql::run(db, "marking steps as started", &sql, values).await?;
    }
    Ok(())
}

fn begun(claimed: &[StoredStep]) -> CrashPoints {
    let points = CrashPoints::default();
    for step in claimed {
        points.note_step(&step.step.connector, step.step.action.name(), step.state.name());
    }
    points
}
