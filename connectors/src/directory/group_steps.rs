//! Taking accounts out of groups: many of one group in one request, split where one is in the way.

use super::apply::{Batch, Ending, drifted};
use super::codes::{Trouble, code};
use super::entry::Entry;
use super::filter;
use super::layout::Layout;
use super::read::{accounts_by_id, groups_by_id, side_by_side};
use super::session::{Change, Query};
use super::settings::{EmptyGroup, MemberBy};
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::step::{Cause, Fault, Outcome, Receipt};
use ldap3::Scope;
use std::collections::{BTreeMap, HashMap};

/// One value to take out of a group's list, and the step that wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Leaving {
    index: usize,
    value: String,
}

/// What became of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Gone {
    /// It was taken out.
    Now,
    /// It was not there.
    Before,
    /// It is still there, or nobody knows.
    Not(Fault),
}

/// Carries out the steps on all groups, side by side.
pub(super) async fn run(
    batch: &Batch<'_>,
    accounts: &HashMap<StableId, Entry>,
    work: &[(StableId, Vec<usize>)],
) -> Result<Vec<(usize, Ending)>, Fault> {
    let ids: Vec<StableId> = work.iter().map(|(id, _)| id.clone()).collect();
    let groups = groups_by_id(batch.shared, &batch.connected.session, &ids).await?;
    let calls = work
        .iter()
        .map(|(id, indexes)| leave(batch, accounts, groups.get(id), indexes).boxed())
        .collect();
    Ok(side_by_side(batch.shared.window, calls).await.into_iter().flatten().collect())
}

async fn leave(
    batch: &Batch<'_>,
    accounts: &HashMap<StableId, Entry>,
    group: Option<&Entry>,
    indexes: &[usize],
) -> Vec<(usize, Ending)> {
    let groups = &batch.shared.layout.groups;
    let Some(group) = group.filter(|group| Layout::is_below(groups, &group.dn)) else {
        let gone =
            "the group is gone, or not below group_bases; look where it went, or add its base";
        return indexes.iter().map(|&index| (index, drifted(gone))).collect();
    };
    let mut endings = Vec::new();
    let mut members: Vec<(usize, &Entry)> = Vec::new();
    for &index in indexes {
        let step = &batch.steps[index];
        match batch.judge(accounts.get(&step.action.account().id), &step.expect) {
            Err(ending) => endings.push((index, ending)),
            Ok(account) if batch.shared.dialect.is_primary(account, group) => {
                let advice = "it is the account's primary group; reset the primary group first";
                endings.push((index, Err(Fault::Refused(Cause::new(advice)))));
            }
            Ok(account) => members.push((index, account)),
        }
    }
    let lists = take_out_everywhere(batch, group, &members).await;
    endings.extend(
        members
            .iter()
            .map(|&(index, account)| (index, ending_of(batch, group, account, index, &lists))),
    );
    endings
}

/// A member attribute of the group with what became of each step's values in it.
type List = (String, Vec<(Leaving, Gone)>);

async fn take_out_everywhere(
    batch: &Batch<'_>,
    group: &Entry,
    members: &[(usize, &Entry)],
) -> Vec<List> {
    let mut lists = Vec::new();
    for class in batch.shared.layout.classes_of(group) {
        let values = members.iter().flat_map(|&(index, account)| {
            let values = batch.shared.layout.member_values(class, account);
            values.into_iter().map(move |value| Leaving { index, value })
        });
        let leaving: Vec<Leaving> = values.collect();
        let mut gone = take_out(batch, group, &class.member, leaving).await;
        if class.by == MemberBy::DistinguishedName {
            doubt_renamed(batch, members, &mut gone).await;
        }
        lists.push((class.member.clone(), gone));
    }
    lists
}

fn ending_of(
    batch: &Batch<'_>,
    group: &Entry,
    account: &Entry,
    index: usize,
    lists: &[List],
) -> Ending {
    let mut before: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (attribute, gone) in lists {
        for (leaving, gone) in gone.iter().filter(|(leaving, _)| leaving.index == index) {
            match gone {
                Gone::Not(fault) => return Err(fault.clone()),
                Gone::Before => {}
                Gone::Now => {
                    before.entry(attribute.clone()).or_default().push(leaving.value.clone());
                }
            }
        }
    }
    if before.is_empty() {
        return Ok(Outcome::AlreadySo);
    }
    before.insert("group".into(), vec![group.dn.clone()]);
    before.insert("account".into(), vec![account.dn.clone()]);
    let server = Some(batch.connected.session.server.clone());
    Ok(Outcome::Changed(Receipt { before, server }))
}

/// Takes values out of one list, in requests of bounded size.
async fn take_out(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    leaving: Vec<Leaving>,
) -> Vec<(Leaving, Gone)> {
    let mut gone = Vec::with_capacity(leaving.len());
    let mut waiting: Vec<Vec<Leaving>> =
        leaving.chunks(batch.shared.members_per_request).rev().map(<[Leaving]>::to_vec).collect();
    while let Some(some) = waiting.pop() {
        let Err(trouble) = request(batch, group, attribute, &some).await else {
            gone.extend(some.into_iter().map(|leaving| (leaving, Gone::Now)));
            continue;
        };
        if trouble.answer().is_none_or(|answer| !answer.may_mean_absent()) {
            // Rights, load and a lost reply concern all of them; a bad value only one.
            if some.len() > 1 && is_about_a_value(&trouble) {
                split(some, &mut waiting);
            } else {
                let fault = trouble.of_write(&format!("changing group {:?}", group.dn));
                gone.extend(some.into_iter().map(|leaving| (leaving, Gone::Not(fault.clone()))));
            }
            continue;
        }
        sort_out(batch, group, attribute, some, &trouble, &mut waiting, &mut gone).await;
    }
    gone
}

/// One of them may not be there: sets those aside that are not, and tries the others again.
async fn sort_out(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    some: Vec<Leaving>,
    trouble: &Trouble,
    waiting: &mut Vec<Vec<Leaving>>,
    gone: &mut Vec<(Leaving, Gone)>,
) {
    let all = some.len();
    let looks = some
        .iter()
        .map(|leaving| has_value(batch, group, attribute, &leaving.value).boxed())
        .collect();
    let looks = side_by_side(batch.shared.window, looks).await;
    let mut present = Vec::new();
    for (leaving, look) in some.into_iter().zip(looks) {
        match look {
            Ok(true) => present.push(leaving),
            Ok(false) => gone.push((leaving, Gone::Before)),
            Err(trouble) => {
                gone.push((leaving, Gone::Not(trouble.of_read("looking at the group again"))));
            }
        }
    }
    match present.len() {
        0 => {}
        1 if all == 1 => {
            let fault = trouble.of_write(&format!("changing group {:?}", group.dn));
            gone.extend(present.into_iter().map(|leaving| (leaving, Gone::Not(fault.clone()))));
        }
        left if left == all => split(present, waiting),
        _ => waiting.push(present),
    }
}

fn split(mut some: Vec<Leaving>, waiting: &mut Vec<Vec<Leaving>>) {
    let second = some.split_off(some.len() / 2);
    waiting.push(second);
    waiting.push(some);
}

fn is_about_a_value(trouble: &Trouble) -> bool {
    // Constraint, syntax, name syntax, unwilling, other.
    trouble.answer().is_some_and(|answer| matches!(answer.code, 19 | 21 | 34 | 53 | 80))
}

async fn request(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    leaving: &[Leaving],
) -> Result<(), Trouble> {
    let dialect = &batch.shared.dialect;
    let session = &batch.connected.session;
    let values = leaving.iter().map(|leaving| leaving.value.clone().into_bytes()).collect();
    let mut changes = vec![Change::Delete(attribute.to_owned(), values)];
    let address = dialect.address(group);
    // No assertion here: OpenLDAP's memberof overlay carries the control over to the members' entries,
    // where it fails, and memberOf silently stays. The value named is precondition enough.
    let result = session.modify(&address, &changes, None).await;
    let Err(trouble) = result else { return Ok(()) };
    let placeholder = placeholder(batch, group, leaving);
    let Some(placeholder) = placeholder.filter(|_| trouble.is(code::OBJECT_CLASS_VIOLATION)) else {
        return Err(trouble);
    };
    changes.insert(0, Change::add(attribute, placeholder));
    session.modify(&address, &changes, None).await
}

/// Who stands in for the last member; never the one who leaves.
fn placeholder(batch: &Batch<'_>, group: &Entry, leaving: &[Leaving]) -> Option<String> {
    let dn = match &batch.shared.layout.empty_group {
        EmptyGroup::Refuse => return None,
        EmptyGroup::Itself => &group.dn,
        EmptyGroup::Placeholder(dn) => dn,
    };
    let same = |leaving: &Leaving| {
        use super::dn::Dn;
        Dn::parse(&leaving.value).is_ok_and(|value| Dn::parse(dn) == Ok(value))
    };
    (!leaving.iter().any(same)).then(|| dn.clone())
}

/// Whether a group's list has a value: asked of the directory, so that no long list is read.
pub(super) async fn has_value(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    value: &str,
) -> Result<bool, Trouble> {
    let address = batch.shared.dialect.address(group);
    let filter = filter::equals(attribute, value);
    let query = Query {
        base: &address,
        scope: Scope::Base,
        filter: &filter,
        attributes: &["1.1"],
        deleted: false,
    };
    // A group that is not there under its name may have been renamed: that is an error, not a no.
    Ok(!batch.connected.session.search(query).await?.is_empty())
}

/// A name that was not in the list proves nothing if the account was renamed in the meantime.
async fn doubt_renamed(
    batch: &Batch<'_>,
    members: &[(usize, &Entry)],
    gone: &mut [(Leaving, Gone)],
) {
    let absent = |index: usize| gone.iter().any(|(l, g)| l.index == index && *g == Gone::Before);
    let id_of = |index: usize| batch.steps[index].action.account().id.clone();
    let doubtful: Vec<StableId> = members
        .iter()
        .filter(|(index, _)| absent(*index))
        .map(|(index, _)| id_of(*index))
        .collect();
    if doubtful.is_empty() {
        return;
    }
    let now = accounts_by_id(batch.shared, &batch.connected.session, &doubtful).await;
    for (leaving, gone) in gone.iter_mut().filter(|(_, gone)| *gone == Gone::Before) {
        let fault = match &now {
            Err(fault) => fault.clone(),
            Ok(now) => match now.get(&id_of(leaving.index)) {
                Some(entry) if entry.dn == leaving.value => continue,
                _ => Fault::Retry(Cause::new("the account was renamed at the same time")),
            },
        };
        *gone = Gone::Not(fault);
    }
}
