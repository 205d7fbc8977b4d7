//! `lapsed envelope`: first passwords, each shown once to the one it is sealed for (A6).

use super::commands::cited;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::service::Daemon;
use crate::targets::envelopes_of;
use crate::views::{EnvelopeView, EnvelopesView, OpenEnvelopeRequest, PasswordView};
use lapsed_connectors::handover::{Envelopes, OpenError, SealedFor};
use lapsed_core::access::decision::Absence;
use lapsed_core::citation::Rule;
use lapsed_core::facts::Actor;
use serde_json::json;
use uuid::Uuid;

pub(super) async fn envelopes(
    daemon: &Daemon,
    caller: &Caller,
) -> Result<EnvelopesView, ConsoleError> {
    let mut waiting = Vec::new();
    let all = drawer(daemon)?.waiting().map_err(|error| unreadable(&error.to_string()))?;
    for about in all {
        if may_open(daemon, caller, &about).await? {
            waiting.push(EnvelopeView {
                id: about.id.to_string(),
                user_id: about.user_id.to_string(),
                form: about.form,
                opener: about.opener.to_string(),
                needs_code: about.has_code,
            });
        }
    }
    Ok(EnvelopesView { waiting })
}

/// On record first, then destroyed, then shown: whatever fails in between, nobody sees it twice.
pub(super) async fn open(
    daemon: &Daemon,
    caller: &Caller,
    request: OpenEnvelopeRequest,
) -> Result<PasswordView, ConsoleError> {
    let drawer = drawer(daemon)?;
    let id = Uuid::parse_str(request.id.trim()).map_err(|_| not_there())?;
    let about = drawer.outside(id).map_err(refusal)?;
    if !may_open(daemon, caller, &about).await? {
        return Err(ConsoleError::new(
            ErrorKind::Refused,
            format!("the envelope is sealed for {}", about.opener),
            "ask them to open it; whoever decides in their place while they are away may, too",
        ));
    }
    let opened = drawer.open(id, &request.code).map_err(refusal)?;
    let detail = json!({
        "envelope": id, "user_id": about.user_id, "form": about.form, "sealed_for": about.opener,
    });
    let mut tx = daemon.store.begin().await?;
    tx.audit(cited(daemon, &caller.name, Rule::A6, None, ("envelope.opened", detail)));
    tx.commit().await?;
    drawer.destroy(id).map_err(refusal)?;
    Ok(PasswordView {
        user_id: about.user_id.to_string(),
        form: about.form,
        password: opened.password.as_str().to_owned(),
    })
}

fn drawer(daemon: &Daemon) -> Result<Envelopes, ConsoleError> {
    envelopes_of(&daemon.cycle().config).map_err(|error| unreadable(&error.to_string()))
}

/// The one it is sealed for, or who decides in their place today: never the one whose password it is, nor
/// the one who asked for it (A6).
async fn may_open(
    daemon: &Daemon,
    caller: &Caller,
    about: &SealedFor,
) -> Result<bool, ConsoleError> {
    let own = caller.name.folded();
    if own == about.opener.folded() {
        return Ok(true);
    }
    let today = daemon.cycle().today(daemon.now());
    let role = daemon.cycle().config.policy.access.accounts.handover.opener.clone();
    let stands_in = |absence: &Absence| {
        absence.deputy.folded() == own
            && absence.away.folded() == about.opener.folded()
            && absence.from <= today
            && today <= absence.until
            && (absence.role.is_none() || absence.role == role)
    };
    if own == about.user_id.folded()
        || !daemon.store.read().absences(today).await?.iter().any(stands_in)
    {
        return Ok(false);
    }
    let form = daemon.store.read().access_form(about.form).await?;
    Ok(form.is_some_and(|form| !asked(&form.filed_by, form.form.requested_by.as_ref(), &own)))
}

fn asked(filed_by: &Actor, requested_by: Option<&lapsed_core::facts::UserId>, own: &str) -> bool {
    filed_by.folded() == own || requested_by.is_some_and(|user| user.folded() == own)
}

fn not_there() -> ConsoleError {
    ConsoleError::new(
        ErrorKind::NotFound,
        OpenError::Gone.to_string(),
        "`lapsed envelope list` shows those that wait for you; ask for a password reset by form",
    )
}

fn refusal(error: OpenError) -> ConsoleError {
    match error {
        OpenError::Gone => not_there(),
        OpenError::NotTogether => ConsoleError::new(
            ErrorKind::Bad,
            error.to_string(),
            "letters' case and hyphens don't matter; 0, 1, I and O are never in a code",
        ),
        OpenError::Unreadable(_) => unreadable(&error.to_string()),
    }
}

fn unreadable(why: &str) -> ConsoleError {
    ConsoleError::new(
        ErrorKind::Unavailable,
        format!("first passwords can't be looked at: {why}"),
        "look at `access.accounts.handover` in the configuration, and at the folder's owner",
    )
}

/// Destroys what nobody opened in time, and puts that on record.
pub(crate) async fn expire(daemon: &Daemon) {
    let drawer = match drawer(daemon) {
        Ok(drawer) => drawer,
        Err(error) => return tracing::error!(%error, "first passwords can't be looked at"),
    };
    let destroyed = match drawer.expire(daemon.now()) {
        Ok(destroyed) => destroyed,
        Err(error) => return tracing::error!(%error, "first passwords can't be destroyed"),
    };
    for id in destroyed {
        let Ok(actor) = Actor::new("lapsed") else { return };
        let row =
            cited(daemon, &actor, Rule::A6, None, ("envelope.expired", json!({ "envelope": id })));
        let recorded = async {
            let mut tx = daemon.store.begin().await?;
            tx.audit(row);
            tx.commit().await
        };
        if let Err(error) = recorded.await {
            tracing::error!(%error, %id, "a first password was destroyed and could not be recorded");
        }
    }
}
