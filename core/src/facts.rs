//! What is known of people: who they are, the engagements they hold, and the notices about them.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// Why a text is not a valid name, number or id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {shown:?} {problem}")]
pub struct Invalid {
    /// What the text was meant to be.
    pub what: &'static str,
    /// The text, cut to a length that is safe to show.
    pub shown: String,
    /// What is wrong with it, and what would be right.
    pub problem: &'static str,
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks that the text is not blank, not too long and has no control character.
            pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
                checked(text.into(), $what, $max).map(Self)
            }
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
            /// The text folded for comparison: directories and HR systems ignore case.
            #[must_use]
            pub fn folded(&self) -> String {
                self.0.to_lowercase()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
    };
}

fn checked(text: String, what: &'static str, max: usize) -> Result<String, Invalid> {
    let trimmed = text.trim();
    let problem = if trimmed.is_empty() {
        "is empty"
    } else if trimmed.chars().count() > max {
        "is too long"
    } else if trimmed.chars().any(char::is_control) {
        "has control characters in it"
    } else {
        return Ok(trimmed.to_owned());
    };
    let shown = trimmed.chars().take(40).collect();
    Err(Invalid { what, shown, problem })
}

text_newtype!(
    /// The number by which HR knows a person: may change, and may be given to another after years.
    EmployeeNumber, "employee number", 64
);
text_newtype!(
    /// A log-on name (`sAMAccountName`, `uid`), in the case in which it was given.
    UserId, "user ID", 64
);
text_newtype!(
    /// Where a notice comes from: a feed's name in the YAML, or `operator`.
    SourceName, "source", 64
);
text_newtype!(
    /// A configured target, by its name in the YAML.
    ConnectorName, "connector", 64
);
text_newtype!(
    /// A location's identifier in the naming standard, such as `z` (N9).
    LocationId, "location", 32
);
text_newtype!(
    /// A kind of person, such as `staff` or `contract_provider`; the YAML says what each means.
    PersonKind, "kind of person", 32
);
text_newtype!(
    /// The identity of an object in a target that survives renames: `objectGUID`, `entryUUID`.
    StableId, "stable id", 128
);
text_newtype!(
    /// A group, by the name that a directory shows.
    GroupName, "group", 256
);
text_newtype!(
    /// A system that people can be given, by its name under `access.systems` in the YAML.
    SystemName, "system", 64
);
text_newtype!(
    /// A role within a system, such as `nurse`; the YAML says what each gives.
    SystemRole, "role in a system", 64
);
text_newtype!(
    /// A role that decides on access forms, such as `local_security_officer` (A2, A3).
    ApproverRole, "approver's role", 64
);
text_newtype!(
    /// What must be signed or done before access is given, such as `hipaa_training` (A4).
    GateName, "gate", 64
);
text_newtype!(
    /// A kind of access form, by its name under `access.forms` in the YAML (A1).
    FormName, "form", 64
);
text_newtype!(
    /// Someone who acts through the control socket, by the name of their account on this machine.
    Actor, "actor", 64
);

impl SourceName {
    /// The source of what operators say.
    pub const OPERATOR: &str = "operator";
    /// What the sources of notices by access forms begin with; the role or the form follows.
    pub const OF_FORMS: &str = "form:";

    /// Whether each notice of this source is an act of its own, of an operator or by a form, and not a row of
    /// a file. No feed may have such a name.
    #[must_use]
    pub fn is_an_act(&self) -> bool {
        self.as_str() == Self::OPERATOR || self.as_str().starts_with(Self::OF_FORMS)
    }
}

impl StableId {
    /// Stands for an account that is still to be made, by the log-on name that is reserved for it.
    #[must_use]
    pub fn to_be_made(user_id: &UserId) -> Self {
        Self(format!("new:{}", user_id.folded()))
    }

    /// True for an account that is still to be made.
    #[must_use]
    pub fn is_to_be_made(&self) -> bool {
        self.0.starts_with("new:")
    }
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_newtype!(
    /// The product's own id of a person, never shown to HR and never reused.
    PersonId
);
uuid_newtype!(
    /// One matter of one person that steps belong to: a departure from first notice to the last deletion,
    /// an access form, a suspension.
    CaseId
);

impl CaseId {
    /// The id of a person's `episode`-th departure (0 for the first): the same wish gets the same id.
    #[must_use]
    pub fn departure(person: PersonId, episode: u32) -> Self {
        Self(Uuid::new_v5(&person.0, format!("departure {episode}").as_bytes()))
    }

    /// The id of what an access form asks for; `form` is the form's own id.
    #[must_use]
    pub fn of_form(form: Uuid) -> Self {
        Self(Uuid::new_v5(&form, b"access form"))
    }

    /// The id of a suspension, by the suspension's own id.
    #[must_use]
    pub fn of_suspension(suspension: Uuid) -> Self {
        Self(Uuid::new_v5(&suspension, b"suspension"))
    }

    /// The id of putting back what a departure took; `time` counts how often that was done before.
    #[must_use]
    pub fn of_restoration(departure: Self, time: u32) -> Self {
        Self(Uuid::new_v5(&departure.0, format!("restoration {time}").as_bytes()))
    }

    /// The id of having one password changed: of an account, by when it was last changed.
    #[must_use]
    pub fn of_password(
        person: PersonId,
        (connector, account): (&ConnectorName, &StableId),
        changed_at: Timestamp,
    ) -> Self {
        let password = format!("password\u{1f}{connector}\u{1f}{account}\u{1f}{changed_at}");
        Self(Uuid::new_v5(&person.0, password.as_bytes()))
    }
}

/// A person's name as HR gives it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonName {
    /// Family name, suffixes included as given.
    pub last: String,
    /// Legal first name.
    pub first: String,
    /// The first name the person goes by, if another.
    pub preferred: Option<String>,
}

impl PersonName {
    /// The name in reading order, for tables and messages.
    #[must_use]
    pub fn display(&self) -> String {
        let first = self.preferred.as_deref().unwrap_or(&self.first);
        format!("{first} {}", self.last).trim().to_owned()
    }
}

/// What a feed says of an engagement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Employed, or about to be; an end date may be set.
    Active,
    /// On leave: still employed (S1); no departure.
    OnLeave,
    /// Gone, or going on the end date.
    Departed,
    /// The source takes back an earlier departure notice of its own (D10).
    Withdrawn,
}

/// One accepted row of a drop: a source's statement about one engagement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Line of the drop (1 is the first), for messages.
    pub line: u64,
    /// HR's number of the person.
    pub employee_number: Option<EmployeeNumber>,
    /// The number the person had before, when HR says that it changed.
    pub former_employee_number: Option<EmployeeNumber>,
    /// The log-on name, when the feed carries one.
    pub user_id: Option<UserId>,
    /// Tells several engagements of one person apart (PeopleSoft EMPL_RCD, say); empty for the only one.
    pub record: String,
    /// Name as given; `None` where the feed has no name columns.
    pub name: Option<PersonName>,
    /// What is said of the engagement.
    pub status: Status,
    /// First day of the engagement.
    pub starts_on: Option<Date>,
    /// Last day worked.
    pub ends_on: Option<Date>,
    /// Dismissed for cause: takes effect at once (D2).
    pub for_cause: bool,
    /// Where the person works (D6): a location id, or unknown.
    pub worksite: Option<LocationId>,
    /// What kind of engagement it is.
    pub kind: Option<PersonKind>,
    /// Supervisor's employee number.
    pub supervisor: Option<EmployeeNumber>,
    /// Gates that the person passed, each with its day (A4).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<(GateName, Date)>,
}

/// One post of one person with the agency, as a source describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Engagement {
    /// Who describes it.
    pub source: SourceName,
    /// HR's number of the person in this engagement.
    pub employee_number: Option<EmployeeNumber>,
    /// Numbers that the person had before in this engagement: accounts may still carry them.
    #[serde(default)]
    pub former_numbers: Vec<EmployeeNumber>,
    /// The log-on name that the source states, when it does.
    pub user_id: Option<UserId>,
    /// Tells several engagements with one number apart.
    pub record: String,
    /// Its number among this person's engagements: notices refer to it, whatever else changes.
    pub ordinal: u32,
    /// Latest name.
    pub name: Option<PersonName>,
    /// Latest status.
    pub status: Status,
    /// First day.
    pub starts_on: Option<Date>,
    /// Last day worked, as the source last said.
    pub ends_on: Option<Date>,
    /// Where (D6).
    pub worksite: Option<LocationId>,
    /// What kind.
    pub kind: Option<PersonKind>,
    /// Supervisor's employee number.
    pub supervisor: Option<EmployeeNumber>,
}

impl Engagement {
    /// True while the source says that the engagement goes on (it may have a notice against it).
    #[must_use]
    pub fn goes_on(&self) -> bool {
        matches!(self.status, Status::Active | Status::OnLeave | Status::Withdrawn)
    }
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "about")]
pub enum About {
    /// One engagement of the person.
    Engagement {
        /// See [`Engagement::ordinal`].
        ordinal: u32,
    },
    /// The person whole: every engagement (an operator's or an LSO's notice).
    Person,
}

/// Whether a notice still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NoticeState {
    /// It counts.
    Standing,
    /// The same source said something newer of the same engagement (D1).
    Replaced,
    /// Its own source took it back (D10).
    Withdrawn,
    /// It took effect, and the person was taken on again since, by an approved form (D10).
    Over,
}

/// A source's word that an engagement, or all of a person's, ends (D1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Who gave it.
    pub source: SourceName,
    /// What ends.
    pub about: About,
    /// Last day worked; `None` when only a moment is known (an operator's notice).
    pub last_day: Option<Date>,
    /// When access ends; computed once, in the agency's time zone (D2).
    pub effective_at: Timestamp,
    /// Dismissed for cause.
    pub for_cause: bool,
    /// When it came in.
    pub received_at: Timestamp,
    /// Who or what brought it: a drop's name, or an operator.
    pub brought_by: String,
    /// Whether it counts.
    pub state: NoticeState,
}

impl Notice {
    /// The last day of which the notice speaks: the last day worked, or the day on which it takes effect. What
    /// began after it is another employment, of which it says nothing.
    #[must_use]
    pub fn speaks_until(&self, zone: &TimeZone) -> Date {
        let dated = self.last_day.filter(|_| !self.for_cause);
        dated.unwrap_or_else(|| self.effective_at.to_zoned(zone.clone()).date())
    }

    /// Whether it was given after a moment, or ends access only after it. A file that lists what it listed
    /// before says nothing anew; an operator or a form that says the same again does.
    #[must_use]
    pub fn is_later_than(&self, moment: Timestamp) -> bool {
        self.effective_at > moment || (self.source.is_an_act() && self.received_at > moment)
    }
}

/// An account in a target that belongs to a person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LinkedAccount {
    /// The target.
    pub connector: ConnectorName,
    /// Its stable id there.
    pub id: StableId,
    /// Its log-on name when last seen.
    pub user_id: UserId,
}

/// A person with all that is known of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Own surrogate id.
    pub id: PersonId,
    /// How many departures of this person are over and done: numbers the next one.
    pub episode: u32,
    /// Engagements of all sources, oldest first.
    pub engagements: Vec<Engagement>,
    /// Notices of all sources, oldest first.
    pub notices: Vec<Notice>,
    /// Accounts known to be theirs.
    pub accounts: Vec<LinkedAccount>,
    /// Log-on names that lapsed set apart for them, used by now or not, and those that they had before a
    /// rename: whoever bears one of them is looked at when they leave (N5, D2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_user_ids: Vec<UserId>,
}

impl Person {
    /// A person of whom nothing is known yet.
    #[must_use]
    pub fn new(id: PersonId) -> Self {
        Self {
            id,
            episode: 0,
            engagements: Vec::new(),
            notices: Vec::new(),
            accounts: Vec::new(),
            other_user_ids: Vec::new(),
        }
    }

    /// Every employee number that any engagement carries, each once, in order.
    #[must_use]
    pub fn employee_numbers(&self) -> Vec<EmployeeNumber> {
        let mut numbers: Vec<_> =
            self.engagements.iter().filter_map(|e| e.employee_number.clone()).collect();
        numbers.sort();
        numbers.dedup();
        numbers
    }

    /// The same, with the numbers of before: what an account may carry.
    #[must_use]
    pub fn numbers_ever(&self) -> Vec<EmployeeNumber> {
        let former = self.engagements.iter().flat_map(|e| e.former_numbers.clone());
        let mut numbers: Vec<_> = self.employee_numbers().into_iter().chain(former).collect();
        numbers.sort();
        numbers.dedup();
        numbers
    }

    /// Every log-on name that an engagement states, a linked account has or lapsed set apart, each once,
    /// in order.
    #[must_use]
    pub fn user_ids(&self) -> Vec<UserId> {
        let stated = self.engagements.iter().filter_map(|e| e.user_id.clone());
        let mut ids: Vec<_> =
            self.accounts.iter().map(|a| a.user_id.clone()).chain(stated).collect();
        ids.extend(self.other_user_ids.iter().cloned());
        ids.sort_by_key(UserId::folded);
        ids.dedup_by_key(|id| id.folded());
        ids
    }

    /// Whether an account is known to be the person's.
    #[must_use]
    pub fn has_account(&self, connector: &ConnectorName, id: &StableId) -> bool {
        self.accounts.iter().any(|known| &known.connector == connector && &known.id == id)
    }

    /// The newest name that any engagement gives.
    #[must_use]
    pub fn name(&self) -> Option<&PersonName> {
        self.engagements.iter().rev().find_map(|e| e.name.as_ref())
    }

    /// What to call the person in messages: the user ID where there is one, never more than needed (P2).
    #[must_use]
    pub fn shown(&self) -> String {
        if let Some(account) = self.accounts.first() {
            return account.user_id.to_string();
        }
        if let Some(user_id) = self.engagements.iter().rev().find_map(|e| e.user_id.as_ref()) {
            return user_id.to_string();
        }
        match self.employee_numbers().first() {
            Some(number) => format!("employee {number}"),
            None => format!("person {}", self.id),
        }
    }
}

/// What a case is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseKind {
    /// A person leaves (D).
    #[default]
    Departure,
    /// An access form is carried out (A, N7).
    Form,
    /// Access is stopped for a while (S1 to S3).
    Suspension,
    /// What a mistaken departure took is put back (D10).
    Restoration,
    /// A password that is too old is to be changed (A9).
    Password,
}

/// How far a case has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaseState {
    /// The effective time lies ahead.
    Scheduled,
    /// In effect: steps are being carried out or wait for their dates.
    Open,
    /// The person was hired again; pending deletions are stopped (D10).
    Rehired,
    /// The notice was withdrawn by its own source; pending deletions are stopped (D10).
    Withdrawn,
    /// Nothing remains to be done.
    Closed,
}

/// One departure of one person, one access form that is carried out, or one suspension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Derived from what it is about: the same wish is the same case.
    pub id: CaseId,
    /// What it is about.
    #[serde(default)]
    pub kind: CaseKind,
    /// Whose departure.
    pub person: PersonId,
    /// Where it stands.
    pub state: CaseState,
    /// When access ends.
    pub effective_at: Timestamp,
    /// Dismissed for cause: first in line.
    pub for_cause: bool,
    /// When the case was opened.
    pub opened_at: Timestamp,
    /// The day on which the account was disabled, from which the clocks run; set once.
    pub disabled_on: Option<Date>,
    /// Central office or facility, frozen when the account was disabled (laws of time).
    pub worksite_class: Option<crate::policy::departure::WorksiteClass>,
    /// Who says so and why, for people.
    pub reason: String,
    /// The accounts as they were before the first change, with every group: what a restore starts from
    /// even when a reply, and the receipt with it, was lost (D3, D10).
    #[serde(default)]
    pub before: Vec<(ConnectorName, crate::observed::ObservedAccount)>,
}
