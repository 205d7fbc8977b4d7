//! What changed since the last look: accounts, and who came into a group or left it.

use super::active_directory::{GROUPS, PEOPLE, samba, security_group, user};
use super::support::*;
use lapsed_connectors::contract::Observe as _;
use lapsed_connectors::directory::Directory;
use lapsed_core::facts::GroupName;
use lapsed_core::observed::{Mark, Scope, Since};
use lapsed_tests::Entry;
use lapsed_tests::slapd::Slapd;

const GROUPS_THAT_MATTER: [&str; 2] = ["Wards", "unix"];

/// The log-on names of what changed, and up to where was looked.
async fn changed(directory: &Directory, mark: Option<Mark>) -> (Vec<String>, Option<Mark>) {
    let groups = GROUPS_THAT_MATTER.iter().map(|name| GroupName::new(*name).unwrap()).collect();
    let observed = directory.observe(&Scope::Changed(Since { mark, groups })).await.unwrap();
    let mut names: Vec<String> =
        observed.accounts.iter().map(|account| account.user_id.to_string()).collect();
    names.sort();
    (names, observed.mark)
}

/// Written long ago: what changed within the last minute is shown twice.
fn old(entry: Entry) -> Entry {
    entry.with("entryCSN", "20200101000000.000000Z#000000#000#000000")
}

#[tokio::test]
async fn on_openldap_whose_account_or_group_changed_is_shown_and_nobody_else() {
    let unix = Entry::new("cn=unix,ou=groups,dc=lab,dc=test")
        .with("objectClass", "posixGroup")
        .with("cn", "unix")
        .with("gidNumber", "5000")
        .with("memberUid", "zeve");
    let people = ["zann", "zbob", "zcam", "zdee", "zeve", "zfay"].map(someone).map(old);
    let groups =
        [old(group("wards", &["zann", "zbob"])), old(unix), old(group("other", &["zann", "zbob"]))];
    let slapd =
        Slapd::builder().load_ldif(&ldif(&[&people[..], &groups[..]].concat())).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let (nobody, mark) = changed(&directory, None).await;
    assert_eq!(nobody, [""; 0]);
    let first = mark.unwrap();
    let known: usize = first.members.values().map(|members| members.len()).sum();
    assert_eq!(known, 3, "of the groups that matter: {first:?}");

    slapd
        .load_ldif(
            "dn: uid=zcam,ou=people,dc=lab,dc=test\nchangetype: modify\nreplace: title\ntitle: Nurse\n\n\
             dn: cn=wards,ou=groups,dc=lab,dc=test\nchangetype: modify\nadd: member\n\
             member: uid=zdee,ou=people,dc=lab,dc=test\n-\ndelete: member\n\
             member: uid=zbob,ou=people,dc=lab,dc=test\n\n\
             dn: cn=unix,ou=groups,dc=lab,dc=test\nchangetype: modify\ndelete: memberUid\nmemberUid: zeve\n\n\
             dn: cn=other,ou=groups,dc=lab,dc=test\nchangetype: modify\nadd: member\n\
             member: uid=zfay,ou=people,dc=lab,dc=test\n",
        )
        .unwrap();
    let (names, mark) = changed(&directory, Some(first.clone())).await;
    // The overlay that keeps memberOf may count as a change of the account, or not.
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|n| *n != "zfay").collect();
    assert_eq!(names, ["zbob", "zcam", "zdee", "zeve"]);
    let second = mark.unwrap();
    assert!(second.point > first.point);

    slapd
        .load_ldif(
            "dn: uid=zann,ou=people,dc=lab,dc=test\nchangetype: modify\nreplace: sn\nsn: Li\n\n\
             dn: uid=zgus,ou=people,dc=lab,dc=test\nobjectClass: inetOrgPerson\nuid: zgus\ncn: Gus\nsn: Ng\n",
        )
        .unwrap();
    let (names, _) = changed(&directory, Some(second)).await;
    assert!(names.contains(&"zann".into()) && names.contains(&"zgus".into()), "{names:?}");

    let elsewhere = Mark { server: "ldaps://other:636".into(), ..first };
    assert_eq!(changed(&directory, Some(elsewhere)).await, (vec![], None));
}

#[tokio::test]
async fn on_samba_whose_account_or_group_changed_is_shown_once_and_nobody_else() {
    let samba = samba(&[
        user("Ann Li", "zann"),
        user("Bob Ng", "zbob"),
        user("Cam Oh", "zcam"),
        user("Dee Ra", "zdee"),
        security_group("Wards", &["Ann Li", "Bob Ng"]),
        security_group("Other", &["Ann Li"]),
    ]);
    let directory = open(&of_samba(&samba));
    let (nobody, mark) = changed(&directory, None).await;
    assert_eq!(nobody, [""; 0]);
    let first = mark.unwrap();
    let (nobody, mark) = changed(&directory, Some(first.clone())).await;
    assert_eq!(nobody, [""; 0]);
    samba
        .load_ldif(&format!(
            "dn: CN=Cam Oh,{PEOPLE}\nchangetype: modify\nreplace: title\ntitle: Nurse\n\n\
             dn: CN=Wards,{GROUPS}\nchangetype: modify\nadd: member\nmember: CN=Dee Ra,{PEOPLE}\n-\n\
             delete: member\nmember: CN=Bob Ng,{PEOPLE}\n"
        ))
        .unwrap();
    let (names, mark) = changed(&directory, mark).await;
    assert_eq!(names, ["zbob", "zcam", "zdee"]);
    let (nobody, mark) = changed(&directory, mark).await;
    assert_eq!(nobody, [""; 0], "once");
    // Put back from a copy, a controller counts anew under another name.
    let copy = Mark { server: "another".into(), ..mark.unwrap() };
    assert_eq!(changed(&directory, Some(copy)).await, (vec![], None));
}
