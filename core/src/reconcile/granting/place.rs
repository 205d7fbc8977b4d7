//! Where a person works and what they are called by now, as forms and HR say.

use crate::access::entitlement::Entitlement;
use crate::access::form::{Asks, FiledForm, FormState};
use crate::access::person::worksite;
use crate::facts::{LocationId, Person, PersonKind, PersonName};

/// What names, groups and log-on names are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// The name.
    pub name: Option<PersonName>,
    /// The location that employs the person.
    pub location: Option<LocationId>,
    /// What kind of person.
    pub kind: Option<PersonKind>,
    /// What the person does.
    pub position: Option<String>,
}

/// The same as of one form: everything up to and with it counts. Without a number: all that was approved.
#[must_use]
pub fn whereabouts(
    person: &Person,
    forms: &[FiledForm],
    entitlements: &[Entitlement],
    up_to: Option<u64>,
) -> Whereabouts {
    let mut found = Whereabouts {
        name: person.name().cloned(),
        location: worksite(person).cloned(),
        kind: person.engagements.iter().rev().find_map(|e| e.kind.clone()),
        position: None,
    };
    let mut forms: Vec<&FiledForm> = forms
        .iter()
        .filter(|form| {
            let in_time = up_to.is_none_or(|number| form.number < number);
            Some(form.number) == up_to || (in_time && is_vouched_for(form, entitlements))
        })
        .collect();
    forms.sort_by_key(|form| form.number);
    // What a form `new` says of the person; a change of name or place after it counts for more.
    for filed in forms {
        let form = &filed.form;
        if form.asks == Asks::New {
            let said = &form.person;
            found.name = said.name.clone().map(PersonName::from).or(found.name);
            found.location = said.location.clone().or(found.location);
            found.kind = said.kind.clone().or(found.kind);
        }
        match form.asks {
            Asks::NameChange => {
                found.name = form.new_name.clone().map(PersonName::from).or(found.name);
            }
            Asks::LocationChange => {
                found.location = form.new_location.clone().or(found.location);
            }
            _ => {}
        }
        found.position = form.position.clone().or(found.position);
    }
    found
}

/// Whether somebody's yes stands behind what a form says: it is approved, or one of its systems is while the
/// others wait. What nobody decided on, or what ended, says nothing about a person.
pub(super) fn is_vouched_for(form: &FiledForm, entitlements: &[Entitlement]) -> bool {
    match form.state {
        FormState::Approved | FormState::InPlace => true,
        FormState::Waiting => {
            entitlements.iter().any(|held| held.form == form.number && held.state.counts())
        }
        FormState::Denied | FormState::Ended => false,
    }
}
