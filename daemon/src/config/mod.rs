//! The configuration: YAML text to checked values, with every mistake told at once and at its place.
//!
//! The text is read once into a tree that knows its places ([`tree`]), held against the JSON Schema
//! ([`shape`]), turned into the sections' types ([`sections`], [`values`]) and then judged as a whole
//! ([`rules`]). No secret is ever in it: only files and systemd credentials that hold them are named.

mod access_form;
mod access_rules;
mod access_times;
mod approver_rules;
mod calendar;
mod changes;
mod connectors;
mod feeds;
mod glance;
mod help_desk;
mod notices;
mod pattern;
mod problem;
mod rules;
mod scalar;
mod sections;
mod shape;
mod tree;
mod typed;
mod values;

#[cfg(test)]
mod tests;

pub use access_form::{
    AccessFormError, MOST_BYTES as MOST_FORM_BYTES, access_form_schema, form_named_in,
    read_access_form,
};
pub use changes::policy_changes;
pub use connectors::ConnectorSettings;
pub use feeds::Feed;
pub use glance::socket_named_in;
pub use help_desk::{HelpDesk, TicketWords};
pub use notices::{KindRule, NoticeSettings};
pub use pattern::FilePattern;
pub use problem::{ConfigErrors, Place, Problem, Warning};
pub use sections::{
    Agency, Audit, Confirmations, Control, Execution, File, Forms, Inbox, LogFormat, LogLevel,
    Logging, Members, Role, Roles, Schedule, SecretSource, State,
};
pub use values::{
    AbsolutePath, BadValue, CredentialName, CronPattern, DatabaseUrl, TimeOfDay, ZoneName,
};

use jiff::tz::TimeZone;
use lapsed_connectors::mail::MailSettings;
use lapsed_core::facts::{ConnectorName, SourceName};
use lapsed_core::policy::Policy;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::OnceLock;

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
    /// The server that takes the daemon's mail.
    pub mail: Option<MailSettings>,
    /// What becomes a ticket.
    pub help_desk: Option<HelpDesk>,
    /// Who is told what by mail.
    pub notices: Option<NoticeSettings>,
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
            policy: file.policy(),
            agency: file.agency,
            feeds: file.feeds,
            connectors: file.connectors,
            mail: file.mail,
            help_desk: file.help_desk,
            notices: file.notices,
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
    let advice = "check the path, and that the daemon's account may read it";
    let bytes = read_bounded(path).map_err(|message| whole(Problem::of_file(message, advice)))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => parse_beside(text, &name, path.parent()),
        Err(error) => Err(not_utf8(&name, &bytes, error.valid_up_to())),
    }
}

/// Checks a configuration's text; `file_name` is what messages call it. No other file is read, so that
/// the holidays of `work_days.calendar_file` are not in it.
///
/// # Errors
/// Everything that is wrong with it, each with file, line, column and advice.
pub fn parse(text: &str, file_name: &str) -> Result<(Config, Vec<Warning>), ConfigErrors> {
    parse_beside(text, file_name, None)
}

/// The JSON Schema of the configuration, for editors.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        schemars::generate::SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<File>()
            .to_value()
    })
}

/// The bytes of a file that a person wrote.
fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let failed = |error: std::io::Error| format!("the file can't be read: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err("the file is larger than 4 MiB; this can't be the right one".into());
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
    let json = shape::Shape::new(schema()).check(&tree, &mut problems);
    let file = json.and_then(|json| typed::read(json, &tree, &mut problems));
    let mut warnings = Vec::new();
    let file = file.map(|mut file| {
        problems.extend(folder.and_then(|folder| calendar::add(&mut file, folder, &tree)));
        if folder.is_some() {
            problems.extend(notices::read_wording(&mut file, &tree));
        }
        rules::judge(&file, &tree, &mut problems, &mut warnings);
        file
    });
    match file {
        Some(file) if problems.is_empty() => {
            let warnings = warnings.into_iter().map(|w| Warning::new(w, name, text)).collect();
            Ok((Config::new(file), warnings))
        }
        _ => Err(ConfigErrors::new(name, text, problems)),
    }
}
