//! The groups that accounts are in: asked for one account, or read off the groups' own lists for many at once.
//!
//! A search for one member costs the server as much as that member's groups are large; above some hundreds of
//! accounts one pass over all groups is cheaper.

use super::Shared;
use super::codes::Trouble;
use super::dn::first_value;
use super::entry::Entry;
use super::filter;
use super::layout::Layout;
use super::observe::{identity, shown_name};
use super::read::side_by_side;
use super::session::{Query, Session};
use super::settings::{GroupClass, MemberBy};
use futures_util::future::FutureExt;
use lapsed_core::facts::StableId;
use lapsed_core::observed::GroupLink;
use std::collections::{BTreeSet, HashMap};

/// From so many accounts on, all groups are read.
const WORTH_A_PASS: usize = 500;

/// A directory with more memberships than this for each account wanted is not read through.
const VALUES_AN_ACCOUNT: usize = 1_000;

/// For each account every group it is in, by name.
pub(super) async fn of_all(
    shared: &Shared,
    session: &Session,
    accounts: &[(StableId, Entry)],
) -> Vec<Result<Vec<GroupLink>, Trouble>> {
    // Active Directory cuts long lists, and has an index from each member to its groups.
    let worth_a_pass = accounts.len() >= WORTH_A_PASS && !shared.dialect.serves_ranges();
    let mut listed = vec![None; accounts.len()];
    if worth_a_pass {
        match in_one_pass(shared, session, accounts).await {
            Ok(found) => listed = found,
            Err(trouble) => {
                tracing::debug!(?trouble, "groups are asked for account by account");
            }
        }
    }
    let calls = accounts
        .iter()
        .zip(listed)
        .map(|((_, account), listed)| of_one(shared, session, account, listed).boxed())
        .collect();
    side_by_side(shared.window, calls).await
}

async fn of_one(
    shared: &Shared,
    session: &Session,
    account: &Entry,
    listed: Option<Vec<GroupLink>>,
) -> Result<Vec<GroupLink>, Trouble> {
    let mut links = match listed {
        Some(links) => links,
        None => searched(shared, session, account).await?,
    };
    links.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(primary) = shared.dialect.primary_link(session, account).await? {
        links.retain(|link| link.id != primary.id);
        links.push(primary);
    }
    Ok(links)
}

/// Groups by searching for the member: `memberOf` is per server, and leaves some out.
async fn searched(
    shared: &Shared,
    session: &Session,
    account: &Entry,
) -> Result<Vec<GroupLink>, Trouble> {
    let layout = &shared.layout;
    let filter = layout.groups_filter(Some(layout.has_member(account)));
    let mut links: Vec<GroupLink> = Vec::new();
    for base in &layout.groups {
        let query = Query::below(&base.text, &filter, shared.dialect.group_attributes());
        for group in session.search(query).await? {
            add(&mut links, link(shared, &group)?);
        }
    }
    Ok(links)
}

fn link(shared: &Shared, group: &Entry) -> Result<GroupLink, Trouble> {
    let id = identity(shared, group)?;
    Ok(GroupLink { id, name: shown_name(group), kind: shared.dialect.group_kind(group) })
}

fn add(links: &mut Vec<GroupLink>, link: GroupLink) {
    if links.iter().all(|known| known.id != link.id) {
        links.push(link);
    }
}

/// The groups of each account; nothing for one whose name a list may write in another way: the server compares
/// names by its schema, and is asked.
async fn in_one_pass(
    shared: &Shared,
    session: &Session,
    accounts: &[(StableId, Entry)],
) -> Result<Vec<Option<Vec<GroupLink>>>, Trouble> {
    let layout = &shared.layout;
    let mut lists: Vec<&str> =
        layout.group_classes.iter().map(|class| class.member.as_str()).collect();
    lists.sort_unstable();
    lists.dedup();
    let has_members: Vec<String> = lists.iter().map(|list| filter::present(list)).collect();
    let filter = layout.groups_filter(Some(filter::any(&has_members)));
    let mut attributes = shared.dialect.group_attributes().to_vec();
    attributes.extend(&lists);
    let mut names = Names::of(layout, accounts.iter().map(|(_, account)| account));
    let mut found = vec![Vec::new(); accounts.len()];
    let mut left = accounts.len().saturating_mul(VALUES_AN_ACCOUNT);
    for base in &layout.groups {
        let query = Query::below(&base.text, &filter, &attributes);
        let pass = session.search_by_page(query, |page| {
            for group in page {
                let (members, read) = names.listed_in(&group);
                if read == 0 {
                    return Err(Trouble::Incomplete(format!("{:?} hides its members", group.dn)));
                }
                left = left.checked_sub(read).ok_or_else(|| {
                    Trouble::Incomplete("the groups list far more than was asked for".to_owned())
                })?;
                if !members.is_empty() {
                    let link = link(shared, &group)?;
                    members.into_iter().for_each(|place| add(&mut found[place], link.clone()));
                }
            }
            Ok(())
        });
        pass.await?;
    }
    let doubted = names.doubted;
    let sure = |(place, links)| (!doubted.contains(&place)).then_some(links);
    Ok(found.into_iter().enumerate().map(sure).collect())
}

/// How lists name the accounts, as they are written and as they might also be.
struct Names {
    kinds: Vec<NamesOfKind>,
    /// Places of accounts that lists seem to name in another way than the account itself.
    doubted: BTreeSet<usize>,
}

struct NamesOfKind {
    list: String,
    by: MemberBy,
    written: HashMap<String, BTreeSet<usize>>,
    alike: HashMap<String, BTreeSet<usize>>,
}

impl Names {
    fn of<'a>(layout: &Layout, accounts: impl Iterator<Item = &'a Entry>) -> Self {
        let kind = |class: &GroupClass| NamesOfKind {
            list: class.member.clone(),
            by: class.by,
            written: HashMap::new(),
            alike: HashMap::new(),
        };
        let mut kinds: Vec<NamesOfKind> = layout.group_classes.iter().map(kind).collect();
        let mut doubted = BTreeSet::new();
        for (place, account) in accounts.enumerate() {
            for (kind, class) in kinds.iter_mut().zip(&layout.group_classes) {
                for value in layout.member_values(class, account) {
                    match likeness(kind.by, &value).filter(|_| is_plain(&value)) {
                        Some(like) => kind.alike.entry(like).or_default().insert(place),
                        None => doubted.insert(place),
                    };
                    kind.written.entry(value).or_default().insert(place);
                }
            }
        }
        Self { kinds, doubted }
    }

    /// Whom the group lists, by place, and how many names it lists; doubts those who may be meant.
    fn listed_in(&mut self, group: &Entry) -> (BTreeSet<usize>, usize) {
        let (mut members, mut read) = (BTreeSet::new(), 0);
        for kind in &self.kinds {
            for bytes in group.bytes(&kind.list) {
                read += 1;
                let value = String::from_utf8_lossy(bytes);
                match kind.written.get(value.as_ref()) {
                    Some(places) => members.extend(places),
                    None => {
                        let like = likeness(kind.by, &value);
                        let meant = like.and_then(|like| kind.alike.get(&like));
                        self.doubted.extend(meant.into_iter().flatten());
                    }
                }
            }
        }
        (members, read)
    }
}

/// Only of plain names can it be told without the schema how else they may be written: other characters have
/// several forms, and the parts of a compound name any order.
fn is_plain(value: &str) -> bool {
    value.is_ascii() && !value.contains('+')
}

/// What all ways to write one name have in common: its own part, without escapes, case and runs of spaces.
fn likeness(by: MemberBy, value: &str) -> Option<String> {
    let own = match by {
        MemberBy::DistinguishedName => first_value(value)?,
        MemberBy::UserId => value.to_owned(),
    };
    Some(own.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
}
