//! A tenant of two users, strict about method, path, query, log-on and body.

use super::super::{Graph, GraphSettings, connect};
use crate::contract::{Apply, Observe};
use crate::http::double::{Asked, Double, Play};
use crate::settings::Shared;
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
/// Groups that take members, and those that take none.
pub(super) const GROUP: &str = "10000000-0000-4000-8000-000000000001";
pub(super) const LICENCE_GROUP: &str = "10000000-0000-4000-8000-000000000002";
pub(super) const OTHER_GROUP: &str = "10000000-0000-4000-8000-000000000003";
pub(super) const DYNAMIC_GROUP: &str = "10000000-0000-4000-8000-000000000004";
pub(super) const SYNCED_GROUP: &str = "10000000-0000-4000-8000-000000000005";
pub(super) const NO_GROUP: &str = "10000000-0000-4000-8000-000000000006";
const SECRET: &str = "s3cret-of-the-test";

pub(super) struct User {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) number: Option<String>,
    pub(super) last: String,
    pub(super) shown: String,
    pub(super) nickname: String,
    /// So often was its password changed.
    pub(super) passwords: u32,
    pub(super) must_change: bool,
    pub(super) groups: Vec<String>,
    /// So many looks do not show it yet.
    pub(super) hidden: u32,
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
    /// Does the next change, and ends the connection without a word.
    pub(super) loses_reply: bool,
    /// Users that are made are not shown for so many looks.
    pub(super) slow: u32,
    /// The identities of users that were deleted.
    pub(super) deleted: Vec<String>,
}

pub(super) type Bad = Option<Box<dyn Fn(&Asked) -> Option<Play> + Send + Sync>>;

pub(super) struct Lab {
    pub(super) double: Double,
    pub(super) tenant: Arc<Mutex<Tenant>>,
    pub(super) settings: GraphSettings,
    _folder: tempfile::TempDir,
}

fn user(id: &str, name: &str, number: &str, last: &str) -> User {
    User {
        id: id.into(),
        name: name.into(),
        number: Some(number.into()),
        last: last.into(),
        shown: format!("Some {last}"),
        nickname: name.split('@').next().unwrap().into(),
        passwords: 0,
        must_change: false,
        groups: vec![OTHER_GROUP.into()],
        hidden: 0,
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
        let tenant = Arc::new(Mutex::new(Tenant {
            users,
            tokens: 0,
            lies: false,
            page: 100,
            loses_reply: false,
            slow: 0,
            deleted: Vec::new(),
        }));
        let inner = Arc::clone(&tenant);
        let double = Double::start(move |asked| {
            let mut tenant = inner.lock().unwrap();
            let said = bad.as_ref().and_then(|bad| bad(asked));
            let said = said.unwrap_or_else(|| tenant.answer(asked));
            let changes = asked.method != "GET" && !asked.path.contains("oauth2");
            match changes && std::mem::take(&mut tenant.loses_reply) {
                true => Play::HangUp,
                false => said,
            }
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
        connect(&self.settings, &Shared::default()).unwrap()
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
            ("POST", ["users"]) => self.make(&asked.json()),
            ("GET", ["directory", "deletedItems", id]) => {
                match self.deleted.iter().any(|gone| gone == id) {
                    true => Play::answer(200, json!({ "id": id })),
                    false => not_found(),
                }
            }
            ("GET", ["groups", id]) => group(id),
            ("GET", ["groups", id, "members"]) => {
                let members = self.users.iter().filter(|user| user.groups.iter().any(|g| g == id));
                let all: Vec<Value> = members.map(|user| json!({ "id": user.id })).collect();
                Play::answer(200, json!({ "value": all }))
            }
            (method, ["groups", id, "members", rest @ ..]) => self.member(method, id, rest, asked),
            (method, ["users", key, rest @ ..]) => {
                let key = key.replace("%40", "@");
                let of = |u: &User| u.id == key || u.name.eq_ignore_ascii_case(&key);
                let place = self.users.iter().position(of);
                match place {
                    Some(place) if self.users[place].hidden > 0 => {
                        self.users[place].hidden -= 1;
                        not_found()
                    }
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
                    "employeeId" => user
                        .number
                        .as_ref()
                        .is_some_and(|n| n.to_lowercase() == value && user.hidden == 0),
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

    fn make(&mut self, body: &Value) -> Play {
        let text = |key: &str| body[key].as_str().map(str::to_owned);
        let profile = &body["passwordProfile"];
        let shut = body["accountEnabled"] == json!(false);
        let long = profile["password"].as_str().is_some_and(|password| password.len() >= 16);
        let (Some(name), Some(shown), Some(nickname)) =
            (text("userPrincipalName"), text("displayName"), text("mailNickname"))
        else {
            return error(400, "Request_BadRequest");
        };
        let is_empty = |value: &Value| value.as_str() == Some("");
        let taken = self.users.iter().any(|user| user.name.eq_ignore_ascii_case(&name));
        if !shut || !long || taken || body.as_object().unwrap().values().any(is_empty) {
            return error(400, "Request_BadRequest");
        }
        if !self.lies {
            let id = format!("cccccccc-0000-4000-8000-{:012}", self.users.len());
            let mut new = user(&id, &name, "", &text("surname").unwrap_or_default());
            (new.shown, new.nickname, new.number) = (shown, nickname, text("employeeId"));
            (new.enabled, new.hidden) = (false, self.slow);
            (new.licenses, new.devices, new.groups) = (Vec::new(), Vec::new(), Vec::new());
            self.users.push(new);
        }
        Play::answer(201, json!({ "id": "said" }))
    }

    fn member(&mut self, method: &str, id: &str, rest: &[&str], asked: &Asked) -> Play {
        let ours = [GROUP, LICENCE_GROUP].contains(&id);
        let (who, joins) = match (method, rest) {
            ("POST", ["$ref"]) => {
                let member = asked.json()["@odata.id"].as_str().unwrap().to_owned();
                let of = format!("http://{}/v1.0/directoryObjects/", asked.header("host").unwrap());
                (member.strip_prefix(&of).unwrap().to_owned(), true)
            }
            ("DELETE", [who, "$ref"]) => ((*who).to_owned(), false),
            _ => return error(400, "BadRequest"),
        };
        if id == NO_GROUP {
            return not_found();
        }
        let lies = self.lies;
        let Some(user) = self.users.iter_mut().find(|user| user.id == who) else {
            return not_found();
        };
        let is_in = user.groups.iter().any(|group| group == id);
        match (ours, joins, is_in) {
            (false, ..) | (_, true, true) => error(400, "Request_BadRequest"),
            (_, false, false) => not_found(),
            _ if lies => Play::answer(204, ""),
            (_, true, false) => {
                user.groups.push(id.to_owned());
                Play::answer(204, "")
            }
            (_, false, true) => {
                user.groups.retain(|group| group != id);
                Play::answer(204, "")
            }
        }
    }

    fn user(&mut self, place: usize, method: &str, rest: &[&str], asked: &Asked) -> Play {
        let lies = self.lies;
        if (method, rest) == ("DELETE", &[]) {
            if !lies {
                let gone = self.users.remove(place);
                self.deleted.push(gone.id);
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
            ("PATCH", []) => {
                let body = asked.json();
                if !lies {
                    user.take(body.as_object().unwrap());
                }
                Play::answer(204, "")
            }
            ("GET", ["memberOf"]) => {
                let id = |group: &String| json!({ "id": group });
                let all: Vec<Value> = user.groups.iter().map(id).collect();
                Play::answer(200, json!({ "value": all }))
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

/// What Graph says of a group; one is filled by a rule, one is copied from elsewhere.
fn group(id: &str) -> Play {
    match id {
        NO_GROUP => not_found(),
        DYNAMIC_GROUP => {
            Play::answer(200, json!({ "id": id, "groupTypes": ["DynamicMembership"] }))
        }
        SYNCED_GROUP => {
            Play::answer(200, json!({ "id": id, "groupTypes": [], "onPremisesSyncEnabled": true }))
        }
        _ => Play::answer(200, json!({ "id": id, "groupTypes": [] })),
    }
}

impl User {
    fn take(&mut self, body: &serde_json::Map<String, Value>) {
        for (key, value) in body {
            let text = || value.as_str().unwrap_or_default().to_owned();
            match key.as_str() {
                "accountEnabled" => self.enabled = value == &json!(true),
                "userPrincipalName" => self.name = text(),
                "mailNickname" => self.nickname = text(),
                "displayName" => self.shown = text(),
                "surname" => self.last = text(),
                "givenName" => assert_eq!(value, "Some"),
                "passwordProfile" => {
                    assert_eq!(value["forceChangePasswordNextSignIn"], json!(true));
                    self.must_change = true;
                    if let Some(password) = value["password"].as_str() {
                        assert!(password.len() >= 16);
                        self.passwords += 1;
                    }
                }
                other => panic!("{other}"),
            }
        }
    }

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
            "displayName": self.shown,
            "mailNickname": self.nickname,
            "lastPasswordChangeDateTime": format!("2026-01-01T00:00:{:02}Z", self.passwords),
            "passwordPolicies": null,
            "passwordProfile": { "forceChangePasswordNextSignIn": self.must_change },
            "assignedLicenses": licenses,
            "licenseAssignmentStates": states,
            "signInSessionsValidFromDateTime": format!("2026-01-01T00:00:{:02}Z", self.sessions),
        })
    }
}

pub(super) fn step(
    id: &str,
    user_id: &str,
    number: Option<&str>,
    action: impl FnOnce(Target) -> Action,
) -> Step {
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
