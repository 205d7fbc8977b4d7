//! The texts of the departure rules that are minijinja templates: stamp and linked accounts (D2).

use super::DeparturePolicy;
use crate::facts::{CaseId, Invalid, UserId};
use crate::policy::RuleFault;
use jiff::civil::Date;
use minijinja::{Value, context};

/// Instructions that one template may take: thousands of times what a stamp needs.
const FUEL: u64 = 20_000;
/// Longest text in characters; Active Directory's `description` has room for 1024.
const LONGEST: usize = 1024;

/// Why a template gives no text. `key` is its key under `policy` in the YAML.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// Not a template, an unknown name in it, or a loop without end.
    #[error("the template {key} can't be carried out; correct it in the YAML")]
    Render {
        /// Key of the template.
        key: String,
        /// What the template engine says.
        source: minijinja::Error,
    },
    /// More text than a directory takes.
    #[error("the template {key} gives more than {LONGEST} characters; shorten it")]
    TooLong {
        /// Key of the template.
        key: String,
    },
    /// The text is no log-on name.
    #[error("the template {key} gives no valid user ID; correct it in the YAML")]
    NoUserId {
        /// Key of the template.
        key: String,
        /// What is wrong with the text.
        source: Invalid,
    },
}

/// What is written into the description of a disabled account: one line. Empty: nothing.
///
/// # Errors
/// When the template can't be carried out, or gives too much.
pub fn stamp_text(
    template: &str,
    date: Date,
    case: CaseId,
    user_id: &UserId,
) -> Result<String, TemplateError> {
    let (date, case, user_id) = (date.to_string(), case.to_string(), user_id.as_str());
    render("departure.stamp", template, context! { date, case, user_id })
}

/// The log-on names of the further accounts of the person with this one, each once. A template that
/// gives nothing, or the ID itself, names none.
///
/// # Errors
/// When a template can't be carried out, or gives what is no log-on name.
pub fn linked_user_ids(
    templates: &[String],
    user_id: &UserId,
) -> Result<Vec<UserId>, TemplateError> {
    let mut linked: Vec<UserId> = Vec::new();
    for (at, template) in templates.iter().enumerate() {
        let key = format!("departure.linked_accounts[{at}]");
        let name = render(&key, template, context! { user_id => user_id.as_str() })?;
        if name.is_empty() {
            continue;
        }
        let id = UserId::new(name).map_err(|source| TemplateError::NoUserId { key, source })?;
        let known = |other: &UserId| other.folded() == id.folded();
        if !known(user_id) && !linked.iter().any(known) {
            linked.push(id);
        }
    }
    Ok(linked)
}

/// The name of a person's account in another system, by a template over the log-on name. `key` is the
/// template's key, for messages.
///
/// # Errors
/// When the template can't be carried out, or gives too much.
pub fn account_name(key: &str, template: &str, user_id: &UserId) -> Result<String, TemplateError> {
    render(key, template, context! { user_id => user_id.as_str() })
}

/// One line of text from a template of the YAML, bounded in work and length. `key` is for messages.
///
/// # Errors
/// When the template can't be carried out, or gives too much.
pub(crate) fn render(key: &str, template: &str, values: Value) -> Result<String, TemplateError> {
    let engine = crate::template::strict(FUEL);
    let text = engine
        .render_str(template, values)
        .map_err(|source| TemplateError::Render { key: key.to_owned(), source })?;
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.trim();
    if line.chars().count() > LONGEST {
        return Err(TemplateError::TooLong { key: key.to_owned() });
    }
    Ok(line.to_owned())
}

impl DeparturePolicy {
    /// What is wrong with the rules themselves, all of it: each template is tried on an example.
    #[must_use]
    pub fn faults(&self) -> Vec<RuleFault> {
        let Ok(example) = UserId::new("mzsmitj") else { return Vec::new() };
        let case = CaseId(uuid::Uuid::nil());
        let stamp = stamp_text(&self.stamp, Date::constant(2026, 11, 2), case, &example).map(drop);
        let linked = self.linked_accounts.iter().enumerate().map(|(at, template)| {
            let single = linked_user_ids(std::slice::from_ref(template), &example).map(drop);
            (format!("departure.linked_accounts[{at}]"), single)
        });
        std::iter::once(("departure.stamp".to_owned(), stamp))
            .chain(linked)
            .filter_map(|(key, tried)| Some(RuleFault { key, problem: problem(&tried.err()?) }))
            .collect()
    }
}

fn problem(error: &TemplateError) -> String {
    match error {
        TemplateError::Render { source, .. } => {
            format!("is no template that can be carried out: {source}")
        }
        TemplateError::TooLong { .. } => format!("gives more than {LONGEST} characters"),
        TemplateError::NoUserId { source, .. } => format!("gives no valid user ID: {source}"),
    }
}
