//! What an account's owner answers for (S7): people who report to them, groups that are theirs.
//!
//! Read on the way to shutting an account, so it must never stand in that way: what can't be read is left
//! out. The supervisors whom HR names are known without it.

use super::Shared;
use super::dn::first_value;
use super::entry::Entry;
use super::filter;
use super::read::side_by_side;
use super::session::{Query, Session};
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::observed::{Trust, TrustKind};
use std::time::Duration;

/// A server without an index for these attributes walks through everybody: it is not waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many accounts are to be done within that time.
const ACCOUNTS_A_TURN: usize = 200;

/// What the owner of each account holds in trust, each once, by kind and name; nothing from
/// where on the server is too slow.
pub(super) async fn held_by(
    shared: &Shared,
    session: &Session,
    accounts: &[(StableId, Entry)],
) -> Vec<Vec<Trust>> {
    let mut held = Vec::with_capacity(accounts.len());
    for some in accounts.chunks(ACCOUNTS_A_TURN) {
        let calls =
            some.iter().map(|(_, account)| of_one(shared, session, account).boxed()).collect();
        let turn = side_by_side(shared.window, calls);
        let Ok(theirs) = tokio::time::timeout(PATIENCE, turn).await else { break };
        held.extend(theirs);
    }
    held
}

async fn of_one(shared: &Shared, session: &Session, account: &Entry) -> Vec<Trust> {
    let mut trust = match shared.dialect.trust_on(account) {
        Some(trust) => trust,
        None => searched(shared, session, account).await,
    };
    trust.sort();
    trust.dedup();
    trust
}

async fn searched(shared: &Shared, session: &Session, account: &Entry) -> Vec<Trust> {
    let layout = &shared.layout;
    let reports = layout.accounts(Some(filter::equals("manager", &account.dn)));
    let owned = layout.groups_filter(Some(filter::equals("owner", &account.dn)));
    let mut trust = Vec::new();
    for (bases, filter, kind) in [
        (&layout.people, reports, TrustKind::DirectReport),
        (&layout.groups, owned, TrustKind::Group),
    ] {
        for base in bases {
            let query = Query::below(&base.text, &filter, &["cn"]);
            let Ok(found) = session.search(query).await else { continue };
            trust.extend(found.iter().map(|entry| Trust { kind, name: name_of(entry) }));
        }
    }
    trust
}

fn name_of(entry: &Entry) -> String {
    let name = entry.text("cn").map(str::to_owned).or_else(|| first_value(&entry.dn));
    name.unwrap_or_else(|| entry.dn.clone())
}

/// What the objects of these distinguished names are called.
pub(super) fn named(kind: TrustKind, names: &[String]) -> impl Iterator<Item = Trust> {
    names.iter().map(move |dn| Trust { kind, name: first_value(dn).unwrap_or_else(|| dn.clone()) })
}
