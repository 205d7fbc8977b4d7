//! Plans every departure that is in effect and has something left to do, and asks the guard.

use super::departing::keep_picture;
use super::{Cycle, CycleError, DAEMON};
use crate::store::{
    AuditEntry, CaseFilter, Marks, SetAside, StepFilter, StoreError, StoredPlan, StoredStep, ToAdd,
    Tx,
};
use jiff::{SignedDuration, Timestamp};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    Case, CaseId, CaseState, ConnectorName, NoticeState, Person, PersonId, SourceName,
};
use lapsed_core::guard::{Baseline, Proposed, Verdict, held_again, judge, single};
use lapsed_core::journal::StepEvent;
use lapsed_core::plan::{Plan, PlanHash, PlanState};
use lapsed_core::step::{Fault, Step};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use uuid::Uuid;

/// The source of notices that operators give themselves.
pub const OPERATOR: &str = SourceName::OPERATOR;

/// What one round decided.
#[derive(Debug, Default)]
pub struct Decided {
    /// Plans of this round with their state: passed or held, or what an earlier round made of the same plan.
    pub plans: Vec<(Plan, PlanState)>,
    /// Targets that could not be read; who is affected is looked at again next round.
    pub unreadable: BTreeMap<ConnectorName, Fault>,
    /// Targets that were asked and answered whole.
    pub answered: BTreeSet<ConnectorName>,
}

/// How many people one round plans for at the most; the rest follow at once in the next round.
const PEOPLE_AT_ONCE: usize = 2_000;

impl Cycle {
    /// Looks at everyone whose facts have changed or whose day has come, and plans what must happen.
    ///
    /// People stay marked until their plan is stored: a crash or an unreadable target loses nobody.
    pub async fn decide(&self, now: Timestamp) -> Result<Decided, CycleError> {
        self.expire_releases(now).await?;
        self.drop_unwished(now).await?;
        let mut decided = Decided::default();
        let mut marks = self.store.read().people_to_decide().await?;
        let mut wanted: Vec<PersonId> = marks.keys().copied().collect();
        let stale = self.held_by_other_rules().await?;
        wanted.extend(stale.iter().flat_map(|held| held.plan.steps.iter().map(|s| s.person)));
        wanted.extend(self.store.read().cases_due(now).await?.into_iter().map(|case| case.person));
        wanted.sort();
        wanted.dedup();
        // All departures of a round are judged together: a cut into blocks would blind the guard.
        let mut in_effect = Vec::new();
        for block in wanted.chunks(PEOPLE_AT_ONCE) {
            in_effect.extend(self.settle_block(block, &mut marks, now).await?);
        }
        let in_effect = self.hold_again(&stale, in_effect, &marks, now, &mut decided).await?;
        let undecided = self.undecided(in_effect, &marks, now).await?;
        let (proposed, work) = self.propose_within(undecided, &marks, now, &mut decided).await?;
        let baseline = self.baseline(&proposed, now).await?;
        let limits = &self.config.policy.guard;
        let judged = judge(proposed, baseline, limits, &self.config.policy.version());
        self.store_plans(judged, work, &[], &marks, now, &mut decided).await?;
        Ok(decided)
    }

    /// A release of which nothing was done in time is void: its plan is held as before, where it is seen.
    async fn expire_releases(&self, now: Timestamp) -> Result<(), CycleError> {
        let mut released = self.store.read().plans(&[PlanState::Released]).await?;
        released.retain(|plan| plan.release_expires_at.is_some_and(|until| until <= now));
        if released.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for stored in &released {
            tx.set_plan_state(&stored.plan.hash, PlanState::Held, None).await?;
            let filter = StepFilter {
                plan: Some(stored.plan.hash.clone()),
                ended: Some(false),
                ..StepFilter::default()
            };
            let steps = tx.read().steps(&filter).await?;
            let off = |s: &StoredStep| s.on(StepEvent::Cancel("its release expired".into())).ok();
            tx.set_steps(&steps.iter().filter_map(off).collect::<Vec<_>>(), now).await?;
            tx.audit(AuditEntry {
                plan: Some(stored.plan.hash.clone()),
                case: stored.plan.only_case(),
                clause: Some(self.config.policy.citations.cite(Rule::D2)),
                detail: json!({ "steps": stored.plan.steps.len() }),
                ..AuditEntry::new(now, DAEMON, "plan.release_expired")
            });
        }
        tx.commit().await?;
        Ok(())
    }

    /// Plans that are held, made by other rules than those of today.
    async fn held_by_other_rules(&self) -> Result<Vec<StoredPlan>, CycleError> {
        let version = self.config.policy.version();
        let mut held = self.store.read().plans(&[PlanState::Held]).await?;
        held.retain(|stored| {
            stored.plan.kind.is_departure() && stored.plan.policy_version != version
        });
        Ok(held)
    }

    /// Makes held plans anew by the rules of today, held as before, so that they can be released; gives
    /// back those whose departure is in none of them.
    async fn hold_again(
        &self,
        stale: &[StoredPlan],
        mut in_effect: Vec<(Person, Case)>,
        marks: &Marks,
        now: Timestamp,
        decided: &mut Decided,
    ) -> Result<Vec<(Person, Case)>, CycleError> {
        for held in stale {
            let cases: HashSet<CaseId> = held.plan.steps.iter().map(|s| s.case).collect();
            let (theirs, others) =
                in_effect.into_iter().partition(|(_, case)| cases.contains(&case.id));
            in_effect = others;
            let (proposed, work) = self.propose(theirs, now, decided).await?;
            if !work.iter().all(|departing| departing.directories) {
                // With half of what there is to do, the old plan stays until every directory can be read.
                continue;
            }
            let version = self.config.policy.version();
            let again = held_again(&held.plan, proposed, &version);
            let judged = again.into_iter().map(|plan| (plan, Verdict::Hold)).collect();
            let hash = std::slice::from_ref(&held.plan.hash);
            self.store_plans(judged, work, hash, marks, now, decided).await?;
        }
        Ok(in_effect)
    }

    /// Puts the deletions of people on the calendar whose accounts were shut before they were adopted.
    /// What is left to revoke is planned, and judged, in the next round.
    pub async fn schedule_shut(&self, cases: Vec<Case>, now: Timestamp) -> Result<(), CycleError> {
        let ids: Vec<PersonId> = cases.iter().map(|case| case.person).collect();
        let mut people: HashMap<PersonId, Person> =
            self.store.read().people(&ids).await?.into_iter().map(|p| (p.id, p)).collect();
        let departing =
            cases.into_iter().filter_map(|case| Some((people.remove(&case.person)?, case)));
        let mut decided = Decided::default();
        let (proposed, work) = self.propose(departing.collect(), now, &mut decided).await?;
        let version = self.config.policy.version();
        let mut more = Vec::new();
        let mut judged = Vec::new();
        for mut one in proposed {
            if one.steps.iter().any(|step| !step.action.destroys()) {
                more.push(one.person);
            }
            one.steps.retain(|step| step.action.destroys());
            if !one.steps.is_empty() && one.findings.is_empty() {
                judged.push((single(one, &version), Verdict::Pass));
            }
        }
        self.store_plans(judged, work, &[], &Marks::new(), now, &mut decided).await?;
        let tx = self.store.begin().await?;
        tx.mark_to_decide(&more, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Settles the cases of some people; those without anything to plan are no longer marked.
    async fn settle_block(
        &self,
        block: &[PersonId],
        marks: &mut Marks,
        now: Timestamp,
    ) -> Result<Vec<(Person, Case)>, CycleError> {
        // Nothing is written between these reads and what follows from them.
        let mut tx = self.store.begin().await?;
        let people = tx.read().people(block).await?;
        let filter = CaseFilter { people: Some(block.to_vec()), ..CaseFilter::default() };
        let cases = tx.read().cases(&filter).await?;
        let mut known: HashMap<CaseId, Case> = cases.into_iter().map(|c| (c.id, c)).collect();
        let mut in_effect = Vec::new();
        let mut settled = Vec::new();
        let mut marked = Vec::new();
        for mut person in people {
            let known = known.remove(&CaseId::departure(person.id, person.episode));
            self.settle_leave(&mut tx, &person, now).await?;
            match self.settle_case(&mut tx, &mut person, known, now).await? {
                Some(case) => {
                    if !marks.contains_key(&person.id) {
                        marked.push(person.id);
                    }
                    in_effect.push((person, case));
                }
                None => settled.push(person.id),
            }
        }
        // Marked in the same breath as the case opens: whatever fails from here on, the next round looks.
        tx.mark_to_decide(&marked, now).await?;
        tx.clear_to_decide(&settled, marks).await?;
        let since = Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now);
        marks.extend(marked.into_iter().map(|person| (person, since)));
        tx.commit().await?;
        Ok(in_effect)
    }

    /// Leaves out whose plan waits for a release, or was rejected and no newer notice has come since.
    async fn undecided(
        &self,
        in_effect: Vec<(Person, Case)>,
        marks: &Marks,
        now: Timestamp,
    ) -> Result<Vec<(Person, Case)>, CycleError> {
        if in_effect.is_empty() {
            return Ok(in_effect);
        }
        let decisions = self.decisions_by_case().await?;
        let (blocked, free): (Vec<_>, Vec<_>) =
            in_effect.into_iter().partition(|(person, case)| {
                decisions.get(&case.id).is_some_and(|plan| blocks(plan, person, now))
            });
        let blocked: Vec<PersonId> = blocked.iter().map(|(person, _)| person.id).collect();
        let tx = self.store.begin().await?;
        tx.clear_to_decide(&blocked, marks).await?;
        tx.commit().await?;
        Ok(free)
    }

    async fn decisions_by_case(&self) -> Result<HashMap<CaseId, Arc<StoredPlan>>, CycleError> {
        let mut latest: HashMap<CaseId, Arc<StoredPlan>> = HashMap::new();
        for plan in self.store.read().plans(&[PlanState::Held, PlanState::Rejected]).await? {
            // A mass plan is one of many cases: shared, never copied for each of them.
            let plan = Arc::new(plan);
            let cases: HashSet<CaseId> = plan.plan.steps.iter().map(|s| s.case).collect();
            for case in cases {
                let newer =
                    latest.get(&case).is_none_or(|known| known.created_at < plan.created_at);
                if newer {
                    latest.insert(case, Arc::clone(&plan));
                }
            }
        }
        Ok(latest)
    }

    /// What limits are measured against. People who are proposed again were counted when they were let
    /// through, and count once.
    async fn baseline(
        &self,
        proposed: &[Proposed],
        now: Timestamp,
    ) -> Result<Baseline, CycleError> {
        let again: HashSet<PersonId> = proposed.iter().map(|p| p.person).collect();
        let days = i64::from(self.config.policy.guard.departures.window_days);
        let mut departed = [0_u32; 3];
        for (count, hours) in departed.iter_mut().zip([days.saturating_mul(24), 24, 1]) {
            let since =
                now.checked_sub(SignedDuration::from_hours(hours)).unwrap_or(Timestamp::MIN);
            let people = self.store.read().people_departing_since(since).await?;
            let others = people.iter().filter(|person| !again.contains(person)).count();
            *count = u32::try_from(others).unwrap_or(u32::MAX);
        }
        let [departed_in_window, departed_in_day, departed_in_hour] = departed;
        Ok(Baseline {
            population: self.population().await?,
            departed_in_window,
            departed_in_hour,
            departed_in_day,
        })
    }

    /// The population that limits in percent are measured against: what each full feed counted before the
    /// newest one, or the adoption before any. A poisoned feed must not choose its own measure.
    pub async fn population(&self) -> Result<Option<u32>, CycleError> {
        let mut sum: Option<u32> = None;
        let read = self.store.read();
        for feed in self.config.feeds.keys() {
            if let Some(count) = read.setting::<u32>(&format!("population.{feed}")).await? {
                sum = Some(sum.unwrap_or(0).saturating_add(count));
            }
        }
        Ok(sum)
    }

    async fn store_plans(
        &self,
        mut judged: Vec<(Plan, Verdict)>,
        mut work: Vec<Departing>,
        replaced: &[PlanHash],
        marks: &Marks,
        now: Timestamp,
        decided: &mut Decided,
    ) -> Result<(), CycleError> {
        if judged.is_empty() && work.is_empty() && replaced.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        let again = moved_on(&tx, &judged, &work).await?;
        judged.retain(|(plan, _)| plan.steps.iter().all(|step| !again.contains(&step.person)));
        work.retain(|departing| !again.contains(&departing.person.id));
        tx.mark_to_decide(&again.iter().copied().collect::<Vec<_>>(), now).await?;
        let replaced = if again.is_empty() { replaced } else { &[] };
        let hashes: Vec<PlanHash> = judged.iter().map(|(plan, _)| plan.hash.clone()).collect();
        let known = tx.read().plan_states(&hashes).await?;
        let mut states = Vec::new();
        for (plan, verdict) in judged {
            let known = known.get(&plan.hash).copied();
            let state = match (known, verdict) {
                (Some(PlanState::Replaced) | None, Verdict::Pass) => PlanState::Passed,
                (Some(PlanState::Replaced) | None, Verdict::Hold) => PlanState::Held,
                // The same wish again attaches to the same plan, whatever was made of it.
                (Some(state), _) => state,
            };
            // One that was replaced and is wished for again starts anew.
            states.push((plan, state, matches!(known, None | Some(PlanState::Replaced))));
        }
        let planned: HashSet<CaseId> =
            states.iter().flat_map(|(plan, ..)| plan.steps.iter().map(|s| s.case)).collect();
        let shut = self.store_findings(&mut tx, &work, &planned).await?;
        let by_case: HashMap<CaseId, &Departing> = work.iter().map(|d| (d.case.id, d)).collect();
        for hash in replaced {
            tx.set_plan_state(hash, PlanState::Replaced, None).await?;
        }
        replace_older(&tx, &states).await?;
        let new = states.iter().filter(|(.., is_new)| *is_new);
        let new: Vec<_> = new.map(|(plan, state, _)| (plan, *state, &*plan.findings)).collect();
        tx.save_plans(&new, now).await?;
        let go = |state| matches!(state, PlanState::Passed | PlanState::Released);
        let going = states.iter().filter(|(_, state, _)| go(*state)).map(|(plan, ..)| plan);
        add_steps(&tx, &going.collect::<Vec<_>>(), now).await?;
        for (plan, state, _) in new {
            self.note_plan(&mut tx, plan, state, &by_case, now);
        }
        for departing in &work {
            for reason in &departing.attention {
                tx.set_aside_once(&aside(&departing.person, reason, now)?).await?;
            }
        }
        // Of those shut out days ago, a system that is down is asked again by the nightly round: asked at
        // every look, everyone who ever left would be read again and again meanwhile.
        let lately = self
            .today(now)
            .checked_sub(jiff::Span::new().days(2))
            .unwrap_or(jiff::civil::Date::MIN);
        let long_shut =
            |d: &&Departing| d.directories && d.case.disabled_on.is_some_and(|day| day < lately);
        let done = work.iter().filter(|d| d.readable || long_shut(d));
        let done: Vec<PersonId> = done.map(|d| d.person.id).collect();
        tx.clear_to_decide(&done, marks).await?;
        tx.commit().await?;
        self.tell_shut(&shut, now).await;
        decided.plans.extend(states.into_iter().map(|(plan, state, _)| (plan, state)));
        Ok(())
    }

    /// Writes what was found of people and cases into what is stored of them by now: between reading the
    /// directory and this moment, notices may have come and clocks may have started.
    async fn store_findings(
        &self,
        tx: &mut Tx,
        work: &[Departing],
        planned: &HashSet<CaseId>,
    ) -> Result<Vec<CaseId>, CycleError> {
        let mut shut = Vec::new();
        let ids: Vec<PersonId> = work.iter().map(|d| d.person.id).collect();
        let links: Vec<_> = work.iter().map(|d| (d.person.id, d.person.accounts.clone())).collect();
        tx.link_accounts(&links).await?;
        let filter = CaseFilter { people: Some(ids), ..CaseFilter::default() };
        let cases = tx.read().cases(&filter).await?;
        let mut cases: HashMap<CaseId, Case> = cases.into_iter().map(|c| (c.id, c)).collect();
        let mut changed = Vec::new();
        for departing in work {
            if let Some(mut case) = cases.remove(&departing.case.id) {
                let before = case.clone();
                if case.state == CaseState::Closed && planned.contains(&case.id) {
                    // Put back by other hands (D13): the departure is not over.
                    case.state = CaseState::Open;
                }
                for (name, account) in &departing.case.before {
                    keep_picture(&mut case, name, account.clone());
                }
                if let (None, Some(day), Some(class)) =
                    (case.disabled_on, departing.case.disabled_on, departing.case.worksite_class)
                {
                    case.disabled_on = Some(day);
                    case.worksite_class = Some(class);
                    shut.push(case.id);
                    self.redate_deletions(tx, case.id, class, day).await?;
                }
                if case != before {
                    changed.push(case);
                }
            }
        }
        tx.save_cases(&changed).await?;
        Ok(shut)
    }

    fn note_plan(
        &self,
        tx: &mut Tx,
        plan: &Plan,
        state: PlanState,
        work: &HashMap<CaseId, &Departing>,
        now: Timestamp,
    ) {
        let event = if state == PlanState::Held { "plan.held" } else { "plan.passed" };
        let findings: Vec<String> = plan.findings.iter().map(|f| f.describe()).collect();
        let only = plan.only_case();
        let whose = only.and_then(|case| work.get(&case));
        tx.audit(AuditEntry {
            person: whose.map(|d| d.person.id),
            case: only,
            plan: Some(plan.hash.clone()),
            user_id: whose.and_then(|d| d.person.user_ids().into_iter().next()),
            clause: Some(self.config.policy.citations.cite(Rule::D2)),
            detail: json!({
                "steps": plan.steps.len(), "findings": findings, "policy": plan.policy_version,
            }),
            ..AuditEntry::new(now, DAEMON, event)
        });
    }
}

/// Somebody about whom a person has to do something, in the words of the latest notice's source.
pub(super) fn aside(person: &Person, reason: &str, now: Timestamp) -> Result<SetAside, CycleError> {
    let latest = person.notices.last();
    let source = match latest {
        Some(notice) => notice.source.clone(),
        None => SourceName::new(DAEMON).map_err(|e| CycleError::Rule(e.to_string()))?,
    };
    Ok(SetAside {
        // The same thing about the same person is the same entry: once settled, it is not said again before
        // their next departure.
        id: Uuid::new_v5(&CaseId::departure(person.id, person.episode).0, reason.as_bytes()),
        drop: None,
        source,
        file_name: latest.map(|n| n.brought_by.clone()).unwrap_or_default(),
        line: None,
        reason: reason.to_owned(),
        who: Some(person.shown()),
        at: now,
        settled_at: None,
    })
}

/// Whose facts are no longer those that were decided on, as a notice came or was withdrawn while directories were
/// asked, and whoever is in one plan with them: they are decided on again at once.
async fn moved_on(
    tx: &Tx,
    judged: &[(Plan, Verdict)],
    work: &[Departing],
) -> Result<HashSet<PersonId>, StoreError> {
    let ids: Vec<PersonId> = work.iter().map(|departing| departing.person.id).collect();
    let now = tx.read().people(&ids).await?;
    let now: HashMap<PersonId, Person> = now.into_iter().map(|p| (p.id, p)).collect();
    let is_as_read = |departing: &&Departing| {
        let read = &departing.person;
        now.get(&read.id).is_some_and(|now| {
            now.episode == read.episode
                && now.notices == read.notices
                && now.engagements == read.engagements
        })
    };
    let moved: HashSet<PersonId> =
        work.iter().filter(|d| !is_as_read(d)).map(|d| d.person.id).collect();
    let theirs = judged
        .iter()
        .filter(|(plan, _)| plan.steps.iter().any(|step| moved.contains(&step.person)));
    let beside = theirs.flat_map(|(plan, _)| plan.steps.iter().map(|step| step.person));
    Ok(beside.chain(moved.iter().copied()).collect())
}

/// Puts the steps of plans into the journal; a dismissal for cause comes first in line (D2).
pub async fn add_steps(tx: &Tx, plans: &[&Plan], now: Timestamp) -> Result<(), StoreError> {
    let mut people: Vec<PersonId> =
        plans.iter().flat_map(|plan| &plan.steps).map(|s| s.person).collect();
    people.sort();
    people.dedup();
    let filter = CaseFilter { people: Some(people), ..CaseFilter::default() };
    let cases = tx.read().cases(&filter).await?;
    let for_cause: HashSet<CaseId> =
        cases.into_iter().filter(|case| case.for_cause).map(|case| case.id).collect();
    let all: Vec<ToAdd<'_>> = plans
        .iter()
        .flat_map(|plan| {
            let first = |step: &Step| for_cause.contains(&step.case);
            plan.steps.iter().map(move |step| ToAdd {
                plan: &plan.hash,
                step,
                for_cause: first(step),
            })
        })
        .collect();
    tx.add_steps_of_plans(&all, now).await?;
    Ok(())
}

/// One departure that was planned in this round.
#[derive(Debug)]
pub struct Departing {
    /// Whose, with the accounts that are now known to be theirs.
    pub person: Person,
    /// The case, with what is frozen now.
    pub case: Case,
    /// What a person has to look at: accounts that may be somebody else's, or that there are none.
    pub attention: Vec<String>,
    /// False when a target could not be read: the person stays marked.
    pub readable: bool,
    /// False when a directory could not be read.
    pub directories: bool,
}

/// The parts of a round that later parts need.
pub type Round = (Vec<Proposed>, Vec<Departing>);

/// A newer plan for the same people takes the place of older ones that are held.
async fn replace_older(tx: &Tx, states: &[(Plan, PlanState, bool)]) -> Result<(), CycleError> {
    let new: Vec<&Plan> = states.iter().filter(|s| s.2).map(|s| &s.0).collect();
    if new.is_empty() {
        return Ok(());
    }
    for held in tx.read().plans(&[PlanState::Held]).await? {
        let theirs: HashSet<CaseId> = held.plan.steps.iter().map(|s| s.case).collect();
        let covers = |plan: &&&Plan| {
            let cases: HashSet<CaseId> = plan.steps.iter().map(|s| s.case).collect();
            plan.hash != held.plan.hash && theirs.is_subset(&cases)
        };
        if new.iter().any(|plan| covers(&plan)) {
            tx.set_plan_state(&held.plan.hash, PlanState::Replaced, None).await?;
        }
    }
    Ok(())
}

/// A plan that waits or was rejected decides on its people until a newer notice comes. What was decided while
/// the clock was ahead is no newer than a notice that comes now.
fn blocks(plan: &StoredPlan, person: &Person, now: Timestamp) -> bool {
    const CLOCKS_DIFFER: SignedDuration = SignedDuration::from_mins(5);
    let since = match plan.state {
        PlanState::Held => plan.created_at,
        PlanState::Rejected => plan.decided_at.unwrap_or(plan.created_at),
        PlanState::Passed | PlanState::Released | PlanState::Replaced => return false,
    };
    if since.duration_since(now) > CLOCKS_DIFFER {
        return false;
    }
    !person.notices.iter().any(|n| n.state == NoticeState::Standing && n.received_at > since)
}

#[cfg(test)]
mod tests;
