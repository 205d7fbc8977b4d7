//! What the daemon answers: one method a question or command, over the shapes in [`crate::views`].

use crate::control::roles::Caller;
use crate::views::{
    AbsencesView, AccessFormView, AccessFormsView, AdoptRequest, AdoptView, ApprovalsView,
    ApproveRequest, AuditVerifyView, AuditView, AwayRequest, BaselineRequest, ConfirmRequest,
    DecidedView, DecisionRequest, DelegateRequest, DenyRequest, DepartRequest, DoneView, DueView,
    EndAwayRequest, EnvelopesView, ErrorView, EvidenceView, FiledView, FindingsView, GateRequest,
    HoldRequest, HoldsView, KeepRequest, LateView, LetterView, LiftRequest, MendRequest,
    NoticesView, OpenEnvelopeRequest, PasswordView, PauseRequest, PersonView, PlanView, PlansView,
    ReloadView, ReportRequest, RequestsView, RestoreRequest, RestoreView, RostersView,
    SetAsidesView, SettleRequest, StatusView, SubmitFormRequest, SuspendRequest, SuspensionsView,
    TicketsView, UnsuspendRequest,
};
use futures_util::future::BoxFuture;
use jiff::civil::Date;
use lapsed_core::notice_rules::Kind;
use lapsed_core::plan::PlanState;

/// An answer on its way.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ConsoleError>>;

/// The daemon as the control socket sees it. Callers are authorised before any of this is called, and
/// every call is recorded; an implementation still writes its own audit row for what it changes.
pub trait Console: Send + Sync + 'static {
    /// Whether all is well.
    fn status(&self) -> Answer<'_, StatusView>;
    /// The calendar up to and with `until`; all of it where that is absent.
    fn due(&self, until: Option<Date>) -> Answer<'_, DueView>;
    /// Everything about one person, by user ID, employee number or own id.
    fn person<'a>(&'a self, who: &'a str) -> Answer<'a, PersonView>;
    /// Plans in one of `states`, newest first, without their steps.
    fn plans<'a>(&'a self, states: &'a [PlanState]) -> Answer<'a, PlansView>;
    /// One plan with its steps, by a beginning of its hash that is not ambiguous.
    fn plan<'a>(&'a self, hash: &'a str) -> Answer<'a, PlanView>;
    /// Standing holds.
    fn holds(&self) -> Answer<'_, HoldsView>;
    /// What others were asked to do: what is open, or all of it.
    fn requests(&self, all: bool) -> Answer<'_, RequestsView>;
    /// Access forms; those that have not ended, or all of them.
    fn access_forms<'a>(&'a self, caller: &'a Caller, open: bool) -> Answer<'a, AccessFormsView>;
    /// One access form by its number.
    fn access_form<'a>(&'a self, caller: &'a Caller, number: u64) -> Answer<'a, AccessFormView>;
    /// What waits to be settled.
    fn set_asides(&self) -> Answer<'_, SetAsidesView>;
    /// Who was told what by mail, and what waits; of one person, where one is named.
    fn notices<'a>(&'a self, who: Option<&'a str>) -> Answer<'a, NoticesView>;
    /// A notice of a kind as it would be written: about a person, or with an example's values.
    fn notice_preview<'a>(&'a self, kind: Kind, who: Option<&'a str>) -> Answer<'a, LetterView>;
    /// Tickets at the help desk, and those that wait to be opened.
    fn tickets(&self) -> Answer<'_, TicketsView>;
    /// Rows of the audit, oldest first.
    fn audit<'a>(&'a self, page: &'a AuditPage) -> Answer<'a, AuditView>;
    /// Checks the whole chain.
    fn audit_verify(&self) -> Answer<'_, AuditVerifyView>;
    /// Access forms that wait for the caller; one of them, where it is named.
    fn approvals<'a>(&'a self, caller: &'a Caller, form: Option<u64>) -> Answer<'a, ApprovalsView>;
    /// Who is away and who decides meanwhile, as far as the caller may know.
    fn absences<'a>(&'a self, caller: &'a Caller) -> Answer<'a, AbsencesView>;
    /// First passwords that the caller can open.
    fn envelopes<'a>(&'a self, caller: &'a Caller) -> Answer<'a, EnvelopesView>;
    /// Shows one of them, once.
    fn open_envelope<'a>(
        &'a self,
        caller: &'a Caller,
        request: OpenEnvelopeRequest,
    ) -> Answer<'a, PasswordView>;

    /// Says yes to an access form.
    fn approve<'a>(
        &'a self,
        caller: &'a Caller,
        request: ApproveRequest,
    ) -> Answer<'a, DecidedView>;
    /// Says no to an access form.
    fn deny<'a>(&'a self, caller: &'a Caller, request: DenyRequest) -> Answer<'a, DecidedView>;
    /// Enters who decides in somebody's place while they are away.
    fn away<'a>(&'a self, caller: &'a Caller, request: AwayRequest) -> Answer<'a, DoneView>;
    /// Ends that.
    fn end_away<'a>(&'a self, caller: &'a Caller, request: EndAwayRequest) -> Answer<'a, DoneView>;
    /// Whose access is stopped for a while, and why.
    fn suspensions(&self) -> Answer<'_, SuspensionsView>;
    /// What the nightly audit found and nobody has settled.
    fn findings(&self) -> Answer<'_, FindingsView>;
    /// Everything about one person's access, with what proves it.
    fn evidence<'a>(&'a self, caller: &'a Caller, who: &'a str) -> Answer<'a, EvidenceView>;
    /// Who was cut off late, and why.
    fn late(&self, since: Option<Date>) -> Answer<'_, LateView>;
    /// What a mistaken departure took: shown, to be consented to by its hash.
    fn restore<'a>(
        &'a self,
        caller: &'a Caller,
        request: RestoreRequest,
    ) -> Answer<'a, RestoreView>;
    /// Consents to putting it back.
    fn consent_restore<'a>(
        &'a self,
        caller: &'a Caller,
        request: DecisionRequest,
    ) -> Answer<'a, DoneView>;
    /// Releases a held plan.
    fn release<'a>(&'a self, caller: &'a Caller, request: DecisionRequest) -> Answer<'a, DoneView>;
    /// Rejects a held plan.
    fn reject<'a>(&'a self, caller: &'a Caller, request: DecisionRequest) -> Answer<'a, DoneView>;
    /// Places a hold: nothing of the person is deleted.
    fn hold<'a>(&'a self, caller: &'a Caller, request: HoldRequest) -> Answer<'a, DoneView>;
    /// Lifts a hold.
    fn lift<'a>(&'a self, caller: &'a Caller, request: LiftRequest) -> Answer<'a, DoneView>;
    /// Gives a leaver's mailbox to somebody to read, or takes it back.
    fn delegate<'a>(&'a self, caller: &'a Caller, request: DelegateRequest)
    -> Answer<'a, DoneView>;
    /// Keeps files or mail of a leaver for somebody, or no longer.
    fn keep<'a>(&'a self, caller: &'a Caller, request: KeepRequest) -> Answer<'a, DoneView>;
    /// An operator's notice of a departure.
    fn depart<'a>(&'a self, caller: &'a Caller, request: DepartRequest) -> Answer<'a, DoneView>;
    /// Pauses all deletions.
    fn pause<'a>(&'a self, caller: &'a Caller, request: PauseRequest) -> Answer<'a, DoneView>;
    /// Lets deletions go on.
    fn resume<'a>(&'a self, caller: &'a Caller, request: PauseRequest) -> Answer<'a, DoneView>;
    /// Pauses whatever gives access.
    fn pause_giving<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView>;
    /// Lets it go on.
    fn resume_giving<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView>;
    /// Settles something that was set aside.
    fn settle_set_aside<'a>(
        &'a self,
        caller: &'a Caller,
        request: SettleRequest,
    ) -> Answer<'a, DoneView>;
    /// Files the answer of those who were asked.
    fn confirm<'a>(&'a self, caller: &'a Caller, request: ConfirmRequest) -> Answer<'a, DoneView>;
    /// Takes an access form, as the caller's own word.
    fn submit_form<'a>(
        &'a self,
        caller: &'a Caller,
        request: SubmitFormRequest,
    ) -> Answer<'a, FiledView>;
    /// Records that somebody passed a gate, or takes that back.
    fn gate<'a>(&'a self, caller: &'a Caller, request: GateRequest) -> Answer<'a, DoneView>;
    /// Stops somebody's access for a while, now or from a day on.
    fn suspend<'a>(&'a self, caller: &'a Caller, request: SuspendRequest) -> Answer<'a, DoneView>;
    /// Lifts what stops access.
    fn unsuspend<'a>(
        &'a self,
        caller: &'a Caller,
        request: UnsuspendRequest,
    ) -> Answer<'a, DoneView>;
    /// Looks at everything now, as by night.
    fn audit_access<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView>;
    /// Settles a finding: it is as it should be.
    fn settle_finding<'a>(
        &'a self,
        caller: &'a Caller,
        request: SettleRequest,
    ) -> Answer<'a, DoneView>;
    /// Lets what the guard holds of findings be mended.
    fn mend_findings<'a>(
        &'a self,
        caller: &'a Caller,
        request: MendRequest,
    ) -> Answer<'a, DoneView>;
    /// Takes what is there for approved.
    fn accept_baseline<'a>(
        &'a self,
        caller: &'a Caller,
        request: BaselineRequest,
    ) -> Answer<'a, DoneView>;
    /// Who holds what in the caller's charge, or in another's whom they name.
    fn rosters<'a>(&'a self, caller: &'a Caller, of: Option<&'a str>) -> Answer<'a, RostersView>;
    /// Writes the rosters of this month, or the report of a year.
    fn report<'a>(&'a self, caller: &'a Caller, request: ReportRequest) -> Answer<'a, DoneView>;
    /// Matches a first full feed to what the directory holds; writes only when asked to.
    fn adopt<'a>(&'a self, caller: &'a Caller, request: AdoptRequest) -> Answer<'a, AdoptView>;
    /// Reads the configuration again, or keeps the old one and says why.
    fn reload<'a>(&'a self, caller: &'a Caller) -> Answer<'a, ReloadView>;

    /// Puts a call on record (P3). A look that can't be recorded is not answered, and a change that
    /// can't be recorded is not begun.
    fn record<'a>(&'a self, call: &'a CallRecord) -> Answer<'a, ()>;
}

/// Which rows of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Only rows after this place in the chain; 0 for the first.
    pub after: u64,
    /// At most so many rows.
    pub limit: u32,
    /// Only rows about this person.
    pub person: Option<String>,
}

/// One call, as it goes on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRecord {
    /// Who called; `None` where the kernel did not say.
    pub caller: Option<Caller>,
    /// `GET` or `POST`.
    pub method: String,
    /// Path with its query, without escapes, protected numbers masked, made safe to show.
    pub path: String,
    /// How it went.
    pub outcome: CallOutcome,
    /// Calls of the same account that were refused before this one and have no record of their own: of
    /// refusals only one a second is recorded.
    pub refused_before: u64,
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOutcome {
    /// A change that is about to be made.
    Asked,
    /// Answered, with this HTTP status; 403 is a call that was not allowed.
    Answered(u16),
}

/// Why there is no answer, by what the caller can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// No such person, plan, row.
    NotFound,
    /// The caller may not, or a rule forbids it.
    Refused,
    /// Not in this state: a plan that is decided already, a hold that stands.
    Conflict,
    /// Not now: the database or the directory can't be reached.
    Unavailable,
    /// The question makes no sense as it was put.
    Bad,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::NotFound, Self::Refused, Self::Conflict, Self::Unavailable, Self::Bad];

    /// The HTTP status that stands for it.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Bad => 400,
            Self::Refused => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unavailable => 503,
        }
    }

    /// The kind that an HTTP status stands for.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            403 => Self::Refused,
            404 => Self::NotFound,
            409 => Self::Conflict,
            400..=499 => Self::Bad,
            _ => Self::Unavailable,
        }
    }
}

/// An answer that says no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct ConsoleError {
    /// What kind of no.
    pub kind: ErrorKind,
    /// What is wrong, in one sentence.
    pub error: String,
    /// What to do.
    pub advice: String,
}

impl ConsoleError {
    /// An error of a kind, with advice.
    #[must_use]
    pub fn new(kind: ErrorKind, error: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { kind, error: error.into(), advice: advice.into() }
    }

    /// The shape in which it is sent and printed.
    #[must_use]
    pub fn view(&self) -> ErrorView {
        ErrorView { error: self.error.clone(), advice: self.advice.clone() }
    }
}
