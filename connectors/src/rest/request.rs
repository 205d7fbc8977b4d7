//! The request of an operation for one account.

use super::settings::{Operation, Send};
use super::template::{Facts, Place, render};
use crate::http::Request;

/// A request, and what of it says whom it is about.
pub(super) struct Made {
    pub(super) request: Request,
    /// Path and body without what is the step's or the case's only.
    pub(super) means: (String, Option<String>),
}

/// Why an operation gives no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub(super) struct NoRequest {
    /// The key below the operation.
    pub(super) key: String,
    /// What is wrong with it.
    pub(super) problem: String,
}

/// Writes the request of an operation.
pub(super) fn of_operation(operation: &Operation, facts: &Facts) -> Result<Made, NoRequest> {
    let wrong = |key: &str, problem: String| NoRequest { key: key.to_owned(), problem };
    let text = |key: &str, place: Place, template: &str, facts: &Facts| {
        let why = |error| wrong(key, format!("is no template that can be carried out: {error}"));
        render(place, template, facts).map_err(why)
    };
    let (place, media_type) = match operation.send {
        Send::Json => (Place::Json, "application/json"),
        Send::Form => (Place::Form, "application/x-www-form-urlencoded"),
        Send::Xml => (Place::Xml, "text/xml; charset=utf-8"),
    };
    if !operation.path.starts_with('/') {
        return Err(wrong("path", "must begin with /".into()));
    }
    let write = |facts: &Facts| {
        let path = text("path", Place::Path, &operation.path, facts)?;
        let body = operation.body.as_ref().map(|body| text("body", place, body, facts));
        Ok((path, body.transpose()?))
    };
    let (path, body) = write(facts)?;
    let mut request = Request::new(operation.method.method(), path);
    for (name, template) in &operation.headers {
        let value = text(&format!("headers.{name}"), Place::Header, template, facts)?;
        request = request
            .header(name, &value)
            .map_err(|error| wrong(&format!("headers.{name}"), error.to_string()))?;
    }
    if let Some(body) = body {
        if operation.send == Send::Json && serde_json::from_str::<serde_json::Value>(&body).is_err()
        {
            let advice =
                "gives no JSON; write values between quotes: {\"login\": \"{{ user_id }}\"}";
            return Err(wrong("body", advice.into()));
        }
        request = request.body(media_type, body.into_bytes());
    }
    let means = write(&facts.of_nobody())?;
    Ok(Made { request, means })
}
