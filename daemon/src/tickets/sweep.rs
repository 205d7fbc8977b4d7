//! What in the state needs a ticket, and which tickets' matters went away by themselves.

use super::{Clerk, Matter, open};
use crate::cycle::CycleError;
use crate::cycle::carry_out::health_key;
use crate::store::{About, CaseFilter, Ticket, TicketState};
use jiff::Timestamp;
use lapsed_core::facts::{CaseId, CaseState, ConnectorName};
use lapsed_core::journal::StepState;
use lapsed_core::step::{Action, Cause, StepId};
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// So many matters are queued in one round; the next takes up the rest.
const MOST: u64 = 200;

impl Clerk {
    /// Queues tickets for what needs one.
    pub(super) async fn queue_matters(&self) -> Result<(), CycleError> {
        let now = self.now();
        let read = self.store().read();
        let mut steps = read.steps_without_ticket(MOST).await?;
        // A request that the help desk itself rejected needs no ticket about that.
        steps.retain(|stored| {
            let asked = matches!(
                stored.step.action,
                Action::RequestRevocation { .. } | Action::RequestChange { .. }
            );
            !(asked && self.is_desk(&stored.step.connector))
        });
        let asides = read.set_asides_without_ticket(MOST).await?;
        let gone = self.systems_gone(now).await?;
        if steps.is_empty() && asides.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let config = self.config();
        let mut tx = self.store().begin().await?;
        let steps = steps.iter().map(Matter::Step);
        let matters = steps.chain(asides.iter().map(Matter::SetAside));
        for matter in matters.chain(gone.iter().map(Matter::SystemGone)) {
            open(&mut tx, config, &matter, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Targets that steps have waited for too long. The help desk itself can't be told by ticket.
    async fn systems_gone(&self, now: Timestamp) -> Result<BTreeSet<ConnectorName>, CycleError> {
        let days = self.config().execution.stuck_days;
        let waiting = crate::service::waiting_too_long(&self.store().read(), days, now).await?;
        let names = waiting.into_iter().map(|stored| stored.step.connector);
        Ok(names.filter(|name| !self.is_desk(name)).collect())
    }

    /// Tickets whose matter went away by itself get a comment that says so; they stay open (H2).
    pub(super) async fn note_gone(&self) -> Result<(), CycleError> {
        let now = self.now();
        let mut standing =
            self.store().read().tickets(&[TicketState::Queued, TicketState::Open]).await?;
        // What a daemon has in hand just now is seen to in a later round.
        standing.retain(|ticket| {
            ticket.gone_at.is_none() && ticket.leased_until.is_none_or(|until| until <= now)
        });
        if standing.is_empty() {
            return Ok(());
        }
        let world = self.world(&standing).await?;
        let tx = self.store().begin().await?;
        for mut ticket in standing {
            let Some(why) = world.gone(&ticket.about) else { continue };
            ticket.gone_at = Some(now);
            ticket.comment = Some(format!(
                "lapsed: {why}. Nothing more is needed from here; whoever had the ticket gives the final word."
            ));
            ticket.next_at = now;
            tx.set_ticket(&ticket).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// What the matters of tickets have come to.
    async fn world(&self, tickets: &[Ticket]) -> Result<World, CycleError> {
        let read = self.store().read();
        let mut ids: Vec<StepId> = Vec::new();
        let mut asides: Vec<Uuid> = Vec::new();
        let mut world = World::default();
        for ticket in tickets {
            match &ticket.about {
                About::Step(step) | About::Overdue(step) => ids.push(*step),
                About::SetAside(id) => asides.push(*id),
                About::System(name) => {
                    let trouble = read.setting::<Option<Cause>>(&health_key(name)).await?;
                    if trouble.is_some_and(|trouble| trouble.is_none()) {
                        world.answering.insert(name.clone());
                    }
                }
            }
        }
        for stored in read.steps_by_id(&ids).await? {
            world.steps.insert(stored.step.id, (stored.step.case, stored.state));
        }
        let filter = CaseFilter { states: vec![CaseState::Open], ..CaseFilter::default() };
        world.open_cases.extend(read.cases(&filter).await?.iter().map(|case| case.id));
        let found = read.set_asides_by_id(&asides).await?;
        let settled = found.iter().filter(|aside| aside.settled_at.is_some());
        world.settled.extend(settled.map(|aside| aside.id));
        Ok(world)
    }
}

/// What the matters of tickets have come to.
#[derive(Default)]
struct World {
    steps: HashMap<StepId, (CaseId, StepState)>,
    open_cases: HashSet<CaseId>,
    settled: HashSet<Uuid>,
    answering: HashSet<ConnectorName>,
}

impl World {
    /// Why a matter is none any more, as a clause.
    fn gone(&self, about: &About) -> Option<&'static str> {
        match about {
            About::Step(step) | About::Overdue(step) => {
                let (case, state) = self.steps.get(step)?;
                match state {
                    StepState::Verified { .. } => Some("this has been done and was read back"),
                    StepState::Cancelled { .. } => Some("this is no longer wanted"),
                    _ if !self.open_cases.contains(case) => {
                        Some("the case it belongs to is no longer open")
                    }
                    _ => None,
                }
            }
            About::SetAside(id) => {
                self.settled.contains(id).then_some("this entry has been settled")
            }
            About::System(name) => self.answering.contains(name).then_some("it answers again"),
        }
    }
}
