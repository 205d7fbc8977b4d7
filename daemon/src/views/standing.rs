//! What stops access for a while, and what is asked about it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed suspensions`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuspensionsView {
    /// Those that stand or begin later, oldest first, and lifted ones of which something is still to come.
    pub suspensions: Vec<SuspensionView>,
}

/// One stop of one person's access.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuspensionView {
    /// Its id.
    pub id: String,
    /// User ID or employee number.
    pub person: String,
    /// `leave`, `order`, `inactivity` or `expired`.
    pub kind: String,
    /// The connectors that it stops; empty for all.
    pub connectors: Vec<String>,
    /// On whose word.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// When it was placed.
    pub placed: String,
    /// Its first day, where it begins later than it was placed.
    pub starts_on: Option<String>,
    /// Its last day, where one is known.
    pub ends_on: Option<String>,
    /// The number of the form, where one asked for it.
    pub form: Option<u64>,
    /// `ahead`, `stopping`, `stopped`, `held`, `lifted` (and being opened) or `over`.
    pub state: String,
}

/// Body of `suspend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SuspendRequest {
    /// User ID, employee number or person id.
    pub person: String,
    /// Who ordered it.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// Only these systems or connectors, by name; those of the configuration where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<String>,
    /// A leave of absence instead of an order.
    #[serde(default)]
    pub leave: bool,
    /// Its first day; now where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<jiff::civil::Date>,
    /// The last day of a leave, where it is known; an order has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::civil::Date>,
}

/// Body of `unsuspend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnsuspendRequest {
    /// User ID, employee number or person id.
    pub person: String,
    /// Who ordered the lifting.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// `leave`, `order`, `inactivity` or `expired`; needed where suspensions of several kinds stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

/// `lapsed findings`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingsView {
    /// When the audit ran last, and how that went; absent before the first time.
    pub last: Option<String>,
    /// What it found and nobody has settled, oldest first.
    pub findings: Vec<FindingView>,
}

/// One finding of the nightly audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingView {
    /// Its id: the same thing found again has the same one.
    pub id: String,
    /// `leaver_with_access`, `account_without_person`, `access_without_form`, `approved_access_missing`,
    /// `group_added_elsewhere`, `password_too_old`, `not_used` or `suspended_with_access`.
    pub kind: String,
    /// User ID or employee number, where it is about somebody known.
    pub person: Option<String>,
    /// The connector.
    pub connector: Option<String>,
    /// Which account, group or system.
    pub what: String,
    /// What was found and what to do.
    pub text: String,
    /// When it was first found.
    pub found: String,
    /// When it was last seen.
    pub seen: String,
}

/// Body of `findings mend`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MendRequest {
    /// The hash under which they are held, as what is set aside says it, or its first twelve digits.
    pub hash: String,
    /// Why.
    pub reason: String,
}

/// Body of `findings baseline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BaselineRequest {
    /// Who ordered it.
    pub authority: String,
    /// Why.
    pub reason: String,
}

/// Body of `report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportRequest {
    /// The year of a yearly report; the rosters of this month where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
}
