//! Holidays that come every year by a rule.

use super::{DayOfWeek, WorkDays};
use jiff::{ToSpan, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A holiday that comes every year.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct YearlyHoliday {
    /// Its name, for the reasons of due dates.
    pub name: String,
    /// When it falls.
    pub falls: Falls,
}

/// When in the year a holiday falls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Falls {
    /// Always on the same date.
    Fixed {
        /// The month, 1 to 12.
        month: i8,
        /// The day of the month; 29 February only counts in leap years.
        day: i8,
        /// When it is kept if it falls on a weekend.
        #[serde(default)]
        observed: Observed,
    },
    /// On the n-th such weekday of a month: the fourth Thursday of November.
    Nth {
        /// Which one, 1 to 5.
        which: i8,
        /// Which day of the week.
        weekday: DayOfWeek,
        /// The month, 1 to 12.
        month: i8,
        /// So many days after it: 1 for the day after Thanksgiving.
        #[serde(default)]
        days_after: u8,
    },
    /// On the last such weekday of a month: the last Monday of May.
    Last {
        /// Which day of the week.
        weekday: DayOfWeek,
        /// The month, 1 to 12.
        month: i8,
        /// So many days after it.
        #[serde(default)]
        days_after: u8,
    },
}

/// When a holiday with a fixed date is kept if it falls on a weekend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// On the nearest day that is no weekend: Friday for Saturday, Monday for Sunday.
    NearestWeekday,
    /// On the first day after the weekend.
    NextMonday,
    /// Not at all.
    #[default]
    None,
}

impl YearlyHoliday {
    /// True where the holiday is kept on the date. A New Year's Day on a Saturday may be kept in the
    /// year before, so the years around count too.
    pub(super) fn is_on(&self, date: Date, days: &WorkDays) -> bool {
        (date.year() - 1..=date.year().saturating_add(1))
            .any(|year| self.falls.kept_in(year, days) == Some(date))
    }
}

impl Falls {
    fn kept_in(&self, year: i16, days: &WorkDays) -> Option<Date> {
        match *self {
            Self::Fixed { month, day, observed } => {
                kept(Date::new(year, month, day).ok()?, observed, days)
            }
            Self::Nth { which, weekday, month, days_after } => {
                nth_weekday(year, month, which, weekday, days_after)
            }
            Self::Last { weekday, month, days_after } => {
                nth_weekday(year, month, -1, weekday, days_after)
            }
        }
    }

    /// What is wrong with the rule: a rule with a fault never falls on any day.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let month = match self {
            Self::Fixed { month, .. } | Self::Nth { month, .. } | Self::Last { month, .. } => {
                *month
            }
        };
        if !(1..=12).contains(&month) {
            return Some("has a month that is not from 1 to 12");
        }
        match *self {
            // 2000 was a leap year.
            Self::Fixed { day, .. } if Date::new(2000, month, day).is_err() => {
                Some("has a day that its month never has")
            }
            Self::Nth { which, .. } if !(1..=5).contains(&which) => {
                Some("has a which that is not from 1 to 5; write `last` for the last one")
            }
            _ => None,
        }
    }
}

fn nth_weekday(year: i16, month: i8, nth: i8, weekday: DayOfWeek, after: u8) -> Option<Date> {
    let first = Date::new(year, month, 1).ok()?;
    let date = first.nth_weekday_of_month(nth, weekday.into()).ok()?;
    date.checked_add(i64::from(after).days()).ok()
}

fn kept(date: Date, observed: Observed, days: &WorkDays) -> Option<Date> {
    if !days.is_weekend(date) {
        return Some(date);
    }
    let workable =
        |offset: i64| date.checked_add(offset.days()).ok().filter(|&other| !days.is_weekend(other));
    match observed {
        Observed::None => None,
        Observed::NextMonday => (1..=6).find_map(workable),
        // A lone day of rest has two nearest neighbours: the later one is kept.
        Observed::NearestWeekday => {
            (1..=6).find_map(|distance| workable(distance).or_else(|| workable(-distance)))
        }
    }
}

/// The holidays of the State of Missouri (RSMo 9.010): what `work_days.yearly` may be in the YAML.
#[must_use]
pub fn missouri_state_holidays() -> Vec<YearlyHoliday> {
    use DayOfWeek::{Monday, Thursday};
    let fixed = |month, day| Falls::Fixed { month, day, observed: Observed::NearestWeekday };
    let nth = |which, weekday, month| Falls::Nth { which, weekday, month, days_after: 0 };
    [
        ("New Year's Day", fixed(1, 1)),
        ("Martin Luther King Day", nth(3, Monday, 1)),
        ("Lincoln's Birthday", fixed(2, 12)),
        ("Washington's Birthday", nth(3, Monday, 2)),
        ("Truman Day", fixed(5, 8)),
        ("Memorial Day", Falls::Last { weekday: Monday, month: 5, days_after: 0 }),
        ("Juneteenth", fixed(6, 19)),
        ("Independence Day", fixed(7, 4)),
        ("Labor Day", nth(1, Monday, 9)),
        ("Columbus Day", nth(2, Monday, 10)),
        ("Veterans Day", fixed(11, 11)),
        ("Thanksgiving Day", nth(4, Thursday, 11)),
        ("Christmas Day", fixed(12, 25)),
    ]
    .map(|(name, falls)| YearlyHoliday { name: name.to_owned(), falls })
    .into()
}
