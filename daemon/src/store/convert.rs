//! Between the types of the core and what columns hold.

use super::StoreError;
use jiff::{Timestamp, civil::Date};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Microseconds since 1970-01-01 UTC, as every moment is stored.
pub(super) fn micros(moment: Timestamp) -> i64 {
    moment.as_microsecond()
}

pub(super) fn moment(what: &'static str, micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros)
        .map_err(|_| StoreError::Value { what, found: micros.to_string() })
}

pub(super) fn moment_if(
    what: &'static str,
    micros: Option<i64>,
) -> Result<Option<Timestamp>, StoreError> {
    micros.map(|micros| moment(what, micros)).transpose()
}

pub(super) fn date_if(what: &'static str, text: Option<&str>) -> Result<Option<Date>, StoreError> {
    text.map(|text| text.parse().map_err(|_| unreadable(what, text))).transpose()
}

/// A value that lapsed never writes, cut to a length that is safe to show.
pub(super) fn unreadable(what: &'static str, found: &str) -> StoreError {
    StoreError::Value { what, found: found.chars().take(40).collect() }
}

pub(super) fn body<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Body { what, source })
}

pub(super) fn from_body<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    // The parser's own words quote the value, which may be a name: only the place is kept.
    serde_json::from_str(text).map_err(|error| {
        let place = format!("not of the expected shape at column {}", error.column());
        StoreError::Body { what, source: serde::de::Error::custom(place) }
    })
}

/// The word by which a plain enum is stored: the same as in its JSON.
pub(super) fn word<T: Serialize>(value: T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

pub(super) fn from_word<T: DeserializeOwned>(
    what: &'static str,
    word: &str,
) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(word.to_owned()))
        .map_err(|_| unreadable(what, word))
}

/// A name, number or id out of its column.
pub(super) fn checked<T: TryFrom<String>>(
    what: &'static str,
    text: String,
) -> Result<T, StoreError> {
    T::try_from(text.clone()).map_err(|_| unreadable(what, &text))
}

/// Counts go into signed columns; none of ours comes near the limit.
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
