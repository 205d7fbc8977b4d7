//! Who is in a group, and in the groups within it: those to whom mail to a role goes (A2).

use super::support::*;
use lapsed_connectors::contract::Observe as _;
use lapsed_connectors::directory::Directory;
use lapsed_core::facts::GroupName;
use lapsed_core::observed::Scope;
use lapsed_tests::Entry;
use lapsed_tests::slapd::Slapd;

/// User IDs and addresses of the members of these groups, sorted.
pub async fn members(directory: &Directory, groups: &[&str]) -> Vec<(String, String)> {
    let names = groups.iter().map(|name| GroupName::new(*name).unwrap()).collect();
    let observed = directory.observe(&Scope::Members(names)).await.unwrap();
    let mut all: Vec<(String, String)> = observed
        .accounts
        .into_iter()
        .map(|account| (account.user_id.to_string(), account.mail.unwrap_or_default()))
        .collect();
    all.sort();
    all
}

fn with_mail(uid: &str) -> Entry {
    someone(uid).with("mail", format!("{uid}@lab.test"))
}

#[tokio::test]
async fn members_are_found_through_groups_of_every_kind_and_groups_within_groups() {
    let of = |cn: &str| format!("cn={cn},ou=groups,dc=lab,dc=test");
    let unix = Entry::new(of("unix"))
        .with("objectClass", "posixGroup")
        .with("cn", "unix")
        .with("gidNumber", "5000")
        .with("memberUid", "zdee")
        .with("memberUid", "zgone");
    let unique = Entry::new(of("unique"))
        .with("objectClass", "groupOfUniqueNames")
        .with("cn", "unique")
        .with("uniqueMember", "uid=zbob,ou=people,dc=lab,dc=test");
    // Each of the two is in the other, and one names somebody who is gone.
    let inner = group("inner", &["zcam", "zgone"]).with("member", of("officers"));
    let officers =
        group("officers", &["zann"]).with("member", of("inner")).with("member", of("unique"));
    let people = ["zann", "zbob", "zcam", "zdee", "zeve"].map(with_mail);
    let entries = [&people[..], &[unix, unique, inner, officers]].concat();
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let mail = |uid: &str| (uid.to_owned(), format!("{uid}@lab.test"));
    let found = members(&directory, &["Officers", "unix"]).await;
    assert_eq!(found, ["zann", "zbob", "zcam", "zdee"].map(mail));
    assert_eq!(members(&directory, &["inn*", "nobody"]).await, []);
}
