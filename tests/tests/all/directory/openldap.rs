//! OpenLDAP.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_core::observed::{GroupKind, PersonKeys, Scope};
use lapsed_core::step::{Action, Outcome};
use lapsed_tests::slapd::Slapd;

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
