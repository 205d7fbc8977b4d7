//! A user as Graph shows it.

use super::api::{Api, Call};
use crate::http::segment;
use lapsed_core::facts::{EmployeeNumber, PersonName, StableId, UserId};
use lapsed_core::observed::{Details, ObservedAccount, PasswordAge, Protection, Realm};
use lapsed_core::step::{Cause, Fault};
use lapsed_core::wildcard;
use serde_json::Value;
use uuid::Uuid;

/// What of a user is read; Graph leaves most of it out unless it is asked for.
pub(super) const SELECT: &str = "$select=id,userPrincipalName,accountEnabled,employeeId,\
    onPremisesSyncEnabled,surname,givenName,mail,proxyAddresses,mailNickname,assignedLicenses,\
    licenseAssignmentStates,signInSessionsValidFromDateTime,displayName,lastPasswordChangeDateTime,\
    passwordPolicies";

/// The permission for reading users.
pub(super) const READ: &str = "User.Read.All";

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) enabled: bool,
    /// Copied from a directory of the agency's own.
    pub(super) synced: bool,
    pub(super) employee_number: Option<EmployeeNumber>,
    pub(super) licenses: Vec<License>,
    /// Log-ons from before this moment no longer count.
    pub(super) sessions_from: Option<String>,
    pub(super) person: PersonName,
    pub(super) display_name: Option<String>,
    pub(super) mail: Option<String>,
    pub(super) nickname: Option<String>,
    /// When its password was last changed.
    pub(super) password_changed: Option<String>,
    password_never_expires: bool,
    addresses: Vec<String>,
}

/// A licence of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct License {
    pub(super) sku: Uuid,
    /// It comes with a group and can't be taken from the user alone.
    pub(super) by_group: bool,
}

impl User {
    /// Reads what Graph answered; without the switch nothing can be decided.
    pub(super) fn read(json: &Value, what: &str) -> Result<Self, Fault> {
        let text = |key: &str| json.get(key).and_then(Value::as_str).map(str::to_owned);
        let missing = |key: &str| {
            Fault::Retry(Cause::new(format!(
                "{what}: Graph does not show {key}; grant the application {READ}"
            )))
        };
        let enabled = json.get("accountEnabled").and_then(Value::as_bool);
        let addresses = json.get("proxyAddresses").and_then(Value::as_array);
        let addresses = addresses.into_iter().flatten().filter_map(Value::as_str);
        Ok(Self {
            id: text("id").filter(|id| !id.is_empty()).ok_or_else(|| missing("id"))?,
            name: text("userPrincipalName").ok_or_else(|| missing("userPrincipalName"))?,
            enabled: enabled.ok_or_else(|| missing("accountEnabled"))?,
            synced: json.get("onPremisesSyncEnabled").and_then(Value::as_bool) == Some(true),
            employee_number: text("employeeId").and_then(|text| EmployeeNumber::new(text).ok()),
            licenses: licenses(json),
            display_name: text("displayName"),
            nickname: text("mailNickname"),
            password_changed: text("lastPasswordChangeDateTime"),
            password_never_expires: text("passwordPolicies")
                .is_some_and(|policies| policies.contains("DisablePasswordExpiration")),
            sessions_from: text("signInSessionsValidFromDateTime"),
            person: PersonName {
                last: text("surname").unwrap_or_default(),
                first: text("givenName").unwrap_or_default(),
                preferred: None,
            },
            mail: text("mail"),
            addresses: addresses.map(str::to_owned).chain(text("mailNickname")).collect(),
        })
    }

    /// The user as the rest of lapsed knows accounts.
    pub(super) fn observed(
        &self,
        wanted: Option<&UserId>,
        never: &[String],
    ) -> Result<ObservedAccount, Fault> {
        let local = self.name.split('@').next().unwrap_or_default();
        let bad = || Fault::Retry(Cause::new("Graph shows a user whose name can't be used"));
        let user_id = match wanted {
            Some(user_id) => user_id.clone(),
            None => UserId::new(local).map_err(|_| bad())?,
        };
        Ok(ObservedAccount {
            id: StableId::new(self.id.clone()).map_err(|_| bad())?,
            user_id,
            other_user_ids: Vec::new(),
            place: self.name.clone(),
            enabled: self.enabled,
            employee_number: self.employee_number.clone(),
            other_employee_numbers: Vec::new(),
            name: self.person.clone(),
            description: None,
            home: None,
            uid_number: None,
            mail: self.mail.clone(),
            protection: self.never(never).map(|because| Protection::Never { because }),
            groups: Vec::new(),
            realm: Realm::System,
            held_in_trust: Vec::new(),
            details: Details {
                display_name: self.display_name.clone(),
                password: self.password_age(),
                ..Details::default()
            },
        })
    }

    /// How old the password is (A9). Who logs on elsewhere has none here that counts.
    fn password_age(&self) -> Option<PasswordAge> {
        let changed_at = self.password_changed.as_ref().filter(|_| !self.synced)?.parse().ok()?;
        let never_expires = self.password_never_expires;
        Some(PasswordAge { changed_at: Some(changed_at), never_expires })
    }

    /// Why the user is never touched.
    pub(super) fn never(&self, patterns: &[String]) -> Option<String> {
        let own = patterns
            .iter()
            .find(|pattern| wildcard::fits(&pattern.to_lowercase(), &self.name.to_lowercase()));
        own.map(|pattern| format!("its name fits {pattern:?} of `never`"))
    }

    /// Every name that others can't have any more, folded.
    pub(super) fn taken_names(&self) -> impl Iterator<Item = String> {
        let all = std::iter::once(&self.name).chain(&self.mail).chain(&self.addresses);
        all.filter_map(|name| {
            let address = name.split_once(':').map_or(name.as_str(), |(_, address)| address);
            let local = address.rsplit_once('@').map_or(address, |(local, _)| local).trim();
            (!local.is_empty()).then(|| local.to_lowercase())
        })
    }
}

/// A licence may come twice, from the user and from a group: then it can't be taken away here.
fn licenses(json: &Value) -> Vec<License> {
    let list = |key: &str| json.get(key).and_then(Value::as_array).into_iter().flatten();
    let sku = |entry: &Value| entry.get("skuId")?.as_str()?.parse::<Uuid>().ok();
    let by_group = |sku_id: Uuid| {
        list("licenseAssignmentStates").any(|state| {
            sku(state) == Some(sku_id) && state.get("assignedByGroup").is_some_and(Value::is_string)
        })
    };
    let assigned = list("assignedLicenses").filter_map(sku);
    assigned.map(|sku| License { sku, by_group: by_group(sku) }).collect()
}

impl Api {
    /// A user by identity or by principal name; `None` when there is none.
    pub(super) async fn user(&self, key: &str) -> Result<Option<User>, Fault> {
        let what = format!("look up {key}");
        let call = Call { what: &what, right: READ };
        let found = self.get(&format!("/users/{}?{SELECT}", segment(key)), &call).await?;
        found.map(|json| User::read(&json, &what)).transpose()
    }
}
