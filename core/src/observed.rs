//! What a directory shows of accounts and groups: the other half of reconcile's input.

use crate::facts::{
    ConnectorName, EmployeeNumber, GroupName, LinkedAccount, PersonName, StableId, SystemRole,
    UserId,
};
use crate::step::StepId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How much to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every account below the configured bases, without memberships. Large.
    AllAccounts,
    /// The accounts of certain people, each with every group it is in.
    People(Vec<PersonKeys>),
    /// The accounts of certain people, without memberships.
    AccountsOf(Vec<PersonKeys>),
    /// Every name that counts as taken (N5): IDs, and local parts of UPN, mail and proxy addresses.
    TakenNames,
    /// Every group that bears one of these names, whatever their case: groups are given by name in the
    /// configuration, and joined by what was found. Only a directory knows.
    Groups(Vec<GroupName>),
    /// The accounts in any group that bears one of these names, those in groups within it included, without
    /// their own groups. Only a directory knows.
    Members(Vec<GroupName>),
    /// Accounts that were made or changed, or whose place in one of the groups was, without their groups.
    /// What is gone is not among them. Only a directory knows.
    Changed(Since),
}

/// From where on changes are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Since {
    /// Up to where was looked before; `None`: from now on.
    pub mark: Option<Mark>,
    /// The groups that matter, by name.
    pub groups: Vec<GroupName>,
}

/// Up to where a directory's changes were looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The copy of the directory that counts so: each counts its own.
    pub server: String,
    /// How far, as that copy counts.
    pub point: String,
    /// Who was in the groups that matter: a directory tells only that a group changed, and not how.
    pub members: BTreeMap<StableId, BTreeSet<MemberName>>,
}

/// How a group names a member. One account in many groups is written down once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum MemberName {
    /// By its distinguished name.
    Place(Arc<str>),
    /// By its log-on name.
    UserId(Arc<str>),
}

/// By what one person's accounts are found. All keys are tried; each account comes once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PersonKeys {
    /// Numbers on the account.
    pub employee_numbers: Vec<EmployeeNumber>,
    /// Log-on names, linked ones (`adm-…`) included.
    pub user_ids: Vec<UserId>,
    /// Objects already known to be theirs.
    pub ids: Vec<StableId>,
    /// Home directories as the account names them: who else has one of them (D6). Only a directory knows.
    pub homes: Vec<String>,
}

/// All that is in scope. It exists only if the listing ended cleanly: a cut listing is a `Fault`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Accounts in scope, in the order of the keys that found them.
    pub accounts: Vec<ObservedAccount>,
    /// For [`Scope::TakenNames`]: folded names.
    pub taken_names: Vec<String>,
    /// For [`Scope::Groups`]: what was found; two of one name are both in it.
    pub groups: Vec<GroupLink>,
    /// For [`Scope::Changed`]: up to where was looked now. `None`: what changed can't be told.
    pub mark: Option<Mark>,
    /// The server that answered.
    pub server: String,
}

/// One account as the target shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedAccount {
    /// Identity that survives renames.
    pub id: StableId,
    /// Log-on name.
    pub user_id: UserId,
    /// Further log-on names: a directory may give an account several, and each opens it.
    #[serde(default)]
    pub other_user_ids: Vec<UserId>,
    /// Where it is, for people: a distinguished name.
    pub place: String,
    /// Whether its owner can log on, as far as the target's own switch says.
    pub enabled: bool,
    /// HR's number on the account.
    pub employee_number: Option<EmployeeNumber>,
    /// Further numbers on the account.
    #[serde(default)]
    pub other_employee_numbers: Vec<EmployeeNumber>,
    /// Name on the account, as far as it has one.
    pub name: PersonName,
    /// Description, where our stamp goes.
    pub description: Option<String>,
    /// Home directory as the target names it.
    pub home: Option<String>,
    /// The account's number on file systems (RFC 2307 `uidNumber`), where the directory has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid_number: Option<u32>,
    /// Mail address.
    pub mail: Option<String>,
    /// Why it must not be touched as a matter of course.
    pub protection: Option<Protection>,
    /// Groups, filled for [`Scope::People`] only.
    pub groups: Vec<GroupLink>,
    /// Where it gives access to.
    #[serde(default)]
    pub realm: Realm,
    /// What its owner answers for, filled for [`Scope::People`] as far as the target shows it (S7).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_in_trust: Vec<Trust>,
    /// What else the target shows of it, as far as it does.
    #[serde(default)]
    pub details: Details,
}

/// What a target may show of an account beside what a departure needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Details {
    /// The name as others see it.
    pub display_name: Option<String>,
    /// Further mail addresses that lead to it, without a protocol before them.
    pub mail_aliases: Vec<String>,
    /// Roles that it has in a system, sorted.
    pub roles: Vec<SystemRole>,
    /// When it was last used (S3); `None` where the target does not show that.
    pub last_use: Option<LastUse>,
    /// How old its password is (A9); `None` where the target does not show that.
    pub password: Option<PasswordAge>,
    /// The step that made it, as its own mark says; `None` for what lapsed did not make.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<StepId>,
    /// What a departure would replace on it, filled for [`Scope::People`].
    #[serde(skip_serializing_if = "Replaceable::is_empty")]
    pub replaceable: Replaceable,
}

/// What a departure would replace on an account beside its lock, as it is now: kept before anything is taken
/// (D3), so that it can be put back (D10) even where the answer to the change was lost. Never a password.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Replaceable {
    /// By shutting the account: attributes by name (a shell, keys, the lock itself).
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_shutting: BTreeMap<String, Vec<String>>,
    /// By hiding its mailbox: attributes by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_hiding: BTreeMap<String, Vec<String>>,
}

impl Replaceable {
    /// True where nothing would be replaced, or the target does not show it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_shutting.is_empty() && self.by_hiding.is_empty()
    }
}

/// When an account was last used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// The last time; `None`: never since it was made.
    pub at: Option<Timestamp>,
    /// When it was made, where the target shows it.
    pub made_at: Option<Timestamp>,
    /// By how many days the source may lag behind (replication).
    pub lag_days: u16,
}

/// How old an account's password is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordAge {
    /// When it was last changed; `None`: it must be changed at the next log-on.
    pub changed_at: Option<Timestamp>,
    /// The account's own setting lets it never expire.
    pub never_expires: bool,
}

/// Something that somebody has to take over when its holder leaves (S7).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Trust {
    /// What it is.
    pub kind: TrustKind,
    /// Its name, for people.
    pub name: String,
}

/// What sort of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustKind {
    /// Somebody whose supervisor the leaver is.
    DirectReport,
    /// A group that the leaver manages or owns.
    Group,
    /// A mailbox that several people use.
    SharedMailbox,
}

impl TrustKind {
    /// For people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::DirectReport => "direct report",
            Self::Group => "group",
            Self::SharedMailbox => "shared mailbox",
        }
    }
}

/// What an account opens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// A directory: shut by D2, and the clocks of D6 and D7 run from it.
    #[default]
    Directory,
    /// One system, whose access is looked up and revoked (D4).
    System,
}

impl ObservedAccount {
    /// Every log-on name of the account.
    pub fn user_ids(&self) -> impl Iterator<Item = &UserId> {
        std::iter::once(&self.user_id).chain(&self.other_user_ids)
    }

    /// Every one of HR's numbers on the account.
    pub fn employee_numbers(&self) -> impl Iterator<Item = &EmployeeNumber> {
        self.employee_number.iter().chain(&self.other_employee_numbers)
    }

    /// The account as it is written down with the person whose it is.
    #[must_use]
    pub fn link(&self, connector: &ConnectorName) -> LinkedAccount {
        LinkedAccount {
            connector: connector.clone(),
            id: self.id.clone(),
            user_id: self.user_id.clone(),
        }
    }

    /// Whether the account has one of these log-on names, however they are written.
    #[must_use]
    pub fn has_user_id_of(&self, user_ids: &[UserId]) -> bool {
        self.user_ids().any(|own| user_ids.iter().any(|id| id.folded() == own.folded()))
    }

    /// Whether the account carries one of these numbers, however they are written.
    #[must_use]
    pub fn has_number_of(&self, numbers: &[EmployeeNumber]) -> bool {
        self.employee_numbers().any(|own| numbers.iter().any(|n| n.folded() == own.folded()))
    }
}

/// Why an account is protected (house law: what the guard knows).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "protection")]
pub enum Protection {
    /// Break-glass, or the daemon's own: never touched, by nobody's release.
    Never {
        /// The pattern or fact that says so.
        because: String,
    },
    /// An administrator's: waits for a second operator.
    SecondOperator {
        /// The pattern, group or attribute that says so.
        because: String,
    },
}

/// One group that an account is in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupLink {
    /// Identity of the group.
    pub id: StableId,
    /// Its name, for people.
    pub name: String,
    /// How it can be left.
    pub kind: GroupKind,
}

/// What sort of membership it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// A security group.
    Security,
    /// A distribution group.
    Distribution,
    /// A group of neither kind (`groupOfNames`, `posixGroup`).
    Plain,
    /// The primary group and it is the directory's default: stays.
    DefaultPrimary,
    /// The primary group, another than the default: reset first, then left.
    OtherPrimary,
}
