//! `lapsed notices`: the outbox.

use super::the_person;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::cycle::Cycle;
use crate::notices::{self, PreviewError};
use crate::service::Daemon;
use crate::store::{NoticeFilter, NoticeState, Reader, StoreError, StoredNotice};
use crate::views::{LetterView, NoticeView, NoticesView};
use lapsed_core::facts::PersonId;
use lapsed_core::notice_rules::Kind;

/// So many are listed, the newest.
const LISTED: u64 = 500;

pub(super) async fn notices(
    daemon: &Daemon,
    who: Option<&str>,
) -> Result<NoticesView, ConsoleError> {
    let person = match who {
        Some(who) => Some(the_person(daemon, who).await?.id),
        None => None,
    };
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let filter = NoticeFilter { person, limit: Some(LISTED), ..NoticeFilter::default() };
    let mut found = read.notices(&filter).await?;
    found.reverse();
    let counts = read.notice_counts().await?;
    let count = |state| counts.get(&state).copied().unwrap_or_default();
    Ok(NoticesView {
        notices: found.iter().map(|notice| view(&cycle, notice)).collect(),
        waiting: count(NoticeState::Queued) + count(NoticeState::Sending),
        unverified: count(NoticeState::Unverified),
        failed: count(NoticeState::Failed),
    })
}

fn view(cycle: &Cycle, notice: &StoredNotice) -> NoticeView {
    NoticeView {
        id: notice.id.to_string(),
        kind: notice.kind.to_string(),
        about: notice.about.clone(),
        to: notice.addresses.clone(),
        state: notice.state.name().to_owned(),
        queued_at: cycle.stamp(notice.queued_at),
        sent_at: sent_at(cycle, notice),
        subject: notice.subject.clone(),
        note: note(notice),
    }
}

fn sent_at(cycle: &Cycle, notice: &StoredNotice) -> Option<String> {
    let sent = notice.state == NoticeState::Sent;
    notice.sent_at.filter(|_| sent).map(|at| cycle.stamp(at))
}

fn note(notice: &StoredNotice) -> String {
    match (&notice.cause, notice.digest, notice.by_digest) {
        (Some(cause), ..) => cause.clone(),
        (None, Some(digest), _) => format!("in the digest {digest}"),
        (None, None, true) => "waits for the digest".into(),
        (None, None, false) => String::new(),
    }
}

/// Lines for `lapsed person`.
pub(super) async fn told(
    cycle: &Cycle,
    read: &Reader<'_>,
    person: PersonId,
) -> Result<Vec<String>, StoreError> {
    let filter =
        NoticeFilter { person: Some(person), limit: Some(LISTED), ..NoticeFilter::default() };
    let found = read.notices(&filter).await?;
    let line = |notice: &StoredNotice| {
        let to = match notice.addresses.join(", ") {
            to if to.is_empty() => "nobody yet".to_owned(),
            to => to,
        };
        let at = cycle.shown_time(notice.sent_at.unwrap_or(notice.queued_at));
        let note = note(notice);
        let note = if note.is_empty() { note } else { format!(" ({note})") };
        format!("{} to {to}: {} {at}{note}", notice.kind, notice.state.name())
    };
    Ok(found.iter().map(line).collect())
}

pub(super) async fn preview(
    daemon: &Daemon,
    kind: Kind,
    who: Option<&str>,
) -> Result<LetterView, ConsoleError> {
    let person = match who {
        Some(who) => Some(the_person(daemon, who).await?),
        None => None,
    };
    let of_nobody = matches!(kind, Kind::Receipt | Kind::Alarm | Kind::Digest) || kind.is_of_form();
    let is_of_a_person = !of_nobody || person.is_none();
    if !is_of_a_person {
        return Err(ConsoleError::new(
            ErrorKind::Bad,
            format!("a notice of the kind {kind} is about no one person"),
            "leave the person out: it is then shown for an example",
        ));
    }
    let cycle = daemon.cycle();
    match notices::preview(&cycle, kind, person.as_ref(), daemon.now()).await {
        Ok(letter) => Ok(LetterView { subject: letter.subject, body: letter.body }),
        Err(PreviewError::Cycle(error)) => Err(error.into()),
        Err(PreviewError::NothingToTell(why)) => Err(ConsoleError::new(
            ErrorKind::NotFound,
            why,
            "leave the person out: it is then shown for an example",
        )),
        Err(PreviewError::Wording(error)) => Err(ConsoleError::new(
            ErrorKind::Refused,
            error.to_string(),
            "mend the file in the folder of notices.templates",
        )),
    }
}
