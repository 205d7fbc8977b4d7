//! Leave, orders, disuse, and what is looked at by night (S1 to S4, A9).

use crate::access::finding::FindingKind;
use crate::facts::ConnectorName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a leave or an order stops.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SuspensionRules {
    /// What a leave stops where the form names no systems, by connector; empty: everything (S1).
    pub leave: Vec<ConnectorName>,
    /// HR's status `on_leave` is a leave as well (S1).
    pub leave_by_feed: bool,
    /// What an order stops where it names no systems, by connector; empty: everything (S2).
    pub order: Vec<ConnectorName>,
    /// Connectors that end open sessions of whoever is suspended, and change nothing else that would have to
    /// be put back: a Dovecot, say.
    pub end_sessions: Vec<ConnectorName>,
}

/// What the nightly audit looks at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditRules {
    /// When, as a cron pattern in the agency's zone; empty: never.
    pub at: String,
    /// Between the nights, those about whom something changed in a directory are looked at every so many minutes;
    /// 0: never.
    pub changes_minutes: u16,
    /// Findings of these kinds are mended by lapsed itself; off by default.
    pub mend: BTreeSet<FindingKind>,
    /// Findings of these kinds become tickets.
    pub tickets: BTreeSet<FindingKind>,
    /// Log-on names of accounts that need no person (* for any letters): kiosks, services.
    pub without_person: Vec<String>,
}

impl Default for AuditRules {
    fn default() -> Self {
        Self {
            at: "0 3 * * *".into(),
            changes_minutes: 15,
            mend: BTreeSet::new(),
            tickets: BTreeSet::new(),
            without_person: Vec::new(),
        }
    }
}
