//! Who is told what of a departure, and when (D9, A10, S7): facts, case, deletions and rules in; the
//! notices that are wanted out. Writing, queueing and sending them is the daemon's business.
//!
//! A wanted notice has an id that follows from what it is about, to whom it goes and at which stage: the
//! same wish is the same notice, and is never told twice.

mod dates;
mod template;
#[cfg(test)]
mod tests;

pub use dates::remind_on;
pub use template::{Letter, Template, TemplateFault};

use crate::facts::{
    Case, CaseId, CaseState, EmployeeNumber, GroupName, LocationId, Person, SourceName, UserId,
};
use crate::journal::StepState;
use crate::policy::work_days::WorkDays;
use crate::step::{Action, Due, Step};
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use uuid::Uuid;

/// What a notice tells.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To the supervisor at disabling: what happened, the dates, what is theirs to do (D9).
    Manager,
    /// To the supervisor, some days before each deletion (D9).
    DeletionAhead,
    /// To those who were told dates, when a deletion moved or was stopped.
    DatesChanged,
    /// To the one who takes over what the leaver held in trust (S7).
    HeldInTrust,
    /// To the security officer of the location: an account was shut (A10, D14).
    SecurityOfficer,
    /// One line a case, for account management's digest.
    AccountManagement,
    /// To HR: what was taken and rejected of a drop.
    Receipt,
    /// To the on-call: something is wrong, and what to do.
    Alarm,
    /// Many lines of others in one mail a day.
    Digest,
    /// To those who decide next on an access form (A2, A3).
    ApprovalWanted,
    /// To the same, some work days later.
    ApprovalReminder,
    /// To whoever asked: somebody said no, and why (A3).
    FormDenied,
    /// To whoever asked, the staff member and the security officer: all is in place (A6, A10).
    AccessInPlace,
    /// To whoever asked: the form ended before it was carried out.
    FormEnded,
    /// To supervisors and security officers each month: who holds what in their charge (S6).
    Roster,
    /// To the Chief Security Officer each year: what was found, and the trend (S5).
    YearlyReport,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 16] = [
        Self::Manager,
        Self::DeletionAhead,
        Self::DatesChanged,
        Self::HeldInTrust,
        Self::SecurityOfficer,
        Self::AccountManagement,
        Self::Receipt,
        Self::Alarm,
        Self::Digest,
        Self::ApprovalWanted,
        Self::ApprovalReminder,
        Self::FormDenied,
        Self::AccessInPlace,
        Self::FormEnded,
        Self::Roster,
        Self::YearlyReport,
    ];

    /// The kind's word, as in the YAML and in the names of template files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Manager => "manager",
            Self::DeletionAhead => "deletion_ahead",
            Self::DatesChanged => "dates_changed",
            Self::HeldInTrust => "held_in_trust",
            Self::SecurityOfficer => "security_officer",
            Self::AccountManagement => "account_management",
            Self::Receipt => "receipt",
            Self::Alarm => "alarm",
            Self::Digest => "digest",
            Self::ApprovalWanted => "approval_wanted",
            Self::ApprovalReminder => "approval_reminder",
            Self::FormDenied => "form_denied",
            Self::AccessInPlace => "access_in_place",
            Self::FormEnded => "form_ended",
            Self::Roster => "roster",
            Self::YearlyReport => "yearly_report",
        }
    }

    /// True for what is told of an access form.
    #[must_use]
    pub fn is_of_form(self) -> bool {
        matches!(
            self,
            Self::ApprovalWanted
                | Self::ApprovalReminder
                | Self::FormDenied
                | Self::AccessInPlace
                | Self::FormEnded
        )
    }

    /// True for what holds a whole list: a digest tells only that it is there.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self, Self::Roster | Self::YearlyReport)
    }

    /// True for what never goes out by itself, only as a line of a digest.
    #[must_use]
    pub fn is_for_digest_only(self) -> bool {
        self == Self::AccountManagement
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// For whom a notice is; the address is looked up when it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "for")]
pub enum Addressee {
    /// The leaver's supervisor, by number; without one, account management is told so.
    Supervisor {
        /// The supervisor's own number, as HR states it.
        number: Option<EmployeeNumber>,
    },
    /// The security officer of a location; without one, account management is told so.
    SecurityOfficer {
        /// The worksite.
        location: Option<LocationId>,
    },
    /// People by what they are to an access form, such as its requester or a role.
    Named {
        /// What they are.
        what: String,
        /// Addresses that the YAML names for them.
        addresses: Vec<String>,
        /// Their log-on names, where it names none.
        user_ids: Vec<UserId>,
    },
    /// Those who have a role by groups of a directory.
    Members {
        /// The role.
        what: String,
        /// Log-on names that have it beside them.
        user_ids: Vec<UserId>,
        /// The groups, by name.
        groups: Vec<GroupName>,
    },
    /// Those who run the product.
    AccountManagement,
    /// Those who are called at night.
    OnCall,
    /// Those who send a feed.
    Feed {
        /// The feed.
        feed: SourceName,
    },
}

impl Addressee {
    /// Its part of a notice's id.
    fn key(&self) -> String {
        match self {
            // By role and not by number: when HR corrects a supervisor, nobody is told all of it again.
            Self::Supervisor { .. } => "supervisor".into(),
            Self::SecurityOfficer { .. } => "security_officer".into(),
            // Who has a role may come to be named otherwise: nobody is told again for that.
            Self::Named { what, .. } | Self::Members { what, .. } => format!("named {what}"),
            Self::AccountManagement => "account_management".into(),
            Self::OnCall => "on_call".into(),
            Self::Feed { feed } => format!("feed {feed}"),
        }
    }
}

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Thing {
    /// All content of the mailbox (D7).
    Mailbox,
    /// The home directory (D6).
    Home,
    /// The account of a system (D4).
    Account,
}

impl Thing {
    /// What a step deletes, if it deletes.
    #[must_use]
    pub fn of(action: &Action) -> Option<Self> {
        match action {
            Action::DeleteMailbox { .. } => Some(Self::Mailbox),
            Action::DeleteHome { .. } => Some(Self::Home),
            Action::DeleteAccount { .. } => Some(Self::Account),
            _ => None,
        }
    }

    /// For people.
    #[must_use]
    pub fn noun(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Home => "home directory",
            Self::Account => "account",
        }
    }
}

/// A deletion of a case, as it stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// What is deleted.
    pub thing: Thing,
    /// Of which account, for people.
    pub account: String,
    /// In which target.
    pub target: String,
    /// When; `None` when it was stopped.
    pub on: Option<Date>,
    /// The reason of the date, or of the stop.
    pub reason: String,
}

impl Deletion {
    /// Whether both are about the same object.
    fn is_about(&self, other: &Self) -> bool {
        (self.thing, &self.account, &self.target) == (other.thing, &other.account, &other.target)
    }
}

/// The deletions of a case that are still to come, or were stopped before they were made.
/// `held` says by whose order nothing of the person is deleted, if anybody's.
#[must_use]
pub fn deletions<'a>(
    case: &Case,
    steps: impl Iterator<Item = (&'a Step, &'a StepState)>,
    held: Option<&str>,
) -> Vec<Deletion> {
    let mut found: Vec<Deletion> =
        steps.filter_map(|(step, state)| deletion(case, step, state, held)).collect();
    found.sort_by(|a, b| (a.thing, &a.account, &a.target).cmp(&(b.thing, &b.account, &b.target)));
    found
}

fn deletion(case: &Case, step: &Step, state: &StepState, held: Option<&str>) -> Option<Deletion> {
    let thing = Thing::of(&step.action)?;
    let Due::On { date, reason } = &step.due else { return None };
    let stopped = match state {
        _ if state.is_done() => return None,
        StepState::Cancelled { reason } => Some(reason.clone()),
        StepState::Refused { .. } | StepState::Drifted { .. } => None,
        _ => match (case.state, held) {
            (CaseState::Rehired | CaseState::Withdrawn | CaseState::Scheduled, _) => {
                Some("the departure was called off".to_owned())
            }
            (_, Some(order)) => Some(order.to_owned()),
            (CaseState::Open | CaseState::Closed, None) => None,
        },
    };
    Some(Deletion {
        thing,
        account: step.action.account().label.clone(),
        target: step.connector.to_string(),
        on: stopped.is_none().then_some(*date),
        reason: stopped.unwrap_or_else(|| reason.clone()),
    })
}

/// What somebody was told of a case's dates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// By which kind of notice.
    pub kind: Kind,
    /// Whom.
    pub to: Addressee,
    /// The dates that stood in it.
    pub dates: Vec<Deletion>,
}

/// What decides, beside the facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Kinds that are wanted at all.
    pub kinds: BTreeSet<Kind>,
    /// Calendar days before a deletion by which the second notice goes out, on a work day (D9).
    pub remind_days_before: u16,
}

/// All that is known of one departure, to say who is to be told what.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The departure.
    pub case: &'a Case,
    /// Whose.
    pub person: &'a Person,
    /// Its deletions, see [`deletions`].
    pub deletions: &'a [Deletion],
    /// Supervisor of the engagement that ended last.
    pub supervisor: Option<&'a EmployeeNumber>,
    /// Worksite of that engagement.
    pub worksite: Option<&'a LocationId>,
    /// Whether the leaver held anything in trust.
    pub held_in_trust: bool,
    /// What was told before, oldest first.
    pub told: &'a [Told],
    /// Which notices are wanted.
    pub rules: &'a Rules,
    /// Work days, on which people read their mail.
    pub work_days: &'a WorkDays,
    /// Today in the agency's zone.
    pub today: Date,
}

/// A notice that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Derived from case, addressee and stage: the same wish is the same notice.
    pub id: Uuid,
    /// What it tells.
    pub kind: Kind,
    /// For whom.
    pub to: Addressee,
    /// The deletions that it tells of.
    pub dates: Vec<Deletion>,
    /// Deletions that were told before and stand otherwise now.
    pub before: Vec<Deletion>,
}

/// The id of a notice.
#[must_use]
pub fn notice_id(about: Uuid, kind: Kind, to: &Addressee, stage: &str) -> Uuid {
    let name = format!("notice\u{1f}{kind}\u{1f}{}\u{1f}{stage}", to.key());
    Uuid::new_v5(&about, name.as_bytes())
}

impl About<'_> {
    /// What goes out once all accounts of the departure are shut (D9, A10, S7).
    #[must_use]
    pub fn at_disabling(&self) -> Vec<Wanted> {
        let supervisor = Addressee::Supervisor { number: self.supervisor.cloned() };
        let officer = Addressee::SecurityOfficer { location: self.worksite.cloned() };
        let mut wanted = vec![
            (Kind::Manager, supervisor.clone()),
            (Kind::SecurityOfficer, officer),
            (Kind::AccountManagement, Addressee::AccountManagement),
        ];
        if self.held_in_trust {
            wanted.push((Kind::HeldInTrust, supervisor));
        }
        // The day is the stage: a departure that was called off and comes back is told again.
        let stage = self.case.disabled_on.map(|day| day.to_string()).unwrap_or_default();
        let wanted = wanted.into_iter().filter(|(kind, _)| self.rules.kinds.contains(kind));
        wanted.map(|(kind, to)| self.wanted(kind, to, &stage, self.deletions.to_vec())).collect()
    }

    /// The second notice before each deletion whose days have come (D9): to those who had the first, or
    /// to the supervisor.
    #[must_use]
    pub fn ahead(&self) -> Vec<Wanted> {
        if !self.rules.kinds.contains(&Kind::DeletionAhead) || self.case.state != CaseState::Open {
            return Vec::new();
        }
        let Some(shut_on) = self.case.disabled_on else { return Vec::new() };
        let mut wanted: Vec<Wanted> = Vec::new();
        for (day, due) in self.by_day() {
            let on = remind_on(day, self.rules.remind_days_before, self.work_days);
            // Where retention is so short, the first notice said so a moment ago.
            if on <= shut_on || self.today < on || self.today >= day {
                continue;
            }
            let stage = format!("ahead {day}");
            wanted.push(self.wanted(Kind::DeletionAhead, self.manager(), &stage, due));
        }
        wanted
    }

    /// Deletions to come by their day: one notice tells all of a day.
    fn by_day(&self) -> Vec<(Date, Vec<Deletion>)> {
        let mut days: Vec<(Date, Vec<Deletion>)> = Vec::new();
        for deletion in self.deletions {
            let Some(day) = deletion.on else { continue };
            match days.iter_mut().find(|(known, _)| *known == day) {
                Some((_, same)) => same.push(deletion.clone()),
                None => days.push((day, vec![deletion.clone()])),
            }
        }
        days
    }

    /// What those have to hear who were told dates that are no longer so.
    #[must_use]
    pub fn corrected(&self) -> Option<Wanted> {
        if !self.rules.kinds.contains(&Kind::DatesChanged) {
            return None;
        }
        let tells_dates = |told: &&Told| matches!(told.kind, Kind::Manager | Kind::DatesChanged);
        let last = self.told.iter().rfind(tells_dates)?;
        let differs = |now: &&Deletion| {
            last.dates.iter().find(|told| told.is_about(now)).is_none_or(|told| told.on != now.on)
        };
        let changed: Vec<Deletion> = self.deletions.iter().filter(differs).cloned().collect();
        // One that was never told of and is stopped before anybody heard is nobody's business.
        let was_told = |now: &Deletion| last.dates.iter().any(|told| told.is_about(now));
        if !changed.iter().any(|now| now.on.is_some() || was_told(now)) {
            return None;
        }
        let before: Vec<Deletion> = last
            .dates
            .iter()
            .filter(|told| changed.iter().any(|now| now.is_about(told)))
            .cloned()
            .collect();
        let round = self.told.iter().filter(|told| told.kind == Kind::DatesChanged).count();
        let stage = format!("changed {round}");
        let wanted =
            self.wanted(Kind::DatesChanged, last.to.clone(), &stage, self.deletions.to_vec());
        Some(Wanted { before, ..wanted })
    }

    /// Whoever was told first; the supervisor of now where nobody was.
    fn manager(&self) -> Addressee {
        let first = self.told.iter().find(|told| told.kind == Kind::Manager);
        first
            .map(|told| told.to.clone())
            .unwrap_or(Addressee::Supervisor { number: self.supervisor.cloned() })
    }

    fn wanted(&self, kind: Kind, to: Addressee, stage: &str, dates: Vec<Deletion>) -> Wanted {
        let CaseId(case) = self.case.id;
        let id = notice_id(case, kind, &to, stage);
        Wanted { id, kind, to, dates, before: Vec::new() }
    }
}
