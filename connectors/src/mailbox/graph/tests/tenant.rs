//! A tenant of two users, strict about method, path, query, log-on and body.

use super::super::{Graph, GraphSettings, connect};
use crate::contract::{Apply, Observe};
use crate::http::double::{Asked, Double, Play};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, StableId, UserId};
use lapsed_core::step::{Action, Due, Expect, Fault, Outcome, Receipt, Seen, Step, Target};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use uuid::Uuid;

pub(super) const ANN: &str = "aaaaaaaa-0000-4000-8000-000000000001";
pub(super) const BOB: &str = "bbbbbbbb-0000-4000-8000-000000000002";
pub(super) const VISIO: &str = "c5928f49-12ba-48f7-ada3-0d743a3601d5";
pub(super) const OFFICE: &str = "6fd2c87f-b296-42f0-b197-1e91e994b900";
const SECRET: &str = "s3cret-of-the-test";

pub(super) struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) number: Option<&'static str>,
    pub(super) last: &'static str,
    pub(super) enabled: bool,
    pub(super) synced: bool,
    pub(super) licenses: Vec<&'static str>,
    pub(super) by_group: bool,
    pub(super) sessions: u32,
    /// Identity and state.
    pub(super) devices: Vec<(&'static str, &'static str)>,
}

pub(super) struct Tenant {
    pub(super) users: Vec<User>,
    pub(super) tokens: u32,
    /// Says yes to changes and makes none.
    pub(super) lies: bool,
    pub(super) page: usize,
}

pub(super) type Bad = Option<Box<dyn Fn(&Asked) -> Option<Play> + Send + Sync>>;

pub(super) struct Lab {
    pub(super) double: Double,
    pub(super) tenant: Arc<Mutex<Tenant>>,
    pub(super) settings: GraphSettings,
    _folder: tempfile::TempDir,
}

fn user(id: &'static str, name: &'static str, number: &'static str, last: &'static str) -> User {
    User {
        id,
        name,
        number: Some(number),
        last,
        enabled: true,
        synced: false,
        licenses: vec![VISIO, OFFICE],
        by_group: false,
        sessions: 0,
        devices: vec![("d1", "managed"), ("d2", "retirePending")],
    }
}

impl Lab {
    pub(super) async fn start() -> Self {
        Self::with(None).await
    }

    /// `bad` answers before the tenant does, where it has something to say.
    pub(super) async fn with(bad: Bad) -> Self {
        let users =
            vec![user(ANN, "zann@dmh.test", "E-1", "Li"), user(BOB, "zbob@dmh.test", "E-2", "Ng")];
        let tenant = Arc::new(Mutex::new(Tenant { users, tokens: 0, lies: false, page: 100 }));
        let inner = Arc::clone(&tenant);
        let double = Double::start(move |asked| {
            let mut tenant = inner.lock().unwrap();
            let said = bad.as_ref().and_then(|bad| bad(asked));
            said.unwrap_or_else(|| tenant.answer(asked))
        })
        .await;
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let settings = serde_json::from_value(json!({
            "kind": "graph",
            "tenant": "dmh.test",
            "client_id": Uuid::nil(),
            "secret_file": secret,
            "url": double.url,
            "login_url": double.url,
            "user": "{{ user_id }}@dmh.test",
            "never": ["breakglass*"],
            "timeouts": { "connect_seconds": 1, "request_seconds": 1 },
        }))
        .unwrap();
        Self { double, tenant, settings, _folder: folder }
    }

    pub(super) fn open(&self) -> Graph {
        connect(&self.settings).unwrap()
    }

    pub(super) fn ann<T>(&self, see: impl FnOnce(&mut User) -> T) -> T {
        see(&mut self.tenant.lock().unwrap().users[0])
    }

    /// Requests that change something, as `METHOD path`.
    pub(super) fn changes(&self) -> Vec<String> {
        let lines = self.double.lines().into_iter();
        lines.filter(|line| !line.starts_with("GET") && !line.contains("oauth2")).collect()
    }
}

fn error(status: u16, code: &str) -> Play {
    let message = "Resource 'zann@dmh.test' has private things in its message";
    Play::answer(status, json!({ "error": { "code": code, "message": message } }))
}

fn not_found() -> Play {
    error(404, "Request_ResourceNotFound")
}

impl Tenant {
    fn answer(&mut self, asked: &Asked) -> Play {
        if asked.path == "/dmh.test/oauth2/v2.0/token" {
            return self.token(asked);
        }
        if asked.header("authorization") != Some(&format!("Bearer token-{}", self.tokens)) {
            return error(401, "InvalidAuthenticationToken");
        }
        let Some(path) = asked.path.strip_prefix("/v1.0") else { return Play::answer(404, "") };
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        match (asked.method.as_str(), parts.as_slice()) {
            ("GET", ["users"]) => self.list(query, asked.header("host").unwrap()),
            ("GET", ["deviceManagement", "managedDevices"]) => {
                Play::answer(200, json!({ "value": [] }))
            }
            ("POST", ["deviceManagement", "managedDevices", id, "retire"]) => self.retire(id),
            (method, ["users", key, rest @ ..]) => {
                let key = key.replace("%40", "@");
                let place = self.users.iter().position(|u| u.id == key || u.name == key);
                match place {
                    Some(place) => self.user(place, method, rest, asked),
                    None => not_found(),
                }
            }
            _ => error(400, "BadRequest"),
        }
    }

    fn token(&mut self, asked: &Asked) -> Play {
        let host = asked.header("host").unwrap().replace(':', "%3A");
        let wanted = format!(
            "grant_type=client_credentials&client_id={}&client_secret={SECRET}&scope=http%3A%2F%2F{host}%2F.default",
            Uuid::nil()
        );
        if asked.method != "POST" || asked.body != wanted {
            return Play::answer(401, json!({ "error": "invalid_client" }));
        }
        self.tokens += 1;
        let token = format!("token-{}", self.tokens);
        Play::answer(200, json!({ "access_token": token, "expires_in": 3600 }))
    }

    fn list(&self, query: &str, host: &str) -> Play {
        let query: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let of = |key: &str| query.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
        if !of("$select").is_some_and(|all| all.contains("id")) {
            return error(400, "BadRequest");
        }
        let fits = |user: &&User| match of("$filter") {
            None => true,
            Some(filter) => filter.split(" or ").any(|one| {
                let (field, value) = one.split_once(" eq ").unwrap();
                let value = value.trim_matches('\'').to_lowercase();
                match field {
                    "userPrincipalName" => user.name.to_lowercase() == value,
                    "employeeId" => user.number.is_some_and(|n| n.to_lowercase() == value),
                    "id" => user.id == value,
                    other => panic!("{other}"),
                }
            }),
        };
        let all: Vec<Value> = self.users.iter().filter(fits).map(User::json).collect();
        let skip: usize = of("$skiptoken").map_or(0, |text| text.parse().unwrap());
        let end = (skip + self.page).min(all.len());
        let mut page = json!({ "value": all[skip..end] });
        if end < all.len() {
            let link = format!("http://{host}/v1.0/users?$select=id&$skiptoken={end}");
            page["@odata.nextLink"] = link.into();
        }
        Play::answer(200, page)
    }

    fn retire(&mut self, id: &str) -> Play {
        let lies = self.lies;
        let mut devices = self.users.iter_mut().flat_map(|user| &mut user.devices);
        let Some(device) = devices.find(|(own, _)| *own == id) else {
            return error(404, "ResourceNotFound");
        };
        if !lies {
            device.1 = "retirePending";
        }
        Play::answer(204, "")
    }

    fn user(&mut self, place: usize, method: &str, rest: &[&str], asked: &Asked) -> Play {
        let lies = self.lies;
        if (method, rest) == ("DELETE", &[]) {
            if !lies {
                self.users.remove(place);
            }
            return Play::answer(204, "");
        }
        let user = &mut self.users[place];
        match (method, rest) {
            ("GET", []) => Play::answer(200, user.json()),
            ("PATCH", []) if user.synced => error(400, "Request_BadRequest"),
            ("PATCH", []) if asked.json() == json!({ "accountEnabled": false }) => {
                user.enabled &= lies;
                Play::answer(204, "")
            }
            ("POST", ["revokeSignInSessions"]) if asked.body.is_empty() => {
                user.sessions += u32::from(!lies);
                Play::answer(200, json!({ "value": true }))
            }
            ("GET", ["managedDevices"]) => {
                let json = |(id, state): &(&str, &str)| json!({"id": id, "managementState": state});
                let all: Vec<Value> = user.devices.iter().map(json).collect();
                Play::answer(200, json!({ "value": all }))
            }
            ("GET", ["licenseDetails"]) => {
                let plan = |name: &str| json!({ "servicePlanName": name });
                let json = |sku: &&str| match *sku {
                    OFFICE => {
                        json!({"skuId": sku, "servicePlans": [plan("EXCHANGE_S_ENTERPRISE")]})
                    }
                    _ => {
                        json!({"skuId": sku, "servicePlans": [plan("VISIO"), plan("EXCHANGE_S_FOUNDATION")]})
                    }
                };
                let all: Vec<Value> = user.licenses.iter().map(json).collect();
                Play::answer(200, json!({ "value": all }))
            }
            ("POST", ["assignLicense"]) if asked.json()["addLicenses"] == json!([]) => {
                let body = asked.json();
                let gone = body["removeLicenses"].as_array().unwrap();
                if user.by_group || !gone.iter().all(|sku| user.licenses.iter().any(|l| sku == l)) {
                    return error(400, "Request_BadRequest");
                }
                if !lies {
                    user.licenses.retain(|own| !gone.iter().any(|sku| sku == own));
                }
                Play::answer(200, user.json())
            }
            _ => error(400, "BadRequest"),
        }
    }
}

impl User {
    fn json(&self) -> Value {
        let group = self.by_group.then_some("a-group");
        let states: Vec<Value> = self
            .licenses
            .iter()
            .map(|sku| json!({ "skuId": sku, "assignedByGroup": group }))
            .collect();
        let licenses: Vec<Value> =
            self.licenses.iter().map(|sku| json!({ "skuId": sku, "disabledPlans": [] })).collect();
        json!({
            "id": self.id,
            "userPrincipalName": self.name,
            "accountEnabled": self.enabled,
            "employeeId": self.number,
            "onPremisesSyncEnabled": self.synced.then_some(true),
            "surname": self.last,
            "givenName": "Some",
            "mail": self.name,
            "proxyAddresses": [format!("SMTP:{}", self.name), format!("smtp:old.{}", self.name)],
            "mailNickname": null,
            "assignedLicenses": licenses,
            "licenseAssignmentStates": states,
            "signInSessionsValidFromDateTime": format!("2026-01-01T00:00:{:02}Z", self.sessions),
        })
    }
}

fn step(id: &str, user_id: &str, number: Option<&str>, action: fn(Target) -> Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, user_id.as_bytes()));
    let account = Target { id: StableId::new(id).unwrap(), label: user_id.into() };
    let expect = Expect {
        user_id: UserId::new(user_id).unwrap(),
        employee_number: number.map(|number| EmployeeNumber::new(number).unwrap()),
    };
    let (case, name) = (CaseId::departure(person, 0), ConnectorName::new("m365").unwrap());
    Step::new(case, person, name, action(account), expect, Due::AtOnce, Rule::D4)
}

pub(super) fn revocation() -> Step {
    step(ANN, "zann", Some("E-1"), |account| Action::RevokeAccess { account })
}

pub(super) fn revocation_of(number: Option<&str>) -> Step {
    step(ANN, "zann", number, |account| Action::RevokeAccess { account })
}

/// As planned: with the identity of a directory's account, and its number.
pub(super) fn disabling(user_id: &str, number: Option<&str>) -> Step {
    let id = "dddddddd-0000-4000-8000-00000000000d";
    step(id, user_id, number, |account| Action::DisableMailbox { account })
}

pub(super) fn mailbox_deletion() -> Step {
    let id = "dddddddd-0000-4000-8000-00000000000d";
    step(id, "zann", Some("E-1"), |account| Action::DeleteMailbox { account })
}

pub(super) fn deletion() -> Step {
    step(ANN, "zann", Some("E-1"), |account| Action::DeleteAccount { account })
}

pub(super) async fn apply(graph: &Graph, step: Step) -> Result<Outcome, Fault> {
    let mut endings = graph.apply(&[step]).await;
    assert_eq!(endings.len(), 1, "one ending a step");
    endings.remove(0)
}

pub(super) async fn changed(graph: &Graph, step: Step) -> Receipt {
    match apply(graph, step).await {
        Ok(Outcome::Changed(receipt)) => receipt,
        other => panic!("{other:?}"),
    }
}

pub(super) async fn seen(graph: &Graph, step: Step) -> Result<Seen, Fault> {
    graph.read_back(&[step]).await.remove(0)
}

pub(super) fn sku(text: &str) -> Uuid {
    text.parse().unwrap()
}
