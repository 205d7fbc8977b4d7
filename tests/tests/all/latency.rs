//! How long it takes from a drop to a shut account.

use crate::beside::{
    GUARD_RAISED, adopt, at_slapd, is_shut, openldap, percentile, today, yesterday,
};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::relay::{Relay, Target};
use lapsed_tests::scim::Scim;
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::torture_report::is_long;
use std::time::{Duration, Instant};

const DROPS: usize = 100;

#[test]
fn one_leaver_a_drop_is_disabled_within_seconds_of_the_rename_a_hundred_times() {
    let agency = Agency::new(320, 7);
    let slapd = openldap(&agency, Slapd::builder()).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
    // A hundred leavers of 320 within minutes are otherwise the guard's to hold.
    site.reconfigure(&GUARD_RAISED).unwrap();
    adopt(&agency, &mut site).unwrap();

    let leavers = agency.ordinary_leavers(DROPS);
    assert_eq!(leavers.len(), DROPS);
    let mut departures = Vec::new();
    let mut took = Vec::with_capacity(DROPS);
    for (number, leaver) in leavers.into_iter().enumerate() {
        departures.push(Departure::on(leaver, yesterday()));
        let sequence = u32::try_from(number).unwrap() + 2;
        let feed = agency.to_hr_csv(&HrOptions::full(today(), sequence, departures.clone()));
        let dn = Agency::openldap_dn(slapd.base(), agency.people[leaver].user_id().unwrap());
        let shut = || Ok(slapd.read(&dn, &["pwdAccountLockedTime"])?.is_some_and(|e| is_shut(&e)));
        assert!(!shut().unwrap());
        let dropped = Instant::now();
        site.drop_file(&format!("hr-{sequence:04}.csv"), feed).unwrap();
        site.wait_for(&format!("drop {number}: {dn} is shut"), shut).unwrap();
        took.push(dropped.elapsed());
    }
    took.sort();
    let (p50, p99) = (percentile(&took, 50), percentile(&took, 99));
    println!("drop to disabled, {DROPS} drops: p50 {p50:.2?}, p99 {p99:.2?}, max {:.2?}", took[99]);
    assert!(p99 < Duration::from_secs(5), "p99 {p99:?}");
    assert_eq!(site.names("rejected").unwrap(), Vec::<String>::new());
}

/// How long each of some drops with one leaver each took until the account was shut.
struct Drops<'a> {
    agency: &'a Agency,
    slapd: &'a Slapd,
    site: &'a Site,
    leavers: std::vec::IntoIter<usize>,
    departures: Vec<Departure>,
}

impl Drops<'_> {
    fn next(&mut self) -> Duration {
        let leaver = self.leavers.next().unwrap();
        self.departures.push(Departure::on(leaver, yesterday()));
        let sequence = u32::try_from(self.departures.len()).unwrap() + 1;
        let options = HrOptions::full(today(), sequence, self.departures.clone());
        let feed = self.agency.to_hr_csv(&options);
        let user_id = self.agency.people[leaver].user_id().unwrap();
        let dn = Agency::openldap_dn(self.slapd.base(), user_id);
        let read = || self.slapd.read(&dn, &["pwdAccountLockedTime"]);
        let dropped = Instant::now();
        self.site.drop_file(&format!("hr-{sequence:04}.csv"), feed).unwrap();
        let shut = || Ok(read()?.is_some_and(|entry| is_shut(&entry)));
        self.site.wait_for(&format!("{dn} is shut"), shut).unwrap();
        dropped.elapsed()
    }

    fn take(&mut self, count: usize) -> Vec<Duration> {
        (0..count).map(|_| self.next()).collect()
    }
}

#[test]
fn a_dead_target_beside_it_does_not_slow_the_urgent_path() {
    // In `make torture` over 60 departures each; here over fewer, and so with more room.
    let (block, most) = if is_long() { (30, 1.2) } else { (5, 2.0) };
    let agency = Agency::new(320, 7);
    let slapd = openldap(&agency, Slapd::builder()).unwrap();
    let scim = Scim::start().unwrap();
    let leavers = agency.ordinary_leavers(block * 4 + 4);
    for &who in &leavers {
        let person = &agency.people[who];
        scim.add(person.user_id().unwrap(), &person.employee_number, &person.last).unwrap();
    }
    let relay = Relay::start(Target::Tcp(scim.port())).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
    let before = "  # A second directory: Active Directory.\n";
    let connector = format!(
        "  cimor:\n    kind: scim\n    url: http://127.0.0.1:{}/v2\n    \
         login: {{ by: bearer, secret_file: {} }}\n    match: {{ employee_number: externalId }}\n{before}",
        relay.port(),
        scim.token_file().display()
    );
    site.reconfigure(&GUARD_RAISED).unwrap();
    site.reconfigure(&[(before, &connector)]).unwrap();
    adopt(&agency, &mut site).unwrap();
    let mut drops = Drops {
        agency: &agency,
        slapd: &slapd,
        site: &site,
        leavers: leavers.into_iter(),
        departures: Vec::new(),
    };
    let (mut alive, mut dead, mut first) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..2 {
        relay.flow();
        drops.next();
        alive.extend(drops.take(block));
        relay.stall();
        // The one departure during which the target is found dead waits for it a while.
        first.push(drops.next());
        dead.extend(drops.take(block));
    }
    relay.flow();
    alive.sort();
    dead.sort();
    let (with, without) = (percentile(&dead, 99), percentile(&alive, 99));
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    println!(
        "{} departures each: p50 {:.2?} beside a dead target, {:.2?} without; p99 {with:.2?}, {without:.2?}, \
         ratio {ratio:.2}; found dead during {first:.2?}",
        dead.len(),
        percentile(&dead, 50),
        percentile(&alive, 50),
    );
    assert!(ratio <= most, "{ratio:.2}");
    assert!(first.iter().all(|took| *took < Duration::from_secs(5)), "{first:?}");
}
