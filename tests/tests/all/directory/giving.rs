//! Accounts that are made, given groups and a first password, and opened.

use super::giving_support::*;
use super::members::members;
use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::{Directory, DirectorySettings};
use lapsed_core::step::{Action, Fault, Outcome, Seen, Step};
use lapsed_tests::Entry;
use lapsed_tests::samba::SambaAd;
use lapsed_tests::slapd::Slapd;

const MADE: &str = "uid=mqlia,ou=people,dc=lab,dc=test";
const LOCK: &str = "pwdAccountLockedTime";

fn unix_settings(slapd: &Slapd) -> DirectorySettings {
    let attributes = [
        ("gidNumber", "5000"),
        ("loginShell", "/bin/bash"),
        ("title", "{{ title }}"),
        ("l", "{{ location_name }}"),
        ("manager", "{{ supervisor_dn }}"),
    ];
    let classes = ["inetOrgPerson", "posixAccount", "shadowAccount"];
    let create = create_below("ou=people,dc=lab,dc=test", &classes, &attributes);
    DirectorySettings { create: Some(create), ..of_slapd(slapd) }
}

fn unix_ann() -> lapsed_core::step::Blueprint {
    lapsed_core::step::Blueprint {
        home: Some("/home/mqlia".into()),
        uid_number: Some(2001),
        ..ann()
    }
}

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

fn uuid_of(slapd: &Slapd, dn: &str) -> String {
    slapd.read(dn, &["entryUUID"]).unwrap().unwrap().first("entryUUID").unwrap()
}

#[tokio::test]
async fn a_joiner_gets_an_account_that_opens_when_all_is_in_place() {
    let groups = [someone("mqboss"), group("clerks", &["mqboss"]), posix("unix", &["mqboss"])];
    let slapd = Slapd::builder().load_ldif(&ldif(&groups)).start().unwrap();
    let (directory, drawer) = open_with(&unix_settings(&slapd));
    assert!(slapd.read(MADE, &["*"]).unwrap().is_none());
    let ann = unix_ann();
    let made = [create(&ann)];
    change(&directory, &made).await;
    all_as_wanted(&directory, &made).await;
    nothing_to_change(&directory, &made).await;
    let shown = [
        "objectClass",
        "uid",
        "cn",
        "sn",
        "givenName",
        "displayName",
        "employeeNumber",
        "mail",
        "title",
        "l",
        "manager",
        "uidNumber",
        "gidNumber",
        "homeDirectory",
        "loginShell",
        "shadowExpire",
        LOCK,
        "userPassword",
    ];
    let entry = slapd.read(MADE, &["*", "+"]).unwrap().unwrap();
    assert_eq!(
        picture(&entry, &shown),
        "dn: uid=mqlia,ou=people,dc=lab,dc=test\n\
         objectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: shadowAccount\n\
         uid: mqlia\ncn: Ann Li\nsn: Li\ngivenName: Ann\ndisplayName: Ann Li\n\
         employeeNumber: E-77\nmail: ann.li@agency.test\ntitle: Nurse, \"ward\" 3\nl: Rolla\n\
         manager: uid=mqboss,ou=people,dc=lab,dc=test\nuidNumber: 2001\ngidNumber: 5000\n\
         homeDirectory: /home/mqlia\nloginShell: /usr/sbin/nologin\nshadowExpire: 1\n\
         pwdAccountLockedTime: 000001010000Z\n"
    );
    assert!(!person(&directory, "mqlia").await.enabled);

    let clerks = uuid_of(&slapd, "cn=clerks,ou=groups,dc=lab,dc=test");
    let unix = uuid_of(&slapd, "cn=unix,ou=groups,dc=lab,dc=test");
    let joins = [on_new(&ann, join(&clerks, "clerks")), on_new(&ann, join(&unix, "unix"))];
    change(&directory, &joins).await;
    all_as_wanted(&directory, &joins).await;
    nothing_to_change(&directory, &joins).await;
    assert_eq!(group_names(&person(&directory, "mqlia").await), ["clerks", "unix"]);

    let password = [on_new(&ann, set_password)];
    change(&directory, &password).await;
    all_as_wanted(&directory, &password).await;
    let word = drawer.last();
    assert!(!person(&directory, "mqlia").await.enabled, "the password did not open it");
    assert_eq!(slapd.witness().try_bind(MADE, &word).unwrap().0, 49);
    let entry = slapd.read(MADE, &["*", "+"]).unwrap().unwrap();
    assert_eq!(entry.get("pwdReset"), ["TRUE"]);
    assert!(entry.get("description").iter().all(|text| text.starts_with("lapsed:made:")));

    let opened = [on_new(&ann, enable)];
    change(&directory, &opened).await;
    all_as_wanted(&directory, &opened).await;
    nothing_to_change(&directory, &opened).await;
    assert!(person(&directory, "mqlia").await.enabled);
    assert_eq!(slapd.witness().try_bind(MADE, &word).unwrap().0, 0);
    let entry = slapd.read(MADE, &["*", "+"]).unwrap().unwrap();
    assert_eq!(
        picture(&entry, &["uid", "loginShell", "shadowExpire", LOCK]),
        "dn: uid=mqlia,ou=people,dc=lab,dc=test\nuid: mqlia\nloginShell: /bin/bash\n"
    );
}

fn ad_settings(samba: &SambaAd) -> DirectorySettings {
    let attributes = [("title", "{{ title }}"), ("l", "{{ location_name }}")];
    let mut create =
        create_below("OU={{ location_name }},OU=People,DC=lab,DC=test", &[], &attributes);
    create.upn_suffix = Some("agency.test".into());
    DirectorySettings { create: Some(create), ..of_samba(samba) }
}

fn unit(name: &str) -> Entry {
    Entry::new(format!("OU={name},OU=People,DC=lab,DC=test"))
        .with("objectClass", "organizationalUnit")
        .with("ou", name)
}

fn ad_user(place: &str, name: &str, id: &str, number: &str) -> Entry {
    Entry::new(format!("CN={name},{place}"))
        .with("objectClass", "user")
        .with("sAMAccountName", id)
        .with("employeeNumber", number)
        .with("userAccountControl", "66048")
}

fn ad_group(name: &str) -> Entry {
    Entry::new(format!("CN={name},OU=Groups,DC=lab,DC=test"))
        .with("objectClass", "group")
        .with("sAMAccountName", name)
        .with("groupType", "-2147483646")
}

async fn guid_of(directory: &Directory, member: &str) -> String {
    person(directory, member).await.groups[0].id.to_string()
}

#[tokio::test]
async fn a_joiner_gets_an_account_in_active_directory_that_opens_when_all_is_in_place() {
    let boss = "CN=Bob Boss,OU=Rolla,OU=People,DC=lab,DC=test";
    let rolla = "OU=Rolla,OU=People,DC=lab,DC=test";
    let entries = [
        unit("Rolla"),
        ad_user(rolla, "Bob Boss", "mqboss", "E-1"),
        ad_user(rolla, "Ann Li", "mqother", "E-2"),
        ad_group("clerks").with("member", boss),
        ad_group("officers").with("member", "CN=clerks,OU=Groups,DC=lab,DC=test"),
    ];
    let samba = SambaAd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let (directory, drawer) = open_with(&ad_settings(&samba));
    let ann = ann();
    let made = [create(&ann)];
    change(&directory, &made).await;
    all_as_wanted(&directory, &made).await;
    nothing_to_change(&directory, &made).await;
    let dn = format!("CN=Ann Li (mqlia),{rolla}");
    let shown = [
        "sAMAccountName",
        "userPrincipalName",
        "sn",
        "givenName",
        "displayName",
        "employeeNumber",
        "mail",
        "proxyAddresses",
        "title",
        "l",
        "userAccountControl",
        "pwdLastSet",
    ];
    let entry = samba.read(&dn, &["*"]).unwrap().unwrap();
    assert_eq!(
        picture(&entry, &shown),
        "dn: CN=Ann Li (mqlia),OU=Rolla,OU=People,DC=lab,DC=test\n\
         sAMAccountName: mqlia\nuserPrincipalName: mqlia@agency.test\nsn: Li\ngivenName: Ann\n\
         displayName: Ann Li\nemployeeNumber: E-77\nmail: ann.li@agency.test\n\
         proxyAddresses: SMTP:ann.li@agency.test\ntitle: Nurse, \"ward\" 3\nl: Rolla\nuserAccountControl: 514\npwdLastSet: 0\n"
    );
    let account = person(&directory, "mqlia").await;
    assert!(!account.enabled);
    let last_use = account.details.last_use.unwrap();
    assert_eq!((last_use.at, last_use.lag_days), (None, 14));
    assert!(last_use.made_at.is_some());
    assert_eq!(account.details.password.unwrap().changed_at, None);

    let clerks = guid_of(&directory, "mqboss").await;
    let joins = [on_new(&ann, join(&clerks, "clerks"))];
    change(&directory, &joins).await;
    all_as_wanted(&directory, &joins).await;
    nothing_to_change(&directory, &joins).await;

    let password = [on_new(&ann, set_password)];
    change(&directory, &password).await;
    all_as_wanted(&directory, &password).await;
    assert!(!person(&directory, "mqlia").await.enabled);
    let entry = samba.read(&dn, &["*"]).unwrap().unwrap();
    assert_eq!(entry.get("pwdLastSet"), ["0"]);

    let opened = [on_new(&ann, enable)];
    change(&directory, &opened).await;
    all_as_wanted(&directory, &opened).await;
    nothing_to_change(&directory, &opened).await;
    let account = person(&directory, "mqlia").await;
    assert!(account.enabled);
    assert_eq!(group_names(&account), ["Domain Users", "clerks"]);
    let officers = members(&directory, &["officers"]).await;
    let ann = ("mqlia".to_owned(), "ann.li@agency.test".to_owned());
    assert_eq!(
        officers,
        [("mqboss".to_owned(), String::new()), ann],
        "by a group within the group"
    );
    // The password is right, but must be changed first: data 773.
    let (code, text) = samba.witness().try_bind(&dn, &drawer.last()).unwrap();
    assert_eq!(code, 49);
    assert!(text.contains("773"), "{text}");
}

#[tokio::test]
async fn an_account_is_never_made_twice_and_never_over_anothers() {
    let taken = someone("mqtaken");
    let known = someone("mqadm").with("description", "x");
    let slapd = Slapd::builder().load_ldif(&ldif(&[taken, known])).start().unwrap();
    let create_all = create_below("ou=people,dc=lab,dc=test", &[], &[]);
    let settings = DirectorySettings { create: Some(create_all), ..of_slapd(&slapd) };
    let (directory, _) = open_with(&settings);
    let named = |id: &str, number: Option<&str>| lapsed_core::step::Blueprint {
        user_id: user(id),
        employee_number: number.map(super::support::number),
        ..ann()
    };
    // Another's user ID: the attribute is named, its value is not.
    let ending = one(&directory, &create(&named("mqtaken", Some("E-77")))).await;
    assert!(drift(&ending).contains("employeeNumber"), "{ending:?}");
    assert!(!drift(&ending).contains("E-mqtaken"), "{ending:?}");
    let ending = one(&directory, &create(&named("MQTAKEN", None))).await;
    assert!(drift(&ending).contains("another object"), "{ending:?}");
    // The person has an account by another name.
    let ending = one(&directory, &create(&named("mqnew", Some("E-mqadm")))).await;
    assert!(drift(&ending).contains("already"), "{ending:?}");
    // The person's own is there already.
    let ending = one(&directory, &create(&named("mqadm", Some("e-MQADM")))).await;
    assert_eq!(ending, Ok(Outcome::AlreadySo));
    // Without a number, the mark says that it was this step: its reply may have been lost.
    let without = create(&named("mqnew", None));
    assert!(is_changed(&one(&directory, &without).await));
    assert_eq!(one(&directory, &without).await, Ok(Outcome::AlreadySo));
    assert_eq!(directory.read_back(std::slice::from_ref(&without)).await, [Ok(Seen::AsWanted)]);
    assert_eq!(slapd.search("(cn=Ann Li)", &["uid"]).unwrap().len(), 1);
}

#[tokio::test]
async fn a_group_that_has_the_account_by_all_but_one_takes_the_one() {
    let uids: Vec<String> = (0..12).map(|n| format!("zuser{n:02}")).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut entries: Vec<_> = uids.iter().map(|uid| someone(uid)).collect();
    entries.push(group("clerks", &["zuser03", "zuser07"]));
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let id = uuid_of(&slapd, "cn=clerks,ou=groups,dc=lab,dc=test");
    let seen = people(&directory, &uids).await;
    let group = join_target(&id);
    let steps: Vec<Step> = seen
        .accounts
        .iter()
        .map(|account| {
            let action = Action::JoinGroup { account: target(account), group: group.clone() };
            step(account, action)
        })
        .collect();
    for (number, ending) in apply(&directory, &steps).await.iter().enumerate() {
        match number {
            3 | 7 => assert_eq!(ending, &Ok(Outcome::AlreadySo)),
            _ => assert!(is_changed(ending), "{number}: {ending:?}"),
        }
    }
    let clerks = slapd.read("cn=clerks,ou=groups,dc=lab,dc=test", &["member"]).unwrap().unwrap();
    assert_eq!(clerks.get("member").len(), 12);
    nothing_to_change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
}

fn join_target(id: &str) -> lapsed_core::step::Target {
    let id = lapsed_core::facts::StableId::new(id).unwrap();
    lapsed_core::step::Target { id, label: "clerks".into() }
}

#[tokio::test]
async fn an_administrators_group_is_joined_by_nobody() {
    let slapd = Slapd::builder()
        .load_ldif(&ldif(&[someone("zann"), someone("zroot"), group("admins", &["zroot"])]))
        .start()
        .unwrap();
    let mut settings = of_slapd(&slapd);
    settings.protected.second_operator.groups = vec!["cn=admins,ou=groups,dc=lab,dc=test".into()];
    let directory = open(&settings);
    let ann = person(&directory, "zann").await;
    let group = join_target(&uuid_of(&slapd, "cn=admins,ou=groups,dc=lab,dc=test"));
    let ending =
        one(&directory, &step(&ann, Action::JoinGroup { account: target(&ann), group })).await;
    assert!(matches!(&ending, Err(Fault::Refused(cause)) if cause.message.contains("by hand")));
}

#[tokio::test]
async fn an_account_that_was_shut_is_opened_and_loses_our_stamp_only() {
    let stamp_text = "Disabled 2026-11-22 by lapsed, case 7c0e";
    let ann = someone("zann").with("description", "likes tea").with("description", stamp_text);
    let slapd = Slapd::builder().load_ldif(&ldif(&[ann])).start().unwrap();
    let (directory, _) = open_with(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    change(&directory, &[disable(&ann)]).await;
    assert!(!person(&directory, "zann").await.enabled);
    let steps = [step(&ann, Action::Enable { account: target(&ann) })];
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;
    let entry = slapd.read("uid=zann,ou=people,dc=lab,dc=test", &["*", "+"]).unwrap().unwrap();
    assert_eq!(entry.get("description"), ["likes tea"]);
    assert!(!entry.has(LOCK));
}

#[tokio::test]
async fn a_password_is_not_set_where_nobody_can_hand_it_over() {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    let ending = one(&directory, &step(&ann, set_password(target(&ann)))).await;
    assert!(matches!(&ending, Err(Fault::Refused(cause)) if cause.message.contains("handover")));
    let entry = slapd.read("uid=zann,ou=people,dc=lab,dc=test", &["*", "+"]).unwrap().unwrap();
    assert!(!entry.has("userPassword"));
}

#[tokio::test]
async fn a_password_set_before_a_crash_does_not_leave_a_shut_account_open() {
    let ann = someone("zann").with("description", "lapsed:stays-shut");
    let slapd = Slapd::builder().load_ldif(&ldif(&[ann])).start().unwrap();
    let (directory, drawer) = open_with(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    assert!(ann.enabled, "as the crash left it");
    change(&directory, &[step(&ann, set_password(target(&ann)))]).await;
    assert!(!person(&directory, "zann").await.enabled);
    let dn = "uid=zann,ou=people,dc=lab,dc=test";
    assert_eq!(slapd.witness().try_bind(dn, &drawer.last()).unwrap().0, 49);
    assert!(!slapd.read(dn, &["*", "+"]).unwrap().unwrap().has("description"));
}

#[tokio::test]
async fn a_retry_seals_the_same_envelope_with_another_password() {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).start().unwrap();
    let (directory, drawer) = open_with(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    let steps = [step(&ann, set_password(target(&ann)))];
    change(&directory, &steps).await;
    change(&directory, &steps).await;
    let sealed = drawer.0.lock().unwrap().clone();
    assert_eq!(sealed[0].0, sealed[1].0);
    assert_ne!(sealed[0].1, sealed[1].1);
    let dn = "uid=zann,ou=people,dc=lab,dc=test";
    assert_eq!(slapd.witness().try_bind(dn, &sealed[1].1).unwrap().0, 0);
}
