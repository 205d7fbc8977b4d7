//! The dates of deletions once the day of disabling is known.

use super::{Cycle, CycleError};
use crate::store::{StepFilter, StoredStep, Tx};
use jiff::civil::Date;
use lapsed_core::facts::CaseId;
use lapsed_core::policy::departure::{Redate, WorksiteClass, redate};
use lapsed_core::reconcile::deletions;
use lapsed_core::step::{Due, Step};

impl Cycle {
    /// Gives a case's deletions the dates that follow from the day on which its accounts were shut, where
    /// those are later than planned; never earlier ones (D15).
    pub(super) async fn redate_deletions(
        &self,
        tx: &Tx,
        case: CaseId,
        class: WorksiteClass,
        shut_on: Date,
    ) -> Result<(), CycleError> {
        let filter = StepFilter { cases: vec![case], ended: Some(false), ..StepFilter::default() };
        for stored in tx.read().steps(&filter).await? {
            if stored.step.action.destroys()
                && let Some(step) = self.later(&stored, class, shut_on)?
            {
                tx.redate_step(&step).await?;
            }
        }
        Ok(())
    }

    fn later(
        &self,
        stored: &StoredStep,
        class: WorksiteClass,
        shut_on: Date,
    ) -> Result<Option<Step>, CycleError> {
        let Due::On { date, .. } = &stored.step.due else { return Ok(None) };
        let account = stored.step.action.account();
        let all =
            deletions(&self.config.policy, shut_on, class, account).map_err(CycleError::Rule)?;
        let same = |action: &str| action == stored.step.action.name();
        let fresh = all.into_iter().find(|(_, action, ..)| same(action.name()));
        Ok(fresh.and_then(|(.., dated)| match redate(*date, dated.date) {
            Redate::Later(date) => {
                Some(Step { due: Due::On { date, reason: dated.reason }, ..stored.step.clone() })
            }
            Redate::Same | Redate::EarlierNeedsRelease(_) => None,
        }))
    }
}
