//! What this process did lately: on which server, and what a password's age was before.

use lapsed_core::step::StepId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// Steps remembered; older ones are forgotten, and then read back as far as that goes without.
const KEPT: usize = 50_000;

#[derive(Debug, Clone)]
struct Trace {
    server: String,
    /// Noted for password changes only; `Some(None)`: it had no such moment.
    password_changed: Option<Option<String>>,
}

/// A bounded memory of steps.
#[derive(Debug, Default)]
pub(super) struct Recent(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    traces: HashMap<StepId, Trace>,
    order: VecDeque<StepId>,
}

impl Recent {
    /// Notes a step's server, and keeps what is known of its password's age.
    pub(super) fn note_server(&self, step: StepId, server: &str) {
        self.put(step, server, None);
    }

    /// Notes when the password was changed before this step changes it; the first note counts, so
    /// that a second try does not hide the change made by the first.
    pub(super) fn note(&self, step: StepId, server: &str, password_changed: Option<String>) {
        self.put(step, server, Some(password_changed));
    }

    fn put(&self, step: StepId, server: &str, password_changed: Option<Option<String>>) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trace) = memory.traces.get_mut(&step) {
            server.clone_into(&mut trace.server);
            if trace.password_changed.is_none() {
                trace.password_changed = password_changed;
            }
            return;
        }
        memory.traces.insert(step, Trace { server: server.to_owned(), password_changed });
        memory.order.push_back(step);
        if memory.order.len() > KEPT
            && let Some(oldest) = memory.order.pop_front()
        {
            memory.traces.remove(&oldest);
        }
    }

    /// Puts another moment in the place of the one noted.
    pub(super) fn correct(&self, step: StepId, password_changed: Option<String>) {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(trace) = memory.traces.get_mut(&step) {
            trace.password_changed = Some(password_changed);
        }
    }

    /// The server that took the step.
    pub(super) fn server(&self, step: StepId) -> Option<String> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.traces.get(&step).map(|trace| trace.server.clone())
    }

    /// When the password was changed before the step.
    pub(super) fn password_changed(&self, step: StepId) -> Option<Option<String>> {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        memory.traces.get(&step).and_then(|trace| trace.password_changed.clone())
    }
}
