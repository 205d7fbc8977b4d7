//! Access forms as text: YAML or JSON to the one shape, every mistake told at its place (A1).
//!
//! A form is read as the configuration is: text first, and then by its schema, so that `00123` stays an
//! employee number and `no` a name. Nothing is judged here but the shape.

use super::problem::Problem;
use super::shape::Shape;
use super::tree::{self, Kind, Node};
use lapsed_core::access::form::{AccessForm, VERSION};
use serde_json::Value;
use std::sync::OnceLock;

/// Largest form in bytes.
pub const MOST_BYTES: u64 = 256 * 1024;

/// Most problems that one answer names.
const MOST_TOLD: usize = 12;

/// Why a text is no access form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessFormError {
    /// Too large.
    #[error("the form has more than {MOST_BYTES} bytes; scans go beside it, not into it")]
    TooLarge,
    /// Not UTF-8.
    #[error("the form is not UTF-8; save it as UTF-8 and file it again")]
    NotUtf8,
    /// Another version.
    #[error(
        "the form has version {found}, and version {VERSION} is read here; write it anew as docs/forms.md says"
    )]
    Version {
        /// What it says.
        found: String,
    },
    /// Not of the shape.
    #[error("this is no access form: {}; docs/forms.md has the shape and an example of each", .0.join(" | "))]
    Shape(Vec<String>),
}

/// The JSON Schema of access forms, for those who fill them in.
#[must_use]
pub fn access_form_schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        schemars::generate::SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<AccessForm>()
            .to_value()
    })
}

/// What a file of the forms folder says it is: the value of its field `form`. `None` where there is none.
#[must_use]
pub fn form_named_in(bytes: &[u8]) -> Option<String> {
    let tree = tree::read(std::str::from_utf8(bytes).ok()?, &mut Vec::new()).ok()?;
    Some(scalar(&tree, "form")?.to_owned())
}

/// Reads an access form, JSON or YAML.
///
/// # Errors
/// Everything that is wrong with its shape.
pub fn read_access_form(bytes: &[u8]) -> Result<AccessForm, AccessFormError> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(AccessFormError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| AccessFormError::NotUtf8)?;
    let mut problems = Vec::new();
    let tree = tree::read(text, &mut problems).map_err(|problem| told(&[problem]))?;
    // Another version has another shape: said first, or its new fields would be called wrong.
    if let Some(version) = scalar(&tree, "version").filter(|v| *v != VERSION.to_string()) {
        let found = lapsed_core::shown::shown_within(version, 20);
        return Err(AccessFormError::Version { found });
    }
    let json = Shape::new(access_form_schema()).check(&tree, &mut problems);
    if !problems.is_empty() {
        return Err(told(&problems));
    }
    let json = json.unwrap_or_default();
    serde_path_to_error::deserialize(&json).map_err(|error| {
        let (path, why) = (error.path().to_string(), error.inner().to_string());
        let problem = lapsed_core::shown::shown(&format!("{path}: {why}"));
        AccessFormError::Shape(vec![problem])
    })
}

fn told(problems: &[Problem]) -> AccessFormError {
    AccessFormError::Shape(problems.iter().take(MOST_TOLD).map(Problem::in_a_line).collect())
}

fn scalar<'n>(tree: &'n Node, key: &str) -> Option<&'n str> {
    match &tree.entry(key)?.value.kind {
        Kind::Scalar { text, .. } => Some(text),
        Kind::List(_) | Kind::Map(_) => None,
    }
}
