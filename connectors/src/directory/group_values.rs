//! Brings values into a group's list, or out of it: many in one request, split where one is in the way.

use super::apply::Batch;
use super::codes::{Trouble, code};
use super::entry::Entry;
use super::filter;
use super::read::side_by_side;
use super::session::{Change, Query};
use super::settings::EmptyGroup;
use futures_util::future::FutureExt;
use lapsed_core::step::{Fault, Outcome, Receipt};
use ldap3::Scope;
use std::collections::BTreeMap;

/// One value of a group's list, and the step that is about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) index: usize,
    pub(super) value: String,
}

/// Where the values belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    In,
    Out,
}

/// What became of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Became {
    /// It was brought to where it belongs.
    Now,
    /// It was there before.
    Before,
    /// It is not, or nobody knows.
    Not(Fault),
}

/// A list's values, each with what became of it.
pub(super) type Values = Vec<(Member, Became)>;

/// One list of a group.
pub(super) struct List<'a> {
    pub(super) batch: &'a Batch<'a>,
    pub(super) group: &'a Entry,
    pub(super) attribute: &'a str,
    pub(super) wanted: Wanted,
}

impl List<'_> {
    /// Works all values through, in requests of bounded size.
    pub(super) async fn bring(&self, members: Vec<Member>) -> Values {
        let mut became = Vec::with_capacity(members.len());
        let at_once = self.batch.shared.members_per_request;
        let mut waiting: Vec<Vec<Member>> =
            members.chunks(at_once).rev().map(<[Member]>::to_vec).collect();
        while let Some(some) = waiting.pop() {
            let Err(trouble) = self.request(&some).await else {
                became.extend(some.into_iter().map(|member| (member, Became::Now)));
                continue;
            };
            if self.may_be_so_already(&trouble) {
                self.sort_out(some, &trouble, &mut waiting, &mut became).await;
            } else if some.len() > 1 && is_about_a_value(&trouble) {
                split(some, &mut waiting);
            } else {
                // Rights, load and a lost reply concern all of them.
                became.extend(self.not(some, &trouble));
            }
        }
        became
    }

    /// One of the values may be where it belongs, or be in the way: only a look tells.
    fn may_be_so_already(&self, trouble: &Trouble) -> bool {
        let Some(answer) = trouble.answer() else { return false };
        match self.wanted {
            Wanted::Out => answer.may_mean_absent(),
            Wanted::In => {
                let one =
                    [code::ATTRIBUTE_OR_VALUE_EXISTS, code::ENTRY_EXISTS, code::NO_SUCH_OBJECT];
                one.contains(&answer.code) || is_about_a_value(trouble)
            }
        }
    }

    fn not(&self, some: Vec<Member>, trouble: &Trouble) -> impl Iterator<Item = (Member, Became)> {
        let fault = trouble.of_write(&format!("changing group {:?}", self.group.dn));
        some.into_iter().map(move |member| (member, Became::Not(fault.clone())))
    }

    /// Sets those aside that are where they belong, and tries the others again.
    async fn sort_out(
        &self,
        some: Vec<Member>,
        trouble: &Trouble,
        waiting: &mut Vec<Vec<Member>>,
        became: &mut Values,
    ) {
        let all = some.len();
        let looks = some.iter().map(|member| self.has(&member.value).boxed()).collect();
        let looks = side_by_side(self.batch.shared.window, looks).await;
        let mut left = Vec::new();
        for (member, look) in some.into_iter().zip(looks) {
            match look {
                Ok(there) if there == (self.wanted == Wanted::In) => {
                    became.push((member, Became::Before));
                }
                Ok(_) => left.push(member),
                Err(trouble) => {
                    let fault = trouble.of_read("looking at the group again");
                    became.push((member, Became::Not(fault)));
                }
            }
        }
        match left.len() {
            0 => {}
            1 if all == 1 => became.extend(self.not(left, trouble)),
            count if count == all => split(left, waiting),
            _ => waiting.push(left),
        }
    }

    async fn request(&self, some: &[Member]) -> Result<(), Trouble> {
        let dialect = &self.batch.shared.dialect;
        let session = &self.batch.connected.session;
        let values = some.iter().map(|member| member.value.clone().into_bytes()).collect();
        let attribute = self.attribute.to_owned();
        let address = dialect.address(self.group);
        if self.wanted == Wanted::In {
            return session.modify(&address, &[Change::Add(attribute, values)], None).await;
        }
        let mut changes = vec![Change::Delete(attribute, values)];
        // No assertion here: OpenLDAP's memberof overlay carries the control over to the members' entries,
        // where it fails, and memberOf silently stays. The value named is precondition enough.
        let result = session.modify(&address, &changes, None).await;
        let Err(trouble) = result else { return Ok(()) };
        let placeholder = self.placeholder(some);
        let Some(placeholder) = placeholder.filter(|_| trouble.is(code::OBJECT_CLASS_VIOLATION))
        else {
            return Err(trouble);
        };
        changes.insert(0, Change::add(self.attribute, placeholder));
        session.modify(&address, &changes, None).await
    }

    /// Who stands in for the last member; never the one who leaves.
    fn placeholder(&self, leaving: &[Member]) -> Option<String> {
        let dn = match &self.batch.shared.layout.empty_group {
            EmptyGroup::Refuse => return None,
            EmptyGroup::Itself => &self.group.dn,
            EmptyGroup::Placeholder(dn) => dn,
        };
        let same = |leaving: &Member| {
            use super::dn::Dn;
            Dn::parse(&leaving.value).is_ok_and(|value| Dn::parse(dn) == Ok(value))
        };
        (!leaving.iter().any(same)).then(|| dn.clone())
    }

    async fn has(&self, value: &str) -> Result<bool, Trouble> {
        has_value(self.batch, self.group, self.attribute, value).await
    }
}

fn split(mut some: Vec<Member>, waiting: &mut Vec<Vec<Member>>) {
    let second = some.split_off(some.len() / 2);
    waiting.push(second);
    waiting.push(some);
}

fn is_about_a_value(trouble: &Trouble) -> bool {
    // Constraint, syntax, name syntax, unwilling, other.
    trouble.answer().is_some_and(|answer| matches!(answer.code, 19 | 21 | 34 | 53 | 80))
}

/// Whether a group's list has a value: asked of the directory, so that no long list is read.
pub(super) async fn has_value(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    value: &str,
) -> Result<bool, Trouble> {
    fits(batch, group, &filter::equals(attribute, value)).await
}

/// Whether a group's lists show that none of some values, by attribute, is in them: one look at a long list for
/// all of them. OpenLDAP shows nothing of the kind of a list that it does not show; Active Directory takes what may not
/// be read for absent (MS-ADTS, LDAP filters), so that there a hidden list still seems to be empty.
pub(super) async fn shows_none_of(
    batch: &Batch<'_>,
    group: &Entry,
    values: &[(&str, String)],
) -> Result<bool, Trouble> {
    let keys: Vec<String> =
        values.iter().map(|(attribute, value)| filter::equals(attribute, value)).collect();
    fits(batch, group, &filter::none(&keys)).await
}

async fn fits(batch: &Batch<'_>, group: &Entry, filter: &str) -> Result<bool, Trouble> {
    let address = batch.shared.dialect.address(group);
    let query =
        Query { base: &address, scope: Scope::Base, filter, attributes: &["1.1"], deleted: false };
    // A group that is not there under its name may have been renamed: that is an error, not a no.
    Ok(!batch.connected.session.search(query).await?.is_empty())
}

/// How the step of this index ended, over all lists of the group: each is kept under the key that `key`
/// makes of its attribute, beside what else the receipt says.
pub(super) fn ending_of(
    batch: &Batch<'_>,
    group: &Entry,
    index: usize,
    lists: &[(String, Values)],
    key: impl Fn(&str) -> String,
    also: impl IntoIterator<Item = (String, Vec<String>)>,
) -> super::apply::Ending {
    let mut before: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (attribute, values) in lists {
        for (member, became) in values.iter().filter(|(member, _)| member.index == index) {
            match became {
                Became::Not(fault) => return Err(fault.clone()),
                Became::Before => {}
                Became::Now => {
                    before.entry(key(attribute)).or_default().push(member.value.clone());
                }
            }
        }
    }
    if before.is_empty() {
        return Ok(Outcome::AlreadySo);
    }
    before.insert("group".into(), vec![group.dn.clone()]);
    before.extend(also);
    let server = Some(batch.connected.session.server.clone());
    Ok(Outcome::Changed(Receipt { before, server }))
}
