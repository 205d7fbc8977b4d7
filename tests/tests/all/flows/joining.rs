//! Somebody new, from a filed form to the log-on with the first password.

use super::directory::{Kind, LogOn};
use super::stage::{SUPERVISOR, Stage, joins};
use crate::envelopes::with_text;
use rstest::rstest;
use std::fs;

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn an_account_is_made_shut_and_opened_once_the_password_is_sealed_for_the_supervisor(
    #[case] kind: Kind,
) {
    // All that the daemon can say of itself is in its log.
    let talkative = [("\n  level: info\n", "\n  level: trace\n")];
    let Some(mut stage) = Stage::with(kind, &talkative) else { return };
    let number = stage.file(&joins("Quillfeather", "John"));
    assert_eq!(stage.changed(), "", "nothing before all said yes");

    // While no envelope can be written, no password is set and the account stays as it was made.
    let envelopes = stage.site.path("envelopes");
    fs::write(&envelopes, "in the way").unwrap();
    stage.approve(number);
    let in_group = || {
        let account = stage.directory.account("mzquilj");
        Ok(account.is_ok_and(|account| account.has("memberOf")))
    };
    stage.site.wait_for("in the group", in_group).unwrap();
    assert!(stage.directory.is_shut("mzquilj").unwrap());
    stage.shows("made");

    fs::remove_file(&envelopes).unwrap();
    stage.in_place(number);
    stage.shows("opened");
    let password = stage.opened(SUPERVISOR, "mzquilj");
    let expected = match kind {
        Kind::OpenLdap => LogOn::Fine,
        Kind::SambaAd => LogOn::MustChange,
    };
    assert_eq!(stage.directory.log_on("mzquilj", &password).unwrap(), expected);
    assert_eq!(stage.directory.log_on("mzquilj", "Another-1-word").unwrap(), LogOn::Refused);
    // Neither in the state, nor in what the daemon wrote to its log and its standard error, nor anywhere.
    fs::remove_file(stage.site.path("client")).unwrap();
    assert!(!with_text(stage.site.root(), "form planned").is_empty(), "the log is there");
    assert_eq!(with_text(stage.site.root(), &password), [] as [&str; 0]);
    stage.nothing_to_do();
}
