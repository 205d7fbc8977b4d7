//! A round whose departures come to more than anybody could read: no plan is made of them.
//!
//! A filter that was changed, or a feed that calls everyone a former employee, makes millions of steps. A
//! plan of them would be held anyway; stored and read again in every round, it would keep the daemon from
//! the one real leaver of the day.

use super::decide::{Decided, Departing, Round};
use super::departing::decided_by_operator;
use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, Marks, SetAside};
use jiff::Timestamp;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, Notice, Person, PersonId, SourceName};
use lapsed_core::guard::Proposed;
use serde_json::json;
use uuid::Uuid;

/// People who are looked at before the steps are counted again.
const PEOPLE_AT_ONCE: usize = 400;

impl Cycle {
    /// What departures come to, where that is within the guard's most. Otherwise only those of them that an
    /// operator ordered by name; of the others the cause is set aside, once for each drop, and nobody is
    /// looked at any further. The nightly round looks again.
    pub(super) async fn propose_within(
        &self,
        departing: Vec<(Person, Case)>,
        marks: &Marks,
        now: Timestamp,
        decided: &mut Decided,
    ) -> Result<Round, CycleError> {
        let zone = &self.config.time_zone;
        let (ordered, listed): (Vec<_>, Vec<_>) =
            departing.into_iter().partition(|(person, _)| decided_by_operator(person, zone));
        let mut round = self.propose(ordered, now, decided).await?;
        let most = usize::try_from(self.config.policy.guard.most_steps).unwrap_or(usize::MAX);
        let mut found: Round = (Vec::new(), Vec::new());
        let mut steps = 0;
        for some in listed.chunks(PEOPLE_AT_ONCE) {
            let (proposed, work) = self.propose(some.to_vec(), now, decided).await?;
            steps += proposed.iter().map(|one| one.steps.len()).sum::<usize>();
            if steps > most {
                self.set_flood_aside(&listed, marks, now).await?;
                return Ok(round);
            }
            found.0.extend::<Vec<Proposed>>(proposed);
            found.1.extend::<Vec<Departing>>(work);
        }
        round.0.extend(found.0);
        round.1.extend(found.1);
        Ok(round)
    }

    async fn set_flood_aside(
        &self,
        flood: &[(Person, Case)],
        marks: &Marks,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let notices = flood.iter().filter_map(|(person, _)| person.notices.last());
        let latest: Option<&Notice> = notices.max_by_key(|notice| notice.received_at);
        let source = match latest {
            Some(notice) => notice.source.clone(),
            None => SourceName::new(DAEMON).map_err(|e| CycleError::Rule(e.to_string()))?,
        };
        let file_name = latest.map(|notice| notice.brought_by.clone()).unwrap_or_default();
        // Files of one name come every day: each flood is told of.
        let came = latest.map(|notice| notice.received_at).unwrap_or_default();
        let reason = format!(
            "{} people would depart at once, in more than {} steps (guard.most_steps): no plan was made and \
             nothing is changed. Compare the drop with HR's own count, and look whether a filter, a base or a \
             column changed; have HR send it again, or raise the limit where it is right",
            flood.len(),
            self.config.policy.guard.most_steps,
        );
        let people: Vec<PersonId> = flood.iter().map(|(person, _)| person.id).collect();
        let mut tx = self.store.begin().await?;
        tx.set_aside_once(&SetAside {
            id: Uuid::new_v5(
                &Uuid::NAMESPACE_OID,
                format!("flood {source} {file_name} {came}").as_bytes(),
            ),
            drop: None,
            source,
            file_name: file_name.clone(),
            line: None,
            reason: reason.clone(),
            who: None,
            at: now,
            settled_at: None,
        })
        .await?;
        tx.clear_to_decide(&people, marks).await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(Rule::D2)),
            detail: json!({ "people": people.len(), "file": file_name, "reason": reason }),
            ..AuditEntry::new(now, DAEMON, "plan.not_made")
        });
        tx.commit().await?;
        tracing::error!(people = people.len(), "no plan was made: {reason}");
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests;
