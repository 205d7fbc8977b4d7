//! Laws about docs/threats.md: it names tests that are there, and says of every call who may make it.

use super::{root, uphold};
use lapsed::control::endpoints::{ENDPOINTS, Method};
use std::fs;
use std::path::Path;

fn page() -> String {
    fs::read_to_string(root().join("docs/threats.md")).unwrap()
}

fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_threat_model_names_is_there() {
    let mut all = String::new();
    for folder in ["core", "connectors/src", "daemon", "tests/src", "tests/tests"] {
        sources(&root().join(folder), &mut all);
    }
    let page = page();
    let quoted = page.split('`').skip(1).step_by(2);
    let is_name = |text: &&str| text.contains('_') && !text.contains(['.', ' ', '/']);
    let mut broken = Vec::new();
    for name in quoted.filter(is_name) {
        let scenario = root().join("tests/scenarios").join(name).is_dir();
        if !scenario && !all.contains(&format!("fn {name}(")) {
            broken.push(format!("docs/threats.md:1: {name}"));
        }
    }
    uphold("The threat model names tests and scenarios that are there.", &broken);
}

#[test]
fn the_threat_model_has_a_row_for_every_call_with_its_least_role() {
    let page = page();
    let mut broken = Vec::new();
    for endpoint in ENDPOINTS {
        let method = match endpoint.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let row = format!("| `{}` | {method} | {} |", endpoint.path, endpoint.needs);
        if !page.lines().any(|line| line == row) {
            broken.push(format!("docs/threats.md:1: {row}"));
        }
    }
    let rows = page.lines().filter(|line| line.starts_with("| `/v1/")).count();
    if rows != ENDPOINTS.len() {
        broken.push(format!("docs/threats.md:1: {rows} rows for {} calls", ENDPOINTS.len()));
    }
    uphold("Who may make a call stands in docs/threats.md as the daemon has it.", &broken);
}
