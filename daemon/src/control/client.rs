//! Asks the daemon, over its socket or within this process when no daemon runs.

use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::endpoints::{Call, Endpoint, Method};
use crate::control::peer::Peer;
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
use axum::Router;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use http_body_util::{BodyExt, Full};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::civil::Date;
use lapsed_core::notice_rules::Kind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::UnixStream;
use tower::ServiceExt;

/// How long an answer may take; `adopt` and `audit verify` read everything and get longer.
const PATIENCE: Duration = Duration::from_secs(60);
const LONG_PATIENCE: Duration = Duration::from_secs(3600);

/// How the daemon is reached.
#[derive(Debug, Clone)]
pub enum Transport {
    /// Over the control socket at this path.
    Socket(PathBuf),
    /// Within this process: the same router, the same roles, for a stopped daemon.
    InProcess(Router),
}

/// Asks the daemon.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens on the socket.
    #[error("the daemon does not run: nobody listens on {}", path.display())]
    NotRunning {
        /// The socket.
        path: PathBuf,
    },
    /// The socket's mode or group keeps this account out.
    #[error("this account may not connect to {}", path.display())]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The system would not connect.
    #[error("the daemon can't be reached on {}", path.display())]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The connection broke, so a change may or may not have been made.
    #[error("the daemon broke off before it answered")]
    BrokenOff {
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// No answer in time.
    #[error("the daemon has not answered within {} seconds", after.as_secs())]
    TooLong {
        /// How long was waited.
        after: Duration,
    },
    /// The answer is not of the documented shape.
    #[error("the daemon's answer can't be understood")]
    Strange {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The daemon says no.
    #[error(transparent)]
    Said(#[from] ConsoleError),
}

impl ClientError {
    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::NotRunning { path } => format!(
                "Start it with `systemctl start lapsed`. If it runs with another socket than {}, name \
                 that by --socket, or name its configuration by --config.",
                path.display()
            ),
            Self::NotAllowed { path } => format!(
                "Ask to be added to the group {}, which owns the socket, and log in anew; what you may \
                 do then is under `control.roles` in the daemon's configuration.",
                owning_group(path)
            ),
            Self::Unreachable { .. } => {
                "Check that the path is the daemon's socket (`control.socket` in its configuration)."
                    .to_owned()
            }
            Self::BrokenOff { .. } | Self::TooLong { .. } => {
                "What was asked for may have been done: look with `lapsed status` and `journalctl -u \
                 lapsed` before asking again."
                    .to_owned()
            }
            Self::Strange { .. } => {
                "Command and daemon are of different versions: restart the daemon after an upgrade."
                    .to_owned()
            }
            Self::Said(answer) => answer.advice.clone(),
        }
    }
}

fn owning_group(path: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path)
        .ok()
        .and_then(|found| nix::unistd::Group::from_gid(found.gid().into()).ok().flatten())
        .map_or_else(|| "shown by `ls -l` of it".to_owned(), |group| format!("`{}`", group.name))
}

type Asked<T> = Result<T, ClientError>;
type Query<'a> = &'a [(&'a str, &'a str)];

impl Client {
    /// A client by a transport.
    #[must_use]
    pub fn new(transport: Transport) -> Self {
        Self { transport }
    }

    /// `evidence`.
    pub async fn evidence(&self, who: &str) -> Asked<EvidenceView> {
        self.look(Call::Evidence, &[("who", who)]).await
    }
    /// `late`.
    pub async fn late(&self, since: Option<Date>) -> Asked<LateView> {
        let since = since.map(|day| day.to_string());
        let question: Vec<(&str, &str)> =
            since.as_deref().map(|day| ("since", day)).into_iter().collect();
        self.look(Call::Late, &question).await
    }
    /// `restore`.
    pub async fn restore(&self, request: &RestoreRequest) -> Asked<RestoreView> {
        self.change(Call::Restore, request).await
    }
    /// `restore --consent`.
    pub async fn consent_restore(&self, request: &DecisionRequest) -> Asked<DoneView> {
        self.change(Call::ConsentRestore, request).await
    }
    /// Whether all is well.
    pub async fn status(&self) -> Asked<StatusView> {
        self.look(Call::Status, &[]).await
    }
    /// The calendar up to and with `until`.
    pub async fn due(&self, until: Option<Date>) -> Asked<DueView> {
        match until {
            Some(day) => self.look(Call::Due, &[("until", &day.to_string())]).await,
            None => self.look(Call::Due, &[]).await,
        }
    }
    /// Everything about one person.
    pub async fn person(&self, who: &str) -> Asked<PersonView> {
        self.look(Call::Person, &[("who", who)]).await
    }
    /// Plans in the states named, with commas between; all where empty.
    pub async fn plans(&self, states: &str) -> Asked<PlansView> {
        self.look(Call::Plans, &[("states", states)]).await
    }
    /// One plan, by the beginning of its hash.
    pub async fn plan(&self, hash: &str) -> Asked<PlanView> {
        self.look(Call::Plan, &[("hash", hash)]).await
    }
    /// Standing holds.
    pub async fn holds(&self) -> Asked<HoldsView> {
        self.look(Call::Holds, &[]).await
    }
    /// What others were asked to do; `all` with what has ended.
    pub async fn requests(&self, all: bool) -> Asked<RequestsView> {
        self.look(Call::Requests, &[("all", if all { "true" } else { "false" })]).await
    }
    /// Access forms; `open` for those that have not ended.
    pub async fn access_forms(&self, open: bool) -> Asked<AccessFormsView> {
        self.look(Call::AccessForms, &[("open", if open { "true" } else { "false" })]).await
    }
    /// One access form by its number.
    pub async fn access_form(&self, number: u64) -> Asked<AccessFormView> {
        self.look(Call::AccessForm, &[("number", &number.to_string())]).await
    }
    /// What waits to be settled.
    pub async fn set_asides(&self) -> Asked<SetAsidesView> {
        self.look(Call::SetAsides, &[]).await
    }
    /// Who was told what by mail, and what waits.
    pub async fn notices(&self, person: Option<&str>) -> Asked<NoticesView> {
        let query: Vec<_> = person.map(|who| ("person", who)).into_iter().collect();
        self.look(Call::Notices, &query).await
    }
    /// A notice as it would be written.
    pub async fn notice_preview(&self, kind: Kind, person: Option<&str>) -> Asked<LetterView> {
        let mut query = vec![("kind", kind.name())];
        query.extend(person.map(|who| ("person", who)));
        self.look(Call::NoticePreview, &query).await
    }
    /// Tickets at the help desk, and those that wait to be opened.
    pub async fn tickets(&self) -> Asked<TicketsView> {
        self.look(Call::Tickets, &[]).await
    }
    /// Rows of the audit after a place in the chain.
    pub async fn audit(&self, after: u64, limit: u32, person: Option<&str>) -> Asked<AuditView> {
        let (after, limit) = (after.to_string(), limit.to_string());
        let mut query = vec![("after", after.as_str()), ("limit", limit.as_str())];
        query.extend(person.map(|who| ("person", who)));
        self.look(Call::Audit, &query).await
    }
    /// Checks the whole chain.
    pub async fn audit_verify(&self) -> Asked<AuditVerifyView> {
        self.look(Call::AuditVerify, &[]).await
    }
    /// Access forms that wait for the caller; one of them, where it is named.
    pub async fn approvals(&self, form: Option<u64>) -> Asked<ApprovalsView> {
        match form {
            Some(number) => self.look(Call::Approvals, &[("form", &number.to_string())]).await,
            None => self.look(Call::Approvals, &[]).await,
        }
    }
    /// Who is away and who decides meanwhile.
    pub async fn absences(&self) -> Asked<AbsencesView> {
        self.look(Call::Absences, &[]).await
    }
    /// First passwords that wait for the caller.
    pub async fn envelopes(&self) -> Asked<EnvelopesView> {
        self.look(Call::Envelopes, &[]).await
    }
    /// Shows one of them, once.
    pub async fn open_envelope(&self, request: &OpenEnvelopeRequest) -> Asked<PasswordView> {
        self.change(Call::OpenEnvelope, request).await
    }
    /// Says yes to an access form.
    pub async fn approve(&self, request: &ApproveRequest) -> Asked<DecidedView> {
        self.change(Call::Approve, request).await
    }
    /// Says no to an access form.
    pub async fn deny(&self, request: &DenyRequest) -> Asked<DecidedView> {
        self.change(Call::Deny, request).await
    }
    /// Enters who decides in somebody's place while they are away.
    pub async fn away(&self, request: &AwayRequest) -> Asked<DoneView> {
        self.change(Call::Away, request).await
    }
    /// Ends that.
    pub async fn end_away(&self, request: &EndAwayRequest) -> Asked<DoneView> {
        self.change(Call::EndAway, request).await
    }
    /// Whose access is stopped for a while, and why.
    pub async fn suspensions(&self) -> Asked<SuspensionsView> {
        self.look(Call::Suspensions, &[]).await
    }
    /// What the nightly audit found and nobody has settled.
    pub async fn findings(&self) -> Asked<FindingsView> {
        self.look(Call::Findings, &[]).await
    }
    /// Releases a held plan.
    pub async fn release(&self, request: &DecisionRequest) -> Asked<DoneView> {
        self.change(Call::Release, request).await
    }
    /// Rejects a held plan.
    pub async fn reject(&self, request: &DecisionRequest) -> Asked<DoneView> {
        self.change(Call::Reject, request).await
    }
    /// Places a hold.
    pub async fn hold(&self, request: &HoldRequest) -> Asked<DoneView> {
        self.change(Call::Hold, request).await
    }
    /// Lifts a hold.
    pub async fn lift(&self, request: &LiftRequest) -> Asked<DoneView> {
        self.change(Call::Lift, request).await
    }
    /// Gives a leaver's mailbox to somebody to read, or takes it back.
    pub async fn delegate(&self, request: &DelegateRequest) -> Asked<DoneView> {
        self.change(Call::Delegate, request).await
    }
    /// Keeps files or mail of a leaver for somebody, or no longer.
    pub async fn keep(&self, request: &KeepRequest) -> Asked<DoneView> {
        self.change(Call::Keep, request).await
    }
    /// An operator's notice of a departure.
    pub async fn depart(&self, request: &DepartRequest) -> Asked<DoneView> {
        self.change(Call::Depart, request).await
    }
    /// Pauses all deletions.
    pub async fn pause(&self, request: &PauseRequest) -> Asked<DoneView> {
        self.change(Call::Pause, request).await
    }
    /// Lets deletions go on.
    pub async fn resume(&self, request: &PauseRequest) -> Asked<DoneView> {
        self.change(Call::Resume, request).await
    }
    /// Pauses whatever gives access.
    pub async fn pause_giving(&self, request: &PauseRequest) -> Asked<DoneView> {
        self.change(Call::PauseGiving, request).await
    }
    /// Lets it go on.
    pub async fn resume_giving(&self, request: &PauseRequest) -> Asked<DoneView> {
        self.change(Call::ResumeGiving, request).await
    }
    /// Settles something that was set aside.
    pub async fn settle_set_aside(&self, request: &SettleRequest) -> Asked<DoneView> {
        self.change(Call::SettleSetAside, request).await
    }
    /// Files the answer of those who were asked.
    pub async fn confirm(&self, request: &ConfirmRequest) -> Asked<DoneView> {
        self.change(Call::Confirm, request).await
    }
    /// Files an access form.
    pub async fn submit_form(&self, request: &SubmitFormRequest) -> Asked<FiledView> {
        self.change(Call::SubmitForm, request).await
    }
    /// Records that somebody passed a gate, or takes that back.
    pub async fn gate(&self, request: &GateRequest) -> Asked<DoneView> {
        self.change(Call::Gate, request).await
    }
    /// Stops somebody's access for a while, now or from a day on.
    pub async fn suspend(&self, request: &SuspendRequest) -> Asked<DoneView> {
        self.change(Call::Suspend, request).await
    }
    /// Lifts what stops access.
    pub async fn unsuspend(&self, request: &UnsuspendRequest) -> Asked<DoneView> {
        self.change(Call::Unsuspend, request).await
    }
    /// Looks at everything now, as by night.
    pub async fn audit_access(&self, request: &PauseRequest) -> Asked<DoneView> {
        self.change(Call::AuditAccess, request).await
    }
    /// Settles a finding: it is as it should be.
    pub async fn settle_finding(&self, request: &SettleRequest) -> Asked<DoneView> {
        self.change(Call::SettleFinding, request).await
    }
    /// Lets what the guard holds of findings be mended.
    pub async fn mend_findings(&self, request: &MendRequest) -> Asked<DoneView> {
        self.change(Call::MendFindings, request).await
    }
    /// Takes what is there for approved.
    pub async fn accept_baseline(&self, request: &BaselineRequest) -> Asked<DoneView> {
        self.change(Call::AcceptBaseline, request).await
    }
    /// Who holds what in the caller's charge, or in another's.
    pub async fn rosters(&self, of: Option<&str>) -> Asked<RostersView> {
        let query: Vec<_> = of.map(|name| ("of", name)).into_iter().collect();
        self.look(Call::Rosters, &query).await
    }
    /// Writes the rosters of this month, or the report of a year.
    pub async fn report(&self, request: &ReportRequest) -> Asked<DoneView> {
        self.change(Call::Report, request).await
    }
    /// Matches a first full feed to what the directory holds.
    pub async fn adopt(&self, request: &AdoptRequest) -> Asked<AdoptView> {
        self.change(Call::Adopt, request).await
    }
    /// Reads the configuration again.
    pub async fn reload(&self) -> Asked<ReloadView> {
        self.change(Call::Reload, &serde_json::json!({})).await
    }

    async fn look<T: DeserializeOwned>(&self, call: Call, query: Query<'_>) -> Asked<T> {
        self.ask(call.endpoint(), query, Bytes::new()).await
    }

    async fn change<B: Serialize, T: DeserializeOwned>(&self, call: Call, body: &B) -> Asked<T> {
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Strange { source })?;
        self.ask(call.endpoint(), &[], body.into()).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        endpoint: Endpoint,
        query: Query<'_>,
        body: Bytes,
    ) -> Asked<T> {
        let request = request(endpoint, query, body)?;
        let after = match endpoint.call {
            Call::Adopt | Call::AuditVerify => LONG_PATIENCE,
            _ => PATIENCE,
        };
        let sent = async {
            match &self.transport {
                Transport::Socket(path) => over_socket(path, request).await,
                Transport::InProcess(router) => within(router.clone(), request).await,
            }
        };
        let (status, bytes) = tokio::time::timeout(after, sent)
            .await
            .map_err(|_| ClientError::TooLong { after })??;
        understood(status, &bytes)
    }
}

fn request(endpoint: Endpoint, query: Query<'_>, body: Bytes) -> Asked<Request<Full<Bytes>>> {
    let method = match endpoint.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
    };
    let mut target = endpoint.path.to_owned();
    if !query.is_empty() {
        let pairs = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        target = format!("{target}?{pairs}");
    }
    Request::builder()
        .method(method)
        .uri(target)
        .header(hyper::header::HOST, "lapsed")
        .header(hyper::header::CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(broken)
}

async fn over_socket(path: &Path, request: Request<Full<Bytes>>) -> Asked<(StatusCode, Bytes)> {
    let stream = UnixStream::connect(path).await.map_err(|source| unconnected(path, source))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends by itself when the sender is dropped.
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
    Ok((status, bytes))
}

async fn within(router: Router, mut request: Request<Full<Bytes>>) -> Asked<(StatusCode, Bytes)> {
    request.extensions_mut().insert(ConnectInfo(Peer::own()));
    let response = match router.oneshot(request.map(axum::body::Body::new)).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let status = response.status();
    let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
    Ok((status, bytes))
}

fn unconnected(path: &Path, source: io::Error) -> ClientError {
    let path = path.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ClientError::NotRunning { path }
        }
        io::ErrorKind::PermissionDenied => ClientError::NotAllowed { path },
        _ => ClientError::Unreachable { path, source },
    }
}

fn broken(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError::BrokenOff { source: source.into() }
}

fn understood<T: DeserializeOwned>(status: StatusCode, bytes: &[u8]) -> Asked<T> {
    if status.is_success() {
        return serde_json::from_slice(bytes).map_err(|source| ClientError::Strange { source });
    }
    let view: ErrorView =
        serde_json::from_slice(bytes).map_err(|source| ClientError::Strange { source })?;
    let kind = ErrorKind::of_status(status.as_u16());
    Err(ConsoleError::new(kind, view.error, view.advice).into())
}
