//! What the YAML says of a program that reaches a system, and what of it can't be.

use crate::settings::{Ability, SettingsProblem};
use crate::system_account::LastUseShown;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Which kind of connector it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// A system that a program of yours reaches.
    Command,
}

/// What a program can be asked to do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// Find the accounts of certain people.
    Observe,
    /// List every account, for `lapsed adopt`.
    List,
    /// End what an account can do.
    Revoke,
    /// Delete an account for good.
    Delete,
    /// End mail sessions and hide a mailbox.
    DisableMailbox,
    /// Delete all content of a mailbox.
    DeleteMailbox,
    /// Make an account, shut.
    Create,
    /// Open an account, with exactly the roles that are named.
    Grant,
    /// Rename an account.
    Rename,
    /// Look whether a change is in effect; nothing is changed.
    Look,
    /// Try whether the system can be reached; nothing is changed.
    Probe,
}

impl Operation {
    /// Whether it changes anything, which decides what a lost answer means.
    #[must_use]
    pub fn changes(self) -> bool {
        matches!(self, Self::Revoke | Self::Delete | Self::DisableMailbox | Self::DeleteMailbox)
            || self.gives()
    }

    /// Whether it came with version 2 of the shape.
    #[must_use]
    pub fn gives(self) -> bool {
        matches!(self, Self::Create | Self::Grant | Self::Rename)
    }

    /// As it is written in the YAML and in requests.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::List => "list",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
            Self::DisableMailbox => "disable_mailbox",
            Self::DeleteMailbox => "delete_mailbox",
            Self::Create => "create",
            Self::Grant => "grant",
            Self::Rename => "rename",
            Self::Look => "look",
            Self::Probe => "probe",
        }
    }
}

/// What an exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitMeaning {
    /// The answer is on standard output.
    Answer,
    /// Nothing was done; it may be tried again.
    Retry,
    /// Nothing was done, and a person has to act.
    Refused,
}

/// A system that a program of yours reaches: a mainframe, a PowerShell module (D4, D7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandSettings {
    /// `command`.
    pub kind: CommandKind,
    /// The program, from `/` on. It is started as it is, without a shell; only root may be able to
    /// change it.
    pub program: PathBuf,
    /// Its arguments, the same each time. What is asked comes as JSON on standard input.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Names of environment variables that it gets; it has no others.
    #[serde(default)]
    pub environment: Vec<String>,
    /// What it can be asked to do. Without `look`, nothing that it did can be read back.
    pub operations: Vec<Operation>,
    /// What its exit codes say. After any other, a change counts as unknown and is looked at.
    #[serde(default = "default_exit_codes")]
    pub exit_codes: BTreeMap<String, ExitMeaning>,
    /// Seconds for one request; it is then killed with all that it started. At most a quarter of
    /// `execution.lease_seconds`.
    #[serde(default = "default_time_limit")]
    #[schemars(range(min = 1, max = 900))]
    pub time_limit_seconds: u32,
    /// Bytes of an answer; a longer one is none, and the program is killed.
    #[serde(default = "default_output")]
    #[schemars(range(min = 1_024, max = 67_108_864))]
    pub output_bytes: u32,
    /// Accounts that can't be renamed: a change of name leaves them as they are (N7).
    #[serde(default)]
    pub mainframe: bool,
    /// Its accounts say when they were last used (`last_used`) (S3).
    #[serde(default)]
    pub last_use: Option<LastUseShown>,
    /// The socket of the helper that starts the program under an account of its own. This or
    /// `in_process`.
    #[serde(default)]
    pub helper: Option<PathBuf>,
    /// The daemon starts the program itself, within its own sandbox.
    #[serde(default)]
    pub in_process: bool,
}

fn default_exit_codes() -> BTreeMap<String, ExitMeaning> {
    let codes =
        [("0", ExitMeaning::Answer), ("75", ExitMeaning::Retry), ("77", ExitMeaning::Refused)];
    codes.into_iter().map(|(code, meaning)| (code.to_owned(), meaning)).collect()
}

fn default_time_limit() -> u32 {
    60
}

fn default_output() -> u32 {
    1_048_576
}

impl CommandSettings {
    /// Every problem at once; empty when the settings can be used.
    #[must_use]
    pub fn problems(&self) -> Vec<SettingsProblem> {
        let mut found = Vec::new();
        let mut wrong = |key: &'static str, text: &str| found.push(SettingsProblem::new(key, text));
        if self.program.file_name().is_none() {
            wrong("program", "names no program; write its path from the root on");
        }
        let zero = |text: &String| text.contains('\0');
        if self.arguments.iter().any(zero) {
            wrong("arguments", "has a NUL in it; take it out");
        }
        let name = |text: &String| text.is_empty() || text.contains(['=', '\0']);
        if self.environment.iter().any(name) {
            wrong("environment", "has values in it; write only the names of variables");
        }
        if self.operations.is_empty() {
            wrong("operations", "is empty; write what the program can do");
        }
        if self.mainframe && self.offers(Operation::Rename) {
            wrong(
                "operations",
                "has `rename`, and a mainframe's accounts are never renamed; take one of the two out",
            );
        }
        let system = [
            Operation::Revoke,
            Operation::Delete,
            Operation::List,
            Operation::Create,
            Operation::Grant,
            Operation::Rename,
        ];
        if system.iter().any(|operation| self.offers(*operation))
            && !self.offers(Operation::Observe)
        {
            wrong("operations", "has no way to find accounts; add `observe`");
        }
        if self.offers(Operation::Observe) && !self.offers(Operation::Revoke) {
            wrong("operations", "finds accounts that can't be revoked; add `revoke`");
        }
        if self.exit_codes.keys().any(|code| code.parse::<u8>().is_err()) {
            wrong("exit_codes", "has something else than a code from 0 to 255; correct it");
        }
        if !self.exit_codes.values().any(|meaning| *meaning == ExitMeaning::Answer) {
            wrong("exit_codes", "has none for an answer; write `0: answer`");
        }
        for (key, zero) in [
            ("time_limit_seconds", self.time_limit_seconds == 0),
            ("output_bytes", self.output_bytes == 0),
        ] {
            if zero {
                wrong(key, "is 0; write at least 1");
            }
        }
        if self.helper.is_some() == self.in_process {
            wrong(
                "helper",
                "says who starts the program; give the helper's socket, or `in_process: true`, and only one of them",
            );
        }
        found
    }

    /// Whether the program can be asked for this.
    #[must_use]
    pub fn offers(&self, operation: Operation) -> bool {
        self.operations.contains(&operation)
    }

    /// What that makes the connector able to do.
    #[must_use]
    pub fn abilities(&self) -> Vec<Ability> {
        let offered = [
            (Operation::Revoke, Ability::Access),
            (Operation::Delete, Ability::DeleteAccount),
            (Operation::DisableMailbox, Ability::DisableMailbox),
            (Operation::DeleteMailbox, Ability::DeleteMailbox),
            (Operation::Create, Ability::CreateAccount),
            (Operation::Grant, Ability::GrantAccess),
            (Operation::Rename, Ability::RenameAccount),
        ];
        let offered = offered.into_iter().filter(|(operation, _)| self.offers(*operation));
        let shows = self.last_use.is_some().then_some(Ability::LastUse);
        offered.map(|(_, ability)| ability).chain(shows).collect()
    }

    pub(super) fn time_limit(&self) -> Duration {
        Duration::from_secs(self.time_limit_seconds.into())
    }

    pub(super) fn meaning(&self, code: i32) -> Option<ExitMeaning> {
        self.exit_codes.get(&code.to_string()).copied()
    }
}
