//! Protected groups that can't be read: nobody is silently unprotected.

use super::double::{Double, GROUP};
use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::BindSettings;
use lapsed_connectors::directory::{DirectoryKind, DirectorySettings};
use lapsed_core::observed::{Protection, Scope};
use lapsed_tests::Entry;
use lapsed_tests::slapd::Slapd;

const ADMINS: &str = "cn=admins,ou=groups,dc=lab,dc=test";

fn protecting(settings: DirectorySettings, group: &str) -> DirectorySettings {
    let mut settings = settings;
    settings.protected.second_operator.groups = vec![group.into()];
    settings
}

/// That reading people fails with these words, and that `check` says them too.
async fn is_named(settings: &DirectorySettings, words: &str) {
    let directory = open(settings);
    for result in
        [observe(&directory, &["zann"]).await, directory.observe(&Scope::AllAccounts).await]
    {
        let fault = result.unwrap_err();
        assert!(fault.to_string().contains(words), "{words:?} in {fault}");
    }
    let group = &settings.protected.second_operator.groups[0];
    let probed = directory.probe().await;
    let named = probed.iter().any(|p| {
        p.what.contains(group) && p.problem.as_ref().is_some_and(|problem| problem.contains(words))
    });
    assert!(named, "{probed:?}");
}

#[rstest::rstest]
#[case::hidden(ADMINS, ADMINS, "no such object")]
#[case::no_such_group(
    "cn=nowhere,dc=lab,dc=test",
    "cn=gone,ou=groups,dc=lab,dc=test",
    "no such object"
)]
// Closes the name's quotes: hides one attribute only.
#[case::members_hidden(&format!("{ADMINS}\" attrs=\"member"), ADMINS, "member")]
#[case::no_group("cn=nowhere,dc=lab,dc=test", "ou=groups,dc=lab,dc=test", "group_classes")]
#[tokio::test]
async fn a_protected_group_that_cannot_be_read_is_a_fault_and_is_named_by_check(
    #[case] hidden: &str,
    #[case] protected: &str,
    #[case] words: &str,
) {
    let text = ldif(&[someone("zann"), group("admins", &["zann"])]);
    let slapd = Slapd::builder().load_ldif(&text).hidden_from_service(hidden).start().unwrap();
    is_named(&protecting(of_slapd(&slapd), protected), words).await;
}

#[tokio::test]
async fn a_group_of_active_directory_without_readable_members_is_a_fault() {
    let double = Double::start(0, &[]);
    let mut settings = settings(DirectoryKind::ActiveDirectory, "DC=lab,DC=test");
    settings.servers = vec![double.url()];
    settings.bind = BindSettings { external: true, ..BindSettings::default() };
    is_named(&protecting(settings, GROUP), "member").await;
}

#[tokio::test]
async fn a_protected_group_that_surely_is_empty_protects_nobody() {
    let unix = Entry::new("cn=unix,ou=groups,dc=lab,dc=test")
        .with("objectClass", "posixGroup")
        .with("cn", "unix")
        .with("gidNumber", "3000");
    let text = ldif(&[someone("zann"), unix]);
    let slapd = Slapd::builder().load_ldif(&text).start().unwrap();
    let settings = protecting(of_slapd(&slapd), "cn=unix,ou=groups,dc=lab,dc=test");
    assert_eq!(person(&open(&settings), "zann").await.protection, None);
}

#[tokio::test]
async fn an_account_whose_security_identifier_is_hidden_waits_for_a_second_operator() {
    // The double shows no objectSid.
    let double = Double::start(0, &[]);
    let mut settings = settings(DirectoryKind::ActiveDirectory, "DC=lab,DC=test");
    settings.servers = vec![double.url()];
    settings.bind = BindSettings { external: true, ..BindSettings::default() };
    let ann = person(&open(&settings), "zann").await;
    assert!(
        matches!(&ann.protection, Some(Protection::SecondOperator { because }) if because.contains("objectSid")),
        "{ann:?}"
    );
}
