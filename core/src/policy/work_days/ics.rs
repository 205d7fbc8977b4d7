//! Holidays out of an iCalendar text (RFC 5545): whole-day events, once or every year.

use super::{Holiday, weekday};
use icalendar::parser::{Component, Property, read_calendar_simple, unfold};
use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};
use std::ops::RangeInclusive;

/// Longest event, in days, that can be meant as a holiday.
const LONGEST_EVENT: i32 = 366;
/// Longest name of a holiday that is kept, in characters.
const LONGEST_NAME: usize = 100;

/// Deepest nesting of components that is read: the parser calls itself for each. RFC 5545 needs three.
const DEEPEST: usize = 8;

/// Why an iCalendar text is not taken. It is taken whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IcsError {
    /// Not iCalendar, cut off, or several calendars in one.
    #[error("the text is not one whole iCalendar calendar; export it again as .ics")]
    Unreadable,
    /// An event that can't be read as a holiday.
    #[error("event {number} ({name:?}) can't be taken as a holiday; correct it or remove it")]
    Event {
        /// Which event of the text, the first is 1.
        number: usize,
        /// Its summary, shortened.
        name: String,
        /// What is wrong with it.
        source: IcsProblem,
    },
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IcsProblem {
    /// A needed property is not there.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A date or duration that can't be read.
    #[error("its {0} is no valid date or number of days")]
    Malformed(&'static str),
    /// An event with a time of day.
    #[error("its {0} has a time of day; only whole days count as holidays")]
    TimeOfDay(&'static str),
    /// The end lies before the start, or far behind it.
    #[error("it ends before it starts, or lasts longer than a year")]
    Length,
    /// A rule of recurrence other than a plain yearly one.
    #[error("its RRULE part {0:?} is not supported; write FREQ=YEARLY, or the dates one by one")]
    Recurrence(String),
    /// A property that changes when the event falls, and is not supported.
    #[error("it has {0}, which is not supported; write the dates as events of their own")]
    Unsupported(&'static str),
}

/// The holidays of an iCalendar text that fall into the years, sorted, each date once.
///
/// Events of several days count day by day (`DTEND` is the day after, as the format has it); events
/// marked as cancelled don't count; `RRULE:FREQ=YEARLY` with `INTERVAL`, `COUNT`, `UNTIL`, `BYMONTH`,
/// `BYMONTHDAY` and one `BYDAY` such as `4TH` or `-1MO` is followed, `EXDATE` too.
///
/// # Errors
/// When the text can't be read, or an event can't be understood: no holiday is silently lost.
pub fn holidays_from_ics(text: &str, years: RangeInclusive<i16>) -> Result<Vec<Holiday>, IcsError> {
    let text = unfold(text.trim_start_matches('\u{feff}').trim());
    if nesting(&text) > DEEPEST {
        return Err(IcsError::Unreadable);
    }
    let calendars = read_calendar_simple(&text).map_err(|_| IcsError::Unreadable)?;
    if calendars.is_empty() || calendars.iter().any(|calendar| calendar.name != "VCALENDAR") {
        return Err(IcsError::Unreadable);
    }
    let events = calendars.iter().flat_map(|calendar| &calendar.components);
    let mut holidays = Vec::new();
    for (at, event) in events.filter(|component| component.name == "VEVENT").enumerate() {
        let event = Event { properties: event };
        holidays.extend(event.holidays(&years).map_err(|source| {
            let name = event.name().unwrap_or_default();
            IcsError::Event { number: at + 1, name, source }
        })?);
    }
    holidays.sort_by_key(|holiday| holiday.date);
    holidays.dedup_by_key(|holiday| holiday.date);
    Ok(holidays)
}

/// How deep the components lie in one another.
fn nesting(text: &str) -> usize {
    let starts = |line: &str, word: &str| {
        line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    let depths = text.lines().scan(0_usize, |depth, line| {
        let line = line.trim_start();
        if starts(line, "BEGIN:") {
            *depth += 1;
        } else if starts(line, "END:") {
            *depth = depth.saturating_sub(1);
        }
        Some(*depth)
    });
    depths.max().unwrap_or_default()
}

struct Event<'a> {
    properties: &'a Component<'a>,
}

impl Event<'_> {
    fn holidays(&self, years: &RangeInclusive<i16>) -> Result<Vec<Holiday>, IcsProblem> {
        if self.value("STATUS").is_some_and(|status| status.eq_ignore_ascii_case("CANCELLED")) {
            return Ok(Vec::new());
        }
        for name in ["RDATE", "RECURRENCE-ID", "EXRULE"] {
            if self.value(name).is_some() {
                return Err(IcsProblem::Unsupported(name));
            }
        }
        let start = self.date("DTSTART")?.ok_or(IcsProblem::Missing("DTSTART"))?;
        let length = self.length(start)?;
        let except = self.excepted()?;
        let starts = match self.value("RRULE") {
            Some(rule) => Yearly::read(rule)?.starts(start, *years.end()),
            None => vec![start],
        };
        let kept = starts.into_iter().filter(|start| !except.contains(start));
        let days = kept.flat_map(|start| {
            (0..length).filter_map(move |day| start.checked_add(day.days()).ok())
        });
        let days = days.filter(|day| years.contains(&day.year()));
        Ok(days.map(|date| Holiday { date, name: self.name() }).collect())
    }

    /// How many days the event lasts.
    fn length(&self, start: Date) -> Result<i32, IcsProblem> {
        let days = if let Some(end) = self.date("DTEND")? {
            // Some programs write the day itself as the end: one day is meant.
            start
                .until(end)
                .map_err(|_| IcsProblem::Length)?
                .get_days()
                .max(i32::from(end == start))
        } else if let Some(duration) = self.value("DURATION") {
            let span: Span = duration.parse().map_err(|_| IcsProblem::Malformed("DURATION"))?;
            let whole = Span::new().weeks(span.get_weeks()).days(span.get_days());
            if span.fieldwise() != whole.fieldwise() {
                return Err(IcsProblem::TimeOfDay("DURATION"));
            }
            span.get_weeks().saturating_mul(7).saturating_add(span.get_days())
        } else {
            1
        };
        if (1..=LONGEST_EVENT).contains(&days) { Ok(days) } else { Err(IcsProblem::Length) }
    }

    fn excepted(&self) -> Result<Vec<Date>, IcsProblem> {
        let properties = self.all("EXDATE");
        let values = properties.flat_map(|property| property.val.as_str().split(','));
        values.map(|value| read_date(value, "EXDATE")).collect()
    }

    fn date(&self, name: &'static str) -> Result<Option<Date>, IcsProblem> {
        self.value(name).map(|value| read_date(value, name)).transpose()
    }

    fn name(&self) -> Option<String> {
        // It ends up in reasons on terminals and in the audit: one line, of a length to read.
        let shown = self.value("SUMMARY")?.chars().map(|c| if c.is_control() { ' ' } else { c });
        let name: String = shown.take(LONGEST_NAME).collect();
        Some(name.trim().to_owned()).filter(|name| !name.is_empty())
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.all(name).next().map(|property| property.val.as_str().trim())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Property<'_>> {
        let properties = self.properties.properties.iter();
        properties.filter(move |property| property.name.as_str().eq_ignore_ascii_case(name))
    }
}

/// `20261126`, or the same with a local midnight behind it.
fn read_date(value: &str, name: &'static str) -> Result<Date, IcsProblem> {
    let (date, time) =
        value.split_once('T').map_or((value, None), |(date, time)| (date, Some(time)));
    let all_digits = date.len() == 8 && date.chars().all(|c| c.is_ascii_digit());
    if !all_digits {
        return Err(IcsProblem::Malformed(name));
    }
    // With a `Z` it is a moment, which is another day elsewhere.
    if time.is_some_and(|time| time != "000000") {
        return Err(IcsProblem::TimeOfDay(name));
    }
    Date::strptime("%Y%m%d", date).map_err(|_| IcsProblem::Malformed(name))
}

/// A yearly rule of recurrence, as far as holidays need one.
#[derive(Default)]
struct Yearly {
    yearly: bool,
    interval: Option<i16>,
    count: Option<usize>,
    until: Option<Date>,
    month: Option<i8>,
    day: Option<InMonth>,
}

#[derive(Clone, Copy)]
enum InMonth {
    Day(i8),
    Nth(i8, Weekday),
}

impl Yearly {
    fn read(rule: &str) -> Result<Self, IcsProblem> {
        let refused = |part: &str| IcsProblem::Recurrence(part.chars().take(40).collect());
        let mut yearly = Self::default();
        for part in rule.split(';').filter(|part| !part.is_empty()) {
            yearly.take(&part.to_ascii_uppercase()).ok_or_else(|| refused(part))?;
        }
        // A day without its month means one in every month, or the n-th of the whole year.
        let every_month = yearly.day.is_some() && yearly.month.is_none();
        if every_month || !yearly.yearly { Err(refused(rule)) } else { Ok(yearly) }
    }

    fn take(&mut self, part: &str) -> Option<()> {
        let (key, value) = part.split_once('=')?;
        match key {
            "FREQ" => self.yearly = (value == "YEARLY").then_some(true)?,
            "INTERVAL" => self.interval = Some(value.parse().ok().filter(|&n| n > 0)?),
            "COUNT" => self.count = Some(value.parse().ok().filter(|&n| n > 0)?),
            // The moment of an end in UTC lies on the same or the next date: its date is enough.
            "UNTIL" => self.until = Some(read_date(value.get(..8)?, "RRULE").ok()?),
            "BYMONTH" => self.month = Some(value.parse().ok().filter(|n| (1..=12).contains(n))?),
            // Both together would mean the days on which both are true.
            "BYMONTHDAY" | "BYDAY" if self.day.is_some() => return None,
            "BYMONTHDAY" => {
                self.day = Some(InMonth::Day(value.parse().ok().filter(|n| (1..=31).contains(n))?));
            }
            "BYDAY" => self.day = Some(nth_day(value)?),
            // When the week starts has no bearing on any of the above.
            "WKST" => {}
            _ => return None,
        }
        Some(())
    }

    /// The first days of all occurrences to the end of the year.
    fn starts(&self, start: Date, last_year: i16) -> Vec<Date> {
        let step = self.interval.and_then(|n| usize::try_from(n).ok()).unwrap_or(1);
        let month = self.month.unwrap_or(start.month());
        let day = self.day.unwrap_or(InMonth::Day(start.day()));
        let dates = (start.year()..=last_year).step_by(step).filter_map(|year| match day {
            InMonth::Day(day) => Date::new(year, month, day).ok(),
            InMonth::Nth(nth, day) => {
                Date::new(year, month, 1).ok()?.nth_weekday_of_month(nth, day).ok()
            }
        });
        let dates = dates.filter(|&date| date >= start);
        let dates = dates.take_while(|&date| self.until.is_none_or(|until| date <= until));
        dates.take(self.count.unwrap_or(usize::MAX)).collect()
    }
}

/// `4TH`, `-1MO`: one weekday with its number in the month.
fn nth_day(value: &str) -> Option<InMonth> {
    let names = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
    let (number, name) = value.split_at_checked(value.len().checked_sub(2)?)?;
    let at = names.iter().position(|&known| known == name)?;
    let day = weekday(i8::try_from(at).ok()? + 1)?;
    let nth: i8 = number.parse().ok()?;
    (nth != 0 && (-5..=5).contains(&nth)).then_some(InMonth::Nth(nth, day))
}
