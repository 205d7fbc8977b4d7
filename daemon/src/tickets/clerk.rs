//! Brings tickets to the help desk and follows them.

use super::entry;
use crate::config::{Config, ConnectorSettings, HelpDesk};
use crate::cycle::CycleError;
use crate::cycle::carry_out::{Executor, health_key};
use crate::cycle::confirm::answered_no;
use crate::store::{CaseFilter, StepFilter, Store, StoredStep, Ticket, TicketState};
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::tickets::{NewTicket, TicketDesk, TicketStatus};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseState, ConnectorName};
use lapsed_core::journal::StepState;
use lapsed_core::pacing::Leave;
use lapsed_core::step::{Cause, Fault, next_attempt};
use serde_json::json;
use std::collections::HashSet;
use std::sync::Arc;

/// Tickets claimed in one go: one is a handful of requests, which a lease has to outlast, time-outs
/// included.
const BATCH: u64 = 1;

/// Who has the daemon's tickets in hand.
#[derive(Clone)]
pub struct Clerk {
    pub(super) executor: Executor,
    /// The help desk that takes the daemon's own tickets, if one is set up.
    pub(super) desk: Option<Arc<dyn TicketDesk>>,
}

/// How a talk about one ticket ended.
enum Talk {
    /// The ticket as it has become.
    Went(Ticket),
    /// The help desk could not be talked to: the rest waits.
    Silent(Ticket, Cause),
}

fn is_asked(stored: &StoredStep) -> bool {
    matches!(stored.state, StepState::Asked { .. })
}

impl Clerk {
    /// A clerk with this executor's state and rules.
    #[must_use]
    pub fn new(executor: Executor, desk: Option<Arc<dyn TicketDesk>>) -> Self {
        Self { executor, desk }
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.executor.clock)()
    }

    pub(super) fn store(&self) -> &Store {
        &self.executor.cycle.store
    }

    pub(super) fn config(&self) -> &Config {
        &self.executor.cycle.config
    }

    /// Whether a connector is a help desk.
    pub(super) fn is_desk(&self, name: &ConnectorName) -> bool {
        matches!(self.config().connectors.get(name), Some(ConnectorSettings::HelpDesk(_)))
    }

    /// One round: what needs a ticket is queued, the help desk is talked to, and what follows from
    /// tickets that ended is done. True when something moved.
    pub async fn round(&self) -> Result<bool, CycleError> {
        let config = Arc::clone(&self.executor.cycle.config);
        let (Some(settings), Some(desk)) = (&config.help_desk, &self.desk) else {
            return Ok(false);
        };
        self.queue_matters().await?;
        self.note_gone().await?;
        self.talk(settings, desk.as_ref()).await?;
        self.act().await
    }

    /// Looks at the requests that are tickets themselves: who was asked at the help desk may have given
    /// the final word (H2). One that was rejected is looked at further: it may be resolved later.
    pub async fn look_at_requests(&self) -> Result<(), CycleError> {
        for (name, hand) in &self.executor.hands.0 {
            if !self.is_desk(name) {
                continue;
            }
            let filter = StepFilter {
                states: vec!["asked", "refused"],
                connector: Some(name.clone()),
                ..StepFilter::default()
            };
            let mut asked = self.store().read().steps(&filter).await?;
            if asked.iter().any(|stored| answered_no(&stored.state)) {
                let filter = CaseFilter { states: vec![CaseState::Open], ..CaseFilter::default() };
                let open = self.store().read().cases(&filter).await?;
                let open: HashSet<_> = open.into_iter().map(|case| case.id).collect();
                asked.retain(|s| {
                    answered_no(&s.state) && open.contains(&s.step.case) || is_asked(s)
                });
            } else {
                asked.retain(is_asked);
            }
            for block in asked.chunks(self.config().execution.batch.max(1) as usize) {
                self.executor.look_back(hand.as_ref(), block).await?;
            }
        }
        Ok(())
    }

    /// When the next ticket is to be worked on.
    pub async fn next_at(&self) -> Result<Option<Timestamp>, CycleError> {
        let Some(settings) = &self.config().help_desk else { return Ok(None) };
        let may_open = self.may_open(settings, self.now()).await? > 0;
        Ok(self.store().read().next_ticket_at(may_open).await?)
    }

    async fn talk(&self, settings: &HelpDesk, desk: &dyn TicketDesk) -> Result<(), CycleError> {
        let rules = &self.config().execution;
        loop {
            let now = self.now();
            let Leave::Steps(_) = self.executor.pace.leave(&settings.connector, rules, now) else {
                return Ok(());
            };
            let claimed = self.claim(settings, now).await?;
            if claimed.is_empty() {
                return Ok(());
            }
            let mut claimed = claimed.into_iter();
            while let Some(ticket) = claimed.next() {
                let before = ticket.state;
                let talk = self.about(settings, desk, ticket).await;
                let (ticket, silent) = match talk {
                    Talk::Went(ticket) => (ticket, None),
                    Talk::Silent(ticket, cause) => (ticket, Some(cause)),
                };
                self.write(settings, &ticket, before, silent.as_ref()).await?;
                let answered = silent.is_none();
                self.executor.pace.ended(&settings.connector, answered, rules, self.now());
                if !answered {
                    // Whoever is next would only meet the same silence.
                    self.give_back(claimed).await?;
                    return Ok(());
                }
            }
        }
    }

    async fn claim(&self, settings: &HelpDesk, now: Timestamp) -> Result<Vec<Ticket>, CycleError> {
        let may_open = self.may_open(settings, now).await?;
        let lease = SignedDuration::from_secs(i64::from(self.config().execution.lease_seconds));
        let whose = (self.executor.owner.as_str(), now);
        let poll = SignedDuration::try_from(settings.poll()).unwrap_or(SignedDuration::MAX);
        let longest = poll.max(next_attempt(now, u32::MAX).duration_since(now));
        Ok(self.store().claim_tickets(whose, lease, longest, BATCH, may_open).await?)
    }

    /// How many tickets may be opened still.
    async fn may_open(&self, settings: &HelpDesk, now: Timestamp) -> Result<u64, CycleError> {
        let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
        let opened = self.store().read().tickets_opened_since(day_ago).await?;
        Ok(u64::from(settings.most_a_day).saturating_sub(opened))
    }

    async fn give_back(&self, tickets: impl Iterator<Item = Ticket>) -> Result<(), CycleError> {
        let tx = self.store().begin().await?;
        for mut ticket in tickets {
            ticket.attempts = ticket.attempts.saturating_sub(1);
            tx.set_ticket(&ticket).await?;
        }
        Ok(tx.commit().await.map(drop)?)
    }

    async fn about(&self, settings: &HelpDesk, desk: &dyn TicketDesk, ticket: Ticket) -> Talk {
        match ticket.state {
            TicketState::Queued if ticket.gone_at.is_some() => self.withdraw(desk, ticket).await,
            TicketState::Queued => self.bring(settings, desk, ticket).await,
            _ => self.follow(settings, desk, ticket).await,
        }
    }

    async fn bring(&self, settings: &HelpDesk, desk: &dyn TicketDesk, mut ticket: Ticket) -> Talk {
        let new = NewTicket {
            key: ticket.key(),
            problem: ticket.problem,
            subject: ticket.subject.clone(),
            text: ticket.text.clone(),
        };
        match desk.open(&new).await {
            Ok(opened) => {
                if !opened.others.is_empty() {
                    let others = opened.others.join(", ");
                    ticket.comment = Some(format!(
                        "lapsed: tickets {others} carry the same key {}; this one, the oldest, is followed.",
                        new.key
                    ));
                }
                ticket.state = TicketState::Open;
                ticket.number = Some(opened.number);
                ticket.page = opened.page;
                ticket.opened_at = Some(self.now());
                ticket.trouble = None;
                ticket.next_at = self.after_poll(settings, ticket.comment.is_some());
                Talk::Went(ticket)
            }
            Err(fault) => self.failed(ticket, fault),
        }
    }

    /// What a ticket was for is gone before it was opened; one that may have been opened nevertheless,
    /// since its reply was lost, is followed.
    async fn withdraw(&self, desk: &dyn TicketDesk, mut ticket: Ticket) -> Talk {
        let there = match ticket.attempts {
            // Never in hand before.
            0 | 1 => Ok(None),
            _ => desk.find(&ticket.key()).await,
        };
        let now = self.now();
        match there {
            Ok(None) => {
                ticket.state = TicketState::Withdrawn;
                (ticket.closed_at, ticket.acted_at) = (Some(now), Some(now));
                ticket.trouble = None;
                Talk::Went(ticket)
            }
            Ok(Some(opened)) => {
                ticket.state = TicketState::Open;
                ticket.number = Some(opened.number);
                ticket.page = opened.page;
                ticket.opened_at = Some(now);
                ticket.next_at = now;
                Talk::Went(ticket)
            }
            Err(fault) => self.failed(ticket, fault),
        }
    }

    async fn follow(&self, settings: &HelpDesk, desk: &dyn TicketDesk, mut ticket: Ticket) -> Talk {
        let Some(number) = ticket.number.clone() else {
            // Never without a number, but if it were: it is brought again, and found by its key.
            ticket.state = TicketState::Queued;
            return Talk::Went(ticket);
        };
        if let Some(comment) = &ticket.comment {
            match desk.comment(&number, comment).await {
                Ok(()) => ticket.comment = None,
                Err(fault) => return self.failed(ticket, fault),
            }
        }
        match desk.status(&number).await {
            Ok(TicketStatus::Open) => ticket.next_at = self.after_poll(settings, false),
            Ok(TicketStatus::Resolved) => {
                (ticket.state, ticket.closed_at) = (TicketState::Resolved, Some(self.now()));
            }
            Ok(TicketStatus::Rejected) => {
                (ticket.state, ticket.closed_at) = (TicketState::Rejected, Some(self.now()));
            }
            Err(fault) => return self.failed(ticket, fault),
        }
        ticket.trouble = None;
        Talk::Went(ticket)
    }

    fn after_poll(&self, settings: &HelpDesk, at_once: bool) -> Timestamp {
        let now = self.now();
        if at_once { now } else { now.checked_add(settings.poll()).unwrap_or(now) }
    }

    fn failed(&self, mut ticket: Ticket, fault: Fault) -> Talk {
        let now = self.now();
        ticket.trouble = Some(fault.to_string());
        ticket.next_at = next_attempt(now, ticket.attempts);
        match fault {
            // It said no to this one; the others may fare better. It is tried on: nothing is lost (H3).
            Fault::Refused(_) => {
                ticket.next_at = next_attempt(now, u32::MAX);
                Talk::Went(ticket)
            }
            Fault::Retry(cause) | Fault::Unknown(cause) => Talk::Silent(ticket, cause),
        }
    }

    async fn write(
        &self,
        settings: &HelpDesk,
        ticket: &Ticket,
        before: TicketState,
        silent: Option<&Cause>,
    ) -> Result<(), CycleError> {
        let now = self.now();
        let mut tx = self.store().begin().await?;
        if !tx.set_ticket(ticket).await? {
            tracing::warn!(key = %ticket.key(), "lease lost: the ticket is left to its new owner");
            return Ok(());
        }
        tx.set_setting(&health_key(&settings.connector), &silent).await?;
        let event = match (before, ticket.state) {
            (before, after) if before == after => None,
            (_, TicketState::Open) => Some(("ticket.opened", Rule::H1)),
            (_, TicketState::Resolved) => Some(("ticket.resolved", Rule::H2)),
            (_, TicketState::Rejected) => Some(("ticket.rejected", Rule::H2)),
            (_, TicketState::Withdrawn) => Some(("ticket.withdrawn", Rule::H2)),
            (_, TicketState::Queued) => None,
        };
        if let Some((event, rule)) = event {
            let more = json!({ "key": ticket.key().as_str() });
            tx.audit(entry(self.config(), ticket, event, rule, now, more));
        }
        tx.commit().await?;
        Ok(())
    }
}
