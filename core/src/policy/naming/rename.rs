//! When an account gets another name (N7).

use super::NamingPolicy;
use crate::facts::PersonKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Rename rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RenameRules {
    /// Rename when the person's name changes.
    pub on_name_change: bool,
    /// Rename when the person moves to another location.
    pub on_location_change: bool,
    /// Keep the old mail address as an alias.
    pub keep_old_address: bool,
}

impl Default for RenameRules {
    fn default() -> Self {
        Self { on_name_change: true, on_location_change: true, keep_old_address: true }
    }
}

/// What changes with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// The name.
    Name,
    /// The location that employs the person.
    Location,
    /// Both at once.
    NameAndLocation,
}

/// Whether an account is renamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenameDecision {
    /// It is: user ID, display name and mail address.
    Rename {
        /// The new ID follows the new name.
        name: bool,
        /// The new ID has the new location; false: it keeps the old one.
        location: bool,
    },
    /// It keeps its name.
    Keep(KeepReason),
}

/// Why an account keeps its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeepReason {
    /// Mainframe accounts are never renamed.
    Mainframe,
    /// The rules rename only some kinds of person, and this is none of them.
    Kind,
    /// The person keeps the duties of the previous location.
    PreviousDuties,
    /// The YAML asks for no rename on such a change.
    Rules,
}

/// Whether an account is to be renamed after a change (N7). `kind` is that of the person; `None` is
/// the policy's default kind.
#[must_use]
pub fn must_rename(
    policy: &NamingPolicy,
    kind: Option<&PersonKind>,
    change: Change,
    keeps_previous_duties: bool,
    connector_is_mainframe: bool,
) -> RenameDecision {
    if connector_is_mainframe {
        return RenameDecision::Keep(KeepReason::Mainframe);
    }
    let rule = kind.or(policy.default_kind.as_ref()).and_then(|kind| policy.kinds.get(kind));
    if !rule.is_some_and(|rule| rule.renamed) {
        return RenameDecision::Keep(KeepReason::Kind);
    }
    let name = change != Change::Location && policy.rename.on_name_change;
    let moved = change != Change::Name && policy.rename.on_location_change;
    let location = moved && !keeps_previous_duties;
    match (name || location, moved) {
        (true, _) => RenameDecision::Rename { name, location },
        (false, true) => RenameDecision::Keep(KeepReason::PreviousDuties),
        (false, false) => RenameDecision::Keep(KeepReason::Rules),
    }
}
