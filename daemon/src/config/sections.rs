//! The YAML's own sections, in the shape in which they are written; the policy's stand in `core`.

use super::values::{AbsolutePath, CredentialName, CronPattern, DatabaseUrl, TimeOfDay, ZoneName};
use super::{ConnectorSettings, Feed, HelpDesk, NoticeSettings};
use lapsed_connectors::mail::MailSettings;
use lapsed_core::citation::{Citations, Rule};
use lapsed_core::facts::{ConnectorName, LocationId, SourceName};
use lapsed_core::guard::Limits;
use lapsed_core::pacing::BreakerRule;
use lapsed_core::policy::{
    Location, access::AccessPolicy, departure::DeparturePolicy, naming::NamingPolicy,
    work_days::WorkDays,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "lapsed configuration")]
pub struct File {
    /// Who runs this, and in which time zone its calendar is read.
    pub agency: Agency,
    /// Where the daemon keeps what it knows.
    pub state: State,
    /// The record of everything that was done.
    pub audit: Audit,
    /// The socket by which the commands speak to the daemon, and who may do what.
    pub control: Control,
    /// The folder into which HR drops its files.
    pub inbox: Inbox,
    /// What each source sends, by a name of your choice (D1, P1).
    pub feeds: BTreeMap<SourceName, Feed>,
    /// The targets that are read and changed, by a name of your choice.
    pub connectors: BTreeMap<ConnectorName, ConnectorSettings>,
    /// The server that takes the daemon's mail: forms for agencies and notices (D5, D9).
    #[serde(default)]
    pub mail: Option<MailSettings>,
    /// What the daemon can't do by itself becomes a ticket (H1 to H3).
    #[serde(default)]
    pub help_desk: Option<HelpDesk>,
    /// Who is told what by mail (D9, A10, S7); absent: nobody.
    #[serde(default)]
    pub notices: Option<NoticeSettings>,
    /// Places of work by the character that stands for them in a user ID (N9).
    pub locations: BTreeMap<LocationId, Location>,
    /// How user IDs are made (N1 to N8).
    #[serde(default)]
    pub naming: NamingPolicy,
    /// What is done when someone leaves (D2 to D7, D13).
    #[serde(default)]
    pub departure: DeparturePolicy,
    /// Access forms, approvals, gates, systems, and what is looked at by night (A, S).
    #[serde(default)]
    pub access: AccessPolicy,
    /// Weekdays and holidays, by which deletions are dated (D7).
    #[serde(default)]
    pub work_days: WorkDays,
    /// How many people one run may affect before it waits for a person.
    #[serde(default)]
    pub guard: Limits,
    /// Your own clauses, shown instead of the built-in ones, by rule id (D2, D7 ...).
    #[serde(default)]
    #[schemars(schema_with = "citations_schema")]
    pub citations: Citations,
    /// When the daemon looks by itself.
    #[serde(default)]
    pub schedule: Schedule,
    /// How fast the daemon works.
    #[serde(default)]
    pub execution: Execution,
    /// What it says while it works.
    #[serde(default)]
    pub logging: Logging,
}

/// A map whose keys are rule ids: the derived schema says nothing of keys.
fn citations_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "propertyNames": generator.subschema_for::<Rule>(),
        "additionalProperties": { "type": "string" },
    })
}

/// Who runs this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// The agency's name, for reports.
    pub name: String,
    /// IANA time zone, such as `America/Chicago`: every date is a date there.
    pub time_zone: ZoneName,
}

/// Where the daemon keeps what it knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// `sqlite:///var/lib/lapsed/state.db`, or `postgres://user@host/database` for several machines.
    pub database: DatabaseUrl,
    /// A file with the PostgreSQL password in its first line, readable only by the daemon.
    #[serde(default)]
    pub password_file: Option<AbsolutePath>,
    /// The name of a systemd credential that holds the PostgreSQL password.
    #[serde(default)]
    pub password_credential: Option<CredentialName>,
    /// Where confirmations are kept, each under its digest; the folder `documents` beside a SQLite
    /// database where absent, `/var/lib/lapsed/documents` with PostgreSQL.
    #[serde(default)]
    pub documents: Option<AbsolutePath>,
    /// Connections to the database at most.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 500))]
    pub max_connections: u32,
}

/// Where a secret is to be had; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// The first line of this file.
    File(AbsolutePath),
    /// A systemd credential of this name, in `$CREDENTIALS_DIRECTORY`.
    Credential(CredentialName),
}

impl SecretSource {
    /// The file to read; `credentials` is what systemd gives as `$CREDENTIALS_DIRECTORY`. `None` when
    /// a credential is named and systemd gave none.
    #[must_use]
    pub fn path(&self, credentials: Option<&Path>) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.as_path().to_owned()),
            Self::Credential(name) => credentials.map(|folder| folder.join(name.as_str())),
        }
    }

    fn of(file: Option<&AbsolutePath>, credential: Option<&CredentialName>) -> Option<Self> {
        file.cloned().map(Self::File).or_else(|| credential.cloned().map(Self::Credential))
    }
}

impl State {
    /// Where confirmations are kept.
    #[must_use]
    pub fn documents(&self) -> PathBuf {
        match (&self.documents, &self.database) {
            (Some(named), _) => named.as_path().to_owned(),
            (None, DatabaseUrl::Sqlite(path)) => path.as_path().with_file_name("documents"),
            (None, DatabaseUrl::Postgres(_)) => PathBuf::from("/var/lib/lapsed/documents"),
        }
    }

    /// Where the database password is to be had, if one is needed.
    #[must_use]
    pub fn password(&self) -> Option<SecretSource> {
        SecretSource::of(self.password_file.as_ref(), self.password_credential.as_ref())
    }
}

/// The record of everything that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// A file, best on another machine's disk, to which signed checkpoints of the audit are appended.
    pub checkpoint_file: AbsolutePath,
    /// The Ed25519 key (PKCS#8 PEM) that signs them; made when it is not there.
    #[serde(default)]
    pub signing_key_file: Option<AbsolutePath>,
    /// The name of a systemd credential that holds that key.
    #[serde(default)]
    pub signing_key_credential: Option<CredentialName>,
}

impl Audit {
    /// Where the signing key is to be had; `None` leaves checkpoints unsigned.
    #[must_use]
    pub fn signing_key(&self) -> Option<SecretSource> {
        SecretSource::of(self.signing_key_file.as_ref(), self.signing_key_credential.as_ref())
    }
}

/// What a caller of the control socket may do; each role may also do what the ones before it may.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decide on access forms, file them, and see those that concern oneself; nothing else.
    Participant,
    /// Look: status, due, person, plans, holds.
    Viewer,
    /// Read and verify the audit, too.
    Auditor,
    /// Act on cases: release, reject, hold, depart, pause, resume, settle.
    Operator,
    /// Change what the daemon starts from: adopt, reload.
    Administrator,
}

/// Accounts and groups of this machine that have a role.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Members {
    /// Account names of this machine.
    pub users: Vec<String>,
    /// Group names of this machine.
    pub groups: Vec<String>,
}

/// The control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// Path of the Unix socket.
    pub socket: AbsolutePath,
    /// Group of this machine that may connect to the socket (its mode is 0660); the daemon's own group
    /// where absent. The daemon's account must be in it.
    #[serde(default)]
    pub group: Option<String>,
    /// Who may do what (P3); nobody else may do anything.
    pub roles: Roles,
}

/// Who may do what; each role may also do what the ones before it may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// Decide on access forms, file them, and see those that concern oneself; nothing else. Everybody who
    /// decides on forms needs it: the group of all staff, say.
    pub participant: Members,
    /// Look: status, due, person, plans, holds.
    pub viewer: Members,
    /// Read and verify the audit, too.
    pub auditor: Members,
    /// Act on cases: release, reject, hold, depart, pause, resume, settle.
    pub operator: Members,
    /// Change what the daemon starts from: adopt, reload.
    pub administrator: Members,
}

impl Role {
    /// All roles, the least first.
    pub const ALL: [Self; 5] =
        [Self::Participant, Self::Viewer, Self::Auditor, Self::Operator, Self::Administrator];

    /// The role's name, as in the YAML.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Participant => "participant",
            Self::Viewer => "viewer",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Roles {
    /// The role of a caller: the highest that names the account or one of its groups.
    #[must_use]
    pub fn of(&self, user: &str, groups: &[String]) -> Option<Role> {
        let named = |members: &Members| {
            members.users.iter().any(|name| name == user)
                || members.groups.iter().any(|name| groups.contains(name))
        };
        [
            (Role::Administrator, &self.administrator),
            (Role::Operator, &self.operator),
            (Role::Auditor, &self.auditor),
            (Role::Viewer, &self.viewer),
            (Role::Participant, &self.participant),
        ]
        .into_iter()
        .find_map(|(role, members)| named(members).then_some(role))
    }
}

/// The inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    /// Where HR puts its files.
    pub folder: AbsolutePath,
    /// Where a file goes that was taken, with its receipt; on the same file system as `folder`.
    pub accepted: AbsolutePath,
    /// Where a file goes that was rejected, with the reasons; on the same file system as `folder`.
    pub rejected: AbsolutePath,
    /// Where scanned confirmations of forms are put (D5, D14); without it they come by `lapsed confirm`
    /// only.
    #[serde(default)]
    pub confirmations: Option<Confirmations>,
    /// Where forms are put that order a hold, a delegation or a copy (D6, D8); without it they come by
    /// `lapsed hold`, `lapsed delegate` and `lapsed keep` only.
    #[serde(default)]
    pub forms: Option<Forms>,
    /// How often the folder is looked at, also without a hint from the kernel (network file systems).
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 3600))]
    pub poll_seconds: u32,
    /// How long a file must have stayed the same before it is read: it may still be being written.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 3600))]
    pub settle_seconds: u32,
}

/// Where scanned confirmations of forms are put: the token stands in the file's name, or in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmations {
    /// The folder; what was filed goes to `accepted` from there, and what was not to `rejected`.
    pub folder: AbsolutePath,
    /// Accounts of this machine whose files count beside those of operators: that of a scanner, say.
    #[serde(default)]
    pub from: Members,
    /// Largest file in bytes.
    #[serde(default = "twenty_mebibytes")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub max_bytes: u64,
}

/// Where forms are put: access forms, JSON or YAML, with their scans beside them, and orders about a leaver's
/// things, JSON (`docs/forms.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Forms {
    /// The folder; what was taken goes to `accepted` from there, and what was not to `rejected`.
    pub folder: AbsolutePath,
    /// Accounts of this machine whose files count beside those of operators: that of the counsel's office,
    /// say. What an access form's `filed_by` names needs no entry here.
    #[serde(default)]
    pub from: Members,
    /// Largest scan in bytes.
    #[serde(default = "twenty_mebibytes")]
    #[schemars(range(min = 1, max = 1_073_741_824))]
    pub max_scan_bytes: u64,
    /// Hours after which a scan that no form names goes to `rejected`.
    #[serde(default = "a_day")]
    #[schemars(range(min = 1, max = 8760))]
    pub scan_hours: u32,
}

impl Inbox {
    /// How often the folder is looked at.
    #[must_use]
    pub fn poll(&self) -> Duration {
        Duration::from_secs(self.poll_seconds.into())
    }

    /// How long a file must have stayed the same.
    #[must_use]
    pub fn settle(&self) -> Duration {
        Duration::from_secs(self.settle_seconds.into())
    }
}

/// When the daemon looks by itself; patterns are read in the agency's time zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Everything is compared with everything.
    pub full_reconcile: CronPattern,
    /// Revocations of some days ago are read back again (D13; days: `departure.recheck_days`).
    pub recheck: CronPattern,
    /// Work days' time by which a feed must have come, by the feed's name; later it is an alarm.
    pub late_feed: BTreeMap<SourceName, TimeOfDay>,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            full_reconcile: CronPattern::built_in("30 2 * * *"),
            recheck: CronPattern::built_in("15 6 * * *"),
            late_feed: BTreeMap::new(),
        }
    }
}

/// How fast the daemon works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Execution {
    /// Steps handed to a connector in one go.
    #[schemars(range(min = 1, max = 10_000))]
    pub batch: u32,
    /// After so long another daemon on the same database may take over a step that was begun.
    #[schemars(range(min = 10, max = 86_400))]
    pub lease_seconds: u32,
    /// This daemon's name among those that share a PostgreSQL database, no other's and always the same. Left
    /// out: the machine's name and the control socket.
    #[schemars(length(min = 1, max = 200))]
    pub instance: Option<String>,
    /// After so long without a word from a daemon, another one on the same database takes its work over.
    #[schemars(range(min = 3, max = 600))]
    pub takeover_seconds: u32,
    /// Steps under way are given so long when the daemon is told to stop.
    #[schemars(range(min = 1, max = 300))]
    pub stop_seconds: u32,
    /// A change that can't be seen yet may be on its way to the copy that was asked: it is looked at again
    /// for so long before it counts as not made.
    #[schemars(range(max = 3_600))]
    pub replication_seconds: u32,
    /// When a target that does not answer is left alone for a while.
    pub breaker: BreakerRule,
    /// Days after which a step that could not be made, because its target does not answer, needs a person.
    #[schemars(range(min = 1, max = 365))]
    pub stuck_days: u16,
    /// Targets that want to be treated gently, by name.
    pub connectors: BTreeMap<ConnectorName, Gently>,
}

impl Default for Execution {
    fn default() -> Self {
        Self {
            batch: 500,
            lease_seconds: 300,
            instance: None,
            takeover_seconds: 10,
            stop_seconds: 5,
            replication_seconds: 10,
            breaker: BreakerRule::default(),
            stuck_days: 7,
            connectors: BTreeMap::new(),
        }
    }
}

/// How a target is treated gently.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gently {
    /// Steps handed to it in one go, instead of `batch`.
    #[schemars(range(min = 1, max = 10_000))]
    pub at_once: Option<u32>,
    /// Steps begun in a minute at most, by all daemons on the database together.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub per_minute: Option<u32>,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Only what failed.
    Error,
    /// And what needs a look.
    Warn,
    /// And what was done.
    Info,
    /// And why.
    Debug,
    /// Everything.
    Trace,
}

impl From<LogLevel> for tracing::Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Error => Self::ERROR,
            LogLevel::Warn => Self::WARN,
            LogLevel::Info => Self::INFO,
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Trace => Self::TRACE,
        }
    }
}

/// What the daemon says while it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// `json` for machines, `text` for people; to standard error.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub level: LogLevel,
}

impl Default for Logging {
    fn default() -> Self {
        Self { format: LogFormat::Json, level: LogLevel::Info }
    }
}

fn a_day() -> u32 {
    24
}

fn twenty_mebibytes() -> u64 {
    20 * 1024 * 1024
}
fn two() -> u32 {
    2
}
fn eight() -> u32 {
    8
}
fn ten() -> u32 {
    10
}
