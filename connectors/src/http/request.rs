//! What is asked of a server.

use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::fmt::Write;

/// One request: a path below the server's address, and what goes with it.
#[derive(Clone)]
pub struct Request {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
}

/// Why a request can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// The header's name is none.
    #[error("{0:?} is no name of a header")]
    Name(String),
    /// The header's value has line breaks or control characters.
    #[error("the value of the header {0} can't be sent; it has line breaks or control characters")]
    Value(String),
}

/// What bodies hold belongs to people: only where the request goes is shown, without its query.
impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }
}

impl Request {
    /// A request without a body. `path` begins with `/` and may have a query.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: HeaderMap::new(), body: None }
    }

    /// `GET`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// With a header more.
    ///
    /// # Errors
    /// When it can't be sent.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, BadRequest> {
        let name_ = HeaderName::try_from(name).map_err(|_| BadRequest::Name(name.to_owned()))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| BadRequest::Value(name_.to_string()))?;
        value.set_sensitive(name_ == AUTHORIZATION);
        self.headers.insert(name_, value);
        Ok(self)
    }

    /// With a body of this media type.
    #[must_use]
    pub fn body(mut self, media_type: &'static str, body: Vec<u8>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.body = Some(body);
        self
    }

    /// With JSON as its body.
    #[must_use]
    pub fn json(self, value: &serde_json::Value) -> Self {
        self.body("application/json", value.to_string().into_bytes())
    }

    /// With a form as its body.
    #[must_use]
    pub fn form(self, pairs: &[(&str, &str)]) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.body("application/x-www-form-urlencoded", text.into_bytes())
    }
}

/// A value as one segment of a path, or as a value in a query: everything but letters, digits, `-`,
/// `_`, `.` and `~` is percent-encoded (RFC 3986).
#[must_use]
pub fn segment(value: &str) -> String {
    value.bytes().fold(String::with_capacity(value.len()), |mut text, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                text.push(char::from(byte));
            }
            _ => {
                // Writing to a String can't fail.
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}
