//! Tickets of the daemon's own: whatever it can't do by itself is put before people at the help desk, and
//! followed until they gave the final word (H1 to H3).
//!
//! **Flow.** [`open`] queues a ticket in the transaction of whatever it is about; [`Clerk::round`] also
//! queues what it finds in the journal. Queued tickets are opened under a lease, open ones are looked at
//! every few minutes, and what follows from their end is done: the step is looked at again, what was set
//! aside is settled.
//!
//! **Guarantees.** One matter has one ticket: its id follows from the matter, its key from the id, and
//! the help desk is searched for the key before a ticket is opened. A ticket is never closed from here:
//! when its matter goes away by itself it gets a comment (H2). While the help desk is away nothing is
//! lost; `lapsed status` lists what is to be phoned in (H3).

mod clerk;
mod settle;
mod sweep;

pub use clerk::Clerk;

use crate::config::{Config, HelpDesk};
use crate::cycle::DAEMON;
use crate::store::{About, AuditEntry, SetAside, StoreError, StoredStep, Ticket, TicketState, Tx};
use jiff::Timestamp;
use lapsed_connectors::tickets::{ProblemType, words};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{ConnectorName, UserId};
use lapsed_core::journal::StepState;
use lapsed_core::shown::{shown, shown_within};
use lapsed_core::step::{Action, Step};
use serde_json::{Value, json};
use uuid::Uuid;

/// What a ticket is about.
#[derive(Debug, Clone, Copy)]
pub enum Matter<'a> {
    /// A step that was refused, or has drifted.
    Step(&'a StoredStep),
    /// A step for which others were asked, and reminded in vain (D5).
    Overdue(&'a Step),
    /// A row or a person that could not be used (D1).
    SetAside(&'a SetAside),
    /// A target that has not answered for too long.
    SystemGone(&'a ConnectorName),
}

impl Matter<'_> {
    /// What kind of problem it is.
    #[must_use]
    pub fn problem(&self) -> ProblemType {
        match self {
            Self::Step(stored) if matches!(stored.state, StepState::Drifted { .. }) => {
                ProblemType::Drift
            }
            Self::Step(stored) if stored.step.action.destroys() => ProblemType::DeletionRefused,
            Self::Step(_) => ProblemType::Refused,
            Self::Overdue(_) => ProblemType::AgencyOverdue,
            Self::SetAside(_) => ProblemType::SetAside,
            Self::SystemGone(_) => ProblemType::SystemGone,
        }
    }

    fn about(&self) -> About {
        match self {
            Self::Step(stored) => About::Step(stored.step.id),
            Self::Overdue(step) => About::Overdue(step.id),
            Self::SetAside(aside) => About::SetAside(aside.id),
            Self::SystemGone(name) => About::System((*name).clone()),
        }
    }

    fn step(&self) -> Option<&Step> {
        match self {
            Self::Step(stored) => Some(&stored.step),
            Self::Overdue(step) => Some(step),
            Self::SetAside(_) | Self::SystemGone(_) => None,
        }
    }

    /// The values of the words. A person is a user ID and a case here; what a target said may hold
    /// anything, and is left to `lapsed person` (P1, P2).
    fn values(&self) -> Value {
        let mut values = json!({
            "user_id": "", "case": "", "system": "", "what": "", "code": "", "entry": "", "feed": "",
            "request": "",
        });
        if let Some(step) = self.step() {
            values["user_id"] = json!(step.expect.user_id.as_str());
            values["case"] = json!(step.case.to_string());
            values["system"] = json!(step.connector.as_str());
            values["what"] = json!(shown_within(&step.action.describe(), 200));
            if let Action::RequestRevocation { request, .. }
            | Action::RequestChange { request, .. } = &step.action
            {
                values["request"] = json!(shown_within(request, 100));
            }
        }
        match self {
            Self::Step(stored) => {
                if let StepState::Refused { cause } = &stored.state {
                    let code = cause.code.as_deref().unwrap_or_default();
                    values["code"] = json!(shown_within(code, 60));
                }
            }
            Self::SetAside(aside) => {
                let id = aside.id.to_string();
                values["entry"] = json!(id.split('-').next().unwrap_or_default());
                values["feed"] = json!(shown(aside.source.as_str()));
            }
            Self::SystemGone(name) => values["system"] = json!(name.as_str()),
            Self::Overdue(_) => {}
        }
        values
    }

    fn connector(&self) -> Option<ConnectorName> {
        match self {
            Self::SystemGone(name) => Some((*name).clone()),
            _ => self.step().map(|step| step.connector.clone()),
        }
    }
}

/// Queues a ticket about a matter, with its audit row; true when there is a new one. Nothing happens where
/// no help desk is set up, where such matters make no tickets, or where it has one already.
pub async fn open(
    tx: &mut Tx,
    config: &Config,
    matter: &Matter<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(desk) = &config.help_desk else { return Ok(false) };
    let problem = matter.problem();
    if !desk.types.contains(&problem) {
        return Ok(false);
    }
    let ticket = ticket_about(desk, matter, now);
    if !tx.queue_ticket(&ticket).await? {
        return Ok(false);
    }
    tx.audit(entry(config, &ticket, "ticket.queued", Rule::H1, now, json!({})));
    Ok(true)
}

fn ticket_about(desk: &HelpDesk, matter: &Matter<'_>, now: Timestamp) -> Ticket {
    let problem = matter.problem();
    let (own, values) = (desk.words_for(problem), matter.values());
    // The words were tried when the configuration was read; a ticket with plain ones is better than none.
    let said =
        |template: &str, plain: &str| words(template, &values).unwrap_or_else(|_| plain.into());
    let plain = format!("lapsed needs help: {problem}");
    Ticket {
        id: Uuid::nil(),
        problem,
        about: matter.about(),
        round: 0,
        case: matter.step().map(|step| step.case),
        person: matter.step().map(|step| step.person),
        connector: matter.connector(),
        subject: shown(said(&own.subject, &plain).trim()),
        text: said(&own.text, &plain).trim().to_owned(),
        state: TicketState::Queued,
        number: None,
        page: None,
        attempts: 0,
        trouble: None,
        comment: None,
        gone_at: None,
        created_at: now,
        next_at: now,
        opened_at: None,
        closed_at: None,
        acted_at: None,
        leased_until: None,
        token: 0,
    }
}

/// The audit row of something that happened to a ticket.
fn entry(
    config: &Config,
    ticket: &Ticket,
    event: &str,
    rule: Rule,
    now: Timestamp,
    more: Value,
) -> AuditEntry {
    let mut detail = json!({
        "problem": ticket.problem,
        "subject": ticket.subject,
        "ticket": ticket.number,
    });
    if let (Some(detail), Value::Object(more)) = (detail.as_object_mut(), more) {
        detail.extend(more);
    }
    AuditEntry {
        person: ticket.person,
        case: ticket.case,
        step: match &ticket.about {
            About::Step(step) | About::Overdue(step) => Some(*step),
            About::SetAside(_) | About::System(_) => None,
        },
        user_id: None::<UserId>,
        clause: Some(config.policy.citations.cite(rule)),
        detail,
        ..AuditEntry::new(now, DAEMON, event)
    }
}
