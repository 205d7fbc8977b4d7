//! What the daemon shows: the documented, stable shapes behind `--format json` and the control socket.
//!
//! Fields are only ever added. Times are RFC 3339 with the agency's offset; dates are calendar dates in
//! the agency's zone. People appear by user ID or employee number only (P2), but that what a leaver answered
//! for is named as its directory names it.

mod access_forms;
mod approvals;
mod configuration;
mod envelopes;
mod evidence;
mod orders;
mod requests;
mod restoring;
mod rosters;
mod standing;
mod told;

pub use access_forms::{
    AccessFormLine, AccessFormView, AccessFormsView, ChainStepView, FieldView, FiledView,
    GateRequest, PartView, ScanView, SentFile, SubmitFormRequest,
};
pub use approvals::{
    AbsenceView, AbsencesView, ApprovalView, ApprovalsView, ApproveRequest, AwayRequest,
    DecidedView, DenyRequest, EndAwayRequest,
};
pub use configuration::{CheckView, MovedDateView, ProbeView, ProblemView, ReloadView};
pub use envelopes::{EnvelopeView, EnvelopesView, OpenEnvelopeRequest, PasswordView};
pub use evidence::{
    AuditProofView, EvidenceView, LateLineView, LateView, LinkView, SegmentView, TimesView,
};
pub use orders::{DelegateRequest, HoldRequest, KeepRequest, LiftRequest};
pub use requests::{
    AdoptRequest, ConfirmRequest, DecisionRequest, DepartRequest, PauseRequest, SettleRequest,
};
pub use restoring::{NotRestoredView, RestoreRequest, RestoreView};
pub use rosters::{RosterLine, RosterState, RosterView, RostersView};
pub use standing::{
    BaselineRequest, FindingView, FindingsView, MendRequest, ReportRequest, SuspendRequest,
    SuspensionView, SuspensionsView, UnsuspendRequest,
};
pub use told::{LetterView, NoticeView, NoticesView, RequestView, RequestsView};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `lapsed status`: one look at whether all is well, and what to do where it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusView {
    /// Version of the daemon.
    pub version: String,
    /// When this was worked out.
    pub at: String,
    /// Since when the daemon runs; absent when none runs.
    pub running_since: Option<String>,
    /// Deletions are paused, by whom and since when.
    pub deletions_paused: Option<String>,
    /// Nothing is given, by whom and since when.
    #[serde(default)]
    pub giving_paused: Option<String>,
    /// What a person has to look at, worst first; empty when all is well.
    pub attention: Vec<AttentionView>,
    /// People known, and of them scheduled to leave, open cases, closed cases.
    pub people: u64,
    /// Departures that lie ahead.
    pub scheduled: u64,
    /// Departures in effect with something left to do.
    pub open: u64,
    /// Departures done.
    pub closed: u64,
    /// Last accepted population, by which the guard measures.
    pub population: Option<u32>,
    /// Steps by connector.
    pub connectors: Vec<ConnectorView>,
    /// Latest drops, newest first.
    pub drops: Vec<DropView>,
    /// People whose access is stopped for a while.
    #[serde(default)]
    pub suspended: u64,
    /// What the help desk can't be told just now: to be phoned in meanwhile (H3).
    #[serde(default)]
    pub phone_in: Vec<PhoneInView>,
    /// The daemons that share the state on PostgreSQL; empty where it is one machine's own.
    #[serde(default)]
    pub daemons: Vec<DaemonView>,
}

/// A ticket that can't be opened just now, in the words to be said (H3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PhoneInView {
    /// Its key. A ticket that is opened by phone with the key in its subject is found by it, and no second
    /// one is opened.
    pub key: String,
    /// The departure that it belongs to, if any.
    pub case: Option<String>,
    /// Since when it waits.
    pub since: String,
    /// One line.
    pub subject: String,
    /// What is to be done.
    pub text: String,
}

/// `lapsed tickets`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketsView {
    /// The daemon's own tickets and the requests that are tickets, those that have not ended first, each
    /// part oldest first.
    pub tickets: Vec<TicketView>,
}

/// One ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TicketView {
    /// Its key, which stands in its subject.
    pub key: String,
    /// The help desk's number, once it is open.
    pub number: Option<String>,
    /// Its page at the help desk, if one is known.
    pub page: Option<String>,
    /// `queued`, `open`, `resolved`, `rejected`, or `withdrawn` (its matter went away before it was opened).
    pub state: String,
    /// What kind of problem: `refused`, `drift`, `deletion_refused`, `set_aside`, `agency_overdue`,
    /// `system_gone`, `revocation` or `change`.
    pub problem: String,
    /// The departure that it belongs to, if any.
    pub case: Option<String>,
    /// One line.
    pub subject: String,
    /// When it was queued.
    pub queued: String,
    /// When it was opened.
    pub opened: Option<String>,
    /// When it ended.
    pub ended: Option<String>,
    /// Why it is not open yet, or could not be looked at.
    pub trouble: Option<String>,
}

/// One thing to look at, with its remedy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AttentionView {
    /// A stable word: `plan_held`, `connector_down`, `step_refused`, `set_aside`, `late_feed`, …
    pub kind: String,
    /// What happened, to whom.
    pub what: String,
    /// What to do next: a command where there is one.
    pub remedy: String,
}

/// A daemon that works, or has worked, on a shared state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DaemonView {
    /// Its name (`execution.instance`).
    pub name: String,
    /// The one that answers.
    pub this: bool,
    /// `runs`, `ended`, or `taken over` by another because nothing was heard of it.
    pub state: String,
    /// It has the turn to take files and to plan; one at a time has it.
    pub plans: bool,
    /// Its release.
    pub version: String,
    /// Since when it runs, or ran.
    pub since: String,
    /// When it was last heard of, by the database's clock.
    pub heard_at: String,
}

/// One connector's part of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConnectorView {
    /// Its name in the YAML.
    pub name: String,
    /// `up`, `down`, `untried`, or `not configured` (its steps wait).
    pub state: String,
    /// What is wrong, if it is down.
    pub problem: Option<String>,
    /// When it is tried again, where it failed so often that it is left alone for a while.
    #[serde(default)]
    pub tried_again_at: Option<String>,
    /// Steps due and not done.
    pub waiting: u64,
    /// Steps with a date ahead.
    pub scheduled: u64,
    /// Steps done, read back or not.
    pub done: u64,
    /// Steps done that could not be read back.
    pub unverified: u64,
    /// Steps refused or drifted: a person has to act.
    pub stuck: u64,
}

/// One drop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DropView {
    /// Feed.
    pub feed: String,
    /// File name, made safe to show.
    pub file: String,
    /// When it was handled.
    pub at: String,
    /// `accepted`, `rejected` or `repeated`.
    pub state: String,
    /// Rows taken.
    pub taken: u64,
    /// Rows set aside.
    pub set_aside: u64,
    /// Why it was rejected.
    pub reason: Option<String>,
}

/// `lapsed due`: the calendar.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DueView {
    /// Entries by date.
    pub entries: Vec<DueEntry>,
}

/// One entry of the calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DueEntry {
    /// The calendar date, ISO 8601: `2026-11-27`; tables show it with its weekday.
    pub date: String,
    /// True when the date is today or past.
    pub overdue: bool,
    /// User ID or employee number.
    pub person: String,
    /// `delete mailbox of mzsmitj`, `departure takes effect`.
    pub what: String,
    /// How the date came about.
    pub why: String,
    /// Rule and clause.
    pub clause: String,
    /// What it waits for: a connector that is not configured, a hold, a pause; empty when nothing.
    pub waits_for: Option<String>,
}

/// `lapsed person WHO`: everything about one person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PersonView {
    /// Own id.
    pub id: String,
    /// User ID or employee number.
    pub shown: String,
    /// Where the person stands: `employed`, `leaving …`, `left …`, with the reason.
    pub standing: String,
    /// Employee numbers.
    pub employee_numbers: Vec<String>,
    /// Accounts, as `connector: user ID`.
    pub accounts: Vec<String>,
    /// Engagements, one line each.
    pub engagements: Vec<String>,
    /// Notices, one line each, replaced and withdrawn ones included.
    pub notices: Vec<String>,
    /// Standing holds over the person, by name or as one of a population.
    pub holds: Vec<String>,
    /// Wishes about the person's things that stand: a mailbox to read, files to keep.
    #[serde(default)]
    pub wishes: Vec<String>,
    /// Departures with their steps.
    pub cases: Vec<CaseView>,
    /// Rows set aside that carry the person's key.
    pub set_aside: Vec<SetAsideView>,
    /// Who was told what by mail, oldest first.
    #[serde(default)]
    pub told: Vec<String>,
    /// What stops the person's access for a while, one line each, lifted ones too.
    #[serde(default)]
    pub suspensions: Vec<String>,
}

/// One departure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaseView {
    /// Case id.
    pub id: String,
    /// Its state.
    pub state: String,
    /// When access ends or ended.
    pub effective_at: String,
    /// Why.
    pub reason: String,
    /// Day of disabling.
    pub disabled_on: Option<String>,
    /// Why access that should have ended has not, where no step says so.
    #[serde(default)]
    pub still_open: Option<String>,
    /// Steps in order.
    pub steps: Vec<StepView>,
    /// What the leaver answered for, as far as it is known: `group: Night nurses` (S7).
    #[serde(default)]
    pub held_in_trust: Vec<String>,
    /// Who takes that over: the supervisor, by user ID; absent where HR names none who is known.
    #[serde(default)]
    pub taken_over_by: Option<String>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StepView {
    /// Step id.
    pub id: String,
    /// Connector.
    pub connector: String,
    /// `disable account mzsmitj`.
    pub what: String,
    /// State's name.
    pub state: String,
    /// When it is due, with the reason.
    pub due: String,
    /// What happened or what it waits for.
    pub note: String,
    /// Rule and clause.
    pub clause: String,
}

/// `lapsed plans`: plans and what the guard said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlansView {
    /// Newest first.
    pub plans: Vec<PlanView>,
}

/// One plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanView {
    /// The whole hash; its first twelve characters are enough for commands.
    pub hash: String,
    /// `passed`, `held`, `released`, `rejected`, `replaced`; `new` in a dry run.
    pub state: String,
    /// When it was made.
    pub made_at: String,
    /// Whom it is about: a user ID, or `60 people`.
    pub about: String,
    /// Findings of the guard, as sentences.
    pub findings: Vec<String>,
    /// Who decided, when and why.
    pub decision: Option<String>,
    /// Steps in order; empty in a list.
    pub steps: Vec<StepView>,
    /// How many steps.
    pub step_count: u64,
    /// What would be done to each person, in short.
    #[serde(default)]
    pub people: Vec<PlanPersonView>,
    /// Why each thing happens or does not.
    pub explanations: Vec<String>,
}

/// One person's part of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanPersonView {
    /// User ID.
    pub who: String,
    /// `disable the account, leave 9 groups; 2 deletions later`.
    pub what: String,
}

/// A row or person that was set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAsideView {
    /// Id by which it is settled.
    pub id: String,
    /// Where from: file and line.
    pub from: String,
    /// Key of the person, if the row had one.
    pub who: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: String,
}

/// `lapsed set-aside list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SetAsidesView {
    /// Rows and people that wait for a person to settle them, oldest first.
    pub rows: Vec<SetAsideView>,
}

/// `lapsed hold list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldsView {
    /// Standing holds.
    pub holds: Vec<HoldView>,
}

/// One hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HoldView {
    /// User ID or employee number, or all whom it is about: `everyone at b`.
    pub person: String,
    /// Who ordered it.
    pub authority: String,
    /// Why.
    pub reason: String,
    /// When it was placed and by whom.
    pub placed: String,
    /// When to look at it again.
    pub review_on: Option<String>,
}

/// `lapsed audit`: rows of the chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditView {
    /// Oldest first.
    pub rows: Vec<AuditRowView>,
}

/// One row of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRowView {
    /// Place in the chain.
    pub seq: u64,
    /// When.
    pub at: String,
    /// Who: `daemon`, or an operator.
    pub actor: String,
    /// What: `step.changed`, `plan.released`, …
    pub event: String,
    /// User ID, where it is about someone.
    pub who: Option<String>,
    /// Rule and clause.
    pub clause: Option<String>,
    /// What exactly.
    pub detail: String,
    /// Hash of the row.
    pub hash: String,
}

/// `lapsed audit verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditVerifyView {
    /// True when nothing was found.
    pub sound: bool,
    /// Rows looked at.
    pub rows: u64,
    /// Checkpoints looked at.
    pub checkpoints: u64,
    /// Rows behind the last checkpoint: nothing but the chain speaks for them. Those of one commit may
    /// be on their way, and other daemons on the same database have checkpoints of their own.
    pub unwitnessed: u64,
    /// What was found.
    pub problems: Vec<String>,
}

/// `lapsed adopt`: what matches, and what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AdoptView {
    /// False for a report, true when it was written.
    pub written: bool,
    /// People in the feed.
    pub people: u64,
    /// Accounts in the directory.
    pub accounts: u64,
    /// Matched by key and name.
    pub matched: u64,
    /// Who matches only by name, or by a key under another name: a person has to settle these.
    pub to_settle: Vec<String>,
    /// User IDs that do not follow the naming standard: kept as they are.
    pub off_standard: Vec<String>,
    /// Accounts shut already whose owner has left; their clocks start on the date given.
    pub already_shut: Vec<String>,
    /// Accounts with nobody in the feed.
    pub without_person: Vec<String>,
    /// People in the feed without an account.
    pub without_account: Vec<String>,
    /// People who have left, and whose account is live: the first plan will shut them.
    pub leavers_with_access: Vec<String>,
    /// Rows of the feed that were set aside.
    pub set_aside: Vec<String>,
    /// Population that the guard will measure against.
    pub population: u32,
    /// Names seeded into the ledger of IDs.
    pub names_taken: u64,
}

/// `lapsed simulate`: what will happen, day by day.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SimulateView {
    /// From.
    pub from: String,
    /// Until, inclusive.
    pub until: String,
    /// Entries by date.
    pub entries: Vec<DueEntry>,
    /// Plans that the guard would hold.
    pub held: Vec<PlanView>,
}

/// `lapsed user-id`: which user ID each name would get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserIdsView {
    /// In the order asked; an ID given counts as taken for the rows after it.
    pub rows: Vec<UserIdView>,
}

/// The user ID that one name would get. Nothing is reserved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UserIdView {
    /// Family name as asked.
    pub last: String,
    /// First name as asked.
    pub first: String,
    /// Preferred first name as asked.
    pub preferred: Option<String>,
    /// Location as asked.
    pub location: Option<String>,
    /// Kind of person as asked.
    pub kind: Option<String>,
    /// The user ID; absent when there is none, see `error`.
    pub user_id: Option<String>,
    /// Why there is none.
    pub error: Option<String>,
}

/// Answer to a command that changes something.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoneView {
    /// What was done, to whom, and what happens next.
    pub message: String,
}

/// An answer that says no: of the control socket with a status of 400 or more, of the commands on
/// standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorView {
    /// What is wrong.
    pub error: String,
    /// What to do.
    pub advice: String,
}
