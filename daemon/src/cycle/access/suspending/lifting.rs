//! The end of a suspension: what lifts it, and what is opened again.

use super::{AGAIN, LATER, PEOPLE_A_QUESTION, later};
use crate::cycle::decide::{Decided, aside};
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, CaseFilter, SetAside, StepFilter, StepUpdate, StoredStep, Tx};
use jiff::Timestamp;
use lapsed_core::access::suspension::{Suspension, SuspensionKind};
use lapsed_core::facts::{Case, CaseState, ConnectorName, Person, PersonId};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::observed::ObservedAccount;
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::reconcile::suspending::{Debt, debts, give_back, still_owed};
use lapsed_core::step::Step;
use serde_json::json;
use std::collections::HashSet;
use uuid::Uuid;

impl Cycle {
    /// Lifts suspensions whose last day is past, and those of people who have departed meanwhile: their
    /// departure counts from its own day. An order stands until it is lifted.
    pub(super) async fn end_suspensions(&self, now: Timestamp) -> Result<(), CycleError> {
        let mut standing = self.store.read().standing_suspensions().await?;
        standing.retain(|suspension| suspension.kind != SuspensionKind::Order);
        if standing.is_empty() {
            return Ok(());
        }
        let departed = self.who_departed(&standing).await?;
        let today = self.today(now);
        let over: Vec<(Suspension, &str)> = standing
            .into_iter()
            .filter_map(|suspension| {
                if departed.contains(&suspension.person) {
                    Some((suspension, "the person departed"))
                } else if suspension.has_run_out(today) {
                    Some((suspension, "its last day is past"))
                } else {
                    None
                }
            })
            .collect();
        if over.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for (suspension, why) in over {
            self.lift(&mut tx, suspension, DAEMON, why, now).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn who_departed(&self, of: &[Suspension]) -> Result<HashSet<PersonId>, CycleError> {
        let mut departed = HashSet::new();
        for block in of.chunks(PEOPLE_A_QUESTION) {
            let filter = CaseFilter {
                people: Some(block.iter().map(|s| s.person).collect()),
                states: vec![CaseState::Open, CaseState::Closed],
                ..CaseFilter::default()
            };
            let cases = self.store.read().cases(&filter).await?;
            let people = self.people_of(block).await?;
            // Of a departure before the last hire nothing is left.
            let present = |case: &&Case| {
                people.get(&case.person).is_some_and(|person| {
                    lapsed_core::facts::CaseId::departure(person.id, person.episode) == case.id
                })
            };
            departed.extend(cases.iter().filter(present).map(|case| case.person));
        }
        Ok(departed)
    }

    /// Lifts a suspension, on record; what it shut is opened in the rounds that follow.
    pub(crate) async fn lift(
        &self,
        tx: &mut Tx,
        suspension: Suspension,
        who: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let person = tx.read().people(&[suspension.person]).await?.pop();
        tx.audit(AuditEntry {
            person: Some(suspension.person),
            case: Some(suspension.case()),
            user_id: person.and_then(|p| p.user_ids().into_iter().next()),
            clause: Some(self.config.policy.citations.cite(suspension.kind.rule())),
            detail: json!({
                "suspension": suspension.kind.noun(), "why": why, "form": suspension.form,
            }),
            ..AuditEntry::new(now, who, "suspension.lifted")
        });
        let person = suspension.person;
        tx.save_suspensions(&[(suspension.lifted(now, why), Some(now))]).await?;
        // What another one that was lifted earlier had to leave shut may be opened now, and forms go on.
        tx.look_at_suspensions_of(&[person], now).await?;
        tx.look_at_forms_of(&[person], now).await?;
        Ok(())
    }

    /// Opens what a lifted suspension shut, as far as nothing else stops it; looks again until all of it
    /// is open.
    pub(super) async fn give_back(
        &self,
        suspension: Suspension,
        decided: &mut Decided,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let read = self.store.read();
        let Some(case) = read.case(suspension.case()).await? else {
            return self.is_over(suspension, None, now).await;
        };
        let filter = StepFilter { cases: vec![case.id], ..StepFilter::default() };
        let steps = read.steps(&filter).await?;
        if self.is_still_under_way(&suspension, &case, &steps, now).await? {
            return Ok(());
        }
        let journal: Vec<(Step, StepState)> =
            steps.iter().map(|s| (s.step.clone(), s.state.clone())).collect();
        let (owed, dropped) = self.owed(&suspension, &case, &journal).await?;
        let Some(person) = read.people(&[suspension.person]).await?.pop() else {
            return self.is_over(suspension, Some(case), now).await;
        };
        if self.who_departed(std::slice::from_ref(&suspension)).await?.len() == 1 {
            return self.is_over(suspension, Some(case), now).await;
        }
        self.tell_dropped(&suspension, &person, &dropped, now).await?;
        if owed.is_empty() {
            return self.is_over(suspension, Some(case), now).await;
        }
        let others: Vec<Suspension> = read
            .suspensions_of(&[person.id])
            .await?
            .into_iter()
            .filter(|other| other.id != suspension.id && other.stands(self.today(now)))
            .collect();
        let (blocked, free): (Vec<Debt>, Vec<Debt>) = owed
            .into_iter()
            .partition(|debt| others.iter().any(|other| other.covers(&debt.connector)));
        let asked = [(person, case)];
        let observed = self.accounts_of(&asked, decided).await.pop();
        let ([(person, case)], Some((accounts, readable))) = (asked, observed) else {
            return Ok(());
        };
        let opened = Opened { suspension, person, case, blocked: !blocked.is_empty() };
        self.open_again(opened, free, &accounts, readable.all, &journal, now).await
    }

    /// What its steps shut and still has to be opened: not what a form or a last day ended meanwhile, which
    /// is said instead.
    async fn owed(
        &self,
        suspension: &Suspension,
        case: &Case,
        journal: &[(Step, StepState)],
    ) -> Result<(Vec<Debt>, Vec<String>), CycleError> {
        let held = self.store.read().entitlements_of(&[suspension.person]).await?;
        let (mut owed, mut dropped) = (Vec::new(), Vec::new());
        for debt in debts(case, journal) {
            let left = still_owed(debt, suspension, &held, &self.config.policy);
            owed.extend(left.debt);
            dropped.extend(left.dropped);
        }
        Ok((owed, dropped))
    }

    /// What is not given back goes on record, and is said to a person, once.
    async fn tell_dropped(
        &self,
        suspension: &Suspension,
        person: &Person,
        dropped: &[String],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        for what in dropped {
            let day = self.today(suspension.placed_at);
            let noun = suspension.kind.noun();
            let reason = format!(
                "the {noun} of {day} is over, and {what}; have a form filed if it is needed again"
            );
            self.tell_once(suspension, (person, "suspension.not_given_back"), &reason, now).await?;
        }
        Ok(())
    }

    /// Sets aside what a person has to know of the end of a suspension, and puts it on record, both once.
    async fn tell_once(
        &self,
        suspension: &Suspension,
        (person, event): (&Person, &str),
        reason: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let aside = aside_of(suspension, person, reason, now)?;
        if self.store.read().has_set_aside(aside.id).await? {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        tx.set_aside_once(&aside).await?;
        tx.audit(AuditEntry {
            person: Some(person.id),
            case: Some(suspension.case()),
            user_id: person.user_ids().into_iter().next(),
            clause: Some(self.config.policy.citations.cite(suspension.kind.rule())),
            detail: json!({ "suspension": suspension.kind.noun(), "why": reason }),
            ..AuditEntry::new(now, DAEMON, event)
        });
        tx.commit().await?;
        Ok(())
    }

    /// Stops what was not begun, and says whether something is still on its way: what became of it decides
    /// on what is to be opened.
    async fn is_still_under_way(
        &self,
        suspension: &Suspension,
        case: &Case,
        steps: &[StoredStep],
        now: Timestamp,
    ) -> Result<bool, CycleError> {
        let shuts = |s: &&StoredStep| !s.step.action.gives();
        let waits =
            |s: &&StoredStep| matches!(s.state, StepState::Planned | StepState::Waiting { .. });
        let cancel: Vec<StepUpdate> = steps
            .iter()
            .filter(shuts)
            .filter(waits)
            .filter_map(|s| s.on(StepEvent::Cancel("the suspension was lifted".into())).ok())
            .collect();
        let under_way = steps.iter().filter(shuts).any(|s| {
            matches!(
                s.state,
                StepState::Started { .. } | StepState::Unknown { .. } | StepState::Done { .. }
            )
        });
        let tx = self.store.begin().await?;
        let lost = tx.set_steps(&cancel, now).await?;
        tx.stop_rechecks(case.id).await?;
        for plan in tx.read().plans(&[PlanState::Held]).await? {
            if plan.plan.only_case() == Some(case.id) {
                tx.set_plan_state(&plan.plan.hash, PlanState::Replaced, None).await?;
            }
        }
        let wait = under_way || !lost.is_empty();
        if wait {
            tx.save_suspensions(&[(suspension.clone(), Some(later(now, AGAIN)))]).await?;
        }
        tx.commit().await?;
        Ok(wait)
    }

    async fn open_again(
        &self,
        opened: Opened,
        free: Vec<Debt>,
        accounts: &[(ConnectorName, ObservedAccount)],
        readable: bool,
        journal: &[(Step, StepState)],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let Opened { suspension, person, case, blocked } = opened;
        let mut steps = Vec::new();
        let (mut missing, mut doubtful) = (Vec::new(), Vec::new());
        for debt in &free {
            let there = accounts
                .iter()
                .find(|(name, account)| name == &debt.connector && account.id == debt.account);
            match there.map(|(_, account)| give_back(&suspension, debt, account)) {
                Some(Some(step)) if debt.is_certain => steps.push(step),
                Some(Some(_)) => doubtful.push(debt),
                Some(None) => {}
                None => missing.push(debt),
            }
        }
        self.tell_doubtful(&suspension, &person, &doubtful, now).await?;
        let state_of = |step: &Step| {
            journal.iter().find(|(known, _)| known.id == step.id).map(|(_, state)| state)
        };
        let new: Vec<Step> = steps
            .iter()
            .filter(|step| state_of(step).is_none_or(StepState::has_ended))
            .cloned()
            .collect();
        if new.is_empty() && steps.is_empty() && !blocked && readable {
            if !missing.is_empty() {
                self.tell_missing(&suspension, &person, &missing, now).await?;
            }
            return self.is_over(suspension, Some(case), now).await;
        }
        let mut tx = self.store.begin().await?;
        if !new.is_empty() {
            let kind = PlanKind::Suspension { case: case.id, person: person.id };
            let version = self.config.policy.version();
            let plan = Plan::new(kind, &version, new, Vec::new(), Vec::new());
            let known = tx.save_plan(&plan, PlanState::Passed, &[], now).await?;
            tx.add_steps(&plan.hash, &plan.steps, true, now).await?;
            if known.is_none() {
                tx.audit(AuditEntry {
                    person: Some(person.id),
                    case: Some(case.id),
                    plan: Some(plan.hash.clone()),
                    user_id: person.user_ids().into_iter().next(),
                    clause: Some(self.config.policy.citations.cite(suspension.kind.rule())),
                    detail: json!({ "steps": plan.steps.len(), "gives_back": true }),
                    ..AuditEntry::new(now, DAEMON, "plan.passed")
                });
            }
        }
        // Blocked by another suspension, its end says when to look; until then, nothing moves.
        let refused = steps.iter().any(|step| {
            matches!(state_of(step), Some(StepState::Refused { .. } | StepState::Drifted { .. }))
        });
        let again = match (steps.is_empty(), readable) {
            (_, false) => Some(later(now, LATER)),
            (true, true) => None,
            (false, true) if refused => None,
            (false, true) => Some(later(now, AGAIN)),
        };
        tx.save_suspensions(&[(suspension, again)]).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether the suspension shut them can't be told: they may be shut by somebody else's word.
    async fn tell_doubtful(
        &self,
        suspension: &Suspension,
        person: &Person,
        doubtful: &[&Debt],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let (noun, day) = (suspension.kind.noun(), self.today(suspension.placed_at));
        for debt in doubtful {
            let reason = format!(
                "the {noun} of {day} is over, and account {} in {} stays shut: it was found shut after an \
                 attempt to shut it that was not answered, so that somebody else may have shut it; look, and \
                 open it by hand if nobody has",
                debt.label, debt.connector
            );
            self.tell_once(suspension, (person, "suspension.not_given_back"), &reason, now).await?;
        }
        Ok(())
    }

    async fn tell_missing(
        &self,
        suspension: &Suspension,
        person: &Person,
        missing: &[&Debt],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let tx = self.store.begin().await?;
        for debt in missing {
            let reason = format!(
                "the suspension is lifted, and the account that it shut in {} is not there any more: look \
                 what became of it",
                debt.connector
            );
            tx.set_aside_once(&aside_of(suspension, person, &reason, now)?).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Nothing more comes of it.
    async fn is_over(
        &self,
        mut suspension: Suspension,
        case: Option<Case>,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let mut tx = self.store.begin().await?;
        if let Some(mut case) = case {
            case.state = CaseState::Closed;
            tx.save_case(&case).await?;
        }
        tx.audit(AuditEntry {
            person: Some(suspension.person),
            case: Some(suspension.case()),
            clause: Some(self.config.policy.citations.cite(suspension.kind.rule())),
            detail: json!({ "suspension": suspension.kind.noun() }),
            ..AuditEntry::new(now, DAEMON, "suspension.over")
        });
        let person = suspension.person;
        suspension.over_at = Some(now);
        tx.save_suspensions(&[(suspension, None)]).await?;
        tx.look_at_forms_of(&[person], now).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What a person has to know of the end of one suspension: another's of the same day reads the same, and is
/// another matter.
fn aside_of(
    suspension: &Suspension,
    person: &Person,
    reason: &str,
    now: Timestamp,
) -> Result<SetAside, CycleError> {
    let aside = aside(person, reason, now)?;
    Ok(SetAside { id: Uuid::new_v5(&suspension.id, reason.as_bytes()), ..aside })
}

/// A suspension that is lifted, with what is known of it.
struct Opened {
    suspension: Suspension,
    person: Person,
    case: Case,
    /// Another suspension keeps part of it shut.
    blocked: bool,
}
