//! What is said to a program and what it answers: the shape that `docs/command.md` publishes.

use super::settings::Operation;
use crate::system_account::SystemAccount;
use lapsed_core::facts::{CaseId, EmployeeNumber, LocationId, StableId, SystemRole, UserId};
use lapsed_core::observed::PersonKeys;
use lapsed_core::step::{Blueprint, NewName, StepId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The shape of requests and answers; it changes when a program would have to.
pub const VERSION: u32 = 1;
/// The shape of the operations that give; a program that offers none of them never sees it.
pub const GIVING_VERSION: u32 = 2;

/// One request: one line of JSON on standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// 1; for `create`, `grant` and `rename`, and to look for them, 2.
    pub version: u32,
    /// What to do.
    pub operation: Operation,
    /// For `observe`: whose accounts to find, one entry a person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<Keys>,
    /// For changes and `look`: which account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountKeys>,
    /// For `look`: the change whose effect is to be looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_for: Option<Operation>,
    /// For `create` and `rename`: what the account is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// For `grant`: the roles that it is to have, and no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<SystemRole>>,
    /// For changes and `look`: the departure or form that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// For changes and `look`: the step; the same step may come again after a lost answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
}

impl Request {
    /// A request with nothing but its operation.
    #[must_use]
    pub fn new(operation: Operation) -> Self {
        Self {
            version: if operation.gives() { GIVING_VERSION } else { VERSION },
            operation,
            people: Vec::new(),
            account: None,
            look_for: None,
            wanted: None,
            roles: None,
            case: None,
            step: None,
        }
    }
}

/// By what one person's accounts are found; each key is tried.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// HR's numbers.
    pub employee_numbers: Vec<EmployeeNumber>,
    /// Log-on names.
    pub user_ids: Vec<UserId>,
    /// Accounts of the system that are known to be theirs, by their `id`.
    pub ids: Vec<StableId>,
}

impl From<&PersonKeys> for Keys {
    fn from(keys: &PersonKeys) -> Self {
        Self {
            employee_numbers: keys.employee_numbers.clone(),
            user_ids: keys.user_ids.clone(),
            ids: keys.ids.clone(),
        }
    }
}

/// What an account is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The log-on name, reserved for the person.
    pub user_id: UserId,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The name as others see it.
    pub display_name: String,
    /// Mail address, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mail: Option<String>,
    /// HR's number, by which the account is known again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<EmployeeNumber>,
    /// The location that employs the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<LocationId>,
}

impl From<&Blueprint> for Wanted {
    fn from(blueprint: &Blueprint) -> Self {
        Self {
            user_id: blueprint.user_id.clone(),
            first_name: blueprint.name.first.clone(),
            last_name: blueprint.name.last.clone(),
            display_name: blueprint.display_name.clone(),
            mail: blueprint.mail.clone(),
            employee_number: blueprint.employee_number.clone(),
            location: blueprint.location.clone(),
        }
    }
}

impl Wanted {
    /// What an account with this number is to be called.
    #[must_use]
    pub fn renamed(to: &NewName, employee_number: Option<&EmployeeNumber>) -> Self {
        Self {
            user_id: to.user_id.clone(),
            first_name: to.name.first.clone(),
            last_name: to.name.last.clone(),
            display_name: to.display_name.clone(),
            mail: to.mail.clone(),
            employee_number: employee_number.cloned(),
            location: to.location.clone(),
        }
    }
}

/// One account that is to be changed or looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountKeys {
    /// As `observe` gave it; for mailboxes the directory's own id of the account; `new:` and the log-on
    /// name where it was not made yet when the change was planned.
    pub id: StableId,
    /// The log-on name when the change was planned.
    pub user_id: UserId,
    /// HR's number on the account when the change was planned, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee_number: Option<EmployeeNumber>,
}

/// To `observe` and `list`: all that there are, and nothing where there are none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    /// Each account once.
    pub accounts: Vec<SystemAccount>,
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was made.
    Changed,
    /// It was so already, or the account is gone.
    Already,
    /// The system said no: nothing was changed, and a person has to act.
    Refused,
    /// The account is another than the request says: nothing was changed.
    Drifted,
}

/// To a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// How it ended.
    pub outcome: Ending,
    /// For `changed`: what was there before, by name, enough to put it back. Never a password.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub before: BTreeMap<String, Vec<String>>,
    /// For `refused` and `drifted`: one sentence for people, without personal detail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What was seen of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// It is in effect.
    AsWanted,
    /// It is not.
    Otherwise,
    /// The system does not show it.
    CannotTell,
}

/// To `look`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Looked {
    /// What was seen.
    pub seen: Sight,
    /// One sentence for people where it is not as wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// To `probe`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Probes {
    /// Each thing that was tried.
    pub checks: Vec<Check>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What was tried.
    pub what: String,
    /// What is wrong and what to do; absent when it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemars::schema_for;
    use std::path::Path;

    /// Where the schemas stand in `docs/command.md`.
    const MARK: &str = "<!-- schemas, written by a test -->\n";

    fn schemas() -> String {
        let shapes = [
            ("The request", schema_for!(Request)),
            ("The answer to `observe` and `list`", schema_for!(Accounts)),
            ("The answer to every change", schema_for!(Done)),
            ("The answer to `look`", schema_for!(Looked)),
            ("The answer to `probe`", schema_for!(Probes)),
        ];
        let one = |(title, schema): (&str, schemars::Schema)| {
            let text = serde_json::to_string_pretty(&schema).unwrap();
            format!("### {title}\n\n```json\n{text}\n```\n")
        };
        shapes.map(one).join("\n")
    }

    #[test]
    fn the_document_has_the_schemas_that_the_code_reads() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/command.md");
        let text = std::fs::read_to_string(&path).unwrap();
        let (before, _) = text.split_once(MARK).unwrap();
        let wanted = format!("{before}{MARK}\n{}", schemas());
        if std::env::var_os("LAPSED_WRITE_DOCS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        } else {
            assert!(
                text == wanted,
                "docs/command.md is not current: LAPSED_WRITE_DOCS=1 cargo nextest run -p lapsed-connectors the_document_has"
            );
        }
    }
}
