//! How a call goes on record: what of it, and that nobody can flood the record.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What was asked for, as the record keeps it: readable, safe to show, and without the protected numbers
/// that someone at a keyboard may search by (P1): the record is for ever.
pub(super) fn asked_for(path_and_query: &str) -> String {
    // A number behind escapes is a number; `&` and `=` would be taken for the form's own.
    let whole = path_and_query.replace('&', "%26").replace('=', "%3D");
    let decoded: String =
        form_urlencoded::parse(whole.as_bytes()).map(|(text, _)| text.into_owned()).collect();
    lapsed_core::shown::shown(&lapsed_core::mask::mask(&decoded))
}

/// At most one refusal of an account goes on record in this time.
const AT_MOST_ONE_IN: Duration = Duration::from_secs(1);

/// Refusals by account. Each row costs a transaction of the one writer and a write to the disk: whoever
/// may do nothing may not keep the daemon from its work either.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Option<u32>, Refused>>);

#[derive(Debug)]
struct Refused {
    recorded_at: Instant,
    left_out: u64,
}

impl Refusals {
    /// Whether a refusal of the account (none where the kernel names none) goes on record now, and then
    /// how many before it did not; nothing where it is only counted.
    pub(super) fn admit(&self, uid: Option<u32>, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Refused { recorded_at: now, left_out: 0 };
        match all.get_mut(&uid) {
            Some(last) if now.saturating_duration_since(last.recorded_at) < AT_MOST_ONE_IN => {
                last.left_out += 1;
                None
            }
            Some(last) => Some(std::mem::replace(last, fresh).left_out),
            None => {
                all.insert(uid, fresh);
                Some(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::plain("/v1/person?who=123-45-6789", "/v1/person?who=***-**-****")]
    #[case::escaped("/v1/person?who=123%2D45%2d6789", "/v1/person?who=***-**-****")]
    #[case::with_blanks("/v1/person?who=123+45%206789", "/v1/person?who=*** ** ****")]
    #[case::second("/v1/audit?after=3&person=123456789", "/v1/audit?after=3&person=*********")]
    #[case::in_the_path("/v1/123-45-6789", "/v1/***-**-****")]
    #[case::harmless("/v1/due?until=2026-12-31", "/v1/due?until=2026-12-31")]
    #[case::names("/v1/plans?states=held,passed", "/v1/plans?states=held,passed")]
    fn a_protected_number_that_was_typed_is_not_kept(#[case] asked: &str, #[case] kept: &str) {
        assert_eq!(asked_for(asked), kept);
    }

    #[test]
    fn what_was_typed_is_safe_to_show_and_short() {
        let long = format!("/v1/person?who=%1b[2J{}", "x".repeat(500));
        let kept = asked_for(&long);
        assert!(!kept.contains('\u{1b}') && kept.chars().count() <= 200, "{kept}");
    }

    #[test]
    fn a_flood_of_refusals_is_one_row_a_second_and_its_count() {
        let refusals = Refusals::default();
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        assert_eq!(refusals.admit(Some(9), at(0)), Some(0));
        for milliseconds in 1..1_000 {
            assert_eq!(refusals.admit(Some(9), at(milliseconds)), None);
        }
        assert_eq!(refusals.admit(Some(8), at(999)), Some(0), "another account has its own");
        assert_eq!(refusals.admit(None, at(999)), Some(0));
        assert_eq!(refusals.admit(Some(9), at(1_000)), Some(999));
        assert_eq!(refusals.admit(Some(9), at(5_000)), Some(0));
    }
}
