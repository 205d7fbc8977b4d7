//! The clock is stepped by hours, both ways, under a daemon that runs: over both changes of daylight saving
//! time, a leap day and a new year. A mailbox goes on its day in the agency's zone, not a minute before, and
//! once; who leaves meanwhile is shut at once, whatever the clock did.

use crate::beside::{GUARD_RAISED, at_slapd, is_shut, openldap, openldap_account};
use crate::journal::Journal;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::torture_report::Figures;

/// The day of leaving, and the day on which the mailbox goes: fourteen days, and the next work day.
const DAYS: [(&str, Date, Date); 4] = [
    ("clocks go back", date(2026, 10, 18), date(2026, 11, 2)),
    ("clocks go forward", date(2027, 2, 28), date(2027, 3, 15)),
    ("a new year", date(2027, 12, 17), date(2028, 1, 3)),
    ("a leap day", date(2028, 2, 15), date(2028, 3, 1)),
];
const MAILS: usize = 3;
const LEAVERS: usize = 5 * DAYS.len();

struct Scene {
    agency: Agency,
    slapd: Slapd,
    mail: Dovecot,
    site: Site,
    journal: Option<Journal>,
    leavers: Vec<usize>,
    gone: Vec<Departure>,
    figures: Figures,
}

impl Scene {
    fn new() -> Done<Self> {
        let agency = Agency::new(80, 5);
        let slapd = openldap(&agency, Slapd::builder())?;
        let leavers = agency.ordinary_leavers(LEAVERS);
        let ids: Vec<&str> = leavers.iter().filter_map(|at| agency.people[*at].user_id()).collect();
        let mail = Dovecot::start_encrypted(&ids)?;
        for id in &ids {
            mail.deliver(id, MAILS)?;
        }
        let site = Site::beside(&at_slapd(&slapd))?;
        let connector = format!(
            "  mail:\n    kind: dovecot\n    url: {}\n    ca_file: {}\n    api_key_file: {}\n    \
             shared_prefixes: [\"shared/\"]\n",
            mail.url(),
            mail.ca_path().display(),
            mail.key_file().display()
        );
        let before = "  # A second directory: Active Directory.\n";
        site.reconfigure(&GUARD_RAISED)?;
        site.reconfigure(&[
            (before, &format!("{connector}{before}")),
            ("disable_at_once: false", "disable_at_once: true"),
            ("poll_seconds: 10", "poll_seconds: 1"),
        ])?;
        let (gone, figures) = (Vec::new(), Figures::default());
        Ok(Self { agency, slapd, mail, site, journal: None, leavers, gone, figures })
    }

    fn begin(&mut self) -> Done<()> {
        self.at(DAYS[0].1, 8, 0)?;
        self.site.start()?;
        let first = self.agency.to_hr_csv(&HrOptions::full(DAYS[0].1, 1, vec![]));
        std::fs::write(self.site.path("first.csv"), first)?;
        let feed = self.site.path("first.csv").display().to_string();
        self.site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"])?;
        self.journal = Some(Journal::of(&self.site)?);
        Ok(())
    }

    /// Steps the clock to a time of day in the agency's zone.
    fn at(&mut self, day: Date, hour: i8, minute: i8) -> Done<()> {
        let zone = TimeZone::get("America/Chicago").unwrap();
        let at = day.at(hour, minute, 0, 0).to_zoned(zone).unwrap().timestamp();
        self.figures.faults += 1;
        self.site.step_clock(at)
    }

    fn count(&self, condition: &'static str) -> Done<u64> {
        self.journal.as_ref().map_or(Ok(0), |journal| journal.count(condition))
    }

    /// One more leaves, and is out of directory and mail: so every target was worked on at this clock.
    fn leave(&mut self, today: Date) -> Done<String> {
        let who = self.leavers[self.gone.len()];
        self.gone.push(Departure::on(who, today.yesterday().unwrap()));
        let so_far = self.gone.len() as u64;
        let sequence = u32::try_from(so_far).unwrap() + 1;
        let feed = self.agency.to_hr_csv(&HrOptions::full(today, sequence, self.gone.clone()));
        self.site.drop_file(&format!("hr-{sequence}.csv"), feed)?;
        let id = self.agency.people[who].user_id().unwrap_or_default().to_owned();
        self.site.wait_for(&format!("{id} leaves on {today}"), || {
            let out = self.count("action = 'disable_mailbox' AND state = 'verified'")?;
            Ok(out >= so_far && is_shut(&openldap_account(&self.slapd, &id)?))
        })?;
        Ok(id)
    }

    fn due(&self, id: &str) -> Done<Option<Date>> {
        let due = self.site.json(&["due"])?;
        let wanted = format!("delete mailbox of {id}");
        let entries = due["entries"].as_array().into_iter().flatten();
        let entry = entries.into_iter().find(|entry| entry["what"] == wanted.as_str());
        Ok(entry.and_then(|entry| entry["date"].as_str()?.parse().ok()))
    }
}

impl Scene {
    /// One leaves; the clock comes to the end of the day before, falls back by hours, passes midnight, and
    /// falls back once more.
    fn over(&mut self, what: &str, left: Date, goes: Date) -> Done<()> {
        let before = goes.yesterday().unwrap();
        self.at(left, 9, 0)?;
        let id = self.leave(left)?;
        let due = self.due(&id)?;
        self.figures.wrong += u64::from(due != Some(goes));
        for hour in [23, 18] {
            self.at(before, hour, 57)?;
            self.leave(before)?;
            let early = self.mail.count(&id)? != MAILS;
            println!("{what}: at {hour}:57 before, gone: {early}; due {due:?}");
            self.figures.wrong += u64::from(early);
        }
        self.at(goes, 0, 1)?;
        self.site.wait_for(&format!("{what}: the mailbox of {id} goes"), || {
            let open = "action = 'delete_mailbox' AND state IN ('started', 'done', 'unknown')";
            Ok(self.mail.count(&id)? == 0 && self.count(open)? == 0)
        })?;
        // What comes after it was emptied is nobody's to delete a second time.
        self.mail.deliver(&id, 1)?;
        self.at(before, 20, 0)?;
        self.leave(before)?;
        self.at(goes, 12, 0)?;
        self.leave(goes)?;
        let twice = self.mail.count(&id)? != 1;
        println!("{what}: deleted twice: {twice}");
        self.figures.doubled += u64::from(twice);
        // A later look would take it for a mailbox that somebody put back (D13).
        self.mail.doveadm(&["expunge", "-u", &id, "mailbox", "INBOX", "all"]).map(drop)
    }
}

#[test]
fn a_dated_step_is_carried_out_on_its_day_once_whatever_the_clock_does() {
    let mut scene = Scene::new().unwrap();
    scene.begin().unwrap();
    for (what, left, goes) in DAYS {
        scene.over(what, left, goes).unwrap();
    }
    let again = "action = 'delete_mailbox' AND state = 'verified' AND attempts > 1";
    scene.figures.doubled += scene.count(again).unwrap();
    scene.figures.lost += LEAVERS as u64 - scene.count("action = 'disable' AND ended").unwrap();
    scene.figures.unverified = scene.count("state = 'unverified'").unwrap();
    scene.figures.write("faults-clock").unwrap();
    scene.site.printed(&["audit", "verify"]).unwrap();
    assert!(scene.figures.is_whole(), "{:?}\n{}", scene.figures, scene.site.log());
}
