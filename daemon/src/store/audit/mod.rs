//! The audit: append-only rows, each chained to the one before by its hash.
//!
//! # How a hash is made
//!
//! Enough to write a verifier without this code. Rows are numbered from 1 without a gap. A row's *digest* is
//! the SHA-256, in lower-case hexadecimal, of these bytes one after another:
//!
//! 1. the 17 bytes `lapsed audit row` and a line feed;
//! 2. eleven fields, in this order: `seq`, `at_us`, `actor`, `event`, `person`, `case_id`, `step`,
//!    `plan`, `user_id`, `clause`, `detail`: every column of the row but `prev` and `hash`, each as below.
//!
//! Its *hash* is the SHA-256, in lower-case hexadecimal, of the 15 bytes `lapsed audit 2` and a line feed, then
//! the digest and `prev` as two fields. So a row can be proved to be in the chain without a word of what the
//! rows around it say: their digests are enough ([`proof`]).
//!
//! Rows of before have a hash of one piece: over the 15 bytes `lapsed audit 1` and a line feed, then the
//! eleven fields and `prev`. Either is right for a row.
//!
//! A field that is there is its length in bytes in decimal, a colon, its bytes in UTF-8, and a comma
//! (a netstring: `5:alice,`). A field that is NULL is the two bytes `-,`. Numbers are decimal, with a
//! minus sign where negative. Ids (`person`, `case_id`, `step`) are UUIDs in lower case with hyphens.
//! `detail` is the stored text byte for byte. `prev` is the hash of the row before, or 64 zeros
//! ([`GENESIS`]) for row 1.
//!
//! # What it holds
//!
//! Who did what to whose access, when, and under which clause. Never a secret, and of a person nothing
//! but the user ID and the product's own ids (P1, P2).
//!
//! # What the chain proves
//!
//! That rows were changed, taken out, put in between or reordered, to whoever knows a later hash. The
//! chain needs no secret, so whoever can write the database can write its end anew or add to it: what
//! shows that, and what does not, is said in [`checkpoint`].

pub mod checkpoint;
pub mod proof;
pub mod verify;

use super::error::Doing as _;
use super::tables::audit;
use super::{Reader, StoreError, convert, sql};
use jiff::Timestamp;
use lapsed_core::facts::{CaseId, PersonId, UserId};
use lapsed_core::plan::{PlanHash, hex};
use lapsed_core::step::StepId;
use sea_orm::{
    ColumnTrait as _, DatabaseExecutor, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use sha2::{Digest as _, Sha256};

/// What stands for the hash before row 1.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The event of a row that says that the audit was not as lapsed had left it.
pub const ALARM: &str = "audit.alarm";

/// One fact for the audit, before it has a number.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// When; kept to the microsecond.
    pub at: Timestamp,
    /// Who: an operator's account, or `lapsed`.
    pub actor: String,
    /// What, as one word: `step_done`, `plan_released`.
    pub event: String,
    /// Whose access.
    pub person: Option<PersonId>,
    /// Which departure.
    pub case: Option<CaseId>,
    /// Which step.
    pub step: Option<StepId>,
    /// Which plan.
    pub plan: Option<PlanHash>,
    /// The account's log-on name: all that is said of a person in words (P2).
    pub user_id: Option<UserId>,
    /// The clause of the policy that was carried out.
    pub clause: Option<String>,
    /// The rest. No secret and no personal detail may go in here.
    pub detail: serde_json::Value,
}

impl AuditEntry {
    /// An entry with nothing but the moment, who and what.
    #[must_use]
    pub fn new(at: Timestamp, actor: impl Into<String>, event: impl Into<String>) -> Self {
        Self {
            at,
            actor: actor.into(),
            event: event.into(),
            person: None,
            case: None,
            step: None,
            plan: None,
            user_id: None,
            clause: None,
            detail: serde_json::Value::Null,
        }
    }

    /// Names a step's person, departure and id, and the log-on name that it expects.
    #[must_use]
    pub fn of_step(mut self, step: &lapsed_core::step::Step, clause: String) -> Self {
        self.person = Some(step.person);
        self.case = Some(step.case);
        self.step = Some(step.id);
        self.user_id = Some(step.expect.user_id.clone());
        self.clause = Some(clause);
        self
    }
}

/// One row of the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Number, from 1 without a gap.
    pub seq: u64,
    /// The fact.
    pub entry: AuditEntry,
    /// Hash of the row before.
    pub prev: String,
    /// Its own hash.
    pub hash: String,
}

/// The last row's number and hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) seq: u64,
    pub(super) hash: String,
}

impl Head {
    /// Of an audit without rows.
    pub(super) fn none() -> Self {
        Self { seq: 0, hash: GENESIS.to_owned() }
    }
}

pub(super) async fn head(db: &DatabaseExecutor<'_>) -> Result<Head, StoreError> {
    let row = audit::Entity::find()
        .order_by_desc(audit::Column::Seq)
        .one(db)
        .await
        .doing("reading the audit's last row")?;
    Ok(match row {
        Some(row) => Head { seq: convert::unsigned(row.seq), hash: row.hash },
        None => Head::none(),
    })
}

/// Numbers, chains and stores the entries. The caller holds the one write transaction.
pub(super) async fn append(
    db: &DatabaseExecutor<'_>,
    entries: &[AuditEntry],
) -> Result<Head, StoreError> {
    let mut head = head(db).await?;
    let mut rows = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut row = audit::Model {
            seq: convert::signed(head.seq + 1),
            at_us: convert::micros(entry.at),
            actor: entry.actor.clone(),
            event: entry.event.clone(),
            person: entry.person.map(|id| id.0),
            case_id: entry.case.map(|id| id.0),
            step: entry.step.map(|id| id.0),
            plan: entry.plan.as_ref().map(|hash| hash.0.clone()),
            user_id: entry.user_id.as_ref().map(ToString::to_string),
            clause: entry.clause.clone(),
            detail: convert::body("audit detail", &entry.detail)?,
            prev: head.hash,
            hash: String::new(),
        };
        row.hash = hash_of(&row);
        head = Head { seq: head.seq + 1, hash: row.hash.clone() };
        rows.push(row);
    }
    sql::put_all(db, "writing the audit", rows, None).await?;
    Ok(head)
}

/// The digest of a row's own eleven fields, `None` standing for NULL: the encoding of the module's
/// documentation.
#[must_use]
pub fn row_digest(fields: [Option<&str>; 11]) -> String {
    hash_fields(b"lapsed audit row\n", &fields)
}

/// The hash of a row from its digest and the hash of the row before.
#[must_use]
pub fn link_hash(digest: &str, prev: &str) -> String {
    hash_fields(b"lapsed audit 2\n", &[Some(digest), Some(prev)])
}

/// The hash of a row of before, over its eleven fields and `prev`.
#[must_use]
pub fn chain_hash(fields: [Option<&str>; 12]) -> String {
    hash_fields(b"lapsed audit 1\n", &fields)
}

fn hash_fields(head: &[u8], fields: &[Option<&str>]) -> String {
    let mut hasher = Sha256::new();
    hasher.update(head);
    for field in fields {
        match field {
            Some(text) => {
                hasher.update(format!("{}:", text.len()));
                hasher.update(text);
                hasher.update(",");
            }
            None => hasher.update("-,"),
        }
    }
    hex(&hasher.finalize())
}

pub(super) fn hash_of(row: &audit::Model) -> String {
    link_hash(&digest_of(row), &row.prev)
}

/// True if the row's hash is that of its content, as rows are hashed now or were before.
pub(super) fn is_hashed(row: &audit::Model) -> bool {
    row.hash == hash_of(row) || row.hash == former_hash_of(row)
}

pub(super) fn digest_of(row: &audit::Model) -> String {
    let fields = texts(row);
    let [a, b, c, d, e, f, g, h, i, j, k] = &fields;
    row_digest([a, b, c, d, e, f, g, h, i, j, k].map(|field| field.as_deref()))
}

fn former_hash_of(row: &audit::Model) -> String {
    let fields = texts(row);
    let [a, b, c, d, e, f, g, h, i, j, k] = &fields;
    let prev = Some(row.prev.clone());
    chain_hash([a, b, c, d, e, f, g, h, i, j, k, &prev].map(|field| field.as_deref()))
}

/// A row's own eleven fields as texts, in their order.
pub(super) fn texts(row: &audit::Model) -> [Option<String>; 11] {
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.hyphenated().to_string());
    [
        Some(row.seq.to_string()),
        Some(row.at_us.to_string()),
        Some(row.actor.clone()),
        Some(row.event.clone()),
        id(row.person),
        id(row.case_id),
        id(row.step),
        row.plan.clone(),
        row.user_id.clone(),
        row.clause.clone(),
        Some(row.detail.clone()),
    ]
}

impl Reader<'_> {
    /// Number of the last audit row, 0 if there is none.
    pub async fn audit_head(&self) -> Result<u64, StoreError> {
        Ok(head(&self.db).await?.seq)
    }

    /// Audit rows after the number given, oldest first; all of them, or one person's.
    pub async fn audit_rows(
        &self,
        after: u64,
        limit: u64,
        person: Option<PersonId>,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let mut query = audit::Entity::find()
            .filter(audit::Column::Seq.gt(convert::signed(after)))
            .order_by_asc(audit::Column::Seq)
            .limit(limit);
        if let Some(person) = person {
            query = query.filter(audit::Column::Person.eq(person.0));
        }
        let rows = query.all(&self.db).await.doing("reading the audit")?;
        rows.into_iter().map(row_of).collect()
    }
}

fn row_of(row: audit::Model) -> Result<AuditRow, StoreError> {
    let user_id =
        row.user_id.map(|text| convert::checked::<UserId>("user ID", text)).transpose()?;
    Ok(AuditRow {
        seq: convert::unsigned(row.seq),
        entry: AuditEntry {
            at: convert::moment("audit moment", row.at_us)?,
            actor: row.actor,
            event: row.event,
            person: row.person.map(PersonId),
            case: row.case_id.map(CaseId),
            step: row.step.map(StepId),
            plan: row.plan.map(PlanHash),
            user_id,
            clause: row.clause,
            detail: convert::from_body("audit detail", &row.detail)?,
        },
        prev: row.prev,
        hash: row.hash,
    })
}
