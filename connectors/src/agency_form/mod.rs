//! Forms for those who end, give or rename access by their own hand: other agencies and security officers
//! (D5, D14, A11).
//!
//! A form is a mail with a token of its own. The token is made from the step's id with a secret key
//! (HMAC), and is stored nowhere: whoever knows only step ids, or reads the state, can't confirm
//! anything, and yet a form that is sent again after a lost answer carries the same token, and so does
//! each reminder. The Message-ID is made from the step's id, so that a duplicate is known for one.
//!
//! Nothing can be read back here: a form is open until somebody files its confirmation.

mod send;
pub mod settings;
mod texts;

pub use settings::{AgencyFormKind, AgencyFormSettings};

use crate::contract::{Apply, Chase, Chased, Observe, Probed};
use crate::mail::Postman;
use crate::secret::SecretSource;
use crate::settings::{Ability, ConnectorKind, SettingsError, SettingsProblem, Shared};
use futures_util::future::BoxFuture;
use lapsed_core::facts::ConnectorName;
use lapsed_core::observed::{Observed, Scope};
use lapsed_core::step::{Action, Cause, Fault, Found, Outcome, Seen, Step, StepId};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use texts::{Which, Words};

/// Sends forms by mail.
#[derive(Debug)]
pub struct AgencyForm {
    settings: AgencyFormSettings,
    postman: Postman,
    key: SecretSource,
    /// Forms of which this process does not know whether the server took them.
    lost: Mutex<BTreeSet<StepId>>,
}

impl ConnectorKind for AgencyFormSettings {
    fn problems(&self) -> Vec<SettingsProblem> {
        Self::problems(self)
    }

    fn files(&self) -> Vec<(&'static str, &Path)> {
        let files = [
            ("token_key_file", &self.token_key_file),
            ("form_file", &self.form_file),
            ("reminder_file", &self.reminder_file),
            ("grant_file", &self.grant_file),
            ("rename_file", &self.rename_file),
        ];
        files.into_iter().filter_map(|(key, path)| Some((key, path.as_deref()?))).collect()
    }

    fn abilities(&self) -> Vec<Ability> {
        vec![Ability::Request]
    }

    fn noun(&self) -> &'static str {
        "form"
    }

    fn connect(
        &self,
        _: &ConnectorName,
        shared: &Shared<'_>,
    ) -> Result<Arc<dyn Apply>, SettingsError> {
        Ok(Arc::new(connect(self, shared)?))
    }
}

/// Prepares the forms; nothing is contacted yet, and the key is read for each form.
///
/// # Errors
/// Every problem of the settings, of the templates in files, and of the mail server's settings.
pub fn connect(
    settings: &AgencyFormSettings,
    shared: &Shared<'_>,
) -> Result<AgencyForm, SettingsError> {
    let mut problems = settings.problems();
    for which in Which::ALL {
        if settings.file(which).is_some() {
            problems.extend(settings.write(which, &Words::example(which)).err());
        }
    }
    let postman = match shared.mail.map(Postman::new) {
        Some(Ok(postman)) => Some(postman),
        Some(Err(SettingsError(found))) => {
            let of_mail = |found: SettingsProblem| {
                SettingsProblem::new(format!("mail.{}", found.key), found.problem)
            };
            problems.extend(found.into_iter().map(of_mail));
            None
        }
        None => {
            let problem = "forms are mailed, and no mail server is known; add the section `mail`";
            problems.push(SettingsProblem::new("kind", problem));
            None
        }
    };
    match (postman, settings.key()) {
        (Some(postman), Some(key)) if problems.is_empty() => {
            Ok(AgencyForm { settings: settings.clone(), postman, key, lost: Mutex::default() })
        }
        _ => Err(SettingsError(problems)),
    }
}

impl Observe for AgencyForm {
    /// Access that only others see: none of it can be listed, and no account is this connector's.
    fn observe<'a>(&'a self, _scope: &'a Scope) -> BoxFuture<'a, Result<Observed, Fault>> {
        let server = self.postman.server();
        Box::pin(async move { Ok(Observed { server, ..Observed::default() }) })
    }

    fn read_back<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Seen, Fault>>> {
        let not_yet = |step: &Step| match &step.action {
            Action::RequestRevocation { request, .. } | Action::RequestChange { request, .. } => {
                Ok(Seen::NotYet(Found {
                    description: format!("the form for {request} is not confirmed yet"),
                }))
            }
            other => Err(not_a_form(other)),
        };
        let seen = steps.iter().map(not_yet).collect();
        Box::pin(async move { seen })
    }

    fn probe(&self) -> BoxFuture<'_, Vec<Probed>> {
        Box::pin(async {
            let key = Probed {
                what: "key of the forms' tokens".into(),
                problem: self.hmac().err().map(|fault| fault.to_string()),
            };
            vec![key, self.postman.probe().await]
        })
    }
}

impl Apply for AgencyForm {
    fn apply<'a>(&'a self, steps: &'a [Step]) -> BoxFuture<'a, Vec<Result<Outcome, Fault>>> {
        Box::pin(async move {
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in steps {
                outcomes.push(self.ask(step).await);
            }
            outcomes
        })
    }

    fn asked_perhaps(&self, step: &Step) -> Option<Result<Outcome, Fault>> {
        Some(self.perhaps(step))
    }

    fn chase<'a>(&'a self, chase: &'a Chase<'a>) -> BoxFuture<'a, Result<Chased, Fault>> {
        Box::pin(async move { self.remind_of(chase).await.map(|()| Chased::Reminded) })
    }
}

fn not_a_form(action: &Action) -> Fault {
    let what = action.describe();
    Fault::Refused(Cause::new(format!("a form can't {what}; name the connector that can")))
}
