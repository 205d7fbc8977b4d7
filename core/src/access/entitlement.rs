//! What a person holds, and by which form: nobody holds what no form gave (A, S4).

use crate::facts::{PersonId, SystemName, SystemRole};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why entitlements end with a departure, for people; by it those are known that come back with it (D10).
pub const THE_PERSON_LEFT: &str = "the person left";

/// Where an entitlement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntitlementState {
    /// Approved, and not known to be in place yet.
    Approved,
    /// In place, read back.
    InPlace,
    /// It ends: what it gave is being taken away.
    Ending,
    /// It is over.
    Ended,
}

impl EntitlementState {
    /// True while the person is to have what it gives.
    #[must_use]
    pub fn counts(self) -> bool {
        matches!(self, Self::Approved | Self::InPlace)
    }
}

/// One system, in one role, for one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entitlement {
    /// Its id: follows from the form and the system, so that the same form gives it once.
    pub id: Uuid,
    /// Who holds it.
    pub person: PersonId,
    /// What.
    pub system: SystemName,
    /// In which role.
    pub role: Option<SystemRole>,
    /// The number of the form that gave it; 0 for what was there when lapsed came (adoption).
    pub form: u64,
    /// Where it stands.
    pub state: EntitlementState,
    /// From which day on.
    pub starts_on: Option<Date>,
    /// Its last day, where it is temporary.
    pub ends_on: Option<Date>,
    /// When it was approved.
    pub approved_at: Timestamp,
    /// When it began to end.
    pub ended_at: Option<Timestamp>,
    /// The number of the form that ended it, where one did.
    pub ended_by: Option<u64>,
    /// Why it ended, for people.
    pub ended_because: Option<String>,
    /// When somebody last confirmed that it is still needed (S6).
    #[serde(default)]
    pub recertified_on: Option<Date>,
}

impl Entitlement {
    /// The id of what one form gives.
    #[must_use]
    pub fn id_of(form: Uuid, system: &SystemName, role: Option<&SystemRole>) -> Uuid {
        let role = role.map(SystemRole::as_str).unwrap_or_default();
        Uuid::new_v5(&form, format!("{system}\u{1f}{role}").as_bytes())
    }
}
