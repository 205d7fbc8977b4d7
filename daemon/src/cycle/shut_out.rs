//! The day on which somebody is shut out everywhere: from it the clocks run (D6, D7).

use super::carry_out::Executor;
use super::{CycleError, DAEMON};
use crate::store::{AuditEntry, CaseFilter, StepFilter, StoredStep};
use jiff::Timestamp;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{Case, CaseId, CaseState, Person, PersonId};
use lapsed_core::policy::departure::{WorksiteClass, worksite_class};
use lapsed_core::standing::{Standing, standing};
use lapsed_core::step::{Action, StepId};
use serde_json::json;
use std::collections::{BTreeSet, HashMap};

impl Executor {
    /// The first day with every account of a case shut starts its clocks and freezes its worksite class.
    pub(super) async fn after_disabling(&self, batch: &[StoredStep]) -> Result<(), CycleError> {
        let disabling = |s: &&StoredStep| matches!(s.step.action, Action::Disable { .. });
        let (ids, people): (BTreeSet<CaseId>, BTreeSet<PersonId>) =
            batch.iter().filter(disabling).map(|s| (s.step.case, s.step.person)).unzip();
        if ids.is_empty() {
            return Ok(());
        }
        let filter =
            CaseFilter { people: Some(people.into_iter().collect()), ..CaseFilter::default() };
        let mut cases = self.cycle.store.read().cases(&filter).await?;
        cases.retain(|case| ids.contains(&case.id) && case.disabled_on.is_none());
        let filter =
            StepFilter { cases: cases.iter().map(|c| c.id).collect(), ..StepFilter::default() };
        let mut steps: HashMap<CaseId, Vec<StoredStep>> = HashMap::new();
        if !cases.is_empty() {
            for step in self.cycle.store.read().steps(&filter).await? {
                steps.entry(step.step.case).or_default().push(step);
            }
        }
        let just_done: BTreeSet<StepId> = batch.iter().map(|s| s.step.id).collect();
        // What was shut for an end that was moved to a later day since may be open again.
        let is_shut = |s: &StoredStep, case: &Case| {
            let of_this_end = just_done.contains(&s.step.id) || s.changed_at >= case.effective_at;
            s.state.is_done() && of_this_end
        };
        let all_shut = |case: &Case| {
            let steps = steps.get(&case.id).map_or(&[][..], Vec::as_slice);
            let mut accounts = steps.iter().filter(disabling);
            accounts.all(|s| is_shut(s, case))
        };
        cases.retain(all_shut);
        if cases.is_empty() {
            return Ok(());
        }
        self.start_clocks(cases, &steps).await
    }

    async fn start_clocks(
        &self,
        mut cases: Vec<Case>,
        steps: &HashMap<CaseId, Vec<StoredStep>>,
    ) -> Result<(), CycleError> {
        let now = (self.clock)();
        let today = self.cycle.today(now);
        let ids: Vec<PersonId> = cases.iter().map(|case| case.person).collect();
        let people = self.cycle.store.read().people(&ids).await?;
        let people: HashMap<PersonId, &Person> = people.iter().map(|p| (p.id, p)).collect();
        let mut tx = self.cycle.store.begin().await?;
        // As they are by now: a departure that was called off meanwhile starts no clock.
        let filter = CaseFilter { people: Some(ids), ..CaseFilter::default() };
        let wanted: BTreeSet<CaseId> = cases.iter().map(|case| case.id).collect();
        cases = tx.read().cases(&filter).await?;
        cases.retain(|c| {
            wanted.contains(&c.id) && c.state == CaseState::Open && c.disabled_on.is_none()
        });
        for case in &mut cases {
            let person = people.get(&case.person).copied();
            let class = case.worksite_class.unwrap_or_else(|| self.class_of(person, now));
            case.disabled_on = Some(today);
            case.worksite_class = Some(class);
            self.cycle.redate_deletions(&tx, case.id, class, today).await?;
            let steps = steps.get(&case.id).map_or(&[][..], Vec::as_slice);
            tx.audit(AuditEntry {
                person: Some(case.person),
                case: Some(case.id),
                user_id: steps.first().map(|s| s.step.expect.user_id.clone()),
                clause: Some(self.cycle.config.policy.citations.cite(Rule::D6)),
                detail: json!({ "disabled_on": today, "worksite": class }),
                ..AuditEntry::new(now, DAEMON, "case.clocks_started")
            });
        }
        tx.save_cases(&cases).await?;
        tx.commit().await?;
        let shut: Vec<CaseId> = cases.iter().map(|case| case.id).collect();
        self.cycle.tell_shut(&shut, now).await;
        Ok(())
    }

    fn class_of(&self, person: Option<&Person>, now: Timestamp) -> WorksiteClass {
        let worksite = person.and_then(|p| match standing(p, now, &self.cycle.config.time_zone) {
            Standing::Left(end) | Standing::Leaving(end) => end.worksite,
            Standing::Employed | Standing::Unknown => None,
        });
        worksite_class(worksite.as_ref(), &self.cycle.config.policy.locations)
    }
}
