//! What a directory answers to a search: any operation, or entries whose names and values are any text.

use crate::serving::{Answer, runtime};
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::{Directory, DirectorySettings, connect};
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseId, ConnectorName, EmployeeNumber, PersonId, StableId, UserId};
use lapsed_core::observed::{PersonKeys, Scope};
use lapsed_core::step::{Action, Due, Expect, Step, Target};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, OnceLock};
use uuid::Uuid;

struct Server {
    _folder: tempfile::TempDir,
    settings: DirectorySettings,
    answer: Answer,
}

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("ldapi");
        let listener = UnixListener::bind(&path).expect("a socket");
        let answer: Answer = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        let url = format!("ldapi://{}", path.display().to_string().replace('/', "%2F"));
        let settings = serde_json::json!({
            "kind": "active_directory", "servers": [url], "bind": { "external": true },
            "people_base": ["OU=People,DC=lab,DC=test"], "group_bases": ["OU=Groups,DC=lab,DC=test"],
        });
        let mut settings: DirectorySettings =
            serde_json::from_value(settings).expect("settings of a directory");
        settings.timeouts.operation_seconds = 2;
        Server { _folder: folder, settings, answer }
    })
}

pub fn reply(data: &[u8]) {
    let server = server();
    *server.answer.lock().expect("nobody panics with it") = data.to_vec();
    runtime().block_on(async {
        // A new one each time: what a bad reply does to the next connection is no subject here.
        let name = ConnectorName::new("ad").expect("a name");
        let directory: Directory = connect(&name, &server.settings).expect("a directory");
        let keys = PersonKeys {
            employee_numbers: vec![EmployeeNumber::new("00123").expect("a number")],
            user_ids: vec![UserId::new("zann").expect("a user ID")],
            ..PersonKeys::default()
        };
        match directory.observe(&Scope::People(vec![keys])).await {
            Ok(observed) => drop(format!("{observed:?}")),
            Err(fault) => drop(fault.to_string()),
        }
        drop(directory.observe(&Scope::AllAccounts).await);
    });
}

/// Steps of a mailbox, to be looked at.
pub fn mailbox_steps() -> Vec<Step> {
    let person = PersonId(Uuid::from_u128(1));
    let user_id = UserId::new("mzsmitj").expect("a user ID");
    let account =
        || Target { id: StableId::new("guid-1").expect("an id"), label: "mzsmitj".into() };
    [Action::DisableMailbox { account: account() }, Action::DeleteMailbox { account: account() }]
        .into_iter()
        .map(|action| {
            Step::new(
                CaseId::departure(person, 0),
                person,
                ConnectorName::new("mail").expect("a name"),
                action,
                Expect { user_id: user_id.clone(), employee_number: None },
                Due::AtOnce,
                Rule::D2,
            )
        })
        .collect()
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ 0..128) => out.push(short),
        _ => {
            out.push(0x84);
            out.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    out.extend(content);
    out
}

fn message(id: &[u8], operation: &[u8], controls: bool) -> Vec<u8> {
    let last = tlv(0x30, &[tlv(2, &[0]), tlv(4, b"")].concat());
    let last = tlv(0x30, &[tlv(4, b"1.2.840.113556.1.4.319"), tlv(4, &last)].concat());
    let controls = if controls { tlv(0xa0, &last) } else { Vec::new() };
    tlv(0x30, &[tlv(2, id), operation.to_vec(), controls].concat())
}

fn result(tag: u8) -> Vec<u8> {
    tlv(tag, &[tlv(0x0a, &[0]), tlv(4, b""), tlv(4, b"")].concat())
}

/// Entries of lines: `dn`, then `name: value`, and an empty line between two.
fn entries(id: &[u8], text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut lines = text.split(|byte| *byte == b'\n').peekable();
    while let Some(dn) = lines.next() {
        let mut attributes: Vec<(Vec<u8>, Vec<Vec<u8>>)> = Vec::new();
        while let Some(line) = lines.next().filter(|line| !line.is_empty()) {
            let at = line.windows(2).position(|two| two == b": ").unwrap_or(line.len());
            let (name, value) = (line[..at].to_vec(), line.get(at + 2..).unwrap_or_default());
            match attributes.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value.to_vec()),
                None => attributes.push((name, vec![value.to_vec()])),
            }
        }
        let attributes: Vec<u8> = attributes
            .into_iter()
            .flat_map(|(name, values)| {
                let values: Vec<u8> = values.iter().flat_map(|value| tlv(4, value)).collect();
                tlv(0x30, &[tlv(4, &name), tlv(0x31, &values)].concat())
            })
            .collect();
        out.extend(message(id, &tlv(0x64, &[tlv(4, dn), tlv(0x30, &attributes)].concat()), false));
    }
    out
}

fn serve(mut stream: UnixStream, answer: &Answer) {
    let mut waiting: Vec<u8> = Vec::new();
    let mut chunk = [0; 8192];
    loop {
        let Some((id, tag, base, paged, whole)) = request(&waiting) else {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => waiting.extend(&chunk[..count]),
            }
            continue;
        };
        waiting.drain(..whole);
        let who = [tlv(0x0a, &[0]), tlv(4, b""), tlv(4, b""), tlv(0x8b, b"dn:CN=daemon,DC=lab")];
        let data = answer.lock().expect("nobody panics with it").clone();
        let (reply, ends) = match (tag, data.split_first()) {
            (0x60, _) => (message(&id, &result(0x61), false), false),
            (0x77, _) => (message(&id, &tlv(0x78, &who.concat()), false), false),
            (0x63, _) if base.is_empty() => {
                let paging = tlv(4, b"1.2.840.113556.1.4.319");
                let one = tlv(0x30, &[tlv(4, b"supportedControl"), tlv(0x31, &paging)].concat());
                let root = tlv(0x64, &[tlv(4, b""), tlv(0x30, &one)].concat());
                let done = message(&id, &result(0x65), false);
                ([message(&id, &root, false), done].concat(), false)
            }
            (0x63, Some((b'E', text))) => {
                ([entries(&id, text), message(&id, &result(0x65), paged)].concat(), false)
            }
            (0x63, Some((b'O', operation))) => (message(&id, operation, false), true),
            (0x63, Some((_, bytes))) => (bytes.to_vec(), true),
            _ => (Vec::new(), true),
        };
        if stream.write_all(&reply).is_err() || ends {
            return;
        }
    }
}

/// Message id, tag and base of the first whole request, whether it has controls, and its length.
fn request(waiting: &[u8]) -> Option<(Vec<u8>, u8, Vec<u8>, bool, usize)> {
    let (content, whole) = element(waiting)?;
    let (id, used) = element(content)?;
    let operation = &content[used..];
    let (parts, length) = element(operation)?;
    let base = element(parts).map(|(base, _)| base.to_vec()).unwrap_or_default();
    Some((id.to_vec(), operation[0], base, operation.len() > length, whole))
}

fn element(input: &[u8]) -> Option<(&[u8], usize)> {
    let first = usize::from(*input.get(1)?);
    let (length, start) = match first {
        0..128 => (first, 2),
        _ => {
            let bytes = input.get(2..2 + (first & 0x7f))?;
            (bytes.iter().fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), 2 + bytes.len())
        }
    };
    Some((input.get(start..start + length)?, start + length))
}
