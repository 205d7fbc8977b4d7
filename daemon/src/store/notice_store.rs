//! The outbox, as it is read.

use super::error::Doing as _;
use super::tables::notices;
use super::{Reader, StoreError, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{CaseId, PersonId};
use lapsed_core::notice_rules::{Addressee, Deletion, Kind};
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// How far a notice has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It waits.
    Queued,
    /// It is being handed to the mail server.
    Sending,
    /// The mail server took it.
    Sent,
    /// Whether the mail server took it is not known.
    Unverified,
    /// The mail server will not have it.
    Failed,
    /// It never went out by itself: a later one, or a digest, says what it said.
    Superseded,
}

impl NoticeState {
    /// The state's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Unverified => "unverified",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }
}

/// A notice of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredNotice {
    /// Derived from what it is about, to whom and at which stage; its Message-ID is made of it.
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
    /// Where it goes; empty until that was looked up.
    pub addresses: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
    /// The deletions that it tells of.
    pub told: Vec<Deletion>,
    /// How far it has come.
    pub state: NoticeState,
    /// It goes out as a line of a digest only.
    pub by_digest: bool,
    /// The digest that carried it.
    pub digest: Option<Uuid>,
    /// Since when it is there.
    pub queued_at: Timestamp,
    /// It is not tried before.
    pub not_before: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it is not sent.
    pub cause: Option<String>,
    /// When the mail server took it.
    pub sent_at: Option<Timestamp>,
    /// Fencing counter.
    pub token: i64,
}

/// Which notices; an empty filter means all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    /// Of these departures, unless empty.
    pub cases: Vec<CaseId>,
    /// About this person.
    pub person: Option<PersonId>,
    /// In these states, unless empty.
    pub states: Vec<NoticeState>,
    /// Only those that wait for a digest.
    pub by_digest: bool,
    /// At most so many, the newest.
    pub limit: Option<u64>,
}

impl Reader<'_> {
    /// Notices, oldest first.
    pub async fn notices(&self, filter: &NoticeFilter) -> Result<Vec<StoredNotice>, StoreError> {
        let mut query = notices::Entity::find();
        if let Some(person) = filter.person {
            query = query.filter(notices::Column::Person.eq(person.0));
        }
        if !filter.states.is_empty() {
            let words = filter.states.iter().map(|state| state.name());
            query = query.filter(notices::Column::State.is_in(words));
        }
        if filter.by_digest {
            query = query.filter(notices::Column::ByDigest.eq(true));
        }
        query = query.order_by_desc(notices::Column::QueuedAt).order_by_desc(notices::Column::Id);
        if let Some(limit) = filter.limit {
            query = query.limit(limit);
        }
        let doing = "reading notices";
        let mut rows = Vec::new();
        if filter.cases.is_empty() {
            rows = query.clone().all(&self.db).await.doing(doing)?;
        }
        for some in filter.cases.chunks(sql::rows_at_once(1)) {
            let theirs = notices::Column::CaseId.is_in(some.iter().map(|case| case.0));
            rows.extend(query.clone().filter(theirs).all(&self.db).await.doing(doing)?);
        }
        rows.reverse();
        rows.into_iter().map(stored).collect()
    }

    /// One notice.
    pub async fn notice(&self, id: Uuid) -> Result<Option<StoredNotice>, StoreError> {
        let row = notices::Entity::find_by_id(id).one(&self.db).await.doing("reading a notice")?;
        row.map(stored).transpose()
    }

    /// How many notices are in each state.
    pub async fn notice_counts(&self) -> Result<BTreeMap<NoticeState, u64>, StoreError> {
        let doing = "counting notices";
        let sql = "SELECT state, COUNT(*) AS count FROM notices GROUP BY state";
        let mut counts = BTreeMap::new();
        for row in sql::all(&self.db, doing, sql, Vec::new()).await? {
            let word: String = row.try_get("", "state").doing(doing)?;
            let count: i64 = row.try_get("", "count").doing(doing)?;
            counts
                .insert(convert::from_word("state of a notice", &word)?, convert::unsigned(count));
        }
        Ok(counts)
    }

    /// How many notices of a kind went to exactly these addresses since a moment, those under way
    /// included.
    pub async fn notices_lately(
        &self,
        kind: Kind,
        addresses: &[String],
        since: Timestamp,
    ) -> Result<u64, StoreError> {
        let doing = "counting notices";
        let sql = "SELECT COUNT(*) AS count FROM notices WHERE kind = $1 AND sent_at >= $2 \
                   AND addresses = $3";
        let addresses = convert::body("addresses", &addresses)?;
        let values = vec![kind.name().into(), convert::micros(since).into(), addresses.into()];
        let rows = sql::all(&self.db, doing, sql, values).await?;
        let count: i64 = match rows.first() {
            Some(row) => row.try_get("", "count").doing(doing)?,
            None => 0,
        };
        Ok(convert::unsigned(count))
    }
}

pub(super) fn stored(row: notices::Model) -> Result<StoredNotice, StoreError> {
    Ok(StoredNotice {
        id: row.id,
        kind: convert::from_word("kind of a notice", &row.kind)?,
        case: row.case_id.map(CaseId),
        person: row.person.map(PersonId),
        about: row.about,
        addressee: convert::from_body("addressee", &row.addressee)?,
        addresses: convert::from_body("addresses", &row.addresses)?,
        subject: row.subject,
        body: row.body,
        told: convert::from_body("told dates", &row.told)?,
        state: convert::from_word("state of a notice", &row.state)?,
        by_digest: row.by_digest,
        digest: row.digest,
        queued_at: convert::moment("moment of queueing", row.queued_at)?,
        not_before: convert::moment("moment of a next attempt", row.not_before)?,
        attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
        cause: row.cause,
        sent_at: convert::moment_if("moment of sending", row.sent_at)?,
        token: row.lease_token,
    })
}
