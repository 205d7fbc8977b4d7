//! What changed since the last look: as the server counts, and by who was in the groups that matter before.
//!
//! **Guarantees.** What changed while it was looked for is seen now or the next time. Where the copy of the
//! directory is another than before, or does not count, that is said, and nothing is taken for unchanged.
//! What is gone is told by a whole listing only.

use super::Shared;
use super::codes::Trouble;
use super::dialect::Lag;
use super::entry::Entry;
use super::filter;
use super::layout::Layout;
use super::named_groups::entries;
use super::observe::{account, identity, shown_name};
use super::protect::Administrators;
use super::read::{all_values, by_keys, by_place};
use super::session::Session;
use super::settings::MemberBy;
use super::supervisor::Connected;
use lapsed_core::facts::{GroupName, StableId};
use lapsed_core::observed::{Mark, MemberName, Observed, Since};
use lapsed_core::step::Fault;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The accounts that changed since a mark, and the mark from which to go on.
pub(super) async fn since(
    shared: &Shared,
    connected: &Connected,
    since: &Since,
) -> Result<Observed, Fault> {
    let session = &connected.session;
    let server = session.server.clone();
    let looked = match &since.mark {
        None => begin(shared, session, &since.groups).await.map(|mark| (mark, Vec::new())),
        Some(mark) => go_on(shared, session, mark, &since.groups).await,
    };
    let (mark, found) = looked.map_err(in_changes)?;
    if found.is_empty() {
        return Ok(Observed { mark, server, ..Observed::default() });
    }
    let administrators = Administrators::read(shared, session).await.map_err(in_changes)?;
    let shown = |(id, entry): (StableId, Entry)| {
        account(shared, connected, &administrators, Lag::NotKept, id, &entry)
    };
    let accounts = found.into_iter().map(shown).collect();
    Ok(Observed { accounts, mark, server, ..Observed::default() })
}

fn in_changes(trouble: Trouble) -> Fault {
    trouble.of_read("reading what changed")
}

/// Counts from here on: what is in the groups now is what later changes are held against.
async fn begin(
    shared: &Shared,
    session: &Session,
    wanted: &[GroupName],
) -> Result<Option<Mark>, Trouble> {
    let counting = shared.dialect.counting();
    let Some(now) = counting.reached(session, &shared.layout, None).await? else {
        return Ok(None);
    };
    let (mut members, mut known) = (BTreeMap::new(), BTreeSet::new());
    for group in entries(shared, session, wanted).await? {
        let listed = members_of(shared, session, &group, &mut known).await?;
        members.insert(identity(shared, &group)?, listed);
    }
    Ok(Some(Mark { server: now.server, point: now.point, members }))
}

/// Accounts by their identity, each once.
type Found = Vec<(StableId, Entry)>;

async fn go_on(
    shared: &Shared,
    session: &Session,
    mark: &Mark,
    wanted: &[GroupName],
) -> Result<(Option<Mark>, Found), Trouble> {
    let counting = shared.dialect.counting();
    let now = counting.reached(session, &shared.layout, Some(&mark.point)).await?;
    let changed = counting.since(&mark.point);
    let (Some(now), Some(changed)) = (now.filter(|now| now.server == mark.server), changed) else {
        return Ok((None, Vec::new()));
    };
    let layout = &shared.layout;
    let attributes = layout.account_attributes();
    let mut found: HashMap<StableId, Entry> = HashMap::new();
    let (window, key) = (shared.window, std::slice::from_ref(&changed));
    let wrap = |also| layout.accounts(also);
    for entry in by_keys(session, window, &layout.people, key, &attributes, wrap).await? {
        found.insert(identity(shared, &entry)?, entry);
    }
    let (mut members, mut known) = (mark.members.clone(), BTreeSet::new());
    let mut moved: BTreeSet<MemberName> = BTreeSet::new();
    for group in changed_groups(shared, session, key, wanted).await? {
        let listed = members_of(shared, session, &group, &mut known).await?;
        let before = members.insert(identity(shared, &group)?, listed.clone()).unwrap_or_default();
        moved.extend(before.symmetric_difference(&listed).cloned());
    }
    for entry in accounts(shared, session, &moved).await? {
        found.insert(identity(shared, &entry)?, entry);
    }
    let mut found: Found = found.into_iter().collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    Ok((Some(Mark { server: now.server, point: now.point, members }), found))
}

async fn changed_groups(
    shared: &Shared,
    session: &Session,
    changed: &[String],
    wanted: &[GroupName],
) -> Result<Vec<Entry>, Trouble> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: BTreeSet<String> = wanted.iter().map(GroupName::folded).collect();
    let (layout, attributes) = (&shared.layout, shared.dialect.group_attributes());
    let wrap = |also| layout.groups_filter(also);
    let found = by_keys(session, shared.window, &layout.groups, changed, attributes, wrap);
    let mut groups = found.await?;
    groups.retain(|group| wanted.contains(&shown_name(group).to_lowercase()));
    Ok(groups)
}

/// Whom a group lists; `known` has the names that were written down before.
async fn members_of(
    shared: &Shared,
    session: &Session,
    group: &Entry,
    known: &mut BTreeSet<Arc<str>>,
) -> Result<BTreeSet<MemberName>, Trouble> {
    let ranges = shared.dialect.serves_ranges();
    let mut listed = BTreeSet::new();
    for class in shared.layout.classes_of(group) {
        let values = all_values(session, &group.dn, &class.member, ranges).await?;
        for text in values.into_iter().filter_map(|value| String::from_utf8(value).ok()) {
            let name = known.get(text.as_str()).cloned().unwrap_or_else(|| {
                let name: Arc<str> = text.into();
                known.insert(Arc::clone(&name));
                name
            });
            listed.insert(match class.by {
                MemberBy::DistinguishedName => MemberName::Place(name),
                MemberBy::UserId => MemberName::UserId(name),
            });
        }
    }
    Ok(listed)
}

/// The accounts of these names below the bases; a list may name what is gone, and groups.
async fn accounts(
    shared: &Shared,
    session: &Session,
    names: &BTreeSet<MemberName>,
) -> Result<Vec<Entry>, Trouble> {
    let layout = &shared.layout;
    let (filter, attributes) = (layout.accounts(None), layout.account_attributes());
    let (mut places, mut keys) = (Vec::new(), Vec::new());
    for name in names {
        match name {
            MemberName::Place(dn) if Layout::is_below(&layout.people, dn) => {
                places.push(dn.as_ref());
            }
            MemberName::Place(_) => {}
            MemberName::UserId(user_id) => {
                keys.push(filter::equals(&layout.names.user_id, user_id))
            }
        }
    }
    let mut found = by_place(session, shared.window, &places, &filter, &attributes).await?;
    let wrap = |also| layout.accounts(also);
    let by_name = by_keys(session, shared.window, &layout.people, &keys, &attributes, wrap);
    found.extend(by_name.await?);
    Ok(found)
}
