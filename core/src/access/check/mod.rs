//! Whether a form may be taken: everything that is wrong with it at once, each with what to do (A1).
//!
//! What is only missing for now, an approval or a gate, is no problem here: such a form is taken and waits.

mod fields;
mod papers;
mod subject;
mod systems;
mod texts;

pub use fields::REQUIRABLE;
pub use systems::{Barred, barred};

use super::form::{AccessForm, VERSION};
use super::person;
use crate::citation::Rule;
use crate::facts::{Person, PersonKind};
use crate::policy::Policy;
use crate::policy::access::FormRule;
use crate::shown::shown_within;
use crate::standing::Standing;
use jiff::civil::Date;
use std::fmt;

/// One thing that is wrong with a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    /// The field, as the form writes it.
    pub field: String,
    /// The rule that it goes against.
    pub rule: Rule,
    /// What is wrong, as the rest of a sentence that begins with the field.
    pub problem: String,
    /// What to do.
    pub advice: String,
}

impl fmt::Display for FormProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}; {}", self.field, self.problem, self.advice)
    }
}

/// What is known of the person when the form comes in.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The person, where they are known.
    pub person: Option<&'a Person>,
    /// Employed, leaving, gone.
    pub standing: &'a Standing,
    /// The day in the agency's zone.
    pub today: Date,
}

/// Checks a form against the rules and what is known of its person.
///
/// # Errors
/// Every problem, in the order of the form's fields.
pub fn check(form: &AccessForm, policy: &Policy, known: Known<'_>) -> Result<(), Vec<FormProblem>> {
    let mut checked = Checked { form, policy, known, kinds: Vec::new(), problems: Vec::new() };
    checked.texts();
    checked.kinds = person::kinds(form, known.person, policy);
    checked.head();
    if let Some(rule) = policy.access.forms.get(&form.form) {
        checked.asked_for(rule);
        checked.fields(rule);
        checked.papers(rule);
        checked.systems(rule);
    }
    checked.subject();
    checked.days();
    if checked.problems.is_empty() { Ok(()) } else { Err(checked.problems) }
}

/// Checks what can be checked without a look at anybody: the texts, which may be hostile.
///
/// # Errors
/// Every problem.
pub fn check_texts(
    form: &AccessForm,
    policy: &Policy,
    today: Date,
) -> Result<(), Vec<FormProblem>> {
    let known = Known { person: None, standing: &Standing::Unknown, today };
    let mut checked = Checked { form, policy, known, kinds: Vec::new(), problems: Vec::new() };
    checked.texts();
    if checked.problems.is_empty() { Ok(()) } else { Err(checked.problems) }
}

/// A form while it is looked through.
struct Checked<'a> {
    form: &'a AccessForm,
    policy: &'a Policy,
    known: Known<'a>,
    kinds: Vec<PersonKind>,
    problems: Vec<FormProblem>,
}

impl Checked<'_> {
    fn wrong(
        &mut self,
        field: impl Into<String>,
        rule: Rule,
        problem: impl Into<String>,
        advice: impl Into<String>,
    ) {
        let (field, problem, advice) = (field.into(), problem.into(), advice.into());
        self.problems.push(FormProblem { field, rule, problem, advice });
    }

    fn head(&mut self) {
        let form = self.form;
        if form.version != VERSION {
            let problem = format!("is {}, and version {VERSION} is read here", form.version);
            self.wrong("version", Rule::A1, problem, "write it anew as docs/forms.md says");
        }
        if form.id.is_nil() {
            self.wrong("id", Rule::A1, "is the nil UUID", "give each form a UUID of its own");
        }
        if !self.policy.access.forms.contains_key(&form.form) {
            let names: Vec<&str> =
                self.policy.access.forms.keys().map(crate::facts::FormName::as_str).collect();
            let advice = match names.as_slice() {
                [] => {
                    "no form is set up: an administrator names them under access.forms".to_owned()
                }
                names => format!("one of these is meant: {}", names.join(", ")),
            };
            self.wrong(
                "form",
                Rule::A1,
                format!("{} is not known here", quoted(form.form.as_str())),
                advice,
            );
        }
    }

    fn asked_for(&mut self, rule: &FormRule) {
        let asks = self.form.asks;
        if !rule.asks.contains(&asks) {
            let may: Vec<&str> = rule.asks.iter().map(|asks| asks.name()).collect();
            let problem =
                format!("is {}, which the form {} is not for", asks.name(), self.form.form);
            let advice =
                format!("it may ask for: {}; use the form that is meant for it", may.join(", "));
            self.wrong("asks", Rule::A1, problem, advice);
        }
        let fits = rule.kinds.is_empty()
            || self.kinds.iter().any(|kind| super::gate::same_kind(&rule.kinds, kind));
        if !fits {
            let kinds: Vec<&str> = rule.kinds.iter().map(PersonKind::as_str).collect();
            let theirs = self.kinds.first().map_or("of no known kind", PersonKind::as_str);
            let problem = format!(
                "is {theirs}, and the form {} is only for: {}",
                self.form.form,
                kinds.join(", ")
            );
            self.wrong("person.kind", Rule::A5, problem, "use the form for their kind");
        }
    }
}

/// A word of the form in quotes, safe to show.
fn quoted(text: &str) -> String {
    format!("\"{}\"", shown_within(text, 60))
}

#[cfg(test)]
mod tests;
