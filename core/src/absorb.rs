//! Takes a source's statement into what is known of a person: engagements and notices (D1, D10, D12).

use crate::access;
use crate::facts::{
    About, Engagement, Notice, NoticeState, Person, PersonName, SourceName, Statement, Status,
};
use crate::policy::departure::{DeparturePolicy, effective_at};
use jiff::{Timestamp, tz::TimeZone};

/// Where a statement comes from, and by which rules its dates become moments.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The feed.
    pub source: &'a SourceName,
    /// The drop's name, for people.
    pub brought_by: &'a str,
    /// When it came in.
    pub received_at: Timestamp,
    /// Departure rules.
    pub policy: &'a DeparturePolicy,
    /// The agency's zone.
    pub zone: &'a TimeZone,
    /// The source gives notices about people whom another source lists, and describes nobody itself.
    pub notices_only: bool,
    /// The feed's file before this one had the row too, in these words or in others: a departure that is over
    /// since is not noticed anew by it. False of what an operator or a form says.
    pub listed_before: bool,
}

/// Whom a statement is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// The person at this place of the candidates.
    Known(usize),
    /// Nobody known: a new person.
    New,
    /// Set aside, with the reason for people.
    Unclear(String),
}

/// What a statement changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A new engagement.
    Joined,
    /// A new engagement after one that had ended (D10).
    Rehired,
    /// A new or moved notice.
    Noticed,
    /// A notice that stood already was given again.
    Repeated,
    /// The source took its notice back (D10).
    NoticeWithdrawn,
    /// Other data changed: a name, a worksite.
    Updated,
}

/// Finds whom a statement is about: by employee number or user ID, never by name alone (D1).
///
/// A number may have belonged to someone else years ago; it counts as another person's when that
/// person's engagements under it have ended and neither name agrees.
#[must_use]
pub fn match_person(statement: &Statement, source: &SourceName, candidates: &[Person]) -> Match {
    let mut by_number = Vec::new();
    let mut passed_on = false;
    for (place, person) in candidates.iter().enumerate() {
        match number_fit(statement, source, person) {
            Fit::Same => by_number.push(place),
            Fit::PassedOn => passed_on = true,
            Fit::OtherName => {
                return Match::Unclear(
                    "the employee number belongs to a current engagement under another name; ask HR \
                     whose it is"
                        .into(),
                );
            }
            Fit::No => {}
        }
    }
    let by_user_id: Vec<usize> = match &statement.user_id {
        Some(user_id) => (0..candidates.len())
            .filter(|&place| {
                candidates[place].user_ids().iter().any(|known| known.folded() == user_id.folded())
            })
            .collect(),
        None => Vec::new(),
    };
    match (by_number.as_slice(), by_user_id.as_slice()) {
        ([], []) => Match::New,
        ([one], []) => Match::Known(*one),
        ([], [one]) if !passed_on => Match::Known(*one),
        ([one], [other]) if one == other => Match::Known(*one),
        ([_], [_]) | ([], [_]) => Match::Unclear(
            "employee number and user ID belong to two different people; ask HR which is right"
                .into(),
        ),
        _ => Match::Unclear("the key fits several people; settle which one is meant".into()),
    }
}

enum Fit {
    Same,
    PassedOn,
    OtherName,
    No,
}

fn number_fit(statement: &Statement, source: &SourceName, person: &Person) -> Fit {
    let fits = |number: &Option<crate::facts::EmployeeNumber>| {
        number.as_ref().is_some_and(|theirs| {
            [&statement.employee_number, &statement.former_employee_number]
                .into_iter()
                .flatten()
                .any(|stated| stated.folded() == theirs.folded())
        })
    };
    let engagements: Vec<&Engagement> =
        person.engagements.iter().filter(|e| fits(&e.employee_number)).collect();
    if engagements.is_empty() {
        return Fit::No;
    }
    let (Some(stated), Some(known)) = (statement.name.as_ref(), person.name()) else {
        return Fit::Same;
    };
    let goes_on = engagements.iter().any(|e| e.goes_on());
    let same_start = statement.starts_on.is_some()
        && engagements.iter().any(|e| e.starts_on == statement.starts_on);
    // A first name alone is a marriage, or HR's correction, of the engagement that is known; under one
    // that begins anew it is anybody's.
    if same_last(stated, known) || ((goes_on || same_start) && agrees(stated, known)) {
        return Fit::Same;
    }
    let over = !goes_on;
    let starts_later = statement
        .starts_on
        .is_some_and(|start| engagements.iter().all(|e| e.ends_on.is_some_and(|end| end < start)));
    if over && starts_later && engagements.iter().all(|e| &e.source == source) {
        Fit::PassedOn
    } else {
        Fit::OtherName
    }
}

/// Whether two names can be one person's: the last name agrees, or a first name does (marriage).
#[must_use]
pub fn agrees(one: &PersonName, other: &PersonName) -> bool {
    same_last(one, other) || first_names(one).iter().any(|name| first_names(other).contains(name))
}

fn same_last(one: &PersonName, other: &PersonName) -> bool {
    fold_name(&one.last) == fold_name(&other.last) && !fold_name(&one.last).is_empty()
}

fn first_names(name: &PersonName) -> Vec<String> {
    std::iter::once(&name.first)
        .chain(&name.preferred)
        .map(|text| fold_name(text))
        .filter(|text| !text.is_empty())
        .collect()
}

/// A name reduced to its letters: case, accents, spaces and punctuation don't count.
#[must_use]
pub fn fold_name(text: &str) -> String {
    deunicode::deunicode(text)
        .chars()
        .filter(char::is_ascii_alphabetic)
        .collect::<String>()
        .to_lowercase()
}

/// Takes a statement into a person. An `Err` is the reason for setting the row aside; nothing changed then.
pub fn absorb(
    person: &mut Person,
    statement: &Statement,
    context: Context<'_>,
) -> Result<Vec<Change>, String> {
    let today = context.received_at.to_zoned(context.zone.clone()).date();
    if statement.status == Status::Active && statement.ends_on.is_some_and(|end| end < today) {
        return Err(
            "the status says active but the end date has passed; ask HR which is right".into()
        );
    }
    let mut changes = Vec::new();
    let before = person.clone();
    if let Err(reason) = take_in(person, statement, context, &mut changes) {
        *person = before;
        return Err(reason);
    }
    Ok(changes)
}

fn take_in(
    person: &mut Person,
    statement: &Statement,
    context: Context<'_>,
    changes: &mut Vec<Change>,
) -> Result<(), String> {
    if context.notices_only {
        return take_notice(person, statement, context, changes);
    }
    let place = engagement_of(person, statement, context.source, changes);
    update(&mut person.engagements[place], statement, changes);
    let about = About::Engagement { ordinal: person.engagements[place].ordinal };
    match ending(statement) {
        Some(last_day) => notice(person, about, last_day, statement.for_cause, context, changes)?,
        None => withdraw(person, about, context.source, changes),
    }
    Ok(())
}

/// A notice about the engagement that another source describes under the same number and record, or
/// about the person whole where none is.
fn take_notice(
    person: &mut Person,
    statement: &Statement,
    context: Context<'_>,
    changes: &mut Vec<Change>,
) -> Result<(), String> {
    let same = |e: &&Engagement| {
        e.record == statement.record
            && match (&e.employee_number, &statement.employee_number) {
                (Some(theirs), Some(stated)) => theirs.folded() == stated.folded(),
                _ => false,
            }
    };
    let about = match person.engagements.iter().rfind(same) {
        Some(engagement) => About::Engagement { ordinal: engagement.ordinal },
        None => About::Person,
    };
    match ending(statement) {
        Some(last_day) => notice(person, about, last_day, statement.for_cause, context, changes),
        None => {
            withdraw(person, about, context.source, changes);
            Ok(())
        }
    }
}

/// `Some` when the statement says that the engagement ends, with the last day where it gives one.
fn ending(statement: &Statement) -> Option<Option<jiff::civil::Date>> {
    match statement.status {
        Status::Departed => Some(statement.ends_on),
        Status::Active => statement.ends_on.map(Some),
        // The end date of someone on leave is the leave's (S1).
        Status::OnLeave | Status::Withdrawn => None,
    }
}

fn engagement_of(
    person: &mut Person,
    statement: &Statement,
    source: &SourceName,
    changes: &mut Vec<Change>,
) -> usize {
    let is_same = |e: &Engagement| {
        let number_fits = match (&e.employee_number, &statement.employee_number) {
            (Some(theirs), Some(stated)) => {
                theirs.folded() == stated.folded()
                    || statement
                        .former_employee_number
                        .as_ref()
                        .is_some_and(|f| f.folded() == theirs.folded())
            }
            // Without numbers on both sides the user ID found the person; the record tells them apart.
            (None, _) | (_, None) => true,
        };
        &e.source == source && e.record == statement.record && number_fits
    };
    let latest = person.engagements.iter().rposition(is_same);
    let change = match latest {
        None => Change::Joined,
        Some(place) if starts_anew(&person.engagements[place], statement) => Change::Rehired,
        // Listed again after its end: where a form took the person on meanwhile, that is the engagement.
        Some(place) if is_over(person, place) && is_listed(statement) => {
            match by_form(person, statement) {
                Some(_) => Change::Rehired,
                None => return place,
            }
        }
        Some(place) => return place,
    };
    // Whom only a form described so far is now described by a feed, if only as departed: one engagement, and
    // not two of which the form's would never end (D12).
    if let Some(place) = by_form(person, statement) {
        let engagement = &mut person.engagements[place];
        engagement.source = source.clone();
        engagement.record = statement.record.clone();
        changes.push(Change::Updated);
        return place;
    }
    changes.push(change);
    let ordinal = person.engagements.iter().map(|e| e.ordinal + 1).max().unwrap_or(0);
    person.engagements.push(Engagement {
        source: source.clone(),
        employee_number: statement.employee_number.clone(),
        former_numbers: Vec::new(),
        user_id: statement.user_id.clone(),
        record: statement.record.clone(),
        ordinal,
        name: None,
        status: statement.status,
        starts_on: statement.starts_on,
        ends_on: None,
        worksite: None,
        kind: None,
        supervisor: None,
    });
    person.engagements.len() - 1
}

fn by_form(person: &Person, statement: &Statement) -> Option<usize> {
    person.engagements.iter().rposition(|e| {
        e.goes_on() && e.source.as_str() == access::person::SOURCE && same_number(e, statement)
    })
}

/// True of an engagement that its own source ended.
fn is_over(person: &Person, place: usize) -> bool {
    let engagement = &person.engagements[place];
    let about = About::Engagement { ordinal: engagement.ordinal };
    person.notices.iter().any(|notice| {
        notice.state == NoticeState::Standing
            && notice.about == about
            && notice.source == engagement.source
    })
}

/// The source says that the engagement goes on.
fn is_listed(statement: &Statement) -> bool {
    statement.status != Status::Departed
}

/// Unless both say a number and the numbers differ.
fn same_number(engagement: &Engagement, statement: &Statement) -> bool {
    match (&engagement.employee_number, &statement.employee_number) {
        (Some(theirs), Some(stated)) => theirs.folded() == stated.folded(),
        (None, _) | (_, None) => true,
    }
}

/// A rehire: the statement's first day lies behind the last day of the engagement that is known.
fn starts_anew(known: &Engagement, statement: &Statement) -> bool {
    match (known.ends_on, statement.starts_on) {
        (Some(end), Some(start)) => start > end,
        _ => false,
    }
}

fn update(engagement: &mut Engagement, statement: &Statement, changes: &mut Vec<Change>) {
    let before = engagement.clone();
    if let (Some(old), Some(new)) = (&engagement.employee_number, &statement.employee_number)
        && old.folded() != new.folded()
    {
        engagement.former_numbers.push(old.clone());
    }
    engagement.employee_number =
        statement.employee_number.clone().or(engagement.employee_number.take());
    engagement.user_id = statement.user_id.clone().or(engagement.user_id.take());
    engagement.name = statement.name.clone().or(engagement.name.take());
    engagement.status = statement.status;
    engagement.starts_on = statement.starts_on.or(engagement.starts_on);
    engagement.ends_on = ending(statement).flatten();
    engagement.worksite = statement.worksite.clone().or(engagement.worksite.take());
    engagement.kind = statement.kind.clone().or(engagement.kind.take());
    engagement.supervisor = statement.supervisor.clone().or(engagement.supervisor.take());
    if *engagement != before && changes.is_empty() {
        changes.push(Change::Updated);
    }
}

/// Adds a notice; the same source's older ones are replaced, and one that says the same is given again
/// (D1), which lifts an operator's rejection of what followed from it.
/// An `Err` is a sentence on a date that no calendar has; nothing changed then.
pub fn notice(
    person: &mut Person,
    about: About,
    last_day: Option<jiff::civil::Date>,
    for_cause: bool,
    context: Context<'_>,
    changes: &mut Vec<Change>,
) -> Result<(), String> {
    let moment = &context.policy.effective;
    let effective_at = effective_at(last_day, for_cause, context.received_at, moment, context.zone)
        .map_err(|error| error.to_string())?;
    let same_again = |n: &Notice| {
        let is_same = n.last_day == last_day && n.for_cause == for_cause;
        n.state == NoticeState::Over && is_same
    };
    let mut theirs = person.notices.iter().rev();
    let latest = theirs.find(|n| &n.source == context.source && n.about == about);
    // A file that still lists a departure after which the person was taken on again says nothing new.
    if context.listed_before && latest.is_some_and(same_again) {
        changes.push(Change::Repeated);
        return Ok(());
    }
    let standing = |n: &&mut Notice| {
        n.state == NoticeState::Standing && &n.source == context.source && n.about == about
    };
    // Whoever came back since departs anew by the same words: the notice of before ends what it ended.
    let day_of = |moment: Timestamp| moment.to_zoned(context.zone.clone()).date();
    let fresh = Notice {
        source: context.source.clone(),
        about,
        last_day,
        effective_at,
        for_cause,
        received_at: context.received_at,
        brought_by: context.brought_by.to_owned(),
        state: NoticeState::Standing,
    };
    let speaks_until = fresh.speaks_until(context.zone);
    let begins: Vec<jiff::civil::Date> = person
        .engagements
        .iter()
        .filter(|e| e.goes_on() && !context.listed_before)
        .filter_map(|e| e.starts_on.filter(|start| *start <= speaks_until))
        .collect();
    let came_back = |known: &Notice| {
        let since = day_of(known.effective_at);
        let is_undated = known.about == About::Person && known.last_day.is_none();
        is_undated && begins.iter().any(|start| *start > since)
    };
    for known in person.notices.iter_mut().filter(standing) {
        let is_same = known.last_day == last_day && known.for_cause == for_cause;
        if is_same && !came_back(known) {
            known.received_at = context.received_at;
            context.brought_by.clone_into(&mut known.brought_by);
            changes.push(Change::Repeated);
            return Ok(());
        }
        known.state = NoticeState::Replaced;
    }
    person.notices.push(fresh);
    changes.push(Change::Noticed);
    Ok(())
}

/// Takes a source's own standing notices back (D10). Those that are over are taken back too: the same said
/// once more is news.
pub fn withdraw(person: &mut Person, about: About, source: &SourceName, changes: &mut Vec<Change>) {
    let theirs = |n: &&mut Notice| &n.source == source && n.about == about;
    for known in person.notices.iter_mut().filter(theirs) {
        let change = match known.state {
            NoticeState::Standing => Change::NoticeWithdrawn,
            NoticeState::Over => Change::Updated,
            NoticeState::Replaced | NoticeState::Withdrawn => continue,
        };
        known.state = NoticeState::Withdrawn;
        changes.push(change);
    }
}
