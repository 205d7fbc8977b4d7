//! Takes people out of groups that somebody put them into behind our back (S4), where the configuration wants
//! it: off by default.
//!
//! **Flow.** lapsed files a form of its own, a `change` that takes away what no form gave; it is carried out
//! as any other. So no more is taken than what nothing else gives, nothing of a protected account, and it is
//! shown, told and on record as any form.
//!
//! **Guarantees.** The same finding has one form at a time. Whoever is put back after it was carried out gets
//! another, a few times; then a person is told that it comes back. More people than the guard's limit for
//! suspensions lets through are left as they are, all of them, and that is told ([`held`]): a directory that was
//! restored, or a rule that was written anew, takes nobody's groups.

pub(crate) mod held;

use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::store::{AuditEntry, SetAside, Tx};
use held::{Mend, MendedLately};
use jiff::Timestamp;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::finding::{AccessFinding, FindingKind};
use lapsed_core::access::form::{AccessForm, FiledForm, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Actor, SourceName};
use lapsed_core::reconcile::auditing::Audited;
use serde_json::json;
use uuid::Uuid;

/// The name under which such forms are filed.
const FORM: &str = "nightly_audit";
const WHY: &str = "a group that was added elsewhere, and no form gave it";
/// So many forms take one finding away; whoever adds the group after that goes on doing so.
const FORMS_A_FINDING: usize = 3;

/// The id of a form that takes one finding away, by how many there were before it. A finding that was seen
/// gone and is back is found anew, and has forms of its own.
fn form_id(finding: &AccessFinding, before: usize) -> Uuid {
    let found = finding.found_at.to_string();
    let name = if before == 0 { found } else { format!("{found} {before}") };
    Uuid::new_v5(&finding.id, name.as_bytes())
}

impl Cycle {
    /// Files what takes away the access of open findings, unless it is too much at once.
    pub(super) async fn take_out_of_groups(
        &self,
        tx: &mut Tx,
        findings: &[AccessFinding],
        audited: &Audited,
        lately: &MendedLately,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let mut mends = Vec::new();
        let added = audited.added_elsewhere.iter().filter(|_| self.takes_out_of_groups());
        for added in added {
            let open = |f: &&AccessFinding| f.id == added.finding && f.settled_at.is_none();
            let Some(finding) = findings.iter().find(open) else { continue };
            if let Some(form) = self.next_form(tx, finding, now).await? {
                mends.push(Mend {
                    form,
                    finding: added.finding,
                    person: added.person,
                    system: added.system.clone(),
                    role: added.role.clone(),
                });
            }
        }
        if let Some(limit) = self.too_many_to_mend(&mends, lately, now) {
            return self.hold_mends(tx, mends, limit, now).await;
        }
        self.drop_held_mends(tx, &mends, now).await?;
        for mend in &mends {
            self.file_mend(tx, mend, now).await?;
        }
        Ok(())
    }

    pub(super) fn takes_out_of_groups(&self) -> bool {
        self.config.policy.access.audit.mend.contains(&FindingKind::GroupAddedElsewhere)
    }

    /// The id of the form that is to take a finding away; none while one is being carried out, or after so
    /// many that it is a person's to find out who adds the group.
    async fn next_form(
        &self,
        tx: &Tx,
        finding: &AccessFinding,
        now: Timestamp,
    ) -> Result<Option<Uuid>, CycleError> {
        for before in 0..FORMS_A_FINDING {
            let id = form_id(finding, before);
            match tx.read().access_form_of_id(id).await? {
                None => return Ok(Some(id)),
                Some(filed) if !filed.state.has_ended() => return Ok(None),
                Some(_) => {}
            }
        }
        let reason = format!(
            "it comes back: {} forms took it away, and it is there again. Find out who or what adds the group, \
             and end that, or settle the finding. {}",
            FORMS_A_FINDING, finding.text
        );
        let id = form_id(finding, FORMS_A_FINDING);
        tx.set_aside_once(&aside(id, reason, now)?).await?;
        Ok(None)
    }

    async fn file_mend(&self, tx: &mut Tx, mend: &Mend, now: Timestamp) -> Result<(), CycleError> {
        let wrong =
            |problem: String| CycleError::Rule(format!("a finding can't be mended: {problem}"));
        let Some(person) = tx.read().person(mend.person).await? else { return Ok(()) };
        let Some(user_id) = person.user_ids().into_iter().next() else { return Ok(()) };
        let wish = json!({ "system": mend.system, "role": mend.role, "remove": true });
        let form: AccessForm = serde_json::from_value(json!({
            "form": FORM, "version": 1, "id": mend.form, "asks": "change", "person": { "user_id": user_id },
            "systems": [wish], "reason": WHY,
        }))
        .map_err(|problem| wrong(problem.to_string()))?;
        let filed = FiledForm {
            number: tx.next_form_number().await?,
            hash: form.hash().map_err(|problem| wrong(problem.to_string()))?,
            form,
            person: person.id,
            filed_by: Actor::new(DAEMON).map_err(|problem| wrong(problem.to_string()))?,
            filed_at: now,
            state: FormState::Approved,
            ended_because: None,
            reserved: None,
            reminders: 0,
            told_on: None,
        };
        tx.save_access_forms(&[(filed.clone(), None)]).await?;
        tx.save_entitlements(&[Entitlement {
            id: Entitlement::id_of(mend.form, &mend.system, mend.role.as_ref()),
            person: person.id,
            system: mend.system.clone(),
            role: mend.role.clone(),
            form: 0,
            state: EntitlementState::Ending,
            starts_on: None,
            ends_on: None,
            approved_at: now,
            ended_at: Some(now),
            ended_by: Some(filed.number),
            ended_because: Some(WHY.into()),
            recertified_on: None,
        }])
        .await?;
        tx.look_at_access_of(&[person.id]).await?;
        tx.audit(AuditEntry {
            person: Some(person.id),
            case: Some(filed.case()),
            user_id: Some(user_id),
            clause: Some(self.config.policy.citations.cite(Rule::S4)),
            detail: json!({
                "form": filed.number, "finding": mend.finding, "system": mend.system, "role": mend.role,
            }),
            ..AuditEntry::new(now, DAEMON, "access.mending")
        });
        Ok(())
    }
}

/// What the audit sets aside for a person.
fn aside(id: Uuid, reason: String, now: Timestamp) -> Result<SetAside, CycleError> {
    Ok(SetAside {
        id,
        drop: None,
        source: SourceName::new(DAEMON).map_err(|error| CycleError::Rule(error.to_string()))?,
        file_name: "nightly audit".into(),
        line: None,
        reason,
        who: None,
        at: now,
        settled_at: None,
    })
}
