//! How long it takes from a drop to a shut account.

use crate::beside::{adopt, at_slapd, is_shut, openldap, percentile, today, yesterday};
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use std::time::{Duration, Instant};

const DROPS: usize = 100;

#[test]
fn one_leaver_a_drop_is_disabled_within_seconds_of_the_rename_a_hundred_times() {
    let agency = Agency::new(320, 7);
    let slapd = openldap(&agency, Slapd::builder()).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
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
