//! The router: who calls, whether they may, that it is on record, and which method of the console answers.

use crate::config::{Role, Roles};
use crate::control::console::{
    AuditPage, CallOutcome, CallRecord, Console, ConsoleError, ErrorKind,
};
use crate::control::endpoints::{Call, ENDPOINTS, Endpoint, Method};
use crate::control::on_record::{Refusals, asked_for};
use crate::control::peer::{Accounts, Peer};
use crate::control::roles::Caller;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{ConnectInfo, DefaultBodyLimit, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Json, Router};
use lapsed_core::notice_rules::Kind;
use lapsed_core::plan::PlanState;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::watch;

/// Most rows of the audit that one call returns.
pub const MOST_AUDIT_ROWS: u32 = 1000;

/// What the router works with.
#[derive(Clone)]
pub struct Control {
    /// The daemon.
    pub console: Arc<dyn Console>,
    /// Who may do what; a reload sends new rules.
    pub roles: watch::Receiver<Arc<Roles>>,
    /// Names of callers.
    pub accounts: Arc<dyn Accounts>,
    /// The configuration file's path, for advice.
    pub config_path: Arc<str>,
}

/// The router over every line of [`ENDPOINTS`]. Requests need a `ConnectInfo<Peer>` extension: the
/// socket server adds it, and who calls in-process does it by [`Peer::own`].
pub fn router(control: Control) -> Router {
    let refusals = Arc::new(Refusals::default());
    let mut router = Router::new();
    for endpoint in ENDPOINTS.iter().copied() {
        let guarded =
            handler(endpoint.call).layer(DefaultBodyLimit::max(endpoint.body_limit())).layer(
                from_fn_with_state((control.clone(), Some(endpoint), Arc::clone(&refusals)), guard),
            );
        router = router.route(endpoint.path, guarded);
    }
    let unknown = get(no_such_path)
        .fallback(no_such_path)
        .layer(from_fn_with_state((control.clone(), None, refusals), guard));
    router.fallback_service(unknown.with_state(control.clone())).with_state(control)
}

/// Lets a call through when the caller is known and has the role, and puts it on record either way; of a
/// flood of refusals, their number.
async fn guard(
    State((control, endpoint, refusals)): State<(Control, Option<Endpoint>, Arc<Refusals>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let mut record = CallRecord {
        caller: None,
        method: request.method().as_str().to_owned(),
        path: asked_for(&request.uri().to_string()),
        outcome: CallOutcome::Asked,
        refused_before: 0,
    };
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0);
    let caller = match authorised(&control, peer, endpoint, &mut record).await {
        Ok(caller) => caller,
        Err(refusal) => {
            let uid = record.caller.as_ref().map(|caller| caller.uid);
            let Some(left_out) = refusals.admit(uid, Instant::now()) else {
                return refused(&refusal);
            };
            record.refused_before = left_out;
            return on_record(&control, record, refused(&refusal)).await;
        }
    };
    let changes = endpoint.is_some_and(|endpoint| endpoint.method == Method::Post);
    if changes && let Err(problem) = control.console.record(&record).await {
        return refused(&unrecorded(&problem));
    }
    request.extensions_mut().insert(caller);
    let response = next.run(request).await;
    if !changes {
        return on_record(&control, record, response).await;
    }
    // What was done is done and has its own audit row; a refusal now would only mislead.
    record.outcome = CallOutcome::Answered(response.status().as_u16());
    if let Err(problem) = control.console.record(&record).await {
        tracing::error!(path = record.path, %problem, "the outcome of a call could not be recorded");
    }
    response
}

async fn on_record(control: &Control, mut record: CallRecord, response: Response) -> Response {
    record.outcome = CallOutcome::Answered(response.status().as_u16());
    match control.console.record(&record).await {
        Ok(()) => response,
        Err(problem) => refused(&unrecorded(&problem)),
    }
}

fn unrecorded(problem: &ConsoleError) -> ConsoleError {
    tracing::error!(%problem, "a call could not be recorded and was not answered");
    ConsoleError::new(
        ErrorKind::Unavailable,
        "the call can't be put on record, so it was not carried out",
        format!("Every look and change is recorded (P3). {}", problem.advice),
    )
}

async fn authorised(
    control: &Control,
    peer: Option<Peer>,
    endpoint: Option<Endpoint>,
    record: &mut CallRecord,
) -> Result<Caller, ConsoleError> {
    let caller = known_caller(control, peer).await?;
    record.caller = Some(caller.clone());
    let needs = endpoint.map_or(Role::Viewer, |endpoint| endpoint.needs);
    if caller.may(needs) {
        return Ok(caller);
    }
    let what =
        endpoint.map_or_else(String::new, |endpoint| format!(" for `lapsed {}`", endpoint.command));
    Err(ConsoleError::new(
        ErrorKind::Refused,
        format!("{} does not have the role {needs}, which is needed{what}", caller.name),
        format!(
            "Ask whoever administers lapsed to add {} under `control.roles.{needs}.users`, or one of \
             your groups under `control.roles.{needs}.groups`, in {}, then `lapsed reload`.",
            caller.name, control.config_path
        ),
    ))
}

async fn known_caller(control: &Control, peer: Option<Peer>) -> Result<Caller, ConsoleError> {
    let unknown = || {
        ConsoleError::new(
            ErrorKind::Refused,
            "the system does not say who is calling",
            "Call from a process on this machine, over the Unix socket itself and not through a relay.",
        )
    };
    let (uid, gid) = peer.and_then(|peer| peer.ids).ok_or_else(unknown)?;
    let accounts = Arc::clone(&control.accounts);
    // Names may come over the network (SSSD, LDAP): not on the runtime's own threads.
    let identity = tokio::task::spawn_blocking(move || accounts.identity(uid, gid)).await;
    match identity {
        Ok(Ok(identity)) => Ok(Caller::new(identity, &control.roles.borrow())),
        Ok(Err(_)) | Err(_) => Err(unknown()),
    }
}

fn refused(error: &ConsoleError) -> Response {
    let status =
        StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(error.view())).into_response()
}

async fn no_such_path() -> Response {
    refused(&ConsoleError::new(
        ErrorKind::NotFound,
        "the daemon has no such call",
        "Use a `lapsed` command of the same version as the daemon; `lapsed status` shows the daemon's.",
    ))
}

async fn wrong_method() -> Response {
    refused(&ConsoleError::new(
        ErrorKind::Bad,
        "looks are asked by GET and changes by POST",
        "Use a `lapsed` command of the same version as the daemon.",
    ))
}

fn answered<T: Serialize>(answer: Result<T, ConsoleError>) -> Response {
    match answer {
        Ok(view) => Json(view).into_response(),
        Err(error) => refused(&error),
    }
}

/// A body as it came in, or why it did not.
type Body = Result<Bytes, BytesRejection>;

fn parsed<T: DeserializeOwned>(body: Body) -> Result<T, ConsoleError> {
    let bad = |error: String| {
        ConsoleError::new(
            ErrorKind::Bad,
            error,
            "Use a `lapsed` command of the same version as the daemon; docs/json.md describes requests.",
        )
    };
    let bytes = body.map_err(|problem| bad(format!("the request can't be read: {problem}")))?;
    serde_json::from_slice(&bytes)
        .map_err(|problem| bad(format!("the request is not as documented: {problem}")))
}

fn asked<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ConsoleError> {
    query.map(|Query(inner)| inner).map_err(|problem| {
        ConsoleError::new(
            ErrorKind::Bad,
            format!("the question is not as documented: {}", problem.body_text()),
            "Dates are written 2026-11-27; docs/json.md describes each question.",
        )
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DueQuestion {
    until: Option<jiff::civil::Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonQuestion {
    who: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LateQuestion {
    since: Option<jiff::civil::Date>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestsQuestion {
    /// Those that have ended, too.
    #[serde(default)]
    all: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenQuestion {
    #[serde(default)]
    open: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberQuestion {
    number: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ApprovalsQuestion {
    /// One form only.
    form: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlansQuestion {
    /// Names of states, with commas between; empty for all.
    #[serde(default)]
    states: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanQuestion {
    hash: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoticesQuestion {
    person: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PreviewQuestion {
    kind: Kind,
    person: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RostersQuestion {
    of: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuestion {
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
    person: Option<String>,
}

const ALL_STATES: [PlanState; 5] = [
    PlanState::Passed,
    PlanState::Held,
    PlanState::Released,
    PlanState::Rejected,
    PlanState::Replaced,
];

fn states(names: &str) -> Result<Vec<PlanState>, ConsoleError> {
    if names.is_empty() {
        return Ok(ALL_STATES.to_vec());
    }
    names.split(',').map(state).collect()
}

fn state(name: &str) -> Result<PlanState, ConsoleError> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| {
        ConsoleError::new(
            ErrorKind::Bad,
            format!("{:?} is no state of a plan", lapsed_core::shown::shown(name)),
            "States are passed, held, released, rejected and replaced.",
        )
    })
}

/// A handler for a change: parses the body, hands it to the console with the caller.
macro_rules! change {
    ($method:ident) => {
        post(
            async |State(control): State<Control>,
                   Extension(caller): Extension<Caller>,
                   body: Body| {
                answered(match parsed(body) {
                    Ok(request) => control.console.$method(&caller, request).await,
                    Err(error) => Err(error),
                })
            },
        )
    };
}

/// A handler for a look: parses the query, and asks the console.
macro_rules! look {
    ($question:ty, |$console:ident, $asked:ident| $answer:expr) => {
        get(
            async |State(control): State<Control>,
                   query: Result<Query<$question>, QueryRejection>| {
                let $console = control.console;
                answered(match asked(query) {
                    Ok($asked) => $answer,
                    Err(error) => Err(error),
                })
            },
        )
    };
}

/// A handler for a look whose answer depends on who asks.
macro_rules! own_look {
    ($question:ty, |$console:ident, $caller:ident, $asked:ident| $answer:expr) => {
        get(
            async |State(control): State<Control>,
                   Extension($caller): Extension<Caller>,
                   query: Result<Query<$question>, QueryRejection>| {
                let $console = control.console;
                answered(match asked(query) {
                    Ok($asked) => $answer,
                    Err(error) => Err(error),
                })
            },
        )
    };
}

/// A look that asks nothing more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn handler(call: Call) -> MethodRouter<Control> {
    let route = match call {
        Call::Status => look!(Nothing, |console, _asked| console.status().await),
        Call::Due => look!(DueQuestion, |console, asked| console.due(asked.until).await),
        Call::Person => look!(PersonQuestion, |console, asked| console.person(&asked.who).await),
        Call::Plans => look!(PlansQuestion, |console, asked| match states(&asked.states) {
            Ok(states) => console.plans(&states).await,
            Err(error) => Err(error),
        }),
        Call::Plan => look!(PlanQuestion, |console, asked| console.plan(&asked.hash).await),
        Call::Holds => look!(Nothing, |console, _asked| console.holds().await),
        Call::Requests => {
            look!(RequestsQuestion, |console, asked| console.requests(asked.all).await)
        }
        Call::AccessForms => {
            own_look!(OpenQuestion, |console, caller, asked| {
                console.access_forms(&caller, asked.open).await
            })
        }
        Call::AccessForm => {
            own_look!(NumberQuestion, |console, caller, asked| {
                console.access_form(&caller, asked.number).await
            })
        }
        Call::SetAsides => look!(Nothing, |console, _asked| console.set_asides().await),
        Call::Notices => {
            look!(NoticesQuestion, |console, asked| console.notices(asked.person.as_deref()).await)
        }
        Call::NoticePreview => look!(PreviewQuestion, |console, asked| {
            console.notice_preview(asked.kind, asked.person.as_deref()).await
        }),
        Call::Tickets => look!(Nothing, |console, _asked| console.tickets().await),
        Call::Audit => look!(AuditQuestion, |console, asked| console.audit(&page(asked)).await),
        Call::AuditVerify => look!(Nothing, |console, _asked| console.audit_verify().await),
        Call::Approvals => own_look!(ApprovalsQuestion, |console, caller, asked| {
            console.approvals(&caller, asked.form).await
        }),
        Call::Absences => {
            own_look!(Nothing, |console, caller, _asked| console.absences(&caller).await)
        }
        Call::Envelopes => {
            own_look!(Nothing, |console, caller, _asked| console.envelopes(&caller).await)
        }
        Call::OpenEnvelope => change!(open_envelope),
        Call::Release => change!(release),
        Call::Reject => change!(reject),
        Call::Hold => change!(hold),
        Call::Lift => change!(lift),
        Call::Delegate => change!(delegate),
        Call::Keep => change!(keep),
        Call::Depart => change!(depart),
        Call::Pause => change!(pause),
        Call::Resume => change!(resume),
        Call::PauseGiving => change!(pause_giving),
        Call::ResumeGiving => change!(resume_giving),
        Call::SettleSetAside => change!(settle_set_aside),
        Call::Confirm => change!(confirm),
        Call::SubmitForm => change!(submit_form),
        Call::Gate => change!(gate),
        Call::Approve => change!(approve),
        Call::Deny => change!(deny),
        Call::Away => change!(away),
        Call::EndAway => change!(end_away),
        Call::Suspensions => look!(Nothing, |console, _asked| console.suspensions().await),
        Call::Suspend => change!(suspend),
        Call::Unsuspend => change!(unsuspend),
        Call::Findings => look!(Nothing, |console, _asked| console.findings().await),
        Call::AuditAccess => change!(audit_access),
        Call::SettleFinding => change!(settle_finding),
        Call::MendFindings => change!(mend_findings),
        Call::AcceptBaseline => change!(accept_baseline),
        Call::Rosters => own_look!(RostersQuestion, |console, caller, asked| {
            console.rosters(&caller, asked.of.as_deref()).await
        }),
        Call::Report => change!(report),
        Call::Restore => change!(restore),
        Call::ConsentRestore => change!(consent_restore),
        Call::Evidence => own_look!(PersonQuestion, |console, caller, asked| {
            console.evidence(&caller, &asked.who).await
        }),
        Call::Late => look!(LateQuestion, |console, asked| console.late(asked.since).await),
        Call::Adopt => change!(adopt),
        Call::Reload => {
            post(async |State(control): State<Control>, Extension(caller): Extension<Caller>| {
                answered(control.console.reload(&caller).await)
            })
        }
    };
    route.fallback(wrong_method)
}

fn page(asked: AuditQuestion) -> AuditPage {
    AuditPage {
        after: asked.after,
        limit: asked.limit.unwrap_or(MOST_AUDIT_ROWS).min(MOST_AUDIT_ROWS),
        person: asked.person,
    }
}
