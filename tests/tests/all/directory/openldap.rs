//! OpenLDAP.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::{BindSettings, EmptyGroup};
use lapsed_connectors::directory::{DirectorySettings, escape_value};
use lapsed_core::facts::{GroupName, UserId};
use lapsed_core::observed::{GroupKind, PersonKeys, Protection, Scope};
use lapsed_core::step::{Action, Fault, Outcome, Seen};
use lapsed_tests::authority::Certificate;
use lapsed_tests::slapd::{ServiceLimits, Slapd};

const LOCK: &str = "pwdAccountLockedTime";
const FOR_EVER: &str = "000001010000Z";

fn slapd(entries: &[lapsed_tests::Entry]) -> Slapd {
    Slapd::builder().load_ldif(&ldif(entries)).start().unwrap()
}

fn dn(uid: &str) -> String {
    format!("uid={uid},ou=people,dc=lab,dc=test")
}

#[tokio::test]
async fn an_account_is_found_by_its_number_and_shut() {
    let slapd = slapd(&[someone("zann"), someone("zbob"), group("clerks", &["zann", "zbob"])]);
    let directory = open(&of_slapd(&slapd));
    let keys = PersonKeys { employee_numbers: vec![number("E-zann")], ..PersonKeys::default() };
    let seen = directory.observe(&Scope::People(vec![keys])).await.unwrap();
    let [ann] = seen.accounts.as_slice() else { panic!("{seen:?}") };
    assert!(ann.enabled);
    assert_eq!((ann.groups[0].name.as_str(), ann.groups[0].kind), ("clerks", GroupKind::Plain));

    let steps = [disable(ann)];
    let endings = apply(&directory, &steps).await;
    let Ok(Outcome::Changed(receipt)) = &endings[0] else { panic!("{endings:?}") };
    assert_eq!(receipt.before[LOCK], [] as [&str; 0]);
    assert_eq!(receipt.server.as_deref(), Some(slapd.url_ldaps().as_str()));

    let witness = slapd.read(&dn("zann"), &["+"]).unwrap().unwrap();
    assert_eq!(witness.get(LOCK), [FOR_EVER]);
    assert!(!slapd.read(&dn("zbob"), &["+"]).unwrap().unwrap().has(LOCK));
    all_as_wanted(&directory, &steps).await;
    nothing_to_change(&directory, &steps).await;
    assert!(!person(&directory, "zann").await.enabled);
}

#[tokio::test]
async fn everyone_with_a_home_is_found_by_it_and_by_nothing_that_only_looks_like_it() {
    let housed = |uid: &str, number: &str, home: &str| {
        let posix = someone(uid).with("objectClass", "posixAccount").with("uidNumber", number);
        posix.with("gidNumber", "2000").with("homeDirectory", home)
    };
    let slapd = slapd(&[
        housed("zann", "2000", "/home/shared (*)"),
        housed("zbob", "2001", "/home/shared (*)"),
        housed("zcat", "2002", "/home/shared (x)"),
        someone("zdan"),
    ]);
    let directory = open(&of_slapd(&slapd));
    let found = async |home: &str| {
        let keys = PersonKeys { homes: vec![home.to_owned()], ..PersonKeys::default() };
        let seen = directory.observe(&Scope::People(vec![keys])).await.unwrap();
        let mut all: Vec<_> =
            seen.accounts.iter().map(|a| (a.user_id.to_string(), a.uid_number)).collect();
        all.sort();
        all
    };
    let both = [("zann".to_owned(), Some(2_000)), ("zbob".to_owned(), Some(2_001))];
    assert_eq!(found("/home/shared (*)").await, both);
    assert_eq!(found("/home/*").await, []);
    assert_eq!(person(&directory, "zdan").await.uid_number, None);
}

#[tokio::test]
async fn a_leaver_is_shut_stamped_scrambled_and_out_of_all_groups_in_one_batch() {
    let mut ann = someone("zann").with("userPassword", "known-to-ann").with("description", "clerk");
    ann = ann.with("objectClass", "posixAccount").with("uidNumber", "2000");
    ann = ann.with("gidNumber", "2000").with("homeDirectory", "/home/zann");
    ann = ann.with("loginShell", "/bin/bash");
    let posix = lapsed_tests::Entry::new("cn=unix,ou=groups,dc=lab,dc=test")
        .with("objectClass", "posixGroup")
        .with("cn", "unix")
        .with("gidNumber", "3000")
        .with("memberUid", "zann")
        .with("memberUid", "zbob");
    let slapd = slapd(&[
        ann,
        someone("zbob"),
        group("clerks", &["zann", "zbob"]),
        group("only-ann", &["zann"]),
        posix,
    ]);
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    assert_eq!(group_names(&ann), ["clerks", "only-ann", "unix"]);
    assert_eq!(ann.home.as_deref(), Some("/home/zann"));
    let mut steps = vec![disable(&ann), stamp(&ann, "Disabled 2026-11-22"), scramble(&ann)];
    steps.extend(leave_all(&ann));
    let endings = apply(&directory, &steps).await;
    assert!(endings.iter().all(|e| matches!(e, Ok(Outcome::Changed(_)))), "{endings:?}");
    let Ok(Outcome::Changed(stamped)) = &endings[1] else { panic!() };
    assert_eq!(stamped.before["description"], ["clerk"]);

    let witness = slapd.read(&dn("zann"), &["*", "+"]).unwrap().unwrap();
    assert_eq!(witness.get(LOCK), [FOR_EVER]);
    assert_eq!(witness.get("description"), ["Disabled 2026-11-22"]);
    assert_eq!(witness.get("loginShell"), ["/usr/sbin/nologin"]);
    assert_eq!(witness.get("memberOf"), [] as [&str; 0]);
    assert_ne!(witness.get("userPassword"), ["known-to-ann"]);
    assert!(witness.get("userPassword")[0].starts_with('{'), "the server hashes it");
    let (code, _) = slapd.witness().try_bind(&dn("zann"), "known-to-ann").unwrap();
    assert_eq!(code, 49);
    let only = slapd.read("cn=only-ann,ou=groups,dc=lab,dc=test", &["*"]).unwrap().unwrap();
    assert_eq!(only.get("member"), ["cn=only-ann,ou=groups,dc=lab,dc=test"]);
    let unix = slapd.read("cn=unix,ou=groups,dc=lab,dc=test", &["*"]).unwrap().unwrap();
    assert_eq!(unix.get("memberUid"), ["zbob"]);

    all_as_wanted(&directory, &steps).await;
    steps.retain(|step| !matches!(step.action, Action::ScramblePassword { .. }));
    nothing_to_change(&directory, &steps).await;
    assert!(person(&directory, "zann").await.groups.is_empty());
}

#[tokio::test]
async fn one_absent_member_does_not_keep_the_others_in_the_group() {
    let uids: Vec<String> = (0..40).map(|n| format!("zuser{n:02}")).collect();
    let uids: Vec<&str> = uids.iter().map(String::as_str).collect();
    let mut entries: Vec<_> = uids.iter().map(|uid| someone(uid)).collect();
    entries.extend([someone("zstays"), group("clerks", &[uids.clone(), vec!["zstays"]].concat())]);
    let slapd = slapd(&entries);
    let directory = open(&of_slapd(&slapd));
    let seen = people(&directory, &uids).await;
    slapd.load_ldif(&format!("dn: cn=clerks,ou=groups,dc=lab,dc=test\nchangetype: modify\ndelete: member\nmember: {}\nmember: {}\n", dn("zuser07"), dn("zuser31"))).unwrap();
    let steps: Vec<_> = seen.accounts.iter().flat_map(leave_all).collect();
    assert_eq!(steps.len(), 40);
    for (number, ending) in apply(&directory, &steps).await.iter().enumerate() {
        match number {
            7 | 31 => assert_eq!(ending, &Ok(Outcome::AlreadySo)),
            _ => assert!(matches!(ending, Ok(Outcome::Changed(_))), "{number}: {ending:?}"),
        }
    }
    let clerks = slapd.read("cn=clerks,ou=groups,dc=lab,dc=test", &["member"]).unwrap().unwrap();
    assert_eq!(clerks.get("member"), [dn("zstays")]);
    nothing_to_change(&directory, &steps).await;
}

#[tokio::test]
async fn the_last_member_stays_where_the_settings_refuse_an_empty_group() {
    let slapd = slapd(&[someone("zann"), group("only-ann", &["zann"])]);
    let directory =
        open(&DirectorySettings { empty_group: EmptyGroup::Refuse, ..of_slapd(&slapd) });
    let ann = person(&directory, "zann").await;
    let endings = apply(&directory, &leave_all(&ann)).await;
    assert!(matches!(&endings[0], Err(Fault::Refused(c)) if c.code.as_deref() == Some("LDAP 65")));
}

#[tokio::test]
async fn a_placeholder_takes_the_last_members_place() {
    let slapd = slapd(&[someone("zann"), group("only-ann", &["zann"])]);
    let nobody = "cn=nobody,dc=lab,dc=test";
    let directory = open(&DirectorySettings {
        empty_group: EmptyGroup::Placeholder(nobody.into()),
        ..of_slapd(&slapd)
    });
    let ann = person(&directory, "zann").await;
    change(&directory, &leave_all(&ann)).await;
    let only = slapd.read("cn=only-ann,ou=groups,dc=lab,dc=test", &["member"]).unwrap().unwrap();
    assert_eq!(only.get("member"), [nobody]);
}

#[rstest::rstest]
#[case::comma("Ames, Zoe")]
#[case::everything_special(",+\"\\<>;=#*()")]
#[case::hash_first("#1 Zoe")]
#[case::outer_spaces(" Zoe ")]
#[case::not_ascii("Zoë Müller-Łukasz")]
#[case::filter("*)(uid=*")]
#[tokio::test]
async fn an_awkward_name_is_only_a_name(#[case] name: &str) {
    let dn = format!("cn={},ou=people,dc=lab,dc=test", escape_value(name));
    let awkward = lapsed_tests::Entry::new(&dn)
        .with("objectClass", "inetOrgPerson")
        .with("uid", "zodd")
        .with("cn", name)
        .with("sn", name)
        .with("employeeNumber", name.trim());
    let other = group("clerks", &["zbob"]).with("member", &dn);
    let slapd = slapd(&[awkward, someone("zbob"), other]);
    let directory = open(&of_slapd(&slapd));
    let keys = PersonKeys { employee_numbers: vec![number(name)], ..PersonKeys::default() };
    let seen = directory.observe(&Scope::People(vec![keys])).await.unwrap();
    let [odd] = seen.accounts.as_slice() else { panic!("{seen:?}") };
    assert_eq!((odd.user_id.as_str(), group_names(odd)), ("zodd", vec!["clerks"]));
    let mut steps = vec![disable(odd), stamp(odd, name)];
    steps.extend(leave_all(odd));
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    let locked = slapd.search(&format!("({LOCK}=*)"), &["uid"]).unwrap();
    assert_eq!(locked.len(), 1);
    assert_eq!(locked[0].get("uid"), ["zodd"]);
    let clerks = slapd.read("cn=clerks,ou=groups,dc=lab,dc=test", &["member"]).unwrap().unwrap();
    assert_eq!(clerks.get("member"), [self::dn("zbob")]);
}

#[tokio::test]
async fn a_renamed_account_is_hit_and_the_new_holder_of_its_name_is_not() {
    let slapd = slapd(&[someone("zann")]);
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    let rename =
        format!("dn: {}\nchangetype: modrdn\nnewrdn: uid=zode\ndeleteoldrdn: 1\n", dn("zann"));
    slapd.load_ldif(&rename).unwrap();
    slapd.load_ldif(&someone("zann").to_ldif()).unwrap();
    change(&directory, &[disable(&ann)]).await;
    assert!(slapd.read(&dn("zode"), &["+"]).unwrap().unwrap().has(LOCK));
    assert!(!slapd.read(&dn("zann"), &["+"]).unwrap().unwrap().has(LOCK));
}

#[tokio::test]
async fn an_account_with_another_employee_number_than_planned_is_left_alone() {
    let slapd = slapd(&[someone("zann"), group("clerks", &["zann"])]);
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    slapd
        .load_ldif(&format!(
            "dn: {}\nchangetype: modify\nreplace: employeeNumber\nemployeeNumber: E-new\n",
            dn("zann")
        ))
        .unwrap();
    let mut steps = vec![disable(&ann), scramble(&ann)];
    steps.extend(leave_all(&ann));
    for ending in apply(&directory, &steps).await {
        assert!(matches!(ending, Ok(Outcome::Drifted(_))), "{ending:?}");
    }
    assert!(!slapd.read(&dn("zann"), &["+"]).unwrap().unwrap().has(LOCK));
}

#[tokio::test]
async fn a_listing_is_paged_and_one_that_is_cut_is_a_fault() {
    let uids: Vec<String> = (0..700).map(|n| format!("zuser{n:03}")).collect();
    let entries: Vec<_> = uids.iter().map(|uid| someone(uid)).collect();
    let whole = slapd(&entries);
    let listed = open(&of_slapd(&whole)).observe(&Scope::AllAccounts).await.unwrap();
    assert_eq!(listed.accounts.len(), 700);
    let cut = Slapd::builder().load_ldif(&ldif(&entries)).service_limits(ServiceLimits::Cut);
    let cut = cut.start().unwrap();
    let directory = open(&of_slapd(&cut));
    let fault = directory.observe(&Scope::AllAccounts).await.unwrap_err();
    assert!(matches!(&fault, Fault::Refused(c) if c.message.contains("size limit")), "{fault}");
    let probed = directory.probe().await;
    assert!(probed.iter().any(|p| p.problem.as_ref().is_some_and(|p| p.contains("size limit"))));
}

#[tokio::test]
async fn every_way_to_connect_works_and_the_daemons_own_account_is_never_touched() {
    let slapd = slapd(&[someone("zann")]);
    let start_tls =
        DirectorySettings { servers: vec![slapd.url_ldap()], start_tls: true, ..of_slapd(&slapd) };
    let local = DirectorySettings {
        servers: vec![slapd.url_ldapi()],
        bind: BindSettings { external: true, ..BindSettings::default() },
        ..of_slapd(&slapd)
    };
    for mut settings in [start_tls, local] {
        settings.people_base = vec!["dc=lab,dc=test".into()];
        settings.account_classes = vec!["top".into()];
        settings.attributes.user_id = Some("cn".into());
        let directory = open(&settings);
        let own = person(&directory, "lapsed").await;
        assert!(matches!(own.protection, Some(Protection::Never { .. })), "{own:?}");
        let endings = apply(&directory, &[disable(&own)]).await;
        assert!(matches!(&endings[0], Err(Fault::Refused(_))), "{endings:?}");
    }
}

#[test]
fn an_unencrypted_connection_is_refused_by_the_settings() {
    let slapd = slapd(&[]);
    let plain = DirectorySettings { servers: vec![slapd.url_ldap()], ..of_slapd(&slapd) };
    let problems = plain.problems();
    assert!(problems.iter().any(|p| p.key == "servers" && p.problem.contains("unencrypted")));
}

async fn problems(settings: &DirectorySettings) -> Vec<String> {
    let probed = open(settings).probe().await;
    probed
        .into_iter()
        .filter_map(|p| p.problem.map(|problem| format!("{}: {problem}", p.what)))
        .collect()
}

#[tokio::test]
async fn a_check_of_a_working_directory_finds_nothing_wrong() {
    let slapd = slapd(&[someone("zann"), group("clerks", &["zann"])]);
    assert_eq!(problems(&of_slapd(&slapd)).await, [] as [&str; 0]);
}

#[rstest::rstest]
#[case(Certificate::Expired, "expired")]
#[case(Certificate::WrongHost, "another host")]
#[tokio::test]
async fn a_check_names_what_is_wrong_with_a_certificate(
    #[case] certificate: Certificate,
    #[case] words: &str,
) {
    let slapd = Slapd::builder().certificate(certificate).start().unwrap();
    let found = problems(&of_slapd(&slapd)).await;
    assert!(found.iter().any(|p| p.contains("certificate") && p.contains(words)), "{found:?}");
    let fault = observe(&open(&of_slapd(&slapd)), &["zann"]).await.unwrap_err();
    assert!(matches!(&fault, Fault::Retry(c) if c.message.contains(words)), "{fault}");
}

#[tokio::test]
async fn a_check_names_an_unknown_authority() {
    let slapd = slapd(&[]);
    let other = Some(slapd.other_ca_path().to_owned());
    let found = problems(&DirectorySettings { ca_file: other, ..of_slapd(&slapd) }).await;
    assert!(
        found[0].contains("certificate") && found[0].contains("unknown authority"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_check_names_a_wrong_password_and_it_is_tried_once_only() {
    let slapd = slapd(&[someone("zann")]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong\n").unwrap();
    let mut settings = of_slapd(&slapd);
    settings.bind.password_file = Some(file.clone());
    settings.servers.push(slapd.url_ldap());
    settings.start_tls = true;
    let found = problems(&settings).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("log-on") && found[0].contains("password"), "{found:?}");

    let directory = open(&settings);
    for _ in 0..10 {
        let fault = observe(&directory, &["zann"]).await.unwrap_err();
        assert!(matches!(&fault, Fault::Retry(c) if c.message.contains("password")), "{fault}");
    }
    let service = slapd.read(&slapd.bind_dn(), &["+"]).unwrap().unwrap();
    assert_eq!(service.get("pwdFailureTime").len(), 2, "once by check, once by observe");
    std::fs::write(&file, lapsed_tests::slapd::SERVICE_PASSWORD).unwrap();
    assert_eq!(people(&directory, &["zann"]).await.accounts.len(), 1, "a corrected file counts");
}

#[tokio::test]
async fn a_check_names_missing_attributes_bases_and_a_lock_without_effect() {
    let slapd =
        Slapd::builder().load_ldif(&ldif(&[someone("zann")])).without_lockout().start().unwrap();
    let mut settings = of_slapd(&slapd);
    settings.attributes.employee_number = Some("agencyNumber".into());
    settings.group_bases.push("ou=nowhere,dc=lab,dc=test".into());
    let found = problems(&settings).await.join("\n");
    for words in ["agencyNumber", "base ou=nowhere", "pwdLockout: TRUE"] {
        assert!(found.contains(words), "{words} in {found}");
    }
}

#[tokio::test]
async fn without_the_right_to_write_a_person_has_to_act() {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).service_may_only_read();
    let slapd = slapd.start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    let endings = apply(&directory, &[disable(&ann), scramble(&ann)]).await;
    for ending in endings {
        assert!(
            matches!(&ending, Err(Fault::Refused(c)) if c.code.as_deref() == Some("LDAP 50")),
            "{ending:?}"
        );
    }
}

#[rstest::rstest]
#[case::hash_taken("0")]
#[case::hash_refused("2")]
#[tokio::test]
async fn a_scrambled_account_stays_locked_whatever_the_password_policy_says(#[case] quality: &str) {
    let slapd = slapd(&[someone("zann").with("userPassword", "known-to-ann")]);
    slapd
        .load_ldif(&format!(
            "dn: cn=default,ou=policies,dc=lab,dc=test\nchangetype: modify\nadd: pwdCheckQuality\npwdCheckQuality: {quality}\n"
        ))
        .unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    change(&directory, &[disable(&ann)]).await;
    let steps = [scramble(&ann)];
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    let witness = slapd.read(&dn("zann"), &["*", "+"]).unwrap().unwrap();
    assert_eq!(witness.get(LOCK), [FOR_EVER]);
    assert!(witness.get("userPassword")[0].starts_with("{SSHA}"), "hashed");
    let unlock = format!("dn: {}\nchangetype: modify\ndelete: {LOCK}\n", dn("zann"));
    slapd.load_ldif(&unlock).unwrap();
    assert_eq!(slapd.witness().try_bind(&dn("zann"), "known-to-ann").unwrap().0, 49);
}

#[tokio::test]
async fn an_account_of_several_names_and_numbers_shows_them_all() {
    let ann = someone("zann").with("uid", "ann.li");
    let slapd = slapd(&[ann]);
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "ann.li").await;
    let names: Vec<&str> = ann.user_ids().map(|id| id.as_str()).collect();
    assert_eq!(names, ["zann", "ann.li"], "the one in the object's name comes first");
    change(&directory, &[disable(&ann)]).await;

    let mut settings = of_slapd(&slapd);
    settings.attributes.employee_number = Some("departmentNumber".into());
    let numbers =
        "changetype: modify\nadd: departmentNumber\ndepartmentNumber: 7\ndepartmentNumber: 8\n";
    slapd.load_ldif(&format!("dn: {}\n{numbers}", dn("zann"))).unwrap();
    let keys = PersonKeys { employee_numbers: vec![number("8")], ..PersonKeys::default() };
    let seen = open(&settings).observe(&Scope::People(vec![keys])).await.unwrap();
    let mut found: Vec<&str> =
        seen.accounts[0].employee_numbers().map(|number| number.as_str()).collect();
    found.sort_unstable();
    assert_eq!(found, ["7", "8"]);
}

#[tokio::test]
async fn of_many_who_left_a_group_the_one_who_was_put_back_is_seen() {
    let people = ["zann", "zbob", "zcid"];
    let mut entries: Vec<_> = people.map(someone).into();
    entries.push(group("crew", &["zann", "zbob", "zcid", "zdee"]));
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let keys = |id: &&str| PersonKeys {
        user_ids: vec![UserId::new(*id).unwrap()],
        ..PersonKeys::default()
    };
    let scope = Scope::People(people.iter().map(keys).collect());
    let seen = directory.observe(&scope).await.unwrap();
    let steps: Vec<_> = seen.accounts.iter().flat_map(leave_all).collect();
    assert_eq!(steps.len(), 3);
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    let back = "dn: cn=crew,ou=groups,dc=lab,dc=test\nchangetype: modify\nadd: member\n\
                member: uid=zbob,ou=people,dc=lab,dc=test\n";
    slapd.load_ldif(back).unwrap();
    let seen = directory.read_back(&steps).await;
    assert_eq!(seen[0], Ok(Seen::AsWanted));
    assert!(matches!(&seen[1], Ok(Seen::Otherwise(_))), "{seen:?}");
    assert_eq!(seen[2], Ok(Seen::AsWanted));
}

#[tokio::test]
async fn a_list_that_is_not_shown_proves_nobodys_absence() {
    let entries = [someone("zann"), someone("zbob"), group("crew", &["zann", "zbob"])];
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).members_hidden_from_service();
    let slapd = slapd.start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let names = vec![GroupName::new("crew").unwrap()];
    let crew = directory.observe(&Scope::Groups(names)).await.unwrap().groups;
    let mut steps = Vec::new();
    for uid in ["zann", "zbob"] {
        let mut account = person(&directory, uid).await;
        assert_eq!(account.groups, [], "the list is not shown");
        account.groups = crew.clone();
        steps.extend(leave_all(&account));
    }
    for few in [&steps[..1], &steps] {
        for seen in directory.read_back(few).await {
            assert!(matches!(&seen, Ok(Seen::CannotTell(_))), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn accounts_asked_for_without_groups_come_as_with_them() {
    let entries = [someone("zann"), someone("zbob"), group("crew", &["zann", "zbob"])];
    let slapd = Slapd::builder().load_ldif(&ldif(&entries)).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let keys =
        vec![PersonKeys { user_ids: vec![UserId::new("zbob").unwrap()], ..PersonKeys::default() }];
    let whole = directory.observe(&Scope::People(keys.clone())).await.unwrap().accounts;
    let bare = directory.observe(&Scope::AccountsOf(keys)).await.unwrap().accounts;
    assert_eq!((whole.len(), whole[0].groups.len()), (1, 1));
    assert_eq!((bare.len(), bare[0].groups.len()), (1, 0));
    assert_eq!((&bare[0].id, &bare[0].user_id), (&whole[0].id, &whole[0].user_id));
}

/// From 500 accounts on, groups are read off their own lists.
#[tokio::test]
async fn many_accounts_are_shown_in_the_same_groups_as_few_however_a_list_writes_their_names() {
    let names: Vec<String> = (0..520).map(|n| format!("zm{n:03}")).collect();
    let mut entries: Vec<_> = names.iter().map(|name| someone(name)).collect();
    entries.extend([someone("zann lee"), someone("zoé")]);
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    entries.extend(all.chunks(130).enumerate().map(|(n, some)| group(&format!("crew{n}"), some)));
    entries.push(group("loud", &["ZM007", "ZANN  LEE", "zm008"]));
    entries.push(group("signs", &["zoé", "zm009"]));
    entries.push(group("strangers", &["nobody", "zm0071"]));
    let slapd = slapd(&entries);
    let directory = open(&of_slapd(&slapd));
    let asked: Vec<PersonKeys> = names
        .iter()
        .map(String::as_str)
        .chain(["zann lee", "zoé"])
        .map(|name| PersonKeys {
            employee_numbers: vec![number(&format!("E-{name}"))],
            ..PersonKeys::default()
        })
        .collect();
    let shown = async |keys: &[PersonKeys]| {
        let seen = directory.observe(&Scope::People(keys.to_vec())).await.unwrap();
        let groups = |account: lapsed_core::observed::ObservedAccount| {
            let names: Vec<String> = account.groups.into_iter().map(|group| group.name).collect();
            (account.user_id.to_string(), names)
        };
        seen.accounts.into_iter().map(groups).collect::<Vec<_>>()
    };
    let together = shown(&asked).await;
    let mut few = Vec::new();
    for some in asked.chunks(100) {
        few.extend(shown(some).await);
    }
    assert_eq!(together, few);
    let of = |name: &str| {
        together.iter().find(|(who, _)| who == name).map(|(_, groups)| groups.join(" "))
    };
    assert_eq!(together.len(), 522);
    for (name, groups) in [
        ("zm007", "crew0 loud"),
        ("zm008", "crew0 loud"),
        ("zm009", "crew0 signs"),
        ("zm519", "crew3"),
        ("zann lee", "loud"),
        ("zoé", "signs"),
    ] {
        assert_eq!(of(name).as_deref(), Some(groups), "{name}");
    }
}
