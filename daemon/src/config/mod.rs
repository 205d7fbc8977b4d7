//! The configuration: YAML text to checked values, with every mistake told at once and at its place.
//!
//! The text is read once into a tree that knows its places ([`tree`]), held against the JSON Schema
//! ([`shape`]), turned into the sections' types ([`sections`], [`values`]) and then judged as a whole
//! ([`rules`]). No secret is ever in it: only files and systemd credentials that hold them are named.

mod changes;
mod pattern;
mod problem;
mod rules;
mod sections;
mod shape;
mod standin;
mod tree;
mod values;

#[cfg(test)]
mod tests;

pub use changes::policy_changes;
pub use pattern::FilePattern;
pub use problem::{ConfigErrors, Place, Problem, Warning};
pub use sections::{
    Agency, Audit, Control, Execution, File, Inbox, LogFormat, LogLevel, Logging, Members, Role,
    Roles, Schedule, SecretSource, State,
};
pub use standin::{ConnectorSettings, Feed};
pub use values::{
    AbsolutePath, BadValue, CredentialName, CronPattern, DatabaseUrl, TimeOfDay, ZoneName,
};

use jiff::tz::TimeZone;
use lapsed_core::facts::{ConnectorName, SourceName};
use lapsed_core::policy::Policy;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use tree::{Node, Part};

/// A larger configuration is refused unread.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

/// A configuration that was checked as a whole.
#[derive(Debug, Clone)]
pub struct Config {
    /// Who runs this.
    pub agency: Agency,
    /// The agency's zone: every calendar date is a date there.
    pub time_zone: TimeZone,
    /// All rules that decide.
    pub policy: Policy,
    /// What each source sends.
    pub feeds: BTreeMap<SourceName, Feed>,
    /// The targets.
    pub connectors: BTreeMap<ConnectorName, ConnectorSettings>,
    /// Where the state is kept.
    pub state: State,
    /// The record of everything done.
    pub audit: Audit,
    /// The control socket and its roles.
    pub control: Control,
    /// The inbox.
    pub inbox: Inbox,
    /// When the daemon looks by itself.
    pub schedule: Schedule,
    /// How fast it works.
    pub execution: Execution,
    /// What it says.
    pub logging: Logging,
    /// Every setting with its defaults filled in, to compare with another configuration.
    settings: Value,
}

impl Config {
    fn new(file: File) -> Self {
        let settings = serde_json::to_value(&file).unwrap_or_default();
        Self {
            time_zone: file.agency.time_zone.zone().clone(),
            policy: Policy {
                time_zone: file.agency.time_zone.as_str().to_owned(),
                locations: file.locations,
                naming: file.naming,
                departure: file.departure,
                work_days: file.work_days,
                guard: file.guard,
                citations: file.citations,
            },
            agency: file.agency,
            feeds: file.feeds,
            connectors: file.connectors,
            state: file.state,
            audit: file.audit,
            control: file.control,
            inbox: file.inbox,
            schedule: file.schedule,
            execution: file.execution,
            logging: file.logging,
            settings,
        }
    }

    /// Every setting with its defaults filled in; no secret is among them.
    #[must_use]
    pub fn settings(&self) -> &Value {
        &self.settings
    }
}

/// Reads and checks a configuration file.
///
/// # Errors
/// Everything that is wrong with it, each with file, line, column and advice.
pub fn load(path: &Path) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let name = path.display().to_string();
    let whole = |problem| ConfigErrors::new(&name, "", vec![problem]);
    let bytes = read_bounded(path).map_err(whole)?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse_beside(text, &name, path.parent()),
        Err(error) => Err(not_utf8(&name, &bytes, error.valid_up_to())),
    }
}

/// Checks a configuration's text; `file_name` is what messages call it.
///
/// # Errors
/// Everything that is wrong with it, each with file, line, column and advice.
pub fn parse(text: &str, file_name: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    parse_beside(text, file_name, None)
}

/// The JSON Schema of the configuration, for editors.
#[must_use]
pub fn schema() -> Value {
    schemars::generate::SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<File>()
        .to_value()
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, Problem> {
    let failed = |error: std::io::Error| {
        Problem::of_file(
            format!("the file can't be read: {error}"),
            "check the path, and that the daemon's account may read it",
        )
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(Problem::of_file(
            "the file is larger than 4 MiB, which no configuration is",
            "check that the path leads to the configuration",
        ));
    }
    Ok(bytes)
}

fn not_utf8(name: &str, bytes: &[u8], valid: usize) -> ConfigErrors {
    let good = String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()).into_owned();
    let line = good.matches('\n').count() + 1;
    let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let problem = Problem::new(Place { line, column, width: 1 }, "", "this byte is not UTF-8")
        .advise("save the file as UTF-8; an editor may have used Windows-1252");
    ConfigErrors::new(name, &String::from_utf8_lossy(bytes), vec![problem])
}

fn parse_beside(
    text: &str,
    name: &str,
    folder: Option<&Path>,
) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    let mut problems = Vec::new();
    let tree = match tree::read(text, &mut problems) {
        Ok(tree) => tree,
        Err(problem) => {
            problems.push(problem);
            return Err(ConfigErrors::new(name, text, problems));
        }
    };
    let schema = schema();
    let json = shape::Shape::new(&schema).check(&tree, &mut problems);
    let file = json.and_then(|json| typed(json, &tree, &mut problems));
    let mut warnings = Vec::new();
    if let Some(file) = &file {
        rules::judge(file, &tree, &mut problems, &mut warnings);
    }
    let _ = folder;
    match file {
        Some(file) if problems.is_empty() => {
            let warnings = warnings.into_iter().map(|w| Warning::new(w, name, text)).collect();
            Ok((Config::new(file), warnings))
        }
        _ => Err(ConfigErrors::new(name, text, problems)),
    }
}

/// Turns the JSON into the sections' types. A value that its type refuses is noted and taken away,
/// and the rest is tried again, so that one run names all of them.
fn typed(mut json: Value, tree: &Node, problems: &mut Vec<Problem>) -> Option<File> {
    let mut removed = !problems.is_empty();
    // Each turn takes something away, so that the number of turns is bounded by the size of the file.
    for _ in 0..1_000 {
        let error = match serde_path_to_error::deserialize::<_, File>(&json) {
            Ok(file) => return Some(file),
            Err(error) => error,
        };
        let mut path = parts(error.path());
        let message = error.inner().to_string();
        path.extend(refused_key(tree, &path, &message));
        let follows = removed && message.starts_with("missing field");
        if !follows {
            problems.push(value_problem(tree, &path, &message));
        }
        if path.is_empty() || !take_away(&mut json, &mut path) {
            return None;
        }
        removed = true;
    }
    None
}

fn value_problem(tree: &Node, path: &[Part], message: &str) -> Problem {
    // serde_json adds where in *its* text it stopped; ours is known better.
    let sentence = message.split(" at line ").next().unwrap_or(message);
    let (sentence, advice) = sentence.split_once("; ").unwrap_or((sentence, ""));
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
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Part::Index(*index)),
            Segment::Map { key } => Some(Part::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}
