//! Accounts of systems, as tables and programs show them.

use lapsed_core::facts::{EmployeeNumber, PersonName, StableId, UserId};
use lapsed_core::observed::{ObservedAccount, Realm};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One account of a system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemAccount {
    /// What the system itself knows the account by; it survives renames.
    pub id: StableId,
    /// The log-on name, as the directory has it.
    pub user_id: UserId,
    /// Whether the account gives access.
    pub enabled: bool,
    /// The owner's last name, where the system has one: a second attribute that says whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// HR's number, where the system has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<EmployeeNumber>,
}

impl SystemAccount {
    /// As reconcile takes it.
    pub(crate) fn observed(self, place: &str) -> ObservedAccount {
        ObservedAccount {
            held_in_trust: Vec::new(),
            details: lapsed_core::observed::Details::default(),
            id: self.id,
            user_id: self.user_id,
            other_user_ids: Vec::new(),
            place: place.to_owned(),
            enabled: self.enabled,
            employee_number: self.employee_number,
            other_employee_numbers: Vec::new(),
            name: PersonName { last: self.last_name.unwrap_or_default(), ..PersonName::default() },
            description: None,
            home: None,
            uid_number: None,
            mail: None,
            protection: None,
            groups: Vec::new(),
            realm: Realm::System,
        }
    }
}
