//! What is over before it is carried out: a departure in between, a form that ended, a last day that is past,
//! a move to another location (D2, D11).

use super::finished::close;
use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::cycle::decide::aside;
use crate::store::{AuditEntry, CaseFilter, FormFilter, StepFilter, StepUpdate, Tx};
use jiff::Timestamp;
use lapsed_core::access::entitlement::{EntitlementState, THE_PERSON_LEFT};
use lapsed_core::access::form::{Asks, FiledForm, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseId, CaseKind, CaseState, PersonId};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::plan::PlanState;
use lapsed_core::reconcile::granting::ended_by_move;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Cycle {
    /// Brings entitlements and cases in line with what has ended meanwhile.
    pub(super) async fn end_what_is_over(&self, now: Timestamp) -> Result<(), CycleError> {
        self.end_of_leavers(now).await?;
        self.end_past(now).await?;
        self.end_with_their_form(now).await?;
        self.stop_form_cases(now).await
    }

    /// Whoever left holds nothing any more: access comes back by a form of its own (D10).
    async fn end_of_leavers(&self, now: Timestamp) -> Result<(), CycleError> {
        if self.store.read().entitlements_of_leavers().await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let mut over = tx.read().entitlements_of_leavers().await?;
        for held in &mut over {
            held.state = EntitlementState::Ended;
            held.ended_at.get_or_insert(now);
            held.ended_because.get_or_insert_with(|| THE_PERSON_LEFT.into());
        }
        tx.save_entitlements(&over).await?;
        let mut people: BTreeMap<PersonId, usize> = BTreeMap::new();
        for held in &over {
            *people.entry(held.person).or_default() += 1;
        }
        for (person, count) in people {
            tx.audit(AuditEntry {
                person: Some(person),
                clause: Some(self.config.policy.citations.cite(Rule::D2)),
                detail: json!({ "entitlements": count, "why": "the person left" }),
                ..AuditEntry::new(now, DAEMON, "access.ended")
            });
        }
        tx.commit().await?;
        Ok(())
    }

    /// Temporary access whose last day is past, and what a move left for some days.
    async fn end_past(&self, now: Timestamp) -> Result<(), CycleError> {
        let today = self.today(now);
        if self.store.read().entitlements_past(today).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let mut past = tx.read().entitlements_past(today).await?;
        for held in &mut past {
            held.state = EntitlementState::Ending;
            held.ended_at.get_or_insert(now);
            let last = held.ends_on.map(|day| day.to_string()).unwrap_or_default();
            held.ended_because.get_or_insert_with(|| format!("its last day was {last}"));
            let rule = if held.ended_by.is_some() { Rule::D11 } else { Rule::A1 };
            tx.audit(AuditEntry {
                person: Some(held.person),
                clause: Some(self.config.policy.citations.cite(rule)),
                detail: json!({ "form": held.form, "system": held.system, "last_day": last }),
                ..AuditEntry::new(now, DAEMON, "access.ending")
            });
        }
        tx.save_entitlements(&past).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What was approved and never made ends with the form that asked for it.
    async fn end_with_their_form(&self, now: Timestamp) -> Result<(), CycleError> {
        if self.store.read().entitlements_of_ended_forms().await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let mut over = tx.read().entitlements_of_ended_forms().await?;
        for held in &mut over {
            held.state = EntitlementState::Ended;
            held.ended_at.get_or_insert(now);
            held.ended_because.get_or_insert_with(|| format!("form {} ended", held.form));
            tx.audit(AuditEntry {
                person: Some(held.person),
                clause: Some(self.config.policy.citations.cite(Rule::A1)),
                detail: json!({ "form": held.form, "system": held.system, "why": "the form ended" }),
                ..AuditEntry::new(now, DAEMON, "access.ended")
            });
        }
        tx.save_entitlements(&over).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What an approved move to another location ends (D11).
    pub(super) async fn move_what_is_held(
        &self,
        people: &[PersonId],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        if people.is_empty() {
            return Ok(());
        }
        let filter = FormFilter {
            people: people.to_vec(),
            states: vec![FormState::Approved],
            ..FormFilter::default()
        };
        let approved = self.store.read().access_forms(&filter).await?;
        for form in approved.iter().filter(|form| form.form.asks == Asks::LocationChange) {
            self.move_by(form, now).await?;
        }
        Ok(())
    }

    async fn move_by(&self, form: &FiledForm, now: Timestamp) -> Result<(), CycleError> {
        let mut tx = self.store.begin().await?;
        let read = tx.read();
        let Some(person) = read.person(form.person).await? else { return Ok(()) };
        let filter = FormFilter { people: vec![person.id], ..FormFilter::default() };
        let forms = read.access_forms(&filter).await?;
        let held = read.entitlements_of(&[person.id]).await?;
        let when = (self.today(now), now);
        let changed = ended_by_move(&self.config.policy, &person, &forms, &held, form, when);
        let changed = match changed {
            Ok(changed) => changed,
            // One person whom a rule does not fit holds up nobody else.
            Err(problem) => {
                let reason = format!("form {}: the move can't be made: {problem}", form.number);
                tx.set_aside_once(&aside(&person, &reason, now)?).await?;
                tx.commit().await?;
                return Ok(());
            }
        };
        if changed.is_empty() {
            return Ok(());
        }
        tx.save_entitlements(&changed).await?;
        let ends: Vec<String> = changed.iter().map(|held| held.system.to_string()).collect();
        tx.audit(AuditEntry {
            person: Some(person.id),
            case: Some(form.case()),
            user_id: person.user_ids().into_iter().next(),
            clause: Some(self.config.policy.citations.cite(Rule::D11)),
            detail: json!({
                "form": form.number,
                "ends": ends,
                "grace_days": self.config.policy.access.moves.grace_days,
            }),
            ..AuditEntry::new(now, DAEMON, "access.moved")
        });
        tx.commit().await?;
        Ok(())
    }

    /// Of a form that ended, or of whose person the departure is in effect, nothing more is done.
    async fn stop_form_cases(&self, now: Timestamp) -> Result<(), CycleError> {
        let filter = CaseFilter {
            kind: CaseKind::Form,
            states: vec![CaseState::Open],
            ..CaseFilter::default()
        };
        let open = self.store.read().cases(&filter).await?;
        if open.is_empty() {
            return Ok(());
        }
        let people: Vec<PersonId> = open.iter().map(|case| case.person).collect();
        let leavers = self.leavers(&people).await?;
        let filter = FormFilter { people, ..FormFilter::default() };
        let forms = self.store.read().access_forms(&filter).await?;
        let ended: HashMap<CaseId, String> = forms
            .iter()
            .filter(|form| matches!(form.state, FormState::Denied | FormState::Ended))
            .map(|form| (form.case(), form.ended_because.clone().unwrap_or_default()))
            .collect();
        let over = open.into_iter().filter_map(|case| {
            if leavers.contains(&case.person) {
                return Some((case, "the person left".to_owned()));
            }
            let why = ended.get(&case.id)?.clone();
            Some((case, if why.is_empty() { "the form ended".to_owned() } else { why }))
        });
        let over = over.collect::<Vec<_>>();
        self.close_carried_out(&forms).await?;
        for (case, why) in over {
            self.stop_form_case(case, &why, now).await?;
        }
        Ok(())
    }

    /// A form that was in place and of which something ended later has its case open only so long.
    async fn close_carried_out(&self, forms: &[FiledForm]) -> Result<(), CycleError> {
        let done: Vec<&FiledForm> =
            forms.iter().filter(|form| form.state == FormState::InPlace).collect();
        if done.is_empty() {
            return Ok(());
        }
        let tx = self.store.begin().await?;
        let people: Vec<PersonId> = done.iter().map(|form| form.person).collect();
        let held = tx.read().entitlements_of(&people).await?;
        let filter = StepFilter {
            cases: done.iter().map(|form| form.case()).collect(),
            ended: Some(false),
            ..StepFilter::default()
        };
        let under_way: BTreeSet<CaseId> =
            tx.read().steps(&filter).await?.iter().map(|stored| stored.step.case).collect();
        for form in done {
            let ends = held.iter().any(|one| {
                one.state == EntitlementState::Ending
                    && one.ended_by.unwrap_or(one.form) == form.number
            });
            if !ends && !under_way.contains(&form.case()) {
                close(&tx, form).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Cancels what is still to be done. What is under way is looked at when it has ended, and no claim
    /// takes up the rest: the case is no longer open.
    async fn stop_form_case(
        &self,
        mut case: Case,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let mut tx = self.store.begin().await?;
        cancel_steps(&tx, case.id, why, now).await?;
        case.state = CaseState::Closed;
        tx.save_case(&case).await?;
        tx.audit(AuditEntry {
            person: Some(case.person),
            case: Some(case.id),
            clause: Some(self.config.policy.citations.cite(Rule::A1)),
            detail: json!({ "why": why }),
            ..AuditEntry::new(now, DAEMON, "case.stopped")
        });
        tx.commit().await?;
        Ok(())
    }
}

async fn cancel_steps(tx: &Tx, case: CaseId, why: &str, now: Timestamp) -> Result<(), CycleError> {
    let filter = StepFilter { cases: vec![case], ended: Some(false), ..StepFilter::default() };
    let steps = tx.read().steps(&filter).await?;
    let waits = |state: &StepState| {
        matches!(state, StepState::Planned | StepState::Waiting { .. } | StepState::Asked { .. })
    };
    let off: Vec<StepUpdate> = steps
        .iter()
        .filter(|stored| waits(&stored.state))
        .filter_map(|stored| stored.on(StepEvent::Cancel(why.to_owned())).ok())
        .collect();
    tx.set_steps(&off, now).await?;
    for plan in tx.read().plans(&[PlanState::Held]).await? {
        if plan.plan.only_case() == Some(case) {
            tx.set_plan_state(&plan.plan.hash, PlanState::Replaced, None).await?;
        }
    }
    Ok(())
}
