//! When the second notice goes out.

use crate::policy::work_days::WorkDays;
use jiff::ToSpan;
use jiff::civil::Date;

/// No run of days off is that long; rules that leave no work day must not be walked back forever.
const LONGEST_WALK: u16 = 30;

/// The day of the second notice before a deletion (D9): so many calendar days before it, or the last work
/// day before that, since nobody reads mail on a day off.
#[must_use]
pub fn remind_on(deletion: Date, days_before: u16, work_days: &WorkDays) -> Date {
    let back = |date: Date, days: u16| date.checked_sub(i64::from(days).days()).unwrap_or(date);
    let latest = back(deletion, days_before);
    let candidates = (0..=LONGEST_WALK).map(|days| back(latest, days));
    let mut work = candidates.filter(|day| work_days.is_work_day(*day));
    work.next().unwrap_or(latest)
}
