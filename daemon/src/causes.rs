//! Errors in one line, each layer behind the other.

use std::error::Error;

/// An error with all that caused it: `can't read x: no such file`.
pub(crate) fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
