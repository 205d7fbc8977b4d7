//! `lapsed reload` and SIGHUP: the new configuration, or the old one and why (D15).

use super::people::due_line;
use crate::config::{Config, policy_changes};
use crate::control::console::ConsoleError;
use crate::control::roles::Caller;
use crate::cycle::CycleError;
use crate::service::Daemon;
use crate::store::{AuditEntry, StepFilter};
use crate::views::{MovedDateView, ReloadView};
use lapsed_core::citation::Rule;
use lapsed_core::reconcile::deletions;
use lapsed_core::step::Due;
use serde_json::json;

pub(super) async fn reload(daemon: &Daemon, caller: &Caller) -> Result<ReloadView, ConsoleError> {
    reload_as(daemon, caller.name.as_str()).await
}

/// Reads the configuration again on someone's word (`daemon` for a signal).
pub async fn reload_as(daemon: &Daemon, actor: &str) -> Result<ReloadView, ConsoleError> {
    let old = daemon.cycle().config;
    let new = match daemon.load_again() {
        Ok(new) => new,
        Err(problems) => {
            tracing::warn!(
                problems = problems.len(),
                "configuration not reloaded; the old one stays in use"
            );
            return Ok(ReloadView { loaded: false, problems, ..ReloadView::default() });
        }
    };
    let changes = policy_changes(&old, &new);
    let moved_dates = moved_dates(daemon, &new).await?;
    let now = daemon.now();
    let mut tx = daemon.store.begin().await?;
    tx.audit(AuditEntry {
        clause: Some(new.policy.citations.cite(Rule::D15)),
        detail: json!({ "changes": changes, "moved_dates": moved_dates.len(), "policy": new.policy.version() }),
        ..AuditEntry::new(now, actor, "configuration.reloaded")
    });
    tx.commit().await?;
    daemon.use_config(new);
    daemon.wake();
    let from_next_start: Vec<String> =
        changes.into_iter().filter(|change| waits_for_a_start(change)).collect();
    if !from_next_start.is_empty() {
        tracing::warn!(
            ?from_next_start,
            "these settings are read at a start only; restart for them"
        );
    }
    Ok(ReloadView { loaded: true, problems: Vec::new(), from_next_start, moved_dates })
}

/// Whether a changed setting, as [`policy_changes`] writes it, is read at the daemon's start only.
fn waits_for_a_start(change: &str) -> bool {
    const AT_START: [&str; 10] = [
        "inbox.confirmations",
        "inbox.forms",
        "inbox.folder",
        "inbox.accepted",
        "inbox.rejected",
        "inbox.confirmations.folder",
        "inbox.forms.folder",
        "control.socket",
        "control.group",
        "execution.instance",
    ];
    let path = change.split(':').next().unwrap_or_default();
    path.starts_with("state.") || AT_START.contains(&path)
}

/// Stored dates that the new rules would compute otherwise. None moves: earlier ones would delete what
/// someone was promised to find.
async fn moved_dates(daemon: &Daemon, new: &Config) -> Result<Vec<MovedDateView>, CycleError> {
    let read = daemon.store.read();
    let filter = StepFilter { ended: Some(false), ..StepFilter::default() };
    let mut moved = Vec::new();
    for stored in read.steps(&filter).await?.into_iter().filter(|s| s.step.action.destroys()) {
        let Due::On { date, .. } = &stored.step.due else { continue };
        let Some(case) = read.case(stored.step.case).await? else { continue };
        let (Some(from), Some(class)) = (case.disabled_on, case.worksite_class) else { continue };
        let account = stored.step.action.account();
        let computed = deletions(&new.policy, from, class, account).map_err(CycleError::Rule)?;
        let same =
            computed.into_iter().find(|(_, action, ..)| action.name() == stored.step.action.name());
        if let Some((.., dated)) = same
            && dated.date != *date
        {
            moved.push(MovedDateView {
                person: account.label.clone(),
                what: stored.step.action.describe(),
                stored: due_line(&stored.step.due),
                computed: dated.date.to_string(),
                why: dated.reason,
            });
        }
    }
    Ok(moved)
}

#[cfg(test)]
mod tests {
    use super::waits_for_a_start;
    use rstest::rstest;

    #[rstest]
    #[case("inbox.folder: /srv/drop → /srv/hr", true)]
    #[case("inbox.forms: not set → {\"folder\":\"/srv/forms\"}", true)]
    #[case("state.database: sqlite:///a.db → sqlite:///b.db", true)]
    #[case("inbox.forms.keep_days: 3 → 4", false)]
    #[case("departure.mailbox.retention_days: 14 → 10", false)]
    fn folders_and_the_database_wait_for_a_start(#[case] change: &str, #[case] waits: bool) {
        assert_eq!(waits_for_a_start(change), waits);
    }
}
