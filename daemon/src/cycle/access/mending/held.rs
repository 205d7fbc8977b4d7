//! People who are in groups that were added elsewhere, too many to be taken out without a person's word.
//!
//! **Guarantees.** One set of people is held at a time, under the hash of it: what is released is what was
//! told. It is told for as long as it stands: whoever settles what was set aside about it is told again on
//! the next day, and of another set at once. Its forms are filed by an operator's release alone, on record
//! with the reason.

use super::{FORM, aside};
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, Tx};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Actor, PersonId, SystemName, SystemRole};
use lapsed_core::guard::{Baseline, limit_passed};
use lapsed_core::plan::hex;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use uuid::Uuid;

/// The setting under which a set is held.
const HELD: &str = "access.mend_held";
/// So much of a hash names it, as with plans.
const SHORT: usize = 12;

/// What takes one finding away.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(in crate::cycle::access) struct Mend {
    /// The id of the form to file.
    pub(super) form: Uuid,
    /// The finding.
    pub(super) finding: Uuid,
    /// Whose access it is.
    pub(super) person: PersonId,
    /// What the group gives.
    pub(super) system: SystemName,
    /// In which role.
    pub(super) role: Option<SystemRole>,
}

/// What the guard counts: whom lapsed took out of groups of late, and how many people there are.
pub(in crate::cycle::access) struct MendedLately {
    forms: Vec<(PersonId, Timestamp)>,
    population: Option<u32>,
}

/// Who lets a set go on, and why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Released<'a> {
    /// Who.
    pub(crate) who: &'a Actor,
    /// Why.
    pub(crate) reason: &'a str,
}

#[derive(Debug, Serialize, Deserialize)]
struct HeldMends {
    hash: String,
    told_on: Date,
    aside: Uuid,
    mends: Vec<Mend>,
}

impl HeldMends {
    fn is_named(&self, hash: &str) -> bool {
        hash.len() >= SHORT && self.hash.starts_with(&hash.to_lowercase())
    }
}

fn people_of(mends: &[Mend]) -> BTreeSet<PersonId> {
    mends.iter().map(|mend| mend.person).collect()
}

fn hash_of(mends: &[Mend]) -> String {
    let mut forms: Vec<Uuid> = mends.iter().map(|mend| mend.form).collect();
    forms.sort();
    let mut hasher = Sha256::new();
    for form in forms {
        hasher.update(form.as_bytes());
    }
    hex(&hasher.finalize())
}

impl Cycle {
    /// Reads what the guard counts; read before the transaction, for which every other writer waits.
    pub(in crate::cycle::access) async fn mended_lately(
        &self,
        now: Timestamp,
    ) -> Result<MendedLately, CycleError> {
        let days = i64::from(self.config.policy.guard.suspensions.window_days).max(1);
        let window = SignedDuration::from_hours(days.saturating_mul(24));
        let since = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        let forms = match self.takes_out_of_groups() {
            true => self.store.read().forms_named_since(FORM, since).await?,
            false => Vec::new(),
        };
        Ok(MendedLately { forms, population: self.population().await? })
    }

    /// The limit that is passed, with what was mended before.
    pub(super) fn too_many_to_mend(
        &self,
        mends: &[Mend],
        lately: &MendedLately,
        now: Timestamp,
    ) -> Option<String> {
        let limit = &self.config.policy.guard.suspensions;
        let people = people_of(mends);
        let count = |hours: i64| {
            let from = now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN);
            let before = lately.forms.iter().filter(|(id, at)| *at >= from && !people.contains(id));
            let before: BTreeSet<PersonId> = before.map(|(id, _)| *id).collect();
            u32::try_from(before.len()).unwrap_or(u32::MAX)
        };
        let baseline = Baseline {
            population: lately.population,
            departed_in_window: count(i64::from(limit.window_days).saturating_mul(24)),
            departed_in_day: count(24),
            departed_in_hour: count(1),
        };
        limit_passed(u32::try_from(people.len()).unwrap_or(u32::MAX), baseline, limit)
    }

    /// Leaves people as they are, and tells it, unless it was told today or still waits for somebody.
    pub(super) async fn hold_mends(
        &self,
        tx: &mut Tx,
        mends: Vec<Mend>,
        limit: String,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let (hash, today) = (hash_of(&mends), self.today(now));
        let known: Option<HeldMends> = tx.read().setting::<Option<_>>(HELD).await?.flatten();
        if let Some(mut known) = known {
            let is_open = tx.read().open_set_asides().await?.iter().any(|a| a.id == known.aside);
            if known.hash == hash && (is_open || known.told_on == today) {
                known.told_on = today;
                return Ok(tx.set_setting(HELD, &Some(known)).await?);
            }
            self.settle_held(tx, known.aside, now).await?;
        }
        let people = people_of(&mends).len();
        let short = hash.get(..SHORT).unwrap_or(&hash).to_owned();
        let reason = format!(
            "{people} people are in groups that were added elsewhere, more than guard.suspensions lets through \
             ({limit}): nobody is taken out. Look at lapsed findings for what was changed. Those that may stay are \
             settled there; the others are taken out by lapsed findings mend {short} --reason …"
        );
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("{hash} {today}").as_bytes());
        tx.set_aside(&[aside(id, reason, now)?]).await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::S4)),
            detail: json!({ "people": people, "limit": limit, "hash": hash }),
            ..AuditEntry::new(now, DAEMON, "access.mend_held")
        });
        let held = HeldMends { hash, told_on: today, aside: id, mends };
        Ok(tx.set_setting(HELD, &Some(held)).await?)
    }

    /// Holds nobody any more: fewer are found, or none. What could not be looked at says nothing.
    pub(super) async fn drop_held_mends(
        &self,
        tx: &mut Tx,
        mends: &[Mend],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let known: Option<HeldMends> = tx.read().setting::<Option<_>>(HELD).await?.flatten();
        let Some(known) = known else { return Ok(()) };
        if mends.is_empty() && self.takes_out_of_groups() && !standing(tx, &known).await?.is_empty()
        {
            return Ok(());
        }
        self.settle_held(tx, known.aside, now).await?;
        Ok(tx.set_setting(HELD, &None::<HeldMends>).await?)
    }

    async fn settle_held(&self, tx: &Tx, id: Uuid, now: Timestamp) -> Result<(), CycleError> {
        let mut open = tx.read().open_set_asides().await?;
        open.retain(|aside| aside.id == id);
        for aside in &mut open {
            aside.settled_at = Some(now);
        }
        Ok(tx.set_aside(&open).await?)
    }

    /// Files the forms of the set that is held under a hash, for those of its findings that still stand;
    /// gives how many, or nothing where no set is held under it.
    pub(crate) async fn release_mends(
        &self,
        hash: &str,
        by: Released<'_>,
        now: Timestamp,
    ) -> Result<Option<usize>, CycleError> {
        let mut tx = self.store.begin().await?;
        let known: Option<HeldMends> = tx.read().setting::<Option<_>>(HELD).await?.flatten();
        let Some(held) = known.filter(|held| held.is_named(hash)) else { return Ok(None) };
        let mends = standing(&tx, &held).await?;
        for mend in &mends {
            self.file_mend(&mut tx, mend, now).await?;
        }
        self.settle_held(&tx, held.aside, now).await?;
        tx.set_setting(HELD, &None::<HeldMends>).await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::S4)),
            detail: json!({
                "hash": held.hash, "people": people_of(&mends).len(), "forms": mends.len(), "reason": by.reason,
            }),
            ..AuditEntry::new(now, by.who.as_str(), "access.mend_released")
        });
        tx.commit().await?;
        Ok(Some(mends.len()))
    }
}

/// What of a set still stands: its finding is open, and no form takes it away.
async fn standing(tx: &Tx, held: &HeldMends) -> Result<Vec<Mend>, CycleError> {
    let ids: Vec<Uuid> = held.mends.iter().map(|mend| mend.finding).collect();
    let findings = tx.read().access_findings(&ids).await?;
    let open: BTreeSet<Uuid> =
        findings.iter().filter(|f| f.settled_at.is_none()).map(|f| f.id).collect();
    let mut found = Vec::new();
    for mend in held.mends.iter().filter(|mend| open.contains(&mend.finding)) {
        if tx.read().access_form_of_id(mend.form).await?.is_none() {
            found.push(mend.clone());
        }
    }
    Ok(found)
}
