//! The calls of the control socket, in one table: path, method, and the role that each needs.

use crate::config::Role;

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// A look; the question is in the query.
    Get,
    /// A change; the request is a JSON body.
    Post,
}

/// A call of the control socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the commands; the table says what each is")]
pub enum Call {
    Status,
    Due,
    Person,
    Plans,
    Plan,
    Holds,
    Requests,
    AccessForms,
    AccessForm,
    SetAsides,
    Notices,
    NoticePreview,
    Tickets,
    Audit,
    AuditVerify,
    Approvals,
    Absences,
    Envelopes,
    Release,
    Reject,
    Hold,
    Lift,
    Delegate,
    Keep,
    Depart,
    Pause,
    Resume,
    PauseGiving,
    ResumeGiving,
    SettleSetAside,
    Confirm,
    SubmitForm,
    Gate,
    Approve,
    Deny,
    Away,
    EndAway,
    Suspensions,
    Suspend,
    Unsuspend,
    OpenEnvelope,
    Findings,
    AuditAccess,
    SettleFinding,
    MendFindings,
    AcceptBaseline,
    Rosters,
    Report,
    Restore,
    ConsentRestore,
    Evidence,
    Late,
    Adopt,
    Reload,
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// Which call.
    pub call: Call,
    /// How it is made.
    pub method: Method,
    /// Its path; a new version gets a new first segment.
    pub path: &'static str,
    /// The least role that may make it.
    pub needs: Role,
    /// The command that makes it.
    pub command: &'static str,
}

const fn row(
    call: Call,
    method: Method,
    path: &'static str,
    needs: Role,
    command: &'static str,
) -> Endpoint {
    Endpoint { call, method, path, needs, command }
}

/// Every call. What is not here can't be asked of the daemon.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &{
    use Method::{Get, Post};
    use Role::{Administrator, Auditor, Operator, Participant, Viewer};
    [
        row(Call::Status,         Get,  "/v1/status",           Viewer,        "status"),
        row(Call::Due,            Get,  "/v1/due",              Viewer,        "due"),
        row(Call::Person,         Get,  "/v1/person",           Viewer,        "person"),
        row(Call::Plans,          Get,  "/v1/plans",            Viewer,        "plans"),
        row(Call::Plan,           Get,  "/v1/plan",             Viewer,        "plans show"),
        row(Call::Holds,          Get,  "/v1/holds",            Viewer,        "hold list"),
        row(Call::Requests,       Get,  "/v1/requests",         Viewer,        "requests"),
        row(Call::AccessForms,    Get,  "/v1/forms",            Participant,   "form list"),
        row(Call::AccessForm,     Get,  "/v1/form",             Participant,   "form"),
        row(Call::SetAsides,      Get,  "/v1/set-asides",       Viewer,        "set-aside list"),
        row(Call::Notices,        Get,  "/v1/notices",          Viewer,        "notices"),
        row(Call::NoticePreview,  Get,  "/v1/notices/preview",  Viewer,        "notices --preview"),
        row(Call::Tickets,        Get,  "/v1/tickets",          Viewer,        "tickets"),
        row(Call::Audit,          Get,  "/v1/audit",            Auditor,       "audit list"),
        row(Call::AuditVerify,    Get,  "/v1/audit/verify",     Auditor,       "audit verify"),
        row(Call::Approvals,      Get,  "/v1/approvals",        Participant,   "approvals"),
        row(Call::Absences,       Get,  "/v1/absences",         Participant,   "away list"),
        row(Call::Envelopes,      Get,  "/v1/envelopes",        Participant,   "envelope list"),
        row(Call::Release,        Post, "/v1/release",          Operator,      "release"),
        row(Call::Reject,         Post, "/v1/reject",           Operator,      "reject"),
        row(Call::Hold,           Post, "/v1/hold",             Operator,      "hold place"),
        row(Call::Lift,           Post, "/v1/hold/lift",        Operator,      "hold lift"),
        row(Call::Delegate,       Post, "/v1/delegate",         Operator,      "delegate"),
        row(Call::Keep,           Post, "/v1/keep",             Operator,      "keep"),
        row(Call::Depart,         Post, "/v1/depart",           Operator,      "depart"),
        row(Call::Pause,          Post, "/v1/deletions/pause",  Operator,      "pause deletions"),
        row(Call::Resume,         Post, "/v1/deletions/resume", Operator,      "resume deletions"),
        row(Call::PauseGiving,    Post, "/v1/giving/pause",     Operator,      "pause giving"),
        row(Call::ResumeGiving,   Post, "/v1/giving/resume",    Operator,      "resume giving"),
        row(Call::SettleSetAside, Post, "/v1/set-aside/settle", Operator,      "set-aside settle"),
        row(Call::Confirm,        Post, "/v1/confirm",          Operator,      "confirm"),
        row(Call::SubmitForm,     Post, "/v1/forms/submit",     Participant,   "form submit"),
        row(Call::Gate,           Post, "/v1/gate",             Operator,      "gate"),
        row(Call::Approve,        Post, "/v1/approve",          Participant,   "approve"),
        row(Call::Deny,           Post, "/v1/deny",             Participant,   "deny"),
        row(Call::Away,           Post, "/v1/away",             Participant,   "away"),
        row(Call::EndAway,        Post, "/v1/away/end",         Participant,   "away end"),
        row(Call::Suspensions,    Get, "/v1/suspensions",  Role::Viewer, "suspensions"),
        row(Call::Suspend,        Post, "/v1/suspend",  Role::Operator, "suspend"),
        row(Call::Unsuspend,      Post, "/v1/unsuspend",  Role::Operator, "unsuspend"),
        row(Call::OpenEnvelope,   Post, "/v1/envelope/open",    Participant,   "envelope open"),
        row(Call::Findings,       Get, "/v1/findings",  Role::Viewer, "findings"),
        row(Call::AuditAccess,    Post, "/v1/findings/now",  Role::Operator, "findings --now"),
        row(Call::SettleFinding,  Post, "/v1/findings/settle",  Role::Operator, "findings settle"),
        row(Call::MendFindings,   Post, "/v1/findings/mend",  Role::Operator, "findings mend"),
        row(Call::AcceptBaseline, Post, "/v1/findings/baseline",  Role::Administrator, "findings baseline"),
        row(Call::Rosters,        Get,  "/v1/report/roster",    Participant,   "report roster"),
        row(Call::Report,         Post, "/v1/report",  Role::Operator, "report"),
        row(Call::Restore,        Post, "/v1/restore",          Participant,   "restore"),
        row(Call::ConsentRestore, Post, "/v1/restore/consent",  Participant,   "restore --consent"),
        row(Call::Evidence,       Get,  "/v1/evidence",         Auditor,       "evidence"),
        row(Call::Late,           Get,  "/v1/late",             Auditor,       "late"),
        row(Call::Adopt,          Post, "/v1/adopt",            Administrator, "adopt"),
        row(Call::Reload,         Post, "/v1/reload",           Administrator, "reload"),
    ]
};

impl Endpoint {
    /// The longest request body that is read, in bytes: some carry files.
    #[must_use]
    pub fn body_limit(&self) -> usize {
        match self.call {
            Call::Adopt => 64 * 1024 * 1024,
            // 20 MiB in base64, and room for the rest.
            Call::Confirm | Call::SubmitForm | Call::Gate => 27 * 1024 * 1024,
            _ => 64 * 1024,
        }
    }
}

impl Call {
    /// The call's line in the table.
    #[must_use]
    pub fn endpoint(self) -> Endpoint {
        // The table is in the order of the calls; a test holds it to that.
        ENDPOINTS[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_call_has_its_own_line_in_the_order_of_the_calls() {
        for (index, endpoint) in ENDPOINTS.iter().enumerate() {
            assert_eq!(endpoint.call as usize, index, "{}", endpoint.path);
            assert_eq!(endpoint.call.endpoint(), *endpoint);
        }
        assert_eq!(Call::Reload as usize + 1, ENDPOINTS.len());
        let paths: BTreeSet<_> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
        assert_eq!(paths.len(), ENDPOINTS.len());
    }

    /// What those may ask who only take part in access forms: what is decided by who the caller is and not
    /// by their role on this socket.
    const TAKE_PART: &[&str] = &[
        "/v1/approvals",
        "/v1/absences",
        "/v1/envelopes",
        "/v1/envelope/open",
        "/v1/approve",
        "/v1/deny",
        "/v1/away",
        "/v1/away/end",
        "/v1/forms",
        "/v1/form",
        "/v1/forms/submit",
        "/v1/restore",
        "/v1/restore/consent",
        "/v1/report/roster",
    ];

    #[test]
    fn no_look_needs_more_than_an_auditor_and_no_change_less_than_an_operator_but_on_forms() {
        for endpoint in ENDPOINTS.iter().copied() {
            if TAKE_PART.contains(&endpoint.path) {
                assert_eq!(endpoint.needs, Role::Participant, "{}", endpoint.path);
                continue;
            }
            assert!(endpoint.needs > Role::Participant, "{}", endpoint.path);
            match endpoint.method {
                Method::Get => assert!(endpoint.needs <= Role::Auditor, "{}", endpoint.path),
                Method::Post => assert!(endpoint.needs >= Role::Operator, "{}", endpoint.path),
            }
        }
    }
}
