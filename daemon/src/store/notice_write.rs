//! The outbox, as it is written: queued with the decision that causes a notice, claimed by one sender at
//! a time, and never sent twice by mistake.

use super::connect::Store;
use super::daemon_store::in_no_others_hands;
use super::error::Doing as _;
use super::notice_store::stored;
use super::tables::notices;
use super::{StoreError, StoredNotice, Tx, convert, sql};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::{CaseId, PersonId};
use lapsed_core::notice_rules::{Addressee, Deletion, Kind};
use sea_orm::{DbBackend, EntityTrait as _, Statement, Value};
use uuid::Uuid;

/// A notice to be queued, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    /// See [`StoredNotice::id`].
    pub id: Uuid,
    /// What it tells.
    pub kind: Kind,
    /// The departure that it is about.
    pub case: Option<CaseId>,
    /// The person that it is about.
    pub person: Option<PersonId>,
    /// What it is about, for people.
    pub about: String,
    /// For whom it is.
    pub addressee: Addressee,
    /// Where it goes, where that is known already.
    pub addresses: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// The deletions that it tells of.
    pub told: Vec<Deletion>,
    /// It goes out as a line of a digest only.
    pub by_digest: bool,
}

/// No notice is put off or held for as long as these two hours, in microseconds: one that is was written
/// before the clock was set back, and nobody is to wait for that.
const SET_BACK: u64 = 7_200_000_000;

/// What to claim.
#[derive(Debug, Clone, Copy)]
pub struct NoticeClaim<'a> {
    /// Now.
    pub now: Timestamp,
    /// Who claims: a name that no other daemon on the same database has.
    pub owner: &'a str,
    /// How long a notice is held; longer than a mail server can take.
    pub lease_for: SignedDuration,
    /// At most so many.
    pub limit: usize,
}

/// What became of a claimed notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoticeEnd {
    /// The mail server took it.
    Sent,
    /// Nobody has it: again at that moment, for that reason.
    Again(Timestamp, String),
    /// Whether the mail server took it is not known.
    Unverified(String),
    /// The mail server will not have it.
    Failed(String),
    /// Too many of its kind went to these addresses lately: it becomes a line of their digest.
    ToDigest(Vec<String>),
    /// What it says is no longer so.
    Superseded(String),
}

impl Tx {
    /// Queues notices. One that is there already, in whatever state, stays as it is: the same wish is
    /// the same notice. Gives the ids of those that were new.
    pub async fn queue_notices(
        &self,
        all: &[NewNotice],
        now: Timestamp,
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut new = Vec::new();
        for notice in all {
            if self.read().notice(notice.id).await?.is_none() {
                sql::put_all(&self.db(), "queueing a notice", vec![row(notice, now)?], None)
                    .await?;
                new.push(notice.id);
            }
        }
        Ok(new)
    }

    /// Keeps notices that were queued in this transaction from going out: they may have been sent before.
    ///
    /// # Errors
    /// When they can't be written.
    pub async fn doubt_queued(
        &self,
        ids: &[Uuid],
        why: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        for id in ids {
            let sql = "UPDATE notices SET state = 'unverified', cause = $1, sent_at = $2, \
                       lease_token = lease_token + 1 WHERE id = $3 AND state = 'queued'";
            let values = vec![why.into(), convert::micros(now).into(), (*id).into()];
            sql::run(&self.db(), "keeping a notice from going out", sql, values).await?;
        }
        Ok(())
    }

    /// Marks a claimed notice as being handed over: from here on a daemon that dies leaves it unverified.
    /// False when another daemon has it now.
    pub async fn begin_sending(
        &self,
        notice: &StoredNotice,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE notices SET state = 'sending', addresses = $1, subject = $2, body = $3, \
                   lease_until = $4, lease_token = lease_token + 1, attempts = attempts + 1, \
                   sent_at = $5 WHERE id = $6 AND lease_token = $7 AND state = 'queued'";
        let values = vec![
            convert::body("addresses", &notice.addresses)?.into(),
            notice.subject.clone().into(),
            notice.body.clone().into(),
            convert::micros(until).into(),
            convert::micros(now).into(),
            notice.id.into(),
            notice.token.into(),
        ];
        self.crash_points.note("notice", "sending");
        Ok(sql::run(&self.db(), "marking a notice as being sent", sql, values).await? > 0)
    }

    /// Writes what became of a notice and gives its lease back; false when another daemon has it now. The
    /// lines of a digest that failed wait for the next one.
    pub async fn end_notice(
        &self,
        id: Uuid,
        token: i64,
        end: &NoticeEnd,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (state, cause, not_before) = match end {
            NoticeEnd::Sent => ("sent", None, now),
            NoticeEnd::Again(at, why) => ("queued", Some(why), *at),
            NoticeEnd::Unverified(why) => ("unverified", Some(why), now),
            NoticeEnd::Failed(why) => ("failed", Some(why), now),
            NoticeEnd::ToDigest(_) => ("queued", None, now),
            NoticeEnd::Superseded(why) => ("superseded", Some(why), now),
        };
        self.crash_points.note("notice", state);
        let reached = matches!(end, NoticeEnd::Sent | NoticeEnd::Unverified(_));
        let sent_at = reached.then(|| convert::micros(now));
        let sql = "UPDATE notices SET state = $1, cause = $2, not_before = $3, sent_at = $4, \
                   lease_owner = NULL, lease_until = NULL, lease_token = lease_token + 1 \
                   WHERE id = $5 AND lease_token = $6";
        let values: Vec<Value> = vec![
            state.into(),
            cause.cloned().into(),
            convert::micros(not_before).into(),
            sent_at.into(),
            id.into(),
            token.into(),
        ];
        let written = sql::run(&self.db(), "writing what became of a notice", sql, values).await?;
        if let (NoticeEnd::ToDigest(addresses), true) = (end, written > 0) {
            let sql = "UPDATE notices SET by_digest = $1, addresses = $2 WHERE id = $3";
            let addresses = convert::body("addresses", addresses)?;
            let values = vec![true.into(), addresses.into(), id.into()];
            sql::run(&self.db(), "putting a notice into a digest", sql, values).await?;
        }
        if let (NoticeEnd::Failed(_), true) = (end, written > 0) {
            // A digest that nobody gets tells nothing: its lines wait for the next one.
            let sql = "UPDATE notices SET state = 'queued', digest = NULL, \
                       lease_token = lease_token + 1 WHERE state = 'superseded' AND digest = $1";
            sql::run(&self.db(), "giving a digest's lines back", sql, vec![id.into()]).await?;
        }
        Ok(written > 0)
    }

    /// Lets a digest carry these notices, which then never go out by themselves.
    pub async fn carry_in_digest(&self, digest: Uuid, lines: &[Uuid]) -> Result<(), StoreError> {
        for some in lines.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "UPDATE notices SET state = 'superseded', digest = $1, \
                 lease_token = lease_token + 1 WHERE state = 'queued' AND id IN ({})",
                sql::placeholders(2, some.len()),
            );
            let mut values: Vec<Value> = vec![digest.into()];
            values.extend(some.iter().map(|id| Value::from(*id)));
            sql::run(&self.db(), "putting notices into a digest", &sql, values).await?;
        }
        Ok(())
    }
}

impl Store {
    /// Claims notices that may go out now: they wait, their moment has come, and no other daemon holds
    /// them. They are still `queued` until [`Tx::begin_sending`], so that one which dies before it
    /// speaks to the mail server leaves nothing in doubt.
    pub async fn claim_notices(
        &self,
        claim: &NoticeClaim<'_>,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let tx = self.begin().await?;
        let limit = claim.limit;
        let mut sql = format!(
            "SELECT * FROM notices WHERE state = 'queued' AND NOT by_digest \
             AND (not_before <= $1 OR not_before > $1 + {SET_BACK}) \
             AND (lease_until IS NULL OR lease_until <= $1 OR lease_until > $1 + {SET_BACK}) \
             AND {} ORDER BY not_before, queued_at, id LIMIT {limit}",
            in_no_others_hands("notices", "$2"),
        );
        if self.backend() == DbBackend::Postgres {
            sql.push_str(" FOR UPDATE SKIP LOCKED");
        }
        let now = convert::micros(claim.now);
        let ready = Statement::from_sql_and_values(
            self.backend(),
            sql,
            vec![now.into(), claim.owner.into()],
        );
        let rows = notices::Entity::find()
            .from_raw_sql(ready)
            .all(&tx.db())
            .await
            .doing("looking for notices to send")?;
        let until = claim.now.checked_add(claim.lease_for).unwrap_or(Timestamp::MAX);
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            let sql = "UPDATE notices SET lease_owner = $1, lease_until = $2, \
                       lease_token = lease_token + 1 WHERE id = $3";
            let values = vec![claim.owner.into(), convert::micros(until).into(), row.id.into()];
            sql::run(&tx.db(), "claiming a notice", sql, values).await?;
            claimed.push(stored(notices::Model { lease_token: row.lease_token + 1, ..row })?);
        }
        tx.commit().await?;
        Ok(claimed)
    }

    /// Notices that were being handed over when their daemon died: nobody knows whether the mail server
    /// took them, so they become unverified. `owner`'s own count at once where it has only `just_begun`.
    /// Says which.
    pub async fn doubt_lost_notices(
        &self,
        owner: &str,
        just_begun: bool,
        now: Timestamp,
    ) -> Result<Vec<Uuid>, StoreError> {
        let doing = "looking for notices whose sender died";
        let tx = self.begin().await?;
        let sql = format!(
            "UPDATE notices SET state = 'unverified', lease_owner = NULL, \
             lease_until = NULL, lease_token = lease_token + 1, \
             cause = 'the daemon ended while the mail was handed over' \
             WHERE state = 'sending' AND ((lease_until <= $1 AND {}) OR (lease_owner = $2 AND $3)) \
             RETURNING id",
            in_no_others_hands("notices", "$2"),
        );
        let values = vec![convert::micros(now).into(), owner.into(), just_begun.into()];
        let mut ids = Vec::new();
        for row in sql::all(&tx.db(), doing, &sql, values).await? {
            ids.push(row.try_get("", "id").doing(doing)?);
        }
        let sql = "UPDATE notices SET lease_owner = NULL, lease_until = NULL, \
                   lease_token = lease_token + 1 WHERE state = 'queued' AND lease_owner = $1";
        if just_begun {
            sql::run(&tx.db(), doing, sql, vec![owner.into()]).await?;
        }
        tx.commit().await?;
        Ok(ids)
    }
}

impl Tx {
    /// Queues unverified notices once more, for those who said in the YAML that twice is better than
    /// never. The Message-ID stays, so that a mail server may still tell.
    pub async fn send_again(&self, ids: &[Uuid], at: Timestamp) -> Result<(), StoreError> {
        for some in ids.chunks(sql::rows_at_once(1)) {
            let sql = format!(
                "UPDATE notices SET state = 'queued', not_before = $1, sent_at = NULL, \
                 lease_token = lease_token + 1 WHERE state = 'unverified' AND id IN ({})",
                sql::placeholders(2, some.len()),
            );
            let mut values: Vec<Value> = vec![convert::micros(at).into()];
            values.extend(some.iter().map(|id| Value::from(*id)));
            sql::run(&self.db(), "queueing unverified notices again", &sql, values).await?;
        }
        Ok(())
    }
}

fn row(notice: &NewNotice, now: Timestamp) -> Result<notices::Model, StoreError> {
    Ok(notices::Model {
        id: notice.id,
        kind: notice.kind.name().to_owned(),
        case_id: notice.case.map(|case| case.0),
        person: notice.person.map(|person| person.0),
        about: notice.about.clone(),
        addressee: convert::body("addressee", &notice.addressee)?,
        addresses: convert::body("addresses", &notice.addresses)?,
        subject: notice.subject.clone(),
        body: notice.body.clone(),
        told: convert::body("told dates", &notice.told)?,
        state: "queued".to_owned(),
        by_digest: notice.by_digest,
        digest: None,
        queued_at: convert::micros(now),
        not_before: convert::micros(now),
        attempts: 0,
        cause: None,
        sent_at: None,
        lease_owner: None,
        lease_until: None,
        lease_token: 0,
    })
}
