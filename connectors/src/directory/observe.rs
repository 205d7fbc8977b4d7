//! What the directory shows: people's accounts with their groups, all accounts, all taken names.

use super::Shared;
use super::codes::Trouble;
use super::create::made_by;
use super::dialect::{Lag, is_open};
use super::dn::first_value;
use super::entry::Entry;
use super::memberships;
use super::protect::Administrators;
use super::read::{accounts_by_id, by_keys};
use super::session::{Query, Session};
use super::supervisor::Connected;
use super::trust::held_by;
use lapsed_core::facts::{EmployeeNumber, PersonName, StableId, UserId};
use lapsed_core::observed::{Details, Observed, ObservedAccount, PersonKeys, Realm, Replaceable};
use lapsed_core::step::{Cause, Fault};
use std::collections::HashMap;

/// The accounts of certain people, each with every group it is in.
pub(super) async fn people(
    shared: &Shared,
    connected: &Connected,
    wanted: &[PersonKeys],
) -> Result<Observed, Fault> {
    let session = &connected.session;
    let entries = find(shared, session, wanted).await.map_err(in_people)?;
    let administrators = Administrators::read(shared, session).await.map_err(in_protected)?;
    let lag = shared.dialect.last_use_lag(session).await;
    let ordered = in_order(shared, entries, wanted).map_err(in_people)?;
    let groups = memberships::of_all(shared, session, &ordered).await;
    let mut trusts = held_by(shared, session, &ordered).await.into_iter();
    let mut accounts = Vec::with_capacity(ordered.len());
    for ((id, entry), groups) in ordered.iter().zip(groups) {
        let groups = groups.map_err(|trouble| trouble.of_read("reading groups"))?;
        let account = account(shared, connected, &administrators, lag, id.clone(), entry);
        let held_in_trust = trusts.next().unwrap_or_default();
        let details = Details { replaceable: replaceable(shared, entry), ..account.details };
        accounts.push(ObservedAccount { groups, held_in_trust, details, ..account });
    }
    nobody_moved(shared, session, &ordered).await?;
    Ok(Observed { accounts, server: session.server.clone(), ..Observed::default() })
}

/// The accounts of certain people, without their groups: each group that an account is in costs the server as
/// much as the group is large.
pub(super) async fn without_groups(
    shared: &Shared,
    connected: &Connected,
    wanted: &[PersonKeys],
) -> Result<Observed, Fault> {
    let session = &connected.session;
    let entries = find(shared, session, wanted).await.map_err(in_people)?;
    let administrators = Administrators::read(shared, session).await.map_err(in_protected)?;
    let lag = shared.dialect.last_use_lag(session).await;
    let ordered = in_order(shared, entries, wanted).map_err(in_people)?;
    let seen = |(id, entry): (StableId, Entry)| {
        account(shared, connected, &administrators, lag, id, &entry)
    };
    let accounts = ordered.into_iter().map(seen).collect();
    Ok(Observed { accounts, server: session.server.clone(), ..Observed::default() })
}

/// Groups are found by the account's name: one that was renamed while they were read would seem to
/// be in none.
async fn nobody_moved(
    shared: &Shared,
    session: &Session,
    seen: &[(StableId, Entry)],
) -> Result<(), Fault> {
    let ids: Vec<StableId> = seen.iter().map(|(id, _)| id.clone()).collect();
    let now = accounts_by_id(shared, session, &ids).await?;
    let same = |(id, entry): &(StableId, Entry)| now.get(id).is_some_and(|now| now.dn == entry.dn);
    match seen.iter().find(|seen| !same(seen)) {
        None => Ok(()),
        Some((_, entry)) => Err(Fault::Retry(Cause::new(format!(
            "{:?} was renamed or deleted while its groups were read",
            entry.dn
        )))),
    }
}

fn in_people(trouble: Trouble) -> Fault {
    trouble.of_read("reading accounts")
}

fn in_protected(trouble: Trouble) -> Fault {
    trouble.of_read("reading the protected groups (protected.second_operator.groups)")
}

async fn find(
    shared: &Shared,
    session: &Session,
    wanted: &[PersonKeys],
) -> Result<Vec<Entry>, Trouble> {
    let layout = &shared.layout;
    let mut keys: Vec<String> =
        wanted.iter().flat_map(|keys| layout.key_filters(keys, shared.dialect.as_ref())).collect();
    keys.sort();
    keys.dedup();
    let attributes = layout.account_attributes();
    by_keys(session, shared.window, &layout.people, &keys, &attributes, |also| {
        layout.accounts(also)
    })
    .await
}

/// Each account once, in the order of the keys that found it.
///
/// A directory compares more loosely than we do (Active Directory takes ü for u): what no key names
/// literally is not the person's.
fn in_order(
    shared: &Shared,
    entries: Vec<Entry>,
    wanted: &[PersonKeys],
) -> Result<Vec<(StableId, Entry)>, Trouble> {
    let mut unclaimed: HashMap<StableId, Entry> = HashMap::new();
    for entry in entries {
        unclaimed.insert(identity(shared, &entry)?, entry);
    }
    let index = KeyIndex::of(shared, &unclaimed);
    let mut ordered = Vec::with_capacity(unclaimed.len());
    for keys in wanted {
        for id in index.candidates(keys) {
            let is_theirs =
                unclaimed.get(&id).is_some_and(|entry| shared.layout.is_of(entry, Some(&id), keys));
            if is_theirs && let Some(entry) = unclaimed.remove(&id) {
                ordered.push((id, entry));
            }
        }
    }
    Ok(ordered)
}

pub(super) fn identity(shared: &Shared, entry: &Entry) -> Result<StableId, Trouble> {
    let id = shared.dialect.id_of(entry);
    id.ok_or_else(|| Trouble::Incomplete(format!("the id of {:?} can't be read", entry.dn)))
}

/// Accounts by folded key, so that ten thousand people are not compared with each other.
struct KeyIndex {
    by_key: HashMap<String, Vec<StableId>>,
}

impl KeyIndex {
    fn of(shared: &Shared, entries: &HashMap<StableId, Entry>) -> Self {
        let names = &shared.layout.names;
        let mut by_key: HashMap<String, Vec<StableId>> = HashMap::new();
        for (id, entry) in entries {
            let values = entry.texts(&names.employee_number).chain(entry.texts(&names.user_id));
            let values = values.chain(entry.texts(&names.home));
            for key in values.chain([id.as_str()]) {
                by_key.entry(key.trim().to_lowercase()).or_default().push(id.clone());
            }
        }
        by_key.values_mut().for_each(|ids| ids.sort());
        Self { by_key }
    }

    fn candidates(&self, keys: &PersonKeys) -> Vec<StableId> {
        let numbers = keys.employee_numbers.iter().map(EmployeeNumber::folded);
        let users = keys.user_ids.iter().map(UserId::folded);
        let ids = keys.ids.iter().map(StableId::folded);
        let homes = keys.homes.iter().map(|home| home.trim().to_lowercase());
        let all = numbers.chain(users).chain(ids).chain(homes);
        all.flat_map(|key| self.by_key.get(&key).cloned().unwrap_or_default()).collect()
    }
}

pub(super) fn shown_name(entry: &Entry) -> String {
    let name = entry.text("cn").map(str::to_owned).or_else(|| first_value(&entry.dn));
    name.unwrap_or_else(|| entry.dn.clone())
}

/// Every account below the bases, without memberships.
pub(super) async fn all(shared: &Shared, connected: &Connected) -> Result<Observed, Fault> {
    let session = &connected.session;
    let administrators = Administrators::read(shared, session).await.map_err(in_protected)?;
    let lag = shared.dialect.last_use_lag(session).await;
    let filter = shared.layout.accounts(None);
    let attributes = shared.layout.account_attributes();
    let mut accounts: Vec<ObservedAccount> = Vec::new();
    let mut places: HashMap<StableId, usize> = HashMap::new();
    for base in &shared.layout.people {
        let query = Query::below(&base.text, &filter, &attributes);
        let taken = session.search_by_page(query, |page| {
            for entry in page {
                let id = identity(shared, &entry)?;
                let seen = account(shared, connected, &administrators, lag, id.clone(), &entry);
                match places.get(&id) {
                    Some(&place) => accounts[place] = seen,
                    None => {
                        places.insert(id, accounts.len());
                        accounts.push(seen);
                    }
                }
            }
            Ok(())
        });
        taken.await.map_err(in_people)?;
    }
    Ok(Observed { accounts, server: session.server.clone(), ..Observed::default() })
}

pub(super) fn account(
    shared: &Shared,
    connected: &Connected,
    administrators: &Administrators,
    lag: Lag,
    id: StableId,
    entry: &Entry,
) -> ObservedAccount {
    let names = &shared.layout.names;
    let text = |attribute: &str| entry.text(attribute).map(str::to_owned);
    let mut numbers = entry
        .texts(&names.employee_number)
        .filter_map(|number| EmployeeNumber::new(number).ok())
        .collect::<Vec<_>>()
        .into_iter();
    let user_id = user_id(shared, &id, entry);
    let other_names = entry.texts(&names.user_id).filter_map(|name| UserId::new(name).ok());
    let protection = shared.rules.protection(shared, entry, &connected.identity, administrators);
    ObservedAccount {
        realm: Realm::Directory,
        held_in_trust: Vec::new(),
        details: details(shared, entry, lag),
        other_user_ids: other_names.filter(|name| *name != user_id).collect(),
        user_id,
        id,
        place: entry.dn.clone(),
        enabled: is_open(shared.dialect.as_ref(), entry),
        employee_number: numbers.next(),
        other_employee_numbers: numbers.collect(),
        name: PersonName {
            last: text(&names.last_name).unwrap_or_default(),
            first: text(&names.first_name).unwrap_or_default(),
            preferred: None,
        },
        description: text(&names.description),
        home: text(&names.home),
        uid_number: entry.text(&names.uid_number).and_then(|number| number.trim().parse().ok()),
        mail: text(&names.mail),
        protection,
        groups: Vec::new(),
    }
}

fn details(shared: &Shared, entry: &Entry, lag: Lag) -> Details {
    let names = &shared.layout.names;
    Details {
        mail_aliases: shared.dialect.aliases(entry, &names.mail, &names.mail_alias),
        made_by: made_by(shared, entry),
        ..shared.dialect.details(entry, lag)
    }
}

fn replaceable(shared: &Shared, entry: &Entry) -> Replaceable {
    let shut = shared.dialect.disable(entry).ok().flatten();
    let hidden = shared.exchange.as_ref().and_then(|exchange| exchange.disable(entry));
    Replaceable {
        by_shutting: shut.map(|edit| edit.before).unwrap_or_default(),
        by_hiding: hidden.map(|edit| edit.before).unwrap_or_default(),
    }
}

/// The log-on name; of several the one in the object's name. An account whose log-on name is missing
/// or can't be shown goes by its id: it must not drop out of a listing.
pub(super) fn user_id(shared: &Shared, id: &StableId, entry: &Entry) -> UserId {
    let named = first_value(&entry.dn);
    let values = || entry.texts(&shared.layout.names.user_id);
    let chosen =
        values().find(|value| Some(*value) == named.as_deref()).or_else(|| values().next());
    let known = chosen.and_then(|value| UserId::new(value).ok());
    known.or_else(|| UserId::new(id.as_str()).ok()).unwrap_or_else(|| shared.unnamed.clone())
}
