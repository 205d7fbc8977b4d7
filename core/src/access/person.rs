//! Whom a form is about, and what it says of somebody whom no feed describes (A1, N7).

use super::check::FormProblem;
use super::form::{AccessForm, Asks};
use crate::citation::Rule;
use crate::facts::{
    About, EmployeeNumber, Engagement, LocationId, Notice, NoticeState, Person, PersonKind,
    SourceName, Status,
};
use crate::policy::Policy;
use jiff::Timestamp;
use jiff::civil::Date;

/// The source of engagements that only forms describe. No feed may have this name.
pub const SOURCE: &str = "form";

/// The name of the source as feeds' names are written; `None` never comes, since the name is a valid one.
#[must_use]
pub fn source() -> Option<SourceName> {
    SourceName::new(SOURCE).ok()
}

/// Whom a form is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// The person at this place of the candidates.
    Known(usize),
    /// Somebody of whom nothing is known yet: a form `new`.
    New,
}

/// Finds whom a form is about among those who carry one of its keys: exactly one person, or the reason why
/// not. Never by a name alone (D1).
///
/// # Errors
/// It is about nobody, or its keys belong to different people.
pub fn whom(form: &AccessForm, candidates: &[Person]) -> Result<Whom, FormProblem> {
    let problem = |field: &str, problem: String, advice: &str| FormProblem {
        field: format!("person.{field}"),
        rule: Rule::D1,
        problem,
        advice: advice.into(),
    };
    let subject = &form.person;
    let places = |fits: &dyn Fn(&Person) -> bool| -> Vec<usize> {
        (0..candidates.len()).filter(|&place| fits(&candidates[place])).collect()
    };
    let by_id = subject.user_id.as_ref().map(|id| {
        places(&|person| person.user_ids().iter().any(|known| known.folded() == id.folded()))
    });
    let by_number = subject.employee_number.as_ref().map(|number| {
        places(&|person| {
            person.employee_numbers().iter().any(|known| known.folded() == number.folded())
        })
    });
    let ask_hr = "ask whose it is, and file the form with the right one";
    match (by_id.as_deref(), by_number.as_deref()) {
        (None, None) if form.asks == Asks::New => Ok(Whom::New),
        (None, None) => Err(problem(
            "user_id",
            "and `person.employee_number` are missing, and nobody is found by a name alone".into(),
            "give one of them",
        )),
        (Some([_, _, ..]), _) => Err(problem(
            "user_id",
            "belongs to more than one person".into(),
            "have an operator settle it",
        )),
        (_, Some([_, _, ..])) => Err(problem(
            "employee_number",
            "belongs to more than one person".into(),
            "name the user ID instead",
        )),
        (Some([one]), Some([other])) if one != other => Err(problem(
            "employee_number",
            "and `person.user_id` belong to two different people".into(),
            ask_hr,
        )),
        (Some([one]), Some([_]) | None) => Ok(Whom::Known(*one)),
        (Some([one]), Some([])) if candidates[*one].employee_numbers().is_empty() => {
            Ok(Whom::Known(*one))
        }
        (Some([_]), Some([])) => Err(problem(
            "employee_number",
            "is not that of the person who has the user ID".into(),
            ask_hr,
        )),
        (None, Some([one])) => Ok(Whom::Known(*one)),
        (Some([]), Some([one])) if candidates[*one].user_ids().is_empty() => Ok(Whom::Known(*one)),
        (Some([]), Some([_])) => Err(problem(
            "user_id",
            "is not one of the person who has the employee number".into(),
            ask_hr,
        )),
        (Some([]), _) => Err(problem(
            "user_id",
            "is nobody's that is known here".into(),
            if form.asks == Asks::New {
                "leave it out for somebody who has none yet: it is given by the naming standard"
            } else {
                ask_hr
            },
        )),
        (None, Some([])) if form.asks == Asks::New => Ok(Whom::New),
        (None, Some([])) => {
            Err(problem("employee_number", "is nobody's that is known here".into(), ask_hr))
        }
    }
}

/// Every kind that the person is by this form or by an engagement that goes on; the default kind where
/// nobody says one. A rule against one of them counts (A12).
#[must_use]
pub fn kinds(form: &AccessForm, person: Option<&Person>, policy: &Policy) -> Vec<PersonKind> {
    let engagements = person.into_iter().flat_map(|person| &person.engagements);
    let known = engagements.filter(|e| e.goes_on()).filter_map(|e| e.kind.clone());
    let mut kinds: Vec<PersonKind> = form.person.kind.iter().cloned().chain(known).collect();
    kinds.sort_by_key(PersonKind::folded);
    kinds.dedup_by_key(|kind| kind.folded());
    if kinds.is_empty() {
        kinds.extend(policy.naming.default_kind.clone());
    }
    kinds
}

/// Where the person works: by the newest engagement that goes on and says so; of somebody who left, by the
/// newest that does.
#[must_use]
pub fn worksite(person: &Person) -> Option<&LocationId> {
    let all = || person.engagements.iter().rev();
    let of = |e: &'_ Engagement| e.worksite.is_some();
    let newest = all().find(|e| e.goes_on() && of(e)).or_else(|| all().find(|e| of(e)));
    newest.and_then(|e| e.worksite.as_ref())
}

/// Where the person is known to work, where a form that gives something puts them elsewhere (N7): what it
/// gives there would be decided on here, or the other way round. What only a form said, a form `new` may
/// say anew; and a move may be known already.
#[must_use]
pub fn elsewhere<'a>(form: &AccessForm, person: &'a Person) -> Option<&'a LocationId> {
    let said = form.person.location.as_ref().filter(|_| form.asks.gives())?;
    let is_new = form.asks == Asks::New;
    let goes_to = form.new_location.as_ref().filter(|_| form.asks == Asks::LocationChange);
    let known = person.engagements.iter().rev();
    let known = known.filter(|e| e.goes_on() && !(is_new && e.source.as_str() == SOURCE));
    let mut known = known.filter_map(|e| e.worksite.as_ref()).peekable();
    let first = known.peek().copied();
    let agrees = |at: &LocationId| {
        let same = |other: &LocationId| other.folded() == at.folded();
        same(said) || goes_to.is_some_and(same)
    };
    first.filter(|_| !known.any(agrees))
}

/// Takes on somebody whom no feed describes, or describes anew somebody who was taken on so: an
/// engagement of the source [`SOURCE`]. Its last day is that of the access, not of the engagement: it is
/// no notice of a departure. True if anything changed.
pub fn take_on(
    person: &mut Person,
    form: &AccessForm,
    supervisor: Option<EmployeeNumber>,
    today: Date,
) -> bool {
    let Some(source) = source() else { return false };
    if person.engagements.iter().any(|e| e.source != source && e.goes_on()) {
        return false;
    }
    let subject = &form.person;
    let before = person.clone();
    let ordinal = person.engagements.iter().map(|e| e.ordinal + 1).max().unwrap_or(0);
    let starts_on = form.starts_on.unwrap_or(today).max(today);
    let ended = has_ended(person, today);
    let place = person.engagements.iter().rposition(|e| e.source == source && !ended);
    let place = place.unwrap_or_else(|| {
        person.engagements.push(Engagement {
            source,
            employee_number: None,
            former_numbers: Vec::new(),
            user_id: None,
            record: String::new(),
            ordinal,
            name: None,
            status: Status::Active,
            // Only a rehire needs its first day: a notice about the whole person ends what began before it.
            starts_on: ended.then_some(starts_on).or(form.starts_on),
            ends_on: None,
            worksite: None,
            kind: None,
            supervisor: None,
        });
        person.engagements.len() - 1
    });
    let engagement = &mut person.engagements[place];
    let number = subject.employee_number.clone();
    engagement.employee_number = number.or(engagement.employee_number.take());
    engagement.user_id = subject.user_id.clone().or(engagement.user_id.take());
    engagement.name = subject.name.clone().map(Into::into).or(engagement.name.take());
    engagement.worksite = subject.location.clone().or(engagement.worksite.take());
    engagement.kind = subject.kind.clone().or(engagement.kind.take());
    engagement.supervisor = supervisor.or(engagement.supervisor.take());
    *person != before
}

/// Has somebody back whom their feed lists as employed and whose departure others' notices brought about:
/// an approved form `new` takes the person on again (D10), and from then on the feed's word counts as before.
/// The notices that took effect before the form was filed are over: it answers them, and none that came after
/// it. True if anything changed.
pub fn take_back(person: &mut Person, filed_at: Timestamp) -> bool {
    let listed: Vec<(u32, SourceName)> = person
        .engagements
        .iter()
        .filter(|e| e.goes_on() && e.source.as_str() != SOURCE)
        .map(|e| (e.ordinal, e.source.clone()))
        .collect();
    let mut changed = false;
    for notice in &mut person.notices {
        let by_others = match notice.about {
            About::Person => !listed.is_empty(),
            About::Engagement { ordinal } => {
                listed.iter().any(|(of, source)| *of == ordinal && *source != notice.source)
            }
        };
        let answered = !notice.is_later_than(filed_at);
        if by_others && answered && notice.state == NoticeState::Standing {
            notice.state = NoticeState::Over;
            changed = true;
        }
    }
    changed
}

/// The first standing notice that came after a form `new` was filed, or took effect after it: what the form
/// answers is older. What is still to come does not count.
#[must_use]
pub fn noticed_since(person: &Person, filed_at: Timestamp, now: Timestamp) -> Option<&Notice> {
    let news = |n: &&Notice| {
        n.state == NoticeState::Standing && n.effective_at <= now && n.is_later_than(filed_at)
    };
    person.notices.iter().filter(news).min_by_key(|notice| notice.received_at)
}

/// True where every engagement has a standing notice that is past: a form takes the person on anew.
fn has_ended(person: &Person, today: Date) -> bool {
    !person.engagements.is_empty()
        && person.engagements.iter().all(|engagement| {
            person.notices.iter().any(|notice| {
                let about_it = match notice.about {
                    About::Engagement { ordinal } => ordinal == engagement.ordinal,
                    About::Person => notice
                        .last_day
                        .is_none_or(|day| engagement.starts_on.is_none_or(|start| start <= day)),
                };
                notice.state == NoticeState::Standing
                    && about_it
                    && notice.last_day.is_none_or(|day| day <= today)
            })
        })
}

/// Takes a changed name or location into engagements that only forms describe; a feed's own word stays.
/// True if anything changed.
pub fn move_on(person: &mut Person, form: &AccessForm) -> bool {
    let before = person.clone();
    let by_form =
        person.engagements.iter_mut().filter(|e| e.source.as_str() == SOURCE && e.goes_on());
    for engagement in by_form {
        if let (Asks::NameChange, Some(name)) = (form.asks, &form.new_name) {
            engagement.name = Some(name.clone().into());
        }
        if let (Asks::LocationChange, Some(location)) = (form.asks, &form.new_location) {
            engagement.worksite = Some(location.clone());
        }
    }
    *person != before
}

#[cfg(test)]
mod tests;
