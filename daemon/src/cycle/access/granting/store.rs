//! Stores what a look at people's access gave: cases, plans, steps, and what is in place.

use super::{Cycle, CycleError, Holder, Looked};
use crate::cycle::DAEMON;
use crate::cycle::decide::{add_steps, aside};
use crate::store::{AuditEntry, FormFilter, Tx};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{Asks, FiledForm, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseKind, CaseState, ConnectorName, PersonId};
use lapsed_core::guard::Finding;
use lapsed_core::observed::ObservedAccount;
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::step::Step;
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// What is under way tells by itself when it has ended; so long at the most nobody looks meanwhile.
const UNDER_WAY: SignedDuration = SignedDuration::from_secs(60);
/// A target that could not be read is asked again after so long.
const UNREAD: SignedDuration = SignedDuration::from_secs(30);
/// What waits for a person, or for its day.
const STUCK: SignedDuration = SignedDuration::from_mins(15);

impl Cycle {
    /// Writes everything in one go. Whoever's forms, entitlements or departure changed since they were read
    /// is left for the next round.
    pub(super) async fn store_granted(
        &self,
        looked: Vec<Looked>,
        now: Timestamp,
    ) -> Result<Vec<(Plan, PlanState)>, CycleError> {
        if looked.is_empty() {
            return Ok(Vec::new());
        }
        let people: Vec<PersonId> = looked.iter().map(|l| l.holder.person.id).collect();
        let mut tx = self.store.begin().await?;
        let changed = changed_meanwhile(&tx, &people, &looked).await?;
        let held = tx.read().plans(&[PlanState::Held]).await?;
        let links: Vec<_> =
            looked.iter().map(|l| (l.holder.person.id, l.granted.links.clone())).collect();
        tx.link_accounts(&links).await?;
        let mut rests = Vec::new();
        let mut plans = Vec::new();
        for one in &looked {
            if changed.contains(&one.holder.person.id) {
                continue;
            }
            self.finish_granted(&mut tx, one, now).await?;
            for (form, steps) in by_form(one) {
                let plan = self.plan_of(one, form, steps);
                let known = tx.read().plan(&plan.hash).await?.map(|plan| plan.state);
                // A newer wish of the same form takes the place of one that waits.
                for older in held.iter().filter(|p| p.plan.only_case() == Some(form.case())) {
                    if older.plan.hash != plan.hash {
                        tx.set_plan_state(&older.plan.hash, PlanState::Replaced, None).await?;
                    }
                }
                self.open_form_case(&tx, one, form, now).await?;
                let state = self.store_plan(&mut tx, &plan, known, (one, form), now).await?;
                plans.push((plan, state));
            }
            for reason in &one.granted.doubtful {
                tx.set_aside_once(&aside(&one.holder.person, reason, now)?).await?;
            }
            rests.push((one.holder.person.id, rest(one, now), is_firm(one)));
        }
        tx.rest_access_of(&rests).await?;
        tx.commit().await?;
        Ok(plans)
    }

    fn plan_of(&self, one: &Looked, form: &FiledForm, steps: Vec<Step>) -> Plan {
        let case = form.case();
        let findings: Vec<Finding> = one
            .granted
            .findings
            .iter()
            .filter(|(of, _)| *of == case)
            .map(|(_, finding)| finding.clone())
            .collect();
        let explanations = one.granted.explanations.iter();
        let explanations = explanations.filter(|e| e.case == Some(case)).cloned().collect();
        let kind = PlanKind::Form { case, person: one.holder.person.id, number: form.number };
        Plan::new(kind, &self.config.policy.version(), steps, findings, explanations)
    }

    async fn store_plan(
        &self,
        tx: &mut Tx,
        plan: &Plan,
        known: Option<PlanState>,
        (one, form): (&Looked, &FiledForm),
        now: Timestamp,
    ) -> Result<PlanState, CycleError> {
        let state = match known {
            None | Some(PlanState::Replaced) if plan.findings.is_empty() => PlanState::Passed,
            None | Some(PlanState::Replaced) => PlanState::Held,
            Some(state) => state,
        };
        let known = tx.save_plan(plan, state, &plan.findings, now).await?;
        if matches!(state, PlanState::Passed | PlanState::Released) {
            add_steps(tx, &[plan], now).await?;
        }
        if known.is_none() {
            let findings: Vec<String> = plan.findings.iter().map(Finding::describe).collect();
            let event = if state == PlanState::Held { "plan.held" } else { "plan.passed" };
            tx.audit(AuditEntry {
                plan: Some(plan.hash.clone()),
                detail: json!({
                    "form": form.number, "steps": plan.steps.len(), "findings": findings,
                    "policy": plan.policy_version,
                }),
                ..self.grant_entry(&one.holder, form, event, Rule::A1, now)
            });
        }
        Ok(state)
    }

    pub(super) fn grant_entry(
        &self,
        holder: &Holder,
        form: &FiledForm,
        event: &str,
        rule: Rule,
        now: Timestamp,
    ) -> AuditEntry {
        AuditEntry {
            person: Some(holder.person.id),
            case: Some(form.case()),
            user_id: form.reserved.clone().or_else(|| holder.person.user_ids().into_iter().next()),
            clause: Some(self.config.policy.citations.cite(rule)),
            ..AuditEntry::new(now, DAEMON, event)
        }
    }

    /// The case of a form, open while there is something to do; how the accounts were before stays in it.
    async fn open_form_case(
        &self,
        tx: &Tx,
        one: &Looked,
        form: &FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let known = tx.read().case(form.case()).await?;
        let mut case = known.unwrap_or_else(|| Case {
            id: form.case(),
            kind: CaseKind::Form,
            person: one.holder.person.id,
            state: CaseState::Open,
            effective_at: form.filed_at,
            for_cause: false,
            opened_at: now,
            disabled_on: None,
            worksite_class: None,
            reason: reason(form),
            before: Vec::new(),
        });
        case.state = CaseState::Open;
        for (name, account) in &one.accounts {
            let known = |(n, a): &(ConnectorName, ObservedAccount)| n == name && a.id == account.id;
            if !case.before.iter().any(known) {
                case.before.push((name.clone(), account.clone()));
            }
        }
        Ok(tx.save_case(&case).await?)
    }

    /// What is in place, or gone, by now.
    async fn finish_granted(
        &self,
        tx: &mut Tx,
        one: &Looked,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let granted = &one.granted;
        let mut moved = Vec::new();
        for held in &one.holder.entitlements {
            if granted.in_place.contains(&held.id) && held.state == EntitlementState::Approved {
                moved.push(Entitlement { state: EntitlementState::InPlace, ..held.clone() });
            }
            if granted.ended.contains(&held.id) && held.state == EntitlementState::Ending {
                moved.push(Entitlement {
                    state: EntitlementState::Ended,
                    ended_at: held.ended_at.or(Some(now)),
                    ..held.clone()
                });
            }
        }
        tx.save_entitlements(&moved).await?;
        for held in &moved {
            let form = one.holder.forms.iter().find(|form| form.number == held.form);
            let Some(form) = form else { continue };
            let event = match held.state {
                EntitlementState::InPlace => "access.in_place",
                _ => "access.ended",
            };
            tx.audit(AuditEntry {
                detail: json!({ "form": form.number, "system": held.system, "role": held.role }),
                ..self.grant_entry(&one.holder, form, event, Rule::A1, now)
            });
        }
        for form in &one.holder.forms {
            if granted.burnt.contains(&form.number) {
                self.burn(tx, &one.holder, form, now).await?;
            }
            if let Some(why) = granted.forms_ended.get(&form.number) {
                self.end_granted_form(tx, &one.holder, form, why, now).await?;
            }
            if granted.forms_in_place.contains(&form.number) {
                self.form_in_place(tx, &one.holder, form, now).await?;
            }
        }
        Ok(())
    }

    /// A name that somebody else has by now is given up, and another one is set apart in the next round (N5).
    async fn burn(
        &self,
        tx: &mut Tx,
        holder: &Holder,
        form: &FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Some(user_id) = &form.reserved else { return Ok(()) };
        tx.set_reserved(form.number, None).await?;
        tx.burn_user_id(user_id, holder.person.id).await?;
        tx.audit(AuditEntry {
            detail: json!({ "form": form.number, "why": "a target has an account of that name" }),
            ..self.grant_entry(holder, form, "user_id.burnt", Rule::N5, now)
        });
        Ok(())
    }
}

/// Whose forms or entitlements are not what they were when they were read, or whose departure has begun.
async fn changed_meanwhile(
    tx: &Tx,
    people: &[PersonId],
    looked: &[Looked],
) -> Result<Vec<PersonId>, CycleError> {
    let read = tx.read();
    let filter = FormFilter { people: people.to_vec(), ..FormFilter::default() };
    let mut forms: HashMap<PersonId, Vec<FiledForm>> = HashMap::new();
    for form in read.access_forms(&filter).await? {
        forms.entry(form.person).or_default().push(form);
    }
    let mut held: HashMap<PersonId, Vec<Entitlement>> = HashMap::new();
    for entitlement in read.entitlements_of(people).await? {
        held.entry(entitlement.person).or_default().push(entitlement);
    }
    let cases = crate::store::CaseFilter {
        people: Some(people.to_vec()),
        states: vec![CaseState::Open],
        ..crate::store::CaseFilter::default()
    };
    let mut changed: Vec<PersonId> =
        read.cases(&cases).await?.into_iter().map(|case| case.person).collect();
    for one in looked {
        let id = one.holder.person.id;
        let same = forms.remove(&id).unwrap_or_default() == one.holder.forms
            && held.remove(&id).unwrap_or_default() == one.holder.entitlements;
        if !same {
            changed.push(id);
        }
    }
    Ok(changed)
}

/// The steps of one look, by the form that asks for them.
fn by_form(one: &Looked) -> Vec<(&FiledForm, Vec<Step>)> {
    let mut steps: BTreeMap<u64, Vec<Step>> = BTreeMap::new();
    for step in &one.granted.steps {
        if let Some(form) = one.holder.forms.iter().find(|form| form.case() == step.case) {
            steps.entry(form.number).or_default().push(step.clone());
        }
    }
    let form = |number: u64| one.holder.forms.iter().find(|form| form.number == number);
    steps.into_iter().filter_map(|(number, steps)| Some((form(number)?, steps))).collect()
}

/// When to look again, unless something moves before.
fn rest(one: &Looked, now: Timestamp) -> Timestamp {
    let granted = &one.granted;
    // What is in place now may be what something else needs first.
    let moved = !granted.in_place.is_empty() || !granted.ended.is_empty();
    let moved = moved || !granted.burnt.is_empty() || !granted.forms_in_place.is_empty();
    let pause = if moved {
        SignedDuration::ZERO
    } else if one.unread {
        UNREAD
    } else if granted.repeats || (granted.steps.is_empty() && granted.stuck) {
        STUCK
    } else {
        UNDER_WAY
    };
    now.checked_add(pause).unwrap_or(now)
}

/// What is done once more and ends again would have it looked at again at once: such a rest lasts.
fn is_firm(one: &Looked) -> bool {
    one.granted.repeats
}

fn reason(form: &FiledForm) -> String {
    let what = match form.form.asks {
        Asks::New => "new access",
        Asks::Change => "other systems",
        Asks::NameChange => "another name",
        Asks::LocationChange => "another location",
        Asks::ResetPassword => "a new password",
        _ => "access",
    };
    format!("form {} ({}): {what}", form.number, form.form.form)
}

/// A form that has come to its end; see [`FormState`].
pub(super) fn ended(form: &FiledForm, state: FormState, because: Option<String>) -> FiledForm {
    FiledForm { state, ended_because: because, ..form.clone() }
}
