//! Decides on forms whose approvals, gates or time have moved on (A2 to A5).
//!
//! A form is looked at when somebody said yes or no to it, when a gate of its person opens, and once a day:
//! reminders, deputies, gates that expire and deadlines come with the days.

use super::authority::FormKnown;
use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::store::{AuditEntry, FormFilter, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::access::chain::{Part, Wish};
use lapsed_core::access::check::{Barred, barred};
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{Asks, FiledForm, FormState};
use lapsed_core::access::gate::{self, GatePassed, missing, needed, needed_anyhow};
use lapsed_core::access::person::{elsewhere, kinds, noticed_since};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Person, PersonId, SystemName, SystemRole, UserId};
use lapsed_core::standing::{End, Standing, standing};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Nobody counts further: a deadline of years is none.
const LONGEST_COUNT: u16 = 2_000;

impl Cycle {
    /// Decides on forms whose approvals, gates or time have moved on.
    pub(super) async fn settle_forms(&self, now: Timestamp) -> Result<(), CycleError> {
        let filter = FormFilter {
            states: vec![FormState::Waiting],
            look_by: Some(now),
            ..FormFilter::default()
        };
        for filed in self.store.read().access_forms(&filter).await? {
            let mut tx = self.store.begin().await?;
            // Another daemon may have been here meanwhile.
            let Some(filed) = tx.read().access_form(filed.number).await? else { continue };
            if filed.state != FormState::Waiting {
                continue;
            }
            self.settle_form(&mut tx, filed, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn settle_form(
        &self,
        tx: &mut Tx,
        filed: FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let known = self.form_known(&tx.read(), filed).await?;
        if let Some(why) = self.over(&known, now) {
            return self.end_form(tx, &known, &why, now).await;
        }
        if let Some(denial) = known.progress.denied() {
            let why = format!("{} said no as {}: {}", denial.by, denial.role, denial.reason);
            return self.deny_form(tx, &known, &why, now).await;
        }
        self.tell_denials(tx, &known, now).await?;
        let passed = tx.read().gates_of(&[known.filed.person]).await?;
        let ready = self.ready(tx, &known, &passed, now).await?;
        let all = ready.len() == known.progress.complete().count();
        if known.progress.is_decided() && all && !ready.is_empty() {
            return self.approve_form(tx, &known, &ready, now).await;
        }
        // What comes with another location comes with the move, and not before.
        let at_once = known.filed.form.asks != Asks::LocationChange;
        for part in ready.iter().filter(|_| at_once) {
            self.give(tx, &known, part, now).await?;
        }
        self.wait(tx, known, now).await
    }

    /// Why nothing more comes of a form, where its person left or nobody decided in time.
    fn over(&self, known: &FormKnown, now: Timestamp) -> Option<String> {
        let filed = &known.filed;
        if let Some(end) = self.departed(known, now).filter(|_| ends_with(filed)) {
            let day = self.today(end.at);
            let since = if filed.form.asks == Asks::New && filed.filed_at >= end.at {
                ", and a further notice came after the form was filed"
            } else {
                ""
            };
            return Some(format!("departed on {day}{since}"));
        }
        if let Some(why) = self.gone_wrong(known, now) {
            return Some(why);
        }
        let days = self.config.policy.access.deadlines.ends_after_work_days;
        let filed_on = self.today(filed.filed_at);
        let late = days > 0 && self.work_days_between(filed_on, self.today(now)) > days;
        (late && !known.progress.is_decided())
            .then(|| format!("not everybody decided on it within {days} work days"))
    }

    /// The departure that ends a form; not where the form was filed after it, and after every notice of it, to
    /// take the person on again.
    pub(crate) fn departed(&self, known: &FormKnown, now: Timestamp) -> Option<End> {
        let filed = &known.filed;
        let person = known.person.as_ref()?;
        let end = self.left(Some(person), now)?;
        let comes_back = filed.form.asks == Asks::New
            && filed.filed_at >= end.at
            && noticed_since(person, filed.filed_at, now).is_none();
        (!comes_back).then_some(end)
    }

    pub(super) fn left(&self, person: Option<&Person>, now: Timestamp) -> Option<End> {
        match standing(person?, now, &self.config.time_zone) {
            Standing::Left(end) => Some(end),
            Standing::Employed | Standing::Leaving(_) | Standing::Unknown => None,
        }
    }

    /// What was checked when the form came in, and no longer holds: rules and people change while it waits.
    fn gone_wrong(&self, known: &FormKnown, now: Timestamp) -> Option<String> {
        let (form, policy) = (&known.filed.form, &self.config.policy);
        let there = known.person.as_ref().filter(|person| self.left(Some(person), now).is_none());
        if let Some(at) = there.and_then(|person| elsewhere(form, person)) {
            return Some(format!(
                "it is for another location, and the person works at {at} by now"
            ));
        }
        let kinds = kinds(form, known.person.as_ref(), policy);
        known.progress.parts.iter().find_map(|part| {
            let Wish::System { system, remove: false, .. } = &part.part.what else { return None };
            Some(match barred(form, system, &kinds, &policy.access)? {
                Barred::Never(kind) => format!("a {kind} never gets {system}, whoever approves"),
                Barred::WithoutException(kind) => {
                    format!("a {kind} gets {system} only by an exception, and the form names none")
                }
            })
        })
    }

    /// Work days after one day, up to and with another.
    pub(crate) fn work_days_between(&self, after: Date, until: Date) -> u16 {
        let (mut day, mut count) = (after, 0);
        for _ in 0..LONGEST_COUNT {
            let Ok(next) = day.tomorrow() else { break };
            if next > until {
                break;
            }
            day = next;
            count += u16::from(self.config.policy.work_days.is_work_day(day));
        }
        count
    }

    /// Parts to which everybody said yes, and before which no gate is shut and no system is missing; those
    /// first that others need.
    async fn ready(
        &self,
        tx: &Tx,
        known: &FormKnown,
        passed: &[GatePassed],
        now: Timestamp,
    ) -> Result<Vec<Part>, CycleError> {
        let rules = &self.config.policy.access;
        let held = tx.read().entitlements_of(&[known.filed.person]).await?;
        let mut there: BTreeSet<SystemName> =
            held.iter().filter(|e| e.state.counts()).map(|e| e.system.clone()).collect();
        let mut left: Vec<Part> = known
            .progress
            .complete()
            .filter(|part| self.gates_missing(known, &part.what, passed, now) == 0)
            .cloned()
            .collect();
        let mut ready = Vec::new();
        // Every turn takes what needs nothing more; what needs each other stays.
        loop {
            let needs = |part: &Part| match &part.what {
                Wish::System { system, remove: false, .. } => {
                    rules.systems.get(system).map(|rule| rule.needs.clone()).unwrap_or_default()
                }
                Wish::System { .. } | Wish::Whole => Vec::new(),
            };
            let (now_ready, later): (Vec<Part>, Vec<Part>) = left
                .into_iter()
                .partition(|part| needs(part).iter().all(|one| there.contains(one)));
            left = later;
            if now_ready.is_empty() {
                return Ok(ready);
            }
            for part in &now_ready {
                if let Wish::System { system, remove: false, .. } = &part.what {
                    there.insert(system.clone());
                }
            }
            ready.extend(now_ready);
        }
    }

    /// How many gates are shut before a part (A4).
    fn gates_missing(
        &self,
        known: &FormKnown,
        what: &Wish,
        passed: &[GatePassed],
        now: Timestamp,
    ) -> usize {
        let (form, rules) = (&known.filed.form, &self.config.policy.access);
        let kinds = kinds(form, known.person.as_ref(), &self.config.policy);
        let wanted = match what {
            Wish::System { remove: true, .. } => BTreeSet::new(),
            Wish::System { system, .. } => needed(form, system, &kinds, rules),
            Wish::Whole => needed_anyhow(form, &kinds, rules),
        };
        missing(&wanted, passed, &rules.gates, self.today(now)).len()
    }

    /// Everybody said yes and nothing is missing: what it asks for is given, or done at once.
    async fn approve_form(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        ready: &[Part],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        for part in ready {
            self.give(tx, known, part, now).await?;
        }
        let approved = FiledForm { state: FormState::Approved, ..known.filed.clone() };
        let denied = known.progress.denials();
        self.note_form(
            tx,
            known,
            ("form.settled", Rule::A2),
            json!({
                "form": approved.number, "asks": approved.form.asks, "parts": ready.len(),
                "denied": denied.len(),
            }),
            now,
        );
        match approved.form.asks {
            Asks::Leave | Asks::Return | Asks::Suspend | Asks::Lift => {
                self.stopped_by_form(tx, &approved, now).await?;
                Ok(())
            }
            Asks::Agreement => {
                if let Some(passed) = gate::opened_by(&approved, &self.config.policy.access, now) {
                    self.save_gate(tx, &passed, &approved.filed_by, now).await?;
                }
                self.in_place(tx, approved).await
            }
            Asks::Recertify => {
                self.recertify(tx, known, now).await?;
                self.in_place(tx, approved).await
            }
            Asks::New | Asks::NameChange | Asks::LocationChange => {
                tx.save_access_forms(&[(approved.clone(), None)]).await?;
                self.take_facts(tx, &approved, now).await
            }
            Asks::Change | Asks::ResetPassword | Asks::Revoke => {
                Ok(tx.save_access_forms(&[(approved, None)]).await?)
            }
        }
    }

    async fn in_place(&self, tx: &Tx, form: FiledForm) -> Result<(), CycleError> {
        let form = FiledForm { state: FormState::InPlace, ..form };
        Ok(tx.save_access_forms(&[(form, None)]).await?)
    }

    /// Gives one part, once, or begins to take it away.
    async fn give(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        part: &Part,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Wish::System { system, role, remove, ends_on } = &part.what else { return Ok(()) };
        if *remove {
            return self.take(tx, known, (system, role.as_ref()), now).await;
        }
        let filed = &known.filed;
        let id = Entitlement::id_of(filed.form.id, system, role.as_ref());
        let held = tx.read().entitlements_of(&[filed.person]).await?;
        if held.iter().any(|one| one.id == id) {
            return Ok(());
        }
        let given = Entitlement {
            id,
            person: filed.person,
            system: system.clone(),
            role: role.clone(),
            form: filed.number,
            state: EntitlementState::Approved,
            starts_on: filed.form.starts_on,
            ends_on: *ends_on,
            approved_at: now,
            ended_at: None,
            ended_by: None,
            ended_because: None,
            recertified_on: None,
        };
        tx.save_entitlements(&[given]).await?;
        let detail = json!({ "form": filed.number, "system": system, "role": role });
        self.note_form(tx, known, ("access.approved", Rule::A2), detail, now);
        Ok(())
    }

    /// What the person holds of a system, in one role where one is named, begins to end.
    async fn take(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        (system, role): (&SystemName, Option<&SystemRole>),
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let filed = &known.filed;
        let mut held = tx.read().entitlements_of(&[filed.person]).await?;
        held.retain(|one| {
            one.state.counts()
                && one.form != filed.number
                && one.system == *system
                && role.is_none_or(|role| one.role.as_ref() == Some(role))
        });
        if held.is_empty() {
            return Ok(());
        }
        for one in &mut held {
            one.state = EntitlementState::Ending;
            one.ended_at = Some(now);
            one.ended_by = Some(filed.number);
            one.ended_because = Some(format!("taken away by form {}", filed.number));
        }
        tx.save_entitlements(&held).await?;
        let detail = json!({ "form": filed.number, "system": system, "role": role });
        self.note_form(tx, known, ("access.ending", Rule::A1), detail, now);
        Ok(())
    }

    /// What was looked at stays, or goes (S6).
    async fn recertify(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let today = self.today(now);
        for wish in known.filed.form.systems.clone() {
            let which = (&wish.system, wish.role.as_ref());
            if wish.remove {
                self.take(tx, known, which, now).await?;
                continue;
            }
            let mut held = tx.read().entitlements_of(&[known.filed.person]).await?;
            held.retain(|one| {
                one.state.counts()
                    && one.system == wish.system
                    && wish.role.as_ref().is_none_or(|role| one.role.as_ref() == Some(role))
            });
            for one in &mut held {
                one.recertified_on = Some(today);
            }
            tx.save_entitlements(&held).await?;
        }
        let detail =
            json!({ "form": known.filed.number, "systems": known.filed.form.systems.len() });
        self.note_form(tx, known, ("access.recertified", Rule::S6), detail, now);
        Ok(())
    }

    async fn deny_form(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        self.tell_denials(tx, known, now).await?;
        let over = FiledForm {
            state: FormState::Denied,
            ended_because: Some(why.to_owned()),
            ..known.filed.clone()
        };
        tx.save_access_forms(&[(over, None)]).await?;
        let detail = json!({ "form": known.filed.number, "why": why });
        self.note_form(tx, known, ("form.ended_denied", Rule::A3), detail, now);
        Ok(())
    }

    async fn end_form(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let over = FiledForm {
            state: FormState::Ended,
            ended_because: Some(why.to_owned()),
            ..known.filed.clone()
        };
        tx.save_access_forms(&[(over, None)]).await?;
        self.tell_form_ended(tx, known, why, now).await?;
        let detail = json!({ "form": known.filed.number, "why": why });
        self.note_form(tx, known, ("form.ended", Rule::A2), detail, now);
        Ok(())
    }

    /// A departure ends what was asked for and is still under way, in the transaction that opens its case.
    pub(crate) async fn end_forms_of_leaver(
        &self,
        tx: &mut Tx,
        person: PersonId,
        on: Date,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let filter = FormFilter {
            people: vec![person],
            states: vec![FormState::Waiting, FormState::Approved],
            ..FormFilter::default()
        };
        for filed in tx.read().access_forms(&filter).await? {
            if !ends_with(&filed) {
                continue;
            }
            let known = self.form_known(&tx.read(), filed).await?;
            self.end_form(tx, &known, &format!("departed on {on}"), now).await?;
        }
        Ok(())
    }

    /// Those whose turn it is are told, and the form is looked at again tomorrow.
    async fn wait(
        &self,
        tx: &mut Tx,
        mut known: FormKnown,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        self.tell_wanted(tx, &mut known, now).await?;
        let tomorrow = self.today(now).tomorrow().ok();
        let tomorrow = tomorrow.and_then(|day| day.to_zoned(self.config.time_zone.clone()).ok());
        let look_at = tomorrow.map_or(Timestamp::MAX, |day| day.timestamp());
        Ok(tx.save_access_forms(&[(known.filed, Some(look_at))]).await?)
    }

    pub(crate) fn note_form(
        &self,
        tx: &mut Tx,
        known: &FormKnown,
        (event, rule): (&str, Rule),
        detail: Value,
        now: Timestamp,
    ) {
        tx.audit(AuditEntry {
            person: Some(known.filed.person),
            case: Some(known.filed.case()),
            user_id: known.person.as_ref().and_then(|person| UserId::new(person.shown()).ok()),
            clause: Some(self.config.policy.citations.cite(rule)),
            detail,
            ..AuditEntry::new(now, DAEMON, event)
        });
    }
}

/// What ends with its person's departure: all but what stops access, and what is only put on record.
fn ends_with(filed: &FiledForm) -> bool {
    !matches!(filed.form.asks, Asks::Suspend | Asks::Revoke | Asks::Agreement)
}

#[cfg(test)]
mod tests;
