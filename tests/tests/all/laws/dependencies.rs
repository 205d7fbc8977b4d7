//! Laws about what depends on what.

use super::{root, uphold};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

/// The packages of the workspace by the folders that they are in.
const CRATES: [(&str, &str); 5] = [
    ("lapsed-core", "core"),
    ("lapsed-connectors", "connectors"),
    ("lapsed-migrations", "migrations"),
    ("lapsed", "daemon"),
    ("lapsed-tests", "tests"),
];

/// What cargo knows of the workspace and everything that it is built from, on this kind of machine.
struct Graph {
    names: BTreeMap<String, String>,
    licences: BTreeMap<String, String>,
    needs: BTreeMap<String, Vec<(String, bool)>>,
}

impl Graph {
    fn read() -> Self {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--offline", "--manifest-path"])
            .arg(root().join("Cargo.toml"))
            .arg("--filter-platform")
            .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let mut graph =
            Self { names: BTreeMap::new(), licences: BTreeMap::new(), needs: BTreeMap::new() };
        for package in metadata["packages"].as_array().unwrap() {
            graph.names.insert(text(&package["id"]), text(&package["name"]));
            graph.licences.insert(text(&package["id"]), text(&package["license"]));
        }
        for node in metadata["resolve"]["nodes"].as_array().unwrap() {
            let deps = node["deps"].as_array().unwrap().iter().map(|dep| {
                let kinds = dep["dep_kinds"].as_array().unwrap();
                (text(&dep["pkg"]), kinds.iter().any(|kind| kind["kind"].is_null()))
            });
            graph.needs.insert(text(&node["id"]), deps.collect());
        }
        graph
    }

    fn id_of(&self, name: &str) -> &str {
        let found = self.names.iter().find(|(_, known)| *known == name);
        found.map(|(id, _)| id.as_str()).unwrap_or_else(|| panic!("no package {name}"))
    }

    /// Ids of everything that is linked into a package, itself included: no build or test parts.
    fn linked_into(&self, name: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut open = vec![self.id_of(name)];
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                let needs = self.needs.get(id).into_iter().flatten();
                open.extend(needs.filter(|(_, linked)| *linked).map(|(id, _)| id.as_str()));
            }
        }
        seen
    }

    fn names_linked_into(&self, name: &str) -> BTreeSet<&str> {
        self.linked_into(name)
            .into_iter()
            .filter_map(|id| self.names.get(id))
            .map(String::as_str)
            .collect()
    }

    fn direct(&self, name: &str) -> BTreeSet<&str> {
        let needs = self.needs.get(self.id_of(name)).into_iter().flatten();
        needs
            .filter(|(_, linked)| *linked)
            .filter_map(|(id, _)| self.names.get(id))
            .map(String::as_str)
            .collect()
    }
}

fn line_of(manifest: &str, name: &str) -> String {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let line = text.lines().position(|line| line.starts_with(name)).map_or(1, |index| index + 1);
    format!("{manifest}:{line}: {name}")
}

#[test]
fn core_is_built_from_nothing_that_runs_reads_or_draws() {
    const BANNED: [&str; 18] = [
        "tokio",
        "async-std",
        "futures-util",
        "mio",
        "socket2",
        "rustix",
        "nix",
        "ldap3",
        "lber",
        "sea-orm",
        "sqlx",
        "rusqlite",
        "reqwest",
        "hyper",
        "axum",
        "rand",
        "rustls",
        "tracing-subscriber",
    ];
    let graph = Graph::read();
    let linked = graph.names_linked_into("lapsed-core");
    let direct = graph.direct("lapsed-core");
    let broken: Vec<String> = BANNED
        .iter()
        .filter(|name| linked.contains(*name))
        .map(|name| {
            let how = if direct.contains(name) { "" } else { " (by way of another crate)" };
            format!("{}{how}", line_of("core/Cargo.toml", name))
        })
        .collect();
    uphold("core has no async runtime, file, socket, clock, randomness or database.", &broken);
}

#[test]
fn crates_depend_downwards_only() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("lapsed-core", [].as_slice()),
        ("lapsed-migrations", &[]),
        ("lapsed-connectors", &["lapsed-core"]),
        ("lapsed", &["lapsed-core", "lapsed-connectors", "lapsed-migrations"]),
        ("lapsed-tests", &["lapsed-core", "lapsed-connectors", "lapsed-migrations", "lapsed"]),
    ]);
    let graph = Graph::read();
    let mut broken = Vec::new();
    for (name, folder) in CRATES {
        for other in graph.direct(name) {
            let ours = CRATES.iter().any(|(known, _)| *known == other);
            if ours && !allowed[name].contains(&other) {
                broken.push(line_of(&format!("{folder}/Cargo.toml"), other));
            }
        }
    }
    uphold(
        "core depends on no other crate of the house, and nothing on the daemon but the tests.",
        &broken,
    );
}

#[test]
fn each_strong_tool_is_in_the_hands_of_one_crate() {
    let owners = [
        ("ldap3", "lapsed-connectors"),
        ("lber", "lapsed-connectors"),
        ("serde-saphyr", "lapsed"),
        ("sea-orm", "lapsed"),
        ("sea-orm-migration", "lapsed-migrations lapsed"),
    ];
    let graph = Graph::read();
    let mut broken = Vec::new();
    for (name, folder) in CRATES.iter().filter(|(name, _)| *name != "lapsed-tests") {
        let direct = graph.direct(name);
        for (tool, owner) in owners {
            if direct.contains(tool) && !owner.split(' ').any(|owner| owner == *name) {
                broken.push(line_of(&format!("{folder}/Cargo.toml"), tool));
            }
        }
    }
    uphold("LDAP is the connectors' tool, the database and YAML are the daemon's.", &broken);
}

#[test]
fn there_is_one_stack_for_encryption() {
    let graph = Graph::read();
    let linked = graph.names_linked_into("lapsed");
    let broken: Vec<String> = banned_in_deny_toml()
        .into_iter()
        .filter(|name| linked.contains(name.as_str()))
        .map(|name| format!("Cargo.lock:1: {name} is linked into lapsed"))
        .collect();
    uphold("rustls with ring is the one TLS stack; what deny.toml bans is not linked.", &broken);
}

#[test]
fn every_licence_is_on_the_list() {
    let allowed = allowed_in_deny_toml();
    let graph = Graph::read();
    let mut broken = Vec::new();
    for id in graph.linked_into("lapsed") {
        let licence = &graph.licences[id];
        if !is_allowed(licence, &allowed) {
            broken.push(format!("Cargo.lock:1: {} is under {licence:?}", graph.names[id]));
        }
    }
    uphold("Everything that is linked is under a licence that deny.toml allows.", &broken);
}

fn quoted(line: &str) -> Option<String> {
    line.split('"').nth(1).map(str::to_owned)
}

/// The lines between `key = [` and `]` of deny.toml.
fn list_in_deny_toml(key: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join("deny.toml")).unwrap();
    let start = format!("{key} = [");
    let list: Vec<String> = text
        .lines()
        .skip_while(|line| *line != start)
        .skip(1)
        .take_while(|line| *line != "]")
        .map(str::to_owned)
        .collect();
    assert!(!list.is_empty(), "deny.toml has no list {key}");
    list
}

fn allowed_in_deny_toml() -> Vec<String> {
    list_in_deny_toml("allow").iter().filter_map(|line| quoted(line)).collect()
}

fn banned_in_deny_toml() -> Vec<String> {
    list_in_deny_toml("deny").iter().filter_map(|line| quoted(line)).collect()
}

/// Judges an SPDX expression: every part of an AND, any part of an OR.
fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let expression = expression.replace('/', " OR ");
    let any = |part: &str| {
        let part = part.trim().trim_start_matches('(').trim_end_matches(')');
        part.split(" OR ").any(|name| allowed.iter().any(|known| known == name.trim()))
    };
    // An OR outside of parentheses offers whole choices; inside, it is one part of an AND.
    if expression.contains('(') {
        expression.split(" AND ").all(any)
    } else {
        expression.split(" OR ").any(|choice| choice.split(" AND ").all(any))
    }
}

#[test]
fn licence_expressions_are_read_as_they_are_meant() {
    let allowed = ["MIT".to_owned(), "Unicode-3.0".to_owned()];
    for good in ["MIT", "MIT OR GPL-3.0", "GPL-3.0/MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND OpenSSL"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}

/// What a crate of ours is built from by a lock file, by names.
fn locked(file: &str) -> BTreeMap<String, BTreeSet<String>> {
    let text = fs::read_to_string(root().join(file)).unwrap();
    let named = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let mut all = BTreeMap::new();
    for package in text.split("[[package]]").skip(1) {
        let name = package.lines().find(|line| line.starts_with("name = ")).map(named);
        let needs = package.lines().filter(|line| line.starts_with(" \""));
        let needs = needs.map(|line| named(line).split(' ').next().unwrap_or_default().to_owned());
        all.insert(name.unwrap_or_default(), needs.collect());
    }
    all
}

/// The readers are fuzzed in a workspace of their own, which cargo does not keep up with this one.
#[test]
fn the_fuzzed_crates_are_locked_to_what_they_need() {
    let (ours, fuzzed) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let shared: Vec<_> = CRATES.iter().filter(|(name, _)| fuzzed.contains_key(*name)).collect();
    assert!(shared.len() > 2, "{shared:?}");
    for (name, _) in shared {
        // What tests alone need is in the workspace's own lock file only.
        let needed = crates_needed(name).into_iter().filter(|need| ours[*name].contains(need));
        let missing: Vec<_> = needed.filter(|need| !fuzzed[*name].contains(need)).collect();
        assert!(
            missing.is_empty(),
            "run `cargo update --workspace` in fuzz: {name} needs {missing:?}"
        );
        assert!(fuzzed[*name].is_subset(&ours[*name]), "{name}");
    }
}

/// What the manifest of a crate of ours names as needed outside of its tests.
fn crates_needed(name: &str) -> Vec<String> {
    let (_, folder) = CRATES.iter().find(|(known, _)| known == &name).unwrap();
    let text = fs::read_to_string(root().join(folder).join("Cargo.toml")).unwrap();
    let needed = text.split("\n[dependencies]\n").nth(1).unwrap_or_default();
    let needed = needed.split("\n[").next().unwrap_or_default();
    let named = needed.lines().filter(|line| line.contains('=') && !line.starts_with('#'));
    named.map(|line| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned()).collect()
}
