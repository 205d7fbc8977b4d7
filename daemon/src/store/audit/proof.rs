//! Some rows of the audit with what proves that they are in the signed chain, and not a word of the others.
//!
//! Rows are given in runs. Each run goes on from a hash `prev` up to the row that a signed checkpoint has seen;
//! of rows that are not asked for there is only the digest. Rows that were hashed as before have no digest that
//! would do, and are given whole.

use super::checkpoint::{Checkpoint, Checkpoints};
use super::verify::public_key;
use super::{digest_of, hash_of, texts};
use crate::store::error::Doing as _;
use crate::store::tables::audit;
use crate::store::{Reader, StoreError, convert};
use lapsed_core::facts::{CaseId, PersonId};
use lapsed_core::plan::PlanHash;
use lapsed_core::step::StepId;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead as _;

/// Rows with what proves them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Runs of rows, oldest first.
    pub segments: Vec<Segment>,
    /// The key that signed the checkpoints, in PEM; `None` where there are none.
    pub public_key: Option<String>,
}

/// A run of rows that follow one another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Segment {
    /// Hash of the row before the first.
    pub prev: String,
    /// The rows.
    pub rows: Vec<Link>,
    /// The signed line about the last of them, where there is one.
    pub checkpoint: Option<String>,
}

/// One row of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Link {
    /// A row that was asked for, or one of before: its eleven fields, and whether it is hashed as before.
    Row {
        /// The fields in their order; `None` for NULL.
        fields: Box<[Option<String>; 11]>,
        /// It was hashed in one piece.
        former: bool,
    },
    /// Another one: its number and digest.
    Other {
        /// Number.
        seq: u64,
        /// Digest of its fields.
        digest: String,
    },
}

/// Whose rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowsAbout {
    /// The person.
    pub person: Option<PersonId>,
    /// Cases of theirs.
    pub cases: Vec<CaseId>,
    /// Plans that did something to them.
    pub plans: Vec<PlanHash>,
}

impl Reader<'_> {
    /// The rows about somebody, each proved to be in the chain.
    pub async fn audit_proof(
        &self,
        about: &RowsAbout,
        checkpoints: Option<&Checkpoints>,
    ) -> Result<Proof, StoreError> {
        let wanted = self.rows_about(about).await?;
        let Some((first, last)) = wanted.first().zip(wanted.last()) else {
            return Ok(Proof::default());
        };
        let Some(checkpoints) = checkpoints else {
            let segment = self.segment(*first, *last, &wanted, None).await?;
            return Ok(Proof { segments: vec![segment], public_key: None });
        };
        let mut segments: Vec<Segment> = Vec::new();
        let mut done = 0;
        let covering = covering(checkpoints, &wanted)?;
        for seq in &wanted {
            if *seq <= done {
                continue;
            }
            // The first that has seen the row; a row behind the last one is proved up to itself.
            let line = covering.range(*seq..).next();
            let (until, text) =
                line.map_or((*last, None), |(seen, text)| (*seen, Some(text.clone())));
            segments.push(self.segment(*seq, until, &wanted, text).await?);
            done = until;
        }
        public_key(&checkpoints.public_key_file())?;
        let key = std::fs::read_to_string(checkpoints.public_key_file()).map_err(|source| {
            StoreError::Witness { path: checkpoints.public_key_file(), source }
        })?;
        Ok(Proof { segments, public_key: Some(key) })
    }

    /// Numbers of the rows about somebody, in order.
    async fn rows_about(&self, about: &RowsAbout) -> Result<BTreeSet<u64>, StoreError> {
        let any = Condition::any()
            .add_option(about.person.map(|person| audit::Column::Person.eq(person.0)))
            .add(audit::Column::CaseId.is_in(about.cases.iter().map(|case| case.0)))
            .add(audit::Column::Plan.is_in(about.plans.iter().map(|plan| plan.0.clone())));
        let rows: Vec<i64> = audit::Entity::find()
            .select_only()
            .column(audit::Column::Seq)
            .filter(any)
            .order_by_asc(audit::Column::Seq)
            .into_tuple()
            .all(&self.db)
            .await
            .doing("looking for a person's audit rows")?;
        Ok(rows.into_iter().map(convert::unsigned).collect())
    }

    async fn segment(
        &self,
        from: u64,
        until: u64,
        wanted: &BTreeSet<u64>,
        checkpoint: Option<String>,
    ) -> Result<Segment, StoreError> {
        let rows = audit::Entity::find()
            .filter(audit::Column::Seq.between(convert::signed(from), convert::signed(until)))
            .order_by_asc(audit::Column::Seq)
            .all(&self.db)
            .await
            .doing("reading the audit")?;
        let prev = rows.first().map(|row| row.prev.clone()).unwrap_or_default();
        let rows = rows.into_iter().map(|row| link(row, wanted)).collect();
        Ok(Segment { prev, rows, checkpoint })
    }

    /// When steps were seen done as wanted, each time in its order, as the audit has it: a departure that takes
    /// effect a second time has the same steps.
    pub async fn verified(
        &self,
        steps: &[StepId],
    ) -> Result<BTreeMap<StepId, Vec<jiff::Timestamp>>, StoreError> {
        let mut found: BTreeMap<StepId, Vec<jiff::Timestamp>> = BTreeMap::new();
        for some in steps.chunks(crate::store::sql::rows_at_once(1)) {
            let rows: Vec<(Option<uuid::Uuid>, i64)> = audit::Entity::find()
                .select_only()
                .column(audit::Column::Step)
                .column(audit::Column::AtUs)
                .filter(audit::Column::Step.is_in(some.iter().map(|step| step.0)))
                .filter(audit::Column::Event.eq("step.verified"))
                .order_by_asc(audit::Column::Seq)
                .into_tuple()
                .all(&self.db)
                .await
                .doing("looking when steps were verified")?;
            for (step, at) in rows {
                if let Some(step) = step {
                    found
                        .entry(StepId(step))
                        .or_default()
                        .push(convert::moment("audit moment", at)?);
                }
            }
        }
        Ok(found)
    }
}

fn link(row: audit::Model, wanted: &BTreeSet<u64>) -> Link {
    let seq = convert::unsigned(row.seq);
    let former = row.hash != hash_of(&row);
    match wanted.contains(&seq) || former {
        true => Link::Row { fields: Box::new(texts(&row)), former },
        false => Link::Other { seq, digest: digest_of(&row) },
    }
}

/// For each row the first checkpoint that has seen it, by the row that the checkpoint is about.
fn covering(
    checkpoints: &Checkpoints,
    wanted: &BTreeSet<u64>,
) -> Result<BTreeMap<u64, String>, StoreError> {
    let failed = |source| StoreError::Witness { path: checkpoints.file.clone(), source };
    let key = public_key(&checkpoints.public_key_file())?;
    let file = std::fs::File::open(&checkpoints.file).map_err(failed)?;
    let mut found = BTreeMap::new();
    let mut next = wanted.first().copied();
    for line in std::io::BufReader::new(file).split(b'\n') {
        let Some(seq) = next else { break };
        let line = line.map_err(failed)?;
        let Some(text) = std::str::from_utf8(&line).ok() else { continue };
        let seen = Checkpoint::parse(text).filter(|checkpoint| checkpoint.seq >= seq);
        let Some(checkpoint) = seen.filter(|checkpoint| checkpoint.is_signed_by(&key)) else {
            continue;
        };
        found.insert(checkpoint.seq, text.to_owned());
        next = wanted.range(checkpoint.seq + 1..).next().copied();
    }
    Ok(found)
}
