//! What the daemon answers to each question and command: the store, put into the shapes of `views`.

mod absences;
mod access_form;
mod access_forms;
mod adopting;
mod approvals;
mod audit;
mod calendar;
mod commands;
mod daemons;
mod envelopes;
mod evidence;
mod findings;
mod holds;
mod late;
mod notices;
mod outbox;
mod people;
mod plans;
mod reload;
mod reports;
mod requests;
mod restoring;
mod rosters;
mod status;
mod still_open;
mod suspensions;
mod tickets;
mod trouble;
mod wishes;
mod word;

pub use adopting::{Adopting, adopt};
pub use calendar::{Waits, entries};
pub(crate) use envelopes::expire;
pub use plans::{in_words, plan_view};
pub use reload::reload_as;
pub(crate) use status::attention_now;
pub(crate) use word::{Filed, Word, follow};

use crate::control::console::{Answer, AuditPage, CallRecord, Console, ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::cycle::CycleError;
use crate::service::Daemon;
use crate::store::{Pausable, StoreError};
use crate::views::{
    AbsencesView, AccessFormView, AccessFormsView, AdoptRequest, AdoptView, ApprovalsView,
    ApproveRequest, AuditVerifyView, AuditView, AwayRequest, BaselineRequest, ConfirmRequest,
    DecidedView, DecisionRequest, DelegateRequest, DenyRequest, DepartRequest, DoneView, DueView,
    EndAwayRequest, EnvelopesView, EvidenceView, FiledView, FindingsView, GateRequest, HoldRequest,
    HoldsView, KeepRequest, LateView, LetterView, LiftRequest, MendRequest, NoticesView,
    OpenEnvelopeRequest, PasswordView, PauseRequest, PersonView, PlanView, PlansView, ReloadView,
    ReportRequest, RequestsView, RestoreRequest, RestoreView, RostersView, SetAsidesView,
    SettleRequest, StatusView, SubmitFormRequest, SuspendRequest, SuspensionsView, TicketsView,
    UnsuspendRequest,
};
use jiff::civil::Date;
use lapsed_core::facts::Person;
use lapsed_core::notice_rules::Kind;
use lapsed_core::plan::PlanState;
use std::sync::Arc;

/// The daemon as the control socket sees it.
#[derive(Clone)]
pub struct Desk(pub Arc<Daemon>);

impl Console for Desk {
    fn status(&self) -> Answer<'_, StatusView> {
        Box::pin(status::status(&self.0))
    }
    fn due(&self, until: Option<Date>) -> Answer<'_, DueView> {
        Box::pin(calendar::due(&self.0, until))
    }
    fn person<'a>(&'a self, who: &'a str) -> Answer<'a, PersonView> {
        Box::pin(people::person(&self.0, who))
    }
    fn plans<'a>(&'a self, states: &'a [PlanState]) -> Answer<'a, PlansView> {
        Box::pin(plans::plans(&self.0, states))
    }
    fn plan<'a>(&'a self, hash: &'a str) -> Answer<'a, PlanView> {
        Box::pin(plans::plan(&self.0, hash))
    }
    fn holds(&self) -> Answer<'_, HoldsView> {
        Box::pin(holds::holds(&self.0))
    }
    fn requests(&self, all: bool) -> Answer<'_, RequestsView> {
        Box::pin(requests::requests(&self.0, all))
    }
    fn access_forms<'a>(&'a self, caller: &'a Caller, open: bool) -> Answer<'a, AccessFormsView> {
        Box::pin(access_forms::list(&self.0, caller, open))
    }
    fn access_form<'a>(&'a self, caller: &'a Caller, number: u64) -> Answer<'a, AccessFormView> {
        Box::pin(access_form::show(&self.0, caller, number))
    }
    fn set_asides(&self) -> Answer<'_, SetAsidesView> {
        Box::pin(people::set_asides(&self.0))
    }
    fn notices<'a>(&'a self, who: Option<&'a str>) -> Answer<'a, NoticesView> {
        Box::pin(outbox::notices(&self.0, who))
    }
    fn notice_preview<'a>(&'a self, kind: Kind, who: Option<&'a str>) -> Answer<'a, LetterView> {
        Box::pin(outbox::preview(&self.0, kind, who))
    }
    fn tickets(&self) -> Answer<'_, TicketsView> {
        Box::pin(tickets::tickets(&self.0))
    }
    fn audit<'a>(&'a self, page: &'a AuditPage) -> Answer<'a, AuditView> {
        Box::pin(audit::rows(&self.0, page))
    }
    fn audit_verify(&self) -> Answer<'_, AuditVerifyView> {
        Box::pin(audit::verify(&self.0))
    }
    fn approvals<'a>(&'a self, caller: &'a Caller, form: Option<u64>) -> Answer<'a, ApprovalsView> {
        Box::pin(approvals::approvals(&self.0, caller, form))
    }
    fn absences<'a>(&'a self, caller: &'a Caller) -> Answer<'a, AbsencesView> {
        Box::pin(absences::absences(&self.0, caller))
    }
    fn envelopes<'a>(&'a self, caller: &'a Caller) -> Answer<'a, EnvelopesView> {
        Box::pin(envelopes::envelopes(&self.0, caller))
    }
    fn open_envelope<'a>(
        &'a self,
        caller: &'a Caller,
        request: OpenEnvelopeRequest,
    ) -> Answer<'a, PasswordView> {
        Box::pin(envelopes::open(&self.0, caller, request))
    }
    fn approve<'a>(
        &'a self,
        caller: &'a Caller,
        request: ApproveRequest,
    ) -> Answer<'a, DecidedView> {
        Box::pin(approvals::approve(&self.0, caller, request))
    }
    fn deny<'a>(&'a self, caller: &'a Caller, request: DenyRequest) -> Answer<'a, DecidedView> {
        Box::pin(approvals::deny(&self.0, caller, request))
    }
    fn away<'a>(&'a self, caller: &'a Caller, request: AwayRequest) -> Answer<'a, DoneView> {
        Box::pin(absences::away(&self.0, caller, request))
    }
    fn end_away<'a>(&'a self, caller: &'a Caller, request: EndAwayRequest) -> Answer<'a, DoneView> {
        Box::pin(absences::end(&self.0, caller, request))
    }
    fn evidence<'a>(&'a self, caller: &'a Caller, who: &'a str) -> Answer<'a, EvidenceView> {
        Box::pin(evidence::evidence(&self.0, caller, who))
    }
    fn late(&self, since: Option<Date>) -> Answer<'_, LateView> {
        Box::pin(late::late(&self.0, since))
    }
    fn restore<'a>(
        &'a self,
        caller: &'a Caller,
        request: RestoreRequest,
    ) -> Answer<'a, RestoreView> {
        Box::pin(restoring::restore(&self.0, caller, request))
    }
    fn consent_restore<'a>(
        &'a self,
        caller: &'a Caller,
        request: DecisionRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(restoring::consent(&self.0, caller, request))
    }
    fn release<'a>(&'a self, caller: &'a Caller, request: DecisionRequest) -> Answer<'a, DoneView> {
        Box::pin(plans::release(&self.0, caller, request))
    }
    fn reject<'a>(&'a self, caller: &'a Caller, request: DecisionRequest) -> Answer<'a, DoneView> {
        Box::pin(plans::reject(&self.0, caller, request))
    }
    fn hold<'a>(&'a self, caller: &'a Caller, request: HoldRequest) -> Answer<'a, DoneView> {
        Box::pin(holds::hold(&self.0, caller, request))
    }
    fn lift<'a>(&'a self, caller: &'a Caller, request: LiftRequest) -> Answer<'a, DoneView> {
        Box::pin(holds::lift(&self.0, caller, request))
    }
    fn delegate<'a>(
        &'a self,
        caller: &'a Caller,
        request: DelegateRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(wishes::delegate(&self.0, caller, request))
    }
    fn keep<'a>(&'a self, caller: &'a Caller, request: KeepRequest) -> Answer<'a, DoneView> {
        Box::pin(wishes::keep(&self.0, caller, request))
    }
    fn depart<'a>(&'a self, caller: &'a Caller, request: DepartRequest) -> Answer<'a, DoneView> {
        Box::pin(notices::depart(&self.0, caller, request))
    }
    fn pause<'a>(&'a self, caller: &'a Caller, request: PauseRequest) -> Answer<'a, DoneView> {
        Box::pin(commands::pause(&self.0, caller, request, Pausable::Deletions))
    }
    fn resume<'a>(&'a self, caller: &'a Caller, request: PauseRequest) -> Answer<'a, DoneView> {
        Box::pin(commands::resume(&self.0, caller, request, Pausable::Deletions))
    }
    fn pause_giving<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(commands::pause(&self.0, caller, request, Pausable::Giving))
    }
    fn resume_giving<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(commands::resume(&self.0, caller, request, Pausable::Giving))
    }
    fn settle_set_aside<'a>(
        &'a self,
        caller: &'a Caller,
        request: SettleRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(commands::settle(&self.0, caller, request))
    }
    fn confirm<'a>(&'a self, caller: &'a Caller, request: ConfirmRequest) -> Answer<'a, DoneView> {
        Box::pin(requests::confirm(&self.0, caller, request))
    }
    fn submit_form<'a>(
        &'a self,
        caller: &'a Caller,
        request: SubmitFormRequest,
    ) -> Answer<'a, FiledView> {
        Box::pin(access_forms::submit(&self.0, caller, request))
    }
    fn gate<'a>(&'a self, caller: &'a Caller, request: GateRequest) -> Answer<'a, DoneView> {
        Box::pin(access_forms::gate(&self.0, caller, request))
    }
    fn adopt<'a>(&'a self, caller: &'a Caller, request: AdoptRequest) -> Answer<'a, AdoptView> {
        Box::pin(adopting::asked(&self.0, caller, request))
    }
    fn reload<'a>(&'a self, caller: &'a Caller) -> Answer<'a, ReloadView> {
        Box::pin(reload::reload(&self.0, caller))
    }
    fn suspensions(&self) -> Answer<'_, SuspensionsView> {
        Box::pin(suspensions::suspensions(&self.0))
    }
    fn suspend<'a>(&'a self, caller: &'a Caller, request: SuspendRequest) -> Answer<'a, DoneView> {
        Box::pin(suspensions::suspend(&self.0, caller, request))
    }
    fn unsuspend<'a>(
        &'a self,
        caller: &'a Caller,
        request: UnsuspendRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(suspensions::unsuspend(&self.0, caller, request))
    }
    fn findings(&self) -> Answer<'_, FindingsView> {
        Box::pin(findings::findings(&self.0))
    }
    fn audit_access<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(findings::now(&self.0, caller, request))
    }
    fn settle_finding<'a>(
        &'a self,
        caller: &'a Caller,
        request: SettleRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(findings::settle(&self.0, caller, request))
    }
    fn mend_findings<'a>(
        &'a self,
        caller: &'a Caller,
        request: MendRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(findings::mend(&self.0, caller, request))
    }
    fn accept_baseline<'a>(
        &'a self,
        caller: &'a Caller,
        request: BaselineRequest,
    ) -> Answer<'a, DoneView> {
        Box::pin(findings::baseline(&self.0, caller, request))
    }
    fn rosters<'a>(&'a self, caller: &'a Caller, of: Option<&'a str>) -> Answer<'a, RostersView> {
        Box::pin(rosters::rosters(&self.0, caller, of))
    }
    fn report<'a>(&'a self, caller: &'a Caller, request: ReportRequest) -> Answer<'a, DoneView> {
        Box::pin(reports::report(&self.0, caller, request))
    }
    fn record<'a>(&'a self, call: &'a CallRecord) -> Answer<'a, ()> {
        Box::pin(audit::record(&self.0, call))
    }
}

impl From<StoreError> for ConsoleError {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = %error, source = ?std::error::Error::source(&error).map(ToString::to_string), "state not reachable");
        Self::new(
            ErrorKind::Unavailable,
            error.to_string(),
            "nothing was changed; look at the daemon's log, then try again",
        )
    }
}

impl From<CycleError> for ConsoleError {
    fn from(error: CycleError) -> Self {
        match error {
            CycleError::Store(error) => error.into(),
            CycleError::Rule(why) => {
                Self::new(ErrorKind::Refused, why, "mend the configuration, then reload")
            }
        }
    }
}

/// The one person that a text names, or an answer that says why not.
pub(crate) async fn the_person(daemon: &Daemon, who: &str) -> Result<Person, ConsoleError> {
    let read = daemon.store.read();
    if let Some(number) = who.strip_prefix("form:").and_then(|number| number.parse().ok()) {
        let filed = read.access_form(number).await?;
        let person = match filed {
            Some(filed) => read.person(filed.person).await?,
            None => None,
        };
        return person.ok_or_else(|| {
            let advice = "`lapsed form list` shows the forms";
            ConsoleError::new(ErrorKind::NotFound, format!("there is no form {number}"), advice)
        });
    }
    let mut found = read.find_person(who).await?;
    match found.len() {
        0 => Err(ConsoleError::new(
            ErrorKind::NotFound,
            format!("nobody known has the user ID, employee number or person id {who:?}"),
            "check the spelling; names are not searched, since they are not unique",
        )),
        1 => Ok(found.remove(0)),
        count => Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("{count} people have the key {who:?}"),
            format!(
                "name one by person id: {}",
                found.iter().map(|p| p.id.to_string()).collect::<Vec<_>>().join(", ")
            ),
        )),
    }
}
