//! What differs between kinds of directory, behind one trait; nothing else knows their attributes.

use super::codes::Trouble;
use super::counting::Counting;
use super::entry::Entry;
use super::layout::Layout;
use super::session::{Attributes, Change, Session};
use super::settings::{GroupClass, SecondOperator};
use crate::contract::Probed;
use futures_util::future::BoxFuture;
use lapsed_core::facts::StableId;
use lapsed_core::observed::{Details, GroupKind, GroupLink, Trust};
use lapsed_core::step::NewName;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Changes of one object, with what they replace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) changes: Vec<Change>,
    /// Old values by attribute, enough to put them back. Never a password.
    pub(super) before: BTreeMap<String, Vec<String>>,
}

impl Edit {
    /// Replaces all values by one, naming the old ones so that a change in between is noticed.
    pub(super) fn set(&mut self, entry: &Entry, attribute: &str, value: &str) {
        let old = entry.owned(attribute);
        if !old.is_empty() {
            self.changes.push(Change::Delete(attribute.to_owned(), old));
        }
        self.changes.push(Change::add(attribute, value));
        self.before.insert(attribute.to_owned(), entry.all(attribute));
    }

    /// Replaces one value by another, and leaves the other values.
    pub(super) fn swap(&mut self, entry: &Entry, attribute: &str, old: Option<&str>, new: &str) {
        if let Some(old) = old {
            self.changes.push(Change::Delete(attribute.to_owned(), vec![old.into()]));
        }
        self.changes.push(Change::add(attribute, new));
        self.before.insert(attribute.to_owned(), entry.all(attribute));
    }

    /// Replaces all values by these, in their order, naming the old ones.
    pub(super) fn set_all(&mut self, entry: &Entry, attribute: &str, values: &[String]) {
        let old = entry.owned(attribute);
        if !old.is_empty() {
            self.changes.push(Change::Delete(attribute.to_owned(), old));
        }
        // One change a value: within one, the order is lost on the way.
        let adds = values.iter().map(|value| Change::add(attribute, value.as_str()));
        self.changes.extend(adds);
        self.before.insert(attribute.to_owned(), entry.all(attribute));
    }

    /// Removes all values, naming them.
    pub(super) fn remove(&mut self, entry: &Entry, attribute: &str) {
        self.changes.push(Change::Delete(attribute.to_owned(), entry.owned(attribute)));
        self.before.insert(attribute.to_owned(), entry.all(attribute));
    }
}

/// An attribute without which nothing can be decided is not shown to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} can't be read; let the daemon's account read it")]
pub(super) struct Unreadable(pub(super) &'static str);

/// How a password nobody knows is put in place. It can't be shown.
pub(super) struct Scramble {
    /// Changes of the account, each list one request.
    pub(super) requests: Vec<Vec<Change>>,
    /// A password for the operation of RFC 3062: when there are no requests, or one is refused.
    pub(super) operation: Option<Zeroizing<String>>,
}

/// A primary group, which is not among a group's members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PrimaryGroup {
    /// Its relative id.
    pub(super) rid: u32,
    /// Whether it is the directory's default.
    pub(super) is_default: bool,
}

/// Whether the owner can get in by any way that shutting would close; what can't be read counts as open.
pub(super) fn is_open(dialect: &dyn Dialect, entry: &Entry) -> bool {
    !matches!(dialect.disable(entry), Ok(None))
}

/// By how many days the time of the last log-on may be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lag {
    /// So many days.
    Days(u16),
    /// The directory does not keep that time.
    NotKept,
}

/// What to write when an account gets another name, beyond the names that all kinds have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Renaming<'r> {
    pub(super) to: &'r NewName,
    pub(super) upn_suffix: Option<&'r str>,
    /// The attribute with the mail address.
    pub(super) mail: &'r str,
    /// The attribute with further addresses.
    pub(super) aliases: &'r str,
}

/// One kind of directory.
pub(super) trait Dialect: Send + Sync + std::fmt::Debug {
    /// Attributes of an account beyond those of the settings.
    fn account_attributes(&self) -> Vec<String>;
    /// Attributes of a group that are needed to name and judge it.
    fn group_attributes(&self) -> &'static [&'static str];
    /// Log-on name's attribute unless the settings say otherwise.
    fn user_id_attribute(&self) -> &'static str;
    /// Filter for accounts unless the settings say otherwise; an indexed class comes first.
    fn account_filters(&self) -> &'static [&'static str];
    /// Kinds of group unless the settings say otherwise.
    fn group_classes(&self) -> Vec<GroupClass>;
    /// Attributes whose values count as taken names (N5).
    fn name_attributes(&self) -> &'static [&'static str];
    /// Identity of an object.
    fn id_of(&self, entry: &Entry) -> Option<StableId>;
    /// Filter that finds an object by its identity; `None` when the id is of another kind.
    fn id_filter(&self, id: &StableId) -> Option<String>;
    /// The name under which to address an object in a request: one that survives renames, if any.
    fn address(&self, entry: &Entry) -> String;
    /// A filter that an object must match while it is changed, where the server can check that.
    fn only_if(&self, entry: &Entry) -> Option<String>;
    /// Whether the switch that stops log-ons by password is set. Other ways in may still be open:
    /// only [`is_open`] says whether the account is shut.
    fn is_locked(&self, entry: &Entry) -> bool;
    /// The attribute by which accounts are shut.
    fn lock_attribute(&self) -> String;
    /// Tries what only this kind of directory needs.
    fn check<'a>(&'a self, session: &'a Session, layout: &'a Layout) -> BoxFuture<'a, Vec<Probed>>;
    /// What shuts the account; `None` when it is shut.
    fn disable(&self, entry: &Entry) -> Result<Option<Edit>, Unreadable>;
    /// What opens the account again; `None` when it is open.
    fn enable(&self, entry: &Entry) -> Result<Option<Edit>, Unreadable>;
    /// Object classes of a new account unless the settings say otherwise.
    fn new_classes(&self) -> &'static [&'static str];
    /// The attribute in a new account's own name unless the settings say otherwise.
    fn named_by(&self) -> &'static str;
    /// Where a new account says by which step it was made, unless the settings say otherwise.
    fn mark_attribute(&self) -> &'static str;
    /// What makes a new account of these classes a shut one that can be logged on to later.
    fn new_account(&self, classes: &[String], user_id: &str, upn: Option<&str>) -> Attributes;
    /// The request that sets a first password, which must be changed at the next log-on; `None` where
    /// the operation of RFC 3062 does it, and [`Dialect::after_password`] the rest.
    fn first_password(&self, password: &str) -> Option<Vec<Change>>;
    /// What is still to be set after the operation of RFC 3062 gave the account its first password.
    fn after_password(&self, entry: &Entry) -> Edit;
    /// Whether the password must be changed at the next log-on; `None` where that is not shown.
    fn must_change(&self, entry: &Entry) -> Option<bool>;
    /// What has the password changed at the next log-on, asked where [`Dialect::must_change`] says no.
    fn expire_password(&self, entry: &Entry) -> Edit;
    /// The attribute that changes with every new password, and is read by name only.
    fn password_version_attribute(&self) -> &'static str;
    /// The attribute with further mail addresses unless the settings say otherwise.
    fn alias_attribute(&self) -> &'static str;
    /// What stands in that attribute of a new account with this mail address, if anything does.
    fn main_address(&self, _mail: &str) -> Option<String> {
        None
    }
    /// Further mail addresses, without a protocol before them.
    fn aliases(&self, entry: &Entry, mail: &str, aliases: &str) -> Vec<String>;
    /// What a new name changes beyond log-on name, names and home.
    fn rename(&self, entry: &Entry, renaming: Renaming<'_>, edit: &mut Edit);
    /// Whether members are listed by names that do not follow a rename by themselves.
    fn members_stay_behind(&self) -> bool;
    /// By how many days the time of the last log-on may be late (S3).
    fn last_use_lag<'a>(&'a self, session: &'a Session) -> BoxFuture<'a, Lag>;
    /// When the account was last used, and how old its password is.
    fn details(&self, entry: &Entry, lag: Lag) -> Details;
    /// How to put a password in place that nobody knows.
    fn scramble(&self, entry: &Entry, session: &Session) -> Scramble;
    /// When the password was last changed, as the directory writes it.
    fn password_changed(&self, entry: &Entry) -> Option<String>;
    /// The attribute that [`Dialect::password_changed`] reads.
    fn password_changed_attribute(&self) -> &'static str;
    /// What sort of group it is.
    fn group_kind(&self, entry: &Entry) -> GroupKind;
    /// The account's primary group.
    fn primary_group(&self, entry: &Entry) -> Option<PrimaryGroup>;
    /// True when the group is the account's primary one.
    fn is_primary(&self, account: &Entry, group: &Entry) -> bool;
    /// Reads the account's primary group.
    fn primary_link<'a>(
        &'a self,
        session: &'a Session,
        account: &'a Entry,
    ) -> BoxFuture<'a, Result<Option<GroupLink>, Trouble>>;
    /// Makes the default group the account's primary one, which it was not.
    fn reset_primary_group<'a>(
        &'a self,
        session: &'a Session,
        account: &'a Entry,
    ) -> BoxFuture<'a, Result<Edit, Trouble>>;
    /// Makes a group that the account is in its primary one again (D10).
    fn set_primary_group<'a>(
        &'a self,
        session: &'a Session,
        account: &'a Entry,
        group: &'a Entry,
    ) -> BoxFuture<'a, Result<Edit, Trouble>>;
    /// What shutting changed beside the lock, put back as it was: `None` where it is so, an error where others
    /// have changed it since (D10).
    fn unshut(
        &self,
        _account: &Entry,
        _was: &BTreeMap<String, Vec<String>>,
    ) -> Result<Option<Edit>, Vec<String>> {
        Ok(None)
    }
    /// What the owner of the account holds in trust, where it stands on the account itself (S7).
    fn trust_on(&self, _account: &Entry) -> Option<Vec<Trust>> {
        None
    }
    /// By what the directory counts its changes.
    fn counting(&self) -> Counting;
    /// True where members have to be asked for in ranges.
    fn serves_ranges(&self) -> bool;
    /// True where a filter for an object without some attribute never matches one whose attribute is
    /// only hidden from us.
    fn shows_absence(&self) -> bool;
    /// Why the account must never be touched, whatever the settings say.
    fn never(&self, entry: &Entry) -> Option<String>;
    /// Why the account is an administrator's.
    fn second_operator(&self, entry: &Entry, rules: &SecondOperator) -> Option<String>;
    /// True when the name (`name@domain`, `name`) is this account's.
    fn answers_to(&self, entry: &Entry, name: &str) -> bool;
}
