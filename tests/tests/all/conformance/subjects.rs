//! One subject a kind of connector.

use super::{HOSTILE, Lossy, Subject};
use crate::directory::support as directories;
use crate::systems::support as systems;
use crate::tables::{command, support as tables};
use lapsed_connectors::contract::Apply;
use lapsed_connectors::directory::DirectorySettings;
use lapsed_connectors::home::{self as homes, HomeSettings};
use lapsed_connectors::rest::{self, RestSettings};
use lapsed_connectors::scim;
use lapsed_connectors::sql::SqlServer;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, PersonId, StableId, UserId};
use lapsed_core::step::{Action, Due, Expect, HomePlace, Step, Target};
use lapsed_tests::Entry;
use lapsed_tests::lost_reply::LostReply;
use lapsed_tests::relay::{self, Relay};
use lapsed_tests::samba::SambaAd;
use lapsed_tests::scim::Scim;
use lapsed_tests::slapd::Slapd;
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use uuid::Uuid;

/// The tag of an answer to a change of an entry (RFC 4511 4.6).
const MODIFY_RESPONSE: u8 = 0x67;
const LOCK: &str = "pwdAccountLockedTime";

/// A step by which an account of an id and a name is ended.
fn ends(id: &str, user_id: &str, action: fn(Target) -> Action) -> Step {
    let person = PersonId(Uuid::new_v5(&Uuid::NAMESPACE_OID, user_id.as_bytes()));
    let account = Target { id: StableId::new(id).unwrap(), label: user_id.into() };
    let expect = Expect { user_id: UserId::new(user_id).unwrap(), employee_number: None };
    let (case, name) = (CaseId::departure(person, 0), ConnectorName::new("system").unwrap());
    Step::new(case, person, name, action(account), expect, Due::AtOnce, Rule::D4)
}

fn revokes(id: &str, user_id: &str) -> Step {
    ends(id, user_id, |account| Action::RevokeAccess { account })
}

/// Steps on accounts of hostile names and ids, as far as such can be written down at all.
fn hostile(action: fn(Target) -> Action) -> Vec<Step> {
    let possible =
        HOSTILE.iter().filter(|name| UserId::new(**name).is_ok() && StableId::new(**name).is_ok());
    possible.map(|name| ends(name, name, action)).collect()
}

fn wrong_password(folder: &tempfile::TempDir) -> std::path::PathBuf {
    let file = folder.path().join("wrong");
    fs::write(&file, "not-the-password").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

fn with_wrong_password(settings: &DirectorySettings, folder: &tempfile::TempDir) -> Arc<dyn Apply> {
    let mut settings = settings.clone();
    settings.bind.password_file = Some(wrong_password(folder));
    Arc::new(directories::open(&settings))
}

pub async fn openldap() -> Subject {
    let people = [directories::someone("zann"), directories::someone("zbob")];
    let slapd = Slapd::builder().load_ldif(&directories::ldif(&people)).start().unwrap();
    let slapd = Rc::new(slapd);
    let settings = directories::of_slapd(&slapd);
    let directory = directories::open(&settings);
    let ann = directories::person(&directory, "zann").await;
    let relay = Rc::new(LostReply::before(&slapd.socket(), MODIFY_RESPONSE).unwrap());
    let lossy = DirectorySettings { servers: vec![relay.url()], ca_file: None, ..settings.clone() };
    let (folder, losing) = (tempfile::tempdir().unwrap(), Rc::clone(&relay));
    let (by_hand, witness) = (Rc::clone(&slapd), Rc::clone(&slapd));
    Subject {
        step: directories::disable(&ann),
        gone: ends(&Uuid::from_u128(7).to_string(), "zgone", |account| Action::Disable { account }),
        hostile: hostile(|account| Action::Disable { account }),
        undo: Box::new(move || {
            let dn = "uid=zann,ou=people,dc=lab,dc=test";
            by_hand.load_ldif(&format!("dn: {dn}\nchangetype: modify\ndelete: {LOCK}\n")).unwrap();
        }),
        witness: Box::new(move || {
            let shut = witness.search(&format!("({LOCK}=*)"), &["uid"]).unwrap();
            shut.iter().map(Entry::to_ldif).collect()
        }),
        wrong: Some(with_wrong_password(&settings, &folder)),
        lossy: Some(Lossy {
            system: Arc::new(directories::open(&lossy)),
            lose: Box::new(move || losing.lose_next()),
            flow: Box::new(|| {}),
        }),
        system: Arc::new(directory),
        _kept: Box::new((slapd, relay, folder)),
    }
}

pub async fn active_directory() -> Subject {
    let dn = "CN=Ann Li,OU=People,DC=lab,DC=test";
    let ann = Entry::new(dn)
        .with("objectClass", "user")
        .with("sAMAccountName", "zann")
        .with("employeeNumber", "E-zann")
        .with("userAccountControl", "66048");
    let samba = SambaAd::builder().load_ldif(&directories::ldif(&[ann])).start().unwrap();
    let samba = Rc::new(samba);
    let settings = directories::of_samba(&samba);
    let directory = directories::open(&settings);
    let ann = directories::person(&directory, "zann").await;
    let folder = tempfile::tempdir().unwrap();
    let (by_hand, witness) = (Rc::clone(&samba), Rc::clone(&samba));
    Subject {
        step: directories::disable(&ann),
        gone: ends(&Uuid::from_u128(7).to_string(), "zgone", |account| Action::Disable { account }),
        hostile: hostile(|account| Action::Disable { account }),
        undo: Box::new(move || {
            let change = "replace: userAccountControl\nuserAccountControl: 66048\n";
            by_hand.load_ldif(&format!("dn: {dn}\nchangetype: modify\n{change}")).unwrap();
        }),
        witness: Box::new(move || {
            let account = witness.read(dn, &["userAccountControl"]).unwrap().unwrap();
            account.get("userAccountControl").join(" ")
        }),
        wrong: Some(with_wrong_password(&settings, &folder)),
        lossy: None,
        system: Arc::new(directory),
        _kept: Box::new((samba, folder)),
    }
}

/// Two accounts, and a way to the server that loses the answers to what begins so.
struct ByHttp {
    server: Rc<Scim>,
    ann: String,
    relay: Rc<Relay>,
}

impl ByHttp {
    fn start() -> Self {
        let server = Scim::start().unwrap();
        let ann = server.add("ann", "00123", "Smith").unwrap();
        server.add("bob", "00124", "Doe").unwrap();
        let relay = Relay::start(relay::Target::Tcp(server.port())).unwrap();
        Self { server: Rc::new(server), ann, relay: Rc::new(relay) }
    }

    fn url_of_relay(&self) -> String {
        format!("http://127.0.0.1:{}/v2", self.relay.port())
    }

    fn subject(self, systems: [Arc<dyn Apply>; 3]) -> Subject {
        let [system, wrong, lossy] = systems;
        let (losing, flowing) = (Rc::clone(&self.relay), Rc::clone(&self.relay));
        let (by_hand, witness) = (Rc::clone(&self.server), Rc::clone(&self.server));
        let (ann, id) = (self.ann.clone(), self.ann.clone());
        Subject {
            step: revokes(&self.ann, "ann"),
            gone: revokes(&Uuid::from_u128(7).to_string(), "gone"),
            hostile: hostile(|account| Action::RevokeAccess { account }),
            undo: Box::new(move || by_hand.set(&ann, "active", &json!(true)).unwrap()),
            witness: Box::new(move || {
                let bob = witness.called("bob").unwrap();
                let bob = witness.is_active(&bob[0]).unwrap();
                format!("{:?} {bob:?}", witness.is_active(&id).unwrap())
            }),
            wrong: Some(wrong),
            lossy: Some(Lossy {
                system: lossy,
                lose: Box::new(move || losing.swallow_answers_after("PATCH ")),
                flow: Box::new(move || flowing.flow()),
            }),
            system,
            _kept: Box::new((self.server, self.relay)),
        }
    }
}

pub fn scim_server() -> Subject {
    let http = ByHttp::start();
    let settings = systems::of(&http.server);
    let mut wrong = settings.clone();
    wrong.login.secret_file = Some(http.server.wrong_token_file());
    let mut lossy = settings.clone();
    lossy.url = http.url_of_relay();
    lossy.timeouts.request_seconds = 1;
    let all = [settings, wrong, lossy];
    let all = all.map(|one| Arc::new(scim::connect(&one).unwrap()) as Arc<dyn Apply>);
    http.subject(all)
}

/// The same server, as an API of its own kind.
pub fn rest_api() -> Subject {
    let http = ByHttp::start();
    let patch = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "active", "value": false }],
    });
    let written = |url: &str, token: &Path| {
        json!({
            "kind": "rest", "url": url, "login": { "by": "bearer", "secret_file": token },
            "timeouts": { "connect_seconds": 5, "request_seconds": 2 },
            "find": [{
                "by": "user_id", "path": "/Users?filter=userName%20eq%20%22{{ user_id }}%22",
                "accounts": "body.Resources", "none": "body.totalResults == 0",
            }],
            "account": {
                "id": "account.id", "user_id": "account.userName", "enabled": "account.active",
            },
            "look": {
                "path": "/Users/{{ id }}", "account": "body",
                "gone": "status == 404 and body.status == '404'",
            },
            "revoke": {
                "method": "PATCH", "path": "/Users/{{ id }}", "body": patch.to_string(),
                "success": "status == 200 or status == 204",
            },
        })
    };
    let (good, wrong) = (http.server.token_file(), http.server.wrong_token_file());
    let all =
        [(http.server.url(), &good), (http.server.url(), &wrong), (http.url_of_relay(), &good)];
    let all = all.map(|(url, token)| {
        let settings: RestSettings = serde_json::from_value(written(&url, token)).unwrap();
        let connected = rest::connect(&settings);
        Arc::new(connected.unwrap_or_else(|error| panic!("{error}"))) as Arc<dyn Apply>
    });
    http.subject(all)
}

fn table(
    server: SqlServer,
    wrong: impl Fn(&mut lapsed_connectors::sql::SqlSettings) -> bool,
) -> Subject {
    let database = Rc::new(tables::Database::start(server));
    let settings = database.settings();
    let mut other = settings.clone();
    let wrong = wrong(&mut other).then(|| Arc::new(tables::open(&other)) as Arc<dyn Apply>);
    let (by_hand, witness) = (Rc::clone(&database), Rc::clone(&database));
    Subject {
        system: Arc::new(tables::open(&settings)),
        step: revokes("1", "ann"),
        gone: revokes("77", "gone"),
        hostile: hostile(|account| Action::RevokeAccess { account }),
        undo: Box::new(move || {
            drop(by_hand.query("UPDATE accounts SET status = 'A' WHERE id = 1"))
        }),
        witness: Box::new(move || witness.states()),
        wrong,
        lossy: None,
        _kept: Box::new(database),
    }
}

pub fn postgresql() -> Subject {
    table(SqlServer::Postgresql, |settings| {
        settings.user = Some("nobody_of_this_name".into());
        true
    })
}

pub fn mariadb() -> Subject {
    table(SqlServer::Mariadb, |settings| {
        settings.user = Some("nobody_of_this_name".into());
        true
    })
}

/// A file needs no credentials.
pub fn sqlite() -> Subject {
    table(SqlServer::Sqlite, |_| false)
}

pub fn mainframe() -> Subject {
    let mainframe = Rc::new(command::Mainframe::new());
    let system = command::program(&mainframe.settings());
    let (by_hand, witness) = (Rc::clone(&mainframe), Rc::clone(&mainframe));
    Subject {
        system: Arc::new(system),
        step: revokes("1", "ann"),
        gone: revokes("77", "gone"),
        hostile: hostile(|account| Action::RevokeAccess { account }),
        undo: Box::new(move || by_hand.open_ann()),
        witness: Box::new(move || witness.accounts()),
        wrong: None,
        lossy: None,
        _kept: Box::new(mainframe),
    }
}

fn makes_home(user_id: &str) -> Step {
    let place = HomePlace::default();
    let mut step = revokes(user_id, user_id);
    let account = step.action.account().clone();
    step.action = Action::CreateHome { account, place };
    Step::new(
        step.case,
        step.person,
        step.connector,
        step.action,
        step.expect,
        Due::AtOnce,
        Rule::A1,
    )
}

/// What is not there is made: of a home that is nobody's there is nothing to look for, so that the root stands
/// in for it, which is no home.
pub fn home() -> Subject {
    let folder = Rc::new(tempfile::tempdir().unwrap());
    let root = folder.path().canonicalize().unwrap().join("homes");
    fs::create_dir_all(root.join(".lapsed-quarantine")).unwrap();
    fs::set_permissions(root.join(".lapsed-quarantine"), fs::Permissions::from_mode(0o700))
        .unwrap();
    fs::create_dir(root.join("there")).unwrap();
    fs::set_permissions(root.join("there"), fs::Permissions::from_mode(0o700)).unwrap();
    let settings: HomeSettings = serde_json::from_value(json!({
        "kind": "home", "roots": [root], "path": format!("{}/{{{{ user_id }}}}", root.display()),
        "owner_check": "off", "create": {}, "in_process": true,
    }))
    .unwrap();
    let system = homes::connect(&ConnectorName::new("homes").unwrap(), &settings);
    let possible = HOSTILE.iter().filter(|name| UserId::new(**name).is_ok() && name.contains('/'));
    let (home, list) = (root.join("mzann"), root);
    Subject {
        system: Arc::new(system.unwrap_or_else(|error| panic!("{error}"))),
        step: makes_home("mzann"),
        gone: makes_home("there"),
        hostile: possible.map(|name| makes_home(name)).collect(),
        undo: Box::new(move || fs::remove_dir(&home).unwrap()),
        witness: Box::new(move || {
            let mut all: Vec<String> = fs::read_dir(&list)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            all.sort();
            all.join(" ")
        }),
        wrong: None,
        lossy: None,
        _kept: Box::new(folder),
    }
}
