//! From HR's drop to a shut account in the directory and in another system, through the whole daemon.

use jiff::civil::{Date, date};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::relay::{Relay, Target};
use lapsed_tests::scim::Scim;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;

const BASE: &str = "dc=dmh,dc=test";
/// A Monday.
const DAY: Date = date(2026, 11, 30);

fn site(slapd: &Slapd, scim: &Scim, port: u16) -> Done<Site> {
    let mut site = Site::beside(&DirectoryAt {
        kind: "openldap",
        url: slapd.url_ldaps(),
        base: BASE.into(),
        ca: slapd.ca_path().to_owned(),
        bind_dn: slapd.bind_dn(),
        password_file: slapd.password_file(),
    })?;
    let connector = format!(
        "  cimor:\n    kind: scim\n    url: http://127.0.0.1:{port}/v2\n    \
         login: {{ by: bearer, secret_file: {} }}\n    match: {{ employee_number: externalId }}\n    \
         timeouts: {{ connect_seconds: 1, request_seconds: 2 }}\n",
        scim.token_file().display()
    );
    let before = "  # A second directory: Active Directory.\n";
    site.reconfigure(&[(before, &format!("{connector}{before}"))])?;
    site.set_clock(&format!("{DAY} 09:00:00"));
    Ok(site)
}

/// An agency with a directory and a system in which everyone who may leave has an account.
struct Scene {
    agency: Agency,
    leavers: Vec<usize>,
    /// Their accounts in the system, in the same order.
    ids: Vec<String>,
    slapd: Slapd,
    scim: Scim,
    /// The way from lapsed to the system.
    relay: Relay,
    site: Site,
}

impl Scene {
    fn new(seed: u64) -> Self {
        let agency = Agency::new(320, seed);
        let leavers = agency.ordinary_leavers(2);
        let slapd =
            Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start().unwrap();
        let scim = Scim::start().unwrap();
        let ids = leavers.iter().map(|at| {
            let person = &agency.people[*at];
            scim.add(person.user_id().unwrap(), &person.employee_number, &person.last).unwrap()
        });
        let ids = ids.collect();
        let relay = Relay::start(Target::Tcp(scim.port())).unwrap();
        let site = site(&slapd, &scim, relay.port()).unwrap();
        Self { agency, leavers, ids, slapd, scim, relay, site }
    }

    fn user_id(&self, nth: usize) -> &str {
        self.agency.people[self.leavers[nth]].user_id().unwrap()
    }

    /// Yesterday's feed is taken over.
    fn adopt(&self) {
        let yesterday = DAY.yesterday().unwrap();
        let first = self.agency.to_hr_csv(&HrOptions::full(yesterday, 1, vec![]));
        std::fs::write(self.site.path("first.csv"), first).unwrap();
        let feed = self.site.path("first.csv").display().to_string();
        self.site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).unwrap();
    }

    /// Today's feed says that they have left.
    fn drop_departures(&self) {
        let yesterday = DAY.yesterday().unwrap();
        let left = self.leavers.iter().map(|at| Departure::on(*at, yesterday)).collect();
        let drop = self.agency.to_hr_csv(&HrOptions::full(DAY, 2, left));
        self.site.drop_file("hr-2.csv", drop).unwrap();
    }

    fn is_shut_in_directory(&self, nth: usize) -> Done<bool> {
        let filter = format!("(uid={})", self.user_id(nth));
        let found = self.slapd.search(&filter, &["pwdAccountLockedTime"])?;
        Ok(found.iter().any(|entry| entry.first("pwdaccountlockedtime").is_some()))
    }

    fn is_shut_in_system(&self, nth: usize) -> Done<bool> {
        Ok(self.scim.is_active(&self.ids[nth])? == Some(false))
    }
}

#[test]
fn a_leaver_is_shut_in_the_directory_and_in_a_system_and_both_are_told_with_their_clauses() {
    let mut scene = Scene::new(7);
    let colleague = scene.scim.add("colleague", "99999", "Doe").unwrap();
    let checked = scene.site.printed(&["check"]).unwrap();
    assert!(checked.contains("SCIM server at http://127.0.0.1"), "{checked}");
    scene.site.start().unwrap();
    scene.adopt();
    scene.drop_departures();
    for nth in [0, 1] {
        scene.site.wait_for("shut in the system", || scene.is_shut_in_system(nth)).unwrap();
        scene.site.wait_for("shut in the directory", || scene.is_shut_in_directory(nth)).unwrap();
    }
    assert_eq!(scene.scim.is_active(&colleague).unwrap(), Some(true));

    let user_id = scene.user_id(0).to_owned();
    let verified = |site: &Site| {
        let told = site.json(&["person", &user_id])?.to_string();
        Ok(told.contains("revoke access") && told.contains("cimor") && !told.contains("pending"))
    };
    scene.site.wait_for("all is told", || verified(&scene.site)).unwrap();
    let shown = scene.site.printed(&["person", &user_id]).unwrap();
    let line = |word: &str| shown.lines().find(|line| line.contains(word)).unwrap_or_default();
    assert!(line("revoke access").contains("D4"), "{shown}");
    assert!(line("disable account").contains("D2"), "{shown}");
}

#[test]
fn a_system_that_hangs_holds_up_nothing_in_the_directory_and_gets_its_part_later() {
    let mut scene = Scene::new(8);
    scene.site.start().unwrap();
    scene.adopt();
    scene.relay.stall();
    scene.drop_departures();
    for nth in [0, 1] {
        scene.site.wait_for("shut in the directory", || scene.is_shut_in_directory(nth)).unwrap();
        assert!(!scene.is_shut_in_system(nth).unwrap());
    }
    let status = scene.site.json(&["status"]).unwrap().to_string();
    assert!(status.contains("cimor"), "{status}");

    scene.relay.flow();
    assert!(scene.site.stop().unwrap());
    scene.site.set_clock(&format!("{DAY} 10:00:00"));
    scene.site.once().unwrap();
    for nth in [0, 1] {
        assert!(scene.is_shut_in_system(nth).unwrap(), "{}", scene.site.log());
    }
}
