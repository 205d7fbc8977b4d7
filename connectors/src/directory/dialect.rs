//! What differs between kinds of directory, behind one trait; nothing else knows their attributes.

use super::codes::Trouble;
use super::entry::Entry;
use super::layout::Layout;
use super::session::{Change, Session};
use super::settings::{GroupClass, SecondOperator};
use crate::contract::Probed;
use futures_util::future::BoxFuture;
use lapsed_core::facts::StableId;
use lapsed_core::observed::{GroupKind, GroupLink, Trust};
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
        let old = entry.bytes(attribute);
        if !old.is_empty() {
            self.changes.push(Change::Delete(attribute.to_owned(), old.to_vec()));
        }
        self.changes.push(Change::add(attribute, value));
        self.before.insert(attribute.to_owned(), entry.all(attribute));
    }

    /// Removes all values, naming them.
    pub(super) fn remove(&mut self, entry: &Entry, attribute: &str) {
        self.changes.push(Change::Delete(attribute.to_owned(), entry.bytes(attribute).to_vec()));
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
    /// What the owner of the account holds in trust, where it stands on the account itself (S7).
    fn trust_on(&self, _account: &Entry) -> Option<Vec<Trust>> {
        None
    }
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
