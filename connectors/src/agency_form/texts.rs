//! The texts of forms and reminders: minijinja templates, from the YAML, a file, or built in.

use super::settings::AgencyFormSettings;
use crate::settings::SettingsProblem;
use lapsed_core::facts::UserId;
use lapsed_core::form_token::FormToken;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use lapsed_core::step::{RequestFacts, RequestedChange};
use minijinja::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

/// Instructions that one template may take: hundreds of times what a form needs.
const FUEL: u64 = 50_000;
/// Longest form in bytes.
const LONGEST: usize = 64 * 1024;

const BUILT_IN_FORM: &str = include_str!("templates/form.txt");
const BUILT_IN_REMINDER: &str = include_str!("templates/reminder.txt");
const BUILT_IN_GRANT: &str = include_str!("templates/grant.txt");
const BUILT_IN_RENAME: &str = include_str!("templates/rename.txt");
const BUILT_IN_CHANGE_REMINDER: &str = include_str!("templates/change_reminder.txt");

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Form,
    Reminder,
    /// Asks to give access (A11).
    Grant,
    /// Asks to rename (A11).
    Rename,
    /// Reminds of one of these two.
    ChangeReminder,
}

impl Which {
    pub(super) const ALL: [Self; 5] =
        [Self::Form, Self::Reminder, Self::Grant, Self::Rename, Self::ChangeReminder];

    /// The text that asks for a change; the form to revoke where there is none.
    pub(super) fn asking(change: Option<&RequestedChange>) -> Self {
        match change {
            None => Self::Form,
            Some(RequestedChange::Grant { .. }) => Self::Grant,
            Some(RequestedChange::Rename { .. }) => Self::Rename,
        }
    }

    /// The text that reminds of it.
    pub(super) fn reminding(change: Option<&RequestedChange>) -> Self {
        if change.is_some() { Self::ChangeReminder } else { Self::Reminder }
    }
}

/// What may stand in a text, by its name. All of it is made safe first: names come from HR and may hold
/// anything.
#[derive(Debug, Clone)]
pub(super) struct Words {
    token: String,
    named: BTreeMap<&'static str, String>,
}

/// A text, ready to be mailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) subject: String,
    pub(super) text: String,
}

impl Words {
    pub(super) fn of(
        request: &str,
        facts: &RequestFacts,
        agency: &str,
        token: &FormToken,
        reply_to: String,
    ) -> Self {
        let safe = |text: &str| mask(&shown(text));
        let token = token.to_string();
        let named = BTreeMap::from([
            ("request", safe(request)),
            ("name", safe(&facts.name)),
            ("user_id", safe(&facts.user_id)),
            ("last_day", facts.last_day.map(|day| day.to_string()).unwrap_or_default()),
            ("location", safe(facts.location.as_deref().unwrap_or_default())),
            ("agency", agency.to_owned()),
            ("token", token.clone()),
            ("reply_to", reply_to),
        ]);
        Self { token, named }
    }

    /// The same for what is asked beside ending access.
    pub(super) fn about(mut self, change: Option<&RequestedChange>) -> Self {
        let Some(change) = change else { return self };
        let from = match change {
            RequestedChange::Grant { .. } => String::new(),
            RequestedChange::Rename { from, .. } => mask(&shown(from.as_str())),
        };
        let form = change.form().to_string();
        self.named.extend([("change", change.verb().to_owned()), ("form", form), ("from", from)]);
        self
    }

    /// The same for a reminder.
    pub(super) fn again(mut self, nth: u32, asked_on: String) -> Self {
        self.named.extend([("nth", nth.to_string()), ("asked_on", asked_on)]);
        self
    }

    /// Somebody who is nobody, to try templates on.
    pub(super) fn example(which: Which) -> Self {
        let facts = RequestFacts {
            name: "Jane Doe".into(),
            user_id: "mzdoej".into(),
            last_day: None,
            location: Some("Central Office".into()),
            to: Vec::new(),
        };
        let token = FormToken::of_bits(1);
        let words = Self::of("CIMOR", &facts, "DHSS", &token, "accounts@example.org".into());
        let give = RequestedChange::Grant { form: 7 };
        let rename =
            UserId::new("mzroej").ok().map(|from| RequestedChange::Rename { form: 7, from });
        match which {
            Which::Form => words,
            Which::Reminder => words.again(1, "2026-11-20".into()),
            Which::Grant => words.about(Some(&give)),
            Which::Rename => words.about(rename.as_ref()),
            Which::ChangeReminder => words.about(rename.as_ref()).again(1, "2026-11-20".into()),
        }
    }
}

impl AgencyFormSettings {
    /// The file that a text's template is read from, if it is.
    pub(super) fn file(&self, which: Which) -> Option<&Path> {
        match which {
            Which::Form => self.form_file.as_deref(),
            Which::Reminder => self.reminder_file.as_deref(),
            Which::Grant => self.grant_file.as_deref(),
            Which::Rename => self.rename_file.as_deref(),
            Which::ChangeReminder => None,
        }
    }

    /// Writes a text; the problem names the key of the template that is at fault.
    pub(super) fn write(&self, which: Which, words: &Words) -> Result<Written, SettingsProblem> {
        let (own, from_file, subject_key, subject) = match which {
            Which::Form => ("form", "form_file", "subject", &self.subject),
            Which::Reminder => {
                ("reminder", "reminder_file", "reminder_subject", &self.reminder_subject)
            }
            Which::Grant => ("grant", "grant_file", "grant_subject", &self.grant_subject),
            Which::Rename => ("rename", "rename_file", "rename_subject", &self.rename_subject),
            Which::ChangeReminder => {
                let subject = &self.change_reminder_subject;
                ("change_reminder", "change_reminder", "change_reminder_subject", subject)
            }
        };
        let key = if self.file(which).is_some() { from_file } else { own };
        let wrong = |key, problem: String| SettingsProblem::new(key, problem);
        let template = self.template(which).map_err(|problem| wrong(key, problem))?;
        let text = render(&template, words).map_err(|problem| wrong(key, problem))?;
        if !text.contains(&words.token) {
            let problem = "shows no token, by which its answer is told from others; put `[lapsed {{ token }}]` in";
            return Err(wrong(key, problem.into()));
        }
        let subject = render(subject, words).map_err(|problem| wrong(subject_key, problem))?;
        let subject = format!("{} [lapsed {}]", subject.trim(), words.token);
        Ok(Written { subject, text })
    }

    fn template(&self, which: Which) -> Result<Cow<'_, str>, String> {
        if let Some(path) = self.file(which) {
            return std::fs::read_to_string(path).map(Cow::Owned).map_err(|error| {
                let path = path.display();
                format!("{path} can't be read ({error}); let the daemon's user read it")
            });
        }
        let (own, built_in) = match which {
            Which::Form => (&self.form, BUILT_IN_FORM),
            Which::Reminder => (&self.reminder, BUILT_IN_REMINDER),
            Which::Grant => (&self.grant, BUILT_IN_GRANT),
            Which::Rename => (&self.rename, BUILT_IN_RENAME),
            Which::ChangeReminder => (&self.change_reminder, BUILT_IN_CHANGE_REMINDER),
        };
        Ok(Cow::Borrowed(own.as_deref().unwrap_or(built_in)))
    }
}

fn render(template: &str, words: &Words) -> Result<String, String> {
    let engine = lapsed_core::template::strict(FUEL);
    let text = engine
        .render_str(template, Value::from_pairs(words.named.clone()))
        .map_err(|error| format!("is no template that can be carried out: {error}"))?;
    if text.len() > LONGEST {
        return Err("gives a text that is too long to be a form; shorten it".into());
    }
    Ok(text)
}
