//! The pace at which each target is worked on: its rate, and whether it is left alone for a while.

use crate::config::Execution;
use jiff::Timestamp;
use lapsed_core::facts::ConnectorName;
use lapsed_core::pacing::{Allowance, Breaker, Leave};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Kept by the process: after a restart every target is tried anew.
#[derive(Debug, Clone, Default)]
pub struct Pace {
    states: Arc<Mutex<BTreeMap<ConnectorName, State>>>,
    /// How many daemons share what a target bears; 0 counts as one.
    members: Arc<AtomicU32>,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    breaker: Breaker,
    allowance: Option<Allowance>,
}

impl Pace {
    fn with<T>(&self, name: &ConnectorName, act: impl FnOnce(&mut State) -> T) -> T {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        act(states.entry(name.clone()).or_default())
    }

    /// How many steps of a target may be begun now.
    pub fn leave(&self, name: &ConnectorName, rules: &Execution, now: Timestamp) -> Leave {
        let limits = rules.connectors.get(name);
        let most = limits.and_then(|limits| limits.at_once).unwrap_or(rules.batch).max(1);
        let members = self.members.load(Ordering::Relaxed).max(1);
        self.with(name, |state| {
            let by_breaker = state.breaker.leave(now);
            let by_rate = match limits.and_then(|limits| limits.per_minute) {
                None => Leave::Steps(u32::MAX),
                Some(rate) => {
                    let rate = (rate / members).max(1);
                    let known = state.allowance.unwrap_or_else(|| Allowance::full(rate, now));
                    let allowance = known.at(rate, now);
                    state.allowance = Some(allowance);
                    allowance.leave(rate)
                }
            };
            match (by_breaker, by_rate) {
                (Leave::Steps(one), Leave::Steps(other)) => Leave::Steps(one.min(other).min(most)),
                (Leave::Not(one), Leave::Not(other)) => Leave::Not(one.max(other)),
                (Leave::Not(until), _) | (_, Leave::Not(until)) => Leave::Not(until),
            }
        })
    }

    /// So many daemons work on the same targets: each keeps to its part of their rates.
    pub fn share_among(&self, members: usize) {
        self.members.store(u32::try_from(members).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    /// So many steps of a target were begun.
    pub fn begun(&self, name: &ConnectorName, steps: usize) {
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.with(name, |state| state.allowance = state.allowance.map(|left| left.less(steps)));
    }

    /// A round with a target is over; `went_well` when it answered at all.
    pub fn ended(&self, name: &ConnectorName, went_well: bool, rules: &Execution, now: Timestamp) {
        self.with(name, |state| {
            let after = state.breaker.after(went_well, &rules.breaker, now);
            match (state.breaker, after) {
                (Breaker::Closed { .. }, Breaker::Open { until, .. }) => {
                    tracing::warn!(connector = %name, %until, "left alone for a while: it does not answer");
                }
                (Breaker::Open { .. }, Breaker::Closed { .. }) => {
                    tracing::info!(connector = %name, "answers again");
                }
                _ => {}
            }
            state.breaker = after;
        });
    }

    /// Whether a target is left alone.
    #[must_use]
    pub fn breaker(&self, name: &ConnectorName) -> Breaker {
        self.with(name, |state| state.breaker)
    }
}
