//! `lapsed due`: the calendar, each date with its reason and its clause.

use crate::control::console::ConsoleError;
use crate::cycle::asked::rule_of;
use crate::cycle::{Cycle, CycleError};
use crate::service::Daemon;
use crate::store::{CaseFilter, Reader, StepFilter, StoredStep};
use crate::views::{DueEntry, DueView};
use jiff::civil::Date;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseState, ConnectorName, PersonId};
use lapsed_core::step::{Action, Due};
use lapsed_core::wishes::{Wanted, Wish};
use std::collections::{BTreeSet, HashMap};

pub(super) async fn due(daemon: &Daemon, until: Option<Date>) -> Result<DueView, ConsoleError> {
    let today = daemon.cycle().today(daemon.now());
    let pauses = daemon.store.read().pauses().await?;
    let waits = Waits {
        configured: daemon.connector_names(),
        paused: pauses.deletions.is_some(),
        giving_paused: pauses.giving.is_some(),
    };
    Ok(DueView { entries: entries(&daemon.cycle(), until, today, &waits).await? })
}

/// What a due step may wait for.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    /// Connectors that are there.
    pub configured: Vec<ConnectorName>,
    /// Deletions are paused.
    pub paused: bool,
    /// Giving is paused.
    pub giving_paused: bool,
}

/// The calendar up to and with `until`, oldest first.
pub async fn entries(
    cycle: &Cycle,
    until: Option<Date>,
    today: Date,
    waits: &Waits,
) -> Result<Vec<DueEntry>, CycleError> {
    let read = cycle.store.read();
    let kept = Kept { held: read.people_held().await?, wishes: read.standing_wishes().await? };
    let mut all = departures(cycle, &read, until, today).await?;
    let filter = StepFilter { ended: Some(false), due_to: until, ..StepFilter::default() };
    for step in read.steps(&filter).await? {
        if let Due::On { date, reason } = &step.step.due {
            all.push((
                *date,
                DueEntry {
                    date: date.to_string(),
                    overdue: *date <= today,
                    person: step.step.action.account().label.clone(),
                    what: step.step.action.describe(),
                    why: reason.clone(),
                    clause: cycle.config.policy.citations.cite(step.step.rule),
                    waits_for: waits_for(&step, waits, &kept),
                },
            ));
        }
    }
    all.extend(reminders(cycle, &read, until, today).await?);
    all.sort_by(|a, b| (a.0, &a.1.person, &a.1.what).cmp(&(b.0, &b.1.person, &b.1.what)));
    Ok(all.into_iter().map(|(_, entry)| entry).collect())
}

/// Days on which those who were asked are reminded, or a person is told that they don't answer.
async fn reminders(
    cycle: &Cycle,
    read: &Reader<'_>,
    until: Option<Date>,
    today: Date,
) -> Result<Vec<(Date, DueEntry)>, CycleError> {
    let filter = StepFilter { states: vec!["asked"], ..StepFilter::default() };
    let asked = read.steps(&filter).await?;
    let entry = |stored: &StoredStep| {
        let date = stored.recheck_on.filter(|on| until.is_none_or(|until| *on <= until))?;
        let rule = rule_of(&cycle.config, &stored.step)?;
        let last = stored.recheck_index >= u32::from(rule.reminders);
        let what = stored.step.action.describe();
        let entry = DueEntry {
            date: date.to_string(),
            overdue: date <= today,
            person: stored.step.action.account().label.clone(),
            what: if last { format!("overdue: {what}") } else { format!("remind: {what}") },
            why: format!("{} work days without an answer", rule.remind_after_work_days),
            clause: cycle.config.policy.citations.cite(stored.step.rule),
            waits_for: None,
        };
        Some((date, entry))
    };
    Ok(asked.iter().filter_map(entry).collect())
}

/// What keeps things from being deleted.
struct Kept {
    held: BTreeSet<PersonId>,
    wishes: Vec<Wish>,
}

impl Kept {
    /// Wishes that keep a step from being carried out. One for files is fulfilled by its copy: whether
    /// that was made stands beside it.
    fn wishes_over(&self, step: &StoredStep) -> impl Iterator<Item = String> {
        let theirs = self.wishes.iter().filter(|wish| wish.person == step.step.person);
        let over = theirs.filter(|wish| match (&step.step.action, &wish.what) {
            (Action::DeleteMailbox { .. }, what) => !matches!(what, Wanted::Keep { .. }),
            (Action::DeleteHome { .. }, what) => matches!(what, Wanted::Keep { .. }),
            _ => false,
        });
        over.map(|wish| match &wish.what {
            Wanted::Keep { to, .. } => format!("files of it are first copied for {to}"),
            other => other.describe(),
        })
    }
}

fn waits_for(step: &StoredStep, waits: &Waits, kept: &Kept) -> Option<String> {
    let mut reasons = Vec::new();
    if !waits.configured.contains(&step.step.connector) {
        reasons.push(format!("connector {} is not configured", step.step.connector));
    }
    if step.step.action.destroys() && kept.held.contains(&step.step.person) {
        reasons.push("a hold stands".to_owned());
    }
    reasons.extend(kept.wishes_over(step));
    if step.step.action.destroys() && waits.paused {
        reasons.push("deletions are paused".to_owned());
    }
    if step.step.action.gives() && waits.giving_paused {
        reasons.push("giving is paused".to_owned());
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

async fn departures(
    cycle: &Cycle,
    read: &Reader<'_>,
    until: Option<Date>,
    today: Date,
) -> Result<Vec<(Date, DueEntry)>, CycleError> {
    let filter = CaseFilter { states: vec![CaseState::Scheduled], ..CaseFilter::default() };
    let cases: Vec<Case> = read.cases(&filter).await?;
    let ids: Vec<PersonId> = cases.iter().map(|c| c.person).collect();
    let shown: HashMap<PersonId, String> =
        read.people(&ids).await?.into_iter().map(|p| (p.id, p.shown())).collect();
    let mut all = Vec::new();
    for case in cases {
        let date = cycle.today(case.effective_at);
        if until.is_some_and(|until| date > until) {
            continue;
        }
        all.push((
            date,
            DueEntry {
                date: date.to_string(),
                overdue: date <= today,
                person: shown.get(&case.person).cloned().unwrap_or_default(),
                what: format!(
                    "departure takes effect at {}",
                    case.effective_at
                        .to_zoned(cycle.config.time_zone.clone())
                        .strftime("%H:%M %:z")
                ),
                why: case.reason,
                clause: cycle.config.policy.citations.cite(Rule::D2),
                waits_for: None,
            },
        ));
    }
    Ok(all)
}
