//! Answers with everything in them, hostile names among it.

mod access;

pub use access::*;
use lapsed::views::*;

/// What an HR system may send as a name: escapes, an override of direction, a formula, markup, length.
pub const HOSTILE: &str =
    "\u{1b}[2J\u{1b}]0;owned\u{7}Eve\u{202e}nimda\r\nAll is well.\u{9b}31m =cmd|' /C calc'!A0 <b>&";

fn text(text: &str) -> String {
    text.to_owned()
}

pub fn status() -> StatusView {
    let connector = |name: &str, state: &str, problem: Option<&str>, stuck| ConnectorView {
        tried_again_at: (state == "down").then(|| "2026-11-02 09:30 CST".to_owned()),
        name: text(name),
        state: text(state),
        problem: problem.map(text),
        waiting: 12,
        scheduled: 340,
        done: 20_417,
        unverified: 3,
        stuck,
    };
    let drop = |file: &str, state: &str, reason: Option<&str>| DropView {
        feed: text("hr"),
        file: text(file),
        at: text("2026-11-25T16:58:03-06:00"),
        state: text(state),
        taken: 4_821,
        set_aside: 2,
        reason: reason.map(text),
    };
    StatusView {
        daemons: Vec::new(),
        version: text("0.1.0"),
        at: text("2026-11-25T17:00:00-06:00"),
        running_since: Some(text("2026-11-01T06:00:00-05:00")),
        deletions_paused: Some(text(
            "by ann since Tue 2026-11-24 09:12 -06:00: wrong file from HR",
        )),
        giving_paused: None,
        attention: vec![
            AttentionView {
                kind: text("plan_held"),
                what: text("Plan 3f9c01ab77de would disable 60 people at once and is held."),
                remedy: text("lapsed plans show 3f9c01ab77de"),
            },
            AttentionView {
                kind: text("step_refused"),
                what: format!("The directory refuses to disable {HOSTILE}."),
                remedy: text("lapsed person 104233"),
            },
        ],
        people: 4_819,
        scheduled: 17,
        open: 42,
        closed: 388,
        population: Some(4_900),
        connectors: vec![
            connector("directory", "up", None, 0),
            connector(
                "archive",
                "down",
                Some(
                    "no server answers: dc1.example.org refuses the connection, dc2.example.org has another certificate",
                ),
                7,
            ),
            connector("mailbox", "not configured", None, 0),
        ],
        drops: vec![
            drop("hr-2026-11-25.csv", "accepted", None),
            drop(HOSTILE, "rejected", Some("the trailer counts 4,821 rows and there are 2,210")),
        ],
        suspended: 6,
        phone_in: vec![PhoneInView {
            key: text("lapsed-0191f2b4c0de"),
            case: Some(text("0191f2b4-0000-0000-0000-000000000000")),
            since: text("2026-11-25T16:58:03-06:00"),
            subject: format!("directory refused: disable account {HOSTILE}"),
            text: text(
                "directory refused to disable account mzsmitj (LDAP 50).\nPlease do it by hand.",
            ),
        }],
    }
}

pub fn due() -> DueView {
    let entry = |date: &str, overdue, what: &str, waits_for: Option<&str>| DueEntry {
        date: text(date),
        overdue,
        person: text("mzsmitj"),
        what: text(what),
        why: text(
            "14 days end Wed 2026-11-25; next day is a holiday; next work day Fri 2026-11-27",
        ),
        clause: text("D7: DMH DOR 8.300, Email Termination Procedure 1-2"),
        waits_for: waits_for.map(text),
    };
    DueView {
        entries: vec![
            entry(
                "2026-11-24",
                true,
                "delete mailbox of mzsmitj",
                Some("a hold by General Counsel"),
            ),
            entry("2026-11-27", false, &format!("delete mailbox of {HOSTILE}"), None),
            entry("2027-05-10", false, "delete home of mzsmitj", Some("connector home")),
        ],
    }
}

fn step(what: &str, state: &str, note: &str) -> StepView {
    StepView {
        id: text("0191f2b4-0000-7000-8000-000000000001"),
        connector: text("directory"),
        what: text(what),
        state: text(state),
        due: text("2026-11-11"),
        note: text(note),
        clause: text("D2: DMH DOR 8.300, Disabling User Accounts 2"),
    }
}

pub fn person() -> PersonView {
    PersonView {
        id: text("0191f2b4-7a11-7000-8000-00000000abcd"),
        shown: text("mzsmitj"),
        standing: text("left on Wed 2026-11-11: the feed hr says so"),
        employee_numbers: vec![text("104233"), text("99120")],
        accounts: vec![text("directory: mzsmitj"), text("directory: adm-mzsmitj")],
        engagements: vec![format!("hr 104233: {HOSTILE}")],
        notices: vec![text("hr, drop hr-2026-11-11.csv: last day Wed 2026-11-11, standing")],
        wishes: vec![text("the mailbox stays, and mzdoej reads it; on the word of J. Roe")],
        holds: vec![text("by General Counsel: Litigation 24-117")],
        cases: vec![CaseView {
            id: text("5d0c5f0e-0000-5000-8000-000000000002"),
            state: text("open"),
            effective_at: text("2026-11-11T17:00:00-06:00"),
            reason: text("hr gave notice"),
            disabled_on: Some(text("2026-11-11")),
            still_open: Some(text("plan 1f0c was rejected")),
            steps: vec![
                step("disable account mzsmitj", "verified", "read back at 17:00:02"),
                step(&format!("take mzsmitj out of {HOSTILE}"), "refused", "insufficient rights"),
            ],
            held_in_trust: vec![text("direct report: Ann Li"), format!("group: {HOSTILE}")],
            taken_over_by: Some(text("mzdoej")),
        }],
        set_aside: set_asides().rows,
        suspensions: vec![text(
            "order (stopped), everywhere, by Security Coordinator: Violation 24-31",
        )],
        told: vec![text("manager to boss@dmh.test: sent 2026-11-11 17:00:05 -06:00")],
    }
}

pub fn plan() -> PlanView {
    PlanView {
        hash: text("3f9c01ab77de5566778899aabbccddeeff00112233445566778899aabbccddee"),
        state: text("held"),
        made_at: text("2026-11-25T16:58:04-06:00"),
        about: text("60 people"),
        findings: vec![
            text("60 people would be disabled in one run; the limit is 25."),
            format!("{HOSTILE} is in the group Domain Admins."),
        ],
        decision: None,
        steps: vec![step("disable account mzsmitj", "planned", "waits for the plan's release")],
        step_count: 412,
        people: ["mzsmitj", HOSTILE]
            .map(|who| PlanPersonView {
                who: text(who),
                what: text("disable the account, leave 7 groups; 2 deletions later"),
            })
            .to_vec(),
        explanations: vec![text("mzsmitj leaves: the feed hr gave notice (D1).")],
    }
}

pub fn plans() -> PlansView {
    let second = PlanView {
        people: Vec::new(),
        hash: text("aa00000000000000000000000000000000000000000000000000000000000000"),
        state: text("passed"),
        about: text("mzsmitj"),
        findings: Vec::new(),
        ..plan()
    };
    PlansView { plans: vec![plan(), second] }
}

pub fn holds() -> HoldsView {
    HoldsView {
        holds: vec![HoldView {
            person: text("mzsmitj"),
            authority: text("General Counsel"),
            reason: format!("Litigation 24-117 {HOSTILE}"),
            placed: text("2026-11-12T09:00:00-06:00"),
            review_on: Some(text("2027-06-01")),
        }],
    }
}

pub fn requests() -> RequestsView {
    let form = RequestView {
        id: text("5b1c7a52-0d3e-5c46-8f5e-2f8a6c2f7b10"),
        person: text("mzsmitj"),
        request: text("CIMOR"),
        connector: text("dhss"),
        state: text("overdue"),
        asked: vec![format!("access@dhss.test {HOSTILE}")],
        asked_at: Some(text("2026-11-02T09:00:00-06:00")),
        reminders: 2,
        next: None,
        note: text(
            "asked access@dhss.test; reminded on 2026-11-09, 2026-11-17; overdue since 2026-11-24",
        ),
        document: None,
        filed: None,
        clause: text("D5: DMH DOR 8.300, Disabling User Accounts 6"),
    };
    let confirmed = RequestView {
        id: text("9c0d2b11-77aa-5e0b-9f35-6d2d1a8f4c01"),
        request: text("OMIS"),
        state: text("confirmed"),
        reminders: 0,
        note: text("confirmed by those who were asked"),
        document: Some(text("8f14e45fceea167a5a36dedd4bea2543c9f0f895fb98ab9159f51fd0297e236d")),
        filed: Some(text("by kim, 2026-11-04 10:00:00 -06:00")),
        asked_at: None,
        ..form.clone()
    };
    RequestsView { requests: vec![form, confirmed] }
}

pub fn notices() -> NoticesView {
    NoticesView {
        notices: vec![NoticeView {
            id: text("5d0c5f0e-0000-5000-8000-000000000009"),
            kind: text("manager"),
            about: format!("mzsmitj {HOSTILE}"),
            to: vec![text("boss@dmh.test")],
            state: text("unverified"),
            queued_at: text("2026-11-11T17:00:04-06:00"),
            sent_at: None,
            subject: text("Maria Núñez (mzsmitj) has left: what is yours to do"),
            note: text("the connection ended"),
        }],
        waiting: 3,
        unverified: 1,
        failed: 0,
    }
}

pub fn letter() -> LetterView {
    LetterView { subject: format!("Left {HOSTILE}"), body: format!("One\n{HOSTILE}\n") }
}

pub fn set_asides() -> SetAsidesView {
    SetAsidesView {
        rows: vec![SetAsideView {
            id: text("0191f2b4c0de"),
            from: text("hr-2026-11-25.csv line 77"),
            who: format!("104999 {HOSTILE}"),
            reason: text("the end date 2026-02-30 is no date"),
            at: text("2026-11-25T16:58:03-06:00"),
        }],
    }
}

pub fn tickets() -> TicketsView {
    TicketsView {
        tickets: vec![
            TicketView {
                key: text("lapsed-0191f2b4c0de"),
                number: Some(text("4711")),
                page: Some(text("https://rt.dmh.test/Ticket/Display.html?id=4711")),
                state: text("open"),
                problem: text("refused"),
                case: Some(text("0191f2b4-0000-0000-0000-000000000000")),
                subject: format!("directory refused: disable account {HOSTILE}"),
                queued: text("2026-11-25T16:58:03-06:00"),
                opened: Some(text("2026-11-25T16:58:05-06:00")),
                ended: None,
                trouble: None,
            },
            TicketView {
                key: text("lapsed-0191f2b4c0df"),
                number: None,
                page: None,
                state: text("queued"),
                problem: text("set_aside"),
                case: None,
                subject: text("Feed hr: an entry could not be used"),
                queued: text("2026-11-25T16:58:03-06:00"),
                opened: None,
                ended: None,
                trouble: Some(text("not done, will be tried again: desk: look for the ticket")),
            },
        ],
    }
}

pub fn audit() -> AuditView {
    let row = |seq| AuditRowView {
        seq,
        at: text("2026-11-25T16:58:04-06:00"),
        actor: text("daemon"),
        event: text("step.changed"),
        who: Some(text("mzsmitj")),
        clause: Some(text("D2: DMH DOR 8.300, Disabling User Accounts 2")),
        detail: format!("disabled {HOSTILE}"),
        hash: "ab".repeat(32),
    };
    AuditView { rows: (1..=5).map(row).collect() }
}

pub fn audit_verify() -> AuditVerifyView {
    AuditVerifyView {
        sound: false,
        rows: 20_417,
        checkpoints: 1,
        unwitnessed: 12,
        problems: vec![text("Row 310 was changed after it was written: its hash is another one.")],
    }
}

pub fn adopt() -> AdoptView {
    AdoptView {
        written: false,
        people: 4_821,
        accounts: 4_990,
        matched: 4_700,
        to_settle: vec![format!("104233 matches mzsmitj by name only: {HOSTILE}")],
        off_standard: vec![text("jsmith")],
        already_shut: vec![text("mzoldaa")],
        without_person: vec![text("svc-backup")],
        without_account: Vec::new(),
        leavers_with_access: vec![text("mzgonea")],
        set_aside: vec![text("line 77: the end date 2026-02-30 is no date")],
        population: 4_700,
        names_taken: 1,
    }
}

pub fn reload() -> ReloadView {
    ReloadView {
        from_next_start: vec![text("inbox.folder: /srv/drop → /srv/hr")],
        loaded: true,
        problems: Vec::new(),
        moved_dates: vec![MovedDateView {
            person: text("mzsmitj"),
            what: text("delete mailbox of mzsmitj"),
            stored: text("2026-11-27"),
            computed: text("2026-11-30"),
            why: text("Fri 2026-11-27 is a holiday now"),
        }],
    }
}

pub fn check() -> CheckView {
    CheckView {
        sound: false,
        config: text("/etc/lapsed/config.yaml"),
        problems: vec![ProblemView {
            line: Some(12),
            column: Some(5),
            path: text("control.roles"),
            problem: text("the key `operatr` is not known here"),
            advice: text("did you mean `operator`?"),
        }],
        warnings: Vec::new(),
        connectors: vec![ProbeView {
            name: text("directory"),
            sound: false,
            finding: text(
                "dc1.example.org: the password is wrong; check the credential directory-password",
            ),
        }],
    }
}

pub fn simulate() -> SimulateView {
    SimulateView {
        from: text("2026-11-25"),
        until: text("2027-06-30"),
        entries: due().entries,
        held: vec![plan()],
    }
}

pub fn user_ids() -> UserIdsView {
    let row = |last: &str, user_id: Option<&str>, error: Option<&str>| UserIdView {
        last: text(last),
        first: text("John"),
        preferred: None,
        location: Some(text("z")),
        kind: None,
        user_id: user_id.map(text),
        error: error.map(text),
    };
    UserIdsView {
        rows: vec![
            row("Smith", Some("mzsmitj"), None),
            row(HOSTILE, None, Some("the last name has no letter in it; choose a user ID by hand")),
        ],
    }
}
