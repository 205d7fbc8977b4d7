//! Accounts of systems, as tables and programs show them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use lapsed_core::facts::{EmployeeNumber, PersonName, StableId, SystemRole, UserId};
use lapsed_core::observed::{Details, LastUse, ObservedAccount, Realm};
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
    /// Its roles, where the system shows them; an empty list says that it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<SystemRole>>,
    /// When it was last used, where the system shows it (S3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<LastUsed>,
}

/// When an account of a system was last used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LastUsed {
    /// The last time (RFC 3339); absent: never since it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// When it was made (RFC 3339), where the system shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub made_at: Option<Timestamp>,
}

/// How a setting says that a system shows when accounts were last used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LastUseShown {
    /// By how many days it may lag behind.
    pub lag_days: u16,
}

/// A moment as systems write it: RFC 3339, `2026-11-20 10:00:00` or a day (both in UTC), or seconds since
/// 1970.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(seconds) = text.parse::<i64>() {
        return Timestamp::from_second(seconds).ok();
    }
    let utc = |at: DateTime| at.to_zoned(TimeZone::UTC).ok().map(|at| at.timestamp());
    // PostgreSQL writes the offset in hours alone.
    let hours = text.rfind(['+', '-']).filter(|at| *at > 10 && text.len() - at == 3);
    let text = hours.map_or_else(|| text.to_owned(), |_| format!("{text}:00"));
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| utc(text.parse::<DateTime>().ok()?))
        .or_else(|| utc(text.parse::<Date>().ok()?.to_datetime(jiff::civil::Time::midnight())))
}

impl SystemAccount {
    /// As reconcile takes it.
    pub(crate) fn observed(self, place: &str, shown: Option<LastUseShown>) -> ObservedAccount {
        let last_use = shown.zip(self.last_used).map(|(LastUseShown { lag_days }, used)| LastUse {
            at: used.at,
            made_at: used.made_at,
            lag_days,
        });
        let mut roles = self.roles.unwrap_or_default();
        roles.sort_unstable();
        ObservedAccount {
            held_in_trust: Vec::new(),
            details: Details { roles, last_use, ..Details::default() },
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

#[cfg(test)]
mod tests {
    use super::moment;
    use rstest::rstest;

    #[rstest]
    #[case("2026-11-20T10:00:00Z")]
    #[case("2026-11-20T04:00:00-06:00")]
    #[case("2026-11-20 10:00:00")]
    #[case("2026-11-20 10:00:00+00")]
    #[case(" 2026-11-20 04:00:00-06 ")]
    #[case("1795168800")]
    fn a_moment_is_read_as_systems_write_it(#[case] text: &str) {
        assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), Some("2026-11-20T10:00:00Z"));
    }

    #[rstest]
    #[case("2026-11-20", Some("2026-11-20T00:00:00Z"))]
    #[case("0000-00-00 00:00:00", None)]
    #[case("yesterday", None)]
    #[case("", None)]
    fn a_day_is_its_beginning_and_anything_else_no_moment(
        #[case] text: &str,
        #[case] expected: Option<&str>,
    ) {
        assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), expected);
    }
}
