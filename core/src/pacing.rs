//! How fast a target is worked on: a limit on its rate, and a breaker for one that does not answer.

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When a target that fails is left alone for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BreakerRule {
    /// Rounds in a row in which nothing but failures came back.
    #[schemars(range(min = 1, max = 1_000))]
    pub failures: u16,
    /// Seconds for which the target is then left alone; doubled with each further failure.
    #[schemars(range(min = 1, max = 86_400))]
    pub pause_seconds: u32,
    /// Seconds at most.
    #[schemars(range(min = 1, max = 86_400))]
    pub longest_pause_seconds: u32,
}

impl Default for BreakerRule {
    fn default() -> Self {
        Self { failures: 3, pause_seconds: 15, longest_pause_seconds: 600 }
    }
}

/// Whether a target is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// It is; so many rounds in a row have failed.
    Closed {
        /// Failed rounds in a row.
        failures: u16,
    },
    /// It is left alone; afterwards one step is tried.
    Open {
        /// Since when.
        since: Timestamp,
        /// The latest failure.
        failed_at: Timestamp,
        /// The next try.
        until: Timestamp,
        /// Tries that failed since it opened.
        tries: u16,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

/// What may be begun now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// So many steps.
    Steps(u32),
    /// Nothing before this moment.
    Not(Timestamp),
}

impl Breaker {
    /// What it allows now; a target that was left alone is tried with one step first.
    #[must_use]
    pub fn leave(self, now: Timestamp) -> Leave {
        match self {
            Self::Closed { .. } => Leave::Steps(u32::MAX),
            // A clock that was set back must not keep a target waiting for longer than the pause.
            Self::Open { until, failed_at, .. } if now >= failed_at && now < until => {
                Leave::Not(until)
            }
            Self::Open { .. } => Leave::Steps(1),
        }
    }

    /// The breaker after a round. It went well when the target answered at all: a No is an answer.
    #[must_use]
    pub fn after(self, went_well: bool, rule: &BreakerRule, now: Timestamp) -> Self {
        if went_well {
            return Self::default();
        }
        match self {
            Self::Closed { failures } if failures.saturating_add(1) < rule.failures => {
                Self::Closed { failures: failures.saturating_add(1) }
            }
            Self::Closed { .. } => {
                Self::Open { since: now, failed_at: now, until: pause(rule, 0, now), tries: 0 }
            }
            Self::Open { since, tries, .. } => {
                let tries = tries.saturating_add(1);
                Self::Open { since, failed_at: now, until: pause(rule, tries, now), tries }
            }
        }
    }
}

fn pause(rule: &BreakerRule, tries: u16, now: Timestamp) -> Timestamp {
    let doubled = u64::from(rule.pause_seconds).saturating_mul(1_u64 << tries.min(20));
    let seconds = doubled.min(u64::from(rule.longest_pause_seconds.max(rule.pause_seconds)));
    let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
    now.checked_add(seconds).unwrap_or(Timestamp::MAX)
}

/// What is left of a rate: so many steps a minute, spread so that no minute sees more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Steps left.
    left: u32,
    /// Since when it fills up.
    since: Timestamp,
}

impl Allowance {
    /// A full one.
    #[must_use]
    pub fn full(per_minute: u32, now: Timestamp) -> Self {
        Self { left: burst(per_minute), since: now }
    }

    /// Fills up by the time that has passed.
    #[must_use]
    pub fn at(self, per_minute: u32, now: Timestamp) -> Self {
        if now < self.since {
            return Self { since: now, ..self };
        }
        let passed = now.duration_since(self.since).as_millis().max(0);
        let more = passed.saturating_mul(i128::from(per_minute)) / 60_000;
        if more == 0 {
            return self;
        }
        let left = i128::from(self.left).saturating_add(more).min(i128::from(burst(per_minute)));
        Self { left: u32::try_from(left).unwrap_or(u32::MAX), since: now }
    }

    /// What may be begun now.
    #[must_use]
    pub fn leave(self, per_minute: u32) -> Leave {
        if self.left > 0 {
            return Leave::Steps(self.left);
        }
        let wait = SignedDuration::from_millis(60_000_i64 / i64::from(per_minute.max(1)) + 1);
        Leave::Not(self.since.checked_add(wait).unwrap_or(Timestamp::MAX))
    }

    /// After so many steps were begun.
    #[must_use]
    pub fn less(self, steps: u32) -> Self {
        Self { left: self.left.saturating_sub(steps), ..self }
    }
}

/// Steps that may come at once: what ten seconds allow, so that a minute never sees much more than its
/// number.
fn burst(per_minute: u32) -> u32 {
    (per_minute / 6).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap_or_default()
    }

    #[test]
    fn a_target_that_fails_in_a_row_is_left_alone_longer_each_time_and_then_tried_with_one_step() {
        let rule = BreakerRule { failures: 2, pause_seconds: 10, longest_pause_seconds: 25 };
        let breaker = Breaker::default().after(false, &rule, at(0));
        assert_eq!(breaker.leave(at(0)), Leave::Steps(u32::MAX));
        let breaker = breaker.after(false, &rule, at(1));
        assert_eq!(breaker.leave(at(10)), Leave::Not(at(11)));
        assert_eq!(breaker.leave(at(11)), Leave::Steps(1));
        let breaker = breaker.after(false, &rule, at(11));
        assert_eq!(breaker.leave(at(30)), Leave::Not(at(31)));
        let breaker = breaker.after(false, &rule, at(31));
        assert_eq!(breaker.leave(at(55)), Leave::Not(at(56)), "25 s at most");
        assert_eq!(breaker.leave(at(-99)), Leave::Steps(1), "a clock that was set back");
        assert_eq!(breaker.after(true, &rule, at(56)), Breaker::default());
    }

    #[test]
    fn one_answer_in_between_starts_the_count_anew() {
        let rule = BreakerRule { failures: 2, ..BreakerRule::default() };
        let breaker = Breaker::default().after(false, &rule, at(0)).after(true, &rule, at(1));
        assert_eq!(breaker.after(false, &rule, at(2)), Breaker::Closed { failures: 1 });
    }

    proptest! {
        #[test]
        fn no_minute_sees_more_than_its_number_and_a_burst(
            per_minute in 1_u32..5_000,
            naps in proptest::collection::vec(0_i64..20_000, 1..200),
        ) {
            let mut moment = Timestamp::UNIX_EPOCH;
            let mut allowance = Allowance::full(per_minute, moment);
            let (mut taken, mut passed) = (0_u64, 0_i64);
            for nap in naps {
                moment = moment.checked_add(SignedDuration::from_millis(nap)).unwrap_or(moment);
                passed += nap;
                allowance = allowance.at(per_minute, moment);
                if let Leave::Steps(steps) = allowance.leave(per_minute) {
                    allowance = allowance.less(steps);
                    taken += u64::from(steps);
                }
                let most = u64::from(burst(per_minute))
                    + u64::from(per_minute) * u64::try_from(passed).unwrap_or(0) / 60_000;
                prop_assert!(taken <= most, "{taken} of {most}");
            }
        }

        #[test]
        fn a_wait_is_long_enough(per_minute in 1_u32..5_000) {
            let empty = Allowance::full(per_minute, at(0)).less(u32::MAX);
            let Leave::Not(until) = empty.leave(per_minute) else { return Err(TestCaseError::fail("none")) };
            prop_assert!(matches!(empty.at(per_minute, until).leave(per_minute), Leave::Steps(_)));
        }
    }
}
