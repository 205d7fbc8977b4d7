//! Answers about access: forms, approvals, suspensions, findings, and what was undone or late.

use super::{HOSTILE, text};
use lapsed::views::*;

pub fn findings() -> FindingsView {
    FindingsView {
        last: Some(text("2026-11-22T03:00:00-06:00: 1 new, 0 gone, 0 targets not read")),
        findings: vec![FindingView {
            id: text("0191f2b4-0000-0000-0000-000000000002"),
            kind: text("access_without_form"),
            person: Some(text("mzsmitj")),
            connector: Some(text("directory")),
            what: text("mzsmitj: cimor group cimor-nurses"),
            text: format!("mzsmitj holds cimor, and no form gave it: {HOSTILE}"),
            found: text("2026-11-21T03:00:00-06:00"),
            seen: text("2026-11-22T03:00:00-06:00"),
        }],
    }
}

pub fn restore() -> RestoreView {
    RestoreView {
        person: text("mzsmitj"),
        departure: text("0191f2b4-0000-0000-0000-000000000002"),
        state: text("held"),
        hash: text("3f9c01ab77de4400"),
        consent: text("local_security_officer"),
        not_restored: vec![NotRestoredView {
            what: format!("group Nurses {HOSTILE}"),
            why: text("it was deleted since"),
        }],
        notes: vec![text("a new password goes sealed to mzbossb")],
        ..RestoreView::default()
    }
}

pub fn evidence() -> EvidenceView {
    EvidenceView {
        format: text("lapsed evidence 1"),
        record: serde_json::json!({ "person": { "shown": format!("mzsmitj {HOSTILE}") } }),
        ..EvidenceView::default()
    }
}

pub fn late() -> LateView {
    LateView {
        within_minutes: 15,
        late: vec![LateLineView {
            person: text("mzsmitj"),
            case: text("0191f2b4-0000-0000-0000-000000000002"),
            connector: text("directory"),
            what: text("disable account mzsmitj"),
            clause: text("D2: DMH DOR 8.300"),
            deadline: text("2026-11-20T17:15:00-06:00"),
            done: Some(text("2026-11-21T09:00:00-06:00")),
            late_seconds: 56_700,
            why: vec![format!("feed late: {HOSTILE}")],
        }],
        times: vec![TimesView {
            connector: text("all"),
            count: 1,
            p50_ms: 840,
            p95_ms: 840,
            p99_ms: 61_000,
        }],
    }
}

pub fn suspensions() -> SuspensionsView {
    SuspensionsView {
        suspensions: vec![SuspensionView {
            id: text("0191f2b4-0000-0000-0000-000000000001"),
            person: text("mzsmitj"),
            kind: text("order"),
            connectors: vec![text("omis")],
            authority: text("Security Coordinator"),
            reason: text("Violation 24-31"),
            placed: text("2026-11-20T09:00:00-06:00"),
            starts_on: None,
            ends_on: None,
            form: Some(17),
            state: text("stopped"),
        }],
    }
}

pub fn rosters() -> RostersView {
    let line = RosterLine {
        who: text("mzsmitj"),
        system: text("cimor"),
        role: Some(text("night_nurse")),
        since: text("2026-01-05"),
        form: Some(1204),
        last_day: Some(text("2027-01-04")),
        state: text("not in place yet"),
        recertified: Some(text("2026-10-01")),
    };
    let files = RosterLine {
        system: text("files_of_the_location"),
        role: None,
        form: None,
        last_day: None,
        recertified: None,
        ..line.clone()
    };
    RostersView {
        of: text("mbdoej"),
        answer_by: Some(text("recertification")),
        unread: vec![text("directory does not answer")],
        rosters: vec![RosterView {
            about: text("people in the charge of mbdoej"),
            lines: vec![line, files],
        }],
    }
}

pub fn approval() -> ApprovalView {
    ApprovalView {
        form: 12,
        hash: text("3f9c01ab77de0191d5a07c1e7b7e9c353f1d2a4b5c6d3f9c01ab77de0191d5a0"),
        asks: text("new"),
        person: format!("Maria Núñez {HOSTILE}"),
        location: Some(text("Fulton State Hospital")),
        systems: vec![text("mail"), format!("cimor as nurse {HOSTILE}")],
        reason: Some(format!("Night nurse on ward 3 {HOSTILE}")),
        starts_on: Some(text("2026-12-01")),
        ends_on: None,
        filed: text("2026-11-22 09:00:00 -06:00 by mbclerk"),
        given: vec![text("mbboss (supervisor)")],
        roles: vec![text("local_security_officer")],
    }
}

pub fn approvals() -> ApprovalsView {
    ApprovalsView { waiting: vec![approval()] }
}

pub fn decided() -> DecidedView {
    DecidedView {
        message: format!("form 12 (new for Maria Núñez): approved; next: business_owner {HOSTILE}"),
        form: ApprovalView { roles: vec![], ..approval() },
        role: text("local_security_officer"),
        next: vec![text("business_owner")],
    }
}

pub fn envelopes() -> EnvelopesView {
    EnvelopesView {
        waiting: vec![EnvelopeView {
            id: text("0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d"),
            user_id: format!("mqlia {HOSTILE}"),
            form: 12,
            opener: text("mbboss"),
            needs_code: false,
        }],
    }
}

pub fn password() -> PasswordView {
    PasswordView { user_id: text("mqlia"), form: 12, password: text("kT7vqWm4RnHx3pYd-uGe") }
}

pub fn absences() -> AbsencesView {
    AbsencesView {
        absences: vec![AbsenceView {
            id: text("0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d"),
            away: text("mbboss"),
            deputy: format!("mzdoej {HOSTILE}"),
            role: Some(text("supervisor")),
            from: text("2026-12-21"),
            until: text("2027-01-02"),
            entered_by: text("mbboss"),
        }],
    }
}

pub fn access_forms() -> AccessFormsView {
    AccessFormsView {
        forms: vec![AccessFormLine {
            number: 17,
            form: text("staff_access"),
            asks: text("new"),
            person: text("104233"),
            state: text("waiting"),
            filed_by: text("mzroej"),
            filed_at: text("2026-11-20T09:12:00-06:00"),
            missing: vec![text("HIPAA training (HR)"), format!("approval: {HOSTILE}")],
        }],
    }
}

pub fn access_form() -> AccessFormView {
    let step = |title: &str, state: &str, said: &str| ChainStepView {
        role: text("role"),
        title: text(title),
        state: text(state),
        said: text(said),
    };
    AccessFormView {
        number: 17,
        form: text("staff_access"),
        title: text("Staff Access Request"),
        id: text("0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d"),
        revision: 1,
        hash: "ab".repeat(32),
        asks: text("new"),
        person: text("104233"),
        state: text("waiting"),
        filed_by: text("mzroej"),
        filed_at: text("2026-11-20T09:12:00-06:00"),
        says: vec![FieldView { field: text("reason"), value: text(HOSTILE) }],
        signatures: vec![format!("{HOSTILE} as staff_member, 2026-11-19, by hand")],
        scans: vec![ScanView {
            what: text("consent"),
            file: text(HOSTILE),
            sha256: "cd".repeat(32),
        }],
        parts: vec![PartView {
            what: text("cimor as nurse"),
            state: text("waits for approval"),
            chain: vec![
                step("Supervisor", "approved", "by mzroej, 2026-11-20 10:00 -06:00"),
                step("Local Security Officer", "next", ""),
                step("Account management", "later", ""),
            ],
            missing: vec![text("HIPAA training (HR)")],
        }],
        decisions: vec![text("Supervisor by mzroej, 2026-11-20 10:00 -06:00: approved")],
        missing: vec![text("approval: Local Security Officer"), text("HIPAA training (HR)")],
        steps: Vec::new(),
        old_groups: vec![text("ward-7"), text(HOSTILE)],
        ..AccessFormView::default()
    }
}
