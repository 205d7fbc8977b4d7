//! A form's connector and the step that it carries out.

use jiff::civil::date;
use lapsed_connectors::agency_form::{AgencyForm, AgencyFormKind, AgencyFormSettings, settings};
use lapsed_connectors::contract::Apply;
use lapsed_connectors::mail::MailSettings;
use lapsed_connectors::settings::{SettingsError, Shared};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId, StableId, UserId};
use lapsed_core::step::{
    Action, Due, Expect, Fault, Outcome, Receipt, RequestFacts, RequestedChange, Step, Target,
};
use lapsed_tests::smtp::MailServer;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use uuid::Uuid;

/// A key as `openssl rand -hex 32` makes it.
pub const KEY: &str = "8f14e45fceea167a5a36dedd4bea2543c9f0f895fb98ab9159f51fd0297e236d";

pub struct Stage {
    pub server: MailServer,
    pub folder: TempDir,
    pub settings: AgencyFormSettings,
    pub mail: MailSettings,
}

impl Stage {
    pub fn new() -> Self {
        let server = MailServer::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        std::fs::write(&key, format!("{KEY}\n")).unwrap();
        let settings = agency(&key);
        let mail = server.settings();
        Self { server, folder, settings, mail }
    }

    pub fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn connect(&self) -> Result<AgencyForm, SettingsError> {
        lapsed_connectors::agency_form::connect(
            &self.settings,
            &Shared { mail: Some(&self.mail), ..Shared::default() },
        )
    }

    /// Sends a step's form by a connector of its own, as after a restart.
    pub async fn apply(&self, step: &Step) -> Result<Outcome, Fault> {
        one(&self.connect().unwrap(), step).await
    }
}

pub async fn one(form: &AgencyForm, step: &Step) -> Result<Outcome, Fault> {
    form.apply(std::slice::from_ref(step)).await.pop().unwrap()
}

pub fn asked(outcome: Outcome) -> Receipt {
    match outcome {
        Outcome::Asked(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

pub fn agency(key: &Path) -> settings::AgencyFormSettings {
    AgencyFormSettings {
        kind: AgencyFormKind::AgencyForm,
        agency: "Health and Senior Services".into(),
        to: vec!["access@dhss.test".into()],
        token_key_file: Some(key.to_owned()),
        token_key_credential: None,
        form: None,
        form_file: None,
        subject: "REVOKE access to {{ request }}: {{ user_id }}".into(),
        reminder: None,
        reminder_file: None,
        reminder_subject: "Reminder {{ nth }}: {{ request }}".into(),
        grant: None,
        grant_file: None,
        grant_subject: "GIVE {{ request }}: {{ user_id }}".into(),
        rename: None,
        rename_file: None,
        rename_subject: "RENAME {{ from }} to {{ user_id }} in {{ request }}".into(),
        change_reminder: None,
        change_reminder_subject: "Reminder {{ nth }}: {{ change }} {{ request }}".into(),
    }
}

pub fn facts() -> RequestFacts {
    RequestFacts {
        name: "Jane Doe".into(),
        user_id: "mzdoej".into(),
        last_day: Some(date(2026, 11, 20)),
        location: Some("Central Office".into()),
        to: Vec::new(),
    }
}

pub fn step(facts: RequestFacts) -> Step {
    of_person(1, facts)
}

/// A change that is asked for: access, or another name.
pub fn changing(change: RequestedChange, facts: RequestFacts) -> Step {
    let mut step = step(facts.clone());
    let account = step.action.account().clone();
    step.action = Action::RequestChange { account, request: "CIMOR".into(), change, facts };
    Step::new(
        step.case,
        step.person,
        step.connector,
        step.action,
        step.expect,
        Due::AtOnce,
        Rule::A11,
    )
}

pub fn of_person(number: u128, facts: RequestFacts) -> Step {
    let account = Target { id: StableId::new("uuid-1").unwrap(), label: "mzdoej".into() };
    Step::new(
        CaseId(Uuid::from_u128(number)),
        PersonId(Uuid::from_u128(number)),
        ConnectorName::new("dhss").unwrap(),
        Action::RequestRevocation { account, request: "CIMOR".into(), facts },
        Expect { user_id: UserId::new("mzdoej").unwrap(), employee_number: None },
        Due::AtOnce,
        Rule::D5,
    )
}
