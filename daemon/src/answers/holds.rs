//! Holds: placed, lifted and listed (D6). What a form says of them comes here, too.

use super::commands::{cited, needed};
use super::people::hold_line;
use super::the_person;
use super::word::Word;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::Cycle;
use crate::service::Daemon;
use crate::store::{StepFilter, StoredStep, Tx};
use crate::views::{DoneView, HoldRequest, HoldView, HoldsView, LiftRequest};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{GroupName, LocationId, Person, PersonKind};
use lapsed_core::holds::{Held, Hold, Population};
use lapsed_core::journal::StepState;
use lapsed_core::mask::mask;
use lapsed_core::step::Action;
use serde_json::json;

pub(super) async fn holds(daemon: &Daemon) -> Result<HoldsView, ConsoleError> {
    let cycle = daemon.cycle();
    let read = daemon.store.read();
    let mut holds = Vec::new();
    for hold in read.holds().await? {
        let whose = match &hold.of {
            Held::Population(population) => population.describe(),
            Held::Person(id) => {
                read.person(*id).await?.map_or_else(|| id.to_string(), |person| person.shown())
            }
        };
        holds.push(HoldView {
            person: whose,
            authority: hold.authority.clone(),
            reason: hold.reason.clone(),
            placed: format!("{} by {}", cycle.shown_time(hold.placed_at), hold.placed_by),
            review_on: hold.review_on.map(|d| d.to_string()),
        });
    }
    Ok(HoldsView { holds })
}

/// Whom a hold is about, with the person where it is one.
#[derive(Debug)]
pub(super) enum Whose {
    One(Box<Person>),
    All(Population),
}

impl Whose {
    fn held(&self) -> Held {
        match self {
            Self::One(person) => Held::Person(person.id),
            Self::All(population) => Held::Population(population.clone()),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::One(person) => person.shown(),
            Self::All(population) => population.describe(),
        }
    }

    fn person(&self) -> Option<&Person> {
        match self {
            Self::One(person) => Some(person),
            Self::All(_) => None,
        }
    }
}

/// What was asked for, before it is looked up.
struct Named<'a> {
    person: &'a str,
    everyone: bool,
    location: Option<&'a str>,
    kind: Option<&'a str>,
    group: Option<&'a str>,
}

async fn whose(daemon: &Daemon, named: Named<'_>) -> Result<Whose, ConsoleError> {
    let cycle = daemon.cycle();
    let bad = |error: String, advice: &str| ConsoleError::new(ErrorKind::Bad, error, advice);
    let mut found = Vec::new();
    if named.everyone {
        found.push(Population::Everyone);
    }
    if let Some(location) = named.location {
        found.push(Population::Location(known_location(&cycle, location)?));
    }
    if let Some(kind) = named.kind {
        found.push(Population::Kind(known_kind(&cycle, kind)?));
    }
    if let Some(group) = named.group {
        let name = GroupName::new(group);
        let name = name.map_err(|e| bad(e.to_string(), "give the group's name"))?;
        found.push(Population::Group(name));
    }
    match (named.person.is_empty(), found.pop(), found.is_empty()) {
        (false, None, _) => Ok(Whose::One(Box::new(the_person(daemon, named.person).await?))),
        (true, Some(population), true) => Ok(Whose::All(population)),
        _ => Err(bad(
            "a hold is about one person or one population".into(),
            "give a person, or one of --location, --kind, --group and --everyone",
        )),
    }
}

fn known_location(cycle: &Cycle, text: &str) -> Result<LocationId, ConsoleError> {
    let locations = &cycle.config.policy.locations;
    let wanted = text.trim().to_lowercase();
    let found = locations.keys().find(|id| id.folded() == wanted);
    found.cloned().ok_or_else(|| {
        ConsoleError::new(
            ErrorKind::NotFound,
            format!("no location has the character {text:?}"),
            "give one of those under `locations` in the configuration",
        )
    })
}

fn known_kind(cycle: &Cycle, text: &str) -> Result<PersonKind, ConsoleError> {
    let kinds = &cycle.config.policy.naming.kinds;
    let wanted = text.trim().to_lowercase();
    let found = kinds.keys().find(|kind| kind.folded() == wanted);
    found.cloned().ok_or_else(|| {
        ConsoleError::new(
            ErrorKind::NotFound,
            format!("no kind of person is called {text:?}"),
            "give one of those under `naming.kinds` in the configuration",
        )
    })
}

pub(super) async fn hold(
    daemon: &Daemon,
    caller: &Caller,
    request: HoldRequest,
) -> Result<DoneView, ConsoleError> {
    place(daemon, &Word::of(&caller.name), request).await
}

pub(super) async fn lift(
    daemon: &Daemon,
    caller: &Caller,
    request: LiftRequest,
) -> Result<DoneView, ConsoleError> {
    take_off(daemon, &Word::of(&caller.name), request).await
}

/// Places a hold on somebody's word.
pub(super) async fn place(
    daemon: &Daemon,
    by: &Word<'_>,
    request: HoldRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered the hold", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let whose = whose(
        daemon,
        Named {
            person: &request.person,
            everyone: request.everyone,
            location: request.location.as_deref(),
            kind: request.kind.as_deref(),
            group: request.group.as_deref(),
        },
    )
    .await?;
    let hold = Hold {
        of: whose.held(),
        authority: mask(&request.authority),
        reason: mask(&request.reason),
        placed_at: daemon.now(),
        placed_by: by.who.clone(),
        review_on: request.review_on,
        lifted_at: None,
    };
    let mut tx = daemon.store.begin().await?;
    by.note(&tx).await?;
    tx.save_hold(&hold).await?;
    let late = too_late(&tx, &whose).await?;
    let detail = json!({
        "authority": hold.authority, "reason": hold.reason, "review_on": hold.review_on,
        "population": hold.population().map(Population::describe),
    });
    let event = ("hold.placed", by.detail(detail));
    tx.audit(cited(daemon, by.who, Rule::D6, whose.person(), event));
    let covered = match hold.population() {
        Some(population) => {
            format!(", {} of the people known now", tx.read().people_in(population).await?)
        }
        None => String::new(),
    };
    tx.commit().await?;
    Ok(DoneView {
        message: format!(
            "hold placed: nothing of {} is deleted while it stands{covered} ({}){late}",
            whose.shown(),
            hold_line(&daemon.cycle(), &hold)
        ),
    })
}

/// What no hold can bring back, said at once; the hold is placed.
async fn too_late(tx: &Tx, whose: &Whose) -> Result<String, ConsoleError> {
    const NAMED: usize = 20;
    let of_one = whose.person().map(|person| person.id);
    // Of many, what was deleted long ago is not what anybody asks about.
    let filter = StepFilter {
        people: of_one.map(|id| vec![id]),
        ended: of_one.is_none().then_some(false),
        ..StepFilter::default()
    };
    let mut steps = tx.read().steps(&filter).await?;
    steps.retain(|s| s.step.action.destroys() && is_begun(s));
    if of_one.is_none() {
        let held = tx.read().people_held().await?;
        steps.retain(|s| held.contains(&s.step.person));
    }
    if steps.is_empty() {
        return Ok(String::new());
    }
    let named: Vec<String> = steps.iter().take(NAMED).map(|s| s.step.action.describe()).collect();
    let more = match steps.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    Ok(format!(". It comes too late for: {}{more}", named.join("; ")))
}

/// Of a home that is deleted bit by bit, some may be gone though it waits.
fn is_begun(stored: &StoredStep) -> bool {
    let is_waiting = matches!(stored.state, StepState::Waiting { .. })
        && stored.attempts > 0
        && matches!(stored.step.action, Action::DeleteHome { .. });
    stored.state.is_done()
        || is_waiting
        || matches!(stored.state, StepState::Started { .. } | StepState::Unknown { .. })
}

/// Lifts what an authority ordered, on somebody's word.
pub(super) async fn take_off(
    daemon: &Daemon,
    by: &Word<'_>,
    request: LiftRequest,
) -> Result<DoneView, ConsoleError> {
    needed(&request.authority, "who ordered the lifting", "--authority")?;
    needed(&request.reason, "a reason", "--reason")?;
    let whose = whose(
        daemon,
        Named {
            person: &request.person,
            everyone: request.everyone,
            location: request.location.as_deref(),
            kind: request.kind.as_deref(),
            group: request.group.as_deref(),
        },
    )
    .await?;
    let now = daemon.now();
    let mut tx = daemon.store.begin().await?;
    let mut standing = tx.read().holds().await?;
    let wanted = whose.held();
    standing.retain(|hold| hold.of == wanted);
    let (standing, others) = theirs(&whose, standing, &request.authority)?;
    by.note(&tx).await?;
    for hold in &standing {
        tx.save_hold(&Hold { lifted_at: Some(now), ..hold.clone() }).await?;
    }
    let detail = json!({
        "authority": request.authority, "reason": mask(&request.reason), "holds": standing.len(),
        "population": match &whose { Whose::All(population) => Some(population.describe()), Whose::One(_) => None },
    });
    let event = ("hold.lifted", by.detail(detail));
    tx.audit(cited(daemon, by.who, Rule::D6, whose.person(), event));
    let over = match whose.person() {
        Some(person) => tx.read().holds_over(person.id).await?.len(),
        None => others,
    };
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "{} hold(s) of {} lifted; {}",
            standing.len(),
            whose.shown(),
            match (over, whose.person()) {
                (0, Some(_)) => "deletions that are due go on".to_owned(),
                (0, None) => "deletions that no other hold is over go on".to_owned(),
                (count, _) =>
                    format!("{count} of another order still stand, so nothing is deleted"),
            }
        ),
    })
}

/// Whoever ordered a hold has it lifted; another authority's stays: they are counted.
fn theirs(
    whose: &Whose,
    standing: Vec<Hold>,
    authority: &str,
) -> Result<(Vec<Hold>, usize), ConsoleError> {
    let conflict =
        |error: String, advice: String| ConsoleError::new(ErrorKind::Conflict, error, advice);
    if standing.is_empty() {
        return Err(conflict(
            format!("no hold stands for {}", whose.shown()),
            "lapsed hold list shows those that do".into(),
        ));
    }
    let theirs = |hold: &Hold| hold.authority.trim().eq_ignore_ascii_case(authority.trim());
    let (standing, others): (Vec<Hold>, Vec<Hold>) = standing.into_iter().partition(theirs);
    if standing.is_empty() {
        let ordered: Vec<String> = others.iter().map(|hold| hold.authority.clone()).collect();
        return Err(conflict(
            format!("no hold of {} was ordered by {authority}", whose.shown()),
            format!("give --authority as it stands on the hold: {}", ordered.join(", ")),
        ));
    }
    Ok((standing, others.len()))
}
