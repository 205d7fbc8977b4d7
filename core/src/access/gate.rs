//! What was signed or done before access is given: agreements, training, statements (A4).

use crate::facts::{GateName, PersonId};
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// That one person passed one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatePassed {
    /// Its id.
    pub id: Uuid,
    /// Who.
    pub person: PersonId,
    /// Which gate.
    pub gate: GateName,
    /// When it was signed or done.
    pub on: Date,
    /// Where it comes from, for people: a form's number, a feed, an operator.
    pub source: String,
    /// SHA-256 of the scan that shows it, where there is one.
    pub document: Option<String>,
    /// When it was entered.
    pub at: Timestamp,
    /// When it was taken back, if it was.
    pub withdrawn_at: Option<Timestamp>,
}
