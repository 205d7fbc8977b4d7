//! What was signed or done before access is given: agreements, training, statements (A4).

use super::form::{AccessForm, Asks, FiledForm};
use crate::facts::{GateName, PersonId, PersonKind, SystemName};
use crate::policy::access::{AccessPolicy, GateRule};
use jiff::{Span, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// That one person passed one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePassed {
    /// Its id.
    pub id: Uuid,
    /// Who.
    pub person: PersonId,
    /// Which gate.
    pub gate: GateName,
    /// When it was signed or done.
    pub on: Date,
    /// Where it comes from, for people: a form's number, a feed, an operator.
    pub source: String,
    /// SHA-256 of the scan that shows it, where there is one.
    pub document: Option<String>,
    /// When it was entered.
    pub at: Timestamp,
    /// When it was taken back, if it was.
    pub withdrawn_at: Option<Timestamp>,
}

impl GatePassed {
    /// The id of one pass: the same gate on the same day from the same source is the same pass.
    #[must_use]
    pub fn id_of(person: PersonId, gate: &GateName, on: Date, source: &str) -> Uuid {
        Uuid::new_v5(
            &person.0,
            format!("gate\u{1f}{}\u{1f}{on}\u{1f}{source}", gate.folded()).as_bytes(),
        )
    }
}

/// A gate that a person has still to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingGate {
    /// Which.
    pub gate: GateName,
    /// Its title, for people.
    pub title: String,
    /// Who has to see to it; empty where the YAML names nobody.
    pub from: String,
    /// It was passed, and that day was the last on which it counted.
    pub expired_on: Option<Date>,
}

impl MissingGate {
    /// What is missing and who has to act, as one line for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let expired = self.expired_on.map(|day| format!(", which expired on {day}"));
        let from = if self.from.is_empty() { "the person" } else { self.from.as_str() };
        format!("{}{} ({from})", self.title, expired.unwrap_or_default())
    }
}

/// A passed gate that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiringGate {
    /// Whose.
    pub person: PersonId,
    /// Which.
    pub gate: GateName,
    /// Its title, for people.
    pub title: String,
    /// The last day on which it counts.
    pub last_day: Date,
}

fn applies(rule: Option<&GateRule>, kinds: &[PersonKind]) -> bool {
    rule.is_none_or(|rule| {
        rule.kinds.is_empty() || rule.kinds.iter().any(|kind| same_kind(kinds, kind))
    })
}

/// True where one of the person's kinds is the kind named; case does not count.
#[must_use]
pub fn same_kind(kinds: &[PersonKind], named: &PersonKind) -> bool {
    kinds.iter().any(|kind| kind.folded() == named.folded())
}

/// The gates before one system of a form, for a person of these kinds (A4, A5).
#[must_use]
pub fn needed(
    form: &AccessForm,
    system: &SystemName,
    kinds: &[PersonKind],
    policy: &AccessPolicy,
) -> BTreeSet<GateName> {
    let mut all = needed_anyhow(form, kinds, policy);
    let Some(rule) = policy.systems.get(system) else { return all };
    all.extend(rule.gates.iter().cloned());
    if rule.phi {
        all.extend(policy.with_phi.iter().cloned());
    }
    if rule.personal_device {
        all.extend(policy.personal_device.gate.iter().cloned());
    }
    if rule.only_by_exception.iter().any(|kind| same_kind(kinds, kind))
        && let Some(paper) = policy.forms.get(&form.form)
    {
        let claimed = form.exceptions.iter().filter_map(|name| paper.exceptions.get(name));
        all.extend(claimed.flat_map(|exception| exception.gates.iter().cloned()));
    }
    all.retain(|gate| applies(policy.gates.get(gate), kinds));
    all
}

/// The gates before whatever a form asks for, before those of its systems.
#[must_use]
pub fn needed_anyhow(
    form: &AccessForm,
    kinds: &[PersonKind],
    policy: &AccessPolicy,
) -> BTreeSet<GateName> {
    let mut all = BTreeSet::new();
    if form.asks.gives() {
        all.extend(policy.always.iter().cloned());
    }
    if let Some(rule) = policy.forms.get(&form.form) {
        all.extend(rule.gates.iter().cloned());
    }
    all.retain(|gate| applies(policy.gates.get(gate), kinds));
    all
}

/// Those of the needed gates that the person has not passed, or whose passing has expired by today.
#[must_use]
pub fn missing(
    needed: &BTreeSet<GateName>,
    passed: &[GatePassed],
    gates: &BTreeMap<GateName, GateRule>,
    today: Date,
) -> Vec<MissingGate> {
    let state = |gate: &GateName| {
        let rule = gates.get(gate);
        let latest = latest(gate, passed, today)?.on;
        Some(last_day(rule, latest))
    };
    let missing = |gate: &GateName| {
        let expired_on = match state(gate) {
            Some(None) => return None,
            Some(Some(last)) if last >= today => return None,
            Some(Some(last)) => Some(last),
            None => None,
        };
        let rule = gates.get(gate);
        Some(MissingGate {
            gate: gate.clone(),
            title: title_of(gate, rule),
            from: rule.map(|rule| rule.from.clone()).unwrap_or_default(),
            expired_on,
        })
    };
    needed.iter().filter_map(missing).collect()
}

/// Passed gates of which people are told today, or were to be told, that they end soon: those whose last
/// day lies within `tell_days_before` of their rule.
#[must_use]
pub fn expiring(
    passed: &[GatePassed],
    gates: &BTreeMap<GateName, GateRule>,
    today: Date,
) -> Vec<ExpiringGate> {
    let mut found: BTreeMap<(PersonId, &GateName), Date> = BTreeMap::new();
    for pass in passed.iter().filter(|pass| counts(pass, today)) {
        let latest = found.entry((pass.person, &pass.gate)).or_insert(pass.on);
        *latest = pass.on.max(*latest);
    }
    let soon = |((person, gate), on): ((PersonId, &GateName), Date)| {
        let rule = gates.get(gate).filter(|rule| rule.tell_days_before > 0)?;
        let last_day = last_day(Some(rule), on)?;
        let ahead = today.checked_add(Span::new().days(rule.tell_days_before)).ok()?;
        (today <= last_day && last_day <= ahead).then(|| ExpiringGate {
            person,
            gate: gate.clone(),
            title: title_of(gate, Some(rule)),
            last_day,
        })
    };
    found.into_iter().filter_map(soon).collect()
}

/// The gate's title, or its name where the YAML gives none.
#[must_use]
pub fn title_of(gate: &GateName, rule: Option<&GateRule>) -> String {
    let title = rule.map(|rule| rule.title.clone()).filter(|title| !title.is_empty());
    title.unwrap_or_else(|| gate.to_string())
}

/// What a form `agreement` puts on record; `None` for any other, or where no gate is named.
#[must_use]
pub fn opened_by(filed: &FiledForm, policy: &AccessPolicy, now: Timestamp) -> Option<GatePassed> {
    let form = &filed.form;
    if form.asks != Asks::Agreement {
        return None;
    }
    let by_rule = || policy.forms.get(&form.form)?.opens.clone();
    let gate = form.gate.clone().or_else(by_rule)?;
    let on = form.signed_on?;
    let source = format!("form {}", filed.number);
    Some(GatePassed {
        id: GatePassed::id_of(filed.person, &gate, on, &source),
        person: filed.person,
        gate,
        on,
        source,
        document: form.attachments.first().map(|scan| scan.sha256.to_ascii_lowercase()),
        at: now,
        withdrawn_at: None,
    })
}

fn counts(pass: &GatePassed, today: Date) -> bool {
    // What is signed for a day to come opens nothing yet.
    pass.withdrawn_at.is_none() && pass.on <= today
}

fn latest<'a>(gate: &GateName, passed: &'a [GatePassed], today: Date) -> Option<&'a GatePassed> {
    let same = passed.iter().filter(|pass| pass.gate.folded() == gate.folded());
    same.filter(|pass| counts(pass, today)).max_by_key(|pass| pass.on)
}

/// The last day on which a gate counts that was passed on a day; `None`: it never ends.
#[must_use]
pub fn last_day(rule: Option<&GateRule>, on: Date) -> Option<Date> {
    let days = rule?.valid_days?;
    Some(on.checked_add(Span::new().days(days)).unwrap_or(Date::MAX))
}

#[cfg(test)]
mod tests;
