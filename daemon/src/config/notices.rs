//! Notices as the YAML writes them: who is told what by mail (D9, A10, S7).

use super::File;
use super::problem::Problem;
use super::tree::{Node, Part};
use super::values::{AbsolutePath, TimeOfDay};
use crate::notices::Wording;
use lapsed_core::facts::SourceName;
use lapsed_core::notice_rules::{Kind, Rules};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who is told what by mail; it goes out by the server under `mail`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoticeSettings {
    /// Mail addresses of account management: the digest, and whatever finds nobody else.
    pub account_management: Vec<String>,
    /// Mail addresses of those who are called when something is wrong; account management where empty.
    #[serde(default)]
    pub on_call: Vec<String>,
    /// Mail addresses that get the receipts of a feed's drops, by the feed's name.
    #[serde(default)]
    pub receipts: BTreeMap<SourceName, Vec<String>>,
    /// What is otherwise for a kind of notice: not sent, or to others.
    #[serde(default)]
    #[schemars(schema_with = "kinds_schema")]
    pub kinds: BTreeMap<Kind, KindRule>,
    /// Calendar days before each deletion by which the second notice goes out, on a work day (D9).
    #[serde(default = "two_days")]
    #[schemars(range(min = 1, max = 90))]
    pub remind_days_before: u16,
    /// When the daily digest goes out.
    #[serde(default = "morning")]
    pub digest_at: TimeOfDay,
    /// So many notices of one kind go to one address within an hour; what is more waits for the digest.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 10_000))]
    pub flood: u32,
    /// Send a notice again of which it is not known whether the mail server took it: twice rather than
    /// never.
    #[serde(default)]
    pub send_unverified_again: bool,
    /// A folder with your own wording: `manager.txt` and so on; built-in wording for files not there.
    #[serde(default)]
    pub templates: Option<AbsolutePath>,
    /// Minutes after which a departure in effect whose account is still open is an alarm.
    #[serde(default = "half_an_hour")]
    #[schemars(range(min = 1, max = 10_080))]
    pub not_shut_minutes: u32,
    /// Minutes that a target may be silent before it is an alarm.
    #[serde(default = "half_an_hour")]
    #[schemars(range(min = 1, max = 10_080))]
    pub connector_down_minutes: u32,
    /// Free space below which the disk of the state is an alarm, in MiB; 0 for never.
    #[serde(default = "five_hundred")]
    pub disk_low_mib: u64,
    /// The wording in force.
    #[serde(skip)]
    pub wording: Wording,
}

/// What is otherwise for a kind of notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KindRule {
    /// Whether notices of the kind are sent at all.
    pub send: bool,
    /// Mail addresses that get them instead of those for whom the kind is.
    pub to: Vec<String>,
    /// Mail addresses that get them, too.
    pub copy_to: Vec<String>,
}

impl Default for KindRule {
    fn default() -> Self {
        Self { send: true, to: Vec::new(), copy_to: Vec::new() }
    }
}

/// A map whose keys are kinds: the derived schema says nothing of keys.
fn kinds_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<Kind>(),
        "additionalProperties": generator.subschema_for::<KindRule>(),
    })
}

impl NoticeSettings {
    /// What the rules of notices need to know.
    #[must_use]
    pub fn rules(&self) -> Rules {
        let kinds = Kind::ALL.into_iter().filter(|kind| self.rule(*kind).send).collect();
        Rules { kinds, remind_days_before: self.remind_days_before }
    }

    /// What is said of a kind.
    #[must_use]
    pub fn rule(&self, kind: Kind) -> KindRule {
        self.kinds.get(&kind).cloned().unwrap_or_default()
    }

    /// Every address with the path of its key.
    pub(super) fn addresses<'a>(&'a self) -> Vec<(String, &'a String)> {
        let mut lists: Vec<(String, &'a Vec<String>)> = vec![
            ("notices.account_management".into(), &self.account_management),
            ("notices.on_call".into(), &self.on_call),
        ];
        lists.extend(self.receipts.iter().map(|(f, l)| (format!("notices.receipts.{f}"), l)));
        for (kind, rule) in &self.kinds {
            lists.push((format!("notices.kinds.{kind}.to"), &rule.to));
            lists.push((format!("notices.kinds.{kind}.copy_to"), &rule.copy_to));
        }
        let numbered = |(path, list): (String, &'a Vec<String>)| {
            list.iter().enumerate().map(move |(at, one)| (format!("{path}[{at}]"), one))
        };
        lists.into_iter().flat_map(numbered).collect()
    }
}

const TEMPLATES: &str = "notices.templates";

/// Reads the agency's own wording, and tries it.
pub(super) fn read_wording(file: &mut File, tree: &Node) -> Vec<Problem> {
    let Some(notices) = &mut file.notices else { return Vec::new() };
    let Some(folder) = &notices.templates else { return Vec::new() };
    match Wording::of_folder(folder.as_path()) {
        Ok(wording) => {
            notices.wording = wording;
            Vec::new()
        }
        Err(faults) => {
            let place = tree.place_of(&Part::path(TEMPLATES));
            let problem = |fault: String| {
                Problem::new(place, TEMPLATES, fault)
                    .advise("compare with the built-in wording: lapsed notices --preview KIND")
            };
            faults.into_iter().map(problem).collect()
        }
    }
}

fn two_days() -> u16 {
    2
}
fn twenty() -> u32 {
    20
}
fn half_an_hour() -> u32 {
    30
}
fn five_hundred() -> u64 {
    500
}
fn morning() -> TimeOfDay {
    TimeOfDay::built_in(7, 30)
}
