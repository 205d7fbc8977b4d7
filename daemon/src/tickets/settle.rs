//! What follows from a ticket's end.

use super::{Clerk, entry};
use crate::cycle::CycleError;
use crate::cycle::asked::OVERDUE;
use crate::store::{About, AuditEntry, StoredStep, Ticket, TicketState};
use lapsed_core::citation::Rule;
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::step::{Fault, Seen, StepId};
use serde_json::json;
use uuid::Uuid;

impl Clerk {
    /// Does what follows from tickets that ended. True when something moved.
    pub(super) async fn act(&self) -> Result<bool, CycleError> {
        let mut moved = false;
        for ticket in self.store().read().tickets_to_act_on().await? {
            moved |= match (ticket.state, &ticket.about) {
                (TicketState::Resolved, About::Step(step)) => {
                    self.look_again(&ticket, *step).await?
                }
                (TicketState::Resolved, About::Overdue(step)) => {
                    self.remind_anew(&ticket, *step).await?
                }
                (TicketState::Resolved, About::SetAside(id)) => {
                    self.settle_aside(&ticket, *id).await?
                }
                // A person has to decide on what was rejected; the rest shows by itself.
                _ => self.acted(ticket, |_| None).await?,
            };
        }
        Ok(moved)
    }

    /// A step whose ticket was resolved is looked at: it is as wanted, or it is tried once more.
    async fn look_again(&self, ticket: &Ticket, id: StepId) -> Result<bool, CycleError> {
        let Some(stored) = self.store().read().step(id).await? else {
            return self.acted(ticket.clone(), |_| None).await;
        };
        if !matches!(stored.state, StepState::Refused { .. } | StepState::Drifted { .. }) {
            return self.acted(ticket.clone(), |_| None).await;
        }
        let Some(hand) = self.executor.hands.0.get(&stored.step.connector).cloned() else {
            // Not configured now; it is looked at when it is again.
            return Ok(false);
        };
        let seen = hand.read_back(std::slice::from_ref(&stored.step)).await.pop();
        match seen {
            Some(Ok(Seen::AsWanted)) => self.verified(ticket, stored).await,
            // The target can't be asked now: the ticket is acted on later.
            Some(Err(Fault::Retry(_) | Fault::Unknown(_))) | None => Ok(false),
            Some(_) => self.try_again(ticket, stored).await,
        }
    }

    /// Whoever had the ticket reached them, and they have not confirmed yet: their reminders begin anew,
    /// and a later ticket may follow (D5).
    async fn remind_anew(&self, ticket: &Ticket, id: StepId) -> Result<bool, CycleError> {
        let Some(stored) = self.store().read().step(id).await? else {
            return self.acted(ticket.clone(), |_| None).await;
        };
        let StepState::Asked { receipt, at } = &stored.state else {
            return self.acted(ticket.clone(), |_| None).await;
        };
        let number = ticket.number.clone().unwrap_or_default();
        let note = format!("ticket {number} was resolved, but it is not confirmed: reminded anew");
        let mut receipt = receipt.clone();
        receipt.before.remove(OVERDUE);
        let event = StepEvent::Asked(receipt, *at);
        self.move_step(ticket, stored, event, &note).await
    }

    async fn verified(&self, ticket: &Ticket, stored: StoredStep) -> Result<bool, CycleError> {
        let now = self.now();
        let number = ticket.number.clone().unwrap_or_default();
        let note = format!("resolved by ticket {number}, and read back");
        self.move_step(ticket, stored, StepEvent::SeenAsWanted(now), &note).await
    }

    async fn try_again(&self, ticket: &Ticket, stored: StoredStep) -> Result<bool, CycleError> {
        let number = ticket.number.clone().unwrap_or_default();
        if matches!(stored.state, StepState::Drifted { .. }) {
            // What the plan expected is no more: a new plan decides.
            let now = self.now();
            let mut tx = self.store().begin().await?;
            tx.mark_to_decide(&[stored.step.person], now).await?;
            tx.audit(entry(
                self.config(),
                ticket,
                "ticket.acted",
                Rule::H2,
                now,
                json!({ "note": "planned anew" }),
            ));
            tx.set_ticket(&Ticket { acted_at: Some(now), ..ticket.clone() }).await?;
            tx.commit().await?;
            return Ok(true);
        }
        let note = format!("ticket {number} was resolved, but it is not done: tried again");
        self.move_step(ticket, stored, StepEvent::Reopen, &note).await
    }

    async fn move_step(
        &self,
        ticket: &Ticket,
        stored: StoredStep,
        event: StepEvent,
        note: &str,
    ) -> Result<bool, CycleError> {
        let now = self.now();
        let Ok(update) = stored.on(event) else { return Ok(false) };
        let update = self.executor.next_look(update, &stored, now);
        let moved = stored.clone().after(update.clone());
        let mut tx = self.store().begin().await?;
        if !tx.set_steps(&[update], now).await?.is_empty() {
            // Somebody else moved it meanwhile; the next round sees what became of it.
            return Ok(false);
        }
        let clause = self.config().policy.citations.cite(stored.step.rule);
        tx.audit(AuditEntry {
            plan: Some(stored.plan.clone()),
            detail: json!({
                "do": stored.step.action.describe(),
                "connector": stored.step.connector,
                "note": note,
            }),
            ..AuditEntry::new(now, crate::cycle::DAEMON, format!("step.{}", moved.state.name()))
                .of_step(&stored.step, clause)
        });
        tx.set_ticket(&Ticket { acted_at: Some(now), ..ticket.clone() }).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// What was set aside counts as settled.
    async fn settle_aside(&self, ticket: &Ticket, id: Uuid) -> Result<bool, CycleError> {
        let found = self.store().read().set_asides_by_id(&[id]).await?.pop();
        let now = self.now();
        let Some(mut aside) = found.filter(|aside| aside.settled_at.is_none()) else {
            return self.acted(ticket.clone(), |_| None).await;
        };
        aside.settled_at = Some(now);
        let number = ticket.number.clone().unwrap_or_default();
        let mut tx = self.store().begin().await?;
        tx.set_aside(&[aside]).await?;
        let more = json!({ "id": id, "reason": format!("resolved by ticket {number}") });
        tx.audit(entry(self.config(), ticket, "set_aside.settled", Rule::H2, now, more));
        tx.set_ticket(&Ticket { acted_at: Some(now), ..ticket.clone() }).await?;
        tx.commit().await?;
        Ok(true)
    }

    async fn acted(
        &self,
        mut ticket: Ticket,
        more: impl Fn(&Ticket) -> Option<AuditEntry>,
    ) -> Result<bool, CycleError> {
        ticket.acted_at = Some(self.now());
        let mut tx = self.store().begin().await?;
        tx.set_ticket(&ticket).await?;
        if let Some(entry) = more(&ticket) {
            tx.audit(entry);
        }
        tx.commit().await?;
        Ok(true)
    }
}
