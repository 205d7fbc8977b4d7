//! An agency in a directory with lapsed beside it: what the tests of whole departures share.

use lapsed_tests::agency::{Agency, HrOptions};
pub use lapsed_tests::agency::{today, yesterday};
use lapsed_tests::samba::SambaAd;
pub use lapsed_tests::site::GUARD_RAISED;
use lapsed_tests::site::{DirectoryAt, Site};
use lapsed_tests::slapd::{Builder, Slapd};
use lapsed_tests::{Done, Entry, Failure};

/// Base of the agency on OpenLDAP: the example's own.
pub const BASE: &str = "dc=dmh,dc=test";

pub fn at_slapd(slapd: &Slapd) -> DirectoryAt {
    DirectoryAt::openldap(slapd)
}

pub fn at_samba(samba: &SambaAd) -> DirectoryAt {
    DirectoryAt {
        kind: "active_directory",
        url: samba.url_ldaps(),
        base: samba.base().into(),
        ca: samba.ca_path().to_owned(),
        bind_dn: samba.bind_dn(),
        password_file: samba.password_file(),
    }
}

/// Starts OpenLDAP with the agency in it.
pub fn openldap(agency: &Agency, builder: Builder) -> Done<Slapd> {
    builder.base(BASE).load_ldif(&agency.to_openldap_ldif(BASE)).start()
}

/// Starts the site's daemon and has it adopt the agency from a first full feed.
pub fn adopt(agency: &Agency, site: &mut Site) -> Done<()> {
    site.start()?;
    let feed = agency.to_hr_csv(&HrOptions::full(yesterday(), 1, vec![]));
    std::fs::write(site.path("first.csv"), feed)?;
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"])?;
    Ok(())
}

/// Whether OpenLDAP's password policy has the account locked for good.
pub fn is_shut(account: &Entry) -> bool {
    account.first("pwdaccountlockedtime").as_deref() == Some("000001010000Z")
}

/// How many accounts are shut in OpenLDAP.
pub fn shut_count(slapd: &Slapd) -> Done<usize> {
    Ok(slapd.search("(pwdAccountLockedTime=000001010000Z)", &["1.1"])?.len())
}

pub fn openldap_account(slapd: &Slapd, user_id: &str) -> Done<Entry> {
    let found = slapd.search(&format!("(uid={user_id})"), &["*", "pwdAccountLockedTime"])?;
    found.into_iter().next().ok_or_else(|| Failure::new(format!("no account {user_id}")))
}

/// A value below which so many percent of all lie (nearest rank).
pub fn percentile(sorted: &[std::time::Duration], percent: usize) -> std::time::Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}
