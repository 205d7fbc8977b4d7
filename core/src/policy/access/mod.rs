//! Who may be given what, on which form, once who has said yes (A, N7, S).

mod accounts;
mod approvers;
mod forms;
mod gates;
mod reports;
mod restore;
mod standing;
mod systems;
mod texts;

pub use accounts::{AccountRules, HandoverRules, MoveRules, PasswordRules};
pub use approvers::{ApproverRule, Deadlines, Per};
pub use forms::{ExceptionRule, FormRule, SignatureRule};
pub use gates::{GateRule, PersonalDeviceRule};
pub use reports::{ReportRules, RosterFor};
pub use restore::RestoreRules;
pub use standing::{AuditRules, SuspensionRules};
pub use systems::{Included, RoleRule, SystemRequest, SystemRule, Who};
pub use texts::{Holder, MailAddress};

use crate::facts::{ApproverRole, FormName, GateName, SystemName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Access forms, approvals, gates, systems and what is looked at by night.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccessPolicy {
    /// The forms that are taken, by a name of your choice (A1).
    pub forms: BTreeMap<FormName, FormRule>,
    /// Who says yes before anything is given, in order, where a system names no chain of its own (A2).
    pub chain: Vec<ApproverRole>,
    /// By when those who have to decide are reminded.
    pub deadlines: Deadlines,
    /// Who decides, by role (A2, A3).
    pub approvers: BTreeMap<ApproverRole, ApproverRule>,
    /// What must be signed or done first, by a name of your choice (A4).
    pub gates: BTreeMap<GateName, GateRule>,
    /// Gates before every access (A4).
    pub always: Vec<GateName>,
    /// Gates before every system with protected health information (A4).
    pub with_phi: Vec<GateName>,
    /// What comes before the systems that are used on a personal device (A4).
    pub personal_device: PersonalDeviceRule,
    /// The systems that people can be given, by a name of your choice.
    pub systems: BTreeMap<SystemName, SystemRule>,
    /// Systems that come with every form `new` (A1).
    pub included: Vec<Included>,
    /// How accounts are made, and how first passwords are handed over (A6 to A8).
    pub accounts: AccountRules,
    /// What happens to the old access on a move to another location (D11).
    pub moves: MoveRules,
    /// What a leave or an order stops (S1, S2).
    pub suspensions: SuspensionRules,
    /// What the nightly audit looks at, and what it may mend (S3, S4, A9).
    pub audit: AuditRules,
    /// Who lets a mistaken departure be put back (D10).
    pub restore: RestoreRules,
    /// Rosters and the yearly report (S5, S6).
    pub reports: ReportRules,
}
