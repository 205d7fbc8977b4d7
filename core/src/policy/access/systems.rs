//! The systems that people can be given: by what, after whose yes, and to whom never (A3, A5, A12, S3).

use crate::facts::{
    ApproverRole, ConnectorName, GateName, LocationId, PersonKind, SystemName, SystemRole,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SystemRule {
    /// Its title, for people.
    pub title: String,
    /// The connector that gives it; absent where `request` asks somebody else.
    pub connector: Option<ConnectorName>,
    /// Asked of somebody else, who confirms (A11, H1).
    pub request: Option<SystemRequest>,
    /// Groups of the connector's directory that it gives (minijinja: `location`, `location_name`, `kind`).
    /// In a directory, a system without groups is the account itself.
    pub groups: Vec<String>,
    /// Its roles and what each gives; empty where it has none. A form must then name one of them.
    pub roles: BTreeMap<SystemRole, RoleRule>,
    /// Who says yes, in order; where empty, `access.chain`.
    pub chain: Vec<ApproverRole>,
    /// It shows protected health information.
    pub phi: bool,
    /// Gates beside `always` and `with_phi`.
    pub gates: Vec<GateName>,
    /// Kinds of person who never get it, whoever approves (A12).
    pub never: Vec<PersonKind>,
    /// Kinds of person who get it only by an exception of their form (A5).
    pub only_by_exception: Vec<PersonKind>,
    /// It needs these systems: they are given first.
    pub needs: Vec<SystemName>,
    /// Locked after so many days without use (S3); absent: never. The lag of the connector's source of
    /// that time is added.
    pub lock_after_days: Option<u16>,
    /// It is used on a personal device: mail on one's own telephone. The agreement and the approval of
    /// `access.personal_device` come before it (A4).
    pub personal_device: bool,
}

/// What a role gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RoleRule {
    /// Its title, for people.
    pub title: String,
    /// Groups of the connector's directory, beside the system's own.
    pub groups: Vec<String>,
}

/// Access that somebody else gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemRequest {
    /// The connector by which they are asked: an agency's form, or the help desk.
    pub connector: ConnectorName,
    /// Mail addresses of those who are asked; without them the connector's own.
    #[serde(default)]
    pub to: Vec<String>,
    /// Reminders come every so many work days.
    #[serde(default = "five")]
    pub remind_after_work_days: u16,
    /// So many reminders; then it becomes a ticket.
    #[serde(default = "two")]
    pub reminders: u16,
}

fn five() -> u16 {
    5
}

fn two() -> u16 {
    2
}

/// People, by what all of them have in common; what is not named does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Who {
    /// Kinds of person.
    pub kinds: Vec<PersonKind>,
    /// Locations.
    pub locations: Vec<LocationId>,
    /// Positions, as the form says; * for any letters.
    pub positions: Vec<String>,
}

/// Systems that come with every form `new` of certain people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Included {
    /// Of whom; absent: of everyone.
    #[serde(default)]
    pub who: Who,
    /// Which, with the role where the system has roles.
    pub systems: BTreeMap<SystemName, Option<SystemRole>>,
}
