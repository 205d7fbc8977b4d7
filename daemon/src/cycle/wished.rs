//! When wishes end by themselves, and what is left to do for those that have ended (D6, D8).

use super::decide::aside;
use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, StepFilter, StepUpdate, Tx};
use jiff::Timestamp;
use lapsed_core::facts::{Case, Person, PersonId};
use lapsed_core::journal::StepEvent;
use lapsed_core::step::Action;
use serde_json::json;

impl Cycle {
    /// Takes what has not begun off the journal where its wish has ended.
    pub(super) async fn drop_unwished(&self, now: Timestamp) -> Result<(), CycleError> {
        if self.store.read().steps_no_longer_wished().await?.is_empty() {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        let off = StepEvent::Cancel("the wish for it has ended".into());
        let steps = tx.read().steps_no_longer_wished().await?;
        let updates: Vec<StepUpdate> =
            steps.iter().filter_map(|step| step.on(off.clone()).ok()).collect();
        tx.set_steps(&updates, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends the wishes of people whose departure is over, one way or the other: the next departure asks
    /// for its own.
    pub(super) async fn end_wishes(
        &self,
        tx: &mut Tx,
        people: &[PersonId],
        because: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let mut wishes = tx.read().wishes_of(people).await?;
        wishes.retain(|wish| wish.stands());
        if wishes.is_empty() {
            return Ok(());
        }
        for wish in &mut wishes {
            wish.ended_at = Some(now);
            wish.ended_because = Some(because.to_owned());
            tx.audit(AuditEntry {
                person: Some(wish.person),
                clause: Some(self.config.policy.citations.cite(wish.what.rule())),
                detail: json!({ "wishes": [wish.id], "why": because }),
                ..AuditEntry::new(now, DAEMON, "wish.ended")
            });
        }
        tx.save_wishes(&wishes).await?;
        Ok(())
    }

    /// Somebody who works here again, and whose mailbox others still read: no step of a departure that
    /// was called off is carried out, so a person has to take it back.
    pub(super) async fn tell_who_reads(
        &self,
        tx: &Tx,
        person: &Person,
        case: &Case,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let filter = StepFilter { cases: vec![case.id], ..StepFilter::default() };
        let steps = tx.read().steps(&filter).await?;
        let taken_back = |wish: &uuid::Uuid| {
            steps.iter().any(|s| {
                matches!(&s.step.action, Action::EndDelegation { wish: of, .. } if of == wish)
                    && s.state.is_done()
            })
        };
        for step in steps.iter().filter(|s| s.state.is_done()) {
            let Action::DelegateMailbox { to, wish, .. } = &step.step.action else { continue };
            if taken_back(wish) {
                continue;
            }
            let reason = format!(
                "the person is employed, and {to} can still read their mailbox: take that right back by hand"
            );
            tx.set_aside_once(&aside(person, &reason, now)?).await?;
        }
        Ok(())
    }
}
