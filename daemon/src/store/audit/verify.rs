//! Looks whether the audit is whole: its rows among themselves, and against the checkpoints.

use super::checkpoint::Checkpoint;
use super::{ALARM, Head, is_hashed};
use crate::store::error::Doing as _;
use crate::store::tables::audit;
use crate::store::{Store, StoreError, convert};
use ed25519_dalek::VerifyingKey;
use ed25519_dalek::pkcs8::DecodePublicKey as _;
use sea_orm::{
    ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::BufRead as _;
use std::path::Path;

/// Something that is not as lapsed writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum AuditFinding {
    /// Numbers are missing.
    #[error("audit rows {from} to {to} are missing")]
    Missing {
        /// First missing number.
        from: u64,
        /// Last missing number.
        to: u64,
    },
    /// A row whose content is not what its hash covers.
    #[error("audit row {seq} was changed: its hash does not fit its content")]
    Changed {
        /// Its number.
        seq: u64,
    },
    /// A row that does not follow from the one before.
    #[error("audit row {seq} does not follow from the row before it: one of them was exchanged")]
    Unchained {
        /// Its number.
        seq: u64,
    },
    /// A row that is another than its checkpoint has seen.
    #[error(
        "audit row {seq} is not the one that checkpoint line {line} has seen: the chain was written anew"
    )]
    Exchanged {
        /// The row.
        seq: u64,
        /// The checkpoint.
        line: u64,
    },
    /// A checkpoint lies beyond the last row.
    #[error(
        "the audit ends at row {head}, but checkpoint line {line} has seen row {seq}: its end was cut off"
    )]
    CutOff {
        /// Last row that is there.
        head: u64,
        /// Row that the checkpoint has seen.
        seq: u64,
        /// The checkpoint.
        line: u64,
    },
    /// A line of the checkpoint file that is none, or not signed by the key given.
    #[error(
        "line {line} of the checkpoint file is not a checkpoint signed by the key given: forged, damaged, or signed by an earlier key"
    )]
    Forged {
        /// Line of the file, from 1.
        line: u64,
    },
    /// Lines of the checkpoint file are missing or in another order.
    #[error(
        "checkpoint {expected} is missing from the checkpoint file: {found} stands in its place"
    )]
    CheckpointMissing {
        /// Number that should have come.
        expected: u64,
        /// Number that came.
        found: u64,
    },
    /// Checkpoints that go back: the database was an older copy for a while.
    #[error(
        "checkpoint {line} reaches to row {seq} only, less than the one before it: the database was exchanged for an older copy"
    )]
    WentBack {
        /// Its number.
        line: u64,
        /// Its row.
        seq: u64,
    },
    /// A row in which the daemon itself recorded that the audit or the checkpoint file was not as it had
    /// left it.
    #[error(
        "audit row {seq} is an alarm that the daemon raised about the audit; `lapsed audit list --after {} --limit 1` shows it", .seq.saturating_sub(1)
    )]
    Alarm {
        /// Its number.
        seq: u64,
    },
}

/// What verification saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[must_use = "an unread report proves nothing"]
pub struct AuditReport {
    /// Rows read.
    pub rows: u64,
    /// Number of the last row.
    pub head: u64,
    /// Its hash.
    pub head_hash: String,
    /// Checkpoints read.
    pub checkpoints: u64,
    /// Rows behind the last checkpoint: nothing here says who wrote them. A daemon that writes meanwhile
    /// or crashed leaves those of one commit, and other daemons on the same database leave theirs; else
    /// they were put in, or the checkpoint file was cut. The daemon tells these apart at its next start
    /// and records an alarm.
    pub unwitnessed: u64,
    /// All that is wrong, the first hundred of each pass.
    pub findings: Vec<AuditFinding>,
}

impl AuditReport {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }
}

/// More than this helps nobody to see what was done.
const MOST_FINDINGS: usize = 100;

/// Reads the whole audit and the whole checkpoint file and reports every row that was changed, removed,
/// put in between, reordered or cut off before the last checkpoint, and every alarm on record. Rows behind
/// the last checkpoint are only counted ([`AuditReport::unwitnessed`]): the chain needs no secret, so
/// whoever can write the database can add to it. The checkpoint file should be the copy that left the
/// machine: whoever can cut both the database and the file given here can hide the rows behind the cut.
pub async fn verify_audit(
    store: &Store,
    checkpoint_file: &Path,
    public_key_file: &Path,
) -> Result<AuditReport, StoreError> {
    let key = public_key(public_key_file)?;
    let (checkpoints, mut findings) = read_checkpoints(checkpoint_file, &key)?;
    let (rows, head) = check_rows(store, &checkpoints, &mut findings).await?;
    if let Some((seq, (line, _))) = checkpoints.range(head.seq + 1..).next_back() {
        findings.push(AuditFinding::CutOff { head: head.seq, seq: *seq, line: *line });
    }
    let seen = checkpoints.last_key_value().map_or(0, |(seq, _)| *seq);
    Ok(AuditReport {
        rows,
        head: head.seq,
        head_hash: head.hash,
        checkpoints: checkpoints.len() as u64,
        unwitnessed: head.seq.saturating_sub(seen),
        findings,
    })
}

/// Checkpoints by the row that they have seen, with their line.
type ByRow = BTreeMap<u64, (u64, String)>;

pub(super) fn public_key(path: &Path) -> Result<VerifyingKey, StoreError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| StoreError::Witness { path: path.to_owned(), source })?;
    VerifyingKey::from_public_key_pem(&text).map_err(|_| StoreError::Key { path: path.to_owned() })
}

fn read_checkpoints(
    path: &Path,
    key: &VerifyingKey,
) -> Result<(ByRow, Vec<AuditFinding>), StoreError> {
    let failed = |source| StoreError::Witness { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut by_row = ByRow::new();
    let mut findings = Findings::default();
    let mut last: Option<(u64, u64)> = None;
    for (index, line) in std::io::BufReader::new(file).split(b'\n').enumerate() {
        let line = line.map_err(failed)?;
        let checkpoint = std::str::from_utf8(&line).ok().and_then(Checkpoint::parse);
        let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.is_signed_by(key)) else {
            findings.add(AuditFinding::Forged { line: index as u64 + 1 });
            continue;
        };
        let (before, seq_before) = last.unwrap_or((0, 0));
        if checkpoint.line != before + 1 {
            let expected = before + 1;
            findings.add(AuditFinding::CheckpointMissing { expected, found: checkpoint.line });
        }
        if checkpoint.seq < seq_before {
            findings.add(AuditFinding::WentBack { line: checkpoint.line, seq: checkpoint.seq });
        }
        last = Some((checkpoint.line, checkpoint.seq));
        // The first that has seen a row counts: a later one may be of an exchanged database.
        by_row.entry(checkpoint.seq).or_insert((checkpoint.line, checkpoint.hash));
    }
    Ok((by_row, findings.0))
}

#[derive(Default)]
struct Findings(Vec<AuditFinding>);

impl Findings {
    fn add(&mut self, finding: AuditFinding) {
        if self.0.len() < MOST_FINDINGS {
            self.0.push(finding);
        }
    }
}

async fn check_rows(
    store: &Store,
    checkpoints: &ByRow,
    all: &mut Vec<AuditFinding>,
) -> Result<(u64, Head), StoreError> {
    let mut findings = Findings::default();
    let mut head = Head::none();
    let mut rows = 0;
    // From below every number: a row numbered 0 or less is a row put in.
    let mut after = i64::MIN;
    loop {
        let page = audit::Entity::find()
            .filter(audit::Column::Seq.gt(after))
            .order_by_asc(audit::Column::Seq)
            .limit(5_000)
            .all(&store.read().db)
            .await
            .doing("reading the audit")?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        rows += page.len() as u64;
        for row in page {
            head = check_row(row, &head, checkpoints, &mut findings);
        }
    }
    all.append(&mut findings.0);
    Ok((rows, head))
}

fn check_row(
    row: audit::Model,
    before: &Head,
    checkpoints: &ByRow,
    findings: &mut Findings,
) -> Head {
    let seq = convert::unsigned(row.seq);
    if !is_hashed(&row) {
        findings.add(AuditFinding::Changed { seq });
    }
    if seq > before.seq + 1 {
        findings.add(AuditFinding::Missing { from: before.seq + 1, to: seq - 1 });
    } else if row.prev != before.hash {
        findings.add(AuditFinding::Unchained { seq });
    }
    if row.event == ALARM {
        findings.add(AuditFinding::Alarm { seq });
    }
    if let Some((line, hash)) = checkpoints.get(&seq)
        && *hash != row.hash
    {
        findings.add(AuditFinding::Exchanged { seq, line: *line });
    }
    Head { seq, hash: row.hash }
}
