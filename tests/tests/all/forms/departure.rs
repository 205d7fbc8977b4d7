//! From HR's drop to a filed confirmation, through the whole daemon: the clock runs on, those who were asked
//! are reminded, one never answers, and the case is closed only with their documents.

use jiff::civil::{Date, date};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::smtp::{MailServer, Manner, Received};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);
/// Ends of a call, as documented.
const NO_SUCH: i32 = 6;
const NOT_NOW: i32 = 4;

const REQUESTS: &str = "  requests:
    - { name: CIMOR, connector: dhss, remind_after_work_days: 5, reminders: 1 }
    - { name: access forms marked REVOKE, connector: lso, reason: security_officer, to: [lso@dmh.test], remind_after_work_days: 5, reminders: 2 }
";

struct Stage {
    agency: Agency,
    _slapd: Slapd,
    mail: MailServer,
    site: Site,
    leaver: usize,
    user_id: String,
}

impl Stage {
    fn new() -> Done<Self> {
        let agency = Agency::new(320, 7);
        let leaver = agency.ordinary_leavers(1)[0];
        let user_id = agency.people[leaver].user_id().unwrap().to_owned();
        let slapd =
            Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start()?;
        let mail = MailServer::start()?;
        let site = Site::beside(&DirectoryAt {
            kind: "openldap",
            url: slapd.url_ldaps(),
            base: BASE.into(),
            ca: slapd.ca_path().to_owned(),
            bind_dn: slapd.bind_dn(),
            password_file: slapd.password_file(),
        })?;
        fs::create_dir(site.path("confirmations"))?;
        fs::write(site.path("form-key"), super::support::KEY)?;
        let mut stage = Self { agency, _slapd: slapd, mail, site, leaver, user_id };
        stage.configure()?;
        stage.site.set_clock(&at_nine(DAY));
        Ok(stage)
    }

    fn configure(&self) -> Done<()> {
        let key = self.site.path("form-key").display().to_string();
        let form = |name: &str, to: &str| {
            format!("  {name}:\n    kind: agency_form\n    to: [{to}]\n    token_key_file: {key}\n")
        };
        let second = "  # A second directory: Active Directory.\n";
        let connectors = form("dhss", "access@dhss.test") + &form("lso", "nobody@dmh.test");
        let folder = self.site.path("confirmations");
        let confirmations = format!("  confirmations:\n    folder: {}\n", folder.display());
        self.site.reconfigure(&[
            (second, &format!("{connectors}{second}")),
            ("\nlocations:\n", &format!("\n{}\nlocations:\n", self.mail.yaml())),
            ("  requests: []\n", REQUESTS),
            ("  poll_seconds: 10\n", &format!("{confirmations}  poll_seconds: 1\n")),
        ])?;
        // Without mailbox and home there is nothing that a case waits for but the answers.
        let text = fs::read_to_string(self.site.config())?;
        let (before, rest) = text.split_once("\n  mailbox:\n").unwrap();
        let (_, after) = rest.split_once("  # Requests to those").unwrap();
        self.site.configure(&format!(
            "{before}\n  mailbox: null\n  home: null\n  # Requests to those{after}"
        ))
    }

    fn adopt(&self) -> Done<()> {
        let first = self.agency.to_hr_csv(&HrOptions::full(DAY.yesterday().unwrap(), 1, vec![]));
        fs::write(self.site.path("first.csv"), first)?;
        let feed = self.site.path("first.csv").display().to_string();
        self.site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).map(drop)
    }

    fn leave(&self) -> Done<()> {
        let left = vec![Departure::on(self.leaver, DAY.yesterday().unwrap())];
        self.site.drop_file("hr-2.csv", self.agency.to_hr_csv(&HrOptions::full(DAY, 2, left)))
    }

    fn state_of(&self, request: &str) -> Done<String> {
        let forms = self.site.json(&["requests", "--all"])?;
        let all = forms["requests"].as_array().cloned().unwrap_or_default();
        let form = all.iter().find(|form| form["request"] == request);
        Ok(form.map(|form| form["state"].as_str().unwrap().to_owned()).unwrap_or_default())
    }

    /// One round on another day.
    fn on(&mut self, day: Date) -> Done<usize> {
        self.site.set_clock(&at_nine(day));
        self.site.once()?;
        Ok(self.mail.mails().len())
    }

    fn put(&self, name: &str, content: &str) -> Done<()> {
        let unfinished = self.site.path("confirmations").join(format!("{name}.part"));
        fs::write(&unfinished, content)?;
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o640))?;
        Ok(fs::rename(&unfinished, self.site.path("confirmations").join(name))?)
    }

    fn code(&self, arguments: &[&str]) -> i32 {
        self.site.run(arguments).unwrap().status.code().unwrap()
    }

    fn audit(&self) -> String {
        self.site.printed(&["audit", "export"]).unwrap()
    }
}

fn at_nine(day: Date) -> String {
    format!("{day} 09:00:00")
}

fn token(mail: &Received) -> String {
    let subject = mail.subject();
    let (_, token) = subject.rsplit_once("[lapsed ").unwrap();
    token.trim_end_matches(']').to_owned()
}

fn to<'a>(mails: &'a [Received], address: &str) -> Vec<&'a Received> {
    mails.iter().filter(|mail| mail.to == [address]).collect()
}

#[test]
fn a_form_is_mailed_once_more_after_a_kill_and_then_it_is_said_that_nobody_knows() {
    let mut stage = Stage::new().unwrap();
    stage.site.start().unwrap();
    stage.adopt().unwrap();
    assert!(stage.site.stop().unwrap());
    stage.leave().unwrap();
    // Each form is mailed, and the daemon is killed before that is on record.
    let moment = ("LAPSED_CRASH_AT", "request_revocation/asked/before".to_owned());
    stage.site.set_environment(&[moment]);
    let killed = (0..8).filter(|_| !stage.site.once_unless_killed().unwrap()).count();
    assert_eq!(killed, 8, "{}", stage.site.log());
    let mails = stage.mail.mails();
    for address in ["access@dhss.test", "lso@dmh.test"] {
        let ids: Vec<String> = to(&mails, address).iter().map(|mail| mail.message_id()).collect();
        assert!((1..=2).contains(&ids.len()) && ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    }
    assert!(mails.len() >= 3, "one of them was mailed as often as it may be");
    stage.site.set_environment(&[]);
    stage.site.once().unwrap();
    stage.site.once().unwrap();
    let mailed = stage.mail.mails().len();
    assert!(mailed <= 4, "{mailed}");

    stage.site.start().unwrap();
    let status = stage.site.json(&["status"]).unwrap().to_string();
    assert!(status.contains("form_unverified"), "{status}");
    assert!(status.contains("nobody knows whether it arrived"), "{status}");
    assert!(stage.site.stop().unwrap());
    // The reminder says it all again, and nobody is left to wonder.
    assert_eq!(stage.on(date(2026, 12, 7)).unwrap(), mailed + 2, "{}", stage.site.log());
    stage.site.start().unwrap();
    let status = stage.site.json(&["status"]).unwrap().to_string();
    assert!(!status.contains("form_unverified"), "{status}");
}

#[test]
fn a_case_is_closed_only_when_those_who_were_asked_have_confirmed() {
    let mut stage = Stage::new().unwrap();
    let checked = stage.site.printed(&["check"]).unwrap();
    assert!(checked.contains("with log-on: well"), "{checked}");
    stage.site.start().unwrap();
    stage.adopt().unwrap();
    stage.leave().unwrap();
    let mails = stage.mail.wait_for(2).unwrap();
    stage
        .site
        .wait_for("both are sent", || {
            Ok(stage.state_of("CIMOR")? == "sent"
                && stage.state_of("access forms marked REVOKE")? == "sent")
        })
        .unwrap();
    let (agency, officer) = (to(&mails, "access@dhss.test"), to(&mails, "lso@dmh.test"));
    let (of_agency, of_officer) = (token(agency[0]), token(officer[0]));
    assert_ne!(of_agency, of_officer);
    assert!(agency[0].text().contains(&stage.user_id), "{}", agency[0].text());
    let due = stage.site.json(&["due"]).unwrap().to_string();
    assert!(due.contains("2026-12-07") && due.contains("remind: ask to revoke CIMOR"), "{due}");
    assert!(stage.site.stop().unwrap());

    assert_eq!(stage.on(date(2026, 12, 4)).unwrap(), 2, "no fifth work day yet");
    assert_eq!(stage.on(date(2026, 12, 6)).unwrap(), 2, "a Sunday");
    assert_eq!(stage.on(date(2026, 12, 7)).unwrap(), 4, "{}", stage.site.log());
    assert_eq!(stage.on(date(2026, 12, 8)).unwrap(), 4, "reminded once");
    assert_eq!(stage.on(date(2026, 12, 14)).unwrap(), 5, "the officer's second reminder");
    let mails = stage.mail.mails();
    let reminder = to(&mails, "access@dhss.test")[1];
    assert_eq!(token(reminder), of_agency);
    assert_eq!(
        reminder.header("References").unwrap(),
        format!("<{}>", to(&mails, "access@dhss.test")[0].message_id())
    );

    stage.site.start().unwrap();
    assert_eq!(stage.state_of("CIMOR").unwrap(), "overdue");
    assert_eq!(stage.state_of("access forms marked REVOKE").unwrap(), "sent");
    let status = stage.site.json(&["status"]).unwrap().to_string();
    assert!(status.contains("form_overdue"), "{status}");
    let told = stage.site.printed(&["person", &stage.user_id]).unwrap();
    assert!(told.contains("overdue since 2026-12-14"), "{told}");

    let scan = stage.site.path("scan.pdf");
    fs::write(&scan, b"%PDF-1.4 \0 signed").unwrap();
    let scan = scan.display().to_string();
    assert_eq!(stage.code(&["confirm", "AAAA-BBBB-CCCC", "--file", &scan]), NO_SUCH);
    let no = ["confirm", &of_agency, "--refused", "no such user; SSN 123-45-6789"];
    stage.site.printed(&no).unwrap();
    assert_eq!(stage.state_of("CIMOR").unwrap(), "refused");
    let status = stage.site.json(&["status"]).unwrap().to_string();
    assert!(status.contains("form_refused") && !status.contains("123-45"), "{status}");
    let yes = stage.site.printed(&["confirm", &of_agency, "--file", &scan]).unwrap();
    assert!(yes.contains("document"), "{yes}");
    assert_eq!(stage.code(&["confirm", &of_agency, "--file", &scan]), NOT_NOW);
    let digest = lapsed_core::intake::digest(b"%PDF-1.4 \0 signed");
    let kept = stage.site.path("documents").join(&digest[..2]).join(&digest[2..]);
    assert_eq!(fs::read(kept).unwrap(), b"%PDF-1.4 \0 signed");
    let case = |stage: &Stage| {
        let person = stage.site.json(&["person", &stage.user_id]).unwrap();
        person["cases"][0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(case(&stage), "open", "the officer has not answered");

    let from_folder = |stage: &Stage, folder: &str, name: &str| -> String {
        stage
            .site
            .wait_for(name, || {
                let names = stage.site.names(folder)?;
                Ok(names.iter().any(|found| found.ends_with(&format!("{name}.receipt.txt"))))
            })
            .unwrap();
        stage.site.receipt(folder, name).unwrap()
    };
    stage.put("bounce.eml", &format!("Return-Path: <>\n\n[lapsed {of_officer}]")).unwrap();
    assert!(from_folder(&stage, "rejected", "bounce.eml").contains("bounce"));
    stage.put("scan.txt", "[lapsed AAAA-BBBB-CCCC]").unwrap();
    assert!(from_folder(&stage, "rejected", "scan.txt").contains("no open form"));
    stage.put(&format!("{of_agency}.txt"), "another scan").unwrap();
    let told = from_folder(&stage, "rejected", &format!("{of_agency}.txt"));
    assert!(told.contains("answered already"), "{told}");
    assert_eq!(case(&stage), "open");
    let reply = format!("From: lso@dmh.test\nSubject: Re: [lapsed {of_officer}]\n\nDone today.\n");
    stage.put("reply.eml", &reply).unwrap();
    assert!(from_folder(&stage, "accepted", "reply.eml").contains("FILED"));
    stage.site.wait_for("the case is closed", || Ok(case(&stage) == "closed")).unwrap();

    let audit = stage.audit();
    for event in ["form.reminded", "form.overdue", "form.refused", "form.confirmed", "case.closed"]
    {
        assert!(audit.contains(event), "{event}: {audit}");
    }
    assert!(audit.contains(&digest), "the record names the document");
    assert!(stage.site.printed(&["audit", "verify"]).unwrap().to_lowercase().contains("sound"));
    let (forms, mails) = (stage.site.json(&["requests"]).unwrap(), stage.mail.mails().len());
    assert_eq!(forms["requests"].as_array().unwrap().len(), 0);
    assert!(stage.site.stop().unwrap());
    assert_eq!(stage.on(date(2027, 1, 29)).unwrap(), mails, "nobody is reminded of what is done");
}

#[test]
fn a_form_whose_daemon_died_while_it_was_sent_goes_out_again_as_the_same_form() {
    let mut stage = Stage::new().unwrap();
    stage.site.start().unwrap();
    stage.adopt().unwrap();
    stage.mail.behave(Manner::MuteWhenTaken);
    stage.leave().unwrap();
    stage.mail.wait_for(2).unwrap();
    stage.site.kill().unwrap();
    stage.mail.behave(Manner::Taking);
    stage.site.start().unwrap();
    let mails = stage.mail.wait_for(4).unwrap();
    for address in ["access@dhss.test", "lso@dmh.test"] {
        let [first, again] = to(&mails, address)[..] else { panic!("{mails:?}") };
        assert_eq!(first.message_id(), again.message_id());
        assert_eq!(token(first), token(again));
    }
    stage.site.wait_for("it is sent", || Ok(stage.state_of("CIMOR")? == "sent")).unwrap();
    assert_eq!(stage.mail.mails().len(), 4);
}
