//! Whom to ask where access ends by somebody else's hand: other agencies, the security officer, the help
//! desk (D5, D14, H1).

use crate::citation::Rule;
use crate::facts::ConnectorName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One request that goes out with every departure that it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestRule {
    /// What is asked for, in a word or two: the system's name. It stands in the record and in `lapsed
    /// person`, and is part of the request's identity.
    pub name: String,
    /// The connector that asks: an `agency_form` or a help desk.
    pub connector: ConnectorName,
    /// What the request is: `agency` (D5), `security_officer` (D14) or `by_hand` (H1).
    #[serde(default)]
    pub reason: RequestReason,
    /// Mail addresses of those who are asked. Empty: those of the location's `security_officer` for
    /// `security_officer`, and the connector's own otherwise.
    #[serde(default)]
    pub to: Vec<String>,
    /// Whose departures it goes out with; absent: everyone's.
    #[serde(default)]
    pub who: RequestScope,
    /// Work days without an answer after which those who were asked are reminded.
    #[serde(default = "default_remind")]
    #[schemars(range(min = 1, max = 365))]
    pub remind_after_work_days: u16,
    /// Reminders after which it becomes a ticket.
    #[serde(default = "default_reminders")]
    #[schemars(range(max = 50))]
    pub reminders: u16,
}

fn default_remind() -> u16 {
    5
}

fn default_reminders() -> u16 {
    2
}

/// What a request is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequestReason {
    /// Another agency's own form (D5).
    #[default]
    Agency,
    /// The access forms marked REVOKE, from the location's security officer (D14).
    SecurityOfficer,
    /// A system that only people reach: a ticket (H1).
    ByHand,
}

impl RequestReason {
    /// The rule that asks for it.
    #[must_use]
    pub fn rule(self) -> Rule {
        match self {
            Self::Agency => Rule::D5,
            Self::SecurityOfficer => Rule::D14,
            Self::ByHand => Rule::H1,
        }
    }
}

/// Whose departures a request goes out with: all that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RequestScope {
    /// Members of one of these groups, by name (`*` for any letters), as they were before the departure.
    pub groups: Vec<String>,
    /// People of these kinds (`naming.kinds`).
    pub kinds: Vec<String>,
    /// People whose worksite is one of these `locations`.
    pub locations: Vec<crate::facts::LocationId>,
}

impl RequestScope {
    /// Whether it is everyone.
    #[must_use]
    pub fn is_everyone(&self) -> bool {
        self.groups.is_empty() && self.kinds.is_empty() && self.locations.is_empty()
    }
}
