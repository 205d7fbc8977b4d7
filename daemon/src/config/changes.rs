//! What differs between two configurations, for the reload that shows it (D15).

use super::Config;
use serde_json::Value;
use std::collections::BTreeSet;

/// Changed settings, one a line: `departure.mailbox.retention_days: 14 → 10`; sorted by path.
#[must_use]
pub fn policy_changes(old: &Config, new: &Config) -> Vec<String> {
    let mut changes = Vec::new();
    compare("", Some(old.settings()), Some(new.settings()), &mut changes);
    changes
}

fn compare(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<String>) {
    if old == new {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (old, new) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys {
            compare(&super::shape::join(path, key), before.get(key), after.get(key), changes);
        }
        return;
    }
    let line = format!("{path}: {} → {}", written(old), written(new));
    changes.push(super::problem::shown(&line));
}

fn written(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "not set".into(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
