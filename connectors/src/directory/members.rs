//! Who is in a group, those in groups within it included: for mail to a role (A2).

use super::Shared;
use super::codes::Trouble;
use super::dialect::Lag;
use super::entry::Entry;
use super::filter;
use super::layout::Layout;
use super::named_groups::{entries, in_groups};
use super::observe::{account, identity};
use super::protect::Administrators;
use super::read::{all_values, by_keys, by_place};
use super::session::Session;
use super::settings::MemberBy;
use super::supervisor::Connected;
use lapsed_core::facts::{GroupName, StableId};
use lapsed_core::observed::Observed;
use lapsed_core::step::Fault;
use std::collections::BTreeSet;

/// Groups within groups are followed so deep.
const DEEPEST: usize = 16;
/// More members than this are nobody in particular: what is looked up of them ends here.
const MOST: usize = 500;

/// The accounts in any group that bears one of the names.
pub(super) async fn of(
    shared: &Shared,
    connected: &Connected,
    names: &[GroupName],
) -> Result<Observed, Fault> {
    let session = &connected.session;
    let groups = entries(shared, session, names).await.map_err(in_groups)?;
    let found = below(shared, session, groups).await;
    let found = found.map_err(|trouble| trouble.of_read("reading members of groups"))?;
    let administrators = Administrators::read(shared, session).await;
    let administrators =
        administrators.map_err(|trouble| trouble.of_read("reading the protected groups"))?;
    let mut seen: BTreeSet<StableId> = BTreeSet::new();
    let mut accounts = Vec::new();
    for entry in &found {
        let id = identity(shared, entry);
        let id = id.map_err(|trouble| trouble.of_read("reading members of groups"))?;
        if seen.insert(id.clone()) {
            accounts.push(account(shared, connected, &administrators, Lag::NotKept, id, entry));
        }
    }
    Ok(Observed { accounts, server: session.server.clone(), ..Observed::default() })
}

/// Accounts in these groups, and in the groups within them; none is looked into twice.
async fn below(
    shared: &Shared,
    session: &Session,
    groups: Vec<Entry>,
) -> Result<Vec<Entry>, Trouble> {
    let layout = &shared.layout;
    let mut looked_into: BTreeSet<String> = groups.iter().map(|g| g.dn.to_lowercase()).collect();
    let (mut next, mut found) = (groups, Vec::new());
    for _ in 0..DEEPEST {
        if next.is_empty() || found.len() > MOST {
            break;
        }
        let listed = listed(shared, session, &next).await?;
        let attributes = layout.account_attributes();
        let window = shared.window;
        let wrap = |also| layout.accounts(also);
        let by_name = by_keys(session, window, &layout.people, &listed.keys, &attributes, wrap);
        found.extend(by_name.await?);
        let objects = objects(shared, session, &listed.objects).await?;
        let is_group = |entry: &Entry| layout.classes_of(entry).next().is_some();
        let (within, accounts): (Vec<Entry>, Vec<Entry>) =
            objects.into_iter().partition(|entry| is_group(entry));
        found.extend(accounts);
        next = within;
        next.retain(|group| looked_into.insert(group.dn.to_lowercase()));
    }
    Ok(found)
}

/// What some groups list.
#[derive(Default)]
struct Listed {
    /// Distinguished names below the bases.
    objects: Vec<String>,
    /// Filters by log-on names.
    keys: Vec<String>,
}

/// Whoever has the group as their primary one in Active Directory is not listed in it, and is left out.
async fn listed(shared: &Shared, session: &Session, groups: &[Entry]) -> Result<Listed, Trouble> {
    let layout = &shared.layout;
    let ranges = shared.dialect.serves_ranges();
    let mut all = Listed::default();
    for group in groups {
        for class in layout.classes_of(group) {
            let values = all_values(session, &group.dn, &class.member, ranges).await?;
            let texts = values.into_iter().filter_map(|value| String::from_utf8(value).ok());
            match class.by {
                MemberBy::UserId => {
                    let name = &layout.names.user_id;
                    all.keys.extend(texts.map(|text| filter::equals(name, &text)));
                }
                MemberBy::DistinguishedName => all.objects.extend(texts.filter(|dn| {
                    Layout::is_below(&layout.people, dn) || Layout::is_below(&layout.groups, dn)
                })),
            }
        }
    }
    all.objects.truncate(MOST + 1);
    all.keys.truncate(MOST + 1);
    Ok(all)
}

/// The accounts and groups of these names; a list may go on naming what is gone.
async fn objects(
    shared: &Shared,
    session: &Session,
    names: &[String],
) -> Result<Vec<Entry>, Trouble> {
    let layout = &shared.layout;
    let filter = filter::any(&[layout.accounts(None), layout.groups_filter(None)]);
    let mut attributes = layout.account_attributes();
    attributes.extend(shared.dialect.group_attributes());
    let places: Vec<&str> = names.iter().map(String::as_str).collect();
    by_place(session, shared.window, &places, &filter, &attributes).await
}
