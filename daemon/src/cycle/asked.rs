//! Steps that wait for somebody else's answer: reminders by work days, then a matter for a person (D5, D14).
//!
//! `recheck_on` of such a step is the day of its next reminder, or the day on which it becomes overdue;
//! `recheck_index` is how many reminders are behind it. What was done is in the receipt: when reminders
//! went out, and since when it is overdue.

use super::carry_out::{Executor, health_key};
use super::{CycleError, DAEMON};
use crate::config::Config;
use crate::store::{AuditEntry, StepFilter, StepUpdate, StoredStep};
use crate::tickets::{self, Matter};
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use lapsed_connectors::contract::{Apply, Chase, Chased};
use lapsed_core::facts::{CaseState, ConnectorName};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::policy::departure::RequestRule;
use lapsed_core::step::{ASKED, Action, Cause, Fault, NOBODY_KNOWS, Receipt, Step};
use serde_json::json;

/// In the receipt: the days on which was reminded.
pub const REMINDED: &str = "reminded";
/// In the receipt: since when it is overdue.
pub const OVERDUE: &str = "overdue";
/// In the receipt: why a reminder was not taken.
const NOT_REMINDED: &str = "not_reminded";
/// The event of a form for which every reminder was in vain.
const FORM_OVERDUE: &str = "form.overdue";
/// A reminder that could not go out is tried again after so long.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// How those who were asked are reminded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reminding {
    /// Work days between two reminders.
    pub remind_after_work_days: u16,
    /// So many reminders; then it becomes a ticket.
    pub reminders: u16,
}

/// The rule that asks for a request, of a departure (D5) or of a system that somebody else gives (A11), as
/// the configuration has it now.
#[must_use]
pub fn rule_of(config: &Config, step: &Step) -> Option<Reminding> {
    let (Action::RequestRevocation { request, .. } | Action::RequestChange { request, .. }) =
        &step.action
    else {
        return None;
    };
    let rules = &config.policy.departure.requests;
    let of_departure =
        rules.iter().find(|rule| &rule.name == request && rule.connector == step.connector);
    if let Some(rule) = of_departure {
        let RequestRule { remind_after_work_days, reminders, .. } = *rule;
        return Some(Reminding { remind_after_work_days, reminders });
    }
    let systems = config.policy.access.systems.iter();
    let named = systems.filter(|(name, _)| name.as_str() == request);
    let mut asked = named.filter_map(|(_, rule)| rule.request.as_ref());
    let rule = asked.find(|rule| rule.connector == step.connector)?;
    Some(Reminding {
        remind_after_work_days: rule.remind_after_work_days,
        reminders: rule.reminders,
    })
}

/// True when every reminder was in vain: a person has to call them.
#[must_use]
pub fn is_overdue(receipt: &Receipt) -> bool {
    receipt.before.contains_key(OVERDUE)
}

/// True when nobody knows whether those who were asked ever heard of it: no reminder went out either.
#[must_use]
pub fn is_unsure(receipt: &Receipt) -> bool {
    receipt.before.contains_key(NOBODY_KNOWS) && !receipt.before.contains_key(REMINDED)
}

/// How many reminders went out.
#[must_use]
pub fn reminders(receipt: &Receipt) -> usize {
    receipt.before.get(REMINDED).map_or(0, Vec::len)
}

/// How many reminders were tried, whatever came of them.
fn attempted(receipt: &Receipt) -> u32 {
    let count = |key: &str| receipt.before.get(key).map_or(0, Vec::len);
    u32::try_from(count(REMINDED) + count(NOT_REMINDED)).unwrap_or(u32::MAX - 1)
}

/// One line about what waits for an answer, for people.
#[must_use]
pub fn note(receipt: &Receipt) -> String {
    let mut note = match receipt.before.get(ASKED) {
        Some(whom) => format!("asked {}", whom.join(", ")),
        None => "asked".into(),
    };
    if is_unsure(receipt) {
        note += "; nobody knows whether it arrived";
    }
    if let Some(days) = receipt.before.get(REMINDED) {
        note += &format!("; reminded on {}", days.join(", "));
    }
    match receipt.before.get(OVERDUE).and_then(|since| since.first()) {
        Some(since) => note + &format!("; overdue since {since}"),
        None => note + "; not confirmed yet",
    }
}

/// So many work days after a day; none where the calendar has no end or no work day.
fn work_days_after(config: &Config, day: Date, count: u16) -> Option<Date> {
    let next = |day: Date| config.policy.work_days.next_work_day_after(day).ok();
    (0..count).try_fold(day, |day, _| next(day).map(|next| next.date))
}

fn noted(receipt: &Receipt, key: &str, text: String) -> Receipt {
    let mut receipt = receipt.clone();
    receipt.before.entry(key.to_owned()).or_default().push(text);
    receipt
}

/// What a day brings for a step that waits.
struct Moved {
    receipt: Receipt,
    on: Option<Date>,
    index: u32,
    event: &'static str,
}

impl Executor {
    /// The day of the first reminder of what was asked just now.
    pub(super) fn first_reminder(
        &self,
        update: StepUpdate,
        stored: &StoredStep,
        now: Timestamp,
    ) -> StepUpdate {
        let config = &self.cycle.config;
        // Where nobody knows whether they heard of it, the reminder says it on the next work day.
        let unsure = update.state.receipt().is_some_and(is_unsure);
        let on = rule_of(config, &stored.step).and_then(|rule| {
            let days = if unsure { 1 } else { rule.remind_after_work_days };
            work_days_after(config, self.cycle.today(now), days)
        });
        update.recheck(on, 0)
    }

    /// Reminds of what a target was asked and has not answered, where its day has come.
    pub(super) async fn remind(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
    ) -> Result<(), CycleError> {
        let filter = StepFilter {
            states: vec!["asked"],
            connector: Some(name.clone()),
            ..StepFilter::default()
        };
        let now = (self.clock)();
        let today = self.cycle.today(now);
        for stored in self.cycle.store.read().steps(&filter).await? {
            let is_due = stored.recheck_on.is_some_and(|on| on <= today)
                && stored.not_before.is_none_or(|at| at <= now);
            if is_due && !self.remind_of(name, hand, &stored, now).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// One step; says whether the target answered.
    async fn remind_of(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
        stored: &StoredStep,
        now: Timestamp,
    ) -> Result<bool, CycleError> {
        let StepState::Asked { receipt, at } = &stored.state else { return Ok(true) };
        let today = self.cycle.today(now);
        if !self.is_in_effect(&stored.step).await? {
            self.write(stored, StepEvent::Cancel("the departure was called off".into()), now, None)
                .await?;
            return Ok(true);
        }
        let index = stored.recheck_index;
        let moved = match rule_of(&self.cycle.config, &stored.step) {
            // Taken out of the rules: it stays open, and nobody is bothered by it any more.
            None => Moved { receipt: receipt.clone(), on: None, index, event: "" },
            Some(rule) if index >= u32::from(rule.reminders) => Moved {
                receipt: noted(receipt, OVERDUE, today.to_string()),
                on: None,
                index,
                event: FORM_OVERDUE,
            },
            Some(rule) => return self.chase(name, hand, stored, rule, now).await,
        };
        self.move_on(stored, moved, *at, now).await?;
        Ok(true)
    }

    /// Reminds once: the intent is written first, so that neither another daemon nor this one after a
    /// crash makes the same reminder. One over which a daemon died is made on the next reminder's day.
    async fn chase(
        &self,
        name: &ConnectorName,
        hand: &dyn Apply,
        stored: &StoredStep,
        rule: Reminding,
        now: Timestamp,
    ) -> Result<bool, CycleError> {
        // Another is at it, or it was confirmed meanwhile.
        let next =
            work_days_after(&self.cycle.config, self.cycle.today(now), rule.remind_after_work_days);
        let Some(ours) = self.take_reminder(stored, next, now).await? else { return Ok(true) };
        let StepState::Asked { receipt, at } = &ours.state else { return Ok(true) };
        let (index, today) = (ours.recheck_index, self.cycle.today(now));
        let asked_on = self.cycle.today(*at);
        // Reminders that began anew count on: each is a mail of its own.
        let nth = index.max(attempted(receipt)) + 1;
        let chase = Chase { step: &ours.step, receipt, nth, asked_on };
        let (key, text, event) = match hand.chase(&chase).await {
            Ok(Chased::Reminded) => (REMINDED, today.to_string(), "form.reminded"),
            Ok(Chased::NotHere) => {
                let moved = Moved { receipt: receipt.clone(), on: None, index, event: "" };
                self.move_on(&ours, moved, *at, now).await?;
                return Ok(true);
            }
            Err(Fault::Refused(cause)) => {
                (NOT_REMINDED, format!("{today}: {cause}"), "form.not_reminded")
            }
            Err(Fault::Retry(cause)) => {
                // Nobody has it: it stays due.
                let due = StoredStep { recheck_on: stored.recheck_on, ..ours.clone() };
                self.later(name, &due, cause, now).await?;
                return Ok(false);
            }
            // They may have it; a second one of the same would be a nuisance.
            Err(Fault::Unknown(cause)) => {
                (NOT_REMINDED, format!("{today}: not known: {cause}"), "form.not_reminded")
            }
        };
        let receipt = noted(receipt, key, text);
        let moved = Moved { receipt, on: next, index: index + 1, event };
        self.move_on(&ours, moved, *at, now).await?;
        Ok(true)
    }

    /// Takes a reminder in hand, on stable storage: for a while nobody else makes it. None when another
    /// has written the step since it was read.
    async fn take_reminder(
        &self,
        stored: &StoredStep,
        next: Option<Date>,
        now: Timestamp,
    ) -> Result<Option<StoredStep>, CycleError> {
        let again = now.checked_add(AGAIN_AFTER).unwrap_or(now);
        let update = StepUpdate::new(stored, stored.state.clone())
            .not_before(again)
            .recheck(next.or(stored.recheck_on), stored.recheck_index);
        let ours = stored.clone().after(update.clone());
        let tx = self.cycle.store.begin().await?;
        if !tx.set_steps(&[update], now).await?.is_empty() {
            return Ok(None);
        }
        tx.commit().await?;
        Ok(Some(ours))
    }

    /// Of whom is employed again, or still for a while, nothing is asked any more (D10).
    async fn is_in_effect(&self, step: &Step) -> Result<bool, CycleError> {
        let theirs = self.cycle.store.read().case(step.case).await?;
        Ok(theirs.is_some_and(|case| matches!(case.state, CaseState::Open | CaseState::Closed)))
    }

    async fn move_on(
        &self,
        stored: &StoredStep,
        moved: Moved,
        asked_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Moved { receipt, on, index, event } = moved;
        let told = (!event.is_empty()).then_some(event);
        let asked = StepEvent::Asked(receipt, asked_at);
        self.write_dated(stored, asked, (on, index), now, told).await
    }

    async fn write(
        &self,
        stored: &StoredStep,
        event: StepEvent,
        now: Timestamp,
        told: Option<&str>,
    ) -> Result<(), CycleError> {
        self.write_dated(stored, event, (None, stored.recheck_index), now, told).await
    }

    async fn write_dated(
        &self,
        stored: &StoredStep,
        event: StepEvent,
        (on, index): (Option<Date>, u32),
        now: Timestamp,
        told: Option<&str>,
    ) -> Result<(), CycleError> {
        let Ok(update) = stored.on(event) else { return Ok(()) };
        let update = update.recheck(on, index);
        let after = stored.clone().after(update.clone());
        let mut tx = self.cycle.store.begin().await?;
        if !tx.set_steps(&[update], now).await?.is_empty() {
            // Another was quicker: confirmed meanwhile, say.
            return Ok(());
        }
        let event = told.map_or_else(|| format!("step.{}", after.state.name()), str::to_owned);
        if told.is_some() || after.state.name() != stored.state.name() {
            tx.audit(self.reminder_entry(&after, event, now));
        }
        if told == Some(FORM_OVERDUE) {
            tickets::open(&mut tx, &self.cycle.config, &Matter::Overdue(&after.step), now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    fn reminder_entry(&self, stored: &StoredStep, event: String, now: Timestamp) -> AuditEntry {
        let asked = stored.state.receipt().map(|receipt| &receipt.before);
        AuditEntry {
            plan: Some(stored.plan.clone()),
            detail: json!({
                "do": stored.step.action.describe(),
                "connector": stored.step.connector,
                "reminders": stored.recheck_index,
                "next": stored.recheck_on,
                "asked": asked.and_then(|before| before.get(ASKED)),
                "not_reminded": asked.and_then(|before| before.get(NOT_REMINDED)),
            }),
            ..AuditEntry::new(now, DAEMON, event)
                .of_step(&stored.step, self.cycle.config.policy.citations.cite(stored.step.rule))
        }
    }

    async fn later(
        &self,
        name: &ConnectorName,
        stored: &StoredStep,
        cause: Cause,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        tracing::warn!(connector = %name, %cause, "a reminder could not go out; it is tried again");
        let again = now.checked_add(AGAIN_AFTER).unwrap_or(now);
        let update = StepUpdate::new(stored, stored.state.clone()).not_before(again);
        let tx = self.cycle.store.begin().await?;
        tx.set_steps(&[update], now).await?;
        tx.set_setting(&health_key(name), &Some(cause)).await?;
        tx.commit().await?;
        Ok(())
    }
}
