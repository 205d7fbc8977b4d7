//! Which forms are taken, and what each must have (A1, A5, A6).

use crate::access::form::{Asks, SignedBy};
use crate::facts::{ApproverRole, GateName, PersonKind, SystemName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One kind of form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FormRule {
    /// Its title, for people.
    pub title: String,
    /// What it may ask for.
    pub asks: Vec<Asks>,
    /// Only for these kinds of person; empty: for all.
    pub kinds: Vec<PersonKind>,
    /// Only these systems may stand on it; empty: all.
    pub systems: Vec<SystemName>,
    /// Who may file it, by what it asks for: one of these roles. Without an entry anyone whose files or
    /// commands count. What takes effect without approvals (revoke, leave, suspend, lift) needs an entry,
    /// or an operator.
    pub filed_by: BTreeMap<Asks, Vec<ApproverRole>>,
    /// Fields that must be filled beside those that it always needs: `position`, `reason`, `least_phi`,
    /// `requested_by`, `ends_on`.
    pub required: Vec<String>,
    /// Scans that must be attached, by what they are.
    pub attachments: Vec<String>,
    /// Who must have signed, and how.
    pub signatures: Vec<SignatureRule>,
    /// Gates that the person must have passed first, beside those of the systems (A4, A6).
    pub gates: Vec<GateName>,
    /// `agreement`: the gate that it opens where the form names none.
    pub opens: Option<GateName>,
    /// Who says yes to it, in order, instead of the chains of its systems; where empty, theirs.
    pub chain: Vec<ApproverRole>,
    /// What lets a person of a kind have what the kind does not get, by a name of your choice (A5).
    pub exceptions: BTreeMap<String, ExceptionRule>,
    /// Roles that are told once it is in place, beside those who always are (A5, A10).
    pub tell: Vec<ApproverRole>,
}

/// A signature that a form must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignatureRule {
    /// As what: `staff_member`, or an approver's role.
    pub role: String,
    /// `hand` where an electronic one is refused (A6).
    #[serde(default)]
    pub by: Option<SignedBy>,
}

/// What lets a person of a kind have more than the kind gets (A5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExceptionRule {
    /// For people: data entry is among their volunteer duties.
    pub title: String,
    /// Scans that show it.
    pub attachments: Vec<String>,
    /// Gates that it needs.
    pub gates: Vec<GateName>,
}
