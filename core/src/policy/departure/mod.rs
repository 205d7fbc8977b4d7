//! When access ends, what is done then, and when what remains is deleted (D2, D6, D7).

mod dates;
mod requests;
mod templates;
#[cfg(test)]
mod tests;

pub use dates::{
    DateError, Dated, Redate, effective_at, home_deletion, mailbox_deletion, redate, worksite_class,
};
pub use requests::{RequestReason, RequestRule, RequestScope};
pub(crate) use templates::render;
pub use templates::{TemplateError, account_name, linked_user_ids, stamp_text};

use crate::facts::ConnectorName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a location says of the place of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocationClass {
    /// The central office.
    CentralOffice,
    /// A facility.
    Facility,
    /// An employer, not a place (contract providers, `y`).
    Unstated,
}

/// The class by which a home directory's deletion is dated (D6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorksiteClass {
    /// Central office.
    CentralOffice,
    /// A facility.
    Facility,
    /// Not known.
    Unknown,
}

/// When on its last day an engagement ends, if the notice gives only a date (D2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum EffectiveTime {
    /// The first moment of the day after the last day worked.
    EndOfDay,
    /// The first moment of the last day.
    StartOfDay,
    /// A time on the last day.
    At(jiff::civil::Time),
}

impl TryFrom<String> for EffectiveTime {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "end_of_day" => Ok(Self::EndOfDay),
            "start_of_day" => Ok(Self::StartOfDay),
            other => jiff::civil::Time::strptime("%H:%M", other).map(Self::At).map_err(|_| {
                format!("{other:?} is not a time; write end_of_day, start_of_day or a time such as \"17:00\"")
            }),
        }
    }
}

impl From<EffectiveTime> for String {
    fn from(value: EffectiveTime) -> Self {
        match value {
            EffectiveTime::EndOfDay => "end_of_day".into(),
            EffectiveTime::StartOfDay => "start_of_day".into(),
            EffectiveTime::At(time) => time.strftime("%H:%M").to_string(),
        }
    }
}

/// Departure rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeparturePolicy {
    /// When on the last day worked access ends.
    pub effective: EffectiveTime,
    /// Replace the password by one that nobody knows.
    pub scramble_password: bool,
    /// What to write into the description (minijinja: `date`, `case`, `user_id`); empty: nothing.
    pub stamp: String,
    /// Log-on names of further accounts of the same person (minijinja: `user_id`), `adm-{{ user_id }}`.
    pub linked_accounts: Vec<String>,
    /// Mailbox deletion (D7); absent: none.
    pub mailbox: Option<MailboxRule>,
    /// Home directory deletion (D6); absent: none.
    pub home: Option<HomeRule>,
    /// Requests to others that go out with a departure (D5, D14, H1).
    pub requests: Vec<RequestRule>,
    /// Systems whose accounts are deleted some days after the departure was shut, by connector; those
    /// that are not named keep theirs, without access (D4).
    pub delete_accounts: BTreeMap<ConnectorName, u16>,
    /// Days after a revocation on which it is read back again (D13).
    pub recheck_days: Vec<u16>,
    /// Whose access is not read back as ended so many minutes after it was to end was cut off late (`lapsed
    /// late`, D2).
    pub late_after_minutes: u32,
}

impl Default for DeparturePolicy {
    fn default() -> Self {
        Self {
            effective: EffectiveTime::EndOfDay,
            scramble_password: true,
            stamp: "Disabled {{ date }} by lapsed, case {{ case }}".into(),
            linked_accounts: Vec::new(),
            mailbox: None,
            home: None,
            requests: Vec::new(),
            delete_accounts: BTreeMap::new(),
            recheck_days: vec![1, 7, 30],
            late_after_minutes: 15,
        }
    }
}

/// Deletion of a mailbox nobody else needs (D7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailboxRule {
    /// The connector that deletes; until one of that name is configured, the step waits and says so.
    pub connector: ConnectorName,
    /// End open mail sessions, and forget remembered log-ons, as soon as the account is shut. It needs
    /// that connector: without it, the step waits.
    #[serde(default)]
    pub disable_at_once: bool,
    /// The connector that deletes, where it is another one than the one that disables (Exchange: the
    /// directory hides, a command deletes).
    #[serde(default)]
    pub delete_by: Option<ConnectorName>,
    /// Retention in calendar days; deletion is on the next work day after.
    pub retention_days: u16,
}

impl MailboxRule {
    /// The connector that deletes.
    #[must_use]
    pub fn deleter(&self) -> &ConnectorName {
        self.delete_by.as_ref().unwrap_or(&self.connector)
    }
}

/// Deletion of a home directory (D6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HomeRule {
    /// The connector that deletes; until one of that name is configured, the step waits and says so.
    pub connector: ConnectorName,
    /// Days after disabling for central office.
    pub central_office_days: u16,
    /// Days after disabling for facilities.
    pub facility_days: u16,
    /// Days after disabling where the worksite is unknown.
    pub unknown_days: u16,
}
