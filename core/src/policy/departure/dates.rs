//! The dates of a departure, each with its reason (D2, D6, D7, D15).
//!
//! All of them are calendar dates in the agency's zone, computed once and then stored: a day is a day on
//! the calendar, not 86,400 seconds.

use super::{EffectiveTime, HomeRule, LocationClass, MailboxRule, WorksiteClass};
use crate::facts::LocationId;
use crate::policy::Location;
use crate::policy::naming::find_location;
use crate::policy::work_days::{DayOff, NextWorkDay, NoWorkDay, WorkDays};
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use std::collections::BTreeMap;
use std::fmt;

/// A date, and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated {
    /// The date in the agency's zone; what is due on it is overdue from that day on.
    pub date: Date,
    /// The reason, for people.
    pub reason: String,
}

/// Why a date can't be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DateError {
    /// Beyond the year 9999: a date such as 9999-12-31, which some HR systems write for "no end".
    #[error("{0} is too far ahead to reckon with; leave the date empty if there is no end")]
    TooFar(Date),
    /// The work day rules leave no work day.
    #[error("the mailbox deletion can't be dated")]
    WorkDays(#[from] NoWorkDay),
}

/// When access ends (D2): at the time that the rules give for the last day worked, in the agency's zone;
/// on receipt where that is past, where the departure is for cause, and where no day is known.
///
/// A time that a change of the clocks leaves out counts as late as the gap is long; one that comes twice
/// counts the first time.
///
/// # Errors
/// When the last day lies at the end of the calendar.
pub fn effective_at(
    last_day: Option<Date>,
    for_cause: bool,
    received_at: Timestamp,
    time: &EffectiveTime,
    zone: &TimeZone,
) -> Result<Timestamp, DateError> {
    let Some(last_day) = last_day.filter(|_| !for_cause) else { return Ok(received_at) };
    let too_far = |_| DateError::TooFar(last_day);
    let ends = match time {
        EffectiveTime::EndOfDay => {
            moment(last_day.tomorrow().map_err(too_far)?, Time::midnight(), zone)
        }
        EffectiveTime::StartOfDay => moment(last_day, Time::midnight(), zone),
        EffectiveTime::At(time) => moment(last_day, *time, zone),
    };
    ends.map(|ends| ends.max(received_at)).map_err(too_far)
}

fn moment(date: Date, time: Time, zone: &TimeZone) -> Result<Timestamp, jiff::Error> {
    Ok(date.to_datetime(time).to_zoned(zone.clone())?.timestamp())
}

/// The class by which a home directory's deletion is dated (D6): that of the worksite of the
/// engagement. An unknown worksite, and one that only names an employer, is unknown.
#[must_use]
pub fn worksite_class(
    worksite: Option<&LocationId>,
    locations: &BTreeMap<LocationId, Location>,
) -> WorksiteClass {
    let location = worksite.and_then(|id| find_location(locations, id));
    match location.map(|(_, location)| location.class) {
        Some(LocationClass::CentralOffice) => WorksiteClass::CentralOffice,
        Some(LocationClass::Facility) => WorksiteClass::Facility,
        Some(LocationClass::Unstated) | None => WorksiteClass::Unknown,
    }
}

/// The day on which a home directory is deleted (D6): so many calendar days after disabling.
///
/// # Errors
/// When that is beyond the calendar.
pub fn home_deletion(
    disabled_on: Date,
    class: WorksiteClass,
    rule: &HomeRule,
) -> Result<Dated, DateError> {
    let (days, of) = match class {
        WorksiteClass::CentralOffice => (rule.central_office_days, "central office"),
        WorksiteClass::Facility => (rule.facility_days, "a facility"),
        WorksiteClass::Unknown => (rule.unknown_days, "an unknown worksite"),
    };
    let date = days_after(disabled_on, days)?;
    let from = shown(disabled_on);
    let reason = format!("{} for {of}, from {from}, end {}", counted(days), shown(date));
    Ok(Dated { date, reason })
}

/// The day on which a mailbox is deleted (D7): the next work day after the last day of retention.
///
/// # Errors
/// When that is beyond the calendar, or when the work day rules leave no work day.
pub fn mailbox_deletion(
    disabled_on: Date,
    rule: &MailboxRule,
    work_days: &WorkDays,
) -> Result<Dated, DateError> {
    let ends = days_after(disabled_on, rule.retention_days)?;
    let next = work_days.next_work_day_after(ends)?;
    let days = counted(rule.retention_days);
    let passed = passed_over(&next);
    let reason = format!("{days} end {}; {passed}next work day {}", shown(ends), shown(next.date));
    Ok(Dated { date: next.date, reason })
}

fn days_after(date: Date, days: u16) -> Result<Date, DateError> {
    date.checked_add(i64::from(days).days()).map_err(|_| DateError::TooFar(date))
}

/// The days between as they are told: one by one, a run of the same kind as one.
fn passed_over(next: &NextWorkDay) -> String {
    let runs = next.passed_over.chunk_by(|(_, one), (_, other)| one == other);
    runs.filter_map(|run| {
        let ((first, why), (last, _)) = (run.first()?, run.last()?);
        let days = match (why, first == last) {
            (_, true) => return Some(format!("{} {why}; ", shown(*first))),
            (DayOff::Weekend, false) => "are weekend days".to_owned(),
            (DayOff::Holiday(None), false) => "are holidays".to_owned(),
            (DayOff::Holiday(Some(name)), false) => format!("are holidays ({name})"),
        };
        Some(format!("{} to {} {days}; ", shown(*first), shown(*last)))
    })
    .collect()
}

fn counted(days: u16) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// `Wed 2026-11-25`.
fn shown(date: Date) -> impl fmt::Display {
    date.strftime("%a %Y-%m-%d")
}

/// What becomes of a stored date once other rules compute another (D15).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redate {
    /// The stored date stands.
    Same,
    /// The date moves on its own: nothing is deleted sooner by it.
    Later(Date),
    /// The stored date stands until someone releases the earlier one.
    EarlierNeedsRelease(Date),
}

/// Compares a stored date with the one that the rules of today compute (D15).
#[must_use]
pub fn redate(stored: Date, computed: Date) -> Redate {
    match computed.cmp(&stored) {
        std::cmp::Ordering::Equal => Redate::Same,
        std::cmp::Ordering::Greater => Redate::Later(computed),
        std::cmp::Ordering::Less => Redate::EarlierNeedsRelease(computed),
    }
}
