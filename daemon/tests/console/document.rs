//! docs/json.md is made of the types: their fields, their types, their comments.

use lapsed::control::endpoints::{Call, ENDPOINTS, Endpoint, Method};
use lapsed::views::*;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};
use std::fmt::Write as _;
use std::path::PathBuf;

const HEAD: &str = "# JSON of the commands and of the control socket

`lapsed COMMAND --format json` prints one of these shapes, and so does the control socket. They are
stable: fields are only ever added. Times are RFC 3339 with the agency's offset; dates are calendar dates
in the agency's zone, `2026-11-27`. People appear by user ID or employee number only. Text that came
from outside (file names, reasons) is printed as it came, escaped as JSON demands: make it safe before it
goes to a terminal.

This page is made of the types themselves by a test; write it anew with
`LAPSED_WRITE_DOCS=1 cargo nextest run -p lapsed docs_json_md_is_current`.

## Calls

HTTP/1.1 over the Unix socket (`control.socket` in the configuration). The caller is known by the
kernel's word; the role is the least that may make the call; each role may also do what the ones before it
may: participant, viewer, auditor, operator, administrator. Root is administrator. Every call is on record.

";

/// What is asked in the query, and the shapes of request and answer.
fn shapes(call: Call) -> (&'static str, &'static str) {
    match call {
        Call::Status => ("", "StatusView"),
        Call::Due => ("`until` a date, if any", "DueView"),
        Call::Person => ("`who` user ID, employee number or own id", "PersonView"),
        Call::Plans => ("`states` with commas between, all if none", "PlansView"),
        Call::Plan => ("`hash` or its beginning", "PlanView"),
        Call::Holds => ("", "HoldsView"),
        Call::Requests => ("`all` true for those that have ended, too", "RequestsView"),
        Call::AccessForms => ("`open` true for those that have not ended", "AccessFormsView"),
        Call::AccessForm => ("`number`", "AccessFormView"),
        Call::SetAsides => ("", "SetAsidesView"),
        Call::Notices => ("`person`, if any", "NoticesView"),
        Call::NoticePreview => ("`kind`, and `person`, if any", "LetterView"),
        Call::Tickets => ("", "TicketsView"),
        Call::Audit => {
            ("`after` a row, `limit` up to 1000, `person`; all may be absent", "AuditView")
        }
        Call::AuditVerify => ("", "AuditVerifyView"),
        Call::Release | Call::Reject => ("[DecisionRequest](#decisionrequest)", "DoneView"),
        Call::Hold => ("[HoldRequest](#holdrequest)", "DoneView"),
        Call::Lift => ("[LiftRequest](#liftrequest)", "DoneView"),
        Call::Delegate => ("[DelegateRequest](#delegaterequest)", "DoneView"),
        Call::Keep => ("[KeepRequest](#keeprequest)", "DoneView"),
        Call::Depart => ("[DepartRequest](#departrequest)", "DoneView"),
        Call::Suspensions => ("", "SuspensionsView"),
        Call::Suspend => ("[SuspendRequest](#suspendrequest)", "DoneView"),
        Call::Unsuspend => ("[UnsuspendRequest](#unsuspendrequest)", "DoneView"),
        Call::Findings => ("", "FindingsView"),
        Call::AuditAccess => ("[PauseRequest](#pauserequest)", "DoneView"),
        Call::SettleFinding => ("[SettleRequest](#settlerequest)", "DoneView"),
        Call::MendFindings => ("[MendRequest](#mendrequest)", "DoneView"),
        Call::AcceptBaseline => ("[BaselineRequest](#baselinerequest)", "DoneView"),
        Call::Rosters => ("`of`", "RostersView"),
        Call::Report => ("[ReportRequest](#reportrequest)", "DoneView"),
        Call::Pause | Call::Resume | Call::PauseGiving | Call::ResumeGiving => {
            ("[PauseRequest](#pauserequest)", "DoneView")
        }
        Call::SettleSetAside => ("[SettleRequest](#settlerequest)", "DoneView"),
        Call::Confirm => ("[ConfirmRequest](#confirmrequest)", "DoneView"),
        Call::SubmitForm => ("[SubmitFormRequest](#submitformrequest)", "FiledView"),
        Call::Gate => ("[GateRequest](#gaterequest)", "DoneView"),
        Call::Approvals => ("`form` its number, if any", "ApprovalsView"),
        Call::Absences => ("", "AbsencesView"),
        Call::Envelopes => ("", "EnvelopesView"),
        Call::OpenEnvelope => ("[OpenEnvelopeRequest](#openenveloperequest)", "PasswordView"),
        Call::Approve => ("[ApproveRequest](#approverequest)", "DecidedView"),
        Call::Deny => ("[DenyRequest](#denyrequest)", "DecidedView"),
        Call::Away => ("[AwayRequest](#awayrequest)", "DoneView"),
        Call::EndAway => ("[EndAwayRequest](#endawayrequest)", "DoneView"),
        Call::Restore => ("[RestoreRequest](#restorerequest)", "RestoreView"),
        Call::ConsentRestore => ("[DecisionRequest](#decisionrequest)", "DoneView"),
        Call::Evidence => ("`who` user ID, employee number or own id", "EvidenceView"),
        Call::Late => ("`since` a date, if any", "LateView"),
        Call::Adopt => ("[AdoptRequest](#adoptrequest)", "AdoptView"),
        Call::Reload => ("", "ReloadView"),
    }
}

fn document() -> String {
    let mut page = HEAD.to_owned();
    page.push_str("| Command | Call | Role | Asked | Answer |\n|---|---|---|---|---|\n");
    for endpoint in ENDPOINTS.iter().copied() {
        page.push_str(&call(endpoint));
    }
    page.push_str(
        "\nAn answer that says no has the status 400 (the question makes no sense), 403 (the caller may not),\n\
         404 (no such thing, or no such call), 409 (not in this state) or 503 (not now), and is an\n\
         [ErrorView](#errorview). Commands print it on standard error.\n\n## Shapes\n",
    );
    for (name, schema) in schemas() {
        page.push_str(&shape(&name, &schema));
    }
    page
}

fn call(endpoint: Endpoint) -> String {
    let method = match endpoint.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let (asked, answer) = shapes(endpoint.call);
    let Endpoint { command, path, needs, .. } = endpoint;
    let link = answer.to_lowercase();
    format!("| `{command}` | `{method} {path}` | {needs} | {asked} | [{answer}](#{link}) |\n")
}

fn schemas() -> Vec<(String, Value)> {
    let mut generator = SchemaGenerator::default();
    fn add<T: JsonSchema>(generator: &mut SchemaGenerator) {
        let _: Schema = generator.subschema_for::<T>();
    }
    add::<StatusView>(&mut generator);
    add::<DueView>(&mut generator);
    add::<PersonView>(&mut generator);
    add::<PlansView>(&mut generator);
    add::<HoldsView>(&mut generator);
    add::<RequestsView>(&mut generator);
    add::<AccessFormsView>(&mut generator);
    add::<AccessFormView>(&mut generator);
    add::<FiledView>(&mut generator);
    add::<SetAsidesView>(&mut generator);
    add::<NoticesView>(&mut generator);
    add::<LetterView>(&mut generator);
    add::<TicketsView>(&mut generator);
    add::<AuditView>(&mut generator);
    add::<AuditVerifyView>(&mut generator);
    add::<AdoptView>(&mut generator);
    add::<SimulateView>(&mut generator);
    add::<ReloadView>(&mut generator);
    add::<CheckView>(&mut generator);
    add::<UserIdsView>(&mut generator);
    add::<DoneView>(&mut generator);
    add::<ErrorView>(&mut generator);
    add::<ApprovalsView>(&mut generator);
    add::<AbsencesView>(&mut generator);
    add::<EnvelopesView>(&mut generator);
    add::<PasswordView>(&mut generator);
    add::<OpenEnvelopeRequest>(&mut generator);
    add::<DecidedView>(&mut generator);
    add::<ApproveRequest>(&mut generator);
    add::<DenyRequest>(&mut generator);
    add::<AwayRequest>(&mut generator);
    add::<EndAwayRequest>(&mut generator);
    add::<DecisionRequest>(&mut generator);
    add::<DepartRequest>(&mut generator);
    add::<HoldRequest>(&mut generator);
    add::<LiftRequest>(&mut generator);
    add::<DelegateRequest>(&mut generator);
    add::<KeepRequest>(&mut generator);
    add::<RestoreView>(&mut generator);
    add::<RestoreRequest>(&mut generator);
    add::<EvidenceView>(&mut generator);
    add::<LateView>(&mut generator);
    add::<SuspensionsView>(&mut generator);
    add::<SuspendRequest>(&mut generator);
    add::<UnsuspendRequest>(&mut generator);
    add::<FindingsView>(&mut generator);
    add::<RostersView>(&mut generator);
    add::<SettleRequest>(&mut generator);
    add::<BaselineRequest>(&mut generator);
    add::<ReportRequest>(&mut generator);
    add::<PauseRequest>(&mut generator);
    add::<PauseRequest>(&mut generator);
    add::<SettleRequest>(&mut generator);
    add::<ConfirmRequest>(&mut generator);
    add::<SubmitFormRequest>(&mut generator);
    add::<GateRequest>(&mut generator);
    add::<AdoptRequest>(&mut generator);
    let found: Map<String, Value> = generator.take_definitions(true);
    let mut schemas: Vec<_> = found.into_iter().collect();
    schemas.sort_by(|a, b| a.0.cmp(&b.0));
    schemas
}

fn shape(name: &str, schema: &Value) -> String {
    let mut text = format!("\n### {name}\n\n{}\n\n", described(schema));
    text.push_str("| Field | Type | Meaning |\n|---|---|---|\n");
    let fields = schema["properties"].as_object().unwrap();
    for (field, inner) in fields {
        let kind = kind(inner);
        let _ = writeln!(text, "| `{field}` | {kind} | {} |", described(inner).replace('|', "\\|"));
    }
    text
}

fn described(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    assert!(!text.is_empty(), "every shape and field is documented: {schema}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if schema.as_bool() == Some(true)
        || schema.get("type").is_none() && schema.get("anyOf").is_none()
    {
        // Content with a description of its own.
        return "JSON, see [evidence.md](evidence.md)".into();
    }
    if let Some(either) = schema["anyOf"].as_array() {
        return either.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
        _ => panic!("a shape that this page can't tell: {schema}"),
    };
    names.iter().map(|name| simple(name, schema)).collect::<Vec<_>>().join(" or ")
}

fn simple(name: &str, schema: &Value) -> String {
    match (name, schema["format"].as_str()) {
        ("array", _) => format!("list of {}", kind(&schema["items"])),
        ("integer", _) => "whole number".into(),
        ("boolean", _) => "true or false".into(),
        ("string", Some("date")) => "date".into(),
        ("string", _) => "text".into(),
        ("null", _) => "null".into(),
        _ => panic!("a type that this page can't tell: {name}"),
    }
}

#[test]
fn docs_json_md_is_current() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
    let document = document();
    if std::env::var_os("LAPSED_WRITE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &document).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == document,
        "docs/json.md is not current: LAPSED_WRITE_DOCS=1 cargo nextest run -p lapsed docs_json_md_is_current"
    );
}
