//! What an end of access waits for whose time has come, as a sentence for people.

use super::trouble::{plans_if_rejected, rejections};
use crate::store::{Reader, StoreError, StoredPlan};
use jiff::Timestamp;
use lapsed_core::facts::{Case, CaseState};
use lapsed_core::plan::PlanState;

/// Why a departure in effect is not carried out, where no step of it says so; absent where it is, or is ahead.
pub(super) async fn still_open(
    read: &Reader<'_>,
    case: &Case,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    if case.state != CaseState::Open || case.disabled_on.is_some() || case.effective_at > now {
        return Ok(None);
    }
    let has = |plan: &&StoredPlan| plan.plan.steps.iter().any(|step| step.case == case.id);
    if let Some(plan) = read.plans(&[PlanState::Held]).await?.iter().find(has) {
        let hash = plan.plan.hash.short();
        return Ok(Some(format!(
            "plan {hash} waits for somebody to release or reject it: lapsed plans show {hash}"
        )));
    }
    let plans = plans_if_rejected(read).await?;
    if let Some((plan, _)) = rejections(&plans).iter().find(|(_, stands)| stands.contains(&case.id))
    {
        return Ok(Some(format!(
            "plan {} was rejected; HR's next file, or lapsed depart WHO --now, plans them again",
            plan.plan.hash.short()
        )));
    }
    // Whoever is marked could not be read whole, or is just being read.
    Ok(read.people_to_decide().await?.contains_key(&case.person).then(|| {
        "not everything they may have could be read yet; lapsed status names what does not answer; shut their \
         account by hand if that can't wait"
            .into()
    }))
}
