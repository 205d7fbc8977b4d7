//! What servers over HTTP answer: Dovecot's administration API, SCIM, Request Tracker.

use crate::serving::{Http, runtime};
use lapsed_connectors::contract::Observe;
use lapsed_connectors::tickets::{CorrelationKey, TicketDesk};
use lapsed_connectors::{help_desk, mailbox, scim as systems};
use lapsed_core::facts::{ConnectorName, EmployeeNumber, UserId};
use lapsed_core::observed::{PersonKeys, Scope};
use serde_json::json;
use std::path::PathBuf;
use std::sync::OnceLock;
use uuid::Uuid;

fn timeouts() -> serde_json::Value {
    json!({ "connect_seconds": 5, "request_seconds": 5 })
}

/// A file with a secret, for as long as the fuzzer runs.
fn secret() -> PathBuf {
    static SECRET: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let file = SECRET.get_or_init(|| {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "key").expect("a secret");
        file
    });
    file.path().to_owned()
}

pub fn scim(data: &[u8]) {
    static SCIM: OnceLock<(Http, systems::Scim)> = OnceLock::new();
    const ABILITIES: &str = r#"{"patch":{"supported":true},"etag":{"supported":true},"filter":{"supported":true,"maxResults":200}}"#;
    let (server, scim) = SCIM.get_or_init(|| {
        let server = Http::start(Some(("/ServiceProviderConfig", ABILITIES)));
        let settings = json!({
            "kind": "scim", "url": server.url, "match": { "employee_number": "externalId" },
            "timeouts": timeouts(),
        });
        let settings = serde_json::from_value(settings).expect("settings of SCIM");
        let scim = systems::connect(&settings).expect("a SCIM server");
        (server, scim)
    });
    server.says(data);
    let keys = PersonKeys {
        employee_numbers: vec![EmployeeNumber::new("00123").expect("a number")],
        user_ids: vec![UserId::new("mzsmitj").expect("a user ID")],
        ..PersonKeys::default()
    };
    for scope in [Scope::People(vec![keys]), Scope::AllAccounts] {
        match runtime().block_on(scim.observe(&scope)) {
            Ok(observed) => drop(format!("{observed:?}")),
            Err(fault) => drop(fault.to_string()),
        }
    }
}

pub fn doveadm(data: &[u8]) {
    static DOVECOT: OnceLock<(Http, mailbox::dovecot::Dovecot)> = OnceLock::new();
    let (server, dovecot) = DOVECOT.get_or_init(|| {
        let server = Http::start(None);
        let settings = json!({
            "kind": "dovecot", "url": server.url, "api_key_file": secret(),
            "shared_prefixes": ["shared/"], "timeouts": { "connect_seconds": 5, "command_seconds": 5 },
        });
        let settings = serde_json::from_value(settings).expect("settings of Dovecot");
        let dovecot = mailbox::dovecot::connect(&settings).expect("a Dovecot");
        (server, dovecot)
    });
    server.says(data);
    drop(runtime().block_on(dovecot.probe()));
    let steps = crate::directory::mailbox_steps();
    drop(runtime().block_on(dovecot.read_back(&steps)));
}

pub fn request_tracker(data: &[u8]) {
    static DESK: OnceLock<(Http, help_desk::HelpDesk)> = OnceLock::new();
    let (server, desk) = DESK.get_or_init(|| {
        let server = Http::start(None);
        let settings = json!({
            "kind": "help_desk", "preset": "request_tracker", "url": server.url,
            "group": "Accounts", "requester": "lapsed@dmh.test", "timeouts": timeouts(),
            "login": { "by": "header", "name": "Authorization", "prefix": "token ", "secret_file": secret() },
        });
        let settings = serde_json::from_value(settings).expect("settings of a help desk");
        let name = ConnectorName::new("tickets").expect("a name");
        let desk = help_desk::connect(&name, &settings).expect("a help desk");
        (server, desk)
    });
    server.says(data);
    let key = CorrelationKey::of(Uuid::from_u128(7));
    drop(runtime().block_on(desk.find(&key)));
    drop(runtime().block_on(TicketDesk::status(desk, "17")));
    drop(runtime().block_on(desk.comment("17", "text")));
    drop(runtime().block_on(desk.probe()));
}
