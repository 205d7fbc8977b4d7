//! Trouble with opening a connection: every step waits, the next server is tried, `check` names it.

use super::double::{Double, Mischief, On};
use super::support::*;
use lapsed_connectors::contract::Observe;
use lapsed_connectors::directory::settings::BindSettings;
use lapsed_connectors::directory::{DirectoryKind, DirectorySettings};
use lapsed_core::step::Fault;
use lapsed_tests::slapd::Slapd;

fn of_doubles(doubles: &[&Double]) -> DirectorySettings {
    let mut settings = settings(DirectoryKind::ActiveDirectory, "DC=lab,DC=test");
    settings.servers = doubles.iter().map(|double| double.url()).collect();
    settings.bind = BindSettings { external: true, ..BindSettings::default() };
    settings
}

#[rstest::rstest]
#[case::wrong_password(49)]
#[case::not_willing(53)]
#[case::wants_encryption(13)]
#[case::not_allowed(50)]
#[tokio::test]
async fn a_refused_log_on_makes_steps_wait(#[case] code: u8) {
    let double = Double::start(0, &[]);
    let directory = open(&of_doubles(&[&double]));
    let steps = [disable(&person(&directory, "zann").await)];
    let refusing = Double::start(0, &[(On::Bind, Mischief::Code(code))]);
    let directory = open(&of_doubles(&[&refusing]));
    let endings = apply(&directory, &steps).await;
    let says = format!("LDAP {code}");
    assert!(
        matches!(&endings[0], Err(Fault::Retry(c)) if c.message.contains(&says)),
        "{endings:?}"
    );
    assert_eq!(refusing.state.lock().unwrap().changes, []);
}

#[tokio::test]
async fn a_server_that_refuses_the_log_on_is_passed_over() {
    let refusing = Double::start(0, &[(On::Bind, Mischief::Code(53))]);
    let good = Double::start(0, &[]);
    let directory = open(&of_doubles(&[&refusing, &good]));
    assert_eq!(people(&directory, &["zann"]).await.accounts.len(), 1);
    assert_eq!(good.state.lock().unwrap().connections, 1);
}

#[tokio::test]
async fn a_password_that_cannot_be_read_makes_everything_wait_until_it_can() {
    let slapd = Slapd::builder().load_ldif(&ldif(&[someone("zann")])).start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let mut settings = of_slapd(&slapd);
    settings.bind.password_file = Some(file.clone());
    let steps = [disable(&person(&open(&of_slapd(&slapd)), "zann").await)];
    let directory = open(&settings);
    let says = |fault: &Fault| matches!(fault, Fault::Retry(c) if c.message.contains("password"));
    let fault = observe(&directory, &["zann"]).await.unwrap_err();
    assert!(says(&fault), "{fault}");
    let fault = apply(&directory, &steps).await.remove(0).unwrap_err();
    assert!(says(&fault), "{fault}");
    let probed = directory.probe().await;
    assert!(probed.iter().any(|p| p.what.contains("password") && p.problem.is_some()));
    std::fs::write(&file, lapsed_tests::slapd::SERVICE_PASSWORD).unwrap();
    change(&directory, &steps).await;
}
