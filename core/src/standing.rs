//! Whether a person is employed, leaving or gone, from all engagements and notices together (D1, D12).

use crate::facts::{About, EmployeeNumber, Engagement, LocationId, Notice, NoticeState, Person};
use jiff::{Timestamp, tz::TimeZone};

/// A person's place in the agency at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// At least one engagement goes on with no end in sight.
    Employed,
    /// Every engagement has an end; the last lies ahead.
    Leaving(End),
    /// Every engagement has ended.
    Left(End),
    /// No engagement and no notice is known.
    Unknown,
}

/// The end of the last engagement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// When access ends.
    pub at: Timestamp,
    /// Dismissed for cause.
    pub for_cause: bool,
    /// Worksite of the engagement that ends last: decides on the home directory (D6).
    pub worksite: Option<LocationId>,
    /// Supervisor of that engagement (D9).
    pub supervisor: Option<EmployeeNumber>,
    /// Which notice says so, for people.
    pub reason: String,
}

/// Works out a person's standing at `now`.
///
/// Within one engagement the earliest standing notice of any source counts; across engagements the
/// last end counts, since only the end of the last one is a departure.
#[must_use]
pub fn standing(person: &Person, now: Timestamp, zone: &TimeZone) -> Standing {
    let notices: Vec<&Notice> =
        person.notices.iter().filter(|n| n.state == NoticeState::Standing).collect();
    let mut last: Option<End> = None;
    for engagement in &person.engagements {
        let Some(end) = end_of(engagement, &notices, zone) else {
            return Standing::Employed;
        };
        if last.as_ref().is_none_or(|known| end.at > known.at) {
            last = Some(end);
        }
    }
    if person.engagements.is_empty() {
        last = earliest(notices.iter().copied().filter(|n| n.about == About::Person))
            .map(|n| end(n, None));
    }
    match last {
        None => Standing::Unknown,
        Some(end) if end.at <= now => Standing::Left(end),
        Some(end) => Standing::Leaving(end),
    }
}

fn end_of(engagement: &Engagement, notices: &[&Notice], zone: &TimeZone) -> Option<End> {
    let about_it = notices.iter().copied().filter(|n| match &n.about {
        About::Engagement { ordinal } => *ordinal == engagement.ordinal,
        // A notice about the whole person says nothing of an engagement that began after it (rehire).
        About::Person => engagement.starts_on.is_none_or(|start| start <= n.speaks_until(zone)),
    });
    earliest(about_it).map(|n| end(n, Some(engagement)))
}

fn earliest<'a>(notices: impl Iterator<Item = &'a Notice>) -> Option<&'a Notice> {
    notices.min_by_key(|n| n.effective_at)
}

fn end(notice: &Notice, engagement: Option<&Engagement>) -> End {
    let day = match notice.last_day {
        Some(day) => format!(", last day worked {day}"),
        None => String::new(),
    };
    let cause = if notice.for_cause { ", for cause" } else { "" };
    End {
        at: notice.effective_at,
        for_cause: notice.for_cause,
        worksite: engagement.and_then(|e| e.worksite.clone()),
        supervisor: engagement.and_then(|e| e.supervisor.clone()),
        reason: format!("notice from {} ({}){day}{cause}", notice.source, notice.brought_by),
    }
}
