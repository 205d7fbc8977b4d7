//! Who must not be touched, or not without a second operator.

use super::Shared;
use super::codes::Trouble;
use super::dn::Dn;
use super::entry::Entry;
use super::layout::Layout;
use super::read;
use super::session::{Query, Session};
use super::settings::{GroupClass, MemberBy, ProtectedSettings};
use super::supervisor::Identity;
use lapsed_core::observed::Protection;
use lapsed_core::wildcard::fits;
use std::collections::HashSet;

/// The rules of the settings, read once.
#[derive(Debug)]
pub(super) struct Rules {
    settings: ProtectedSettings,
    never: Vec<(String, Dn)>,
}

impl Rules {
    pub(super) fn of(settings: &ProtectedSettings) -> Self {
        let read = |text: &String| Some((text.clone(), Dn::parse(text).ok()?));
        Self {
            never: settings.never.dns.iter().filter_map(read).collect(),
            settings: settings.clone(),
        }
    }

    /// Why the account is never touched, by nobody's release.
    pub(super) fn never(&self, shared: &Shared, entry: &Entry, we: &Identity) -> Option<String> {
        let Ok(dn) = Dn::parse(&entry.dn) else {
            return Some("its distinguished name can't be read".into());
        };
        let own_name =
            we.name.as_deref().is_some_and(|name| shared.dialect.answers_to(entry, name));
        if we.dn.as_ref() == Some(&dn) || own_name {
            return Some("it is the account by which lapsed logs on".into());
        }
        if let Some((text, _)) = self.never.iter().find(|(_, base)| dn.is_under(base)) {
            return Some(format!("it is {text} or below it"));
        }
        let patterns = &self.settings.never.user_ids;
        let named = matching(patterns, entry, &shared.layout);
        named.or_else(|| shared.dialect.never(entry))
    }

    /// Everything that protects the account.
    pub(super) fn protection(
        &self,
        shared: &Shared,
        entry: &Entry,
        we: &Identity,
        administrators: &Administrators,
    ) -> Option<Protection> {
        if let Some(because) = self.never(shared, entry, we) {
            return Some(Protection::Never { because });
        }
        let rules = &self.settings.second_operator;
        let because = matching(&rules.user_ids, entry, &shared.layout)
            .or_else(|| shared.dialect.second_operator(entry, rules))
            .or_else(|| administrators.why(shared, entry))?;
        Some(Protection::SecondOperator { because })
    }
}

fn matching(patterns: &[String], entry: &Entry, layout: &Layout) -> Option<String> {
    let ids = || entry.texts(&layout.names.user_id);
    let hit = patterns.iter().find(|pattern| ids().any(|id| fits(pattern, id)))?;
    Some(format!("its user ID fits {hit:?}"))
}

/// Members, direct and through other groups, of the groups whose members are protected.
#[derive(Debug, Default)]
pub(super) struct Administrators {
    names: HashSet<Dn>,
    user_ids: HashSet<String>,
    /// The groups themselves: an account may have one as its primary group.
    groups: Vec<Entry>,
}

impl Administrators {
    fn why(&self, shared: &Shared, entry: &Entry) -> Option<String> {
        let by_name = Dn::parse(&entry.dn).is_ok_and(|dn| self.names.contains(&dn));
        let mut ids = entry.texts(&shared.layout.names.user_id);
        let by_id = ids.any(|id| self.user_ids.contains(&id.to_lowercase()));
        let by_primary = self.groups.iter().any(|group| shared.dialect.is_primary(entry, group));
        (by_name || by_id || by_primary).then(|| "it is a member of a protected group".to_owned())
    }

    /// Reads the protected groups and the groups within them.
    pub(super) async fn read(shared: &Shared, session: &Session) -> Result<Self, Trouble> {
        let mut found = Self::default();
        let mut waiting = shared.rules.settings.second_operator.groups.clone();
        if waiting.is_empty() {
            return Ok(found);
        }
        let known = all_groups(shared, session).await?;
        let mut seen = HashSet::new();
        while let Some(name) = waiting.pop() {
            let Ok(dn) = Dn::parse(&name) else { continue };
            if !seen.insert(dn.clone()) {
                continue;
            }
            let is_named = shared.layout.protected_groups.iter().any(|group| group.dn == dn);
            let (group, members) = members_of(shared, session, &name, is_named).await?;
            waiting.extend(found.take_members(members, &known));
            found.groups.push(group);
        }
        Ok(found)
    }

    /// Takes them in; the groups among them come back.
    fn take_members(&mut self, members: Vec<Member>, known: &HashSet<Dn>) -> Vec<String> {
        let mut nested = Vec::new();
        for member in members {
            match member {
                Member::UserId(id) => {
                    self.user_ids.insert(id);
                }
                Member::Name(text, dn) => {
                    if known.contains(&dn) {
                        nested.push(text);
                    }
                    self.names.insert(dn);
                }
            }
        }
        nested
    }
}

/// Whether a group named in the settings can be read so that it protects its members.
pub(super) async fn try_group(
    shared: &Shared,
    session: &Session,
    name: &str,
) -> Result<(), Trouble> {
    members_of(shared, session, name, true).await.map(|_| ())
}

/// A member as the group names it.
enum Member {
    /// Folded.
    UserId(String),
    /// As text for requests, and folded.
    Name(String, Dn),
}

/// A protected group and its members; trouble where they can't be known for sure, since an
/// administrator must not pass for anybody else.
///
/// A group within a protected group may have no members; whether they are only hidden can't be told
/// everywhere. One that is named in the settings is there for its members, and has some.
async fn members_of(
    shared: &Shared,
    session: &Session,
    name: &str,
    is_named: bool,
) -> Result<(Entry, Vec<Member>), Trouble> {
    let trouble = |advice: &str| Trouble::Incomplete(format!("{name:?} {advice}"));
    let found = session.search(Query::one(name, shared.dialect.group_attributes())).await?;
    let group = found.into_iter().next();
    let group = group
        .ok_or_else(|| trouble("can't be seen; grant the daemon's account read access to it"))?;
    let mut classes = shared.layout.classes_of(&group).peekable();
    if classes.peek().is_none() {
        let advice = "is of none of the group_classes; add its class, or name another group";
        return Err(trouble(advice));
    }
    let mut members = Vec::new();
    for class in classes {
        let ranges = shared.dialect.serves_ranges();
        let values = read::all_values(session, &group.dn, &class.member, ranges).await?;
        let must_be_sure = is_named || shared.dialect.shows_absence();
        if values.is_empty() && must_be_sure && !is_without(shared, session, &group, class).await? {
            let advice = format!(
                "shows no {}; grant the daemon's account read access to it, or take the group out of the settings if it is empty",
                class.member
            );
            return Err(trouble(&advice));
        }
        for value in values {
            let member = String::from_utf8(value).ok().and_then(|text| member(class.by, text));
            members.push(member.ok_or_else(|| trouble("has a member whose name can't be read"))?);
        }
    }
    Ok((group, members))
}

fn member(by: MemberBy, text: String) -> Option<Member> {
    match by {
        MemberBy::UserId => Some(Member::UserId(text.to_lowercase())),
        MemberBy::DistinguishedName => {
            let dn = Dn::parse(&text).ok()?;
            Some(Member::Name(text, dn))
        }
    }
}

/// Whether the server says that the group has no members, which is more than that it shows none.
async fn is_without(
    shared: &Shared,
    session: &Session,
    group: &Entry,
    class: &GroupClass,
) -> Result<bool, Trouble> {
    if !shared.dialect.shows_absence() {
        return Ok(false);
    }
    let filter = format!("(!({}=*))", class.member);
    let query = Query { filter: &filter, ..Query::one(&group.dn, &["1.1"]) };
    Ok(!session.search(query).await?.is_empty())
}

async fn all_groups(shared: &Shared, session: &Session) -> Result<HashSet<Dn>, Trouble> {
    let filter = shared.layout.groups_filter(None);
    let mut names = HashSet::new();
    for base in &shared.layout.groups {
        let groups = session.search(Query::below(&base.text, &filter, &["1.1"])).await?;
        names.extend(groups.iter().filter_map(|group| Dn::parse(&group.dn).ok()));
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("admin", "Admin", true)]
    #[case("adm-*", "ADM-jdoe", true)]
    #[case("*admin*", "the-admin-2", true)]
    #[case("a*b*c", "axxbyyc", true)]
    #[case("a*b*c", "axxcyyb", false)]
    #[case("adm-*", "badm-x", false)]
    #[case("ab*ba", "aba", false)]
    #[case("admin", "administrator", false)]
    fn a_star_stands_for_any_characters(
        #[case] pattern: &str,
        #[case] id: &str,
        #[case] hit: bool,
    ) {
        assert_eq!(fits(pattern, id), hit);
    }
}
