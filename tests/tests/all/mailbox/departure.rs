//! From HR's drop to an empty mailbox on its date, through the whole daemon.

use jiff::civil::{Date, date};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::dovecot::Dovecot;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Done, Failure};

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);

fn at_nine(day: Date) -> String {
    format!("{day} 09:00:00")
}

fn site(slapd: &Slapd, mail: &Dovecot) -> Done<Site> {
    let mut site = Site::beside(&DirectoryAt {
        kind: "openldap",
        url: slapd.url_ldaps(),
        base: BASE.into(),
        ca: slapd.ca_path().to_owned(),
        bind_dn: slapd.bind_dn(),
        password_file: slapd.password_file(),
    })?;
    let connector = format!(
        "  mail:\n    kind: dovecot\n    url: {}\n    ca_file: {}\n    api_key_file: {}\n    \
         shared_prefixes: [\"shared/\"]\n",
        mail.url(),
        mail.ca_path().display(),
        mail.key_file().display()
    );
    let before = "  # A second directory: Active Directory.\n";
    site.reconfigure(&[
        (before, &format!("{connector}{before}")),
        ("disable_at_once: false", "disable_at_once: true"),
    ])?;
    site.set_clock(&at_nine(DAY));
    Ok(site)
}

/// The day that the calendar has for the deletion of this user's mailbox.
fn deletion_day(site: &Site, user_id: &str) -> Done<Date> {
    let due = site.json(&["due"])?;
    let wanted = format!("delete mailbox of {user_id}");
    let entries = due["entries"].as_array().into_iter().flatten();
    let entry = entries.into_iter().find(|entry| entry["what"] == wanted.as_str());
    let day = entry.and_then(|entry| entry["date"].as_str()?.parse().ok());
    day.ok_or_else(|| Failure::new(format!("{wanted} is not in {due}")))
}

#[test]
fn a_leavers_mailbox_is_emptied_on_its_day_and_one_under_a_hold_is_kept() {
    let agency = Agency::new(320, 7);
    let leavers = agency.ordinary_leavers(2);
    let ids: Vec<&str> = leavers.iter().map(|at| agency.people[*at].user_id().unwrap()).collect();
    let [gone, held] = ids[..] else { panic!("{ids:?}") };
    let slapd =
        Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start().unwrap();
    let mail = Dovecot::start_encrypted(&[gone, held, "colleague"]).unwrap();
    for (user, count) in [(gone, 3), (held, 2), ("colleague", 1)] {
        mail.deliver(user, count).unwrap();
    }
    mail.file(gone, "Archive/2025", 4).unwrap();
    let mut session = mail.log_on(gone).unwrap();

    let mut site = site(&slapd, &mail).unwrap();
    let checked = site.printed(&["check"]).unwrap();
    assert!(checked.contains("doveadm at https://"), "{checked}");
    site.start().unwrap();
    let yesterday = DAY.yesterday().unwrap();
    let first = agency.to_hr_csv(&HrOptions::full(yesterday, 1, vec![]));
    std::fs::write(site.path("first.csv"), first).unwrap();
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).unwrap();
    let departures = leavers.iter().map(|at| Departure::on(*at, yesterday)).collect();
    site.drop_file("hr-2.csv", agency.to_hr_csv(&HrOptions::full(DAY, 2, departures))).unwrap();

    site.wait_for("the leaver's session is ended", || Ok(mail.sessions(gone)? == 0)).unwrap();
    assert!(!session.is_open());
    let day = deletion_day(&site, gone).unwrap();
    assert!(day > DAY, "{day}");
    assert_eq!(deletion_day(&site, held).unwrap(), day);
    let hold = ["hold", "place", held, "--authority", "General Counsel", "--reason", "Litigation"];
    site.printed(&hold).unwrap();
    assert!(site.stop().unwrap());

    site.set_clock(&at_nine(day.yesterday().unwrap()));
    site.once().unwrap();
    assert_eq!(mail.count(gone).unwrap(), 7, "the day before, all is there");

    site.set_clock(&at_nine(day));
    site.once().unwrap();
    assert_eq!(mail.count(gone).unwrap(), 0, "{}", site.log());
    assert_eq!(mail.mailboxes(gone).unwrap(), ["INBOX"]);
    assert_eq!(mail.count(held).unwrap(), 2, "a hold keeps it");
    assert_eq!(mail.count("colleague").unwrap(), 1);

    site.start().unwrap();
    let told = site.json(&["person", gone]).unwrap().to_string();
    assert!(told.contains(&format!("delete mailbox of {gone}")), "{told}");
    let shown = site.printed(&["person", gone]).unwrap();
    assert!(shown.contains("D7"), "{shown}");
}
