//! Making an account (A1): looked for first by all that could make it the same one, then made in one
//! request, shut.

use super::Shared;
use super::apply::{Batch, Ending, drifted};
use super::codes::{Trouble, code};
use super::dn::escape_value;
use super::entry::Entry;
use super::filter;
use super::layout::Layout;
use super::making::CreateSettings;
use super::session::{Attributes, Query, Session};
use super::words::{Words, render};
use lapsed_core::facts::{EmployeeNumber, StableId};
use lapsed_core::step::{
    Action, Blueprint, Cause, Fault, Found, Outcome, Receipt, Seen, Step, StepId,
};
use ldap3::Scope;
use std::collections::BTreeMap;

/// How the mark of an account that lapsed made begins.
const MADE: &str = "lapsed:made:";

/// How often another name is tried while others take names at the same time.
const TRIES: usize = 3;

/// What is there of the account that is to be made.
#[derive(Debug)]
enum There {
    /// Nothing.
    Nothing,
    /// It is the person's, or our own of this step.
    Ours,
    /// Something is in the way: what, and what to do.
    InTheWay(String),
    /// The account is there under another name: another name for the new one would make a second account.
    Renamed(String),
}

/// Makes the account of one step.
pub(super) async fn create(batch: &Batch<'_>, step: &Step, blueprint: &Blueprint) -> Ending {
    let shared = batch.shared;
    let Some(settings) = &shared.create else {
        let advice = "this directory makes no accounts; give its connector a section `create`";
        return Err(Fault::Refused(Cause::new(advice)));
    };
    let session = &batch.connected.session;
    let mut tries = 0;
    loop {
        match look(shared, session, step.id, blueprint).await? {
            There::InTheWay(what) => return drifted(&what),
            There::Renamed(what) => return Err(Fault::Refused(Cause::new(what))),
            There::Ours => return Ok(Outcome::AlreadySo),
            There::Nothing => {}
        }
        let (dn, attributes) = drawn(shared, session, settings, step.id, blueprint).await?;
        tries += 1;
        match session.add(&dn, &attributes).await {
            Ok(()) => return Ok(made(session, &dn)),
            // Another object took one of its names meanwhile: look what it is.
            Err(trouble) if trouble.is(code::ENTRY_EXISTS) && tries < TRIES => {}
            Err(trouble) => return Err(trouble.of_write(&step.action.describe())),
        }
    }
}

fn made(session: &Session, dn: &str) -> Outcome {
    let before = BTreeMap::from([("made".to_owned(), vec![dn.to_owned()])]);
    Outcome::Changed(Receipt { before, server: Some(session.server.clone()) })
}

/// Whether the account is there as the step wants it, whatever became of the reply.
pub(super) async fn seen(
    shared: &Shared,
    session: &Session,
    step: &Step,
    blueprint: &Blueprint,
) -> Result<Seen, Fault> {
    let otherwise = |description: String| Ok(Seen::Otherwise(Found { description }));
    match look(shared, session, step.id, blueprint).await? {
        There::Ours => Ok(Seen::AsWanted),
        There::Nothing => otherwise("the account is not there".into()),
        There::InTheWay(what) | There::Renamed(what) => otherwise(what),
    }
}

/// The words by which an account says which step made it.
pub(super) fn mark_of(step: StepId) -> String {
    format!("{MADE}{step}")
}

/// The step that made the account, by its mark.
pub(super) fn made_by(shared: &Shared, entry: &Entry) -> Option<StepId> {
    let mut marks = entry.texts(&shared.layout.mark);
    marks.find_map(|mark| mark.strip_prefix(MADE)?.parse().ok().map(StepId))
}

/// Whether lapsed made the account.
pub(super) fn is_marked(shared: &Shared, entry: &Entry) -> bool {
    entry.texts(&shared.layout.mark).any(|value| value.starts_with(MADE))
}

/// Looks by user ID, by number and by mark, below every base: names are unique beyond the people.
async fn look(
    shared: &Shared,
    session: &Session,
    step: StepId,
    blueprint: &Blueprint,
) -> Result<There, Fault> {
    let layout = &shared.layout;
    let mut keys = vec![
        filter::equals(&layout.names.user_id, blueprint.user_id.as_str()),
        filter::equals(&layout.mark, &mark_of(step)),
    ];
    if let Some(number) = &blueprint.employee_number {
        keys.push(filter::equals(&layout.names.employee_number, number.as_str()));
    }
    let wanted = filter::any(&keys);
    let attributes = layout.account_attributes();
    let mut found: Vec<Entry> = Vec::new();
    for place in &layout.name_places {
        let query = Query::below(&place.text, &wanted, &attributes);
        let entries = session.search(query).await;
        found.extend(entries.map_err(|trouble| trouble.of_read("looking for the new account"))?);
    }
    Ok(judge(shared, step, blueprint, found))
}

fn judge(shared: &Shared, step: StepId, blueprint: &Blueprint, found: Vec<Entry>) -> There {
    let layout = &shared.layout;
    let names = &layout.names;
    let number = blueprint.employee_number.as_ref().map(EmployeeNumber::folded);
    let mark = mark_of(step);
    let is_named = |entry: &Entry| {
        entry.texts(&names.user_id).any(|id| id.to_lowercase() == blueprint.user_id.folded())
    };
    let is_theirs = |entry: &Entry| {
        let numbers = entry.texts(&names.employee_number);
        let mut numbers = numbers.filter_map(|text| EmployeeNumber::new(text).ok());
        number.as_ref().is_some_and(|number| numbers.any(|own| own.folded() == *number))
    };
    let is_marked = |entry: &Entry| entry.texts(&layout.mark).any(|value| value == mark);
    let in_way = |what: &str| There::InTheWay(what.to_owned());
    let mut is_there = false;
    for entry in found {
        match (is_named(&entry), is_theirs(&entry), is_marked(&entry)) {
            (true, true, _) | (true, false, true) => {
                if is_there {
                    return in_way(
                        "two accounts have this user ID; look which one is the person's",
                    );
                }
                if !Layout::is_below(&layout.people, &entry.dn) {
                    return in_way(
                        "the person's account is there, but not below people_base; move it",
                    );
                }
                is_there = true;
            }
            (true, false, false) => {
                return There::InTheWay(format!(
                    "the user ID belongs to another object ({}): its {} is not the person's; reserve another user ID",
                    entry.dn, names.employee_number
                ));
            }
            (false, true, _) => {
                return There::InTheWay(format!(
                    "the person has an account already, by another user ID ({}); use that one, or correct its {}",
                    entry.dn, names.employee_number
                ));
            }
            (false, false, true) => {
                return There::Renamed(format!(
                    "the account that this step made has another user ID now ({}); look who renamed it",
                    entry.dn
                ));
            }
            // The directory compares more loosely than we do: ü is u, and a name is a name.
            (false, false, false) => {
                return There::InTheWay(format!(
                    "the directory holds the user ID of {} for the same; reserve another user ID",
                    entry.dn
                ));
            }
        }
    }
    if is_there { There::Ours } else { There::Nothing }
}

/// The account's name and attributes.
async fn drawn(
    shared: &Shared,
    session: &Session,
    settings: &CreateSettings,
    step: StepId,
    blueprint: &Blueprint,
) -> Result<(String, Attributes), Fault> {
    let refused = |key: &str, why: &str| {
        Fault::Refused(Cause::new(format!("the setting {key} of this person's account {why}")))
    };
    let supervisor = supervisor_dn(shared, session, settings, blueprint).await?;
    let words = Words::of(blueprint, supervisor.as_deref());
    let (place, dn) = words.place(&settings.below).map_err(|why| refused("create.below", &why))?;
    if !shared.layout.people.iter().any(|base| dn.is_under(&base.dn)) {
        let advice =
            "gives a place that is not below people_base, where accounts would not be seen";
        return Err(refused("create.below", advice));
    }
    let mut attributes = facts(shared, blueprint);
    for (name, template) in &settings.attributes {
        let key = format!("create.attributes.{name}");
        let value = render(template, words.plain()).map_err(|why| refused(&key, &why))?;
        attributes.retain(|own, _| !own.eq_ignore_ascii_case(name));
        if !value.is_empty() {
            attributes.insert(name.clone(), vec![value.into_bytes()]);
        }
    }
    let classes = classes(shared, settings);
    let user_id = blueprint.user_id.as_str();
    let shut = shared.dialect.new_account(&classes, user_id, settings.upn_suffix.as_deref());
    for (name, values) in shut {
        // What shuts the account stands above what the templates say.
        attributes.retain(|own, _| !own.eq_ignore_ascii_case(&name));
        attributes.insert(name, values);
    }
    let classes = classes.into_iter().map(String::into_bytes).collect();
    attributes.insert("objectClass".into(), classes);
    attributes.entry(shared.layout.mark.clone()).or_default().push(mark_of(step).into_bytes());
    let named_by = settings.named_by.as_deref().unwrap_or(shared.dialect.named_by());
    let name = name_in(shared, session, &place, named_by, blueprint).await?;
    attributes.retain(|own, _| !own.eq_ignore_ascii_case(named_by));
    attributes.insert(named_by.to_owned(), vec![name.clone().into_bytes()]);
    Ok((format!("{named_by}={},{place}", escape_value(&name)), attributes))
}

pub(super) fn classes(shared: &Shared, settings: &CreateSettings) -> Vec<String> {
    if settings.classes.is_empty() {
        shared.dialect.new_classes().iter().map(|&class| class.to_owned()).collect()
    } else {
        settings.classes.clone()
    }
}

/// What every account has, as far as it is known.
fn facts(shared: &Shared, blueprint: &Blueprint) -> Attributes {
    let names = &shared.layout.names;
    let last = match blueprint.name.last.trim() {
        "" => blueprint.display_name.clone(),
        last => last.to_owned(),
    };
    let mail = blueprint.mail.as_deref().filter(|mail| !mail.trim().is_empty());
    let main = mail.and_then(|mail| shared.dialect.main_address(mail));
    let facts = [
        (names.user_id.as_str(), Some(blueprint.user_id.to_string())),
        ("cn", Some(blueprint.display_name.clone())),
        ("displayName", Some(blueprint.display_name.clone())),
        (&names.last_name, Some(last)),
        (&names.first_name, Some(blueprint.name.first.clone())),
        (&names.employee_number, blueprint.employee_number.as_ref().map(ToString::to_string)),
        (&names.mail, blueprint.mail.clone()),
        (&names.mail_alias, main),
        (&names.home, blueprint.home.clone()),
        (&names.uid_number, blueprint.uid_number.map(|number| number.to_string())),
    ];
    let known = facts.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let known = known.filter(|(_, value)| !value.trim().is_empty());
    known.map(|(name, value)| (name.to_owned(), vec![value.into_bytes()])).collect()
}

/// The value in the account's own name: one that is taken in its place gets the user ID in brackets.
async fn name_in(
    shared: &Shared,
    session: &Session,
    place: &str,
    named_by: &str,
    blueprint: &Blueprint,
) -> Result<String, Fault> {
    if named_by.eq_ignore_ascii_case(&shared.layout.names.user_id) {
        return Ok(blueprint.user_id.to_string());
    }
    let [plain, bracketed] = common_names(&blueprint.display_name, blueprint.user_id.as_str());
    let dn = format!("{named_by}={},{place}", escape_value(&plain));
    let taken = is_there(session, &dn).await;
    let taken = taken.map_err(|trouble| trouble.of_read("looking whether the name is taken"))?;
    Ok(if taken { bracketed } else { plain })
}

/// The common names that an account may get, best first; Active Directory takes 64 characters.
pub(super) fn common_names(display_name: &str, user_id: &str) -> [String; 2] {
    const LONGEST: usize = 64;
    let cut = |text: &str, room: usize| -> String {
        text.chars().take(room).collect::<String>().trim().to_owned()
    };
    let room = LONGEST.saturating_sub(user_id.chars().count() + 3);
    [cut(display_name, LONGEST), format!("{} ({user_id})", cut(display_name, room))]
}

/// Whether there is an object of this name.
pub(super) async fn is_there(session: &Session, dn: &str) -> Result<bool, Trouble> {
    let query = Query {
        base: dn,
        scope: Scope::Base,
        filter: "(objectClass=*)",
        attributes: &["1.1"],
        deleted: false,
    };
    match session.search(query).await {
        Ok(entries) => Ok(!entries.is_empty()),
        Err(trouble) if trouble.is(code::NO_SUCH_OBJECT) => Ok(false),
        Err(trouble) => Err(trouble),
    }
}

/// The supervisor's account by name, where a template asks for it and there is exactly one.
async fn supervisor_dn(
    shared: &Shared,
    session: &Session,
    settings: &CreateSettings,
    blueprint: &Blueprint,
) -> Result<Option<String>, Fault> {
    let is_asked = settings.attributes.values().any(|text| text.contains("supervisor_dn"));
    let Some(supervisor) = blueprint.supervisor.as_ref().filter(|_| is_asked) else {
        return Ok(None);
    };
    let found = by_user_id(shared, session, supervisor.as_str()).await?;
    Ok(match found.as_slice() {
        [one] => Some(one.dn.clone()),
        _ => None,
    })
}

/// Accounts below the bases by their log-on name, compared as we do.
pub(super) async fn by_user_id(
    shared: &Shared,
    session: &Session,
    user_id: &str,
) -> Result<Vec<Entry>, Fault> {
    let layout = &shared.layout;
    let name = &layout.names.user_id;
    let wanted = layout.accounts(Some(filter::equals(name, user_id)));
    let attributes = layout.account_attributes();
    let mut found = Vec::new();
    for base in &layout.people {
        let query = Query::below(&base.text, &wanted, &attributes);
        let entries = session.search(query).await;
        found.extend(entries.map_err(|trouble| trouble.of_read("looking by user ID"))?);
    }
    let folded = user_id.to_lowercase();
    found.retain(|entry: &Entry| entry.texts(name).any(|id| id.to_lowercase() == folded));
    Ok(found)
}

/// Accounts that were still to be made when the steps were planned, by the id that stands for each. One
/// that nothing proves to be the one that was made is left out.
pub(super) async fn to_be_made(
    batch: &Batch<'_>,
    ids: &[StableId],
) -> Result<Vec<(StableId, Entry)>, Fault> {
    let mut found = Vec::new();
    for id in ids {
        let of_step = |step: &&Step| {
            step.action.account().id == *id && !matches!(step.action, Action::CreateAccount { .. })
        };
        let Some(step) = batch.steps.iter().find(of_step) else { continue };
        let label = &step.action.account().label;
        let entries = by_user_id(batch.shared, &batch.connected.session, label).await?;
        // Whose it is, a number says, which is judged with every step; without one the mark has to.
        let proven =
            |entry: &Entry| step.expect.employee_number.is_some() || is_marked(batch.shared, entry);
        if let [entry] = entries.as_slice()
            && proven(entry)
        {
            found.push((id.clone(), entry.clone()));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_name_has_room_for_the_user_id() {
        let long = "x".repeat(80);
        let [plain, bracketed] = common_names(&long, "mzsmitj");
        assert_eq!((plain.len(), bracketed.len()), (64, 64));
        assert!(bracketed.ends_with(" (mzsmitj)"));
        assert_eq!(common_names("Ann Li", "mzlia")[1], "Ann Li (mzlia)");
    }
}
