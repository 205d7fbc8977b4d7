//! Groups by the names that the configuration gives: found, never guessed.

use super::Shared;
use super::codes::Trouble;
use super::entry::Entry;
use super::filter;
use super::observe::{identity, shown_name};
use super::read::by_keys;
use super::session::Session;
use lapsed_core::facts::GroupName;
use lapsed_core::observed::{GroupLink, Observed};
use lapsed_core::step::Fault;
use std::collections::BTreeSet;

/// Every group below the bases that bears one of the names; two of one name are both found.
pub(super) async fn named(
    shared: &Shared,
    session: &Session,
    names: &[GroupName],
) -> Result<Observed, Fault> {
    let mut groups: Vec<GroupLink> = Vec::new();
    for entry in &entries(shared, session, names).await.map_err(in_groups)? {
        let (id, name) = (identity(shared, entry).map_err(in_groups)?, shown_name(entry));
        if groups.iter().all(|known| known.id != id) {
            groups.push(GroupLink { id, name, kind: shared.dialect.group_kind(entry) });
        }
    }
    groups.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
    Ok(Observed { groups, server: session.server.clone(), ..Observed::default() })
}

/// The groups themselves.
pub(super) async fn entries(
    shared: &Shared,
    session: &Session,
    names: &[GroupName],
) -> Result<Vec<Entry>, Trouble> {
    let wanted: BTreeSet<String> = names.iter().map(GroupName::folded).collect();
    let keys: Vec<String> = wanted.iter().map(|name| filter::equals("cn", name)).collect();
    let layout = &shared.layout;
    let attributes = shared.dialect.group_attributes();
    let found = by_keys(session, shared.window, &layout.groups, &keys, attributes, |also| {
        layout.groups_filter(also)
    });
    let mut found = found.await?;
    // A directory compares more loosely than we do: what bears another name is another group.
    found.retain(|entry| wanted.contains(&shown_name(entry).to_lowercase()));
    Ok(found)
}

pub(super) fn in_groups(trouble: Trouble) -> Fault {
    trouble.of_read("reading groups by name")
}
