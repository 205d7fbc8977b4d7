//! Forms that are carried out, or that can't be.

use super::store::ended;
use super::{Cycle, CycleError, Holder};
use crate::store::{AuditEntry, Tx};
use jiff::Timestamp;
use lapsed_core::access::form::{Asks, FiledForm, FormState};
use lapsed_core::citation::Rule;
use lapsed_core::facts::CaseState;
use serde_json::json;

impl Cycle {
    /// All of a form is there: it is on record, those concerned are told (A6, A10), and its case is closed.
    pub(super) async fn form_in_place(
        &self,
        tx: &mut Tx,
        holder: &Holder,
        form: &FiledForm,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let done = ended(form, FormState::InPlace, None);
        tx.save_access_forms(&[(done.clone(), None)]).await?;
        // Only now: until then the steps stand for what was known before.
        if done.form.asks != Asks::New {
            self.take_facts(tx, &done, now).await?;
        }
        tx.audit(AuditEntry {
            detail: json!({ "form": form.number, "asks": form.form.asks }),
            ..self.grant_entry(holder, form, "form.in_place", Rule::A1, now)
        });
        self.tell_in_place(tx, &done, now).await?;
        close(tx, form).await
    }

    /// A form that can't be carried out ends with the reason.
    pub(super) async fn end_granted_form(
        &self,
        tx: &mut Tx,
        holder: &Holder,
        form: &FiledForm,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let over = ended(form, FormState::Ended, Some(why.to_owned()));
        tx.save_access_forms(&[(over, None)]).await?;
        tx.audit(AuditEntry {
            detail: json!({ "form": form.number, "why": why }),
            ..self.grant_entry(holder, form, "form.ended", Rule::A7, now)
        });
        close(tx, form).await
    }
}

pub(super) async fn close(tx: &Tx, form: &FiledForm) -> Result<(), CycleError> {
    let Some(mut case) = tx.read().case(form.case()).await? else { return Ok(()) };
    if case.state == CaseState::Closed {
        return Ok(());
    }
    case.state = CaseState::Closed;
    Ok(tx.save_case(&case).await?)
}
