//! The record: rows, their proof, and every call by an operator (P3).

use crate::control::console::{AuditPage, CallOutcome, CallRecord, ConsoleError, ErrorKind};
use crate::service::Daemon;
use crate::store::{AuditEntry, AuditRow, verify_audit};
use crate::views::{AuditRowView, AuditVerifyView, AuditView};
use lapsed_core::citation::Rule;
use serde_json::json;

pub(super) async fn rows(daemon: &Daemon, page: &AuditPage) -> Result<AuditView, ConsoleError> {
    let person = match &page.person {
        Some(who) => Some(super::the_person(daemon, who).await?.id),
        None => None,
    };
    let rows = daemon.store.read().audit_rows(page.after, u64::from(page.limit), person).await?;
    Ok(AuditView { rows: rows.iter().map(|row| row_view(daemon, row)).collect() })
}

fn row_view(daemon: &Daemon, row: &AuditRow) -> AuditRowView {
    let detail = match &row.entry.detail {
        serde_json::Value::Null => String::new(),
        detail => detail.to_string(),
    };
    AuditRowView {
        seq: row.seq,
        at: daemon.cycle().stamp(row.entry.at),
        actor: row.entry.actor.clone(),
        event: row.entry.event.clone(),
        who: row.entry.user_id.as_ref().map(ToString::to_string),
        clause: row.entry.clause.clone(),
        detail,
        hash: row.hash.clone(),
    }
}

pub(super) async fn verify(daemon: &Daemon) -> Result<AuditVerifyView, ConsoleError> {
    let Some(checkpoints) = daemon.checkpoints() else {
        return Err(ConsoleError::new(
            ErrorKind::Unavailable,
            "no checkpoints are configured, so a cut tail could not be seen",
            "set audit.checkpoint_file",
        ));
    };
    let report =
        verify_audit(&daemon.store, &checkpoints.file, &checkpoints.public_key_file()).await?;
    Ok(AuditVerifyView {
        sound: report.is_sound(),
        rows: report.rows,
        checkpoints: report.checkpoints,
        problems: report.findings.iter().map(ToString::to_string).collect(),
    })
}

pub(super) async fn record(daemon: &Daemon, call: &CallRecord) -> Result<(), ConsoleError> {
    let (event, status) = match call.outcome {
        CallOutcome::Asked => ("call.asked", None),
        CallOutcome::Answered(status) => ("call.answered", Some(status)),
    };
    let actor = call.caller.as_ref().map_or("unknown", |caller| caller.name.as_str());
    let mut tx = daemon.store.begin().await?;
    tx.audit(AuditEntry {
        clause: Some(daemon.cycle().config.policy.citations.cite(Rule::P3)),
        detail: json!({
            "method": call.method, "path": call.path, "status": status,
            "uid": call.caller.as_ref().map(|caller| caller.uid),
        }),
        ..AuditEntry::new(daemon.now(), actor, event)
    });
    tx.commit().await?;
    Ok(())
}
