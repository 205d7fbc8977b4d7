//! What actions carry: objects, new accounts, new names.

use crate::facts::{EmployeeNumber, LocationId, PersonKind, PersonName, StableId, UserId};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use uuid::Uuid;

/// An object in a target: its identity, and a name for people, which decides nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    /// Survives renames and moves.
    pub id: StableId,
    /// What people call it: a user ID, a group's name.
    pub label: String,
}

/// What the one who is asked to end access needs to know (P2): no number, no reason, no address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The person's name, first name first.
    pub name: String,
    /// The person's user ID here.
    pub user_id: String,
    /// Last day on which access is to work, if one is known.
    pub last_day: Option<Date>,
    /// Place of work, by name.
    pub location: Option<String>,
    /// Mail addresses of those who are asked; empty where the connector has its own.
    pub to: Vec<String>,
}

impl Target {
    /// The target of an account that is still to be made, by the log-on name that is reserved for it.
    #[must_use]
    pub fn to_be_made(user_id: &UserId) -> Self {
        Self { id: StableId::to_be_made(user_id), label: user_id.to_string() }
    }
}

/// What a new account is to be. Who it is for, in facts: how each target writes them down is its own
/// settings' business.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blueprint {
    /// The log-on name, reserved for the person (N5).
    pub user_id: UserId,
    /// The person's name.
    pub name: PersonName,
    /// The name as others see it.
    pub display_name: String,
    /// Mail address, where the account gets one.
    pub mail: Option<String>,
    /// HR's number of the person, by which the account is known again.
    pub employee_number: Option<EmployeeNumber>,
    /// What kind of person.
    pub kind: Option<PersonKind>,
    /// The location that employs the person.
    pub location: Option<LocationId>,
    /// The same by name.
    pub location_name: Option<String>,
    /// What the person does, as the form says.
    pub title: Option<String>,
    /// The supervisor's log-on name.
    pub supervisor: Option<UserId>,
    /// Home directory as the directory is to name it.
    pub home: Option<String>,
    /// The account's number on file systems (RFC 2307 `uidNumber`), where one was reserved.
    pub uid_number: Option<u32>,
    /// The last day on which the account is to work, where it is temporary.
    pub ends_on: Option<Date>,
}

/// What an account is called after a rename (N7).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NewName {
    /// The log-on name, reserved for the person (N5).
    pub user_id: UserId,
    /// The person's name.
    pub name: PersonName,
    /// The name as others see it.
    pub display_name: String,
    /// Mail address, where the account has one.
    pub mail: Option<String>,
    /// Addresses that go on leading to the account.
    pub aliases: Vec<String>,
    /// Home directory as the directory is to name it, where it moves.
    pub home: Option<String>,
    /// The location that employs the person from then on.
    pub location: Option<LocationId>,
    /// The same by name.
    pub location_name: Option<String>,
}

/// Where a home directory is, as far as the plan knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HomePlace {
    /// What the directory says of it.
    pub home: Option<String>,
    /// The account's number on file systems (RFC 2307 `uidNumber`).
    pub uid_number: Option<u32>,
}

/// For whom a password is sealed (A6): never for the one who asked for the access.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Envelope {
    /// Its id: the same step seals the same envelope anew.
    pub id: Uuid,
    /// The log-on name of the one who may open it.
    pub opener: UserId,
    /// The opener's mail address, where one is known.
    pub mail: Option<String>,
    /// Number of the form that asks for it.
    pub form: u64,
}

/// What a departure replaced on an account, as it was before: from the receipt of the step that did it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum Kept {
    /// The description, where the departure's stamp still is.
    Description {
        /// The stamp.
        stamp: String,
        /// Its values before; none where there was no description.
        was: Vec<String>,
    },
    /// What shutting the account changed beside its lock: a shell, keys.
    Shut {
        /// The attributes before, by name.
        was: BTreeMap<String, Vec<String>>,
    },
    /// What hid the mailbox, where it is still hidden.
    Mailbox {
        /// The attributes before, by name.
        was: BTreeMap<String, Vec<String>>,
    },
    /// The primary group, where it still is the directory's default.
    PrimaryGroup {
        /// The one before.
        group: Target,
    },
}

impl Kept {
    /// A noun for people.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Description { .. } => "description",
            Self::Shut { .. } => "settings that shutting changed",
            Self::Mailbox { .. } => "place in address lists",
            Self::PrimaryGroup { .. } => "primary group",
        }
    }
}

/// What somebody else is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum RequestedChange {
    /// Give access (A11).
    Grant {
        /// Number of the form that asks for it.
        form: u64,
    },
    /// Rename what the person has there (A11, N7).
    Rename {
        /// Number of the form that asks for it.
        form: u64,
        /// The log-on name before.
        from: UserId,
    },
}

impl RequestedChange {
    /// The form that asks for it.
    #[must_use]
    pub fn form(&self) -> u64 {
        match self {
            Self::Grant { form } | Self::Rename { form, .. } => *form,
        }
    }

    /// A verb for people.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Grant { .. } => "give",
            Self::Rename { .. } => "rename",
        }
    }
}
