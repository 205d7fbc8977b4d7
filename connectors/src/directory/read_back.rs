//! Looking again at what was done (D13), and after a lost reply at what became of it.

use super::Shared;
use super::account_steps::edit_of;
use super::apply::Batch;
use super::codes::Trouble;
use super::create;
use super::dialect::is_open;
use super::entry::Entry;
use super::first_password;
use super::group_values::{has_value, shows_none_of};
use super::joining::value_for;
use super::old_password;
use super::put_back;
use super::read::{KEYS_A_FILTER, accounts_by_id, groups_by_id, side_by_side};
use super::rename;
use super::settings::MemberBy;
use super::supervisor::Connected;
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::step::{Action, Cause, Fault, Found, Seen, Step};
use std::collections::{HashMap, HashSet};

type Look = Result<Seen, Fault>;

/// Looks at each step's object, one answer a step, in order.
pub(super) async fn read_back(shared: &Shared, connected: &Connected, steps: &[Step]) -> Vec<Look> {
    let batch = Batch { shared, connected, steps };
    let objects = match read(&batch).await {
        Ok(objects) => objects,
        Err(fault) => return steps.iter().map(|_| Err(fault.clone())).collect(),
    };
    let out = out_of_groups(&batch, &objects).await;
    let looks = steps.iter().enumerate().map(|(index, step)| match out.contains(&index) {
        true => std::future::ready(Ok(Seen::AsWanted)).boxed(),
        false => look(&batch, step, &objects).boxed(),
    });
    let mut looks = side_by_side(shared.window, looks.collect()).await;
    doubt_moved(&batch, &objects, &mut looks).await;
    looks
}

/// Groups are looked at by the account's name: one that was renamed meanwhile would seem to be out of all.
async fn doubt_moved(batch: &Batch<'_>, objects: &Objects, looks: &mut [Look]) {
    let is_out = |(step, look): (&Step, &Look)| {
        let decided = matches!(look, Ok(Seen::AsWanted | Seen::CannotTell(_)));
        (decided && matches!(step.action, Action::LeaveGroup { .. }))
            .then(|| step.action.account().id.clone())
    };
    let out = once(batch.steps.iter().zip(&*looks).filter_map(is_out));
    if out.is_empty() {
        return;
    }
    let now = accounts_by_id(batch.shared, &batch.connected.session, &out).await;
    let user_id = &batch.shared.layout.names.user_id;
    let is_as_it_was =
        |now: &Entry, then: &Entry| now.dn == then.dn && now.texts(user_id).eq(then.texts(user_id));
    let doubt = |id: &StableId| match &now {
        Err(fault) => Some(fault.clone()),
        Ok(now) => match now.get(id).zip(objects.accounts.get(id)) {
            Some((now, then)) if is_as_it_was(now, then) => None,
            _ => Some(Fault::Retry(Cause::new(
                "the account was renamed, moved or deleted while its groups were looked at",
            ))),
        },
    };
    for (step, look) in batch.steps.iter().zip(looks) {
        if let Some(fault) = is_out((step, look)).and_then(|id| doubt(&id)) {
            *look = Err(fault);
        }
    }
}

/// The steps whose accounts are out of the group that they were to leave, seen for many at once: a server
/// goes through a group of thousands for each question. Whoever is not among them is asked about alone.
async fn out_of_groups(batch: &Batch<'_>, objects: &Objects) -> HashSet<usize> {
    let mut leaving: HashMap<&StableId, Vec<usize>> = HashMap::new();
    for (index, step) in batch.steps.iter().enumerate() {
        if let Action::LeaveGroup { group, .. } = &step.action {
            leaving.entry(&group.id).or_default().push(index);
        }
    }
    let blocks = leaving.iter().flat_map(|(id, steps)| {
        let group = objects.groups.get(*id);
        steps.chunks(KEYS_A_FILTER).filter(|block| block.len() > 1).zip(std::iter::repeat(group))
    });
    let looks =
        blocks.filter_map(|(block, group)| Some(all_out(batch, objects, group?, block).boxed()));
    let out = side_by_side(batch.shared.window, looks.collect()).await;
    out.into_iter().flatten().flatten().copied().collect()
}

/// These steps, if none of their accounts is in the group any more.
async fn all_out<'s>(
    batch: &Batch<'_>,
    objects: &Objects,
    group: &Entry,
    steps: &'s [usize],
) -> Option<&'s [usize]> {
    let mut values = Vec::new();
    for &index in steps {
        let account = objects.accounts.get(&batch.steps[index].action.account().id)?;
        if batch.shared.dialect.is_primary(account, group) {
            return None;
        }
        for class in batch.shared.layout.classes_of(group) {
            let own = batch.shared.layout.member_values(class, account);
            values.extend(own.into_iter().map(|value| (class.member.as_str(), value)));
        }
    }
    let are_all_out = !values.is_empty() && shows_none_of(batch, group, &values).await == Ok(true);
    are_all_out.then_some(steps)
}

struct Objects {
    accounts: HashMap<StableId, Entry>,
    groups: HashMap<StableId, Entry>,
}

async fn read(batch: &Batch<'_>) -> Result<Objects, Fault> {
    let session = &batch.connected.session;
    let accounts = batch.steps.iter().map(|step| step.action.account().id.clone());
    let (to_be_made, known) =
        once(accounts).into_iter().partition::<Vec<_>, _>(StableId::is_to_be_made);
    let mut accounts = accounts_by_id(batch.shared, session, &known).await?;
    accounts.extend(create::to_be_made(batch, &to_be_made).await?);
    let groups = batch.steps.iter().filter_map(|step| match &step.action {
        Action::LeaveGroup { group, .. } | Action::JoinGroup { group, .. } => {
            Some(group.id.clone())
        }
        _ => None,
    });
    Ok(Objects { accounts, groups: groups_by_id(batch.shared, session, &once(groups)).await? })
}

fn once(ids: impl Iterator<Item = StableId>) -> Vec<StableId> {
    let mut ids: Vec<StableId> = ids.collect();
    ids.sort();
    ids.dedup();
    ids
}

async fn look(batch: &Batch<'_>, step: &Step, objects: &Objects) -> Look {
    if let Action::CreateAccount { blueprint, .. } = &step.action {
        return create::seen(batch.shared, &batch.connected.session, step, blueprint).await;
    }
    let Some(account) = objects.accounts.get(&step.action.account().id) else {
        return cannot_tell("the account is gone, or no longer below people_base");
    };
    match &step.action {
        Action::Disable { .. } if is_open(batch.shared.dialect.as_ref(), account) => {
            otherwise("the account is not shut, or not wholly, or that can't be read")
        }
        Action::Disable { .. } => Ok(Seen::AsWanted),
        Action::Enable { .. } => match edit_of(batch, step, account)? {
            None => Ok(Seen::AsWanted),
            Some(_) => otherwise("the account is shut, or not wholly opened"),
        },
        Action::PutBack { kept, .. } => put_back::seen(batch, account, kept).await,
        Action::SetPassword { .. } => first_password::seen(batch, step, account).await,
        Action::ExpirePassword { changed_at, .. } => {
            old_password::seen(batch, account, *changed_at)
        }
        Action::Rename { to, .. } => rename::seen(batch, account, to).await,
        Action::JoinGroup { group, .. } => match objects.groups.get(&group.id) {
            Some(group) => joined(batch, account, group).await,
            None => cannot_tell("the group is gone, or not below group_bases"),
        },
        Action::StampDescription { .. } => match edit_of(batch, step, account)? {
            None => Ok(Seen::AsWanted),
            Some(_) => otherwise("the description is another"),
        },
        Action::DisableMailbox { .. } if batch.shared.exchange.is_some() => {
            match edit_of(batch, step, account)? {
                None => Ok(Seen::AsWanted),
                Some(_) => otherwise("the mailbox is not hidden, or not closed to mail"),
            }
        }
        Action::ScramblePassword { .. } => password(batch, step, account),
        Action::ResetPrimaryGroup { .. } => match batch.shared.dialect.primary_group(account) {
            Some(primary) if primary.is_default => Ok(Seen::AsWanted),
            Some(_) => otherwise("the primary group is not the directory's default"),
            None => cannot_tell("the directory shows no primary group"),
        },
        Action::LeaveGroup { group, .. } => match objects.groups.get(&group.id) {
            Some(group) => membership(batch, account, group).await,
            None => cannot_tell("the group is gone, or not below group_bases"),
        },
        _ => cannot_tell("a directory shows no mailboxes and homes"),
    }
}

/// A password can't be read; the moment of its last change can. What it was before is known only to
/// the process that changed it.
fn password(batch: &Batch<'_>, step: &Step, account: &Entry) -> Look {
    if !batch.shared.dialect.is_locked(account) {
        // The reply was lost between the two: a new password lifts OpenLDAP's lock.
        return otherwise("the account is not shut");
    }
    let now = batch.shared.dialect.password_changed(account);
    match (batch.shared.recent.before(step.id), now) {
        (Some(before), Some(now)) if before.password_changed.as_ref() == Some(&now) => {
            otherwise("the password was not changed")
        }
        (Some(_), Some(_)) => Ok(Seen::AsWanted),
        (None, _) => cannot_tell("it is not known when the password was changed before"),
        (_, None) => cannot_tell("the directory does not show when the password was changed"),
    }
}

async fn membership(batch: &Batch<'_>, account: &Entry, group: &Entry) -> Look {
    if batch.shared.dialect.is_primary(account, group) {
        return otherwise("the group is the account's primary one");
    }
    for class in batch.shared.layout.classes_of(group) {
        for value in batch.shared.layout.member_values(class, account) {
            let key = [(class.member.as_str(), value.clone())];
            if shows_none_of(batch, group, &key).await.map_err(in_group)? {
                continue;
            }
            if has_value(batch, group, &class.member, &value).await.map_err(in_group)? {
                return otherwise("the account is in the group");
            }
            // Lists of log-on names take no other letters (RFC 2307): what can't be asked for is not in them.
            let can_be_asked_for = class.by == MemberBy::DistinguishedName || value.is_ascii();
            // It may have gone between the two questions.
            if can_be_asked_for && !shows_none_of(batch, group, &key).await.map_err(in_group)? {
                return cannot_tell("the directory does not show who is in the group");
            }
        }
    }
    Ok(Seen::AsWanted)
}

fn in_group(trouble: Trouble) -> Fault {
    trouble.of_read("looking at the group")
}

async fn joined(batch: &Batch<'_>, account: &Entry, group: &Entry) -> Look {
    if batch.shared.dialect.is_primary(account, group) {
        return Ok(Seen::AsWanted);
    }
    for class in batch.shared.layout.classes_of(group) {
        let Some(value) = value_for(batch, class, account) else { continue };
        if !has_value(batch, group, &class.member, &value).await.map_err(in_group)? {
            return otherwise("the account is not in the group");
        }
    }
    Ok(Seen::AsWanted)
}

fn otherwise(description: &str) -> Look {
    Ok(Seen::Otherwise(Found { description: description.into() }))
}

fn cannot_tell(why: &str) -> Look {
    Ok(Seen::CannotTell(Cause::new(why)))
}
