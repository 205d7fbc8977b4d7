//! Listings of many pages beside each other: OpenLDAP keeps one place for all of a connection.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_core::observed::Scope;
use lapsed_tests::slapd::Slapd;

#[tokio::test]
async fn a_listing_of_many_pages_is_whole_while_others_read_page_by_page() {
    let uids: Vec<String> = (0..700).map(|n| format!("zuser{n:03}")).collect();
    let entries: Vec<_> = uids.iter().map(|uid| someone(uid)).collect();
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    for _ in 0..5 {
        let (one, other, names, some) = tokio::join!(
            directory.observe(&Scope::AllAccounts),
            directory.observe(&Scope::AllAccounts),
            directory.observe(&Scope::TakenNames),
            observe(&directory, &uids[..60]),
        );
        assert_eq!(one.unwrap().accounts.len(), 700);
        assert_eq!(other.unwrap().accounts.len(), 700);
        assert!(names.unwrap().taken_names.len() >= 700);
        assert_eq!(some.unwrap().accounts.len(), 60);
    }
}
