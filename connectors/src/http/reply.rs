//! What a server answered.

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::time::Duration;

/// A reply that came whole.
#[derive(Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body, bounded in size.
    pub body: Vec<u8>,
}

/// The body is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the reply is not JSON; is this the address of the API?")]
pub struct NotJson;

/// Replies hold what belongs to people: only status and size are shown.
impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP {} with {} bytes", self.status.as_u16(), self.body.len())
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value, NotJson> {
        serde_json::from_slice(&self.body).map_err(|_| NotJson)
    }

    /// The text of a header, if it has one and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server wants to be left alone (RFC 9110 10.2.3): seconds, or until a date.
    #[must_use]
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let until = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        let left = until.duration_since(now).max(SignedDuration::ZERO);
        left.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("120", Some(120))]
    #[case(" 0 ", Some(0))]
    #[case("Sun, 22 Nov 2026 12:00:30 GMT", Some(30))]
    #[case("Sun, 22 Nov 2026 11:00:00 GMT", Some(0))]
    #[case("-1", None)]
    #[case("soon", None)]
    #[case("", None)]
    fn how_long_to_wait_is_read_as_seconds_or_as_a_date(
        #[case] text: &str,
        #[case] seconds: Option<u64>,
    ) {
        let headers = [(RETRY_AFTER, text.parse().unwrap())].into_iter().collect();
        let reply = Reply { status: StatusCode::TOO_MANY_REQUESTS, headers, body: Vec::new() };
        let now = "2026-11-22T12:00:00Z".parse().unwrap();
        assert_eq!(reply.retry_after(now), seconds.map(Duration::from_secs));
    }
}
