//! The texts of forms and reminders: minijinja templates, from the YAML, a file, or built in.

use super::settings::AgencyFormSettings;
use crate::settings::SettingsProblem;
use lapsed_core::form_token::FormToken;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown;
use lapsed_core::step::RequestFacts;
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

/// Which text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Form,
    Reminder,
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
        match which {
            Which::Form => words,
            Which::Reminder => words.again(1, "2026-11-20".into()),
        }
    }
}

impl AgencyFormSettings {
    /// The file that a text's template is read from, if it is.
    pub(super) fn file(&self, which: Which) -> Option<&Path> {
        match which {
            Which::Form => self.form_file.as_deref(),
            Which::Reminder => self.reminder_file.as_deref(),
        }
    }

    /// Writes a text; the problem names the key of the template that is at fault.
    pub(super) fn write(&self, which: Which, words: &Words) -> Result<Written, SettingsProblem> {
        let (key, subject_key, subject) = match which {
            Which::Form if self.form_file.is_some() => ("form_file", "subject", &self.subject),
            Which::Form => ("form", "subject", &self.subject),
            Which::Reminder if self.reminder_file.is_some() => {
                ("reminder_file", "reminder_subject", &self.reminder_subject)
            }
            Which::Reminder => ("reminder", "reminder_subject", &self.reminder_subject),
        };
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
