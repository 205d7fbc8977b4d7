//! What the nightly audit found: listed, looked for now, settled; and what was there taken for approved (S4).

use super::commands::{cited, needed};
use super::people::word;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::access::mending::held::Released;
use crate::cycle::access::nightly::LAST_AUDIT;
use crate::service::Daemon;
use crate::views::{
    BaselineRequest, DoneView, FindingView, FindingsView, MendRequest, PauseRequest, SettleRequest,
};
use lapsed_core::access::finding::AccessFinding;
use lapsed_core::citation::Rule;
use lapsed_core::facts::PersonId;
use lapsed_core::mask::mask;
use serde_json::json;
use std::collections::BTreeMap;

pub(super) async fn findings(daemon: &Daemon) -> Result<FindingsView, ConsoleError> {
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let open = read.open_access_findings().await?;
    let mut ids: Vec<PersonId> = open.iter().filter_map(|finding| finding.person).collect();
    ids.sort();
    ids.dedup();
    let people = read.people(&ids).await?;
    let shown: BTreeMap<PersonId, String> =
        people.into_iter().map(|person| (person.id, person.shown())).collect();
    let view = |finding: AccessFinding| FindingView {
        id: finding.id.to_string(),
        kind: word(&finding.kind),
        person: finding.person.and_then(|id| shown.get(&id).cloned()),
        connector: finding.connector.map(|name| name.to_string()),
        what: finding.what,
        text: finding.text,
        found: cycle.stamp(finding.found_at),
        seen: cycle.stamp(finding.seen_at),
    };
    Ok(FindingsView {
        last: read.setting(LAST_AUDIT).await?,
        findings: open.into_iter().map(view).collect(),
    })
}

pub(super) async fn now(
    daemon: &Daemon,
    caller: &Caller,
    request: PauseRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let mut tx = daemon.store.begin().await?;
    let detail = json!({ "reason": mask(&request.reason) });
    tx.audit(cited(daemon, &caller.name, Rule::S4, None, ("access.audit_asked", detail)));
    tx.commit().await?;
    let turn = daemon.auditing.lock().await;
    let nightly = daemon.cycle().audit_access(daemon.now()).await?;
    drop(turn);
    daemon.wake();
    let unread: Vec<String> =
        nightly.unread.iter().map(|(name, why)| format!("{name} was not read: {why}")).collect();
    let mut message = format!(
        "{} findings, {} of them new; {} are gone",
        nightly.audited.findings.len(),
        nightly.new,
        nightly.gone
    );
    for line in unread {
        message = format!("{message}. {line}");
    }
    Ok(DoneView { message })
}

pub(super) async fn settle(
    daemon: &Daemon,
    caller: &Caller,
    request: SettleRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let mut tx = daemon.store.begin().await?;
    let open = tx.read().open_access_findings().await?;
    let mut named: Vec<_> = open
        .into_iter()
        .filter(|finding| !request.id.is_empty() && finding.id.to_string().starts_with(&request.id))
        .collect();
    let (Some(finding), true) = (named.pop(), named.is_empty()) else {
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("not exactly one open finding has the id {:?}", request.id),
            "lapsed findings shows them",
        ));
    };
    let settled = AccessFinding {
        settled_at: Some(daemon.now()),
        settled_because: Some(format!("{}: {}", caller.name, mask(&request.reason))),
        ..finding
    };
    tx.save_access_findings(std::slice::from_ref(&settled)).await?;
    let person = match settled.person {
        Some(id) => tx.read().people(&[id]).await?.pop(),
        None => None,
    };
    let detail = json!({
        "id": settled.id, "kind": word(&settled.kind), "what": settled.what, "reason": mask(&request.reason),
    });
    let event = ("finding.settled", detail);
    tx.audit(cited(daemon, &caller.name, Rule::S4, person.as_ref(), event));
    tx.commit().await?;
    Ok(DoneView {
        message: "settled; the audit does not tell of it again while it stays so".into(),
    })
}

pub(super) async fn mend(
    daemon: &Daemon,
    caller: &Caller,
    request: MendRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.reason, "a reason", "--reason")?;
    let why = Released { who: &caller.name, reason: &mask(&request.reason) };
    let filed = daemon.cycle().release_mends(&request.hash, why, daemon.now()).await?;
    let Some(filed) = filed else {
        return Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("no people in groups are held under {:?}", request.hash),
            "lapsed set-aside list shows the hash, which is another when others are found; give twelve digits",
        ));
    };
    daemon.wake();
    Ok(DoneView { message: format!("{filed} forms are filed and carried out: lapsed form list") })
}

pub(super) async fn baseline(
    daemon: &Daemon,
    caller: &Caller,
    request: BaselineRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered it", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let (authority, reason) = (mask(&request.authority), mask(&request.reason));
    let now = daemon.now();
    let who = caller.name.as_str();
    let count = daemon.cycle().accept_baseline(&authority, &reason, who, now).await?;
    Ok(DoneView {
        message: format!(
            "{count} entitlements without a form now account for what is there. What comes about elsewhere \
             from now on is a finding: lapsed findings --now"
        ),
    })
}
