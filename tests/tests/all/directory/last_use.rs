//! When an account was last used and how old its password is, as OpenLDAP keeps them (S3, A9).

use super::support::*;
use jiff::Timestamp;
use lapsed_tests::slapd::Slapd;

const DN: &str = "uid=zann,ou=people,dc=lab,dc=test";
/// In a name's place: nobody knows which moment it is but the server.
const FIRST: &str = "2026-01-05 09:00:00";
const LATER: &str = "2026-03-02 16:30:00";

fn is_about(at: Option<Timestamp>, moment: &str) -> bool {
    let moment: Timestamp = format!("{}Z", moment.replace(' ', "T")).parse().unwrap();
    at.is_some_and(|at| (at.as_second() - moment.as_second()).unsigned_abs() < 60)
}

#[tokio::test]
async fn a_log_on_and_a_change_of_the_password_are_seen_and_a_refused_log_on_is_none() {
    let people = ldif(&[someone("zann"), someone("zbob")]);
    let mut slapd = Slapd::builder().load_ldif(&people).last_bind().start().unwrap();
    slapd.set_clock(FIRST).unwrap();
    let change =
        format!("dn: {DN}\nchangetype: modify\nreplace: userPassword\nuserPassword: one\n");
    slapd.load_ldif(&change).unwrap();
    let settings = of_slapd(&slapd);
    let ann = person(&open(&settings), "zann").await;
    assert_eq!(ann.details.last_use, None, "it can't be told whether the server keeps it");
    assert!(is_about(ann.details.password.unwrap().changed_at, FIRST), "{:?}", ann.details);

    slapd.set_clock(LATER).unwrap();
    assert_eq!(slapd.witness().try_bind(DN, "two").unwrap().0, 49);
    assert_eq!(person(&open(&settings), "zann").await.details.last_use, None);
    assert_eq!(slapd.witness().try_bind(DN, "one").unwrap().0, 0);
    let ann = person(&open(&settings), "zann").await;
    let used = ann.details.last_use.unwrap();
    assert!(is_about(used.at, LATER) && used.lag_days == 0, "{used:?}");
    assert!(is_about(ann.details.password.unwrap().changed_at, FIRST));

    let mut settings = settings;
    settings.openldap.keeps_last_use = true;
    let bob = person(&open(&settings), "zbob").await;
    let used = bob.details.last_use.unwrap();
    assert!(used.at.is_none() && used.made_at.is_some(), "never used since it was made: {used:?}");
    assert_eq!(bob.details.password, None, "without one");
}
