//! Judges plans against the last accepted population and limits; never edits them.

use crate::facts::{CaseId, PersonId};
use crate::plan::{Plan, PlanKind};
use crate::report::Explanation;
use crate::step::Step;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Something that the guard or reconcile wants a person to look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "finding")]
pub enum Finding {
    /// More people in one run than the limit allows.
    TooManyAtOnce {
        /// How many.
        people: u32,
        /// The limit that was passed, for people: `25 a run`.
        limit: String,
    },
    /// More people within the sliding window than the limit allows: a slow drip.
    TooManyInWindow {
        /// How many within the window, this plan included.
        people: u32,
        /// The limit that was passed, for people.
        limit: String,
    },
    /// An account that is protected: an administrator's, say. Waits for a second operator.
    Protected {
        /// Whose.
        person: PersonId,
        /// The account.
        account: String,
        /// What says so.
        because: String,
    },
    /// The account's second attribute does not agree with the notice.
    NotCorroborated {
        /// Whose.
        person: PersonId,
        /// The account.
        account: String,
        /// What differs; no more of a name than is needed.
        because: String,
    },
    /// More suspensions that nobody ordered one by one than the limit allows: a source may be broken (S3).
    TooManySuspended {
        /// How many.
        people: u32,
        /// The limit that was passed, for people.
        limit: String,
    },
    /// More people would have to change a password at once than the limit allows (A9).
    TooManyPasswords {
        /// How many.
        people: u32,
        /// The limit that was passed, for people.
        limit: String,
    },
    /// No population has been accepted yet, so that no limit in percent can be judged.
    NoBaseline,
}

/// Limits on how many people may be affected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Departures: accounts disabled and taken out of groups.
    pub departures: Limit,
    /// Suspensions that nobody ordered one by one: leaves by HR's status, locks after disuse, ends of
    /// temporary accounts (S1, S3).
    pub suspensions: Limit,
    /// How long a release stays good if the plan has not been carried out, in hours.
    pub release_expires_hours: u32,
    /// Steps that the departures of one round may come to. Beyond it no plan is made at all: nobody could read
    /// it, and it would keep the daemon from the one real leaver of the day. The cause is put before a person.
    pub most_steps: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            departures: Limit::default(),
            suspensions: Limit::default(),
            release_expires_hours: 24,
            most_steps: 100_000,
        }
    }
}

/// One kind of change: each limit that is passed trips the guard.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limit {
    /// People in one run.
    pub per_run: u32,
    /// People in one run, in percent of the last accepted population.
    pub per_run_percent: f64,
    /// People within the window, in percent of the last accepted population.
    pub window_percent: f64,
    /// Length of the sliding window, in days.
    pub window_days: u32,
    /// Percentages are not judged up to this many people: 1 % of a small agency is nobody.
    pub percent_from: u32,
    /// So many corroborated departures a day pass although the window is used up, or no population has
    /// been accepted yet.
    pub individual: u32,
}

impl Default for Limit {
    fn default() -> Self {
        Self {
            per_run: 25,
            per_run_percent: 1.0,
            window_percent: 3.0,
            window_days: 7,
            percent_from: 10,
            individual: 3,
        }
    }
}

/// The changes of one departure, before they become a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// The case.
    pub case: CaseId,
    /// Whose.
    pub person: PersonId,
    /// When the latest standing notice of the person came.
    pub noticed_at: Timestamp,
    /// An operator gave the notice himself, for this one person.
    pub by_operator: bool,
    /// What is to be done.
    pub steps: Vec<Step>,
    /// What reconcile found.
    pub findings: Vec<Finding>,
    /// Why.
    pub explanations: Vec<Explanation>,
}

/// What limits are measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Baseline {
    /// People in the last accepted population; `None` before the first one was accepted.
    pub population: Option<u32>,
    /// People whose departure was let through within the window, this run not included.
    pub departed_in_window: u32,
    /// The same within the last hour: several drops in a row are one run.
    pub departed_in_hour: u32,
    /// The same within the last day.
    pub departed_in_day: u32,
}

/// The guard's word on a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// May be carried out.
    Pass,
    /// Waits for a release by its hash; the findings are in the plan.
    Hold,
}

/// Makes plans of one run's departures and judges each: it passes or is held whole, never trimmed.
///
/// A departure with a finding of its own (protected, not corroborated) is held by itself. The others
/// are one plan each; if together they pass a limit, they become one plan that is held, so that one
/// look and one release, bound to its hash, decides on all of them. Where the window is used up, a few
/// corroborated departures a day still go through: holding the one real leaver of the day helps
/// nobody. What an operator said of one person himself is no mass change and is never swept into one.
#[must_use]
pub fn judge(
    proposed: Vec<Proposed>,
    baseline: Baseline,
    limits: &Limits,
    policy_version: &str,
) -> Vec<(Plan, Verdict)> {
    let (suspect, sound): (Vec<_>, Vec<_>) =
        proposed.into_iter().filter(|p| !p.steps.is_empty()).partition(|p| !p.findings.is_empty());
    let mut judged: Vec<_> =
        suspect.into_iter().map(|p| (single(p, policy_version), Verdict::Hold)).collect();
    let (urgent, sound): (Vec<_>, Vec<_>) = sound.into_iter().partition(|p| p.by_operator);
    judged.extend(urgent.into_iter().map(|p| (single(p, policy_version), Verdict::Pass)));
    match trip(count(&sound), baseline, &limits.departures) {
        None => {
            judged.extend(sound.into_iter().map(|p| (single(p, policy_version), Verdict::Pass)))
        }
        Some(finding) => judged.push((mass(sound, vec![finding], policy_version), Verdict::Hold)),
    }
    judged
}

fn count(sound: &[Proposed]) -> u32 {
    let mut people: Vec<_> = sound.iter().map(|p| p.person).collect();
    people.sort();
    people.dedup();
    u32::try_from(people.len()).unwrap_or(u32::MAX)
}

/// Makes plans of one run's suspensions and judges each, as [`judge`] does with departures. `by_operator`
/// says that a person ordered this one: it waits for no limit.
#[must_use]
pub fn judge_suspensions(
    proposed: Vec<Proposed>,
    baseline: Baseline,
    limits: &Limits,
    policy_version: &str,
) -> Vec<(Plan, Verdict)> {
    let one = |p: Proposed| {
        let kind = PlanKind::Suspension { case: p.case, person: p.person };
        Plan::new(kind, policy_version, p.steps, p.findings, p.explanations)
    };
    let (suspect, sound): (Vec<_>, Vec<_>) =
        proposed.into_iter().filter(|p| !p.steps.is_empty()).partition(|p| !p.findings.is_empty());
    let mut judged: Vec<_> = suspect.into_iter().map(|p| (one(p), Verdict::Hold)).collect();
    let (ordered, by_machine): (Vec<_>, Vec<_>) = sound.into_iter().partition(|p| p.by_operator);
    judged.extend(ordered.into_iter().map(|p| (one(p), Verdict::Pass)));
    let people = count(&by_machine);
    match trip(people, baseline, &limits.suspensions) {
        None => judged.extend(by_machine.into_iter().map(|p| (one(p), Verdict::Pass))),
        Some(finding) => {
            let steps = by_machine.iter().flat_map(|p| p.steps.clone()).collect();
            let why = by_machine.into_iter().flat_map(|p| p.explanations).collect();
            let kind = PlanKind::MassSuspension { people };
            let finding = match finding {
                Finding::TooManyAtOnce { people, limit }
                | Finding::TooManyInWindow { people, limit } => {
                    Finding::TooManySuspended { people, limit }
                }
                other => other,
            };
            let plan = Plan::new(kind, policy_version, steps, vec![finding], why);
            judged.push((plan, Verdict::Hold));
        }
    }
    judged
}

/// Makes one plan of the passwords that one night found too old, and judges it by what a run of suspensions
/// may be (A9). `None` where nothing is to be done.
#[must_use]
pub fn judge_passwords(
    steps: Vec<Step>,
    population: Option<u32>,
    limits: &Limits,
    policy_version: &str,
) -> Option<(Plan, Verdict)> {
    let people: BTreeSet<PersonId> = steps.iter().map(|step| step.person).collect();
    let people = u32::try_from(people.len()).unwrap_or(u32::MAX);
    // Passwords grow old every day: what was let through before is no slow loss.
    let baseline =
        Baseline { population, departed_in_window: 0, departed_in_hour: 0, departed_in_day: 0 };
    let limit = limit_passed(people, baseline, &limits.suspensions);
    let findings: Vec<Finding> =
        limit.map(|limit| Finding::TooManyPasswords { people, limit }).into_iter().collect();
    let verdict = if findings.is_empty() { Verdict::Pass } else { Verdict::Hold };
    let kind = PlanKind::Passwords { people };
    let plan = Plan::new(kind, policy_version, steps, findings, Vec::new());
    (people > 0).then_some((plan, verdict))
}

/// The limit that so many people pass, in words, where no plan is made of them.
#[must_use]
pub fn limit_passed(people: u32, baseline: Baseline, limit: &Limit) -> Option<String> {
    Some(match trip(people, baseline, limit)? {
        Finding::TooManyAtOnce { limit, .. } | Finding::TooManyInWindow { limit, .. } => limit,
        _ => "no population to measure it by".to_owned(),
    })
}

/// The limit that so many people pass, if any.
fn trip(people: u32, baseline: Baseline, limit: &Limit) -> Option<Finding> {
    if people == 0 {
        return None;
    }
    // A budget of the day, not of each run: a drip of three every minute is no few.
    let are_few = baseline.departed_in_day.saturating_add(people) <= limit.individual;
    let in_run = baseline.departed_in_hour.saturating_add(people);
    let in_window = baseline.departed_in_window.saturating_add(people);
    if in_run > limit.per_run {
        return Some(Finding::TooManyAtOnce {
            people: in_run,
            limit: format!("{} a run", limit.per_run),
        });
    }
    let Some(population) = baseline.population else {
        return (!are_few).then_some(Finding::NoBaseline);
    };
    if in_run > limit.percent_from && exceeds(in_run, limit.per_run_percent, population) {
        let limit = format!("{} % of {population} a run", limit.per_run_percent);
        return Some(Finding::TooManyAtOnce { people: in_run, limit });
    }
    let used_up =
        in_window > limit.percent_from && exceeds(in_window, limit.window_percent, population);
    if used_up && !are_few {
        let limit =
            format!("{} % of {population} in {} days", limit.window_percent, limit.window_days);
        return Some(Finding::TooManyInWindow { people: in_window, limit });
    }
    None
}

fn exceeds(people: u32, percent: f64, population: u32) -> bool {
    f64::from(people) * 100.0 > percent * f64::from(population)
}

/// One departure as a plan of its own.
#[must_use]
pub fn single(p: Proposed, policy_version: &str) -> Plan {
    let kind = PlanKind::Departure { case: p.case, person: p.person, noticed_at: p.noticed_at };
    Plan::new(kind, policy_version, p.steps, p.findings, p.explanations)
}

/// The departures of a held plan by other rules than those it was made by: held as well, for the same
/// reasons, whatever the new rules' limits are. `None` when nothing is left to do.
#[must_use]
pub fn held_again(held: &Plan, proposed: Vec<Proposed>, policy_version: &str) -> Option<Plan> {
    let mut all: Vec<Proposed> = proposed.into_iter().filter(|p| !p.steps.is_empty()).collect();
    match held.kind {
        PlanKind::Departure { .. } => {
            let mut only = all.pop()?;
            let known = held.findings.iter().filter(|f| !only.findings.contains(f));
            let known: Vec<Finding> = known.cloned().collect();
            only.findings.extend(known);
            Some(single(only, policy_version))
        }
        // Made anew by the rounds that planned them.
        PlanKind::Form { .. }
        | PlanKind::Suspension { .. }
        | PlanKind::MassSuspension { .. }
        | PlanKind::Passwords { .. }
        | PlanKind::Restoration { .. } => None,
        PlanKind::MassDeparture { .. } if all.is_empty() => None,
        PlanKind::MassDeparture { .. } => {
            let own: Vec<Finding> = all.iter().flat_map(|p| p.findings.clone()).collect();
            let mut findings = held.findings.clone();
            findings.extend(own);
            Some(mass(all, findings, policy_version))
        }
    }
}

fn mass(all: Vec<Proposed>, findings: Vec<Finding>, policy_version: &str) -> Plan {
    let people = count(&all);
    let noticed_at = all.iter().map(|p| p.noticed_at).max().unwrap_or(Timestamp::UNIX_EPOCH);
    let mut steps = Vec::new();
    let mut explanations = Vec::new();
    for proposed in all {
        steps.extend(proposed.steps);
        explanations.extend(proposed.explanations);
    }
    Plan::new(
        PlanKind::MassDeparture { people, noticed_at },
        policy_version,
        steps,
        findings,
        explanations,
    )
}

impl Finding {
    /// What was found and what to look at, as a sentence for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::TooManyAtOnce { people, limit } => format!(
                "{people} people would depart at once, more than {limit}: compare the drop with HR's own \
                 count, then release or reject"
            ),
            Self::TooManyInWindow { people, limit } => format!(
                "{people} people depart within the window, more than {limit}: look for a slow loss in the \
                 feed, then release or reject"
            ),
            Self::Protected { account, because, .. } => format!(
                "account {account} is protected ({because}): an operator other than the one who gave \
                 the notice has to release it"
            ),
            Self::NotCorroborated { account, because, .. } => {
                format!(
                    "account {account} matches by its key alone: {because}; ask HR, then release or reject"
                )
            }
            Self::TooManySuspended { people, limit } => format!(
                "access of {people} people would stop, more than {limit}: look whether HR's file, or the \
                 source of the last log-on, is broken, then release or reject"
            ),
            Self::TooManyPasswords { people, limit } => format!(
                "{people} people would have to change a password at their next log-on, more than {limit}: tell \
                 them and the help desk, then release or reject"
            ),
            Self::NoBaseline => {
                "no population has been accepted yet, so nothing says how many are too many: \
                                 adopt the directory or release by hand"
                    .into()
            }
        }
    }
}
