//! Who was cut off later than the policy allows, and why: the end of access against the read-back (D2, D4, D13).

use jiff::{SignedDuration, Timestamp};
use std::fmt;

/// One account of one leaver in one system, as far as its end matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutOff {
    /// When access was to end.
    pub effective_at: Timestamp,
    /// When the first notice that says so came.
    pub noticed_at: Timestamp,
    /// When an operator released it, where it was held.
    pub released_at: Option<Timestamp>,
    /// What it waits for where it is not begun.
    pub waits_for: WaitsFor,
    /// When it was begun.
    pub begun_at: Option<Timestamp>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was first read back as done.
    pub done_at: Option<Timestamp>,
}

/// What an end of access that is not begun waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WaitsFor {
    /// For its turn.
    #[default]
    Turn,
    /// For the release of its plan.
    Release,
    /// For a newer notice: its plan was rejected.
    Notice,
    /// For a plan: what the person holds could not be read yet.
    Plan,
}

/// Later than allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// By when it was to be done.
    pub deadline: Timestamp,
    /// By how much it was missed, up to now where it is not done.
    pub by: SignedDuration,
    /// Why, the first cause first; never empty.
    pub why: Vec<Why>,
}

/// What made it late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// The notice came after access was to end.
    FeedLate {
        /// By how much.
        by: SignedDuration,
    },
    /// The plan was held until somebody released it.
    WaitedForRelease {
        /// For how long.
        time: SignedDuration,
    },
    /// It is held still.
    NotReleased,
    /// The plan was rejected.
    Rejected,
    /// Nothing could be planned.
    NotPlanned,
    /// It is planned, and was not begun.
    NotBegun,
    /// The system did not answer, or was busy.
    SystemAway {
        /// How often it was tried.
        attempts: u32,
    },
    /// Nothing stood in its way and it was begun late: the daemon was not running, or had too much to do.
    BegunLate,
    /// It was begun in time and took long.
    SlowToEnd,
    /// It is not done yet.
    NotDone,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FeedLate { by } => write!(f, "feed late: the notice came {} after", words(*by)),
            Self::WaitedForRelease { time } => {
                write!(f, "waited for release: the plan was held for {}", words(*time))
            }
            Self::NotReleased => f.write_str("held: nobody has released the plan yet"),
            Self::Rejected => f.write_str("rejected: an operator rejected the plan"),
            Self::NotPlanned => f.write_str("not planned: what they hold can't be read"),
            Self::NotBegun => {
                f.write_str("not begun: the system is away, or the daemon was not running")
            }
            Self::SystemAway { attempts } => {
                write!(f, "system away: it took {attempts} attempts")
            }
            Self::BegunLate => f.write_str("begun late: the daemon was not running, or busy"),
            Self::SlowToEnd => f.write_str("slow: begun in time, read back late"),
            Self::NotDone => f.write_str("not done yet"),
        }
    }
}

/// A length of time for people: `2 h 5 min`.
#[must_use]
pub fn words(time: SignedDuration) -> String {
    let seconds = time.as_secs().max(0);
    let (days, hours) = (seconds / 86_400, seconds % 86_400 / 3_600);
    let (minutes, rest) = (seconds % 3_600 / 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

impl CutOff {
    /// Whether it was later than allowed: read back by so much after the moment at which access was to end.
    #[must_use]
    pub fn late(&self, within: SignedDuration, now: Timestamp) -> Option<Late> {
        let deadline = self.effective_at.checked_add(within).unwrap_or(Timestamp::MAX);
        let by = self.done_at.unwrap_or(now).duration_since(deadline);
        (by > SignedDuration::ZERO).then(|| Late { deadline, by, why: self.why(within) })
    }

    fn why(&self, within: SignedDuration) -> Vec<Why> {
        let mut why = Vec::new();
        let told_late = self.noticed_at.duration_since(self.effective_at);
        if told_late > SignedDuration::ZERO {
            why.push(Why::FeedLate { by: told_late });
        }
        // What could be done from this moment on, and when it was begun after that.
        let mut free = self.noticed_at.max(self.effective_at);
        if let Some(released) = self.released_at.filter(|released| *released > free) {
            why.push(Why::WaitedForRelease { time: released.duration_since(free) });
            free = released;
        }
        let of_release = why.len();
        match self.begun_at {
            None => why.push(match self.waits_for {
                WaitsFor::Turn => Why::NotBegun,
                WaitsFor::Release => Why::NotReleased,
                WaitsFor::Notice => Why::Rejected,
                WaitsFor::Plan => Why::NotPlanned,
            }),
            Some(_) if self.attempts > 1 => why.push(Why::SystemAway { attempts: self.attempts }),
            Some(begun) if begun.duration_since(free) > within => why.push(Why::BegunLate),
            Some(_) => {}
        }
        if self.done_at.is_none() && self.begun_at.is_some() {
            why.push(Why::NotDone);
        } else if of_release == 0 && why.is_empty() {
            why.push(Why::SlowToEnd);
        }
        why
    }

    /// From the notice, or the moment at which access was to end where that came later, to disabled and read
    /// back; `None` while it is not.
    #[must_use]
    pub fn took(&self) -> Option<SignedDuration> {
        let from = self.noticed_at.max(self.effective_at);
        self.done_at.map(|done| done.duration_since(from).max(SignedDuration::ZERO))
    }
}

/// The value below which so many percent of all lie (nearest rank); `None` of nothing. Sorts its input.
#[must_use]
pub fn percentile(times: &mut [SignedDuration], percent: u32) -> Option<SignedDuration> {
    times.sort();
    let rank = (times.len() * percent as usize).div_ceil(100).max(1);
    times.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn cut(effective: i64, noticed: i64, begun: i64, done: i64) -> CutOff {
        CutOff {
            effective_at: at(effective),
            noticed_at: at(noticed),
            released_at: None,
            waits_for: WaitsFor::Turn,
            begun_at: Some(at(begun)),
            attempts: 1,
            done_at: Some(at(done)),
        }
    }

    fn not_begun(waits_for: WaitsFor) -> CutOff {
        CutOff { waits_for, begun_at: None, done_at: None, attempts: 0, ..cut(100, 10, 0, 0) }
    }

    #[rstest]
    #[case::in_time(cut(100, 10, 100, 101), None)]
    #[case::at_the_last_moment(cut(100, 10, 100, 115), None)]
    #[case::back_dated(
        cut(100, 700, 700, 701),
        Some("feed late: the notice came 10 h 0 min after")
    )]
    #[case::held(CutOff { released_at: Some(at(160)), ..cut(100, 10, 160, 161) },
        Some("waited for release: the plan was held for 1 h 0 min"))]
    #[case::told_late_and_held(CutOff { released_at: Some(at(260)), ..cut(100, 130, 260, 261) },
        Some("feed late: the notice came 30 min after; waited for release: the plan was held for 2 h 10 min"))]
    #[case::away(CutOff { attempts: 5, ..cut(100, 10, 100, 190) }, Some("system away: it took 5 attempts"))]
    #[case::not_running(
        cut(100, 10, 190, 191),
        Some("begun late: the daemon was not running, or busy")
    )]
    #[case::slow(cut(100, 10, 100, 130), Some("slow: begun in time, read back late"))]
    #[case::still_held(
        not_begun(WaitsFor::Release),
        Some("held: nobody has released the plan yet")
    )]
    #[case::rejected(not_begun(WaitsFor::Notice), Some("rejected: an operator rejected the plan"))]
    #[case::not_planned(
        not_begun(WaitsFor::Plan),
        Some("not planned: what they hold can't be read")
    )]
    #[case::not_begun(
        not_begun(WaitsFor::Turn),
        Some("not begun: the system is away, or the daemon was not running")
    )]
    #[case::still_away(CutOff { done_at: None, attempts: 7, ..cut(100, 10, 100, 0) },
        Some("system away: it took 7 attempts; not done yet"))]
    fn who_is_late_is_told_why(#[case] cut: CutOff, #[case] why: Option<&str>) {
        let late = cut.late(SignedDuration::from_mins(15), at(1_000));
        let said = late.map(|late| {
            assert!(late.by > SignedDuration::ZERO && late.deadline == at(115));
            late.why.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        });
        assert_eq!(said.as_deref(), why);
    }

    #[rstest]
    #[case::notice_of_today(cut(100, 10, 100, 103), Some(3))]
    #[case::back_dated(cut(100, 700, 700, 701), Some(1))]
    #[case::not_yet(CutOff { done_at: None, ..cut(100, 10, 100, 0) }, None)]
    fn time_runs_from_the_notice_or_from_the_day(
        #[case] cut: CutOff,
        #[case] minutes: Option<i64>,
    ) {
        assert_eq!(cut.took(), minutes.map(SignedDuration::from_mins));
    }

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut times: Vec<_> = (1..=200).rev().map(SignedDuration::from_secs).collect();
        let of = |times: &mut [_], percent| percentile(times, percent).map(|time| time.as_secs());
        assert_eq!(of(&mut times, 50), Some(100));
        assert_eq!(of(&mut times, 95), Some(190));
        assert_eq!(of(&mut times, 99), Some(198));
        assert_eq!(of(&mut times[..1], 99), Some(1));
        assert_eq!(percentile(&mut [], 50), None);
    }
}
