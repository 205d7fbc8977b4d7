//! OpenLDAP accounts that are locked but not shut: what else lets them in, and what lifts the lock.

use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_core::step::Seen;
use lapsed_tests::slapd::Slapd;

const LOCK: &str = "pwdAccountLockedTime";
const FOR_EVER: &str = "000001010000Z";
const ANN: &str = "uid=zann,ou=people,dc=lab,dc=test";

#[tokio::test]
async fn a_locked_account_with_a_shell_still_is_enabled_and_gets_shut() {
    let ann = someone("zann")
        .with(LOCK, FOR_EVER)
        .with("objectClass", "posixAccount")
        .with("uidNumber", "2000")
        .with("gidNumber", "2000")
        .with("homeDirectory", "/home/zann")
        .with("loginShell", "/bin/bash");
    let slapd = Slapd::builder().load_ldif(&ldif(&[ann])).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    assert!(ann.enabled, "SSH asks for the shell, not for the lock");
    let steps = [disable(&ann)];
    let before = directory.read_back(&steps).await;
    assert!(matches!(&before[0], Ok(Seen::Otherwise(_))), "{before:?}");
    change(&directory, &steps).await;
    let witness = slapd.read(ANN, &["*", "+"]).unwrap().unwrap();
    assert_eq!(witness.get("loginShell"), ["/usr/sbin/nologin"]);
    assert_eq!(witness.get(LOCK), [FOR_EVER]);
    assert!(!person(&directory, "zann").await.enabled);
    all_as_wanted(&directory, &steps).await;
}

#[tokio::test]
async fn a_scrambled_account_that_was_shut_and_is_open_now_is_not_as_wanted_and_is_shut_again() {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).start().unwrap();
    let directory = open(&of_slapd(&slapd));
    let ann = person(&directory, "zann").await;
    change(&directory, &[disable(&ann)]).await;
    let steps = [scramble(&ann)];
    change(&directory, &steps).await;
    all_as_wanted(&directory, &steps).await;
    let unlock = format!("dn: {ANN}\nchangetype: modify\ndelete: {LOCK}\n");
    slapd.load_ldif(&unlock).unwrap();
    let seen = directory.read_back(&steps).await;
    assert!(matches!(&seen[0], Ok(Seen::Otherwise(_))), "{seen:?}");
    change(&directory, &steps).await;
    let witness = slapd.read(ANN, &["+"]).unwrap().unwrap();
    assert_eq!(witness.get(LOCK), [FOR_EVER], "it was shut before the first try");
    all_as_wanted(&directory, &steps).await;
}
