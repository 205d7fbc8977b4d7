//! The example of the repository's root: it loads, it is complete, and so is the schema beside it.

use super::super::{problem::Problem, schema, shape::Shape, tree, tree::Kind, tree::Node};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const EXAMPLE: &str = include_str!("../../../../config.example.yaml");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn the_example_loads_and_warns_only_of_deletions_that_wait() {
    let (config, warnings) = super::super::load(&root().join("config.example.yaml"))
        .unwrap_or_else(|errors| panic!("{errors}"));
    let paths: Vec<&str> = warnings.iter().map(|warning| warning.problem.path.as_str()).collect();
    assert_eq!(paths, ["departure.mailbox.connector", "departure.home.connector"]);
    assert_eq!(config.feeds.len(), 1);
}

#[test]
fn the_example_says_what_the_defaults_of_the_policy_are() {
    use lapsed_core::policy::{naming::default_locations, work_days::missouri_state_holidays};
    let (config, _) = super::super::parse(EXAMPLE, "config.example.yaml").unwrap();
    assert_eq!(config.policy.locations, default_locations());
    assert_eq!(config.policy.work_days.yearly, missouri_state_holidays());
    assert_eq!(config.policy.guard, Default::default());
    assert_eq!(config.schedule.full_reconcile, super::super::Schedule::default().full_reconcile);
    assert_eq!(config.execution, Default::default());
    assert_eq!(config.logging, Default::default());
    let shown = config.policy.naming;
    let built_in = lapsed_core::policy::naming::NamingPolicy::default();
    // More kinds of person stand in the YAML (N8): those whom access forms know (A5).
    assert!(built_in.kinds.iter().all(|(kind, rule)| shown.kinds.get(kind) == Some(rule)));
    assert!(built_in.functions.iter().all(|(code, what)| shown.functions.get(code) == Some(what)));
    let naming = lapsed_core::policy::naming::NamingPolicy {
        reserved: shown.reserved.clone(),
        kinds: shown.kinds.clone(),
        functions: shown.functions.clone(),
        ..built_in
    };
    assert_eq!(shown, naming);
}

/// The example with every setting in use that stands there behind a `#`.
fn everything_in_use() -> String {
    let uncommented = EXAMPLE.lines().map(|line| {
        let text = line.trim_start();
        let indent = &line[..line.len() - text.len()];
        match text.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') && !setting.is_empty() => {
                format!("{indent}{setting}\n")
            }
            _ => format!("{line}\n"),
        }
    });
    // An empty map or list gives way to what stands commented below it.
    let lines: Vec<String> = uncommented.collect();
    let deeper = |index: usize| {
        let indent = |line: &str| line.len() - line.trim_start().len();
        let next = lines[index + 1..].iter().find(|line| !line.trim_start().starts_with('#'));
        next.is_some_and(|next| indent(next) > indent(&lines[index]))
    };
    let open = |(index, line): (usize, &String)| {
        let empty = line.ends_with(": {}\n") || line.ends_with(": []\n");
        if empty && deeper(index) {
            format!("{}:\n", &line[..line.len() - 5])
        } else {
            line.clone()
        }
    };
    lines.iter().enumerate().map(open).collect()
}

#[test]
fn the_example_has_every_key_that_there_is() {
    let schema = schema();
    let text = everything_in_use();
    let mut problems: Vec<Problem> = Vec::new();
    let tree = tree::read(&text, &mut problems).unwrap_or_else(|problem| panic!("{problem:?}"));
    let shape = Shape::new(schema);
    assert!(shape.check(&tree, &mut problems).is_some());
    assert_eq!(problems, [], "with every commented setting in use");
    let (mut seen, mut known) = (BTreeSet::new(), BTreeSet::new());
    collect_seen(&shape, schema, &tree, &mut seen);
    collect_known(&shape, schema, "", &mut Vec::new(), &mut known);
    let addresses: BTreeSet<usize> = seen;
    let missing: Vec<String> = known
        .into_iter()
        .filter(|(address, _)| !addresses.contains(address))
        .map(|(_, path)| path)
        .collect();
    assert_eq!(missing, Vec::<String>::new(), "keys that are not in config.example.yaml");
}

/// A property's schema, told apart from all others by where it stands in memory.
fn address(schema: &Value) -> usize {
    std::ptr::from_ref(schema) as usize
}

/// Schemas of the properties that occur in the tree.
fn collect_seen<'s>(shape: &Shape<'s>, schema: &'s Value, node: &Node, seen: &mut BTreeSet<usize>) {
    for option in shape.options(schema) {
        match &node.kind {
            Kind::Map(entries) => {
                let (known, others) = shape.children(option);
                for entry in entries {
                    if let Some(child) = known.get(entry.key.as_str()) {
                        seen.insert(address(child));
                        collect_seen(shape, child, &entry.value, seen);
                    } else if let Some(child) = others {
                        collect_seen(shape, child, &entry.value, seen);
                    }
                }
            }
            Kind::List(items) => {
                for (child, item) in
                    option.get("items").into_iter().flat_map(|c| items.iter().map(move |i| (c, i)))
                {
                    collect_seen(shape, child, item, seen);
                }
            }
            Kind::Scalar { .. } => {}
        }
    }
}

/// Schemas of all properties that there are, each with one path to it.
fn collect_known<'s>(
    shape: &Shape<'s>,
    schema: &'s Value,
    path: &str,
    above: &mut Vec<usize>,
    known: &mut BTreeSet<(usize, String)>,
) {
    for option in shape.options(schema) {
        if above.contains(&address(option)) {
            continue;
        }
        above.push(address(option));
        let (properties, others) = shape.children(option);
        for (key, child) in properties {
            let path = format!("{path}.{key}");
            if !known.iter().any(|(address_of, _)| *address_of == address(child)) {
                known.insert((address(child), path.clone()));
            }
            collect_known(shape, child, &path, above, known);
        }
        for child in others.into_iter().chain(option.get("items")) {
            collect_known(shape, child, &format!("{path}.*"), above, known);
        }
        above.pop();
    }
}

#[test]
fn the_schema_file_is_current() {
    let path = root().join("config.schema.json");
    let current = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(file == current, "config.schema.json is old; run this test with UPDATE_SCHEMA=1");
}

#[test]
fn the_schema_file_of_access_forms_is_current() {
    let path = root().join("docs/access-form.schema.json");
    let current = format!("{:#}\n", crate::config::access_form_schema());
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    let file: serde_json::Value = serde_json::from_str(&file).unwrap_or_default();
    let is_current = file == *crate::config::access_form_schema();
    assert!(is_current, "{} is old; run this test with UPDATE_SCHEMA=1", path.display());
}
