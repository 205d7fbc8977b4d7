//! Putting accounts into groups: many into one group in one request, split where one is in the way.

use super::apply::{Batch, Ending, drifted};
use super::codes::{Trouble, code};
use super::entry::Entry;
use super::group_steps::has_value;
use super::layout::Layout;
use super::observe::user_id;
use super::read::{groups_by_id, side_by_side};
use super::session::Change;
use super::settings::{GroupClass, MemberBy};
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::step::{Cause, Fault, Outcome, Receipt};
use std::collections::{BTreeMap, HashMap};

/// One value for a group's list, and the step that wants it.
#[derive(Debug, Clone)]
struct Joining {
    index: usize,
    value: String,
}

/// What became of one value.
#[derive(Debug, Clone)]
enum Put {
    Now,
    Before,
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
        .map(|(id, indexes)| join(batch, accounts, groups.get(id), indexes).boxed())
        .collect();
    Ok(side_by_side(batch.shared.window, calls).await.into_iter().flatten().collect())
}

async fn join(
    batch: &Batch<'_>,
    accounts: &HashMap<StableId, Entry>,
    group: Option<&Entry>,
    indexes: &[usize],
) -> Vec<(usize, Ending)> {
    let layout = &batch.shared.layout;
    let Some(group) = group.filter(|group| Layout::is_below(&layout.groups, &group.dn)) else {
        let gone =
            "the group is gone, or not below group_bases; look where it went, or add its base";
        return indexes.iter().map(|&index| (index, drifted(gone))).collect();
    };
    if Layout::is_below(&layout.protected_groups, &group.dn) {
        let advice = "the group's members are administrators (protected.second_operator.groups); put them in by hand";
        let refused = || Err(Fault::Refused(Cause::new(advice)));
        return indexes.iter().map(|&index| (index, refused())).collect();
    }
    let mut endings = Vec::new();
    let mut members: Vec<(usize, &Entry)> = Vec::new();
    for &index in indexes {
        let step = &batch.steps[index];
        match batch.judge(accounts.get(&step.action.account().id), &step.expect) {
            Err(ending) => endings.push((index, ending)),
            Ok(account) if batch.shared.dialect.is_primary(account, group) => {
                endings.push((index, Ok(Outcome::AlreadySo)));
            }
            Ok(account) => members.push((index, account)),
        }
    }
    let mut lists = Vec::new();
    for class in layout.classes_of(group) {
        let joining = members.iter().filter_map(|&(index, account)| {
            Some(Joining { index, value: value_for(batch, class, account)? })
        });
        let joining: Vec<Joining> = joining.collect();
        lists.push((class.member.clone(), put_in(batch, group, &class.member, joining).await));
    }
    endings
        .extend(members.iter().map(|&(index, _)| (index, ending_of(batch, group, index, &lists))));
    endings
}

/// How a group of this kind names the account from now on: by one name, also where it has several.
pub(super) fn value_for(batch: &Batch<'_>, class: &GroupClass, account: &Entry) -> Option<String> {
    match class.by {
        MemberBy::DistinguishedName => Some(account.dn.clone()),
        MemberBy::UserId => {
            let id = batch.shared.dialect.id_of(account)?;
            Some(user_id(batch.shared, &id, account).to_string())
        }
    }
}

type List = (String, Vec<(Joining, Put)>);

fn ending_of(batch: &Batch<'_>, group: &Entry, index: usize, lists: &[List]) -> Ending {
    let mut before: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (attribute, put) in lists {
        for (joining, put) in put.iter().filter(|(joining, _)| joining.index == index) {
            match put {
                Put::Not(fault) => return Err(fault.clone()),
                Put::Before => {}
                Put::Now => {
                    let key = format!("added {attribute}");
                    before.entry(key).or_default().push(joining.value.clone());
                }
            }
        }
    }
    if before.is_empty() {
        return Ok(Outcome::AlreadySo);
    }
    before.insert("group".into(), vec![group.dn.clone()]);
    let server = Some(batch.connected.session.server.clone());
    Ok(Outcome::Changed(Receipt { before, server }))
}

/// Puts values into one list, in requests of bounded size.
async fn put_in(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    joining: Vec<Joining>,
) -> Vec<(Joining, Put)> {
    let session = &batch.connected.session;
    let address = batch.shared.dialect.address(group);
    let mut put = Vec::with_capacity(joining.len());
    let mut waiting: Vec<Vec<Joining>> =
        joining.chunks(batch.shared.members_per_request).map(<[Joining]>::to_vec).collect();
    while let Some(some) = waiting.pop() {
        let values = some.iter().map(|joining| joining.value.clone().into_bytes()).collect();
        let change = [Change::Add(attribute.to_owned(), values)];
        let Err(trouble) = session.modify(&address, &change, None).await else {
            put.extend(some.into_iter().map(|joining| (joining, Put::Now)));
            continue;
        };
        if !may_be_one(&trouble) {
            let fault = trouble.of_write(&format!("changing group {:?}", group.dn));
            put.extend(some.into_iter().map(|joining| (joining, Put::Not(fault.clone()))));
            continue;
        }
        sort_out(batch, group, attribute, some, &trouble, &mut waiting, &mut put).await;
    }
    put
}

/// One value may be there already, or be in the way; rights, load and a lost reply concern all of them.
fn may_be_one(trouble: &Trouble) -> bool {
    let one = [code::ATTRIBUTE_OR_VALUE_EXISTS, code::ENTRY_EXISTS, code::NO_SUCH_OBJECT];
    trouble.answer().is_some_and(|answer| {
        one.contains(&answer.code) || matches!(answer.code, 19 | 21 | 34 | 53 | 80)
    })
}

/// Sets those aside that are there, and tries the others again.
async fn sort_out(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    some: Vec<Joining>,
    trouble: &Trouble,
    waiting: &mut Vec<Vec<Joining>>,
    put: &mut Vec<(Joining, Put)>,
) {
    let all = some.len();
    let looks = some
        .iter()
        .map(|joining| has_value(batch, group, attribute, &joining.value).boxed())
        .collect();
    let looks = side_by_side(batch.shared.window, looks).await;
    let mut absent = Vec::new();
    for (joining, look) in some.into_iter().zip(looks) {
        match look {
            Ok(false) => absent.push(joining),
            Ok(true) => put.push((joining, Put::Before)),
            Err(trouble) => {
                put.push((joining, Put::Not(trouble.of_read("looking at the group again"))));
            }
        }
    }
    match absent.len() {
        0 => {}
        1 if all == 1 => {
            let fault = trouble.of_write(&format!("changing group {:?}", group.dn));
            put.extend(absent.into_iter().map(|joining| (joining, Put::Not(fault.clone()))));
        }
        left if left == all => {
            let second = absent.split_off(left / 2);
            waiting.push(second);
            waiting.push(absent);
        }
        _ => waiting.push(absent),
    }
}
