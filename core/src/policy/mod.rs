//! The agency's rules, one file a rule set; every number in them comes from the YAML.

pub mod access;
pub mod departure;
pub mod naming;
pub mod work_days;

use crate::citation::Citations;
use crate::facts::LocationId;
use crate::guard::Limits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// All rules that decide, as the YAML gives them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Policy {
    /// IANA time zone of the agency, such as `America/Chicago`.
    pub time_zone: String,
    /// Locations by identifier (N9).
    pub locations: BTreeMap<LocationId, Location>,
    /// User IDs (N).
    pub naming: naming::NamingPolicy,
    /// Departures (D).
    pub departure: departure::DeparturePolicy,
    /// Access forms and what follows from them (A, S).
    pub access: access::AccessPolicy,
    /// Work days and holidays.
    pub work_days: work_days::WorkDays,
    /// Limits (the guard).
    pub guard: Limits,
    /// Clauses that replace the built-in citations.
    pub citations: Citations,
}

/// One place of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Location {
    /// Its name, for people.
    pub name: String,
    /// Central office, facility, or says nothing of the place (`y`).
    pub class: departure::LocationClass,
    /// Mail addresses of its local security officer (D14, A10).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_officer: Vec<String>,
}

/// What is wrong with a rule itself, by its key under `policy` in the YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct RuleFault {
    /// Path of the key, such as `naming.prefix`.
    pub key: String,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl Policy {
    /// The rules of DMH DOR 8.300 with its locations, for questions asked where no YAML is.
    #[must_use]
    pub fn built_in() -> Self {
        Self {
            time_zone: "America/Chicago".into(),
            locations: naming::default_locations(),
            naming: naming::NamingPolicy::default(),
            departure: departure::DeparturePolicy::default(),
            access: access::AccessPolicy::default(),
            work_days: work_days::WorkDays::default(),
            guard: Limits::default(),
            citations: Citations::default(),
        }
    }

    /// Digest of all rules, part of every plan's hash: a plan made under other rules is another plan.
    #[must_use]
    pub fn version(&self) -> String {
        let text = serde_json::to_vec(self).unwrap_or_default();
        let full = crate::plan::hex(&Sha256::digest(&text));
        full.chars().take(16).collect()
    }
}
