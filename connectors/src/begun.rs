//! Steps that were begun, as far as this process knows: here, or by a daemon that died since.

use lapsed_core::step::{Fault, Outcome, Seen, Step, StepId};
use std::collections::HashSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

/// The fault of a step after its first change was made: what says that nothing was done is no longer so.
pub(crate) fn after_a_change(fault: Fault) -> Fault {
    match fault {
        Fault::Retry(cause) => Fault::Unknown(cause),
        other => other,
    }
}

/// Steps that were begun. What is found at them may be their own work, and the rest of it still to do.
#[derive(Debug, Default)]
pub(crate) struct Begun(Mutex<HashSet<StepId>>);

impl Begun {
    /// The step is about to be carried out, or may have been.
    pub(crate) fn note(&self, step: StepId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(step);
    }

    pub(crate) fn contains(&self, step: StepId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&step)
    }

    /// The step has ended, or nothing came of it.
    pub(crate) fn forget(&self, step: StepId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&step);
    }

    /// Makes what the step is to make, and keeps in mind that it may be there from now on, unless this attempt
    /// says that it made nothing: by its fault, or since it was taken.
    pub(crate) async fn making<Made>(
        &self,
        step: &Step,
        attempt: impl Future<Output = Result<Made, Fault>>,
        was_taken: impl FnOnce(&Made) -> bool,
    ) -> Result<Made, Fault> {
        let earlier = self.contains(step.id);
        self.note(step.id);
        let made = attempt.await;
        let nothing = match &made {
            Ok(made) => was_taken(made),
            Err(fault) => matches!(fault, Fault::Retry(_) | Fault::Refused(_)),
        };
        if nothing && !earlier {
            self.forget(step.id);
        }
        made
    }

    /// Forgets the step where this attempt at it ends well.
    pub(crate) async fn ending(
        &self,
        step: &Step,
        attempt: impl Future<Output = Result<Outcome, Fault>>,
    ) -> Result<Outcome, Fault> {
        let ended = attempt.await;
        if ended.is_ok() {
            self.forget(step.id);
        }
        ended
    }

    /// Forgets the step where this look finds it done: later ones look at it as at any other.
    pub(crate) async fn seeing(
        &self,
        step: &Step,
        look: impl Future<Output = Result<Seen, Fault>>,
    ) -> Result<Seen, Fault> {
        let seen = look.await;
        if matches!(seen, Ok(Seen::AsWanted)) {
            self.forget(step.id);
        }
        seen
    }
}
