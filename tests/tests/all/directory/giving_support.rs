//! What the tests of made and renamed accounts share.

use super::support::*;
use lapsed_connectors::directory::settings::CreateSettings;
use lapsed_connectors::directory::{Directory, DirectorySettings, connect_with};
use lapsed_connectors::handover::Handover;
use lapsed_connectors::settings::Shared;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    CaseId, ConnectorName, LocationId, PersonId, PersonName, StableId, UserId,
};
use lapsed_core::observed::ObservedAccount;
use lapsed_core::step::{
    Action, Blueprint, Cause, Due, Envelope, Expect, NewName, Outcome, Step, Target,
};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// The stamp of the default settings.
pub const STAMP: &str = "Disabled {{ date }} by lapsed, case {{ case }}";

/// Keeps what was sealed, in order.
#[derive(Default)]
pub struct Drawer(pub Mutex<Vec<(Uuid, String)>>);

impl Handover for Drawer {
    fn seal<'a>(
        &'a self,
        envelope: &'a Envelope,
        _: &'a UserId,
        password: &'a str,
    ) -> Pin<Box<dyn Future<Output = Result<(), Cause>> + Send + 'a>> {
        self.0.lock().unwrap().push((envelope.id, password.to_owned()));
        Box::pin(async { Ok(()) })
    }
}

impl Drawer {
    pub fn last(&self) -> String {
        self.0.lock().unwrap().last().unwrap().1.clone()
    }
}

/// A directory with somebody who seals passwords.
pub fn open_with(settings: &DirectorySettings) -> (Directory, Arc<Drawer>) {
    let drawer = Arc::new(Drawer::default());
    let handover: Arc<dyn Handover> = drawer.clone();
    let shared = Shared { handover: Some(&handover), stamp: Some(STAMP), ..Shared::default() };
    let name = ConnectorName::new("directory").unwrap();
    (connect_with(&name, settings, &shared).unwrap(), drawer)
}

pub fn create_below(below: &str, classes: &[&str], attributes: &[(&str, &str)]) -> CreateSettings {
    CreateSettings {
        below: below.to_owned(),
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
        named_by: None,
        upn_suffix: None,
        attributes: attributes
            .iter()
            .map(|&(name, text)| (name.to_owned(), text.to_owned()))
            .collect::<BTreeMap<_, _>>(),
        mark: None,
    }
}

pub fn user(text: &str) -> UserId {
    UserId::new(text).unwrap()
}

pub fn ann() -> Blueprint {
    Blueprint {
        user_id: user("mqlia"),
        name: PersonName { last: "Li".into(), first: "Ann".into(), preferred: None },
        display_name: "Ann Li".into(),
        mail: Some("ann.li@agency.test".into()),
        employee_number: Some(number("E-77")),
        kind: None,
        location: Some(LocationId::new("q").unwrap()),
        location_name: Some("Rolla".into()),
        title: Some("Nurse, \"ward\" 3".into()),
        supervisor: Some(user("mqboss")),
        home: None,
        uid_number: None,
        ends_on: None,
    }
}

fn step_of(expect: Expect, action: Action) -> Step {
    let person = PersonId(Uuid::from_u128(7));
    let name = ConnectorName::new("directory").unwrap();
    let case = CaseId::departure(person, 0);
    Step::new(case, person, name, action, expect, Due::AtOnce, Rule::A1)
}

pub fn create(blueprint: &Blueprint) -> Step {
    let expect = Expect {
        user_id: blueprint.user_id.clone(),
        employee_number: blueprint.employee_number.clone(),
    };
    let account = Target::to_be_made(&blueprint.user_id);
    step_of(expect, Action::CreateAccount { account, blueprint: Box::new(blueprint.clone()) })
}

/// A step on the account that is still to be made, as a plan for a joiner has it.
pub fn on_new(blueprint: &Blueprint, action: impl FnOnce(Target) -> Action) -> Step {
    let expect = Expect {
        user_id: blueprint.user_id.clone(),
        employee_number: blueprint.employee_number.clone(),
    };
    step_of(expect, action(Target::to_be_made(&blueprint.user_id)))
}

pub fn envelope() -> Envelope {
    Envelope { id: Uuid::from_u128(99), opener: user("mqboss"), mail: None, form: 12 }
}

pub fn set_password(account: Target) -> Action {
    Action::SetPassword { account, envelope: envelope() }
}

pub fn enable(account: Target) -> Action {
    Action::Enable { account }
}

pub fn join(id: &str, label: &str) -> impl FnOnce(Target) -> Action {
    let group = Target { id: StableId::new(id).unwrap(), label: label.to_owned() };
    move |account| Action::JoinGroup { account, group }
}

pub fn rename(account: &ObservedAccount, to: &NewName) -> Step {
    step(account, Action::Rename { account: target(account), to: Box::new(to.clone()) })
}

pub fn renamed_to(user_id: &str, first: &str, last: &str, mail: &str, old: &str) -> NewName {
    NewName {
        user_id: user(user_id),
        name: PersonName { last: last.into(), first: first.into(), preferred: None },
        display_name: format!("{first} {last}"),
        mail: Some(mail.into()),
        aliases: vec![old.into()],
        home: None,
        location: None,
        location_name: None,
    }
}

/// Attributes of an entry as text, a line a value, in the order asked for; values are sorted.
pub fn picture(entry: &lapsed_tests::Entry, attributes: &[&str]) -> String {
    let mut text = format!("dn: {}\n", entry.dn);
    for attribute in attributes {
        let mut values = entry.get(attribute).to_vec();
        values.sort();
        for value in values {
            text += &format!("{attribute}: {value}\n");
        }
    }
    text
}

pub async fn one(directory: &Directory, step: &Step) -> Ending {
    apply(directory, std::slice::from_ref(step)).await.remove(0)
}

pub fn is_changed(ending: &Ending) -> bool {
    matches!(ending, Ok(Outcome::Changed(_)))
}

pub fn drift(ending: &Ending) -> &str {
    match ending {
        Ok(Outcome::Drifted(found)) => &found.description,
        other => panic!("{other:?}"),
    }
}
