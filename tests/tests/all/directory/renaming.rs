//! Accounts that get another name, and keep their groups.

use super::giving_support::*;
use super::support::*;
use lapsed_connectors::directory::DirectorySettings;
use lapsed_core::facts::LocationId;
use lapsed_core::step::Outcome;
use lapsed_tests::Entry;
use lapsed_tests::samba::SambaAd;
use lapsed_tests::slapd::Slapd;

fn posix(cn: &str, members: &[&str]) -> Entry {
    let mut entry = Entry::new(format!("cn={cn},ou=groups,dc=lab,dc=test"))
        .with("objectClass", "posixGroup")
        .with("cn", cn)
        .with("gidNumber", "3000");
    for member in members {
        entry.add("memberUid", *member);
    }
    entry
}

fn married() -> lapsed_core::step::NewName {
    renamed_to("mqode", "Ann", "Ode", "ann.ode@agency.test", "ann.li@agency.test")
}

fn people_and_groups() -> Vec<Entry> {
    let ann = someone("mqlia").with("mail", "ann.li@agency.test").with("description", "clerk");
    vec![
        ann,
        someone("mqboss"),
        group("clerks", &["mqlia", "mqboss"]),
        group("only-ann", &["mqlia"]),
        posix("unix", &["mqlia", "mqboss"]),
    ]
}

fn groups_of(slapd: &Slapd) -> Vec<Vec<String>> {
    let read = |cn: &str, attribute: &str| {
        let entry = slapd.read(&format!("cn={cn},ou=groups,dc=lab,dc=test"), &["*"]).unwrap();
        let mut values = entry.unwrap().get(attribute).to_vec();
        values.sort();
        values
    };
    vec![read("clerks", "member"), read("only-ann", "member"), read("unix", "memberUid")]
}

const SHOWN: [&str; 7] = ["uid", "cn", "sn", "givenName", "displayName", "mail", "description"];

#[rstest::rstest]
#[case::with_the_integrity_overlay(true)]
#[case::without_it(false)]
#[tokio::test]
async fn a_renamed_account_keeps_its_groups(#[case] refint: bool) {
    let builder = Slapd::builder().load_ldif(&ldif(&people_and_groups()));
    let builder = if refint { builder } else { builder.without_refint() };
    let slapd = builder.start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "mqlia").await;
    assert_eq!(group_names(&ann), ["clerks", "only-ann", "unix"]);
    let entry = slapd.read("uid=mqlia,ou=people,dc=lab,dc=test", &["*"]).unwrap().unwrap();
    assert_eq!(
        picture(&entry, &SHOWN),
        "dn: uid=mqlia,ou=people,dc=lab,dc=test\nuid: mqlia\ncn: Some mqlia\nsn: Sn\n\
         mail: ann.li@agency.test\ndescription: clerk\n"
    );
    let steps = [rename(&ann, &married())];
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;

    let dn = "uid=mqode,ou=people,dc=lab,dc=test";
    let boss = "uid=mqboss,ou=people,dc=lab,dc=test";
    let entry = slapd.read(dn, &["*"]).unwrap().unwrap();
    assert_eq!(
        picture(&entry, &SHOWN),
        "dn: uid=mqode,ou=people,dc=lab,dc=test\nuid: mqode\ncn: Ann Ode\nsn: Ode\n\
         givenName: Ann\ndisplayName: Ann Ode\nmail: ann.li@agency.test\n\
         mail: ann.ode@agency.test\ndescription: clerk\n"
    );
    assert_eq!(groups_of(&slapd), [vec![boss, dn], vec![dn], vec!["mqboss", "mqode"]]);
    let now = person(&directory, "mqode").await;
    assert_eq!(now.id, ann.id);
    assert_eq!(now.mail.as_deref(), Some("ann.ode@agency.test"));
    assert_eq!(now.details.mail_aliases, ["ann.li@agency.test"]);
    assert_eq!(group_names(&now), ["clerks", "only-ann", "unix"]);
}

#[rstest::rstest]
#[case::noted_and_not_renamed(false)]
#[case::renamed_and_the_groups_not(true)]
#[tokio::test]
async fn a_rename_that_was_interrupted_ends_right(#[case] renamed: bool) {
    let slapd =
        Slapd::builder().without_refint().load_ldif(&ldif(&people_and_groups())).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "mqlia").await;
    let old = "uid=mqlia,ou=people,dc=lab,dc=test";
    slapd
        .load_ldif(&format!(
            "dn: {old}\nchangetype: modify\nadd: description\ndescription: lapsed:renamed-from:mqlia:{old}\n-\nreplace: sn\nsn: Ode\n"
        ))
        .unwrap();
    if renamed {
        let change = format!("dn: {old}\nchangetype: modrdn\nnewrdn: uid=mqode\ndeleteoldrdn: 1\n");
        slapd.load_ldif(&change).unwrap();
        assert_eq!(group_names(&person(&directory, "mqode").await), [] as [&str; 0]);
    }
    let steps = [rename(&ann, &married())];
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;
    assert_eq!(group_names(&person(&directory, "mqode").await), ["clerks", "only-ann", "unix"]);
    assert_eq!(groups_of(&slapd)[2], ["mqboss", "mqode"]);
}

#[tokio::test]
async fn a_user_id_that_is_anothers_renames_nobody() {
    let mut entries = people_and_groups();
    entries.push(someone("mqode"));
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "mqlia").await;
    let ending = one(&directory, &rename(&ann, &married())).await;
    assert!(drift(&ending).contains("another account"), "{ending:?}");
    assert_eq!(person(&directory, "mqlia").await, ann);
}

#[tokio::test]
async fn an_account_in_active_directory_is_renamed_and_moved_and_keeps_its_groups() {
    let unit = |name: &str| {
        Entry::new(format!("OU={name},OU=People,DC=lab,DC=test"))
            .with("objectClass", "organizationalUnit")
            .with("ou", name)
    };
    let rolla = "OU=Rolla,OU=People,DC=lab,DC=test";
    let user = |name: &str, place: &str, id: &str| {
        Entry::new(format!("CN={name},{place}"))
            .with("objectClass", "user")
            .with("sAMAccountName", id)
            .with("userPrincipalName", format!("{id}@agency.test"))
            .with("employeeNumber", number_of(id))
            .with("userAccountControl", "66048")
    };
    let ann = user("Ann Li", rolla, "mqlia")
        .with("sn", "Li")
        .with("mail", "ann.li@agency.test")
        .with("proxyAddresses", "SMTP:ann.li@agency.test")
        .with("proxyAddresses", "X500:/o=agency/cn=ann");
    let fulton = "OU=Fulton,OU=People,DC=lab,DC=test";
    let group = Entry::new("CN=clerks,OU=Groups,DC=lab,DC=test")
        .with("objectClass", "group")
        .with("sAMAccountName", "clerks")
        .with("groupType", "-2147483646")
        .with("member", format!("CN=Ann Li,{rolla}"));
    let entries = [unit("Rolla"), unit("Fulton"), ann, user("Ann Ode", fulton, "mbother"), group];
    let samba = SambaAd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let below = "OU={{ location_name }},OU=People,DC=lab,DC=test";
    let create =
        create_below(below, &[], &[("l", "{{ location_name }}"), ("title", "{{ title }}")]);
    let directory = open(&DirectorySettings { create: Some(create), ..of_samba(&samba) });
    let ann = person(&directory, "mqlia").await;
    let mut to = renamed_to("mbode", "Ann", "Ode", "ann.ode@agency.test", "ann.li@agency.test");
    to.home = Some("\\\\files\\home\\mbode".into());
    to.location = Some(LocationId::new("b").unwrap());
    to.location_name = Some("Fulton".into());
    let steps = [rename(&ann, &to)];
    let endings = apply(&directory, &steps).await;
    let Ok(Outcome::Changed(receipt)) = &endings[0] else { panic!("{endings:?}") };
    assert_eq!(receipt.before["sAMAccountName"], ["mqlia"]);
    assert_eq!(receipt.before["dn"], [format!("CN=Ann Li,{rolla}")]);
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;

    let shown = [
        "sAMAccountName",
        "userPrincipalName",
        "sn",
        "givenName",
        "displayName",
        "mail",
        "proxyAddresses",
        "homeDirectory",
        "l",
        "memberOf",
    ];
    let entry = samba.read(&format!("CN=Ann Ode (mbode),{fulton}"), &["*"]).unwrap().unwrap();
    assert_eq!(
        picture(&entry, &shown),
        "dn: CN=Ann Ode (mbode),OU=Fulton,OU=People,DC=lab,DC=test\n\
         sAMAccountName: mbode\nuserPrincipalName: mbode@agency.test\nsn: Ode\ngivenName: Ann\n\
         displayName: Ann Ode\nmail: ann.ode@agency.test\n\
         proxyAddresses: SMTP:ann.ode@agency.test\nproxyAddresses: X500:/o=agency/cn=ann\n\
         proxyAddresses: smtp:ann.li@agency.test\n\
         homeDirectory: \\\\files\\home\\mbode\nl: Fulton\n\
         memberOf: CN=clerks,OU=Groups,DC=lab,DC=test\n"
    );
    let now = person(&directory, "mbode").await;
    assert_eq!(now.id, ann.id);
    assert_eq!(now.details.mail_aliases, ["ann.li@agency.test"]);
    assert!(now.enabled);
}
