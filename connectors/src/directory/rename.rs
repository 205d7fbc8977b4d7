//! Another log-on name, display name and mail address for an account (N7), in steps that may be repeated:
//! what the account itself says, then its own name and place, then the groups that name it.
//!
//! Where members are listed by names that do not follow, the old names are noted on the account itself
//! before anything that is found by them changes. So whoever goes on after a crash knows them.

use super::account_steps::modify;
use super::apply::{Batch, Ending, drifted};
use super::codes::{Trouble, code};
use super::create::{by_user_id, common_names, is_there};
use super::dialect::{Edit, Renaming};
use super::dn::{Dn, escape_value, first_value, split_first};
use super::entry::Entry;
use super::filter;
use super::group_values::has_value;
use super::observe::user_id;
use super::session::{Change, Query};
use super::settings::MemberBy;
use super::words::{Words, render};
use lapsed_core::step::{Fault, Found, NewName, Outcome, Receipt, Seen};
use std::collections::BTreeMap;

/// How often a change is tried on an object that changes at the same time.
const TRIES: usize = 3;
/// Begins the note of the old names.
const NOTE: &str = "lapsed:renamed-from:";

/// The names under which groups may still have the account.
#[derive(Debug, Clone, PartialEq, Eq)]
struct OldNames {
    user_id: String,
    dn: String,
}

impl OldNames {
    fn on(mark: &str, entry: &Entry) -> Option<Self> {
        entry.texts(mark).find_map(|value| {
            let (user_id, dn) = value.strip_prefix(NOTE)?.split_once(':')?;
            Some(Self { user_id: user_id.to_owned(), dn: dn.to_owned() })
        })
    }

    fn note(&self) -> String {
        format!("{NOTE}{}:{}", self.user_id, self.dn)
    }
}

/// Renames the account of one step.
pub(super) async fn rename(batch: &Batch<'_>, index: usize, to: &NewName) -> Ending {
    let step = &batch.steps[index];
    let session = &batch.connected.session;
    let dialect = &batch.shared.dialect;
    let mut before: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut tries = 0;
    loop {
        let entry = match batch.again(index).await {
            Ok(entry) => entry,
            Err(ending) => return ending,
        };
        if let Some(what) = in_the_way(batch, &entry, to).await? {
            return drifted(&what);
        }
        let Some(work) = work(batch, &entry, to).await? else { break };
        let result = match &work {
            Work::Write(edit) => modify(batch, &entry, &edit.changes).await,
            Work::Name { relative, place } => {
                let only_if = if session.asserts() { dialect.only_if(&entry) } else { None };
                let place = place.as_deref();
                session.rename(&entry.dn, relative, place, only_if.as_deref()).await
            }
            Work::Groups(old) => {
                let new = new_names(batch, &entry);
                let changed = in_groups(batch, old, &new).await?;
                before.entry("groups".into()).or_default().extend(changed);
                let mut edit = Edit::default();
                let note = old.note().into_bytes();
                edit.changes.push(Change::Delete(batch.shared.layout.mark.clone(), vec![note]));
                modify(batch, &entry, &edit.changes).await
            }
        };
        match result {
            Ok(()) => {
                tries = 0;
                match work {
                    Work::Write(edit) => before.extend(edit.before),
                    Work::Name { .. } => {
                        before.insert("dn".into(), vec![entry.dn.clone()]);
                    }
                    Work::Groups(_) => {}
                }
            }
            Err(Trouble::Answered(answer)) if answer.is_about_state() && tries < TRIES => {
                tries += 1
            }
            Err(trouble) => return Err(trouble.of_write(&step.action.describe())),
        }
    }
    if before.is_empty() {
        return Ok(Outcome::AlreadySo);
    }
    // Only the old names of the account tell how to put them back; notes of ours are none of them.
    before.remove(&batch.shared.layout.mark);
    Ok(Outcome::Changed(Receipt { before, server: Some(session.server.clone()) }))
}

/// Whether all of it is done.
pub(super) async fn seen(batch: &Batch<'_>, entry: &Entry, to: &NewName) -> Result<Seen, Fault> {
    let otherwise =
        |description: &str| Ok(Seen::Otherwise(Found { description: description.into() }));
    match work(batch, entry, to).await? {
        None => Ok(Seen::AsWanted),
        Some(Work::Write(_)) => otherwise("names or addresses on the account are not the new ones"),
        Some(Work::Name { .. }) => otherwise("the account's own name or place is not the new one"),
        Some(Work::Groups(_)) => otherwise("groups may still have the account by its old name"),
    }
}

/// The next thing to do.
#[derive(Debug)]
enum Work {
    Write(Edit),
    Name { relative: String, place: Option<String> },
    Groups(OldNames),
}

async fn work(batch: &Batch<'_>, entry: &Entry, to: &NewName) -> Result<Option<Work>, Fault> {
    let layout = &batch.shared.layout;
    let edit = edit_of(batch, entry, to);
    let name = name_of(batch, entry, to).await?;
    let noted = OldNames::on(&layout.mark, entry);
    let changes_names = name.is_some() || edit.before.contains_key(&layout.names.user_id);
    if !edit.changes.is_empty() || (changes_names && must_note(batch, noted.as_ref())) {
        let mut edit = edit;
        if changes_names && must_note(batch, noted.as_ref()) {
            edit.changes.insert(0, Change::add(&layout.mark, new_names(batch, entry).note()));
        }
        return Ok(Some(Work::Write(edit)));
    }
    if let Some((relative, place)) = name {
        return Ok(Some(Work::Name { relative, place }));
    }
    Ok(noted.map(Work::Groups))
}

fn must_note(batch: &Batch<'_>, noted: Option<&OldNames>) -> bool {
    batch.shared.dialect.members_stay_behind() && noted.is_none()
}

fn new_names(batch: &Batch<'_>, entry: &Entry) -> OldNames {
    let id = batch.shared.dialect.id_of(entry);
    let user_id = match id {
        Some(id) => user_id(batch.shared, &id, entry).to_string(),
        None => entry.text(&batch.shared.layout.names.user_id).unwrap_or_default().to_owned(),
    };
    OldNames { user_id, dn: entry.dn.clone() }
}

/// Another's account that has the new user ID.
async fn in_the_way(
    batch: &Batch<'_>,
    entry: &Entry,
    to: &NewName,
) -> Result<Option<String>, Fault> {
    let dialect = &batch.shared.dialect;
    let own = dialect.id_of(entry);
    let session = &batch.connected.session;
    let found = by_user_id(batch.shared, session, to.user_id.as_str()).await?;
    let other = found.iter().find(|other| dialect.id_of(other) != own);
    Ok(other.map(|other| {
        format!("the new user ID belongs to another account ({}); reserve another one", other.dn)
    }))
}

/// What the account itself says, beside its own name.
fn edit_of(batch: &Batch<'_>, entry: &Entry, to: &NewName) -> Edit {
    let layout = &batch.shared.layout;
    let names = &layout.names;
    let named_by = relative_attribute(&entry.dn);
    let mut edit = Edit::default();
    let create = batch.shared.create.as_ref();
    let renaming = Renaming {
        to,
        upn_suffix: create.and_then(|create| create.upn_suffix.as_deref()),
        mail: &names.mail,
        aliases: &names.mail_alias,
    };
    let last = Some(to.name.last.trim()).filter(|last| !last.is_empty());
    let texts = [
        ("displayName", Some(to.display_name.as_str())),
        (names.last_name.as_str(), last),
        (names.first_name.as_str(), Some(to.name.first.trim()).filter(|first| !first.is_empty())),
        ("cn", Some(to.display_name.as_str())),
    ];
    for (attribute, value) in texts {
        let Some(value) = value.filter(|_| !attribute.eq_ignore_ascii_case(&named_by)) else {
            continue;
        };
        let follows = attribute != "cn" || batch.shared.dialect.members_stay_behind();
        if follows && entry.all(attribute) != [value] {
            edit.set(entry, attribute, value);
        }
    }
    batch.shared.dialect.rename(entry, renaming, &mut edit);
    if !names.user_id.eq_ignore_ascii_case(&named_by) && !edit.before.contains_key(&names.user_id) {
        swap_user_id(batch, entry, to, &mut edit);
    }
    if let Some(home) = &to.home
        && (has_home(batch, entry) || entry.text(&names.home).is_some())
        && entry.all(&names.home) != [home.as_str()]
    {
        edit.set(entry, &names.home, home);
    }
    follow_templates(batch, entry, to, &named_by, &mut edit);
    edit
}

/// Whether the schema lets the account have a home directory: in Active Directory every one may.
fn has_home(batch: &Batch<'_>, entry: &Entry) -> bool {
    !batch.shared.dialect.members_stay_behind() || entry.is_a("posixAccount")
}

/// One log-on name for another; further ones stay.
fn swap_user_id(batch: &Batch<'_>, entry: &Entry, to: &NewName, edit: &mut Edit) {
    let attribute = &batch.shared.layout.names.user_id;
    if entry.texts(attribute).any(|id| id == to.user_id.as_str()) {
        return;
    }
    let old = new_names(batch, entry).user_id;
    edit.swap(entry, attribute, Some(&old), to.user_id.as_str());
}

/// Attributes whose templates need nothing but what a rename carries.
fn follow_templates(
    batch: &Batch<'_>,
    entry: &Entry,
    to: &NewName,
    named_by: &str,
    edit: &mut Edit,
) {
    let Some(create) = &batch.shared.create else { return };
    let words = Words::of_rename(to);
    for (attribute, template) in &create.attributes {
        let is_done = edit.before.keys().any(|own| own.eq_ignore_ascii_case(attribute));
        if is_done || attribute.eq_ignore_ascii_case(named_by) || !template.contains('{') {
            continue;
        }
        if let Ok(value) = render(template, words.known_only())
            && !value.is_empty()
            && entry.all(attribute) != [value.as_str()]
        {
            edit.set(entry, attribute, &value);
        }
    }
}

fn relative_attribute(dn: &str) -> String {
    dn.split_once('=').map_or("", |(attribute, _)| attribute.trim()).to_ascii_lowercase()
}

/// The account's relative name and, where it moves, its place; nothing where both are right.
async fn name_of(
    batch: &Batch<'_>,
    entry: &Entry,
    to: &NewName,
) -> Result<Option<(String, Option<String>)>, Fault> {
    let Some((_, parent)) = split_first(&entry.dn) else { return Ok(None) };
    let named_by = relative_attribute(&entry.dn);
    let now = first_value(&entry.dn).unwrap_or_default();
    let place = place_of(batch, to).filter(|place| Dn::parse(parent) != Dn::parse(place));
    let candidates = if named_by.eq_ignore_ascii_case(&batch.shared.layout.names.user_id) {
        vec![to.user_id.to_string()]
    } else if named_by == "cn" {
        common_names(&to.display_name, to.user_id.as_str()).to_vec()
    } else {
        vec![now.clone()]
    };
    if place.is_none() && candidates.contains(&now) {
        return Ok(None);
    }
    let there = place.as_deref().unwrap_or(parent);
    let last = candidates.len().saturating_sub(1);
    for (at, value) in candidates.iter().enumerate() {
        let relative = format!("{named_by}={}", escape_value(value));
        let dn = format!("{relative},{there}");
        let is_own = Dn::parse(&dn) == Dn::parse(&entry.dn);
        let taken = !is_own && at < last && {
            let there = is_there(&batch.connected.session, &dn).await;
            there.map_err(|trouble| trouble.of_read("looking whether the name is taken"))?
        };
        if !taken {
            return Ok(Some((relative, place)));
        }
    }
    Ok(None)
}

/// Where the account belongs after the rename, if places go by location and all that they need is known.
fn place_of(batch: &Batch<'_>, to: &NewName) -> Option<String> {
    let create = batch.shared.create.as_ref()?;
    to.location.as_ref()?;
    if !create.below.contains("location") {
        return None;
    }
    let (text, dn) = Words::of_rename(to).place(&create.below).ok()?;
    let people = &batch.shared.layout.people;
    people.iter().any(|base| dn.is_under(&base.dn)).then_some(text)
}

/// Puts the new names in the place of the old ones, in every group that has them; gives those changed.
async fn in_groups(
    batch: &Batch<'_>,
    old: &OldNames,
    new: &OldNames,
) -> Result<Vec<String>, Fault> {
    let layout = &batch.shared.layout;
    let session = &batch.connected.session;
    let value = |names: &OldNames, by: MemberBy| match by {
        MemberBy::DistinguishedName => names.dn.clone(),
        MemberBy::UserId => names.user_id.clone(),
    };
    let mut keys: Vec<String> = Vec::new();
    for class in &layout.group_classes {
        if value(old, class.by) != value(new, class.by) {
            keys.push(filter::equals(&class.member, &value(old, class.by)));
        }
    }
    keys.sort();
    keys.dedup();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = layout.groups_filter(Some(filter::any(&keys)));
    let mut changed = Vec::new();
    for base in &layout.groups {
        let query = Query::below(&base.text, &wanted, batch.shared.dialect.group_attributes());
        let groups = session.search(query).await;
        for group in groups.map_err(|trouble| trouble.of_read("reading groups"))? {
            for class in layout.classes_of(&group) {
                let (old, new) = (value(old, class.by), value(new, class.by));
                if old != new && replace(batch, &group, &class.member, &old, &new).await? {
                    changed.push(group.dn.clone());
                }
            }
        }
    }
    Ok(changed)
}

/// One value for another in a group's list, in one request; false where the old one was not there.
async fn replace(
    batch: &Batch<'_>,
    group: &Entry,
    attribute: &str,
    old: &str,
    new: &str,
) -> Result<bool, Fault> {
    let look = async |value: &str| {
        let there = has_value(batch, group, attribute, value).await;
        there.map_err(|trouble| trouble.of_read("looking at a group"))
    };
    let session = &batch.connected.session;
    let address = batch.shared.dialect.address(group);
    let mut tries = 0;
    loop {
        if !look(old).await? {
            return Ok(false);
        }
        let mut changes = Vec::new();
        if !look(new).await? {
            changes.push(Change::add(attribute, new));
        }
        changes.push(Change::Delete(attribute.to_owned(), vec![old.into()]));
        tries += 1;
        match session.modify(&address, &changes, None).await {
            Ok(()) => return Ok(true),
            // The directory's own integrity overlay may be at it at the same time.
            Err(Trouble::Answered(answer))
                if matches!(
                    answer.code,
                    code::NO_SUCH_ATTRIBUTE | code::ATTRIBUTE_OR_VALUE_EXISTS
                ) && tries < TRIES => {}
            Err(trouble) => {
                return Err(trouble.of_write(&format!("renaming in group {:?}", group.dn)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_of_the_old_names_is_read_back() {
        let old = OldNames { user_id: "zann".into(), dn: "uid=zann,ou=a:b,dc=lab".into() };
        let entry =
            Entry::for_test("uid=a", &[("description", "clerk"), ("description", &old.note())]);
        assert_eq!(OldNames::on("description", &entry), Some(old));
        let other = Entry::for_test("uid=a", &[("description", "clerk")]);
        assert_eq!(OldNames::on("description", &other), None);
    }
}
