//! The rules that actions carry out, each with the clause of the policy that asks for it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A rule of the agency's policy that a step, a date or a finding carries out.
///
/// The letters are the rule ids of the product's own rule list; what an auditor reads beside them is
/// the agency's own clause, by default that of DMH DOR 8.300, replaceable under `citations` in the YAML.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Rule {
    /// Access comes by a form; nobody holds what no form gave.
    A1,
    /// Supervisor and local security officer approve before anything is given.
    A2,
    /// A system with a chain of its own is given when its last step has said yes.
    A3,
    /// Nothing is given before what must be signed and done is signed and done.
    A4,
    /// Consumers, volunteers and students get no more than their kind may have.
    A5,
    /// Who asked and who gets access are told, and the password goes a safe way.
    A6,
    /// A password is set anew on request.
    A7,
    /// Passwords are made as the policy says.
    A8,
    /// Passwords expire.
    A9,
    /// The security officer is told once new access or a rename is in place.
    A10,
    /// Access to another agency's data is asked for by that agency's own form.
    A11,
    /// Some kinds of person never get some systems.
    A12,
    /// Notice of a departure and how it is matched to one person.
    D1,
    /// The account is disabled at once.
    D2,
    /// The person leaves every distribution and security group.
    D3,
    /// Every other system's access is looked up and revoked.
    D4,
    /// Other agencies' own forms are sent, and their confirmation awaited.
    D5,
    /// The home directory is deleted 180 or 30 days after disabling.
    D6,
    /// The mailbox is deleted on the next work day after the retention period.
    D7,
    /// A mailbox that somebody else needs stays, and is theirs to read.
    D8,
    /// The manager is told at once what is theirs to do.
    D9,
    /// A rehire or a withdrawn notice stops pending deletions at once.
    D10,
    /// A move to another location ends the old location's access, and renames.
    D11,
    /// Only the end of the last engagement is a departure.
    D12,
    /// Every revocation is read back.
    D13,
    /// The security officer is asked for the forms marked REVOKE.
    D14,
    /// A stored date never moves to earlier by itself.
    D15,
    /// What can't be done by the product becomes a ticket.
    H1,
    /// A ticket stays open until its case is resolved, and its status is followed.
    H2,
    /// Tickets wait while the help desk can't be reached.
    H3,
    /// User IDs follow the naming standard and are never given twice.
    N5,
    /// Accounts follow changes of name and location.
    N7,
    /// Protected personal information is never stored.
    P1,
    /// Every look and change by an operator is on record.
    P3,
    /// Access stops during a leave of absence.
    S1,
    /// Access stops at once by order, and only an order lifts it.
    S2,
    /// What was not used for long is locked and reviewed.
    S3,
    /// What each person holds is held against what was approved.
    S4,
    /// The security officers' findings are reported each April.
    S5,
    /// Supervisors get the list of who holds what, every month.
    S6,
    /// What a leaver held in trust goes to the one who takes over.
    S7,
}

impl Rule {
    /// The clause of DMH DOR 8.300 that the rule restates, or the name of the settled point.
    #[must_use]
    pub fn default_clause(self) -> &'static str {
        match self {
            Self::A1 => "DMH DOR 8.300 (3) 3, the form at each change of access",
            Self::A2 => "DMH DOR 8.300 (3) 1 and 2, supervisor and LSO",
            Self::A3 => "DMH DOR 8.300 (3)(C), CIMOR",
            Self::A4 => "DMH DOR 8.300 (3)(G), (3)(H) and (6)(A)",
            Self::A5 => "DMH DOR 8.300 (3)(E) and (F)",
            Self::A6 => "PFB 6.1.205 III.B.2",
            Self::A7 => "PFB 6.1.205 III.B.4.b",
            Self::A8 => "DMH DOR 8.300 (7)(A)",
            Self::A9 => "DMH DOR 8.300 (3) 6",
            Self::A10 => "DMH DOR 8.300, User ID Naming Standard, notice to the LSO",
            Self::A11 => "DMH DOR 8.300 (3) 7",
            Self::A12 => "PFB 6.1.205 III.A.5",
            Self::D1 => "DMH DOR 8.300, Disabling User Accounts 1",
            Self::D2 => "DMH DOR 8.300, Disabling User Accounts 2",
            Self::D3 => "DMH DOR 8.300, Disabling User Accounts 4",
            Self::D4 => "DMH DOR 8.300, Disabling User Accounts 5",
            Self::D5 => "DMH DOR 8.300, Disabling User Accounts 6",
            Self::D6 => "DMH DOR 8.300, Disabling User Accounts 7",
            Self::D7 => "DMH DOR 8.300, Email Termination Procedure 1-2",
            Self::D8 => "DMH DOR 8.300, Email Termination Procedure, mailboxes others need",
            Self::D9 => "DMH DOR 8.300, Email Termination Procedure, the manager's part",
            Self::D10 => "settled rule D10 (rehire and withdrawn notices)",
            Self::D11 => "DMH DOR 8.300, User ID Naming Standard, transfers",
            Self::D12 => "settled rule D12 (several engagements)",
            Self::D13 => "settled rule D13 (read-back)",
            Self::D14 => "DMH DOR 8.300, Disabling User Accounts 3",
            Self::D15 => "settled rule D15 (stored dates)",
            Self::H1 => "IMPP 05-145D, customer service center, requests",
            Self::H2 => "IMPP 05-145D, customer service center, resolution",
            Self::H3 => "settled rule H3 (help desk out of reach)",
            Self::N5 => "DMH DOR 8.300, User ID Naming Standard",
            Self::N7 => "DMH DOR 8.300, User ID Naming Standard, changes",
            Self::P1 => "DOC 1.1.15 III, protected personal information",
            Self::P3 => "DMH DOR 8.300 (2)(A), no privacy in use of the system",
            Self::S1 => "PFB 6.1.205 III.B.3.a",
            Self::S2 => "PFB 6.1.205 III.C.6",
            Self::S3 => "PFB 6.1.205 III.C.3",
            Self::S4 => "DMH DOR 8.300 (8)",
            Self::S5 => "DMH DOR 8.300 (11)",
            Self::S6 => "OP-060101 II.D",
            Self::S7 => "OP-060101 II.I, transfer of what was held in trust",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Clauses that replace the defaults, by rule id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Citations(pub BTreeMap<Rule, String>);

impl Citations {
    /// What to print beside an action: the rule id and the agency's own clause.
    #[must_use]
    pub fn cite(&self, rule: Rule) -> String {
        let clause = self.0.get(&rule).map_or(rule.default_clause(), String::as_str);
        format!("{rule}: {clause}")
    }
}
