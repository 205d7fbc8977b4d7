//! `lapsed late`: who was cut off later than the policy allows, and how long it takes.

use crate::control::console::ConsoleError;
use crate::cycle::Cycle;
use crate::service::Daemon;
use crate::store::{CaseFilter, StepFilter, StoredPlan, StoredStep};
use crate::views::{LateLineView, LateView, TimesView};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseId, CaseState, Person, PersonId};
use lapsed_core::journal::StepState;
use lapsed_core::lateness::{CutOff, WaitsFor, percentile};
use lapsed_core::plan::{PlanHash, PlanState};
use lapsed_core::policy::departure::effective_at;
use lapsed_core::step::{Action, Step, StepId};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// So many people are read in one go.
const PEOPLE_A_QUESTION: usize = 500;

/// All that is known of who departed.
struct Departures {
    people: HashMap<PersonId, Person>,
    cases: HashMap<CaseId, Case>,
    plans: HashMap<PlanHash, StoredPlan>,
    verified: BTreeMap<StepId, Vec<Timestamp>>,
}

/// What is to end or has ended: one account's access, or, where nothing could be planned, all of somebody's.
struct End {
    case: CaseId,
    connector: String,
    what: String,
    rule: Rule,
    cut: CutOff,
}

pub(super) async fn late(
    daemon: &Daemon,
    since: Option<jiff::civil::Date>,
) -> Result<LateView, ConsoleError> {
    let cycle = daemon.cycle();
    let now = daemon.now();
    let within = cycle.config.policy.departure.late_after_minutes;
    let (ends, known) = ends(daemon).await?;
    let from = since.and_then(|day| day.to_zoned(cycle.config.time_zone.clone()).ok());
    let mut view = LateView { within_minutes: within, ..LateView::default() };
    let mut times: BTreeMap<String, Vec<SignedDuration>> = BTreeMap::new();
    let mut late = Vec::new();
    for end in ends {
        if from.as_ref().is_some_and(|from| end.cut.effective_at < from.timestamp()) {
            continue;
        }
        if let Some(took) = end.cut.took() {
            for key in ["all", end.connector.as_str()] {
                times.entry(key.to_owned()).or_default().push(took);
            }
        }
        if let Some(found) = end.cut.late(SignedDuration::from_mins(i64::from(within)), now) {
            late.push((found.by, line(&cycle, end, &known, &found)));
        }
    }
    late.sort_by_key(|(by, _)| std::cmp::Reverse(*by));
    view.late = late.into_iter().map(|(_, line)| line).collect();
    let all = times.remove_entry("all");
    view.times = all.into_iter().chain(times).map(|(name, times)| of_times(name, times)).collect();
    Ok(view)
}

fn ends_access(action: &Action) -> bool {
    matches!(action, Action::Disable { .. } | Action::RevokeAccess { .. })
}

/// Every end of access: in the journal, in plans that wait or were rejected, and what is not planned yet.
async fn ends(daemon: &Daemon) -> Result<(Vec<End>, Departures), ConsoleError> {
    let (cycle, read) = (daemon.cycle(), daemon.store.read());
    let mut steps = Vec::new();
    for action in ["disable", "revoke_access"] {
        let filter = StepFilter { action: Some(action), ..StepFilter::default() };
        steps.extend(read.steps(&filter).await?);
    }
    steps.retain(|stored| !matches!(stored.state, StepState::Cancelled { .. }));
    let filter = CaseFilter { states: vec![CaseState::Open], ..CaseFilter::default() };
    let open = read.cases(&filter).await?;
    // Of an end that was moved to a later day, what was done for the first one says nothing of the second.
    let not_shut: HashMap<CaseId, &Case> =
        open.iter().filter(|case| case.disabled_on.is_none()).map(|case| (case.id, case)).collect();
    steps.retain(|stored| {
        let case = not_shut.get(&stored.step.case);
        case.is_none_or(|case| !stored.state.is_done() || stored.changed_at >= case.effective_at)
    });
    let in_journal: BTreeSet<StepId> = steps.iter().map(|stored| stored.step.id).collect();
    let plans = read.plans(&[]).await?;
    let planned = planned_only(&plans, &in_journal);
    let mut unplanned: Vec<Case> = not_shut.into_values().cloned().collect();
    // Whoever is marked could not be read whole; of the others nothing is there that could be shut.
    let marked = read.people_to_decide().await?;
    let known_of = steps.iter().map(|s| s.step.case).chain(planned.iter().map(|(s, _)| s.case));
    let known_of: BTreeSet<CaseId> = known_of.collect();
    unplanned.retain(|case| marked.contains_key(&case.person) && !known_of.contains(&case.id));
    let people = steps.iter().map(|s| s.step.person);
    let people = people.chain(planned.iter().map(|(step, _)| step.person));
    let people = people.chain(unplanned.iter().map(|case| case.person)).collect();
    let known = departures(daemon, people, &in_journal, plans).await?;
    let mut all: Vec<End> =
        steps.iter().filter_map(|s| in_the_journal(&cycle, s, &known)).collect();
    all.extend(planned.iter().filter_map(|(step, waits)| {
        let case = open_case(&known, step.case)?;
        Some(End::of(step, not_begun(&cycle, case, &known, *waits)))
    }));
    all.extend(unplanned.iter().map(|case| End {
        case: case.id,
        connector: String::new(),
        what: "end all access".into(),
        rule: Rule::D2,
        cut: not_begun(&cycle, case, &known, WaitsFor::Plan),
    }));
    Ok((all, known))
}

/// Ends of access in plans that wait for a release or were rejected, and that are not in the journal; each once.
fn planned_only(plans: &[StoredPlan], in_journal: &BTreeSet<StepId>) -> Vec<(Step, WaitsFor)> {
    let mut planned: Vec<(Step, WaitsFor)> = Vec::new();
    let held = plans.iter().filter(|plan| plan.state == PlanState::Held);
    let held = held.flat_map(|plan| &plan.plan.steps);
    planned.extend(held.map(|step| (step.clone(), WaitsFor::Release)));
    for (plan, stands) in super::trouble::rejections(plans) {
        let steps = plan.plan.steps.iter().filter(|step| stands.contains(&step.case));
        planned.extend(steps.map(|step| (step.clone(), WaitsFor::Notice)));
    }
    let mut seen: BTreeSet<StepId> = BTreeSet::new();
    planned.retain(|(step, _)| {
        ends_access(&step.action) && !in_journal.contains(&step.id) && seen.insert(step.id)
    });
    planned
}

async fn departures(
    daemon: &Daemon,
    people: BTreeSet<PersonId>,
    steps: &BTreeSet<StepId>,
    plans: Vec<StoredPlan>,
) -> Result<Departures, ConsoleError> {
    let read = daemon.store.read();
    let ids: Vec<PersonId> = people.into_iter().collect();
    let (mut people, mut cases) = (HashMap::new(), HashMap::new());
    for block in ids.chunks(PEOPLE_A_QUESTION) {
        people.extend(read.people(block).await?.into_iter().map(|person| (person.id, person)));
        let filter = CaseFilter { people: Some(block.to_vec()), ..CaseFilter::default() };
        cases.extend(read.cases(&filter).await?.into_iter().map(|case| (case.id, case)));
    }
    let steps: Vec<StepId> = steps.iter().copied().collect();
    Ok(Departures {
        people,
        cases,
        plans: plans.into_iter().map(|stored| (stored.plan.hash.clone(), stored)).collect(),
        verified: read.verified(&steps).await?,
    })
}

fn open_case(known: &Departures, case: CaseId) -> Option<&Case> {
    known.cases.get(&case).filter(|case| case.state == CaseState::Open)
}

impl End {
    fn of(step: &Step, cut: CutOff) -> Self {
        Self {
            case: step.case,
            connector: step.connector.to_string(),
            what: step.action.describe(),
            rule: step.rule,
            cut,
        }
    }
}

/// What is neither in the journal nor done: it waits.
fn not_begun(cycle: &Cycle, case: &Case, known: &Departures, waits_for: WaitsFor) -> CutOff {
    let (effective_at, noticed_at) = moments(cycle, case, known);
    CutOff {
        effective_at,
        noticed_at,
        released_at: None,
        waits_for,
        begun_at: None,
        attempts: 0,
        done_at: None,
    }
}

/// When access was to end by the policy, and when the first notice came that says so.
fn moments(cycle: &Cycle, case: &Case, known: &Departures) -> (Timestamp, Timestamp) {
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
    (by_policy.unwrap_or(case.effective_at).min(case.effective_at), noticed_at)
}

/// What the journal has of one account's end; `None` of what was shut by others, or is of no departure that is in
/// effect.
fn in_the_journal(cycle: &Cycle, stored: &StoredStep, known: &Departures) -> Option<End> {
    let case = known.cases.get(&stored.step.case)?;
    if stored.state.is_done() && stored.state.receipt().is_none() {
        return None;
    }
    let cut = not_begun(cycle, case, known, WaitsFor::Turn);
    let plan = known.plans.get(&stored.plan);
    let since = case.effective_at.max(cut.noticed_at);
    let cut = CutOff {
        released_at: plan.filter(|plan| plan.decided_by.is_some()).and_then(|plan| plan.decided_at),
        begun_at: begun_at(stored, since),
        attempts: stored.attempts,
        done_at: done_at(stored, since, &known.verified),
        ..cut
    };
    Some(End::of(&stored.step, cut))
}

/// When a step was begun for an end of this moment: one that was carried out for an earlier end has the moment of
/// its last change.
fn begun_at(stored: &StoredStep, since: Timestamp) -> Option<Timestamp> {
    let is_of_this = |at: &Timestamp| *at >= since;
    let again = || Some(stored.changed_at).filter(|_| stored.state != StepState::Planned);
    let first = stored.first_started_at?;
    Some(first).filter(is_of_this).or_else(again)
}

/// When a step was seen done for an end of this moment: the first time since then. What was done before and
/// still is needed nothing.
pub(super) fn done_at(
    stored: &StoredStep,
    since: Timestamp,
    verified: &BTreeMap<StepId, Vec<Timestamp>>,
) -> Option<Timestamp> {
    let seen = verified.get(&stored.step.id)?;
    let before = || seen.last().filter(|_| stored.state.is_done());
    seen.iter().find(|at| **at >= since).or_else(before).copied()
}

fn line(
    cycle: &Cycle,
    end: End,
    known: &Departures,
    late: &lapsed_core::lateness::Late,
) -> LateLineView {
    let person = known.cases.get(&end.case).and_then(|case| known.people.get(&case.person));
    LateLineView {
        person: person.map(Person::shown).unwrap_or_default(),
        case: end.case.to_string(),
        connector: end.connector,
        what: end.what,
        clause: cycle.config.policy.citations.cite(end.rule),
        deadline: cycle.stamp(late.deadline),
        done: end.cut.done_at.map(|at| cycle.stamp(at)),
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
