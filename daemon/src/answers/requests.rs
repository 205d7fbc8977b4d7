//! `lapsed requests` and `lapsed confirm`.

use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::asked::{is_overdue, reminders};
use crate::cycle::carry_out::note;
use crate::cycle::confirm::{Answered, ConfirmError, Proof, Verdict, answered_no};
use crate::service::Daemon;
use crate::store::{FiledDocument, StepFilter, StoredStep};
use crate::views::{ConfirmRequest, DoneView, RequestView, RequestsView};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapsed_core::journal::StepState;
use lapsed_core::step::{ASKED, Action, StepId};
use std::collections::HashMap;

pub(super) async fn requests(daemon: &Daemon, all: bool) -> Result<RequestsView, ConsoleError> {
    let read = daemon.store.read();
    let mut states = vec!["asked", "refused"];
    if all {
        states.extend(["verified", "cancelled"]);
    }
    let mut steps = Vec::new();
    for action in ["request_revocation", "request_change"] {
        let (states, action) = (states.clone(), Some(action));
        let filter = StepFilter { states, action, ..StepFilter::default() };
        steps.extend(read.steps(&filter).await?);
    }
    // One that the mail server refused was never a form that somebody has.
    steps.retain(|s| !matches!(s.state, StepState::Refused { .. }) || answered_no(&s.state));
    let ids: Vec<StepId> = steps.iter().map(|stored| stored.step.id).collect();
    let filed = read.documents_of_steps(&ids).await?;
    let filed: HashMap<StepId, FiledDocument> =
        filed.into_iter().map(|filed| (filed.step, filed)).collect();
    steps.sort_by_key(|stored| (asked_at(stored), stored.step.id));
    let view = |stored: &StoredStep| form_view(daemon, stored, filed.get(&stored.step.id));
    Ok(RequestsView { requests: steps.iter().map(view).collect() })
}

fn asked_at(stored: &StoredStep) -> Option<jiff::Timestamp> {
    match &stored.state {
        StepState::Asked { at, .. } => Some(*at),
        _ => stored.first_started_at,
    }
}

fn form_view(daemon: &Daemon, stored: &StoredStep, filed: Option<&FiledDocument>) -> RequestView {
    let cycle = daemon.cycle();
    let request = match &stored.step.action {
        Action::RequestRevocation { request, .. } => request.clone(),
        Action::RequestChange { request, change, .. } => format!("{request} ({})", change.verb()),
        _ => String::new(),
    };
    let receipt = stored.state.receipt();
    let state = match &stored.state {
        StepState::Asked { receipt, .. } if is_overdue(receipt) => "overdue",
        StepState::Asked { .. } => "sent",
        StepState::Refused { .. } => "refused",
        StepState::Cancelled { .. } => "called off",
        _ => "confirmed",
    };
    RequestView {
        id: stored.step.id.to_string(),
        person: stored.step.action.account().label.clone(),
        request,
        connector: stored.step.connector.to_string(),
        state: state.to_owned(),
        asked: receipt.and_then(|r| r.before.get(ASKED)).cloned().unwrap_or_default(),
        asked_at: asked_at(stored).map(|at| cycle.stamp(at)),
        reminders: receipt.map_or(0, reminders) as u64,
        next: stored.recheck_on.filter(|_| !stored.state.has_ended()).map(|on| on.to_string()),
        note: note(&stored.state),
        document: filed.and_then(|filed| filed.sha256.clone()),
        filed: filed
            .map(|filed| format!("by {}, {}", filed.filed_by, cycle.shown_time(filed.filed_at))),
        clause: cycle.config.policy.citations.cite(stored.step.rule),
    }
}

pub(super) async fn confirm(
    daemon: &Daemon,
    caller: &Caller,
    request: ConfirmRequest,
) -> Result<DoneView, ConsoleError> {
    let bad = |error: &str, advice: &str| ConsoleError::new(ErrorKind::Bad, error, advice);
    let bytes = match &request.content {
        Some(text) => Some(STANDARD.decode(text).map_err(|_| {
            bad("the document is not in base64", "use lapsed confirm, which sends it so")
        })?),
        None => None,
    };
    let verdict = match request.refused.as_deref().map(str::trim) {
        Some("") => return Err(bad("a reason is needed", "add --refused \"what they said\"")),
        Some(why) => Verdict::No(why),
        None => Verdict::Done,
    };
    let empty = bytes.as_ref().is_none_or(Vec::is_empty);
    if verdict == Verdict::Done && empty {
        return Err(bad(
            "a confirmation needs its document",
            "add --file with the scanned form or the answer",
        ));
    }
    let bytes = bytes.filter(|_| !empty);
    let cycle = daemon.cycle();
    let form = cycle.form_named(&request.form).await.map_err(said)?;
    let proof = bytes.as_deref().map(|bytes| Proof { name: &request.file_name, bytes });
    let answered = Answered { verdict, proof, by: caller.name.as_str(), via: "console" };
    let filed = cycle.file_answer(&form, &answered, daemon.now()).await.map_err(said)?;
    daemon.wake();
    let kept = filed.sha256.map(|digest| format!(", document {digest}")).unwrap_or_default();
    Ok(DoneView {
        message: match verdict {
            Verdict::Done => format!("confirmed: {}{kept}", filed.what),
            Verdict::No(_) => format!(
                "refused: {}{kept}; it stays open and is listed in lapsed status until it is settled",
                filed.what
            ),
        },
    })
}

fn said(error: ConfirmError) -> ConsoleError {
    let (kind, advice) = match error {
        ConfirmError::Cycle(error) => return error.into(),
        ConfirmError::Unknown => (ErrorKind::NotFound, "lapsed requests shows what is open"),
        ConfirmError::Used { .. } => (ErrorKind::Conflict, "lapsed requests --all shows it"),
        ConfirmError::Several => (ErrorKind::Bad, "give the whole token, or more of the id"),
        ConfirmError::Changed => (ErrorKind::Conflict, "look with lapsed requests, and try again"),
        ConfirmError::Documents(_) => (ErrorKind::Unavailable, "nothing was filed; try again then"),
    };
    ConsoleError::new(kind, error.to_string(), advice)
}
