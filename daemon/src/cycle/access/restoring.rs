//! Puts back what a mistaken departure took, once the one whom D10 names has consented.
//!
//! **Flow.** Asked for, the departure's journal and its before-images are held against what the targets show;
//! what comes of it is a plan that is held. By consent to its hash its steps go into the journal, in a case
//! of its own, and are carried out as all others are. When they have ended, what the person held by forms
//! counts again.
//!
//! **Guarantees.** Nothing is planned anew without being consented to. A departure that takes effect in
//! between ends it in the same transaction; what gives access is then not claimed any more.

use super::{Cycle, CycleError};
use crate::cycle::DAEMON;
use crate::cycle::decide::{Decided, aside};
use crate::cycle::departing::Accounts;
use crate::store::{
    AuditEntry, CaseFilter, FormFilter, StepFilter, StepUpdate, StoreError, StoredStep, Tx,
};
use futures_util::future::join_all;
use jiff::Timestamp;
use lapsed_connectors::settings::Ability;
use lapsed_core::access::authority::Matter;
use lapsed_core::access::entitlement::Entitlement;
use lapsed_core::access::person::worksite;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    Actor, Case, CaseId, CaseKind, CaseState, ConnectorName, Person, PersonId, UserId,
};
use lapsed_core::journal::{StepEvent, StepState};
use lapsed_core::observed::Scope;
use lapsed_core::plan::{Plan, PlanKind, PlanState};
use lapsed_core::reconcile::granting::{KnownGroups, Opener};
use lapsed_core::reconcile::restoring::{
    Refusal, Restored, Restoring, Taken, Targets, comes_back, groups_left, may_restore,
    no_longer_held, restore,
};
use lapsed_core::standing::standing;
use serde_json::json;
use std::collections::BTreeSet;

/// What would be put back, as the targets show it now.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Whose.
    pub person: Person,
    /// The departure that took it.
    pub departure: Case,
    /// The case of putting back; not stored before consent.
    pub case: Case,
    /// The plan, to be consented to by its hash.
    pub plan: Plan,
    /// What is put back, and what is not.
    pub restored: Restored,
    /// It was put back before, and all of it is done.
    pub done_before: bool,
}

/// Why nothing was prepared.
#[derive(Debug, thiserror::Error)]
pub enum NotPrepared {
    /// A rule forbids it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// State or rules.
    #[error(transparent)]
    Failed(#[from] CycleError),
}

impl From<StoreError> for NotPrepared {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// A person's departure with what its journal has.
struct Known {
    departure: Case,
    steps: Vec<StoredStep>,
}

impl Cycle {
    /// Works out what would be put back of a person's latest departure, or of the one named. `asked_by` is
    /// who asks for it: never the one for whom a new password is sealed.
    pub(crate) async fn prepare_restoration(
        &self,
        person: Person,
        named: Option<CaseId>,
        asked_by: &Actor,
        now: Timestamp,
    ) -> Result<Prepared, NotPrepared> {
        let known = self.departure_to_restore(&person, named, now).await?;
        let (case, own) = self.restoration_case(&known, now).await?;
        let done_before = case.state == CaseState::Closed && own.iter().all(|s| s.state.is_done());
        let mut decided = Decided::default();
        let asked = [(person.clone(), known.departure.clone())];
        let answer = self.accounts_of(&asked, &mut decided).await.pop();
        let accounts: Accounts = answer.map(|(accounts, _)| accounts).unwrap_or_default();
        let taken = taken_of(&known.steps);
        let groups = self.groups_by_name(&taken, &mut decided).await;
        let targets = self.restore_targets(&person, &decided, now).await?;
        let (forms, held) = self.held_by(person.id).await?;
        let today = self.today(now);
        let policy = &self.config.policy;
        let ended = no_longer_held(policy, &person, &known.departure, &forms, &held, today)
            .map_err(CycleError::Rule)?;
        let opener = self.restoration_opener(&person, asked_by).await?;
        let state_of = |id| own.iter().find(|s| s.step.id == id).map(|s| s.state.clone());
        let restored = restore(&Restoring {
            departure: &known.departure,
            person: &person,
            case: case.id,
            taken: &taken,
            accounts: &accounts,
            groups: &groups,
            targets: &targets,
            ended: &ended,
            opener: &opener,
            journal: &state_of,
        });
        let kind = PlanKind::Restoration {
            case: case.id,
            person: person.id,
            departure: known.departure.id,
        };
        let (steps, findings) = (restored.steps.clone(), restored.findings.clone());
        let plan = Plan::new(kind, &policy.version(), steps, findings, Vec::new());
        let case = Case { before: accounts, ..case };
        Ok(Prepared { person, departure: known.departure, case, plan, restored, done_before })
    }

    /// The departure that is meant, if it may be put back at all.
    async fn departure_to_restore(
        &self,
        person: &Person,
        named: Option<CaseId>,
        now: Timestamp,
    ) -> Result<Known, NotPrepared> {
        let read = self.store.read();
        let standing = standing(person, now, &self.config.time_zone);
        let mut later = Vec::new();
        for episode in (0..=person.episode).rev() {
            let id = CaseId::departure(person.id, episode);
            let Some(case) = read.case(id).await? else { continue };
            let filter = StepFilter { cases: vec![id], ..StepFilter::default() };
            let steps = read.steps(&filter).await?;
            let in_effect = matches!(case.state, CaseState::Open | CaseState::Closed);
            if !in_effect && steps.iter().all(|s| s.attempts == 0) {
                continue;
            }
            if named.is_none_or(|named| named == id) {
                may_restore(&case, &later, &standing)?;
                return Ok(Known { departure: case, steps });
            }
            later.push(case.state);
        }
        Err(Refusal::TookNothing.into())
    }

    /// The case of putting a departure back, with its journal. One that was carried out whole stays as it is,
    /// unless the departure took something anew since: then it is another one.
    async fn restoration_case(
        &self,
        known: &Known,
        now: Timestamp,
    ) -> Result<(Case, Vec<StoredStep>), NotPrepared> {
        let read = self.store.read();
        for time in 0.. {
            let id = CaseId::of_restoration(known.departure.id, time);
            let Some(case) = read.case(id).await? else {
                return Ok((case_of(id, &known.departure, now), Vec::new()));
            };
            let filter = StepFilter { cases: vec![id], ..StepFilter::default() };
            let own = read.steps(&filter).await?;
            let since = case.opened_at;
            let anew = known.steps.iter().any(|s| s.first_started_at.is_some_and(|at| at > since))
                || known.departure.opened_at > since
                || known.steps.iter().any(|s| s.state.is_done() && s.changed_at > since);
            if case.state != CaseState::Closed || !anew {
                return Ok((case, own));
            }
        }
        Err(Refusal::TookNothing.into())
    }

    /// The groups that were left, as their directories name them now.
    async fn groups_by_name(&self, taken: &[Taken], decided: &mut Decided) -> KnownGroups {
        let wanted = groups_left(taken);
        let asked = wanted.iter().filter_map(|(name, groups)| {
            let eye = self.eyes.0.get(name)?;
            let scope = Scope::Groups(groups.iter().cloned().collect());
            Some(async move { (name, eye.observe(&scope).await) })
        });
        let mut known = KnownGroups::default();
        for (name, found) in join_all(asked).await {
            match found {
                Ok(observed) => known.insert(name, observed.groups),
                Err(fault) => drop(decided.unreadable.insert(name.clone(), fault)),
            }
        }
        known
    }

    async fn restore_targets(
        &self,
        person: &Person,
        decided: &Decided,
        now: Timestamp,
    ) -> Result<Targets, CycleError> {
        let able = |ability| -> BTreeSet<ConnectorName> {
            self.config.connectors.keys().filter(|name| self.able(name, ability)).cloned().collect()
        };
        let today = self.today(now);
        let stops = self.store.read().suspensions_of(&[person.id]).await?;
        let covered = |name: &&ConnectorName| {
            stops.iter().any(|stop| stop.stands(today) && stop.covers(name))
        };
        Ok(Targets {
            unread: decided.unreadable.keys().cloned().collect(),
            suspended: self.config.connectors.keys().filter(covered).cloned().collect(),
            grants: able(Ability::GrantAccess),
            delegates: able(Ability::DelegateMailbox),
        })
    }

    async fn held_by(
        &self,
        person: PersonId,
    ) -> Result<(Vec<lapsed_core::access::form::FiledForm>, Vec<Entitlement>), CycleError> {
        let read = self.store.read();
        let filter = FormFilter { people: vec![person], ..FormFilter::default() };
        Ok((read.access_forms(&filter).await?, read.entitlements_of(&[person]).await?))
    }

    /// What says who may consent for a person, and who may open an envelope of theirs.
    pub(crate) async fn restoration_matter(
        &self,
        person: &Person,
        asked_by: Option<&Actor>,
    ) -> Result<Matter, CycleError> {
        let number = person.engagements.iter().rev().find_map(|e| e.supervisor.clone());
        let supervisors = match number {
            // A number that nobody or that two people have says nothing.
            Some(number) => match &self.store.read().people_by_keys(&[number], &[]).await?[..] {
                [only] => only.user_ids(),
                _ => Vec::new(),
            },
            None => Vec::new(),
        };
        Ok(Matter {
            location: worksite(person).cloned(),
            supervisors,
            supervisor_unclear: None,
            subject: person.user_ids(),
            filed_by: asked_by.cloned(),
            requested_by: asked_by.and_then(|name| UserId::new(name.as_str()).ok()),
        })
    }

    /// Ends what is being put back to somebody, since they depart: what was not begun is not begun.
    pub(in crate::cycle) async fn end_restorations_of(
        &self,
        tx: &mut Tx,
        person: PersonId,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let filter = CaseFilter {
            kind: CaseKind::Restoration,
            people: Some(vec![person]),
            states: vec![CaseState::Open],
        };
        for mut case in tx.read().cases(&filter).await? {
            let filter =
                StepFilter { cases: vec![case.id], ended: Some(false), ..StepFilter::default() };
            let waits =
                |s: &&StoredStep| matches!(s.state, StepState::Planned | StepState::Waiting { .. });
            let steps = tx.read().steps(&filter).await?;
            let off: Vec<StepUpdate> = steps
                .iter()
                .filter(waits)
                .filter_map(|s| s.on(StepEvent::Cancel(why.to_owned())).ok())
                .collect();
            tx.set_steps(&off, now).await?;
            case.state = CaseState::Closed;
            tx.save_case(&case).await?;
            self.note_restoration(tx, &case, "restore.stopped", why, now).await?;
        }
        for held in tx.read().plans(&[PlanState::Held]).await? {
            if matches!(held.plan.kind, PlanKind::Restoration { person: of, .. } if of == person) {
                tx.set_plan_state(&held.plan.hash, PlanState::Replaced, None).await?;
            }
        }
        Ok(())
    }

    /// Ends what has been put back: what the person held by forms counts again, and nobody has to look any
    /// more, but for what is stuck.
    pub(super) async fn end_restorations(&self, now: Timestamp) -> Result<(), CycleError> {
        for (case, steps) in self.restorations_that_ended().await? {
            self.end_restoration(case, &steps, now).await?;
        }
        Ok(())
    }

    /// Those of which every step has ended and was looked at, and which are still open.
    pub(crate) async fn restorations_that_ended(
        &self,
    ) -> Result<Vec<(Case, Vec<StoredStep>)>, CycleError> {
        let filter = CaseFilter {
            kind: CaseKind::Restoration,
            states: vec![CaseState::Open],
            ..CaseFilter::default()
        };
        let mut ended = Vec::new();
        for case in self.store.read().cases(&filter).await? {
            let filter = StepFilter { cases: vec![case.id], ..StepFilter::default() };
            let steps = self.store.read().steps(&filter).await?;
            let over =
                |s: &StoredStep| s.state.has_ended() && !matches!(s.state, StepState::Done { .. });
            if steps.iter().all(over) {
                ended.push((case, steps));
            }
        }
        Ok(ended)
    }

    async fn end_restoration(
        &self,
        mut case: Case,
        steps: &[StoredStep],
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let stuck: Vec<&StoredStep> = steps.iter().filter(|s| !s.state.is_done()).collect();
        let Some(person) = self.store.read().person(case.person).await? else { return Ok(()) };
        let (forms, held) = self.held_by(person.id).await?;
        let mut tx = self.store.begin().await?;
        let departure = self.departure_of(&tx, &case, &person).await?;
        if let Some(departure) = &departure {
            let back = comes_back(departure, &forms, &held, self.today(now));
            tx.save_entitlements(&back).await?;
        }
        for one in &stuck {
            let reason = format!(
                "{} was to be put back and was not: \"{}\" is {}; look at lapsed person",
                person.shown(),
                one.step.action.describe(),
                one.state.name()
            );
            tx.set_aside_once(&aside(&person, &reason, now)?).await?;
        }
        if let Some(departure) = &departure {
            self.settle_ask_for_access(&tx, &person, departure.id, now).await?;
        }
        case.state = CaseState::Closed;
        tx.save_case(&case).await?;
        let why = format!("{} steps done, {} not", steps.len() - stuck.len(), stuck.len());
        self.note_restoration(&mut tx, &case, "restore.over", &why, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The departure that a case puts back.
    async fn departure_of(
        &self,
        tx: &Tx,
        case: &Case,
        person: &Person,
    ) -> Result<Option<Case>, CycleError> {
        for plan in tx.read().plans(&[PlanState::Released]).await? {
            if let PlanKind::Restoration { case: of, departure, .. } = plan.plan.kind
                && of == case.id
                && case.person == person.id
            {
                return Ok(tx.read().case(departure).await?);
            }
        }
        Ok(None)
    }

    /// The opener of a new first password's envelope: never who asked, nor the person (A6).
    async fn restoration_opener(
        &self,
        person: &Person,
        asked_by: &Actor,
    ) -> Result<Result<Opener, String>, CycleError> {
        let matter = self.restoration_matter(person, Some(asked_by)).await?;
        self.opener_for(&matter).await
    }

    pub(crate) async fn note_restoration(
        &self,
        tx: &mut Tx,
        case: &Case,
        event: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), CycleError> {
        let person = tx.read().person(case.person).await?;
        tx.audit(AuditEntry {
            person: Some(case.person),
            case: Some(case.id),
            user_id: person.and_then(|p| p.user_ids().into_iter().next()),
            clause: Some(self.config.policy.citations.cite(Rule::D10)),
            detail: json!({ "why": why }),
            ..AuditEntry::new(now, DAEMON, event)
        });
        Ok(())
    }
}

fn taken_of(steps: &[StoredStep]) -> Vec<Taken> {
    let taken = |s: &StoredStep| Taken {
        step: s.step.clone(),
        state: s.state.clone(),
        begun: s.attempts > 0,
    };
    steps.iter().map(taken).collect()
}

fn case_of(id: CaseId, departure: &Case, now: Timestamp) -> Case {
    Case {
        id,
        kind: CaseKind::Restoration,
        person: departure.person,
        state: CaseState::Scheduled,
        effective_at: now,
        for_cause: false,
        opened_at: now,
        disabled_on: None,
        worksite_class: None,
        reason: format!("what departure {} took is put back (D10)", departure.id),
        before: Vec::new(),
    }
}
