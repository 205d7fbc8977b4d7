//! `lapsed late`: who was cut off later than the policy allows, and how long it takes.

use crate::control::console::ConsoleError;
use crate::cycle::Cycle;
use crate::service::Daemon;
use crate::store::{CaseFilter, StepFilter, StoredPlan, StoredStep};
use crate::views::{LateLineView, LateView, TimesView};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::facts::{Case, CaseId, Person, PersonId};
use lapsed_core::journal::StepState;
use lapsed_core::lateness::{CutOff, percentile};
use lapsed_core::plan::PlanHash;
use lapsed_core::policy::departure::effective_at;
use lapsed_core::step::{Action, StepId};
use std::collections::{BTreeMap, HashMap};

/// So many people are read in one go.
const PEOPLE_A_QUESTION: usize = 500;

/// All that is known of who departed.
struct Departures {
    people: HashMap<PersonId, Person>,
    cases: HashMap<CaseId, Case>,
    plans: HashMap<PlanHash, StoredPlan>,
    verified: BTreeMap<StepId, Timestamp>,
}

pub(super) async fn late(
    daemon: &Daemon,
    since: Option<jiff::civil::Date>,
) -> Result<LateView, ConsoleError> {
    let cycle = daemon.cycle();
    let now = daemon.now();
    let within = cycle.config.policy.departure.late_after_minutes;
    let mut steps = Vec::new();
    for action in ["disable", "revoke_access"] {
        let filter = StepFilter { action: Some(action), ..StepFilter::default() };
        steps.extend(daemon.store.read().steps(&filter).await?);
    }
    let known = departures(daemon, &steps).await?;
    let from = since.and_then(|day| day.to_zoned(cycle.config.time_zone.clone()).ok());
    let mut view = LateView { within_minutes: within, ..LateView::default() };
    let mut times: BTreeMap<String, Vec<SignedDuration>> = BTreeMap::new();
    let mut late = Vec::new();
    for stored in &steps {
        let Some(cut) = cut_off(&cycle, stored, &known) else { continue };
        if from.as_ref().is_some_and(|from| cut.effective_at < from.timestamp()) {
            continue;
        }
        if let Some(took) = cut.took() {
            for key in ["all", stored.step.connector.as_str()] {
                times.entry(key.to_owned()).or_default().push(took);
            }
        }
        if let Some(found) = cut.late(SignedDuration::from_mins(i64::from(within)), now) {
            late.push((found.by, line(&cycle, stored, &known, &cut, &found)));
        }
    }
    late.sort_by_key(|(by, _)| std::cmp::Reverse(*by));
    view.late = late.into_iter().map(|(_, line)| line).collect();
    let all = times.remove_entry("all");
    view.times = all.into_iter().chain(times).map(|(name, times)| of_times(name, times)).collect();
    Ok(view)
}

async fn departures(daemon: &Daemon, steps: &[StoredStep]) -> Result<Departures, ConsoleError> {
    let read = daemon.store.read();
    let mut ids: Vec<PersonId> = steps.iter().map(|s| s.step.person).collect();
    ids.sort();
    ids.dedup();
    let (mut people, mut cases) = (HashMap::new(), HashMap::new());
    for block in ids.chunks(PEOPLE_A_QUESTION) {
        people.extend(read.people(block).await?.into_iter().map(|person| (person.id, person)));
        let filter = CaseFilter { people: block.to_vec(), ..CaseFilter::default() };
        cases.extend(read.cases(&filter).await?.into_iter().map(|case| (case.id, case)));
    }
    let plans = read.plans(&[]).await?;
    let steps: Vec<StepId> = steps.iter().map(|s| s.step.id).collect();
    Ok(Departures {
        people,
        cases,
        plans: plans.into_iter().map(|stored| (stored.plan.hash.clone(), stored)).collect(),
        verified: read.first_verified(&steps).await?,
    })
}

/// What the journal has of one account's end; `None` of what was shut by others, was called off, or is of no
/// departure.
fn cut_off(cycle: &Cycle, stored: &StoredStep, known: &Departures) -> Option<CutOff> {
    let shuts = matches!(stored.step.action, Action::Disable { .. } | Action::RevokeAccess { .. });
    let case = known.cases.get(&stored.step.case).filter(|_| shuts)?;
    let called_off = matches!(stored.state, StepState::Cancelled { .. });
    if called_off || (stored.state.is_done() && stored.state.receipt().is_none()) {
        return None;
    }
    let notices = known.people.get(&case.person).map(|person| person.notices.as_slice());
    let said = notices.unwrap_or_default().iter().filter(|n| n.effective_at == case.effective_at);
    let first = said.min_by_key(|notice| notice.received_at);
    let noticed_at = first.map_or(case.opened_at, |notice| notice.received_at);
    // A back-dated notice takes effect when it comes; the policy's own moment is that of the last day (D2).
    let (rules, zone) = (&cycle.config.policy.departure, &cycle.config.time_zone);
    let last_day = first.filter(|notice| !notice.for_cause).and_then(|notice| notice.last_day);
    let by_policy = last_day.and_then(|day| {
        effective_at(Some(day), false, Timestamp::MIN, &rules.effective, zone).ok()
    });
    let plan = known.plans.get(&stored.plan);
    Some(CutOff {
        effective_at: by_policy.unwrap_or(case.effective_at).min(case.effective_at),
        noticed_at,
        released_at: plan.filter(|plan| plan.decided_by.is_some()).and_then(|plan| plan.decided_at),
        begun_at: stored.first_started_at,
        attempts: stored.attempts,
        done_at: known.verified.get(&stored.step.id).copied(),
    })
}

fn line(
    cycle: &Cycle,
    stored: &StoredStep,
    known: &Departures,
    cut: &CutOff,
    late: &lapsed_core::lateness::Late,
) -> LateLineView {
    let person = known.people.get(&stored.step.person);
    LateLineView {
        person: person.map(Person::shown).unwrap_or_default(),
        case: stored.step.case.to_string(),
        connector: stored.step.connector.to_string(),
        what: stored.step.action.describe(),
        clause: cycle.config.policy.citations.cite(stored.step.rule),
        deadline: cycle.stamp(late.deadline),
        done: cut.done_at.map(|at| cycle.stamp(at)),
        late_seconds: u64::try_from(late.by.as_secs()).unwrap_or_default(),
        why: late.why.iter().map(ToString::to_string).collect(),
    }
}

fn of_times(connector: String, mut times: Vec<SignedDuration>) -> TimesView {
    let count = times.len() as u64;
    let mut of = |percent| {
        let time = percentile(&mut times, percent).unwrap_or_default();
        u64::try_from(time.as_millis()).unwrap_or_default()
    };
    TimesView { connector, count, p50_ms: of(50), p95_ms: of(95), p99_ms: of(99) }
}
