//! Work days: the agency's weekdays less its holidays.

mod ics;
#[cfg(test)]
mod tests;
mod yearly;

pub use ics::{IcsError, IcsProblem, holidays_from_ics};
pub use yearly::{Falls, Observed, YearlyHoliday, missouri_state_holidays};

use crate::policy::RuleFault;
use jiff::civil::{Date, Weekday};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How many days in a row may be no work days. A calendar with more of them is a mistake, and a search
/// without this limit might never end.
const LONGEST_CLOSURE: usize = 366;

/// Work day rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WorkDays {
    /// Days of the week on which nobody works.
    pub weekend: Vec<DayOfWeek>,
    /// Holidays by date.
    pub holidays: Vec<Holiday>,
    /// Holidays that come every year.
    pub yearly: Vec<YearlyHoliday>,
    /// Path of an iCalendar file (`.ics`) with further holidays as whole-day events.
    pub calendar_file: Option<String>,
}

impl Default for WorkDays {
    fn default() -> Self {
        let weekend = vec![DayOfWeek::Saturday, DayOfWeek::Sunday];
        Self { weekend, holidays: Vec::new(), yearly: Vec::new(), calendar_file: None }
    }
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the days of the week speak for themselves")]
pub enum DayOfWeek {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl From<DayOfWeek> for Weekday {
    fn from(day: DayOfWeek) -> Self {
        match day {
            DayOfWeek::Monday => Self::Monday,
            DayOfWeek::Tuesday => Self::Tuesday,
            DayOfWeek::Wednesday => Self::Wednesday,
            DayOfWeek::Thursday => Self::Thursday,
            DayOfWeek::Friday => Self::Friday,
            DayOfWeek::Saturday => Self::Saturday,
            DayOfWeek::Sunday => Self::Sunday,
        }
    }
}

/// One holiday.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Holiday {
    /// The date, `2026-11-26`.
    pub date: Date,
    /// Its name, for the reasons of due dates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Why a day is no work day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DayOff {
    /// A day of the weekend.
    Weekend,
    /// A holiday, by its name where it has one.
    Holiday(Option<String>),
}

impl fmt::Display for DayOff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weekend => f.write_str("is a weekend day"),
            Self::Holiday(None) => f.write_str("is a holiday"),
            Self::Holiday(Some(name)) => write!(f, "is a holiday ({name})"),
        }
    }
}

/// The next work day, and the days passed over on the way to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextWorkDay {
    /// The work day.
    pub date: Date,
    /// The days between, in order.
    pub passed_over: Vec<(Date, DayOff)>,
}

/// The calendar has no work day where one is needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "no work day is found in the year after {after}; look for too many holidays or weekend days \
     under work_days"
)]
pub struct NoWorkDay {
    /// The day after which one was sought.
    pub after: Date,
}

impl WorkDays {
    /// The same rules with further holidays, those of the calendar file.
    #[must_use]
    pub fn with_holidays(mut self, holidays: impl IntoIterator<Item = Holiday>) -> Self {
        self.holidays.extend(holidays);
        self
    }

    /// True where people work on the date.
    #[must_use]
    pub fn is_work_day(&self, date: Date) -> bool {
        self.day_off(date).is_none()
    }

    /// Why the date is no work day, or `None` if it is one.
    #[must_use]
    pub fn day_off(&self, date: Date) -> Option<DayOff> {
        if self.is_weekend(date) {
            return Some(DayOff::Weekend);
        }
        if let Some(holiday) = self.holidays.iter().find(|holiday| holiday.date == date) {
            return Some(DayOff::Holiday(holiday.name.clone()));
        }
        let holiday = self.yearly.iter().find(|yearly| yearly.is_on(date, self))?;
        Some(DayOff::Holiday(Some(holiday.name.clone())))
    }

    /// Why the date is no work day, in words that follow the date: `is a holiday (Christmas Day)`.
    #[must_use]
    pub fn why_not_a_work_day(&self, date: Date) -> Option<String> {
        self.day_off(date).map(|why| why.to_string())
    }

    /// The first work day after the date, which itself does not count.
    ///
    /// # Errors
    /// When there is none within a year.
    pub fn next_work_day_after(&self, after: Date) -> Result<NextWorkDay, NoWorkDay> {
        let mut passed_over = Vec::new();
        let mut date = after;
        while passed_over.len() <= LONGEST_CLOSURE {
            date = date.tomorrow().map_err(|_| NoWorkDay { after })?;
            match self.day_off(date) {
                None => return Ok(NextWorkDay { date, passed_over }),
                Some(why) => passed_over.push((date, why)),
            }
        }
        Err(NoWorkDay { after })
    }

    /// What is wrong with the rules themselves, all of it.
    #[must_use]
    pub fn faults(&self) -> Vec<RuleFault> {
        let mut faults: Vec<RuleFault> = self
            .yearly
            .iter()
            .enumerate()
            .filter_map(|(at, yearly)| {
                let problem = yearly.falls.fault()?.to_owned();
                Some(RuleFault { key: format!("work_days.yearly[{at}]"), problem })
            })
            .collect();
        if (1..=7).filter_map(weekday).all(|day| self.rests_on(day)) {
            let problem = "leaves no day of the week to work on; remove days from it".to_owned();
            faults.push(RuleFault { key: "work_days.weekend".into(), problem });
        }
        faults
    }

    fn is_weekend(&self, date: Date) -> bool {
        self.rests_on(date.weekday())
    }

    fn rests_on(&self, day: Weekday) -> bool {
        self.weekend.iter().any(|&rest| Weekday::from(rest) == day)
    }
}

fn weekday(number: i8) -> Option<Weekday> {
    Weekday::from_monday_one_offset(number).ok()
}
