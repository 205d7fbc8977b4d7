//! What the templates of notices are told: the least that is needed (P2), made safe to be shown.
//!
//! No employee number, no reason of a departure and no notice of HR's is among it; a name is there,
//! since supervisors know people by their names.

use crate::cycle::shown_date;
use lapsed_core::notice_rules::{Deletion, Kind};
use lapsed_core::observed::Trust;
use lapsed_core::shown::shown;
use serde::Serialize;

/// The values of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Facts {
    /// Of notices about a departure.
    Case(Box<CaseFacts>),
    /// Of notices about an access form.
    Form(Box<FormFacts>),
    /// Of a receipt.
    Receipt(ReceiptFacts),
    /// Of an alarm.
    Alarm(AlarmFacts),
    /// Of a digest.
    Digest(DigestFacts),
    /// Of a roster or a yearly report.
    Report(ReportFacts),
    /// Of a notice whose addressee was not found.
    Nobody {
        /// Its subject.
        subject: String,
        /// Its text.
        body: String,
        /// Why it goes to somebody else.
        reason: String,
    },
}

/// Values of notices about a departure.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CaseFacts {
    /// The agency's name.
    pub agency: String,
    /// The leaver's name and user ID: `Maria Núñez (mzsmitj)`.
    pub person: String,
    /// The leaver's name; the user ID where none is known.
    pub name: String,
    /// The leaver's user ID.
    pub user_id: String,
    /// Name of the worksite, or null.
    pub location: Option<String>,
    /// The day on which access ended: `Mon 2026-11-02`.
    pub shut_on: String,
    /// Whom to write to.
    pub contact: String,
    /// Deletions as they stand now.
    pub deletions: Vec<DeletionFacts>,
    /// Deletions as they were told before, where they changed.
    pub before: Vec<DeletionFacts>,
    /// What the leaver held in trust.
    pub held_in_trust: Vec<TrustFacts>,
}

/// One deletion.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeletionFacts {
    /// `mailbox`, `home directory`.
    pub what: String,
    /// The account, by its user ID.
    pub account: String,
    /// The target, by its name in the YAML.
    pub target: String,
    /// `Tue 2026-11-17`; null when it was stopped.
    pub on: Option<String>,
    /// Why on that day, or why it was stopped.
    pub reason: String,
}

/// One thing that was held in trust.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustFacts {
    /// `group`, `direct report`.
    pub what: String,
    /// Its name.
    pub name: String,
}

/// Values of notices about an access form.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FormFacts {
    /// The agency's name.
    pub agency: String,
    /// The form's number.
    pub number: u64,
    /// What it asks for, for people: `new access`.
    pub asks: String,
    /// The person's name and user ID, as far as there are.
    pub person: String,
    /// The person's user ID, or null.
    pub user_id: Option<String>,
    /// The systems that it asks for, each with its role.
    pub systems: Vec<String>,
    /// Name of the location, or null.
    pub location: Option<String>,
    /// Title of the role that decides or decided.
    pub role: String,
    /// Beginning of the form's hash.
    pub hash: String,
    /// Why it was denied or ended, or null.
    pub because: Option<String>,
    /// The day on which it came in: `Mon 2026-11-02`.
    pub filed_on: String,
    /// The how manieth reminder this is.
    pub nth: u16,
    /// Whom to write to.
    pub contact: String,
}

/// Values of a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptFacts {
    /// The feed's name.
    pub feed: String,
    /// The drop's file.
    pub file: String,
    /// `taken`, `rejected` or `taken before`.
    pub verdict: String,
    /// The receipt that lies beside the file.
    pub receipt: String,
}

/// Values of an alarm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlarmFacts {
    /// The agency's name.
    pub agency: String,
    /// Its kind, by which the operator's page lists it.
    pub kind: String,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub remedy: String,
    /// Since when: `2026-11-20 07:00:05 -06:00`.
    pub since: String,
}

/// Values of a roster or a yearly report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReportFacts {
    /// The agency's name.
    pub agency: String,
    /// What it is about: `people in the charge of mbdoej`, `Fulton State Hospital`.
    pub about: String,
    /// Of which time: `2026-11`, `2026`.
    pub period: String,
    /// How many entries it has.
    pub count: usize,
    /// The entries, as lines of text.
    pub lines: String,
    /// How many lines more there are.
    pub left_out: usize,
    /// The file with all of it, less its ending; null where none is written.
    pub file: Option<String>,
    /// Whom to write to.
    pub contact: String,
}

/// Values of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestFacts {
    /// The agency's name.
    pub agency: String,
    /// The day: `Mon 2026-11-02`.
    pub day: String,
    /// How many notices it has.
    pub count: usize,
    /// They, by kind.
    pub groups: Vec<DigestGroup>,
}

/// The notices of one kind in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestGroup {
    /// The kind, for people.
    pub title: String,
    /// One entry a notice.
    pub lines: Vec<DigestLine>,
}

/// One notice in a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DigestLine {
    /// Its subject.
    pub subject: String,
    /// Its text, set in; null where the subject says it all.
    pub body: Option<String>,
}

impl From<&Deletion> for DeletionFacts {
    fn from(deletion: &Deletion) -> Self {
        Self {
            what: deletion.thing.noun().to_owned(),
            account: shown(&deletion.account),
            target: deletion.target.clone(),
            on: deletion.on.map(shown_date),
            reason: shown(&deletion.reason),
        }
    }
}

impl From<&Trust> for TrustFacts {
    fn from(trust: &Trust) -> Self {
        Self { what: trust.kind.noun().to_owned(), name: shown(&trust.name) }
    }
}

impl Facts {
    /// An example, on which templates are tried; `None` for the notice around another.
    #[must_use]
    pub fn example(kind: Option<Kind>) -> Self {
        match kind {
            None => Self::Nobody {
                subject: "Maria Núñez (mzsmitj) has left".into(),
                body: "Text.\n".into(),
                reason: "HR names no supervisor of the leaver".into(),
            },
            Some(Kind::Receipt) => Self::Receipt(ReceiptFacts {
                feed: "hr".into(),
                file: "hr-2026-11-02.csv".into(),
                verdict: "taken".into(),
                receipt: "Rows taken:          412\n".into(),
            }),
            Some(Kind::Alarm) => Self::Alarm(AlarmFacts {
                agency: "Department of Mental Health".into(),
                kind: "late_feed".into(),
                what: "feed hr: no file by 07:00; the last came 2026-11-01 06:12:40 -06:00".into(),
                remedy: "ask HR for the file".into(),
                since: "2026-11-02 07:00:05 -06:00".into(),
            }),
            Some(Kind::Roster | Kind::YearlyReport) => Self::Report(example_report()),
            Some(Kind::Digest) => Self::Digest(example_digest()),
            Some(kind) if kind.is_of_form() => Self::Form(Box::new(example_form())),
            Some(_) => Self::Case(Box::new(example_case())),
        }
    }
}

fn example_digest() -> DigestFacts {
    let line =
        "mzsmitj: shut Mon 2026-11-02; mailbox Tue 2026-11-17; home directory Wed 2026-12-02";
    DigestFacts {
        agency: "Department of Mental Health".into(),
        day: "Tue 2026-11-03".into(),
        count: 1,
        groups: vec![DigestGroup {
            title: "Accounts that were shut".into(),
            lines: vec![DigestLine { subject: line.into(), body: None }],
        }],
    }
}

fn example_report() -> ReportFacts {
    ReportFacts {
        agency: "Department of Mental Health".into(),
        about: "people in the charge of mbdoej".into(),
        period: "2026-11".into(),
        count: 2,
        lines: "mbnunem\n  mail, since 2026-01-05, form 12\n  cimor as nurse, since 2026-01-05, form 12, \
                last day 2027-01-04\n"
            .into(),
        left_out: 1,
        file: Some("/var/lib/lapsed/reports/roster-2026-11-supervisor-mbdoej".into()),
        contact: "accounts@dmh.test".into(),
    }
}

fn example_form() -> FormFacts {
    FormFacts {
        agency: "Department of Mental Health".into(),
        number: 12,
        asks: "new access".into(),
        person: "Maria Núñez (mbnunem)".into(),
        user_id: Some("mbnunem".into()),
        systems: vec!["mail".into(), "cimor as nurse".into()],
        location: Some("Fulton State Hospital".into()),
        role: "Local Security Officer".into(),
        hash: "3f9c01ab77de".into(),
        because: Some("her duties need no PHI".into()),
        filed_on: "Mon 2026-11-02".into(),
        nth: 1,
        contact: "accounts@dmh.test".into(),
    }
}

fn example_case() -> CaseFacts {
    let deletion = |what: &str, on: Option<&str>, reason: &str| DeletionFacts {
        what: what.into(),
        account: "mzsmitj".into(),
        target: "mail".into(),
        on: on.map(str::to_owned),
        reason: reason.into(),
    };
    let mailbox = deletion(
        "mailbox",
        Some("Tue 2026-11-17"),
        "14 days end Mon 2026-11-16; next work day Tue 2026-11-17",
    );
    let home = deletion(
        "home directory",
        Some("Wed 2026-12-02"),
        "30 days for a facility, from Mon 2026-11-02, end Wed 2026-12-02",
    );
    CaseFacts {
        agency: "Department of Mental Health".into(),
        person: "Maria Núñez (mzsmitj)".into(),
        name: "Maria Núñez".into(),
        user_id: "mzsmitj".into(),
        location: Some("Fulton State Hospital".into()),
        shut_on: "Mon 2026-11-02".into(),
        contact: "accounts@dmh.test".into(),
        deletions: vec![mailbox.clone(), home],
        before: vec![deletion("mailbox", None, "an order to keep everything"), mailbox],
        held_in_trust: vec![
            TrustFacts { what: "group".into(), name: "Night nurses".into() },
            TrustFacts { what: "direct report".into(), name: "Ann Li".into() },
        ],
    }
}
