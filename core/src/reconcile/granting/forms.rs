//! When a form is carried out whole, and what a move to another location ends (D11).

use super::moving::around;
use super::{Work, groups};
use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::form::{Asks, FiledForm, FormState};
use crate::facts::Person;
use crate::policy::Policy;
use crate::policy::access::SystemRule;
use jiff::civil::Date;
use jiff::{Span, Timestamp};

impl Work<'_> {
    pub(super) fn finish_forms(&mut self) {
        let approved = self.input.forms.iter().filter(|form| form.state == FormState::Approved);
        let mut whole = Vec::new();
        for form in approved {
            let is_whole = match form.form.asks {
                Asks::New | Asks::Change => self.is_given(form),
                Asks::NameChange => self.renamed.contains(&form.number),
                Asks::LocationChange => self.renamed.contains(&form.number) && self.is_given(form),
                _ => false,
            };
            if is_whole {
                whole.push(form.number);
            }
        }
        self.out.forms_in_place.extend(whole);
    }

    /// Everything that the form gave is there, and what it took is gone. Of a form that asks for something
    /// and gave nothing, nothing is in place.
    fn is_given(&mut self, form: &FiledForm) -> bool {
        let asks_for_some =
            form.form.asks == Asks::New || form.form.systems.iter().any(|wish| !wish.remove);
        let is_move = form.form.asks == Asks::LocationChange;
        let gave_some = self.input.entitlements.iter().any(|held| held.form == form.number);
        if asks_for_some && !is_move && !gave_some {
            self.out.stuck = true;
            self.out.doubtful.insert(format!(
                "form {} is approved and gives nothing: name its systems in a form of its own, or mend \
                 access.included",
                form.number
            ));
            return false;
        }
        self.input.entitlements.iter().all(|held| {
            let is_there = match held.state {
                EntitlementState::Approved => self.out.in_place.contains(&held.id),
                EntitlementState::InPlace | EntitlementState::Ended => true,
                EntitlementState::Ending => self.out.ended.contains(&held.id),
            };
            let concerns = held.form == form.number
                || (held.ended_by == Some(form.number) && held.state == EntitlementState::Ending);
            !concerns || is_there
        })
    }
}

/// What an approved move to another location ends of what the person holds, after the days of grace. Asked
/// again it ends nothing more. What comes with the new location is given by the form, each system by its
/// own chain and gates (A3, A4).
///
/// The account itself stays, and so does what the form asks to be kept. Of the rest, what comes with the
/// new location as well ends only where it gives other groups there.
///
/// # Errors
/// A template or date that does not work, as a sentence for people.
pub fn ended_by_move(
    policy: &Policy,
    person: &Person,
    forms: &[FiledForm],
    entitlements: &[Entitlement],
    form: &FiledForm,
    (today, now): (Date, Timestamp),
) -> Result<Vec<Entitlement>, String> {
    if form.form.asks != Asks::LocationChange || form.state != FormState::Approved {
        return Ok(Vec::new());
    }
    let (before, after) = around(person, forms, entitlements, form);
    let kind = after.kind.as_ref();
    let groups_at = |rule: (&str, &SystemRule), held: &Entitlement, location| {
        policy.groups_given(rule, held.role.as_ref(), location, kind)
    };
    let mut changed = Vec::new();
    for held in entitlements.iter().filter(|e| e.state.counts() && e.form < form.number) {
        let Some(rule) = policy.access.systems.get(&held.system) else { continue };
        let rule = (held.system.as_str(), rule);
        let is_account = rule.1.request.is_none()
            && groups_at(rule, held, before.location.as_ref())?.is_empty()
            && rule.1.roles.is_empty()
            && rule.1.groups.is_empty();
        let is_asked_for =
            form.form.systems.iter().any(|wish| wish.system == held.system && !wish.remove);
        let is_included =
            included(policy, &after).iter().any(|(s, r)| *s == held.system && *r == held.role);
        let here = groups::groups_of(policy, person, forms, entitlements, held)?;
        let there = groups_at(rule, held, after.location.as_ref())?;
        let same = here == there;
        if form.form.keeps_duties || is_account || is_asked_for || (is_included && same) {
            continue;
        }
        if held.ended_by.is_none() {
            changed.push(ending(held, form, policy.access.moves.grace_days, (today, now))?);
        }
    }
    Ok(changed)
}

type Included = (crate::facts::SystemName, Option<crate::facts::SystemRole>);

/// The systems that come with the place, but those that the person's kind never gets (A12, A5).
fn included(policy: &Policy, place: &super::Whereabouts) -> Vec<Included> {
    let (kind, location) = (place.kind.as_ref(), place.location.as_ref());
    let rules = &policy.access;
    let theirs = rules
        .included
        .iter()
        .filter(|one| one.who.includes(kind, location, place.position.as_deref()));
    let mut all: Vec<Included> = Vec::new();
    for (system, role) in theirs.flat_map(|one| &one.systems) {
        let may_have = rules.systems.get(system).is_some_and(|rule| {
            kind.is_none_or(|kind| {
                !rule.never.contains(kind) && !rule.only_by_exception.contains(kind)
            })
        });
        let one = (system.clone(), role.clone());
        if may_have && !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

fn ending(
    held: &Entitlement,
    form: &FiledForm,
    grace_days: u16,
    (today, now): (Date, Timestamp),
) -> Result<Entitlement, String> {
    let because = format!("moved to another location (form {})", form.number);
    let mut ending = held.clone();
    ending.ended_by = Some(form.number);
    if grace_days == 0 {
        ending.state = EntitlementState::Ending;
        ending.ended_at = Some(now);
    } else {
        let last = today
            .checked_add(Span::new().days(i64::from(grace_days)))
            .map_err(|_| format!("{grace_days} days after {today} is beyond the calendar"))?;
        ending.ends_on = Some(ending.ends_on.map_or(last, |day| day.min(last)));
    }
    ending.ended_because = Some(because);
    Ok(ending)
}
