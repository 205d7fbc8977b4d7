//! A notice as it would be written, without a place in the outbox.

use super::facts::Facts;
use super::wording::{Wording, WordingError};
use crate::cycle::{Cycle, CycleError};
use lapsed_core::facts::Person;
use lapsed_core::notice_rules::{Kind, Letter};

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// The wording.
    #[error("the agency's own wording does not work")]
    Wording(#[from] WordingError),
    /// The state.
    #[error("the state can't be read")]
    Cycle(#[from] CycleError),
    /// There is nothing to tell.
    #[error("{0}")]
    NothingToTell(String),
}

/// A notice of a kind: about a person, or with the values of an example.
///
/// # Errors
/// When the wording does not work, the state can't be read, or there is nothing to tell of the person.
pub async fn preview(
    cycle: &Cycle,
    kind: Kind,
    person: Option<&Person>,
    now: jiff::Timestamp,
) -> Result<Letter, PreviewError> {
    let wording = cycle.config.notices.as_ref().map(|n| n.wording.clone()).unwrap_or_default();
    preview_by(cycle, &wording, kind, person, now).await
}

async fn preview_by(
    cycle: &Cycle,
    wording: &Wording,
    kind: Kind,
    person: Option<&Person>,
    now: jiff::Timestamp,
) -> Result<Letter, PreviewError> {
    let facts = match person {
        None => Facts::example(Some(kind)),
        Some(person) => {
            let facts = cycle.facts_of(person, now).await?;
            facts.map(|facts| Facts::Case(Box::new(facts))).ok_or_else(|| {
                PreviewError::NothingToTell(format!(
                    "{} has no departure with notices",
                    person.shown()
                ))
            })?
        }
    };
    Ok(wording.write(kind, &facts)?)
}
