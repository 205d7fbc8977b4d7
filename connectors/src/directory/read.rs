//! Reading many things: by identity in batches, side by side, and long attributes range by range.

use super::Shared;
use super::codes::{Trouble, code};
use super::entry::Entry;
use super::filter;
use super::layout::Base;
use super::session::{Query, Session};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{self, StreamExt};
use lapsed_core::facts::StableId;
use lapsed_core::step::Fault;
use std::collections::HashMap;

/// Keys in one filter: servers look each of them up in an index.
pub(super) const KEYS_A_FILTER: usize = 50;

/// Runs many calls side by side, `window` of them at a time; the answers keep the order.
pub(super) async fn side_by_side<T>(window: usize, calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(calls).buffered(window).collect().await
}

/// Everything below the bases that satisfies any of the keys; `wrap` adds the class beside them.
pub(super) async fn by_keys(
    session: &Session,
    window: usize,
    bases: &[Base],
    keys: &[String],
    attributes: &[&str],
    wrap: impl Fn(Option<String>) -> String,
) -> Result<Vec<Entry>, Trouble> {
    let filters: Vec<String> =
        keys.chunks(KEYS_A_FILTER).map(|some| wrap(Some(filter::any(some)))).collect();
    let mut calls = Vec::with_capacity(bases.len() * filters.len());
    for base in bases {
        for filter in &filters {
            calls.push(session.search(Query::below(&base.text, filter, attributes)).boxed());
        }
    }
    let answers = side_by_side(window, calls).await;
    let mut entries = Vec::new();
    for answer in answers {
        entries.extend(answer?);
    }
    Ok(entries)
}

/// The objects of these distinguished names that satisfy a filter; what is gone is left out.
pub(super) async fn by_place(
    session: &Session,
    window: usize,
    places: &[&str],
    filter: &str,
    attributes: &[&str],
) -> Result<Vec<Entry>, Trouble> {
    let look = |dn| session.search(Query { filter, ..Query::one(dn, attributes) }).boxed();
    let looks = places.iter().map(|place| look(*place)).collect();
    let answers = side_by_side(window, looks).await;
    let mut found = Vec::new();
    for answer in answers {
        match answer {
            Ok(entries) => found.extend(entries),
            Err(trouble) if trouble.is(code::NO_SUCH_OBJECT) => {}
            Err(trouble) => return Err(trouble),
        }
    }
    Ok(found)
}

/// Accounts by identity. One that is missing from the map is not below the bases.
pub(super) async fn accounts_by_id(
    shared: &Shared,
    session: &Session,
    ids: &[StableId],
) -> Result<HashMap<StableId, Entry>, Fault> {
    let keys: Vec<String> = ids.iter().filter_map(|id| shared.dialect.id_filter(id)).collect();
    let layout = &shared.layout;
    let attributes = layout.account_attributes();
    let found = by_keys(session, shared.window, &layout.people, &keys, &attributes, |also| {
        layout.accounts(also)
    })
    .await
    .map_err(|trouble| trouble.of_read("reading accounts"))?;
    Ok(by_identity(shared, found))
}

/// Groups by identity. One that is missing from the map is not below the bases.
pub(super) async fn groups_by_id(
    shared: &Shared,
    session: &Session,
    ids: &[StableId],
) -> Result<HashMap<StableId, Entry>, Fault> {
    let keys: Vec<String> = ids.iter().filter_map(|id| shared.dialect.id_filter(id)).collect();
    let layout = &shared.layout;
    let attributes = shared.dialect.group_attributes();
    let found = by_keys(session, shared.window, &layout.groups, &keys, attributes, |also| {
        layout.groups_filter(also)
    })
    .await
    .map_err(|trouble| trouble.of_read("reading groups"))?;
    Ok(by_identity(shared, found))
}

fn by_identity(shared: &Shared, entries: Vec<Entry>) -> HashMap<StableId, Entry> {
    entries.into_iter().filter_map(|e| Some((shared.dialect.id_of(&e)?, e))).collect()
}

/// All values of an attribute, however the server cuts them.
///
/// Active Directory hands out long lists in ranges (MS-ADTS 3.1.1.3.1.3.3), also unasked; so a range
/// is always asked for, and asked on until its end.
pub(super) async fn all_values(
    session: &Session,
    dn: &str,
    attribute: &str,
    ranges: bool,
) -> Result<Vec<Vec<u8>>, Trouble> {
    let mut values: Vec<Vec<u8>> = Vec::new();
    let mut next = 0_u64;
    loop {
        let wanted =
            if ranges { format!("{attribute};range={next}-*") } else { attribute.to_owned() };
        let entries = session.search(Query::one(dn, &[&wanted])).await?;
        let Some(entry) = entries.first() else {
            return Err(Trouble::Incomplete(format!("{dn:?} can't be read")));
        };
        let Some((last, part)) = entry.range(attribute) else {
            values.extend(entry.owned(attribute));
            return Ok(values);
        };
        let is_empty = part.is_empty();
        values.extend(part);
        match last {
            None => return Ok(values),
            Some(last) if last >= next && !is_empty && last < u64::MAX => next = last + 1,
            Some(_) => {
                return Err(Trouble::Incomplete(format!("the ranges of {attribute} do not end")));
            }
        }
    }
}
