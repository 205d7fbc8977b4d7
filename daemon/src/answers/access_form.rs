//! `lapsed form N`: what a form asks for, who said what, what is missing, and what was done.

use super::approvals::Asking;
use super::people::{in_order, step_view, word};
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::cycle::access::authority::FormKnown;
use crate::service::Daemon;
use crate::store::{CaseFilter, Reader, StepFilter};
use crate::views::{AccessFormView, ChainStepView, FieldView, PartView, ScanView};
use lapsed_core::access::chain::{PartStands, Stands, Wish};
use lapsed_core::access::decision::{Decision, Said};
use lapsed_core::access::form::{AccessForm, Asks, FiledForm, FormState, SignedBy};
use lapsed_core::access::gate::{GatePassed, missing, needed, needed_anyhow};
use lapsed_core::access::person::kinds;
use lapsed_core::facts::{ApproverRole, CaseKind, PersonKind};
use lapsed_core::mask::mask;
use std::collections::BTreeSet;

pub(super) async fn show(
    daemon: &Daemon,
    caller: &Caller,
    number: u64,
) -> Result<AccessFormView, ConsoleError> {
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let Some(filed) = read.access_form(number).await? else {
        let advice = "lapsed form list shows them";
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("no form has the number {number}"),
            advice,
        ));
    };
    let all = All::of(&cycle, &read, filed, cycle.today(daemon.now())).await?;
    if !Asking::of(daemon, caller).await?.may_see(&all.known) {
        let error = format!("form {number} is not {}'s to see", caller.name);
        let advice = "who files it, decides on it, or asked for it sees it, and viewers do";
        return Err(ConsoleError::new(ErrorKind::Refused, error, advice));
    }
    let filed = &all.known.filed;
    let filter = StepFilter { cases: vec![filed.case()], ..StepFilter::default() };
    let steps = read.steps(&filter).await?;
    let form = &filed.form;
    let rule = cycle.config.policy.access.forms.get(&form.form);
    let title = rule.map(|rule| rule.title.clone()).filter(|title| !title.is_empty());
    Ok(AccessFormView {
        number,
        form: form.form.to_string(),
        title: title.unwrap_or_else(|| form.form.to_string()),
        id: form.id.to_string(),
        revision: form.revision,
        hash: all.known.binding.clone(),
        asks: form.asks.name().to_owned(),
        person: filed.about(all.known.person.as_ref()),
        state: word(&filed.state),
        ended_because: filed.ended_because.clone(),
        filed_by: filed.filed_by.to_string(),
        filed_at: cycle.stamp(filed.filed_at),
        says: says(form),
        signatures: signatures(form),
        scans: form
            .attachments
            .iter()
            .map(|scan| ScanView {
                what: scan.what.clone(),
                file: scan.file.clone(),
                sha256: scan.sha256.to_ascii_lowercase(),
            })
            .collect(),
        parts: all.known.progress.parts.iter().map(|part| all.part(&cycle, part)).collect(),
        decisions: all.decisions.iter().map(|said| decision(&cycle, &all.known, said)).collect(),
        missing: all.missing(&cycle),
        steps: in_order(&steps).into_iter().map(|step| step_view(&cycle, step)).collect(),
        old_groups: old_groups(&read, filed).await?,
    })
}

/// Everything that decides on a form.
pub(super) struct All {
    pub(super) known: FormKnown,
    kinds: Vec<PersonKind>,
    passed: Vec<GatePassed>,
    decisions: Vec<Decision>,
    today: jiff::civil::Date,
}

impl All {
    pub(super) async fn of(
        cycle: &Cycle,
        read: &Reader<'_>,
        filed: FiledForm,
        today: jiff::civil::Date,
    ) -> Result<Self, ConsoleError> {
        let decisions = read.decisions_on(&[filed.number]).await?;
        let passed = read.gates_of(&[filed.person]).await?;
        let known = cycle.form_known(read, filed).await?;
        let kinds = kinds(&known.filed.form, known.person.as_ref(), &cycle.config.policy);
        Ok(Self { known, kinds, passed, decisions, today })
    }

    fn gates(&self, cycle: &Cycle, what: &Wish) -> Vec<String> {
        let filed = &self.known.filed;
        let rules = &cycle.config.policy.access;
        let wanted = match what {
            Wish::System { remove: true, .. } => BTreeSet::new(),
            Wish::System { system, .. } => needed(&filed.form, system, &self.kinds, rules),
            Wish::Whole => needed_anyhow(&filed.form, &self.kinds, rules),
        };
        let missing = missing(&wanted, &self.passed, &rules.gates, self.today);
        missing.iter().map(|gate| gate.describe()).collect()
    }

    fn part(&self, cycle: &Cycle, part: &PartStands) -> PartView {
        let filed = &self.known.filed;
        let state = match &part.stands {
            Stands::Waiting(_) => "waits for approval",
            Stands::Complete => "approved",
            Stands::Denied(_) => "denied",
        };
        let waits = !filed.state.has_ended();
        PartView {
            what: part.part.what.describe(filed.form.asks),
            state: state.to_owned(),
            chain: part.part.chain.iter().map(|role| self.step(cycle, part, role)).collect(),
            missing: if waits { self.gates(cycle, &part.part.what) } else { Vec::new() },
        }
    }

    fn step(&self, cycle: &Cycle, part: &PartStands, role: &ApproverRole) -> ChainStepView {
        let said = |role: &ApproverRole| {
            let counted =
                self.known.progress.counted.iter().rev().find(|said| said.role == *role)?;
            Some(by_whom(cycle, counted))
        };
        let given = part.given.iter().any(|(given, _)| given == role);
        let (state, said) = match &part.stands {
            _ if given => ("approved", said(role).unwrap_or_default()),
            Stands::Denied(denial) if denial.role == *role => {
                ("denied", format!("by {}: {}", denial.by, mask(&denial.reason)))
            }
            Stands::Waiting(next) if next == role => ("next", String::new()),
            Stands::Denied(_) => ("not asked", String::new()),
            Stands::Waiting(_) | Stands::Complete => ("later", String::new()),
        };
        ChainStepView {
            role: role.to_string(),
            title: title(cycle, role),
            state: state.to_owned(),
            said,
        }
    }

    /// Each approval and each gate that is missing, once.
    pub(super) fn missing(&self, cycle: &Cycle) -> Vec<String> {
        if self.known.filed.state != FormState::Waiting {
            return Vec::new();
        }
        let mut all = Vec::new();
        let mut add = |text: String| {
            if !all.contains(&text) {
                all.push(text);
            }
        };
        for part in &self.known.progress.parts {
            if let Stands::Waiting(role) = &part.stands {
                add(format!("approval: {}", title(cycle, role)));
            }
        }
        for part in &self.known.progress.parts {
            if !matches!(part.stands, Stands::Denied(_)) {
                self.gates(cycle, &part.part.what).into_iter().for_each(&mut add);
            }
        }
        all
    }
}

fn title(cycle: &Cycle, role: &ApproverRole) -> String {
    let rule = cycle.config.policy.access.approvers.get(role);
    let title = rule.map(|rule| rule.title.clone()).filter(|title| !title.is_empty());
    title.unwrap_or_else(|| role.to_string())
}

fn by_whom(cycle: &Cycle, said: &Decision) -> String {
    let place = said.in_place_of.as_ref().map(|away| format!(" in place of {away}"));
    format!("by {}{}, {}", said.by, place.unwrap_or_default(), cycle.shown_time(said.at))
}

fn decision(cycle: &Cycle, known: &FormKnown, said: &Decision) -> String {
    let word = match &said.said {
        Said::Approved => "approved".to_owned(),
        Said::Denied { reason } => format!("denied: {}", mask(reason)),
    };
    let old = if said.hash == known.binding {
        ""
    } else {
        " (to an earlier revision, or by earlier rules; counts no more)"
    };
    format!("{} {}: {word}{old}", title(cycle, &said.role), by_whom(cycle, said))
}

fn says(form: &AccessForm) -> Vec<FieldView> {
    let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string());
    let yes = |yes: bool| yes.then(|| "yes".to_owned());
    let name = |name: &Option<lapsed_core::access::form::FormPersonName>| {
        name.clone().map(|name| lapsed_core::facts::PersonName::from(name).display())
    };
    let some = (!form.exceptions.is_empty()).then(|| form.exceptions.join(", "));
    // Which systems, where they are no parts of their own.
    let named = !matches!(form.asks, Asks::New | Asks::Change) && !form.systems.is_empty();
    let systems = named.then(|| {
        let systems = form.systems.iter().map(|wish| {
            let remove = if wish.remove { " (to be taken away)" } else { "" };
            format!("{}{remove}", wish.system)
        });
        systems.collect::<Vec<_>>().join(", ")
    });
    let fields = [
        ("kind", form.person.kind.as_ref().map(ToString::to_string)),
        ("location", form.person.location.as_ref().map(ToString::to_string)),
        ("supervisor", form.person.supervisor.as_ref().map(ToString::to_string)),
        ("systems", systems),
        ("starts_on", day(form.starts_on)),
        ("ends_on", day(form.ends_on)),
        ("for_cause", yes(form.for_cause)),
        ("new_name", name(&form.new_name)),
        ("old_user_id", form.old_user_id.as_ref().map(ToString::to_string)),
        ("new_location", form.new_location.as_ref().map(ToString::to_string)),
        ("keeps_duties", yes(form.keeps_duties)),
        ("gate", form.gate.as_ref().map(ToString::to_string)),
        ("signed_on", day(form.signed_on)),
        ("position", form.position.clone()),
        ("reason", form.reason.clone()),
        ("least_phi", form.least_phi.clone()),
        ("exceptions", some),
        ("requested_by", form.requested_by.as_ref().map(ToString::to_string)),
        ("valid_until", day(form.valid_until)),
    ];
    let said = fields.into_iter().filter_map(|(field, value)| Some((field.to_owned(), value?)));
    said.map(|(field, value)| FieldView { field, value }).collect()
}

fn signatures(form: &AccessForm) -> Vec<String> {
    let by = |by: SignedBy| match by {
        SignedBy::Hand => "by hand",
        SignedBy::Electronic => "electronically",
    };
    let line = |s: &lapsed_core::access::form::Signature| {
        format!("{} as {}, {}, {}", s.name, s.role, s.on, by(s.by))
    };
    form.signatures.iter().map(line).collect()
}

/// Groups of the last departure's accounts, as they were before it.
async fn old_groups(read: &Reader<'_>, filed: &FiledForm) -> Result<Vec<String>, ConsoleError> {
    if filed.form.asks != Asks::New {
        return Ok(Vec::new());
    }
    let filter = CaseFilter { people: Some(vec![filed.person]), ..CaseFilter::default() };
    let mut cases = read.cases(&filter).await?;
    cases.retain(|case| case.kind == CaseKind::Departure && !case.before.is_empty());
    cases.sort_by_key(|case| case.effective_at);
    let groups = cases
        .last()
        .into_iter()
        .flat_map(|case| &case.before)
        .flat_map(|(_, account)| account.groups.iter().map(|group| group.name.to_string()));
    let groups: BTreeSet<String> = groups.collect();
    Ok(groups.into_iter().collect())
}
