//! Active Directory, by a Samba domain controller.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::ProtectedSettings;
use lapsed_connectors::directory::{DirectorySettings, escape_value};
use lapsed_core::observed::{GroupKind, Protection, Scope};
use lapsed_core::step::{Fault, Outcome, Seen};
use lapsed_tests::Entry;
use lapsed_tests::samba::SambaAd;

pub const PEOPLE: &str = "OU=People,DC=lab,DC=test";
pub const GROUPS: &str = "OU=Groups,DC=lab,DC=test";

pub fn user(name: &str, id: &str) -> Entry {
    Entry::new(format!("CN={name},{PEOPLE}"))
        .with("objectClass", "user")
        .with("sAMAccountName", id)
        .with("employeeNumber", number_of(id))
        .with("userAccountControl", "66048")
}

pub fn security_group(name: &str, members: &[&str]) -> Entry {
    let mut entry = Entry::new(format!("CN={name},{GROUPS}"))
        .with("objectClass", "group")
        .with("sAMAccountName", name)
        .with("groupType", "-2147483646");
    for member in members {
        entry.add("member", format!("CN={member},{PEOPLE}"));
    }
    entry
}

pub fn samba(entries: &[Entry]) -> SambaAd {
    SambaAd::builder().load_ldif(&ldif(entries)).start().unwrap()
}

#[tokio::test]
async fn a_leaver_is_shut_stamped_scrambled_and_out_of_all_groups_but_the_default_one() {
    let list = Entry::new(format!("CN=news,{GROUPS}"))
        .with("objectClass", "group")
        .with("sAMAccountName", "news")
        .with("groupType", "2")
        .with("member", format!("CN=Ann Li,{PEOPLE}"));
    let samba = samba(&[
        user("Ann Li", "zann").with("description", "clerk"),
        user("Bob Ng", "zbob"),
        security_group("clerks", &["Ann Li", "Bob Ng"]),
        list,
    ]);
    let directory = open(&of_samba(&samba));
    let ann = person(&directory, "ZANN").await;
    let kinds: Vec<_> = ann.groups.iter().map(|g| (g.name.as_str(), g.kind)).collect();
    assert_eq!(
        kinds,
        [
            ("clerks", GroupKind::Security),
            ("news", GroupKind::Distribution),
            ("Domain Users", GroupKind::DefaultPrimary),
        ]
    );
    assert_eq!(ann.protection, None);
    let mut steps = vec![disable(&ann), stamp(&ann, "Disabled 2026-11-22"), scramble(&ann)];
    steps.extend(leave_all(&ann).into_iter().take(2));
    let endings = apply(&directory, &steps).await;
    let Ok(Outcome::Changed(shut)) = &endings[0] else { panic!("{endings:?}") };
    assert_eq!(shut.before["userAccountControl"], ["66048"]);
    assert!(endings.iter().all(|e| matches!(e, Ok(Outcome::Changed(_)))), "{endings:?}");

    let witness = samba.read(&format!("CN=Ann Li,{PEOPLE}"), &["*"]).unwrap().unwrap();
    assert_eq!(witness.get("userAccountControl"), ["66050"], "the other flags are kept");
    assert_eq!(witness.get("description"), ["Disabled 2026-11-22"]);
    assert_ne!(witness.get("pwdLastSet"), ["0"]);
    assert!(!witness.has("memberOf"));
    all_as_wanted(&directory, &steps).await;
    steps.remove(2);
    nothing_to_change(&directory, &steps).await;
    assert_eq!(group_names(&person(&directory, "zann").await), ["Domain Users"]);
    assert_eq!(group_names(&person(&directory, "zbob").await), ["Domain Users", "clerks"]);
}

#[tokio::test]
async fn another_primary_group_is_reset_and_left() {
    let samba = samba(&[user("Ann Li", "zann"), security_group("clerks", &["Ann Li"])]);
    let clerks = samba.read(&format!("CN=clerks,{GROUPS}"), &["primaryGroupToken"]).unwrap();
    let token = clerks.unwrap().first("primaryGroupToken").unwrap();
    samba
        .load_ldif(&format!(
            "dn: CN=Ann Li,{PEOPLE}\nchangetype: modify\nreplace: primaryGroupID\nprimaryGroupID: {token}\n"
        ))
        .unwrap();
    samba
        .load_ldif(&format!(
            "dn: CN=Domain Users,CN=Users,DC=lab,DC=test\nchangetype: modify\ndelete: member\nmember: CN=Ann Li,{PEOPLE}\n"
        ))
        .unwrap();
    let directory = open(&of_samba(&samba));
    let ann = person(&directory, "zann").await;
    assert_eq!(ann.groups.len(), 1, "{:?}", ann.groups);
    assert_eq!(ann.groups[0].kind, GroupKind::OtherPrimary);

    let leave = leave_all(&ann);
    let early = apply(&directory, &leave).await;
    assert!(matches!(&early[0], Err(Fault::Refused(_))), "{early:?}");

    let mut steps = vec![reset_primary_group(&ann)];
    steps.extend(leave);
    let endings = apply(&directory, &steps).await;
    let Ok(Outcome::Changed(reset)) = &endings[0] else { panic!("{endings:?}") };
    assert_eq!(reset.before["primaryGroupID"], [token]);
    assert!(matches!(endings[1], Ok(Outcome::Changed(_))), "{endings:?}");
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;
    assert_eq!(group_names(&person(&directory, "zann").await), ["Domain Users"]);
}

#[tokio::test]
async fn an_absent_member_keeps_nobody_else_in_the_group() {
    let names: Vec<String> = (0..9).map(|n| format!("User {n}")).collect();
    let ids: Vec<String> = (0..9).map(|n| format!("zuser{n}")).collect();
    let mut entries: Vec<Entry> = names.iter().zip(&ids).map(|(n, id)| user(n, id)).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    entries.push(security_group("clerks", &members));
    let samba = samba(&entries);
    let directory = open(&of_samba(&samba));
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let seen = people(&directory, &ids).await;
    samba
        .load_ldif(&format!(
            "dn: CN=clerks,{GROUPS}\nchangetype: modify\ndelete: member\nmember: CN=User 4,{PEOPLE}\n"
        ))
        .unwrap();
    let steps: Vec<_> = seen.accounts.iter().map(|a| leave_all(a).remove(0)).collect();
    let endings = apply(&directory, &steps).await;
    for (number, ending) in endings.iter().enumerate() {
        match number {
            4 => assert_eq!(ending, &Ok(Outcome::AlreadySo)),
            _ => assert!(matches!(ending, Ok(Outcome::Changed(_))), "{number}: {ending:?}"),
        }
    }
    let clerks = samba.read(&format!("CN=clerks,{GROUPS}"), &["member"]).unwrap().unwrap();
    assert!(!clerks.has("member"));
}

#[tokio::test]
async fn an_account_renamed_and_moved_since_it_was_seen_is_still_the_one_that_is_shut() {
    let samba = samba(&[user("Ann Li", "zann"), user("Bob Ng", "zbob")]);
    samba
        .load_ldif(&format!("dn: OU=Ward,{PEOPLE}\nobjectClass: organizationalUnit\nou: Ward\n"))
        .unwrap();
    let directory = open(&of_samba(&samba));
    let ann = person(&directory, "zann").await;
    samba
        .load_ldif(&format!(
            "dn: CN=Ann Li,{PEOPLE}\nchangetype: modrdn\nnewrdn: CN=Ann Ode\ndeleteoldrdn: 1\nnewsuperior: OU=Ward,{PEOPLE}\n\ndn: CN=Bob Ng,{PEOPLE}\nchangetype: modrdn\nnewrdn: CN=Ann Li\ndeleteoldrdn: 1\n"
        ))
        .unwrap();
    change(&directory, &[disable(&ann)]).await;
    let uac = |id: &str| {
        let found = samba.search(&format!("(sAMAccountName={id})"), &["userAccountControl"]);
        found.unwrap()[0].first("userAccountControl").unwrap()
    };
    assert_eq!((uac("zann").as_str(), uac("zbob").as_str()), ("66050", "66048"));
}

#[tokio::test]
async fn an_account_moved_out_of_the_base_is_left_alone() {
    let samba = samba(&[user("Ann Li", "zann")]);
    let directory = open(&of_samba(&samba));
    let ann = person(&directory, "zann").await;
    samba
        .load_ldif(&format!(
            "dn: CN=Ann Li,{PEOPLE}\nchangetype: modrdn\nnewrdn: CN=Ann Li\ndeleteoldrdn: 1\nnewsuperior: OU=Disabled,DC=lab,DC=test\n"
        ))
        .unwrap();
    let endings = apply(&directory, &[disable(&ann)]).await;
    assert!(matches!(endings[0], Ok(Outcome::Drifted(_))), "{endings:?}");
}

#[tokio::test]
async fn administrators_and_the_keys_of_the_domain_are_protected() {
    let samba = samba(&[user("Ann Li", "zann"), user("Bob Ng", "zbob")]);
    samba
        .load_ldif(&format!(
            "dn: CN=inner,{GROUPS}\nobjectClass: group\nsAMAccountName: inner\nmember: CN=Ann Li,{PEOPLE}\n\ndn: CN=outer,{GROUPS}\nobjectClass: group\nsAMAccountName: outer\nmember: CN=inner,{GROUPS}\n"
        ))
        .unwrap();
    let mut settings =
        DirectorySettings { people_base: vec!["DC=lab,DC=test".into()], ..of_samba(&samba) };
    settings.protected = ProtectedSettings::default();
    settings.protected.second_operator.groups = vec![format!("CN=outer,{GROUPS}")];
    settings.protected.never.user_ids = vec!["zb*".into()];
    let directory = open(&settings);
    let seen = people(&directory, &["administrator", "krbtgt", "lapsed", "zann", "zbob"]).await;
    let of = |id: &str| {
        let account = seen.accounts.iter().find(|a| a.user_id.folded() == id).unwrap();
        (account.clone(), account.protection.clone())
    };
    assert!(matches!(of("administrator").1, Some(Protection::SecondOperator { .. })));
    assert!(matches!(of("zann").1, Some(Protection::SecondOperator { .. })), "{:?}", of("zann").1);
    for id in ["krbtgt", "lapsed", "zbob"] {
        let (account, protection) = of(id);
        assert!(matches!(protection, Some(Protection::Never { .. })), "{id}: {protection:?}");
        let endings = apply(&directory, &[disable(&account)]).await;
        assert!(matches!(&endings[0], Err(Fault::Refused(_))), "{id}: {endings:?}");
    }
}

#[tokio::test]
async fn names_of_deleted_objects_groups_and_contacts_count_as_taken() {
    let samba = samba(&[
        user("Ann Li", "zann").with("userPrincipalName", "ann.li@lab.test"),
        security_group("Clerks", &[]),
        Entry::new(format!("CN=Partner,{PEOPLE}"))
            .with("objectClass", "contact")
            .with("proxyAddresses", "SMTP:Partner.Desk@lab.test"),
        user("Gone", "zgone"),
    ]);
    samba.load_ldif(&format!("dn: CN=Gone,{PEOPLE}\nchangetype: delete\n")).unwrap();
    let directory = open(&of_samba(&samba));
    let names = directory.observe(&Scope::TakenNames).await.unwrap().taken_names;
    for name in ["zann", "ann.li", "clerks", "partner.desk", "zgone"] {
        assert!(names.contains(&name.to_owned()), "{name} of {names:?}");
    }
}

#[tokio::test]
async fn a_group_of_five_thousand_is_left_by_all() {
    let names: Vec<String> = (0..5000).map(|n| format!("Member {n:04}")).collect();
    let mut entries: Vec<Entry> =
        names.iter().enumerate().map(|(n, name)| user(name, &format!("m{n:04}"))).collect();
    entries.push(security_group("everyone", &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let builder = SambaAd::builder().load_ldif(&ldif(&entries));
    let samba = builder.kept_as("directory-5000").start().unwrap();
    let mut settings = of_samba(&samba);
    settings.protected.second_operator.groups = vec![format!("CN=everyone,{GROUPS}")];
    let directory = open(&settings);
    let listed = directory.observe(&Scope::AllAccounts).await.unwrap().accounts;
    assert_eq!(listed.len(), 5000);
    let protected =
        |a: &&_| matches!(a, lapsed_core::observed::ObservedAccount { protection: Some(_), .. });
    assert_eq!(listed.iter().filter(protected).count(), 5000, "every member is seen, not 1,500");

    let group = people(&directory, &["m0000"]).await.accounts[0].groups[0].clone();
    assert_eq!(group.name, "everyone");
    let steps: Vec<_> = listed
        .into_iter()
        .map(|account| {
            let groups = vec![group.clone()];
            leave_all(&lapsed_core::observed::ObservedAccount { groups, ..account }).remove(0)
        })
        .collect();
    let started = std::time::Instant::now();
    change(&directory, &steps).await;
    println!("5,000 members left in {:.1} s", started.elapsed().as_secs_f64());
    let witness = samba.read(&format!("CN=everyone,{GROUPS}"), &["member"]).unwrap().unwrap();
    assert!(!witness.has("member"));
}

fn utf16(password: &str) -> Vec<u8> {
    format!("\"{password}\"").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[tokio::test]
async fn a_scrambled_password_no_longer_opens_anything() {
    let samba = samba(&[user("Ann Li", "zann").with("unicodePwd", utf16("Ann-knows-this-1"))]);
    let dn = format!("CN=Ann Li,{PEOPLE}");
    assert_eq!(samba.witness().try_bind(&dn, "Ann-knows-this-1").unwrap().0, 0);
    let directory = open(&of_samba(&samba));
    let steps = [scramble(&person(&directory, "zann").await)];
    change(&directory, &steps).await;
    let (code, said) = samba.witness().try_bind(&dn, "Ann-knows-this-1").unwrap();
    assert!(code == 49 && said.contains("data 52e"), "{said}");
    all_as_wanted(&directory, &steps).await;
    let another = open(&of_samba(&samba)).read_back(&steps).await;
    assert!(matches!(&another[0], Ok(Seen::CannotTell(_))), "after a restart: {another:?}");
}

#[tokio::test]
async fn awkward_names_are_only_names() {
    let names = ["Ames, Zoe", ",+\"\\<>;=#*()", "#1 Zoe", "Zoë Müller", "*)(cn=*"];
    let users = names.iter().enumerate().map(|(number, name)| {
        let dn = format!("CN={},{PEOPLE}", escape_value(name));
        Entry { dn, ..user("x", &format!("zodd{number}")) }
    });
    let mut entries: Vec<Entry> = users.collect();
    let mut clerks = security_group("clerks", &[]);
    entries.iter().for_each(|user| clerks.add("member", &user.dn));
    entries.push(clerks);
    let samba = samba(&entries);
    let directory = open(&of_samba(&samba));
    let ids = ["zodd0", "zodd1", "zodd2", "zodd3", "zodd4"];
    let mut steps = Vec::new();
    for account in people(&directory, &ids).await.accounts {
        assert_eq!(group_names(&account), ["Domain Users", "clerks"], "{}", account.place);
        steps.push(disable(&account));
        steps.extend(leave_all(&account).into_iter().take(1));
    }
    assert_eq!(steps.len(), 10);
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    let shut = "(&(sAMAccountName=zodd*)(userAccountControl=66050))";
    assert_eq!(samba.search(shut, &["1.1"]).unwrap().len(), 5);
}

#[tokio::test]
async fn a_check_finds_nothing_wrong_or_names_it() {
    let samba = samba(&[user("Ann Li", "zann"), security_group("clerks", &["Ann Li"])]);
    let whole =
        DirectorySettings { group_bases: vec![samba.base().to_owned()], ..of_samba(&samba) };
    let start_tls = DirectorySettings {
        servers: vec![samba.url_ldaps(), samba.url_ldap()],
        start_tls: true,
        ..whole.clone()
    };
    let problems = |settings: DirectorySettings| async move {
        let probed = open(&settings).probe().await;
        probed.into_iter().filter_map(|p| p.problem).collect::<Vec<_>>()
    };
    assert_eq!(problems(start_tls).await, [] as [&str; 0]);
    let found = problems(of_samba(&samba)).await;
    assert!(found.len() == 1 && found[0].contains("Domain Admins"), "{found:?}");
    let mut missing = whole.clone();
    missing.bind.dn = Some("CN=nobody,OU=Services,DC=lab,DC=test".into());
    let found = problems(missing).await;
    assert!(found.len() == 1 && found[0].contains("LDAP 49"), "{found:?}");
    let mut schema = whole;
    schema.attributes.employee_number = Some("agencyNumber".into());
    let found = problems(schema).await;
    assert!(found.len() == 1 && found[0].contains("agencyNumber"), "{found:?}");
}
