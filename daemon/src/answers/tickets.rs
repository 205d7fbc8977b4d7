//! `lapsed tickets`, and what of them a person has to look at.

use super::status::{LISTED, push};
use crate::config::ConnectorSettings;
use crate::control::console::ConsoleError;
use crate::cycle::Cycle;
use crate::cycle::carry_out::note;
use crate::service::Daemon;
use crate::store::{About, Reader, StepFilter, StoredStep, Ticket, TicketState};
use crate::views::{AttentionView, PhoneInView, StatusView, TicketView, TicketsView};
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::help_desk::HelpDeskSettings;
use lapsed_connectors::tickets::{CorrelationKey, NewTicket};
use lapsed_core::facts::ConnectorName;
use lapsed_core::journal::StepState;

/// Tickets that ended are shown for so long.
const SHOWN_AFTER_END: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(super) async fn tickets(daemon: &Daemon) -> Result<TicketsView, ConsoleError> {
    let (cycle, read, now) = (daemon.cycle(), daemon.store.read(), daemon.now());
    let recent = now.checked_sub(SHOWN_AFTER_END).unwrap_or(Timestamp::MIN);
    let mut own = read.tickets(&[]).await?;
    own.retain(|ticket| ticket.closed_at.is_none_or(|at| at >= recent));
    let mut views: Vec<TicketView> = own.iter().map(|ticket| view(&cycle, ticket)).collect();
    for (name, settings) in desks(&cycle) {
        let filter = StepFilter {
            states: vec!["asked", "waiting", "unknown", "refused", "verified"],
            connector: Some(name.clone()),
            ..StepFilter::default()
        };
        let mut steps = read.steps(&filter).await?;
        steps.retain(|stored| !stored.state.has_ended() || stored.changed_at >= recent);
        let shown = steps.iter().filter_map(|step| request_view(&cycle, settings, step));
        views.extend(shown);
    }
    let ended = |ticket: &TicketView| !matches!(ticket.state.as_str(), "queued" | "open");
    views.sort_by(|a, b| (ended(a), &a.queued).cmp(&(ended(b), &b.queued)));
    Ok(TicketsView { tickets: views })
}

/// The connectors that are help desks.
fn desks(cycle: &Cycle) -> impl Iterator<Item = (&ConnectorName, &HelpDeskSettings)> {
    cycle.config.connectors.iter().filter_map(|(name, settings)| match settings {
        ConnectorSettings::HelpDesk(settings) => Some((name, settings.as_ref())),
        _ => None,
    })
}

fn view(cycle: &Cycle, ticket: &Ticket) -> TicketView {
    TicketView {
        key: ticket.key().to_string(),
        number: ticket.number.clone(),
        page: ticket.page.clone(),
        state: ticket.state.name().to_owned(),
        problem: ticket.problem.name().to_owned(),
        case: ticket.case.map(|case| case.to_string()),
        subject: ticket.subject.clone(),
        queued: cycle.stamp(ticket.created_at),
        opened: ticket.opened_at.map(|at| cycle.stamp(at)),
        ended: ticket.closed_at.map(|at| cycle.stamp(at)),
        trouble: ticket.trouble.clone(),
    }
}

/// A request to end access that is a ticket.
fn request_view(
    cycle: &Cycle,
    settings: &HelpDeskSettings,
    stored: &StoredStep,
) -> Option<TicketView> {
    let ticket = settings.ticket_of(&stored.step).ok()?;
    let of_receipt = |key: &str| {
        let receipt = stored.state.receipt()?;
        receipt.before.get(key)?.first().cloned()
    };
    let (state, ended) = match &stored.state {
        StepState::Asked { .. } => (TicketState::Open, false),
        StepState::Verified { .. } => (TicketState::Resolved, true),
        StepState::Refused { .. } => (TicketState::Rejected, true),
        _ => (TicketState::Queued, false),
    };
    let since = stored.first_started_at.unwrap_or(stored.changed_at);
    let opened = match &stored.state {
        StepState::Asked { at, .. } => Some(cycle.stamp(*at)),
        _ => None,
    };
    Some(TicketView {
        key: ticket.key.to_string(),
        number: of_receipt("ticket"),
        page: of_receipt("page"),
        state: state.name().to_owned(),
        problem: ticket.problem.name().to_owned(),
        case: Some(stored.step.case.to_string()),
        subject: ticket.subject,
        queued: cycle.stamp(since),
        opened,
        ended: ended.then(|| cycle.stamp(stored.changed_at)),
        trouble: (state == TicketState::Queued || state == TicketState::Rejected)
            .then(|| note(&stored.state)),
    })
}

/// What can't be brought to the help desk now, in the words to be said (H3).
pub(super) async fn phone_in(
    daemon: &Daemon,
    read: &Reader<'_>,
) -> Result<Vec<PhoneInView>, ConsoleError> {
    let cycle = daemon.cycle();
    let queued = read.tickets(&[TicketState::Queued]).await?;
    // One that could not be brought tells of all: the rest has not even been tried.
    let silent = queued.iter().any(|ticket| ticket.trouble.is_some());
    let wanted = |ticket: &&Ticket| silent && ticket.gone_at.is_none();
    let own = queued.iter().filter(wanted).map(|ticket| PhoneInView {
        key: ticket.key().to_string(),
        case: ticket.case.map(|case| case.to_string()),
        since: cycle.stamp(ticket.created_at),
        subject: ticket.subject.clone(),
        text: ticket.text.clone(),
    });
    let mut all: Vec<PhoneInView> = own.collect();
    for (name, settings) in desks(&cycle) {
        let filter = StepFilter {
            states: vec!["waiting", "unknown", "started"],
            connector: Some(name.clone()),
            ..StepFilter::default()
        };
        for stored in read.steps(&filter).await?.into_iter().filter(was_tried) {
            let Ok(NewTicket { subject, text, .. }) = settings.ticket_of(&stored.step) else {
                continue;
            };
            let since = stored.first_started_at.unwrap_or(stored.changed_at);
            all.push(PhoneInView {
                key: CorrelationKey::of(stored.step.id.0).to_string(),
                case: Some(stored.step.case.to_string()),
                since: cycle.stamp(since),
                subject,
                text,
            });
        }
    }
    Ok(all)
}

/// Whether it was tried before: one that is just being tried again can't be brought until that has an end.
fn was_tried(stored: &StoredStep) -> bool {
    match stored.state {
        StepState::Started { at } => stored.first_started_at.is_some_and(|first| first < at),
        _ => true,
    }
}

/// What of the tickets a person has to look at.
pub(super) async fn attention(
    daemon: &Daemon,
    read: &Reader<'_>,
    view: &StatusView,
    all: &mut Vec<AttentionView>,
    now: Timestamp,
) -> Result<(), ConsoleError> {
    if !view.phone_in.is_empty() {
        let count = view.phone_in.len();
        push(
            all,
            "tickets_wait",
            format!(
                "{count} {} can't be brought to the help desk",
                if count == 1 { "ticket" } else { "tickets" }
            ),
            "phone them in meanwhile: lapsed status lists the words; they are opened by themselves once it answers",
        );
    }
    held_back(daemon, read, view, all, now).await?;
    for ticket in read.tickets(&[TicketState::Rejected]).await? {
        if all.len() >= LISTED * 10 || !still_there(read, &ticket).await? {
            continue;
        }
        let number = ticket.number.clone().unwrap_or_default();
        push(
            all,
            "ticket_rejected",
            format!("the help desk rejected ticket {number}: {}", ticket.subject),
            "read why at the help desk, and decide; lapsed tickets",
        );
    }
    Ok(())
}

/// A fault that hits everyone: the help desk is not buried under it.
async fn held_back(
    daemon: &Daemon,
    read: &Reader<'_>,
    view: &StatusView,
    all: &mut Vec<AttentionView>,
    now: Timestamp,
) -> Result<(), ConsoleError> {
    let cycle = daemon.cycle();
    let Some(desk) = &cycle.config.help_desk else { return Ok(()) };
    let day_ago = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let queued = read.tickets(&[TicketState::Queued]).await?.len();
    let opened = read.tickets_opened_since(day_ago).await?;
    if view.phone_in.is_empty() && queued > 0 && opened >= u64::from(desk.most_a_day) {
        push(
            all,
            "tickets_held_back",
            format!(
                "{queued} tickets wait: {opened} were opened within 24 hours, and no more may be"
            ),
            "see what they have in common (lapsed tickets) and mend that; help_desk.most_a_day is the limit",
        );
    }
    Ok(())
}

/// Whether what a ticket was about still needs a person.
async fn still_there(read: &Reader<'_>, ticket: &Ticket) -> Result<bool, ConsoleError> {
    Ok(match &ticket.about {
        About::Step(step) => read.step(*step).await?.is_some_and(|stored| {
            matches!(stored.state, StepState::Refused { .. } | StepState::Drifted { .. })
        }),
        About::Overdue(step) => read
            .step(*step)
            .await?
            .is_some_and(|stored| matches!(stored.state, StepState::Asked { .. })),
        About::SetAside(id) => {
            let found = read.set_asides_by_id(&[*id]).await?;
            found.iter().any(|aside| aside.settled_at.is_none())
        }
        // Whether it answers is told beside it.
        About::System(_) => false,
    })
}
