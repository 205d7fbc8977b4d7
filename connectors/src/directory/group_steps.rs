//! Taking accounts out of groups, many out of one group in one request.

use super::apply::{Batch, Ending, drifted};
use super::entry::Entry;
use super::group_values::{Became, List, Member, Values, Wanted, ending_of};
use super::layout::Layout;
use super::read::{accounts_by_id, groups_by_id, side_by_side};
use super::settings::MemberBy;
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::step::{Cause, Fault};
use std::collections::HashMap;

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
    let ending = |index, account: &Entry| {
        let also = [("account".to_owned(), vec![account.dn.clone()])];
        ending_of(batch, group, index, &lists, str::to_owned, also)
    };
    endings.extend(members.iter().map(|&(index, account)| (index, ending(index, account))));
    endings
}

async fn take_out_everywhere(
    batch: &Batch<'_>,
    group: &Entry,
    members: &[(usize, &Entry)],
) -> Vec<(String, Values)> {
    let mut lists = Vec::new();
    for class in batch.shared.layout.classes_of(group) {
        let values = members.iter().flat_map(|&(index, account)| {
            let values = batch.shared.layout.member_values(class, account);
            values.into_iter().map(move |value| Member { index, value })
        });
        let list = List { batch, group, attribute: &class.member, wanted: Wanted::Out };
        let mut gone = list.bring(values.collect()).await;
        if class.by == MemberBy::DistinguishedName {
            doubt_renamed(batch, members, &mut gone).await;
        }
        lists.push((class.member.clone(), gone));
    }
    lists
}

/// A name that was not in the list proves nothing if the account was renamed in the meantime.
async fn doubt_renamed(batch: &Batch<'_>, members: &[(usize, &Entry)], gone: &mut Values) {
    let absent = |index: usize| gone.iter().any(|(l, g)| l.index == index && *g == Became::Before);
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
    for (leaving, gone) in gone.iter_mut().filter(|(_, gone)| *gone == Became::Before) {
        let fault = match &now {
            Err(fault) => fault.clone(),
            Ok(now) => match now.get(&id_of(leaving.index)) {
                Some(entry) if entry.dn == leaving.value => continue,
                _ => Fault::Retry(Cause::new("the account was renamed at the same time")),
            },
        };
        *gone = Became::Not(fault);
    }
}
