//! Putting accounts into groups, many into one group in one request.

use super::apply::{Batch, Ending, drifted};
use super::entry::Entry;
use super::group_values::{List, Member, Wanted, ending_of};
use super::layout::Layout;
use super::observe::user_id;
use super::read::{groups_by_id, side_by_side};
use super::settings::{GroupClass, MemberBy};
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::step::{Cause, Fault, Outcome};
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
            Some(Member { index, value: value_for(batch, class, account)? })
        });
        let joining: Vec<Member> = joining.collect();
        let list = List { batch, group, attribute: &class.member, wanted: Wanted::In };
        lists.push((class.member.clone(), list.bring(joining).await));
    }
    let added = |attribute: &str| format!("added {attribute}");
    let ending = |index| ending_of(batch, group, index, &lists, added, []);
    endings.extend(members.iter().map(|&(index, _)| (index, ending(index))));
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
