//! HR's status `on_leave` as a leave of absence (S1), where the configuration wants that.

use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, Tx};
use jiff::Timestamp;
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::{Engagement, Person, Status};
use serde_json::json;

impl Cycle {
    /// Brings the leave that a feed speaks of in line with what it says by now. It lifts that leave and
    /// nothing else: an order, or a leave by form, is none of HR's file's.
    pub(crate) async fn settle_leave(
        &self,
        tx: &mut Tx,
        person: &Person,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        if !self.config.policy.access.suspensions.leave_by_feed {
            return Ok(());
        }
        let goes_on: Vec<&Engagement> =
            person.engagements.iter().filter(|engagement| engagement.goes_on()).collect();
        let on_leave = goes_on.iter().all(|engagement| engagement.status == Status::OnLeave);
        let says_so = goes_on.first().filter(|_| on_leave).copied();
        let known = tx.read().suspensions_of(&[person.id]).await?;
        let by_feed: Vec<&Suspension> = known.iter().filter(|s| s.by_feed.is_some()).collect();
        let latest = by_feed.last().copied().filter(|suspension| !suspension.feed_moved_on);
        match (says_so, latest) {
            (Some(engagement), None) => {
                self.leave_of(tx, person, engagement, by_feed.len(), now).await
            }
            (None, Some(suspension)) if !goes_on.is_empty() => {
                let moved = Suspension { feed_moved_on: true, ..suspension.clone() };
                if moved.lifted_at.is_none() {
                    self.lift(tx, moved, DAEMON, "HR says that the person works again", now).await
                } else {
                    let again = moved.over_at.is_none().then_some(now);
                    Ok(tx.save_suspensions(&[(moved, again)]).await?)
                }
            }
            _ => Ok(()),
        }
    }

    async fn leave_of(
        &self,
        tx: &mut Tx,
        person: &Person,
        engagement: &Engagement,
        number: usize,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let which = format!("by feed {number}");
        let suspension = Suspension {
            id: Suspension::id_of(person.id, SuspensionKind::Leave, &which),
            person: person.id,
            kind: SuspensionKind::Leave,
            connectors: self.config.policy.access.suspensions.leave.clone(),
            starts_on: None,
            ends_on: None,
            authority: format!("feed {}", engagement.source),
            reason: "HR says that the person is on leave".into(),
            form: None,
            placed_at: now,
            lifted_at: None,
            lifted_because: None,
            placed_by: None,
            by_feed: Some(engagement.source.clone()),
            feed_moved_on: false,
            over_at: None,
        };
        self.note_suspension(tx, person, &suspension, DAEMON, now);
        Ok(tx.save_suspensions(&[(suspension, Some(now))]).await?)
    }

    /// Puts a new suspension on record.
    pub(crate) fn note_suspension(
        &self,
        tx: &mut Tx,
        person: &Person,
        suspension: &Suspension,
        who: &str,
        now: Timestamp,
    ) {
        tx.audit(AuditEntry {
            person: Some(person.id),
            case: Some(suspension.case()),
            user_id: person.user_ids().into_iter().next(),
            clause: Some(self.config.policy.citations.cite(suspension.kind.rule())),
            detail: json!({
                "suspension": suspension.kind.noun(), "authority": suspension.authority,
                "reason": suspension.reason, "connectors": suspension.connectors,
                "starts_on": suspension.starts_on, "form": suspension.form,
            }),
            ..AuditEntry::new(now, who, "suspension.placed")
        });
    }
}
