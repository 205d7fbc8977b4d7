//! What the tests of these connectors share.

use lapsed_connectors::contract::Apply;
use lapsed_connectors::http::{HttpTimeouts, LoginBy, LoginSettings};
use lapsed_connectors::scim::{Match, ScimKind, ScimSettings, Update};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, StableId, UserId};
use lapsed_core::observed::{ObservedAccount, PersonKeys, Scope};
use lapsed_core::step::{Action, Due, Expect, Fault, Outcome, Seen, Step, Target};
use lapsed_tests::scim::Scim;
use uuid::Uuid;

pub type Ending = Result<Outcome, Fault>;

pub fn of(server: &Scim) -> ScimSettings {
    ScimSettings {
        kind: ScimKind::Scim,
        url: server.url(),
        ca_file: None,
        login: LoginSettings {
            by: LoginBy::Bearer,
            secret_file: Some(server.token_file()),
            ..LoginSettings::default()
        },
        matching: Match { employee_number: Some("externalId".into()), ..Match::default() },
        update: Update::Auto,
        active_as_text: false,
        delete: true,
        create: false,
        grant: false,
        rename: false,
        roles: None,
        last_use: None,
        never: Vec::new(),
        page_size: 10,
        window: 4,
        timeouts: HttpTimeouts { connect_seconds: 5, request_seconds: 20 },
    }
}

fn step(id: &str, user: &str, action: fn(Target) -> Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, user.as_bytes()));
    let account = Target { id: StableId::new(id).unwrap(), label: user.into() };
    let expect = Expect { user_id: UserId::new(user).unwrap(), employee_number: None };
    let (case, name) = (CaseId::departure(person, 0), ConnectorName::new("cimor").unwrap());
    Step::new(case, person, name, action(account), expect, Due::AtOnce, Rule::D4)
}

pub fn revocation(id: &str, user: &str) -> Step {
    step(id, user, |account| Action::RevokeAccess { account })
}

pub fn deletion(id: &str, user: &str) -> Step {
    step(id, user, |account| Action::DeleteAccount { account })
}

pub fn disabling(id: &str, user: &str) -> Step {
    step(id, user, |account| Action::Disable { account })
}

pub async fn apply(system: &dyn Apply, step: Step) -> Ending {
    let mut endings = system.apply(&[step]).await;
    assert_eq!(endings.len(), 1, "one ending a step");
    endings.remove(0)
}

pub async fn seen(system: &dyn Apply, step: Step) -> Result<Seen, Fault> {
    system.read_back(&[step]).await.remove(0)
}

pub async fn found(
    system: &dyn Apply,
    user_ids: &[&str],
    numbers: &[&str],
) -> Result<Vec<ObservedAccount>, Fault> {
    let keys = PersonKeys {
        user_ids: user_ids.iter().map(|id| UserId::new(*id).unwrap()).collect(),
        employee_numbers: numbers.iter().map(|n| EmployeeNumber::new(*n).unwrap()).collect(),
        ids: Vec::new(),
        homes: Vec::new(),
    };
    Ok(system.observe(&Scope::People(vec![keys])).await?.accounts)
}
