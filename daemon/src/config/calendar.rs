//! The calendar file: its holidays become those of the configuration, so that core reads no file.

use super::tree::{Node, Part};
use super::{File, Problem};
use lapsed_core::policy::work_days::holidays_from_ics;
use std::error::Error;
use std::ops::RangeInclusive;
use std::path::Path;

/// Years for which holidays are taken over; no deletion is dated further ahead.
const YEARS: RangeInclusive<i16> = 2000..=2100;

const KEY: &str = "work_days.calendar_file";

/// Adds the holidays of the calendar file, which is sought beside the configuration.
pub(super) fn add(file: &mut File, folder: &Path, tree: &Node) -> Option<Problem> {
    let name = file.work_days.calendar_file.clone()?;
    match read(&folder.join(&name)) {
        Ok(holidays) => {
            file.work_days.holidays.extend(holidays);
            None
        }
        Err(message) => {
            let place = tree.place_of(&Part::path(KEY));
            let advice =
                "name an iCalendar file (.ics) of whole-day events that the daemon may read";
            Some(Problem::new(place, KEY, message).advise(advice))
        }
    }
}

fn read(path: &Path) -> Result<Vec<lapsed_core::policy::work_days::Holiday>, String> {
    let bytes = super::read_bounded(path)?;
    let text = String::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
    holidays_from_ics(&text, YEARS).map_err(|error| match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    })
}
