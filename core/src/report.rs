//! Why each thing happened, waits, or did not happen.

use crate::citation::Rule;
use crate::facts::{CaseId, PersonId};
use serde::{Deserialize, Serialize};

/// One sentence about one person, with the rule behind it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[must_use = "an unread explanation helps nobody"]
pub struct Explanation {
    /// Whom it is about.
    pub person: PersonId,
    /// The departure, where there is one.
    pub case: Option<CaseId>,
    /// The rule.
    pub rule: Rule,
    /// For people.
    pub text: String,
}
