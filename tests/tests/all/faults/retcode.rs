//! A directory that is busy, unavailable, unwilling, limited or slow about one entry (slapd's retcode
//! overlay): each is told for what it is, and once it is over the step is done, once.

use crate::beside::{BASE, GUARD_RAISED, at_slapd, is_shut, openldap, openldap_account};
use crate::directory::support::{
    all_as_wanted, apply, disable, ldif, of_slapd, open, person, someone,
};
use crate::journal::Journal;
use lapsed_connectors::contract::Observe;
use lapsed_core::observed::Scope;
use lapsed_core::step::{Fault, Outcome};
use lapsed_tests::Done;
use lapsed_tests::agency::{Agency, Departure, HrOptions};
use lapsed_tests::site::Site;
use lapsed_tests::slapd::Slapd;
use lapsed_tests::torture_report::Figures;
use rstest::rstest;

const ANN: &str = "uid=zann,ou=people,dc=lab,dc=test";

fn slapd() -> Slapd {
    let slapd = Slapd::builder().retcode_in_entries().access_log();
    slapd.load_ldif(&ldif(&[someone("zann"), someone("zbob")])).start().unwrap()
}

/// The changes that shut the account, as the directory logged them. What the overlay turned away may be
/// logged as well; but only what was written has a number.
fn shut_by(slapd: &Slapd) -> Vec<String> {
    let filter = format!("(&(reqType=modify)(reqResult=0)(reqDN={ANN}))");
    let log = slapd.witness().search("cn=accesslog", &filter, &["reqMod"]).unwrap();
    let lock = "pwdAccountLockedTime:";
    let shuts = |change: &String| change.starts_with(lock) && change.contains("000001010000Z");
    let written = log.iter().map(|entry| entry.get("reqMod"));
    let written =
        written.filter(|changes| changes.iter().any(|change| change.starts_with("entryCSN:")));
    written.flatten().filter(shuts).collect()
}

fn kind(fault: &Fault) -> &'static str {
    match fault {
        Fault::Retry(_) => "again",
        Fault::Refused(_) => "refused",
        Fault::Unknown(_) => "unknown",
    }
}

#[rstest]
#[case::time_limit(3, 0, "again", "LDAP 3")]
#[case::busy(51, 0, "again", "LDAP 51")]
#[case::unavailable(52, 0, "again", "LDAP 52")]
#[case::not_willing(53, 0, "refused", "LDAP 53")]
#[case::size_limit(4, 0, "refused", "LDAP 4")]
// After that long nobody waits any more, and nobody knows.
#[case::slow(51, 3, "unknown", "within 1 s")]
#[tokio::test]
async fn a_change_that_is_turned_away_is_made_once_that_is_over(
    #[case] code: u32,
    #[case] seconds: u32,
    #[case] told: &str,
    #[case] words: &str,
) {
    let slapd = slapd();
    let mut settings = of_slapd(&slapd);
    settings.timeouts.operation_seconds = if seconds > 0 { 1 } else { 20 };
    let directory = open(&settings);
    let people = [person(&directory, "zann").await, person(&directory, "zbob").await];
    let steps = people.each_ref().map(disable);
    slapd.trouble(ANN, code, &["modify"], seconds).unwrap();
    let endings = apply(&directory, &steps).await;
    let fault = endings[0].as_ref().unwrap_err();
    assert_eq!(kind(fault), told, "{fault}");
    assert!(fault.to_string().contains(words), "{fault}");
    if seconds == 0 {
        assert!(matches!(endings[1], Ok(Outcome::Changed(_))), "nobody else waits: {endings:?}");
    }
    slapd.no_trouble(ANN).unwrap();
    for (step, ending) in steps.iter().zip(apply(&directory, &steps).await) {
        let is_done = matches!(ending, Ok(Outcome::Changed(_) | Outcome::AlreadySo));
        assert!(is_done, "{step:?}: {ending:?}");
    }
    all_as_wanted(&directory, &steps).await;
    let shut = shut_by(&slapd);
    assert_eq!(shut.len(), 1, "{shut:?}");
}

#[rstest]
#[case::time_limit(3, 0, "again")]
#[case::size_limit(4, 0, "refused")]
#[case::busy(51, 0, "again")]
#[case::unavailable(52, 0, "again")]
#[case::slow(51, 3, "again")]
#[tokio::test]
async fn a_listing_that_is_turned_away_is_no_listing(
    #[case] code: u32,
    #[case] seconds: u32,
    #[case] told: &str,
) {
    let slapd = slapd();
    let mut settings = of_slapd(&slapd);
    settings.timeouts.operation_seconds = if seconds > 0 { 1 } else { 20 };
    let directory = open(&settings);
    slapd.trouble(ANN, code, &["search"], seconds).unwrap();
    let fault = directory.observe(&Scope::AllAccounts).await.unwrap_err();
    assert_eq!(kind(&fault), told, "{fault}");
    slapd.no_trouble(ANN).unwrap();
    assert_eq!(directory.observe(&Scope::AllAccounts).await.unwrap().accounts.len(), 2);
}

/// Two leave, and the directory is busy about one of them: the other is shut meanwhile, the target is not
/// given up, and what waited is done by the first round after the trouble.
#[test]
fn while_one_entry_is_busy_the_others_are_shut_and_it_is_shut_afterwards() {
    let agency = Agency::new(60, 5);
    let slapd = openldap(&agency, Slapd::builder().retcode_in_entries().access_log()).unwrap();
    let mut site = Site::beside(&at_slapd(&slapd)).unwrap();
    site.reconfigure(&GUARD_RAISED).unwrap();
    let day = jiff::civil::date(2026, 11, 30);
    site.set_clock(&format!("{day} 09:00:00"));
    site.start().unwrap();
    let feed = agency.to_hr_csv(&HrOptions::full(day.yesterday().unwrap(), 1, vec![]));
    std::fs::write(site.path("first.csv"), feed).unwrap();
    let feed = site.path("first.csv").display().to_string();
    site.printed(&["adopt", "--feed", &feed, "--as", "hr", "--write"]).unwrap();
    site.stop().unwrap();
    let leavers = agency.ordinary_leavers(2);
    let ids: Vec<&str> = leavers.iter().map(|at| agency.people[*at].user_id().unwrap()).collect();
    let busy = Agency::openldap_dn(BASE, ids[0]);
    slapd.trouble(&busy, 51, &["modify"], 0).unwrap();
    let departures =
        leavers.iter().map(|at| Departure::on(*at, day.yesterday().unwrap())).collect();
    site.drop_file("hr-2.csv", agency.to_hr_csv(&HrOptions::full(day, 2, departures))).unwrap();
    let shut = |id: &str| is_shut(&openldap_account(&slapd, id).unwrap());
    for minute in 1..5 {
        site.set_clock(&format!("{day} 10:{minute:02}:00"));
        site.once().unwrap();
        assert!(!shut(ids[0]) && shut(ids[1]), "{}", site.log());
    }
    let journal = Journal::of(&site).unwrap();
    let stuck = "state IN ('refused', 'drifted', 'unverified')";
    assert_eq!(journal.count(stuck).unwrap(), 0);
    slapd.no_trouble(&busy).unwrap();
    site.set_clock(&format!("{day} 11:00:00"));
    site.once().unwrap();
    assert!(shut(ids[0]), "{}", site.log());
    let open = journal.count("connector = 'directory' AND state <> 'verified'").unwrap();
    let twice = changes_of(&slapd).unwrap().iter().filter(|times| **times > 1).count();
    let figures = Figures {
        faults: 4,
        lost: open,
        doubled: twice as u64,
        wrong: journal.count(stuck).unwrap(),
        ..Figures::default()
    };
    figures.write("faults-busy").unwrap();
    assert!(figures.is_whole(), "{figures:?}\n{}", site.log());
}

/// How often each value of each entry was changed, without passwords and the locks that come with them.
fn changes_of(slapd: &Slapd) -> Done<Vec<u64>> {
    let filter = "(&(reqType=modify)(reqResult=0))";
    let mut all = std::collections::BTreeMap::<String, u64>::new();
    for entry in slapd.witness().search("cn=accesslog", filter, &["reqDN", "reqMod"])? {
        let dn = entry.first("reqDN").unwrap_or_default().to_lowercase();
        for change in entry.get("reqMod") {
            if ["member:", "memberUid:", "description:"].iter().any(|of| change.starts_with(of)) {
                *all.entry(format!("{dn} {change}")).or_default() += 1;
            }
        }
    }
    Ok(all.into_values().collect())
}
