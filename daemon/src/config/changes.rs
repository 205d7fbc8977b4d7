//! What differs between two configurations, for the reload that shows it (D15).

use super::Config;
use serde_json::Value;
use std::collections::BTreeSet;

/// Longer lists (holidays) are compared item by item.
const SHORT_LIST: usize = 4;

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
    if let (Some(Value::Array(before)), Some(Value::Array(after))) = (old, new)
        && before.len().max(after.len()) > SHORT_LIST
    {
        let gone = before.iter().filter(|item| !after.contains(item));
        let come = after.iter().filter(|item| !before.contains(item));
        let lines = gone.map(|item| (item, "removed")).chain(come.map(|item| (item, "added")));
        let earlier = changes.len();
        changes.extend(lines.map(|(item, what)| {
            super::problem::shown(&format!("{path}: {what} {}", written(Some(item))))
        }));
        if changes.len() > earlier {
            return;
        }
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
