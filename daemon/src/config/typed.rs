//! JSON of the right shape to the sections' types, whose own checks find what no schema tells.

use super::problem::Problem;
use super::tree::{Node, Part};
use super::{File, connectors, feeds};
use serde_json::Value;

/// Turns the JSON into the sections' types. A value that its type refuses is noted and taken away,
/// and the rest is tried again, so that one run names all of them.
pub(super) fn read(mut json: Value, tree: &Node, problems: &mut Vec<Problem>) -> Option<File> {
    feeds::apart(&mut json);
    connectors::by_kind(&mut json);
    let mut removed = !problems.is_empty();
    // Each turn takes something away, so that the number of turns is bounded by the size of the file.
    for _ in 0..1_000 {
        let error = match serde_path_to_error::deserialize::<_, File>(&json) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let mut path = parts(error.path());
        let message = error.inner().to_string();
        path.extend(refused_key(tree, &written(&path), &message));
        // What was taken away is missing now, and its list has other numbers: neither is the file's fault.
        let shifted = path.iter().any(|part| matches!(part, Part::Index(_)))
            && problems.iter().any(|told| shares_list(&told.path, &written(&path)));
        let follows = removed && message.starts_with("missing field");
        if !follows && !shifted {
            problems.push(value_problem(tree, &written(&path), &message));
        }
        if path.is_empty() || !take_away(&mut json, &mut path) {
            return None;
        }
        removed = true;
    }
    None
}

/// True where the told path leads through the list that the other one leads through first.
fn shares_list(told: &str, path: &[Part]) -> bool {
    let list: Vec<Part> =
        path.iter().take_while(|part| matches!(part, Part::Key(_))).cloned().collect();
    told.starts_with(&format!("{}[", Part::dotted(&list)))
}

/// The path as it is in the YAML, where a feed has no `spec` and a connector no variant.
fn written(path: &[Part]) -> Vec<Part> {
    let added = |(index, part): &(usize, &Part)| match path.first() {
        Some(Part::Key(section)) if section == "feeds" => {
            *index == 2 && matches!(part, Part::Key(key) if key == feeds::SPEC)
        }
        Some(Part::Key(section)) if section == "connectors" => *index == 2,
        _ => false,
    };
    path.iter().enumerate().filter(|at| !added(at)).map(|(_, part)| part.clone()).collect()
}

fn value_problem(tree: &Node, path: &[Part], message: &str) -> Problem {
    // serde_json adds where in *its* text it stopped; ours is known better.
    let sentence = message.split(" at line ").next().unwrap_or(message);
    let bare = if sentence.contains("date") { "write a date as 2026-11-26" } else { "" };
    let (sentence, advice) = sentence.split_once("; ").unwrap_or((sentence, bare));
    Problem::new(tree.place_of(path), Part::dotted(path), sentence).advise(advice)
}

/// The key that a message is about, where the path stops at the map that has it.
fn refused_key(tree: &Node, path: &[Part], message: &str) -> Option<Part> {
    let key = message.strip_prefix("unknown variant `")?.split('`').next()?;
    let node = tree.follow(path)?;
    node.entry(key).map(|entry| Part::Key(entry.key.clone()))
}

/// Removes what the path leads to.
fn take_away(json: &mut Value, path: &mut Vec<Part>) -> bool {
    let Some(last) = path.pop() else { return false };
    let mut value = json;
    for part in path.iter() {
        let next = match part {
            Part::Key(key) => value.get_mut(key.as_str()),
            Part::Index(index) => value.get_mut(*index),
        };
        match next {
            Some(next) => value = next,
            None => return false,
        }
    }
    match (last, value) {
        (Part::Key(key), Value::Object(map)) => map.remove(&key).is_some(),
        (Part::Index(index), Value::Array(items)) if index < items.len() => {
            items.remove(index);
            true
        }
        _ => false,
    }
}

fn parts(path: &serde_path_to_error::Path) -> Vec<Part> {
    use serde_path_to_error::Segment;
    path.iter()
        .enumerate()
        .filter_map(|(index, segment)| match segment {
            Segment::Seq { index } => Some(Part::Index(*index)),
            Segment::Map { key } => Some(Part::Key(key.clone())),
            // A connector's variant is a key of the JSON that `by_kind` makes.
            Segment::Enum { variant } if index == 2 => Some(Part::Key(variant.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}
