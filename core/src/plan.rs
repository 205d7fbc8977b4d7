//! Immutable plans: ordered steps with stable ids, and a hash that a release is bound to.

use crate::facts::{CaseId, PersonId};
use crate::guard::Finding;
use crate::report::Explanation;
use crate::step::Step;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// SHA-256 over the steps and the policy version, in hexadecimal; not over the moment.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct PlanHash(pub String);

impl PlanHash {
    /// The first twelve characters: what people type and tables show.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum PlanKind {
    /// One departure.
    Departure {
        /// Its case.
        case: CaseId,
        /// Whose.
        person: PersonId,
        /// When the latest notice behind it came: a newer notice is a new wish.
        noticed_at: Timestamp,
    },
    /// Departures that came at once and are more than the guard's limits: one plan, one release.
    MassDeparture {
        /// How many.
        people: u32,
        /// When the latest notice behind it came: a newer notice is a new wish.
        noticed_at: Timestamp,
    },
    /// What one access form asks for.
    Form {
        /// Its case.
        case: CaseId,
        /// Whose access.
        person: PersonId,
        /// The form's number.
        number: u64,
    },
    /// One suspension, or its end.
    Suspension {
        /// Its case.
        case: CaseId,
        /// Whose access.
        person: PersonId,
    },
    /// What one departure took, put back by consent (D10).
    Restoration {
        /// Its case.
        case: CaseId,
        /// Whose access.
        person: PersonId,
        /// The departure that took it.
        departure: CaseId,
    },
    /// Suspensions that came at once and are more than the guard's limits: one plan, one release.
    MassSuspension {
        /// How many.
        people: u32,
    },
    /// Passwords that are too old and were found in one night (A9): one plan, one release.
    Passwords {
        /// Of how many people.
        people: u32,
    },
}

impl PlanKind {
    /// True for departures, which the rounds of deciding plan and hold.
    #[must_use]
    pub fn is_departure(&self) -> bool {
        matches!(self, Self::Departure { .. } | Self::MassDeparture { .. })
    }
}

/// Ordered steps, with what was found on the way and why each thing happens or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Identity: covers `kind`, `steps` and `policy_version`.
    pub hash: PlanHash,
    /// What for.
    pub kind: PlanKind,
    /// Digest of the policy that decided.
    pub policy_version: String,
    /// In order of rank; per person one after another.
    pub steps: Vec<Step>,
    /// What reconcile found that the guard must judge.
    pub findings: Vec<Finding>,
    /// Why, for people.
    pub explanations: Vec<Explanation>,
}

impl Plan {
    /// Sorts the steps into their order and hashes them.
    #[must_use]
    pub fn new(
        kind: PlanKind,
        policy_version: &str,
        mut steps: Vec<Step>,
        findings: Vec<Finding>,
        explanations: Vec<Explanation>,
    ) -> Self {
        steps.sort_by_key(|step| (step.action.rank(), step.case, step.id));
        let hash = hash_of(&kind, policy_version, &steps);
        Self {
            hash,
            kind,
            policy_version: policy_version.to_owned(),
            steps,
            findings,
            explanations,
        }
    }
}

fn hash_of(kind: &PlanKind, policy_version: &str, steps: &[Step]) -> PlanHash {
    let mut hasher = Sha256::new();
    hasher.update(b"lapsed plan 1\n");
    // Serialising these types can't fail: no maps with non-text keys, no floats.
    hasher.update(serde_json::to_vec(&(kind, policy_version, steps)).unwrap_or_default());
    PlanHash(hex(&hasher.finalize()))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Where a plan stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    /// The guard let it through.
    Passed,
    /// The guard holds it until someone releases or rejects it.
    Held,
    /// An operator released exactly this hash.
    Released,
    /// An operator rejected it.
    Rejected,
    /// A newer plan for the same case took its place.
    Replaced,
}

impl Plan {
    /// The case, where the plan is about one only.
    #[must_use]
    pub fn only_case(&self) -> Option<CaseId> {
        match self.kind {
            PlanKind::Departure { case, .. }
            | PlanKind::Form { case, .. }
            | PlanKind::Suspension { case, .. }
            | PlanKind::Restoration { case, .. } => Some(case),
            PlanKind::MassDeparture { .. }
            | PlanKind::MassSuspension { .. }
            | PlanKind::Passwords { .. } => None,
        }
    }
}
