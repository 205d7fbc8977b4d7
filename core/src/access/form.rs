//! An access form: what somebody asks for, in one versioned shape (A1).
//!
//! What the form says of its own signatures is a claim to be shown, never an authority.

use crate::facts::{
    CaseId, EmployeeNumber, FormName, LocationId, Person, PersonId, PersonKind, PersonName,
    SystemName, SystemRole, UserId,
};
use jiff::{Timestamp, civil::Date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The version of the shape that is read.
pub const VERSION: u32 = 1;

/// What a form asks for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// Access for somebody who has none.
    New,
    /// Other systems or roles: those listed are added, or taken away.
    Change,
    /// Another name (N7).
    NameChange,
    /// Another location (N7, D11).
    LocationChange,
    /// The end of all access (D1).
    Revoke,
    /// Access stops during a leave of absence (S1).
    Leave,
    /// The leave is over (S1).
    Return,
    /// Access stops at once, by order (S2).
    Suspend,
    /// That order is lifted (S2).
    Lift,
    /// A new first password (A7).
    ResetPassword,
    /// Something that was signed or done, which opens a gate (A4).
    Agreement,
    /// What the person holds was looked at, and stays or goes (S6).
    Recertify,
}

impl Asks {
    /// As the form writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Change => "change",
            Self::NameChange => "name_change",
            Self::LocationChange => "location_change",
            Self::Revoke => "revoke",
            Self::Leave => "leave",
            Self::Return => "return",
            Self::Suspend => "suspend",
            Self::Lift => "lift",
            Self::ResetPassword => "reset_password",
            Self::Agreement => "agreement",
            Self::Recertify => "recertify",
        }
    }

    /// True where somebody gets access, or more of it: approvals and gates come first (A2, A4).
    #[must_use]
    pub fn gives(self) -> bool {
        matches!(self, Self::New | Self::Change | Self::NameChange | Self::LocationChange)
    }
}

/// An access form as it is filed: one object, in JSON or YAML, UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessForm {
    /// Which form, by its name in the configuration: `staff_access`.
    pub form: FormName,
    /// The version of this shape: 1.
    pub version: u32,
    /// A UUID of this form's own. The same form twice is one form.
    pub id: Uuid,
    /// Counts up whenever the form is written anew; approvals of an older revision no longer count.
    #[serde(default)]
    pub revision: u32,
    /// What is asked for.
    pub asks: Asks,
    /// Whom it is about.
    pub person: Subject,
    /// `new`, `change`: the systems asked for. `leave`, `suspend`: those that stop; absent for those that the
    /// configuration names. `location_change`: those of the old location that are kept. `recertify`: what
    /// was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub systems: Vec<SystemWish>,
    /// `new`, `change`: from which day on; at once where absent. `leave`: its first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts_on: Option<Date>,
    /// The last day of temporary access, or the last day worked (`revoke`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_on: Option<Date>,
    /// `revoke`: dismissed for cause, so that access ends at once (D2).
    #[serde(default)]
    pub for_cause: bool,
    /// `name_change`: the name from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_name: Option<FormPersonName>,
    /// `name_change`: the log-on name before, as a second key (N7).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old_user_id: Option<UserId>,
    /// `location_change`: the location from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_location: Option<LocationId>,
    /// `location_change`: the person keeps the duties of the previous location (N7).
    #[serde(default)]
    pub keeps_duties: bool,
    /// `agreement`: what was signed or done, by its name under `access.gates`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<crate::facts::GateName>,
    /// `agreement`: when it was signed or done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_on: Option<Date>,
    /// The person's position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Why the access is needed, or why it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The least protected health information that the duties need (A1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least_phi: Option<String>,
    /// What entitles a consumer, volunteer or student to more than their kind gets (A5), by the name of the
    /// exception in the configuration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exceptions: Vec<String>,
    /// Log-on name of the one who asks: told when the access is in place (A6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<UserId>,
    /// Who signed. A claim to be shown: approvals are given through lapsed itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<Signature>,
    /// Scans that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// The last day on which this form may be taken, in the agency's time zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Date>,
}

/// Whom a form is about. A log-on name or an employee number, except in a form `new` about somebody who has
/// neither; never a name alone (D1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Log-on name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// HR's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<EmployeeNumber>,
    /// Name: needed in a form `new`, and held against what is known otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<FormPersonName>,
    /// Kind of person, by its name under `naming.kinds`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<PersonKind>,
    /// The location that employs the person (N6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationId>,
    /// The supervisor's log-on name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supervisor: Option<UserId>,
}

/// A person's name on a form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FormPersonName {
    /// Family name.
    pub last: String,
    /// Legal first name.
    pub first: String,
    /// The first name the person goes by, if another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<String>,
}

impl From<FormPersonName> for PersonName {
    fn from(name: FormPersonName) -> Self {
        Self { last: name.last, first: name.first, preferred: name.preferred }
    }
}

/// A system on a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SystemWish {
    /// Which, by its name under `access.systems`.
    pub system: SystemName,
    /// In which role, where the system has roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<SystemRole>,
    /// Taken away instead of given (`change`, `recertify`).
    #[serde(default)]
    pub remove: bool,
    /// The last day, where it ends before the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_on: Option<Date>,
}

/// What a form says of a signature on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// As what they signed: `staff_member`, or an approver's role.
    pub role: String,
    /// Who signed.
    pub name: String,
    /// When.
    pub on: Date,
    /// By hand, or electronically: some forms need ink (A6).
    pub by: SignedBy,
}

/// How a form was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignedBy {
    /// By hand: the scan is attached.
    Hand,
    /// Electronically.
    Electronic,
}

/// A scan that belongs to a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// What it is: a name that the form's rule asks for, such as `consent`.
    pub what: String,
    /// Name of the file in the folder in which the form is filed.
    pub file: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
}

/// Where a form stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormState {
    /// Approvals or gates are missing: nothing of it, or not all of it, is given.
    Waiting,
    /// All have said yes and nothing is missing: it is being carried out.
    Approved,
    /// Everything that it asks for is in place.
    InPlace,
    /// Somebody said no, with a reason.
    Denied,
    /// It ended before it was carried out: a departure, a newer form, taken back.
    Ended,
}

impl FormState {
    /// True when nothing more happens to the form by itself.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::InPlace | Self::Denied | Self::Ended)
    }
}

/// A form that was taken: complete, about one person, and on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiledForm {
    /// Its number, for people: counts up from 1.
    pub number: u64,
    /// What it says.
    pub form: AccessForm,
    /// SHA-256 of what it says, in hexadecimal, whatever the spaces and the order of fields: approvals are
    /// bound to it.
    pub hash: String,
    /// Whom it is about.
    pub person: PersonId,
    /// Whose word it is: the account that filed it.
    pub filed_by: crate::facts::Actor,
    /// When.
    pub filed_at: Timestamp,
    /// Where it stands.
    pub state: FormState,
    /// Why it ended, for people.
    #[serde(default)]
    pub ended_because: Option<String>,
    /// The log-on name that it gives or changes to, once reserved (N5).
    #[serde(default)]
    pub reserved: Option<UserId>,
    /// Reminders that were sent so far to those who have to decide.
    #[serde(default)]
    pub reminders: u16,
    /// When those who have to decide were last told.
    #[serde(default)]
    pub told_on: Option<Date>,
}

impl FiledForm {
    /// The case that its steps belong to.
    #[must_use]
    pub fn case(&self) -> CaseId {
        CaseId::of_form(self.form.id)
    }

    /// Whom it is about, for those who deal with it: the user ID, the name on the form where there is none
    /// yet, and the employee number or id where there is neither.
    #[must_use]
    pub fn about(&self, person: Option<&Person>) -> String {
        let stated = &self.form.person;
        let known = person.map(Person::user_ids).unwrap_or_default();
        let user_id = known.first().or(stated.user_id.as_ref()).or(self.reserved.as_ref());
        match (user_id, &stated.name, person) {
            (Some(user_id), _, _) => user_id.to_string(),
            (None, Some(name), _) => PersonName::from(name.clone()).display(),
            (None, None, Some(person)) => person.shown(),
            (None, None, None) => format!("person {}", self.person),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::AccessForm;
    use serde_json::{Value, json};

    /// A form with these fields over those that every form has.
    pub(crate) fn form(fields: Value) -> AccessForm {
        let mut whole = json!({
            "form": "staff_access", "version": 1, "id": "0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d",
            "person": { "user_id": "mzdoej" },
        });
        for (key, value) in fields.as_object().unwrap() {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }
}
