//! What a leaver held in trust, as both kinds of directory show it (S7).

use super::support::*;
use lapsed_core::observed::{ObservedAccount, TrustKind};
use lapsed_tests::Entry;
use lapsed_tests::samba::SambaAd;
use lapsed_tests::slapd::Slapd;

const PEOPLE: &str = "OU=People,DC=lab,DC=test";
const GROUPS: &str = "OU=Groups,DC=lab,DC=test";

fn held(account: &ObservedAccount) -> Vec<(TrustKind, &str)> {
    account.held_in_trust.iter().map(|trust| (trust.kind, trust.name.as_str())).collect()
}

#[tokio::test]
async fn openldap_shows_who_reports_to_a_leaver_and_which_groups_are_theirs() {
    let boss = "uid=zann,ou=people,dc=lab,dc=test";
    let slapd = Slapd::builder()
        .load_ldif(&ldif(&[
            someone("zann"),
            someone("zbob").with("manager", boss),
            someone("zcat"),
            group("clerks", &["zann", "zbob"]).with("owner", boss),
            group("others", &["zcat"]),
        ]))
        .start()
        .unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    let names: Vec<_> = held(&ann).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(names, [TrustKind::DirectReport, TrustKind::Group], "{:?}", ann.held_in_trust);
    assert_eq!(held(&ann)[1].1, "clerks");
    assert!(person(&directory, "zcat").await.held_in_trust.is_empty());
}

#[tokio::test]
async fn active_directory_keeps_them_on_the_account_of_the_leaver() {
    let user = |name: &str, id: &str| {
        Entry::new(format!("CN={name},{PEOPLE}"))
            .with("objectClass", "user")
            .with("sAMAccountName", id)
            .with("employeeNumber", number_of(id))
            .with("userAccountControl", "66048")
    };
    let boss = format!("CN=Ann Li,{PEOPLE}");
    let nurses = Entry::new(format!("CN=nurses,{GROUPS}"))
        .with("objectClass", "group")
        .with("sAMAccountName", "nurses")
        .with("groupType", "-2147483646")
        .with("managedBy", boss.clone());
    let bob = user("Bob Ng", "zbob").with("manager", boss);
    let samba = SambaAd::builder()
        .load_ldif(&ldif(&[user("Ann Li", "zann"), bob, nurses]))
        .start()
        .unwrap();
    let directory = open(&of_samba(&samba));
    let ann = person(&directory, "zann").await;
    assert_eq!(held(&ann), [(TrustKind::DirectReport, "Bob Ng"), (TrustKind::Group, "nurses")]);
    assert!(person(&directory, "zbob").await.held_in_trust.is_empty());
}
