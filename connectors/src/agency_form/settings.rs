//! What the YAML says of an agency's form, and what of it can't be.

use super::texts::{Which, Words};
use crate::mail::MailAddress;
use crate::secret::SecretSource;
use crate::settings::SettingsProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgencyFormKind {
    /// A form that is mailed to those who end access by their own hand.
    AgencyForm,
}

/// Forms that are mailed to other agencies or to security officers, who confirm them (D5, D14).
///
/// It asks to end access, and where a system names it under `request`, to give or to rename it (A11).
///
/// Templates are minijinja with `request`, `name`, `user_id`, `last_day`, `location`, `agency`, `token`,
/// `reply_to`; in reminders `nth` and `asked_on`, too. Those about a change also know `change` (`give` or
/// `rename`), `form` (our form's number) and `from` (the user ID before a rename).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgencyFormSettings {
    /// `agency_form`.
    pub kind: AgencyFormKind,
    /// The agency's name, for the form.
    #[serde(default)]
    pub agency: String,
    /// Mail addresses of those who are asked, where the request itself names none.
    #[serde(default)]
    pub to: Vec<String>,
    /// A file with a secret of 32 characters or more in its first line, from which each form's token is
    /// made. It must stay the same as long as forms are open.
    #[serde(default)]
    pub token_key_file: Option<PathBuf>,
    /// The name of a systemd credential that holds that secret.
    #[serde(default)]
    pub token_key_credential: Option<String>,
    /// The form as a template. Without it and `form_file`: the built-in one.
    #[serde(default)]
    pub form: Option<String>,
    /// A file with that template; read anew for every form.
    #[serde(default)]
    pub form_file: Option<PathBuf>,
    /// The subject as a template; the token is put behind it always.
    #[serde(default = "default_subject")]
    pub subject: String,
    /// The reminder as a template. Without it and `reminder_file`: the built-in one.
    #[serde(default)]
    pub reminder: Option<String>,
    /// A file with that template; read anew for every reminder.
    #[serde(default)]
    pub reminder_file: Option<PathBuf>,
    /// The reminder's subject as a template; the token is put behind it always.
    #[serde(default = "default_reminder_subject")]
    pub reminder_subject: String,
    /// The form that asks to give access, as a template. Without it and `grant_file`: the built-in one.
    #[serde(default)]
    pub grant: Option<String>,
    /// A file with that template; read anew for every form.
    #[serde(default)]
    pub grant_file: Option<PathBuf>,
    /// Its subject as a template; the token is put behind it always.
    #[serde(default = "default_grant_subject")]
    pub grant_subject: String,
    /// The form that asks to rename, as a template. Without it and `rename_file`: the built-in one.
    #[serde(default)]
    pub rename: Option<String>,
    /// A file with that template; read anew for every form.
    #[serde(default)]
    pub rename_file: Option<PathBuf>,
    /// Its subject as a template; the token is put behind it always.
    #[serde(default = "default_rename_subject")]
    pub rename_subject: String,
    /// The reminder of these two as a template. Without it: the built-in one.
    #[serde(default)]
    pub change_reminder: Option<String>,
    /// Its subject as a template; the token is put behind it always.
    #[serde(default = "default_change_reminder_subject")]
    pub change_reminder_subject: String,
}

fn default_subject() -> String {
    "REVOKE access to {{ request }}: {{ user_id }}".into()
}
fn default_reminder_subject() -> String {
    "Reminder {{ nth }}: REVOKE access to {{ request }}: {{ user_id }}".into()
}
fn default_grant_subject() -> String {
    "GIVE access to {{ request }}: {{ user_id }}".into()
}
fn default_rename_subject() -> String {
    "CHANGE OF NAME in {{ request }}: {{ user_id }}, formerly {{ from }}".into()
}
fn default_change_reminder_subject() -> String {
    "Reminder {{ nth }}: {{ change }} access to {{ request }}: {{ user_id }}".into()
}

impl AgencyFormSettings {
    /// Every problem at once; empty when the settings can be used. Files are not read here.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, problem: String| {
            found.push(SettingsProblem::new(key, problem));
        };
        for address in &self.to {
            if let Err(bad) = MailAddress::parse(address) {
                wrong("to", bad.to_string());
            }
        }
        match (&self.token_key_file, &self.token_key_credential) {
            (Some(_), None) | (None, Some(_)) => {}
            (None, None) => wrong(
                "kind",
                "no key for the tokens goes with it; give token_key_file or token_key_credential"
                    .into(),
            ),
            (Some(_), Some(_)) => wrong(
                "token_key_credential",
                "the key is said to be in two places; keep token_key_file or token_key_credential"
                    .into(),
            ),
        }
        for (key, text, file) in [
            ("form", &self.form, &self.form_file),
            ("reminder", &self.reminder, &self.reminder_file),
            ("grant", &self.grant, &self.grant_file),
            ("rename", &self.rename, &self.rename_file),
        ] {
            if text.is_some() && file.is_some() {
                wrong(key, "the template is given twice; keep the text or the file".into());
            }
        }
        for which in Which::ALL {
            if self.file(which).is_none()
                && let Err(problem) = self.write(which, &Words::example(which))
            {
                found.push(problem);
            }
        }
        found
    }

    pub(super) fn key(&self) -> Option<SecretSource> {
        SecretSource::of(self.token_key_file.as_ref(), self.token_key_credential.as_ref())
    }
}
