//! Who is told what by mail, through the whole daemon, with a mail server of our own as witness.

use jiff::civil::{Date, date};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::smtp::{MailServer, Manner, Received};
use lapsed_tests::{Done, Failure};

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);
const YESTERDAY: Date = date(2026, 11, 29);
const NOTICES: &str = "notices:\n  account_management: [accounts@dmh.test]\n  \
    on_call: [oncall@dmh.test]\n  receipts: { hr: [hr-data@dmh.test] }\n  disk_low_mib: 0\n";

/// An installation with one leaver, and a mail server that takes what it says.
struct Stage {
    _slapd: Slapd,
    server: MailServer,
    site: Site,
    agency: Agency,
    leaver: usize,
}

impl Stage {
    fn set() -> Done<Self> {
        let agency = Agency::new(320, 7);
        let leaver = agency.ordinary_leavers(1)[0];
        let ldif = agency.to_openldap_ldif(BASE);
        let slapd = Slapd::builder().base(BASE).load_ldif(&ldif).start()?;
        let server = MailServer::start()?;
        let mut site = Site::beside(&DirectoryAt::openldap(&slapd))?;
        let mark = "locations:\n";
        site.reconfigure(&[(mark, &format!("{}{NOTICES}{mark}", server.yaml()))])?;
        site.set_clock(&format!("{DAY} 06:00:00"));
        site.start()?;
        let first = agency.to_hr_csv(&HrOptions::full(YESTERDAY, 1, vec![]));
        std::fs::write(site.path("first.csv"), first)?;
        let feed = site.path("first.csv").display().to_string();
        site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"])?;
        site.stop()?;
        Ok(Self { _slapd: slapd, server, site, agency, leaver })
    }

    /// HR says that the leaver's last day was yesterday.
    fn departs(&self) -> Done<()> {
        let departure = Departure::on(self.leaver, YESTERDAY);
        let drop = self.agency.to_hr_csv(&HrOptions::full(DAY, 2, vec![departure]));
        self.site.drop_file("hr-2.csv", drop)
    }

    fn user_id(&self) -> String {
        self.agency.people[self.leaver].user_id().unwrap_or_default().to_owned()
    }

    fn supervisor(&self) -> Done<String> {
        let person = &self.agency.people[self.leaver];
        let supervisor = person.supervisor.map(|index| &self.agency.people[index]);
        let account = supervisor.and_then(|supervisor| supervisor.account.as_ref());
        account.map(|account| account.mail.clone()).ok_or_else(|| Failure::new("no supervisor"))
    }

    fn rounds_at(&mut self, day: Date, time: &str) -> Done<()> {
        self.site.set_clock(&format!("{day} {time}"));
        self.site.once()
    }

    fn mail_to(&self, address: &str, subject: &str) -> Vec<Received> {
        let mut mails = self.server.mails();
        mails.retain(|m| m.to.iter().any(|to| to == address) && m.subject().contains(subject));
        mails
    }

    /// What the outbox says, by its state.
    fn states(&mut self) -> Done<Vec<(String, String)>> {
        self.site.start()?;
        let view = self.site.json(&["notices"])?;
        self.site.stop()?;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let rows = view["notices"].as_array().cloned().unwrap_or_default();
        Ok(rows.iter().map(|row| (text(&row["kind"]), text(&row["state"]))).collect())
    }
}

#[test]
fn a_departure_tells_supervisor_officer_and_account_management_and_warns_before_the_deletion() {
    let mut stage = Stage::set().unwrap();
    let supervisor = stage.supervisor().unwrap();
    stage.departs().unwrap();
    stage.rounds_at(DAY, "09:00:00").unwrap();

    let log = stage.site.log();
    let told = stage.mail_to(&supervisor, "has left");
    let all: Vec<_> = stage.server.mails().iter().map(|m| (m.to.clone(), m.subject())).collect();
    let [first] = &told[..] else { panic!("{all:?} {supervisor}\n{log}") };
    let text = first.text();
    assert!(text.contains("mailbox: ") && text.contains("home directory: "), "{text}");
    assert!(text.contains("accounts@dmh.test"), "{text}");
    let number = &stage.agency.people[stage.leaver].employee_number;
    assert!(stage.server.mails().iter().filter(|m| m.to != ["hr-data@dmh.test"]).all(|m| {
        !m.text().contains(number.as_str()) && !m.subject().contains(number.as_str())
    }));
    let receipt = stage.mail_to("hr-data@dmh.test", "hr-2.csv");
    assert!(receipt[0].text().contains("Rows taken"), "{receipt:?}");
    // No officer is named for the location: account management hears of that.
    let officer = stage.mail_to("accounts@dmh.test", "was shut");
    assert!(officer[0].text().contains("no security officer is named"), "{officer:?}");
    let digest = stage.mail_to("accounts@dmh.test", "lapsed: ");
    let line = format!("{}: shut Mon 2026-11-30; mailbox", stage.user_id());
    assert!(digest[0].text().contains(&line), "{digest:?}");

    let before = stage.server.mails().len();
    stage.rounds_at(DAY, "10:00:00").unwrap();
    assert_eq!(stage.server.mails().len(), before, "nobody is told twice");

    // 14 days end Monday the 14th, deletion on Tuesday the 15th; two days before is a Sunday.
    stage.rounds_at(date(2026, 12, 11), "09:00:00").unwrap();
    let ahead = stage.mail_to(&supervisor, "deletion on Tue 2026-12-15");
    assert_eq!(ahead.len(), 1, "{:?}", stage.server.mails().last());
    let digests = stage.mail_to("accounts@dmh.test", "lapsed: ").len();
    assert_eq!(digests, 1, "an empty digest is not sent");
}

#[test]
fn while_the_mail_server_is_away_notices_wait_and_each_is_sent_once() {
    let mut stage = Stage::set().unwrap();
    stage.server.behave(Manner::Later);
    stage.departs().unwrap();
    stage.rounds_at(DAY, "09:00:00").unwrap();
    assert!(stage.server.mails().is_empty());
    let states = stage.states().unwrap();
    // The daemon that is asked tries the next one meanwhile: that one is "sending".
    let waits = |(_, state): &(String, String)| {
        ["queued", "sending", "superseded"].contains(&state.as_str())
    };
    assert!(states.iter().all(waits), "{states:?}");
    assert!(stage.server.mails().is_empty());
    stage.server.behave(Manner::Taking);
    for time in ["10:00:00", "11:00:00"] {
        stage.rounds_at(DAY, time).unwrap();
    }
    let supervisor = stage.supervisor().unwrap();
    assert_eq!(stage.mail_to(&supervisor, "has left").len(), 1);
    let mut ids: Vec<String> = stage.server.mails().iter().map(Received::message_id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn a_notice_whose_answer_was_lost_is_unverified_shown_and_not_sent_again() {
    let mut stage = Stage::set().unwrap();
    stage.server.behave(Manner::CutWhenTaken);
    stage.departs().unwrap();
    stage.rounds_at(DAY, "09:00:00").unwrap();
    let taken = stage.server.mails().len();
    assert!(taken > 0);
    stage.server.behave(Manner::Taking);
    stage.rounds_at(DAY, "11:00:00").unwrap();
    assert_eq!(stage.server.mails().len(), taken);
    let states = stage.states().unwrap();
    assert!(states.contains(&("manager".into(), "unverified".into())), "{states:?}");
    stage.site.start().unwrap();
    let status = stage.site.json(&["status"]).unwrap().to_string();
    assert!(status.contains("notice_unverified"), "{status}");
}

#[test]
fn a_daemon_that_dies_while_a_mail_is_handed_over_does_not_send_it_twice() {
    let mut stage = Stage::set().unwrap();
    stage.server.behave(Manner::MuteWhenTaken);
    stage.site.set_clock(&format!("{DAY} 09:00:00"));
    stage.site.start().unwrap();
    stage.departs().unwrap();
    let [first] = stage.server.wait_for(1).unwrap().try_into().unwrap();
    stage.site.kill().unwrap();
    stage.server.behave(Manner::Taking);
    stage.rounds_at(DAY, "10:00:00").unwrap();
    let same = stage.server.mails().iter().filter(|m| m.message_id() == first.message_id()).count();
    assert_eq!(same, 1, "{}", stage.site.log());
    assert!(stage.states().unwrap().iter().any(|(_, state)| state == "unverified"));
    assert!(stage.server.mails().len() > 1, "the others are sent");
}
