//! From a person's standing to the state of their departure case (D1, D10, D12).

use super::decide::aside;
use super::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, FormFilter, SetAside, StepFilter, StepUpdate, StoredStep, Tx};
use jiff::Timestamp;
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseId, CaseState, NoticeState, Person, PersonId};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::plan::PlanState;
use lapsed_core::standing::{End, Standing, standing};
use lapsed_core::step::{ASKED, Action};
use serde_json::json;
use uuid::Uuid;

impl Cycle {
    /// Brings a person's case in line with their standing; returns the case if it is in effect. `known`
    /// is the case of their present episode as it is stored.
    pub(super) async fn settle_case(
        &self,
        tx: &mut Tx,
        person: &mut Person,
        known: Option<Case>,
        now: Timestamp,
    ) -> Result<Option<Case>, CycleError> {
        let id = CaseId::departure(person.id, person.episode);
        match standing(person, now, &self.config.time_zone) {
            Standing::Employed | Standing::Unknown => {
                if let Some(case) = known {
                    self.stop_case(tx, person, case, now).await?;
                }
                Ok(None)
            }
            Standing::Leaving(end) => {
                self.schedule_case(tx, person, known, id, end, now).await?;
                Ok(None)
            }
            Standing::Left(end) => Ok(Some(self.open_case(tx, person, known, id, end, now).await?)),
        }
    }

    /// The departure is off: pending deletions stop at once (D10). What was taken comes back by a form.
    async fn stop_case(
        &self,
        tx: &mut Tx,
        person: &mut Person,
        mut case: Case,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let withdrawn = person.notices.iter().any(|n| n.state == NoticeState::Withdrawn)
            && person.engagements.iter().all(|e| e.ordinal == 0 || e.goes_on());
        let zone = &self.config.time_zone;
        let begins = |day: jiff::civil::Date| day.to_zoned(zone.clone()).map(|day| day.timestamp());
        let begins_later = |start| begins(start).is_ok_and(|start| start >= case.effective_at);
        let rehired =
            person.engagements.iter().any(|e| e.goes_on() && e.starts_on.is_some_and(begins_later));
        case.state = if rehired || !withdrawn { CaseState::Rehired } else { CaseState::Withdrawn };
        let why = match case.state {
            CaseState::Rehired => "the person is employed again",
            _ => "the notice was withdrawn by its own source",
        };
        tx.save_case(&case).await?;
        if let Some(now) = tx.bump_episode(person.id, person.episode).await? {
            *person = now;
        }
        let has_taken = self.has_taken(tx, &case).await?;
        self.cancel_steps(tx, case.id, why, now).await?;
        if has_taken {
            self.ask_for_access(tx, person, case.id, now).await?;
            self.tell_who_reads(tx, person, &case, now).await?;
            self.end_wishes(tx, &[person.id], why, now).await?;
        }
        self.note_case(tx, (&case, person), ("case.stopped", Rule::D10), why, now);
        self.tell_changes(tx, case.id, now).await?;
        Ok(())
    }

    async fn schedule_case(
        &self,
        tx: &mut Tx,
        person: &Person,
        known: Option<Case>,
        id: CaseId,
        end: End,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let fresh = self.case_of(person.id, id, CaseState::Scheduled, &end, now);
        match known {
            Some(case) if case.state == CaseState::Scheduled && same_end(&case, &end) => {
                return Ok(());
            }
            Some(case) if matches!(case.state, CaseState::Open | CaseState::Closed) => {
                // A moved end: the person is wanted until then, so nothing more is taken meanwhile. The
                // clocks begin anew with the new end, and the worksite is that of then (D6, D7).
                let why = "the end of the engagement was moved to a later day";
                let has_taken = self.has_taken(tx, &case).await?;
                self.cancel_steps(tx, id, why, now).await?;
                let moved =
                    Case { opened_at: case.opened_at, before: case.before, ..fresh.clone() };
                tx.save_case(&moved).await?;
                if has_taken {
                    self.ask_for_access(tx, person, id, now).await?;
                    self.tell_who_reads(tx, person, &moved, now).await?;
                    self.end_wishes(tx, &[person.id], why, now).await?;
                }
                self.tell_changes(tx, id, now).await?;
            }
            _ => tx.save_case(&fresh).await?,
        }
        let when = format!("takes effect {}: {}", self.shown_time(end.at), end.reason);
        self.note_case(tx, (&fresh, person), ("case.scheduled", Rule::D2), &when, now);
        Ok(())
    }

    async fn open_case(
        &self,
        tx: &mut Tx,
        person: &Person,
        known: Option<Case>,
        id: CaseId,
        end: End,
        now: Timestamp,
    ) -> Result<Case, CycleError> {
        if let Some(case) = &known
            && matches!(case.state, CaseState::Open | CaseState::Closed)
            && same_end(case, &end)
        {
            return Ok(case.clone());
        }
        let fresh = self.case_of(person.id, id, CaseState::Open, &end, now);
        let case = match known {
            // Frozen facts stay: the clocks of what is shut already do not start again.
            Some(case) => Case {
                opened_at: case.opened_at,
                disabled_on: case.disabled_on,
                worksite_class: case.worksite_class,
                before: case.before,
                ..fresh
            },
            None => fresh,
        };
        // What a claim lets through until now is under way when the accounts are looked at, or is marked
        // once it ends; nothing that gives access is claimed after this.
        tx.wait_for_claims().await?;
        tx.save_case(&case).await?;
        let on = case.effective_at.to_zoned(self.config.time_zone.clone()).date();
        self.end_forms_of_leaver(tx, person.id, on, now).await?;
        self.end_restorations_of(tx, person.id, "the person departs", now).await?;
        self.note_case(tx, (&case, person), ("case.opened", Rule::D2), &case.reason, now);
        Ok(case)
    }

    /// Somebody who works here again, or still, has no access: that does not come back by itself (D10).
    async fn ask_for_access(
        &self,
        tx: &Tx,
        person: &Person,
        case: CaseId,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let filter = FormFilter {
            people: vec![person.id],
            states: vec![FormState::Approved],
            ..FormFilter::default()
        };
        let approved = tx.read().access_forms(&filter).await?;
        // Whoever is taken on by a form gets by it what it gives.
        if approved.iter().any(|filed| filed.form.asks == Asks::New) {
            return Ok(());
        }
        Ok(tx.set_aside_once(&shut_by_mistake(person, case, now)?).await?)
    }

    /// Nobody has to give access back any more: what the departure took is back (D10).
    pub(in crate::cycle) async fn settle_ask_for_access(
        &self,
        tx: &Tx,
        person: &Person,
        case: CaseId,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let asked = shut_by_mistake(person, case, now)?.id;
        let mut open = tx.read().open_set_asides().await?;
        open.retain(|aside| aside.id == asked);
        for aside in &mut open {
            aside.settled_at = Some(now);
        }
        Ok(tx.set_aside(&open).await?)
    }

    fn case_of(
        &self,
        person: PersonId,
        id: CaseId,
        state: CaseState,
        end: &End,
        now: Timestamp,
    ) -> Case {
        Case {
            id,
            kind: lapsed_core::facts::CaseKind::Departure,
            person,
            state,
            effective_at: end.at,
            for_cause: end.for_cause,
            opened_at: now,
            disabled_on: None,
            worksite_class: None,
            reason: end.reason.clone(),
            before: Vec::new(),
        }
    }

    /// Whether the departure ended access anywhere, or may have: not everything need be shut for that, and what
    /// is under way may still be.
    async fn has_taken(&self, tx: &Tx, case: &Case) -> Result<bool, CycleError> {
        if case.disabled_on.is_some() {
            return Ok(true);
        }
        let filter = StepFilter { cases: vec![case.id], ..StepFilter::default() };
        let took = |stored: &StoredStep| {
            matches!(stored.step.action, Action::Disable { .. } | Action::RevokeAccess { .. })
                && ((stored.state.is_done() && stored.state.receipt().is_some())
                    || stored.state.is_perhaps_begun())
        };
        Ok(tx.read().steps(&filter).await?.iter().any(took))
    }

    /// Stops what has not been done yet; a plan that waits for a release has nothing left to release.
    async fn cancel_steps(
        &self,
        tx: &mut Tx,
        case: CaseId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let filter = StepFilter { cases: vec![case], ended: Some(false), ..StepFilter::default() };
        let steps = tx.read().steps(&filter).await?;
        // What is under way can't be called back, and what became of a lost reply has to be looked at first.
        let waits =
            |s: &&StoredStep| matches!(s.state, StepState::Planned | StepState::Waiting { .. });
        let cancel = |s: &StoredStep| s.on(StepEvent::Cancel(why.to_owned())).ok();
        let asked = |s: &&StoredStep| matches!(s.state, StepState::Asked { .. });
        let stops = |s: &&StoredStep| waits(s) || asked(s);
        let updates: Vec<StepUpdate> = steps.iter().filter(stops).filter_map(cancel).collect();
        tx.set_steps(&updates, now).await?;
        for stored in steps.iter().filter(asked) {
            self.tell_those_asked(tx, stored, now).await?;
        }
        for plan in tx.read().plans(&[PlanState::Held]).await? {
            if plan.plan.only_case() == Some(case) {
                tx.set_plan_state(&plan.plan.hash, PlanState::Replaced, None).await?;
            }
        }
        Ok(())
    }

    /// Who was asked to end access goes on with it unless they are told (D10): a person has to.
    async fn tell_those_asked(
        &self,
        tx: &mut Tx,
        stored: &StoredStep,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let asked = stored.state.receipt().and_then(|receipt| receipt.before.get(ASKED));
        let whom = asked.map(|whom| whom.join(", ")).unwrap_or_default();
        let reason = format!(
            "the departure is off: tell {} not to act on \"{}\"",
            if whom.is_empty() { stored.step.connector.as_str() } else { &whom },
            stored.step.action.describe()
        );
        if let Some(person) = tx.read().people(&[stored.step.person]).await?.first() {
            tx.set_aside_once(&aside(person, &reason, now)?).await?;
        }
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "each is a different part of one audit row")]
    fn note_case(
        &self,
        tx: &mut Tx,
        (case, person): (&Case, &Person),
        (event, rule): (&str, Rule),
        why: &str,
        now: Timestamp,
    ) {
        tx.audit(AuditEntry {
            person: Some(person.id),
            case: Some(case.id),
            user_id: person.user_ids().into_iter().next(),
            clause: Some(self.config.policy.citations.cite(rule)),
            detail: json!({ "why": why, "for_cause": case.for_cause }),
            ..AuditEntry::new(now, DAEMON, event)
        });
    }
}

/// What a person has to decide on of one departure that is off: said once for each.
fn shut_by_mistake(person: &Person, case: CaseId, now: Timestamp) -> Result<SetAside, CycleError> {
    const REASON: &str = "the person is employed, and their account was shut: put back what a mistake of HR's \
                          took (lapsed restore), or give access back by an approved form, or ask HR";
    let aside = aside(person, REASON, now)?;
    Ok(SetAside { id: Uuid::new_v5(&case.0, REASON.as_bytes()), ..aside })
}

fn same_end(case: &Case, end: &End) -> bool {
    case.effective_at == end.at && case.for_cause == end.for_cause
}

#[cfg(test)]
mod tests;
