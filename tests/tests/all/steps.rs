//! Steps that give, for every connector of systems.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as the tests themselves do")]

use lapsed_core::citation::Rule;
use lapsed_core::facts::{
    CaseId, ConnectorName, EmployeeNumber, PersonId, PersonName, StableId, SystemRole, UserId,
};
use lapsed_core::step::{Action, Blueprint, Due, Expect, NewName, Step, Target};
use uuid::Uuid;

pub fn name(first: &str, last: &str) -> PersonName {
    PersonName { last: last.into(), first: first.into(), preferred: None }
}

pub fn step(id: StableId, user: &str, action: impl FnOnce(Target) -> Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, b"joan"));
    let employee_number = EmployeeNumber::new("00123").ok();
    let expect = Expect { user_id: UserId::new(user).unwrap(), employee_number };
    let account = Target { id, label: user.into() };
    let connector = ConnectorName::new("cimor").unwrap();
    Step::new(
        CaseId(Uuid::nil()),
        person,
        connector,
        action(account),
        expect,
        Due::AtOnce,
        Rule::A1,
    )
}

pub fn making(user: &str, number: Option<&str>) -> Step {
    let user_id = UserId::new(user).unwrap();
    let blueprint = Blueprint {
        user_id: user_id.clone(),
        name: name("Joan", "O'Brien \"x\""),
        display_name: "Joan O'Brien".into(),
        mail: Some(format!("{user}@dmh.test")),
        employee_number: number.map(|number| EmployeeNumber::new(number).unwrap()),
        kind: None,
        location: None,
        location_name: None,
        title: None,
        supervisor: None,
        home: None,
        uid_number: None,
        ends_on: None,
    };
    step(StableId::to_be_made(&user_id), user, |account| Action::CreateAccount {
        account,
        blueprint: Box::new(blueprint),
    })
}

pub fn granting(id: StableId, user: &str, roles: &[&str]) -> Step {
    let roles = roles.iter().map(|role| SystemRole::new(*role).unwrap()).collect();
    step(id, user, |account| Action::GrantAccess { account, roles })
}

pub fn renaming(id: &str, from: &str, to: &str) -> Step {
    let to = NewName {
        user_id: UserId::new(to).unwrap(),
        name: name("Joan", "Jones"),
        display_name: "Joan Jones".into(),
        mail: Some(format!("{to}@dmh.test")),
        aliases: vec![format!("{from}@dmh.test")],
        home: None,
        location: None,
        location_name: None,
    };
    let id = StableId::new(id).unwrap();
    step(id, from, |account| Action::Rename { account, to: Box::new(to) })
}

pub fn to_be_made(user: &str) -> StableId {
    StableId::to_be_made(&UserId::new(user).unwrap())
}
