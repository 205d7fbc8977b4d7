//! A console in memory: answers with samples, remembers calls and what was put on record.

use crate::samples;
use axum::Router;
use futures_util::FutureExt;
use jiff::civil::Date;
use lapsed::config::{Members, Roles};
use lapsed::control::console::{Answer, AuditPage, CallRecord, Console, ConsoleError, ErrorKind};
use lapsed::control::peer::{Accounts, MachineAccounts};
use lapsed::control::roles::{Caller, Identity};
use lapsed::control::server::{Control, router};
use lapsed::views::*;
use lapsed_core::facts::{Actor, Invalid};
use lapsed_core::notice_rules::Kind;
use lapsed_core::plan::PlanState;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

#[derive(Default)]
pub struct FakeConsole {
    pub records: Mutex<Vec<CallRecord>>,
    pub calls: Mutex<Vec<String>>,
    /// Fails to put anything on record.
    pub mute: AtomicBool,
}

impl FakeConsole {
    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
    fn done(&self, what: &str, caller: &Caller) -> Answer<'static, DoneView> {
        let message = format!("{what} by {}", caller.name);
        self.note(message.clone());
        ready(Ok(DoneView { message }))
    }
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
    pub fn records(&self) -> Vec<CallRecord> {
        self.records.lock().unwrap().clone()
    }
}

fn ready<T: Send + 'static>(answer: Result<T, ConsoleError>) -> Answer<'static, T> {
    std::future::ready(answer).boxed()
}

fn not_found(what: &str) -> ConsoleError {
    ConsoleError::new(ErrorKind::NotFound, format!("there is no {what}"), "Look it up.")
}

impl Console for FakeConsole {
    fn status(&self) -> Answer<'_, StatusView> {
        ready(Ok(samples::status()))
    }
    fn due(&self, until: Option<Date>) -> Answer<'_, DueView> {
        self.note(format!("due {until:?}"));
        ready(Ok(samples::due()))
    }
    fn person<'a>(&'a self, who: &'a str) -> Answer<'a, PersonView> {
        ready(match who {
            "mzsmitj" => Ok(samples::person()),
            _ => Err(not_found("such person")),
        })
    }
    fn plans<'a>(&'a self, states: &'a [PlanState]) -> Answer<'a, PlansView> {
        self.note(format!("plans {states:?}"));
        ready(Ok(samples::plans()))
    }
    fn plan<'a>(&'a self, _hash: &'a str) -> Answer<'a, PlanView> {
        ready(Ok(samples::plan()))
    }
    fn holds(&self) -> Answer<'_, HoldsView> {
        ready(Ok(samples::holds()))
    }
    fn requests(&self, all: bool) -> Answer<'_, RequestsView> {
        self.note(format!("requests {all}"));
        ready(Ok(samples::requests()))
    }
    fn access_forms<'a>(&'a self, _caller: &'a Caller, open: bool) -> Answer<'a, AccessFormsView> {
        self.note(format!("access forms {open}"));
        ready(Ok(samples::access_forms()))
    }
    fn access_form<'a>(&'a self, _caller: &'a Caller, number: u64) -> Answer<'a, AccessFormView> {
        ready(match number {
            17 => Ok(samples::access_form()),
            _ => Err(not_found("such form")),
        })
    }
    fn set_asides(&self) -> Answer<'_, SetAsidesView> {
        ready(Ok(samples::set_asides()))
    }
    fn notices<'a>(&'a self, who: Option<&'a str>) -> Answer<'a, NoticesView> {
        self.note(format!("notices {who:?}"));
        ready(Ok(samples::notices()))
    }
    fn notice_preview<'a>(&'a self, kind: Kind, who: Option<&'a str>) -> Answer<'a, LetterView> {
        self.note(format!("preview {kind} {who:?}"));
        ready(Ok(samples::letter()))
    }
    fn tickets(&self) -> Answer<'_, TicketsView> {
        ready(Ok(samples::tickets()))
    }
    fn audit<'a>(&'a self, page: &'a AuditPage) -> Answer<'a, AuditView> {
        self.note(format!("audit {page:?}"));
        let rows = samples::audit().rows.into_iter().filter(|row| row.seq > page.after).take(2);
        ready(Ok(AuditView { rows: rows.collect() }))
    }
    fn audit_verify(&self) -> Answer<'_, AuditVerifyView> {
        ready(Ok(samples::audit_verify()))
    }
    fn approvals<'a>(&'a self, caller: &'a Caller, form: Option<u64>) -> Answer<'a, ApprovalsView> {
        self.note(format!("approvals {form:?} by {}", caller.name));
        ready(Ok(samples::approvals()))
    }
    fn envelopes<'a>(&'a self, _caller: &'a Caller) -> Answer<'a, EnvelopesView> {
        ready(Ok(samples::envelopes()))
    }
    fn open_envelope<'a>(
        &'a self,
        _caller: &'a Caller,
        _request: OpenEnvelopeRequest,
    ) -> Answer<'a, PasswordView> {
        ready(Ok(samples::password()))
    }
    fn absences<'a>(&'a self, _caller: &'a Caller) -> Answer<'a, AbsencesView> {
        ready(Ok(samples::absences()))
    }
    fn approve<'a>(
        &'a self,
        caller: &'a Caller,
        request: ApproveRequest,
    ) -> Answer<'a, DecidedView> {
        self.note(format!("approve {request:?} by {}", caller.name));
        ready(Ok(samples::decided()))
    }
    fn deny<'a>(&'a self, caller: &'a Caller, request: DenyRequest) -> Answer<'a, DecidedView> {
        self.note(format!("deny {request:?} by {}", caller.name));
        ready(Ok(samples::decided()))
    }
    fn away<'a>(&'a self, caller: &'a Caller, request: AwayRequest) -> Answer<'a, DoneView> {
        self.done(&format!("away {request:?}"), caller)
    }
    fn end_away<'a>(&'a self, caller: &'a Caller, request: EndAwayRequest) -> Answer<'a, DoneView> {
        self.done(&format!("end away {}", request.id), caller)
    }
    fn restore<'a>(
        &'a self,
        _caller: &'a Caller,
        _request: RestoreRequest,
    ) -> Answer<'a, RestoreView> {
        ready(Ok(samples::restore()))
    }
    fn consent_restore<'a>(
        &'a self,
        caller: &'a Caller,
        request: DecisionRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("consent {} for {}", request.hash, request.reason), caller)
    }
    fn evidence<'a>(&'a self, _caller: &'a Caller, _who: &'a str) -> Answer<'a, EvidenceView> {
        ready(Ok(samples::evidence()))
    }
    fn late(&self, _since: Option<Date>) -> Answer<'_, LateView> {
        ready(Ok(samples::late()))
    }
    fn suspensions(&self) -> Answer<'_, SuspensionsView> {
        ready(Ok(samples::suspensions()))
    }
    fn findings(&self) -> Answer<'_, FindingsView> {
        ready(Ok(samples::findings()))
    }
    fn release<'a>(&'a self, caller: &'a Caller, request: DecisionRequest) -> Answer<'a, DoneView> {
        if request.hash == "decided" {
            let error = ConsoleError::new(ErrorKind::Conflict, "the plan is released already", "");
            return ready(Err(error));
        }
        self.done(&format!("release {} for {}", request.hash, request.reason), caller)
    }
    fn reject<'a>(&'a self, caller: &'a Caller, request: DecisionRequest) -> Answer<'a, DoneView> {
        self.done(&format!("reject {}", request.hash), caller)
    }
    fn hold<'a>(&'a self, caller: &'a Caller, request: HoldRequest) -> Answer<'a, DoneView> {
        let location = request.location.as_deref().unwrap_or_default();
        let whom = format!("{}{location}", request.person);
        self.done(&format!("hold {whom} until {:?}", request.review_on), caller)
    }
    fn lift<'a>(&'a self, caller: &'a Caller, request: LiftRequest) -> Answer<'a, DoneView> {
        self.done(&format!("lift {}", request.person), caller)
    }
    fn delegate<'a>(
        &'a self,
        caller: &'a Caller,
        request: DelegateRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("delegate {request:?}"), caller)
    }
    fn keep<'a>(&'a self, caller: &'a Caller, request: KeepRequest) -> Answer<'a, DoneView> {
        self.done(&format!("keep {request:?}"), caller)
    }
    fn depart<'a>(&'a self, caller: &'a Caller, request: DepartRequest) -> Answer<'a, DoneView> {
        self.done(&format!("depart {} {:?}", request.person, request.last_day), caller)
    }
    fn pause<'a>(&'a self, caller: &'a Caller, _request: PauseRequest) -> Answer<'a, DoneView> {
        self.done("pause", caller)
    }
    fn resume<'a>(&'a self, caller: &'a Caller, _request: PauseRequest) -> Answer<'a, DoneView> {
        self.done("resume", caller)
    }
    fn pause_giving<'a>(
        &'a self,
        caller: &'a Caller,
        _request: PauseRequest,
    ) -> Answer<'a, DoneView> {
        self.done("pause giving", caller)
    }
    fn resume_giving<'a>(
        &'a self,
        caller: &'a Caller,
        _request: PauseRequest,
    ) -> Answer<'a, DoneView> {
        self.done("resume giving", caller)
    }
    fn settle_set_aside<'a>(
        &'a self,
        caller: &'a Caller,
        request: SettleRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("settle {}", request.id), caller)
    }
    fn suspend<'a>(&'a self, caller: &'a Caller, request: SuspendRequest) -> Answer<'a, DoneView> {
        self.done(&format!("suspend {request:?}"), caller)
    }
    fn unsuspend<'a>(
        &'a self,
        caller: &'a Caller,
        request: UnsuspendRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("unsuspend {request:?}"), caller)
    }
    fn audit_access<'a>(
        &'a self,
        caller: &'a Caller,
        request: PauseRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("audit_access {request:?}"), caller)
    }
    fn settle_finding<'a>(
        &'a self,
        caller: &'a Caller,
        request: SettleRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("settle_finding {request:?}"), caller)
    }
    fn mend_findings<'a>(
        &'a self,
        caller: &'a Caller,
        request: MendRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("mend_findings {request:?}"), caller)
    }
    fn accept_baseline<'a>(
        &'a self,
        caller: &'a Caller,
        request: BaselineRequest,
    ) -> Answer<'a, DoneView> {
        self.done(&format!("accept_baseline {request:?}"), caller)
    }
    fn rosters<'a>(&'a self, caller: &'a Caller, of: Option<&'a str>) -> Answer<'a, RostersView> {
        self.note(format!("rosters {of:?} for {}", caller.name));
        ready(Ok(samples::rosters()))
    }
    fn report<'a>(&'a self, caller: &'a Caller, request: ReportRequest) -> Answer<'a, DoneView> {
        self.done(&format!("report {request:?}"), caller)
    }
    fn confirm<'a>(&'a self, caller: &'a Caller, request: ConfirmRequest) -> Answer<'a, DoneView> {
        let length = request.content.as_ref().map_or(0, String::len);
        let what = format!("confirm {} {:?} {length} bytes", request.form, request.refused);
        self.done(&what, caller)
    }
    fn submit_form<'a>(
        &'a self,
        caller: &'a Caller,
        request: SubmitFormRequest,
    ) -> Answer<'a, FiledView> {
        let scans: Vec<_> = request.scans.iter().map(|scan| scan.file.as_str()).collect();
        let message = format!("form {} with {scans:?} by {}", request.file_name, caller.name);
        ready(Ok(FiledView { number: 17, known: false, message }))
    }
    fn gate<'a>(&'a self, caller: &'a Caller, request: GateRequest) -> Answer<'a, DoneView> {
        let GateRequest { person, gate, on, withdraw, .. } = request;
        self.done(&format!("gate {gate} of {person} on {on:?} back {withdraw:?}"), caller)
    }
    fn adopt<'a>(&'a self, caller: &'a Caller, request: AdoptRequest) -> Answer<'a, AdoptView> {
        self.note(format!(
            "adopt {} {} {} bytes by {}",
            request.feed,
            request.file_name,
            request.content.len(),
            caller.name
        ));
        ready(Ok(samples::adopt()))
    }
    fn reload<'a>(&'a self, caller: &'a Caller) -> Answer<'a, ReloadView> {
        self.note(format!("reload by {}", caller.name));
        ready(Ok(samples::reload()))
    }
    fn record<'a>(&'a self, call: &'a CallRecord) -> Answer<'a, ()> {
        if self.mute.load(Ordering::SeqCst) {
            let error = ConsoleError::new(ErrorKind::Unavailable, "the disk is full", "Free some.");
            return ready(Err(error));
        }
        self.records.lock().unwrap().push(call.clone());
        ready(Ok(()))
    }
}

/// Accounts of no machine: user 5 is in the group participant, 1 is in the group viewer, 2 auditor, 3 operator, 4 administrator.
pub struct Invented;

impl Accounts for Invented {
    fn identity(&self, uid: u32, _gid: u32) -> Result<Identity, Invalid> {
        let group = match uid {
            1 => "viewer",
            2 => "auditor",
            3 => "operator",
            4 => "administrator",
            5 => "participant",
            _ => "users",
        };
        let groups = BTreeSet::from([group.to_owned()]);
        Ok(Identity { uid, name: Actor::new(format!("user{uid}"))?, groups })
    }
}

fn of_groups() -> Roles {
    let named = |group: &str| Members { users: Vec::new(), groups: vec![group.to_owned()] };
    Roles {
        participant: named("participant"),
        viewer: named("viewer"),
        auditor: named("auditor"),
        operator: named("operator"),
        administrator: named("administrator"),
    }
}

fn control(console: Arc<FakeConsole>, roles: Roles, accounts: Arc<dyn Accounts>) -> Router {
    let (_, roles) = watch::channel(Arc::new(roles));
    router(Control { console, roles, accounts, config_path: "/etc/lapsed/config.yaml".into() })
}

/// A router for invented accounts.
pub fn invented(console: &Arc<FakeConsole>) -> Router {
    control(Arc::clone(console), of_groups(), Arc::new(Invented))
}

/// A router for this machine's accounts.
pub fn for_machine(console: &Arc<FakeConsole>, roles: Roles) -> Router {
    control(Arc::clone(console), roles, Arc::new(MachineAccounts))
}
