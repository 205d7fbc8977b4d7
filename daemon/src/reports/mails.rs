//! Rosters and the yearly report by mail (S5, S6): each queued once for its month or year, in the
//! transaction that puts on record that they were made.

use super::roster::{Charge, Roster, as_text};
use crate::config::NoticeSettings;
use crate::cycle::{Cycle, CycleError};
use crate::notices::{Facts, ReportFacts, written};
use crate::store::{NewNotice, Tx};
use jiff::Timestamp;
use lapsed_core::notice_rules::{Addressee, Kind, notice_id};
use lapsed_core::policy::access::RosterFor;
use std::path::Path;
use uuid::Uuid;

/// The root of the ids of these notices.
const REPORTS: Uuid = Uuid::from_u128(0x6c61_7073_6564_0000_0000_7265_706f_7274);

impl Cycle {
    /// Queues the rosters for those who get them by mail; gives how many are new.
    pub(super) async fn mail_rosters(
        &self,
        tx: &Tx,
        rosters: &[Roster],
        month: &str,
        now: Timestamp,
    ) -> Result<usize, CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(0) };
        if !settings.rule(Kind::Roster).send {
            return Ok(0);
        }
        let rules = &self.config.policy.access.reports;
        let mut new = Vec::new();
        for roster in rosters {
            let (by, to) = match &roster.charge {
                Charge::Supervisor(_) => {
                    (RosterFor::Supervisor, Addressee::Supervisor { number: roster.number.clone() })
                }
                Charge::Nobody => (RosterFor::Supervisor, Addressee::AccountManagement),
                Charge::Location(at) => (
                    RosterFor::SecurityOfficer,
                    Addressee::SecurityOfficer { location: Some(at.clone()) },
                ),
            };
            if !rules.rosters_for.contains(&by) {
                continue;
            }
            let (lines, left_out) = as_text(&roster.lines, rules.lines_in_mail.into());
            let facts = ReportFacts {
                agency: self.config.agency.name.clone(),
                about: roster.about.clone(),
                period: month.to_owned(),
                count: roster.lines.len(),
                lines,
                left_out,
                file: self.file_of(&roster.file_name(month)),
                contact: settings.account_management.join(", "),
            };
            let stage = format!("{month} {}", roster.charge);
            new.push(notice(settings, Kind::Roster, to, &stage, facts));
        }
        Ok(tx.queue_notices(&new, now).await?.len())
    }

    /// Queues the yearly report for the addresses that get it.
    pub(super) async fn mail_yearly(
        &self,
        tx: &Tx,
        (year, name): (i16, &str),
        (lines, count): (String, usize),
        now: Timestamp,
    ) -> Result<usize, CycleError> {
        let Some(settings) = &self.config.notices else { return Ok(0) };
        let addresses = self.config.policy.access.reports.yearly_to.clone();
        if addresses.is_empty() || !settings.rule(Kind::YearlyReport).send {
            return Ok(0);
        }
        let facts = ReportFacts {
            agency: self.config.agency.name.clone(),
            about: "the whole agency".into(),
            period: year.to_string(),
            count,
            lines,
            left_out: 0,
            file: self.file_of(name),
            contact: settings.account_management.join(", "),
        };
        let what = "chief_security_officer".to_owned();
        let to = Addressee::Named { what, addresses, user_ids: Vec::new() };
        let stage = year.to_string();
        let new = [notice(settings, Kind::YearlyReport, to, &stage, facts)];
        Ok(tx.queue_notices(&new, now).await?.len())
    }

    /// Where a report lies, less its ending.
    fn file_of(&self, name: &str) -> Option<String> {
        let folder = self.config.policy.access.reports.folder.as_ref()?;
        Some(Path::new(folder).join(name).display().to_string())
    }
}

fn notice(
    settings: &NoticeSettings,
    kind: Kind,
    to: Addressee,
    stage: &str,
    facts: ReportFacts,
) -> NewNotice {
    let about = format!("{}, {}", facts.about, facts.period);
    let letter = written(&settings.wording, kind, &Facts::Report(facts), &about);
    NewNotice {
        id: notice_id(REPORTS, kind, &to, stage),
        kind,
        case: None,
        person: None,
        about,
        addressee: to,
        addresses: Vec::new(),
        subject: letter.subject,
        body: letter.body,
        told: Vec::new(),
        by_digest: false,
    }
}
