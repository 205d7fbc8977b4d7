//! Moments as directories write them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Seconds from 1601, where Active Directory begins to count, to 1970.
const FILETIME_EPOCH: i64 = 11_644_473_600;
const TICKS: i64 = 10_000_000;

/// Tenths of microseconds since 1601; 0 and the greatest number are no moments.
pub(super) fn of_filetime(ticks: i64) -> Option<Timestamp> {
    if ticks <= 0 || ticks == i64::MAX {
        return None;
    }
    Timestamp::from_second(ticks / TICKS - FILETIME_EPOCH).ok()
}

/// Generalized time (RFC 4517 3.3.13) in UTC: `20261122203713Z`, `20261122203713.0Z`.
pub(super) fn of_generalized(text: &str) -> Option<Timestamp> {
    let digits = text.strip_suffix('Z')?;
    let whole = digits.split_once(['.', ',']).map_or(digits, |(whole, _)| whole);
    if whole.len() != 14 || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize, to: usize| whole.get(from..to)?.parse::<i8>().ok();
    let year = whole.get(0..4)?.parse::<i16>().ok()?;
    let (month, day) = (part(4, 6)?, part(6, 8)?);
    let moment = DateTime::new(year, month, day, part(8, 10)?, part(10, 12)?, part(12, 14)?, 0);
    Some(moment.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// The moment in a change sequence number: `20261122203713.123456Z#000000#001#000000`.
pub(super) fn of_csn(text: &str) -> Option<Timestamp> {
    of_generalized(text.split_once('#')?.0)
}

/// The first change sequence number of a second.
pub(super) fn to_csn(moment: Timestamp) -> String {
    moment.strftime("%Y%m%d%H%M%S.000000Z#000000#000#000000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("20261122203713Z", Some("2026-11-22T20:37:13Z"))]
    #[case("20261122203713.0Z", Some("2026-11-22T20:37:13Z"))]
    #[case("20261122203713.123456Z", Some("2026-11-22T20:37:13Z"))]
    #[case("000001010000Z", None)]
    #[case("20261322203713Z", None)]
    #[case("2026112220371\u{e9}Z", None)]
    #[case("", None)]
    fn generalized_time_is_read_or_refused(#[case] text: &str, #[case] wanted: Option<&str>) {
        assert_eq!(of_generalized(text), wanted.map(|text| text.parse().unwrap()));
    }

    #[rstest]
    #[case(0, None)]
    #[case(-1, None)]
    #[case(i64::MAX, None)]
    #[case(134_398_534_330_000_000, Some("2026-11-22T20:37:13Z"))]
    fn a_count_since_1601_is_read_or_means_never(#[case] ticks: i64, #[case] wanted: Option<&str>) {
        assert_eq!(of_filetime(ticks), wanted.map(|text| text.parse().unwrap()));
    }
}
