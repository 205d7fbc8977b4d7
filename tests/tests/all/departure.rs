//! A departure from drop to disabled, through the whole daemon, on real directories.

use lapsed_tests::agency::{Agency, Departure, HrOptions};
pub use lapsed_tests::agency::{today, yesterday};
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::Slapd;
use lapsed_tests::{Done, Entry};

const BASE: &str = "dc=dmh,dc=test";

/// An agency on OpenLDAP with lapsed beside it, adopted from a first full feed.
pub fn adopted(people: usize) -> Done<(Agency, Slapd, Site)> {
    let agency = Agency::new(people, 7);
    let slapd = Slapd::builder().base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start()?;
    let mut site = Site::beside(&DirectoryAt::openldap(&slapd))?;
    site.start()?;
    let feed = agency.to_hr_csv(&HrOptions::full(yesterday(), 1, vec![]));
    std::fs::write(site.path("first.csv"), feed)?;
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"])?;
    Ok((agency, slapd, site))
}

pub fn is_shut(account: &Entry) -> bool {
    account.first("pwdaccountlockedtime").as_deref() == Some("000001010000Z")
}

pub fn account(slapd: &Slapd, user_id: &str) -> Done<Entry> {
    let found = slapd.search(&format!("(uid={user_id})"), &["*", "pwdAccountLockedTime"])?;
    found
        .into_iter()
        .next()
        .ok_or_else(|| lapsed_tests::Failure::new(format!("no account {user_id}")))
}

fn groups_of(slapd: &Slapd, user_id: &str) -> Done<usize> {
    let dn = Agency::openldap_dn(BASE, user_id);
    let dn = lapsed_tests::ldif::escape_filter(&dn);
    Ok(slapd.search(&format!("(|(member={dn})(memberUid={user_id}))"), &["cn"])?.len())
}

#[test]
fn a_leaver_in_a_dropped_feed_is_shut_and_out_of_every_group_with_deletions_on_the_calendar() {
    let (agency, slapd, site) = adopted(320).unwrap();
    let leaver = agency.ordinary_leavers(1)[0];
    let user_id = agency.people[leaver].user_id().unwrap().to_owned();
    assert!(groups_of(&slapd, &user_id).unwrap() > 0);
    assert!(!is_shut(&account(&slapd, &user_id).unwrap()));

    let options = HrOptions::full(today(), 2, vec![Departure::on(leaver, yesterday())]);
    site.drop_file("hr-2.csv", agency.to_hr_csv(&options)).unwrap();
    site.wait_for("the account is shut", || Ok(is_shut(&account(&slapd, &user_id)?))).unwrap();
    site.wait_for("out of every group", || Ok(groups_of(&slapd, &user_id)? == 0)).unwrap();

    let receipt = site.receipt("accepted", "hr-2.csv").unwrap();
    assert!(receipt.contains("TAKEN"), "{receipt}");
    let due = site.json(&["due"]).unwrap().to_string();
    assert!(due.contains(&format!("delete mailbox of {user_id}")), "{due}");
    assert!(due.contains(&format!("delete home directory of {user_id}")), "{due}");
}
