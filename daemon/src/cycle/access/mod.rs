//! Access forms in the round: what stops, what was decided, what is given (A, N7, S).
//!
//! Suspensions come first: what ends access waits for nothing that gives it. Then forms whose approvals and
//! gates are complete become entitlements, and what entitlements ask for is held against what the targets
//! show.

pub mod authority;
pub mod changes;
mod facts;
pub(crate) mod filer;
pub mod filing;
mod granting;
pub(crate) mod mending;
pub mod nightly;
mod old_passwords;
pub mod restoring;
mod settling;
mod suspending;

pub use filer::Filer;

use super::{Cycle, CycleError};
use jiff::Timestamp;
use lapsed_core::plan::{Plan, PlanState};

impl Cycle {
    /// Everything about access forms and suspensions whose time has come; gives the plans of forms.
    pub async fn access_round(&self, now: Timestamp) -> Result<Vec<(Plan, PlanState)>, CycleError> {
        self.suspend(now).await?;
        self.settle_forms(now).await?;
        // An order by form waits for no further round (S2).
        self.suspend(now).await?;
        self.end_restorations(now).await?;
        self.close_passwords().await?;
        self.grant(now).await
    }
}

#[cfg(test)]
mod tests;
