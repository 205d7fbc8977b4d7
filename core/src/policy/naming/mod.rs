//! User IDs by the naming standard (N).
//!
//! [`propose`] answers one request; a [`Namer`] answers many without counting duplicates anew;
//! [`candidates`] lists what may be tried, best first, for a caller that has to ask a database.

mod error;
mod letters;
mod locations;
mod namer;
mod rename;
mod stem;
#[cfg(test)]
mod tests;

pub use error::{NamePart, NamingError};
pub(crate) use letters::address_word;
pub use locations::{default_locations, find_location};
pub use namer::{Candidates, Namer, TakenIds, candidates, fits, fold_id, propose};
pub use rename::{Change, KeepReason, RenameDecision, RenameRules, must_rename};

use crate::facts::{LocationId, PersonKind, PersonName};
use crate::policy::RuleFault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Naming rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NamingPolicy {
    /// What every user ID starts with (N1).
    pub prefix: String,
    /// How many letters of the last name a staff ID has (N2).
    pub last_name_letters: u8,
    /// How many letters of the first name follow them (N2, N8).
    pub first_name_letters: u8,
    /// Words at the end of the last-name field that are no part of the name, such as `Jr` (N3).
    pub drop_suffixes: Vec<String>,
    /// ASCII letters for a letter, instead of the usual ones: `ü: ue`. Capitals follow by themselves.
    pub transliterate: BTreeMap<char, String>,
    /// Longest user ID in characters; Active Directory allows 20 (N8).
    pub max_length: u8,
    /// Highest number that tells duplicates of one ID apart (N4, N8).
    pub max_duplicates: u32,
    /// User IDs that nobody may get (N5); case does not matter.
    pub reserved: Vec<String>,
    /// Function codes of non-staff accounts and what each stands for, `con: consultant` (N8).
    pub functions: BTreeMap<String, String>,
    /// How the IDs of each kind of person are made. A function code is also a kind, without an entry.
    pub kinds: BTreeMap<PersonKind, KindRule>,
    /// The kind of those of whom none is known; absent: the kind must be given.
    pub default_kind: Option<PersonKind>,
    /// When accounts are renamed (N7).
    pub rename: RenameRules,
}

/// How the user IDs of one kind of person are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindRule {
    /// Which form applies.
    pub form: Form,
    /// The location that all of this kind get, whatever their own is: `y` for contract providers (N6).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationId>,
    /// The function that all of this kind get; absent: each request brings its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// Whether accounts of this kind follow changes of name and location (N7).
    #[serde(default)]
    pub renamed: bool,
}

/// The forms of a user ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Prefix, location, letters of the last name, letter of the first: `mzsmitj` (N2).
    Staff,
    /// Prefix, location, function code, last name, first initial: `mqconSmithJ` (N8).
    NonStaff,
    /// Prefix, location, function: `mzquadramed` (N8).
    Resource,
}

/// Who, or what, needs a user ID.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameRequest {
    /// The name, as HR gives it; a resource account may have its function as the last name.
    pub name: PersonName,
    /// The location that employs the person (N6).
    pub location: Option<LocationId>,
    /// The kind of person; `None`: the policy's default kind.
    pub kind: Option<PersonKind>,
    /// Function of a resource account, or function code of a non-staff one (N8).
    pub function: Option<String>,
}

impl Default for NamingPolicy {
    fn default() -> Self {
        let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
        Self {
            prefix: "m".into(),
            last_name_letters: 4,
            first_name_letters: 1,
            drop_suffixes: texts(&["Jr", "Sr", "II", "III", "IV"]),
            transliterate: BTreeMap::new(),
            max_length: 20,
            max_duplicates: 9999,
            reserved: Vec::new(),
            functions: [("con", "consultant"), ("int", "intern")]
                .map(|(code, meaning)| (code.to_owned(), meaning.to_owned()))
                .into(),
            kinds: default_kinds(),
            default_kind: PersonKind::new("staff").ok(),
            rename: RenameRules::default(),
        }
    }
}

fn default_kinds() -> BTreeMap<PersonKind, KindRule> {
    let rule = |form| KindRule { form, location: None, function: None, renamed: false };
    let coded = |code: &str| KindRule { function: Some(code.into()), ..rule(Form::NonStaff) };
    let provider = KindRule { location: LocationId::new("y").ok(), ..rule(Form::Staff) };
    [
        ("staff", KindRule { renamed: true, ..rule(Form::Staff) }),
        ("contract_provider", provider),
        ("consultant", coded("con")),
        ("intern", coded("int")),
        ("vendor", rule(Form::NonStaff)),
        ("resource", rule(Form::Resource)),
    ]
    .into_iter()
    .filter_map(|(kind, rule)| PersonKind::new(kind).ok().map(|kind| (kind, rule)))
    .collect()
}

impl NamingPolicy {
    /// What is wrong with the rules themselves, all of it: a policy with faults is not to be used.
    #[must_use]
    pub fn faults(&self, locations: &BTreeMap<LocationId, super::Location>) -> Vec<RuleFault> {
        let mut faults = Faults::default();
        self.check_numbers(&mut faults);
        self.check_letters(&mut faults);
        self.check_kinds(locations, &mut faults);
        for id in locations.keys().filter(|id| !ascii_alphanumeric(id.as_str())) {
            faults.add(format!("locations.{id}"), "must be ASCII letters and digits");
        }
        faults.0
    }

    fn check_numbers(&self, faults: &mut Faults) {
        if self.last_name_letters == 0 {
            faults.add("naming.last_name_letters", "must be at least 1");
        }
        if !(1..=64).contains(&self.max_length) {
            faults.add("naming.max_length", "must be from 1 to 64");
        }
        // One more for the location, which is one character in N1.
        let staff = self.prefix.len() + 1;
        let staff =
            staff + usize::from(self.last_name_letters) + usize::from(self.first_name_letters);
        if staff > usize::from(self.max_length) {
            faults.add("naming.max_length", "is too short for a staff ID of all its parts");
        }
    }

    fn check_letters(&self, faults: &mut Faults) {
        if !ascii_alphanumeric(&self.prefix) {
            faults.add("naming.prefix", "must be ASCII letters and digits");
        }
        for (letter, text) in &self.transliterate {
            if !text.chars().all(|c| c.is_ascii_alphabetic()) {
                faults.add(format!("naming.transliterate.{letter}"), "must be ASCII letters");
            }
        }
        for code in self.functions.keys().filter(|code| !ascii_alphanumeric(code)) {
            faults.add(format!("naming.functions.{code}"), "must be ASCII letters and digits");
        }
    }

    fn check_kinds(&self, locations: &BTreeMap<LocationId, super::Location>, faults: &mut Faults) {
        for (kind, rule) in &self.kinds {
            let location = rule.location.as_ref();
            if location.is_some_and(|id| find_location(locations, id).is_none()) {
                faults.add(format!("naming.kinds.{kind}.location"), "is not under locations");
            }
            let code = rule.function.as_ref().filter(|_| rule.form == Form::NonStaff);
            if code.is_some_and(|code| !self.functions.contains_key(code)) {
                faults
                    .add(format!("naming.kinds.{kind}.function"), "is not under naming.functions");
            }
        }
        if self.default_kind.as_ref().is_some_and(|kind| !self.kinds.contains_key(kind)) {
            faults.add("naming.default_kind", "is not under naming.kinds");
        }
    }
}

#[derive(Default)]
struct Faults(Vec<RuleFault>);

impl Faults {
    fn add(&mut self, key: impl Into<String>, problem: &str) {
        self.0.push(RuleFault { key: key.into(), problem: problem.to_owned() });
    }
}

fn ascii_alphanumeric(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric())
}
