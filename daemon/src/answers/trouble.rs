//! What a person has to look at that no plan, step or drop shows: departures past their limit, the disk of
//! the state, and notices that did not go out.

use crate::config::{Config, DatabaseUrl};
use crate::cycle::Cycle;
use crate::notices::MAIL_HEALTH;
use crate::service::Daemon;
use crate::store::{Behind, CaseFilter, NoticeFilter, NoticeState, Reader, StoreError, StoredPlan};
use crate::views::AttentionView;
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::{Case, CaseId, CaseState};
use lapsed_core::observed::{Protection, Realm};
use lapsed_core::plan::PlanState;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// How many of one kind of trouble are listed one by one.
const LISTED: usize = 20;
/// Where nobody is told by mail, the limits of the built-in settings count.
const NOT_SHUT_MINUTES: u32 = 30;
const DISK_LOW_MIB: u64 = 500;
/// Notices listed one by one were queued within so many days.
const NOTICES_SINCE_DAYS: i64 = 14;

pub(super) async fn troubles(
    daemon: &Daemon,
    read: &Reader<'_>,
    now: Timestamp,
) -> Result<Vec<AttentionView>, StoreError> {
    let cycle = daemon.cycle();
    let mut all = not_shut(&cycle, read, now).await?;
    all.extend(older_copy(&cycle, read, now).await?);
    all.extend(disk_low(&cycle.config));
    all.extend(notices(read, now).await?);
    Ok(all)
}

fn attention(kind: &str, what: String, remedy: &str) -> AttentionView {
    AttentionView { kind: kind.into(), what, remedy: remedy.into() }
}

/// The state was put back as it was earlier.
async fn older_copy(
    cycle: &Cycle,
    read: &Reader<'_>,
    now: Timestamp,
) -> Result<Option<AttentionView>, StoreError> {
    let since = SignedDuration::from_hours(24 * NOTICES_SINCE_DAYS);
    let behind = read.behind().await?;
    let behind = behind.filter(|behind| now.duration_since(behind.noticed_at) <= since);
    Ok(behind.map(|behind| {
        attention(
            "state_restored",
            older(cycle, &behind),
            "enter the holds since the copy again, then lapsed resume deletions; drop HR's files and forms since the copy again, then lapsed resume giving; lapsed notices lists as unverified whom to ask, rather than to tell twice",
        )
    }))
}

fn older(cycle: &Cycle, behind: &Behind) -> String {
    let (ends, until) = (behind.ends_at, cycle.shown_time(behind.until));
    if behind.seen == ends {
        return format!(
            "a copy of the state was put back {until}; what was done after its audit row {ends} is not known here"
        );
    }
    format!(
        "the state is an older copy: it ends at audit row {ends}, and lapsed went on to row {} until {until}; what was done after the copy is not known here",
        behind.seen
    )
}

/// Departures in effect whose accounts should be shut by now.
async fn not_shut(
    cycle: &Cycle,
    read: &Reader<'_>,
    now: Timestamp,
) -> Result<Vec<AttentionView>, StoreError> {
    let minutes = cycle.config.notices.as_ref().map_or(NOT_SHUT_MINUTES, |n| n.not_shut_minutes);
    let limit = SignedDuration::from_mins(minutes.into());
    let filter = CaseFilter { states: vec![CaseState::Open], ..CaseFilter::default() };
    let mut late = read.cases(&filter).await?;
    late.retain(|case| {
        let due = case.effective_at.max(case.opened_at);
        case.disabled_on.is_none() && now.duration_since(due) > limit
    });
    if late.is_empty() {
        return Ok(Vec::new());
    }
    // Whoever is marked could not be read whole: what they have is not known yet.
    let unread = read.people_to_decide().await?;
    late.retain(|case| can_be_shut(case) || unread.contains_key(&case.person));
    let decided = waiting_for_a_decision(read).await?;
    let mut all = Vec::new();
    for case in late.iter().filter(|case| !decided.contains(&case.id)).take(LISTED) {
        let person = read.person(case.person).await?;
        let who = person.map_or_else(|| case.person.to_string(), |person| person.shown());
        let has = match can_be_shut(case) {
            true => "still has access",
            false => "may still have access, which can't be read",
        };
        all.push(attention(
            "not_shut",
            format!("{who} {has}: due {}", cycle.shown_time(case.effective_at)),
            "lapsed person WHO shows what holds it up; shut the account by hand if it can't wait",
        ));
    }
    Ok(all)
}

/// Where no account is known, or none may be touched, that is said elsewhere.
fn can_be_shut(case: &Case) -> bool {
    case.before.iter().any(|(_, account)| {
        let never = matches!(account.protection, Some(Protection::Never { .. }));
        account.realm == Realm::Directory && account.enabled && !never
    })
}

/// Held plans are shown as such, and rejected ones after which nothing was planned.
async fn waiting_for_a_decision(read: &Reader<'_>) -> Result<BTreeSet<CaseId>, StoreError> {
    let cases =
        |plan: &StoredPlan| plan.plan.steps.iter().map(|step| step.case).collect::<Vec<_>>();
    let mut all: BTreeSet<CaseId> =
        read.plans(&[PlanState::Held]).await?.iter().flat_map(cases).collect();
    for (plan, stands) in rejections(&plans_if_rejected(read).await?) {
        all.extend(cases(plan).into_iter().filter(|case| stands.contains(case)));
    }
    Ok(all)
}

/// All plans, where one was rejected; otherwise there is nothing to ask of them.
pub(super) async fn plans_if_rejected(read: &Reader<'_>) -> Result<Vec<StoredPlan>, StoreError> {
    match read.plans(&[PlanState::Rejected]).await?.is_empty() {
        true => Ok(Vec::new()),
        false => read.plans(&[]).await,
    }
}

/// Rejected ones of all plans, each with those of its departures for which nothing was planned since.
pub(super) fn rejections(plans: &[StoredPlan]) -> Vec<(&StoredPlan, BTreeSet<CaseId>)> {
    let mut newest: HashMap<CaseId, Timestamp> = HashMap::new();
    for plan in plans {
        newest.extend(plan.plan.steps.iter().map(|step| (step.case, plan.created_at)));
    }
    let stands = |plan: &StoredPlan| {
        let cases = plan.plan.steps.iter().map(|step| step.case);
        cases.filter(|case| newest.get(case) == Some(&plan.created_at)).collect()
    };
    let rejected = plans.iter().filter(|plan| plan.state == PlanState::Rejected);
    rejected.map(|plan| (plan, stands(plan))).collect()
}

/// The disk on which the state, or at least the record of it, is written.
fn disk_low(config: &Config) -> Option<AttentionView> {
    let least = config.notices.as_ref().map_or(DISK_LOW_MIB, |notices| notices.disk_low_mib);
    let file = match &config.state.database {
        DatabaseUrl::Sqlite(path) => path.as_path(),
        DatabaseUrl::Postgres(_) => config.audit.checkpoint_file.as_path(),
    };
    let folder = file.parent().unwrap_or(Path::new("/"));
    let free = rustix::fs::statvfs(folder).ok()?;
    let mib = free.f_bavail.saturating_mul(free.f_frsize) / (1024 * 1024);
    (mib < least).then(|| {
        attention(
            "disk_low",
            format!("the disk of {} is nearly full: {mib} MiB are free", folder.display()),
            "make room on it: when it is full, nothing can be recorded and nobody's access ends",
        )
    })
}

async fn notices(read: &Reader<'_>, now: Timestamp) -> Result<Vec<AttentionView>, StoreError> {
    let mut all = Vec::new();
    if let Some(Some(why)) = read.setting::<Option<String>>(MAIL_HEALTH).await? {
        let counts = read.notice_counts().await?;
        let waiting = counts.get(&NoticeState::Queued).copied().unwrap_or_default();
        all.push(attention(
            "mail_down",
            format!("the mail server takes no notices ({waiting} wait): {why}"),
            "lapsed check; nothing is lost, it is tried again by itself",
        ));
    }
    let filter = NoticeFilter {
        states: vec![NoticeState::Failed, NoticeState::Unverified],
        limit: Some(LISTED as u64),
        ..NoticeFilter::default()
    };
    let since = SignedDuration::from_hours(24 * NOTICES_SINCE_DAYS);
    for notice in read.notices(&filter).await? {
        if now.duration_since(notice.queued_at) > since {
            continue;
        }
        let (kind, remedy) = match notice.state {
            NoticeState::Failed => (
                "notice_failed",
                "mend the address it names, and tell them yourself; lapsed notices shows the text",
            ),
            _ => (
                "notice_unverified",
                "ask them whether they got it (notices.send_unverified_again sends twice instead)",
            ),
        };
        all.push(attention(
            kind,
            format!(
                "notice {} about {} to {}: {}",
                notice.kind,
                notice.about,
                notice.addresses.join(", "),
                notice.cause.unwrap_or_default()
            ),
            remedy,
        ));
    }
    Ok(all)
}
