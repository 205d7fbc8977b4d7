//! Departures with the state on PostgreSQL.

use crate::beside::{adopt, at_slapd, is_shut, openldap, openldap_account, today, yesterday};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::postgres::Postgres;
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;

#[test]
fn a_departure_runs_from_drop_to_disabled_with_the_state_on_postgresql_also_after_a_kill() {
    let postgres = Postgres::builder().start().unwrap();
    let database = postgres.create_database().unwrap();
    let agency = Agency::new(320, 7);
    let slapd = openldap(&agency, Slapd::builder()).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
    let sqlite = format!("database: sqlite://{}/state.db", site.root().display());
    let url = format!("database: {}", postgres.url(&database));
    site.reconfigure(&[(&sqlite, &url)]).unwrap();
    adopt(&agency, &mut site).unwrap();
    let leavers = agency.ordinary_leavers(3);
    let departures = leavers.iter().map(|&who| Departure::on(who, yesterday())).collect();
    let feed = agency.to_hr_csv(&HrOptions::full(today(), 2, departures));
    site.drop_file("hr-2.csv", feed).unwrap();
    let count = |condition: &str| -> Done<u64> {
        let sql = format!("SELECT COUNT(*) FROM steps WHERE {condition}");
        let count = postgres.query(&database, &sql)?;
        Ok(count.trim().parse::<u64>().unwrap_or(0))
    };
    site.wait_for("steps are begun", || Ok(count("first_started_at IS NOT NULL")? > 0)).unwrap();
    site.kill().unwrap();
    site.start().unwrap();
    site.wait_for("every step is read back", || {
        Ok(count("action = 'disable'")? == 3
            && count("connector = 'directory' AND state <> 'verified'")? == 0)
    })
    .unwrap();
    for who in leavers {
        let account = openldap_account(&slapd, agency.people[who].user_id().unwrap()).unwrap();
        assert!(is_shut(&account), "{account:?}");
    }
    site.printed(&["audit", "verify"]).unwrap();
    let again = site.run(&["plan"]).unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stdout));
}
