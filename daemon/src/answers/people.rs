//! `lapsed person` and `lapsed set-aside list`.

use super::the_person;
use crate::control::console::ConsoleError;
use crate::cycle::carry_out::note;
use crate::cycle::{Cycle, shown_date};
use crate::service::Daemon;
use crate::store::{CaseFilter, SetAside, StepFilter, StoredStep};
use crate::views::{CaseView, PersonView, SetAsideView, SetAsidesView, StepView};
use lapsed_core::facts::{About, Case, Engagement, Notice, Person};
use lapsed_core::holds::{Hold, Population};
use lapsed_core::standing::{Standing, standing};
use lapsed_core::step::Due;
use lapsed_core::wishes::Wish;

pub(super) async fn person(daemon: &Daemon, who: &str) -> Result<PersonView, ConsoleError> {
    let person = the_person(daemon, who).await?;
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let filter = CaseFilter { people: Some(vec![person.id]), ..CaseFilter::default() };
    let mut cases = Vec::new();
    for case in read.cases(&filter).await? {
        let steps = StepFilter { cases: vec![case.id], ..StepFilter::default() };
        let view = case_view(&cycle, &case, &read.steps(&steps).await?);
        let trust = cycle.held_in_trust(&read, &case, &person, daemon.now()).await?;
        let boss = cycle.takes_over(&read, &person, daemon.now()).await?;
        cases.push(CaseView {
            held_in_trust: trust.iter().map(|t| format!("{}: {}", t.kind.noun(), t.name)).collect(),
            still_open: super::still_open::still_open(&read, &case, daemon.now()).await?,
            taken_over_by: boss.filter(|_| !trust.is_empty()).map(|boss| boss.shown()),
            ..view
        });
    }
    let numbers = person.employee_numbers();
    let keys: Vec<String> = numbers
        .iter()
        .map(|n| n.folded())
        .chain(person.user_ids().iter().map(|u| u.folded()))
        .collect();
    let asides = read.open_set_asides().await?;
    let theirs = |aside: &&SetAside| {
        aside.who.as_ref().is_some_and(|who| {
            // `employee 104233`, or the key alone.
            who.split_whitespace().any(|word| keys.contains(&word.to_lowercase()))
        })
    };
    Ok(PersonView {
        id: person.id.to_string(),
        shown: person.shown(),
        standing: standing_line(&cycle, &person, daemon.now()),
        employee_numbers: numbers.iter().map(ToString::to_string).collect(),
        accounts: person
            .accounts
            .iter()
            .map(|a| format!("{}: {}", a.connector, a.user_id))
            .collect(),
        engagements: person.engagements.iter().map(|e| engagement_line(&cycle, e)).collect(),
        notices: person.notices.iter().map(|n| notice_line(&cycle, n)).collect(),
        holds: read.holds_over(person.id).await?.iter().map(|h| hold_line(&cycle, h)).collect(),
        wishes: read
            .wishes_of(&[person.id])
            .await?
            .iter()
            .filter(|wish| wish.stands())
            .map(|wish| wish_line(&cycle, wish))
            .collect(),
        cases,
        suspensions: super::suspensions::lines(&cycle, &read, person.id, daemon.now()).await?,
        told: super::outbox::told(&cycle, &read, person.id).await?,
        set_aside: asides.iter().filter(theirs).map(|a| aside_view(&cycle, a)).collect(),
    })
}

fn standing_line(cycle: &Cycle, person: &Person, now: jiff::Timestamp) -> String {
    match standing(person, now, &cycle.config.time_zone) {
        Standing::Employed => "employed".into(),
        Standing::Leaving(end) => format!("leaving {}: {}", cycle.shown_time(end.at), end.reason),
        Standing::Left(end) => format!("left {}: {}", cycle.shown_time(end.at), end.reason),
        Standing::Unknown => "no engagement is known".into(),
    }
}

fn engagement_line(cycle: &Cycle, engagement: &Engagement) -> String {
    let mut line = format!("{}", engagement.source);
    if let Some(number) = &engagement.employee_number {
        line += &format!(", number {number}");
    }
    if !engagement.record.is_empty() {
        line += &format!(", record {}", engagement.record);
    }
    if let Some(start) = engagement.starts_on {
        line += &format!(", from {start}");
    }
    if let Some(end) = engagement.ends_on {
        line += &format!(", last day {end}");
    }
    if let Some(worksite) = &engagement.worksite {
        let name =
            cycle.config.policy.locations.get(worksite).map_or("unknown", |l| l.name.as_str());
        line += &format!(", at {worksite} ({name})");
    }
    line + &format!(", {}", word(&engagement.status))
}

fn notice_line(cycle: &Cycle, notice: &Notice) -> String {
    let what = match notice.about {
        About::Person => "everything ends".to_owned(),
        About::Engagement { ordinal } => format!("engagement {} ends", ordinal + 1),
    };
    let cause = if notice.for_cause { ", for cause" } else { "" };
    format!(
        "{} from {} ({}), received {}: {what} {}{cause}",
        word(&notice.state),
        notice.source,
        notice.brought_by,
        cycle.shown_time(notice.received_at),
        cycle.shown_time(notice.effective_at),
    )
}

pub(super) fn hold_line(cycle: &Cycle, hold: &Hold) -> String {
    let review = hold.review_on.map(|on| format!(", look again {on}")).unwrap_or_default();
    let whose = hold.population().map(Population::describe);
    let whose = whose.map(|whose| format!("{whose}, ")).unwrap_or_default();
    format!(
        "{whose}ordered by {}: {}; placed {} by {}{review}",
        hold.authority,
        hold.reason,
        cycle.shown_time(hold.placed_at),
        hold.placed_by
    )
}

fn wish_line(cycle: &Cycle, wish: &Wish) -> String {
    format!(
        "{}; on the word of {}, entered {} by {}",
        wish.what.describe(),
        wish.authority,
        cycle.shown_time(wish.at),
        wish.asked_by
    )
}

/// A unit enum's own word, as in JSON.
pub(super) fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn case_view(cycle: &Cycle, case: &Case, steps: &[StoredStep]) -> CaseView {
    CaseView {
        id: case.id.to_string(),
        state: word(&case.state),
        effective_at: cycle.stamp(case.effective_at),
        reason: case.reason.clone(),
        disabled_on: case.disabled_on.map(|d| d.to_string()),
        steps: in_order(steps).into_iter().map(|step| step_view(cycle, step)).collect(),
        still_open: None,
        held_in_trust: Vec::new(),
        taken_over_by: None,
    }
}

/// Steps as people look for them: in the order in which they are done, then by what they do.
pub(super) fn in_order(steps: &[StoredStep]) -> Vec<&StoredStep> {
    let mut ordered: Vec<&StoredStep> = steps.iter().collect();
    ordered.sort_by_cached_key(|s| (s.step.action.rank(), s.step.action.describe()));
    ordered
}

pub(super) fn step_view(cycle: &Cycle, stored: &StoredStep) -> StepView {
    StepView {
        id: stored.step.id.to_string(),
        connector: stored.step.connector.to_string(),
        what: stored.step.action.describe(),
        state: stored.state.name().to_owned(),
        due: due_line(&stored.step.due),
        note: note(&stored.state),
        clause: cycle.config.policy.citations.cite(stored.step.rule),
    }
}

pub(super) fn due_line(due: &Due) -> String {
    match due {
        Due::AtOnce => "at once".into(),
        Due::On { date, reason } => format!("{}: {reason}", shown_date(*date)),
    }
}

pub(super) async fn set_asides(daemon: &Daemon) -> Result<SetAsidesView, ConsoleError> {
    let cycle = daemon.cycle();
    let rows = daemon.store.read().open_set_asides().await?;
    Ok(SetAsidesView { rows: rows.iter().map(|row| aside_view(&cycle, row)).collect() })
}

fn aside_view(cycle: &Cycle, aside: &SetAside) -> SetAsideView {
    let line = aside.line.map(|line| format!(" line {line}")).unwrap_or_default();
    SetAsideView {
        id: aside.id.to_string(),
        from: format!("{}: {}{line}", aside.source, aside.file_name),
        who: aside.who.clone().unwrap_or_default(),
        reason: aside.reason.clone(),
        at: cycle.stamp(aside.at),
    }
}
