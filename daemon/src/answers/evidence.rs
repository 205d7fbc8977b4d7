//! `lapsed evidence`: everything about one person's access, bound to the audit's chain.

use super::late::done_at;
use super::people::{in_order, step_view, word};
use super::{people, the_person};
use crate::control::console::ConsoleError;
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::evidence::{FORMAT, MADE, canonical};
use crate::service::Daemon;
use crate::store::{
    AuditEntry, CaseFilter, FormFilter, Link, Proof, RowsAbout, StepFilter, StoredPlan, StoredStep,
};
use crate::views::{AuditProofView, EvidenceView, LinkView, SegmentView};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseKind, Person};
use lapsed_core::mask::mask;
use lapsed_core::observed::ObservedAccount;
use lapsed_core::plan::PlanHash;
use lapsed_core::step::StepId;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

pub(super) async fn evidence(
    daemon: &Daemon,
    caller: &Caller,
    who: &str,
) -> Result<EvidenceView, ConsoleError> {
    let person = the_person(daemon, who).await?;
    let (record, mut about) = record(daemon, caller, &person).await?;
    let digest = lapsed_core::plan::hex(&Sha256::digest(canonical(&record).as_bytes()));
    let cycle = daemon.cycle();
    let mut tx = daemon.store.begin().await?;
    tx.audit(AuditEntry {
        person: Some(person.id),
        user_id: person.user_ids().into_iter().next(),
        clause: Some(cycle.config.policy.citations.cite(Rule::P3)),
        detail: json!({ "sha256": digest }),
        ..AuditEntry::new(daemon.now(), caller.name.as_str(), MADE)
    });
    tx.commit().await?;
    about.person = Some(person.id);
    let proof = daemon.store.read().audit_proof(&about, daemon.checkpoints()).await?;
    Ok(EvidenceView { format: FORMAT.to_owned(), record, audit: proof_view(proof) })
}

/// What happened, and whose audit rows say so.
async fn record(
    daemon: &Daemon,
    caller: &Caller,
    person: &Person,
) -> Result<(Value, RowsAbout), ConsoleError> {
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let mut whole = serde_json::to_value(people::person(daemon, &person.id.to_string()).await?)
        .unwrap_or_default();
    if let Some(map) = whole.as_object_mut() {
        // Said below, with more.
        map.remove("cases");
    }
    let mut cases: Vec<Case> = Vec::new();
    for kind in [
        CaseKind::Departure,
        CaseKind::Restoration,
        CaseKind::Suspension,
        CaseKind::Form,
        CaseKind::Password,
    ] {
        let filter = CaseFilter { kind, people: Some(vec![person.id]), ..CaseFilter::default() };
        cases.extend(read.cases(&filter).await?);
    }
    let filter = StepFilter { people: Some(vec![person.id]), ..StepFilter::default() };
    let steps = read.steps(&filter).await?;
    let ids: Vec<StepId> = steps.iter().map(|s| s.step.id).collect();
    let verified = read.verified(&ids).await?;
    let mut shown = Vec::new();
    for case in &cases {
        let own: Vec<StoredStep> =
            steps.iter().filter(|s| s.step.case == case.id).cloned().collect();
        shown.push(case_value(&cycle, case, &own, &verified));
    }
    let hashes: BTreeSet<PlanHash> = steps.iter().map(|s| s.plan.clone()).collect();
    let plans: Vec<StoredPlan> = read
        .plans(&[])
        .await?
        .into_iter()
        .filter(|stored| {
            hashes.contains(&stored.plan.hash)
                || stored.plan.steps.iter().any(|step| step.person == person.id)
        })
        .collect();
    let filter = FormFilter { people: vec![person.id], ..FormFilter::default() };
    let mut forms = Vec::new();
    for form in read.access_forms(&filter).await? {
        let said = read.decisions_on(&[form.number]).await?;
        forms.push(json!({
            "number": form.number, "asks": form.form.asks.name(), "state": word(&form.state),
            "filed_by": form.filed_by, "filed_at": cycle.stamp(form.filed_at), "hash": form.hash,
            "decisions": said.iter().map(|d| json!({
                "by": d.by, "role": d.role, "in_place_of": d.in_place_of, "said": d.said,
                "at": cycle.stamp(d.at), "hash": d.hash,
            })).collect::<Vec<_>>(),
        }));
    }
    let answers: Vec<Value> = read
        .documents_of_steps(&ids)
        .await?
        .into_iter()
        .map(|filed| {
            json!({
                "step": filed.step, "file": filed.file_name, "sha256": filed.sha256,
                "answer": filed.answer, "reason": filed.reason, "filed_by": filed.filed_by,
                "filed_at": cycle.stamp(filed.filed_at),
            })
        })
        .collect();
    let about = RowsAbout {
        person: Some(person.id),
        cases: cases.iter().map(|case| case.id).collect(),
        plans: plans.iter().map(|stored| stored.plan.hash.clone()).collect(),
    };
    let record = json!({
        "made": {
            "at": cycle.stamp(daemon.now()), "by": caller.name, "version": env!("CARGO_PKG_VERSION"),
        },
        "person": whole,
        "cases": shown,
        "plans": plans.iter().map(|stored| plan_value(&cycle, stored, person)).collect::<Vec<_>>(),
        "forms": forms,
        "answers": answers,
    });
    Ok((without_protected_numbers(record), about))
}

fn case_value(
    cycle: &Cycle,
    case: &Case,
    steps: &[StoredStep],
    verified: &BTreeMap<StepId, Vec<jiff::Timestamp>>,
) -> Value {
    let steps: Vec<Value> = in_order(steps)
        .into_iter()
        .map(|stored| {
            let view = step_view(cycle, stored);
            let at = done_at(stored, case.effective_at, verified).map(|at| cycle.stamp(at));
            let begun = stored.first_started_at.map(|at| cycle.stamp(at));
            json!({
                "id": view.id, "connector": view.connector, "what": view.what,
                "object": stored.step.action.account().id, "clause": view.clause, "due": view.due,
                "state": view.state, "note": view.note, "plan": stored.plan,
                "attempts": stored.attempts, "begun": begun, "read_back": at,
                "before": stored.state.receipt().map(|receipt| &receipt.before),
                "server": stored.state.receipt().and_then(|receipt| receipt.server.clone()),
            })
        })
        .collect();
    json!({
        "id": case.id, "kind": word(&case.kind), "state": word(&case.state),
        "effective_at": cycle.stamp(case.effective_at), "opened_at": cycle.stamp(case.opened_at),
        "disabled_on": case.disabled_on, "for_cause": case.for_cause, "reason": case.reason,
        "before": case.before.iter().map(|(name, account)| json!({
            "connector": name, "account": account_value(account),
        })).collect::<Vec<_>>(),
        "steps": steps,
    })
}

/// An account as it was, without its owner's name (P2).
fn account_value(account: &ObservedAccount) -> Value {
    json!({
        "id": account.id, "user_id": account.user_id, "enabled": account.enabled,
        "employee_number": account.employee_number, "description": account.description,
        "home": account.home, "roles": account.details.roles,
        "groups": account.groups.iter().map(|group| &group.name).collect::<Vec<_>>(),
    })
}

/// A plan, as far as it is about this person.
fn plan_value(cycle: &Cycle, stored: &StoredPlan, person: &Person) -> Value {
    let own = stored.plan.steps.iter().filter(|step| step.person == person.id).count();
    json!({
        "hash": stored.plan.hash, "state": word(&stored.state),
        "made_at": cycle.stamp(stored.created_at), "policy": stored.plan.policy_version,
        "steps": stored.plan.steps.len(), "steps_of_this_person": own,
        "findings": stored.findings.iter()
            .filter(|_| stored.plan.only_case().is_some())
            .map(|finding| finding.describe()).collect::<Vec<_>>(),
        "decided_by": stored.decided_by, "decided_at": stored.decided_at.map(|at| cycle.stamp(at)),
        "spoke_for_it": stored.released_by, "reason": stored.reason,
    })
}

/// The same with protected numbers hidden in every text that came from outside (P1). Ids and digests are made
/// here, and stay whole.
fn without_protected_numbers(value: Value) -> Value {
    const OWN: [&str; 8] = ["id", "hash", "plan", "sha256", "step", "object", "policy", "server"];
    match value {
        Value::String(text) => Value::String(mask(&text)),
        Value::Array(all) => all.into_iter().map(without_protected_numbers).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| match OWN.contains(&key.as_str()) && value.is_string() {
                true => (key, value),
                false => (key, without_protected_numbers(value)),
            })
            .collect(),
        other => other,
    }
}

fn proof_view(proof: Proof) -> AuditProofView {
    let row = |link: Link| match link {
        Link::Row { fields, former } => LinkView::Row { fields: fields.to_vec(), former },
        Link::Other { seq, digest } => LinkView::Other { seq, digest },
    };
    AuditProofView {
        public_key: proof.public_key,
        segments: proof
            .segments
            .into_iter()
            .map(|segment| SegmentView {
                prev: segment.prev,
                rows: segment.rows.into_iter().map(row).collect(),
                checkpoint: segment.checkpoint,
            })
            .collect(),
    }
}
