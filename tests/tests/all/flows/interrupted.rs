//! What is cut off in the middle: an answer that is lost, and a daemon that is killed between two of its
//! targets.

use super::directory::{Kind, LogOn};
use super::stage::{SUPERVISOR, Stage, about, joins};
use crate::homes::{Door, home, homes_in, own_account};
use crate::journal::Journal;
use lapsed_tests::lost_reply::{ADD_RESPONSE, LostReply};
use rstest::rstest;
use serde_json::json;
use std::fs;
use std::os::unix::net::UnixListener;

#[test]
fn an_account_whose_making_was_not_answered_is_made_once_and_its_password_works() {
    let before =
        |slapd: &lapsed_tests::slapd::Slapd| LostReply::before(&slapd.socket(), ADD_RESPONSE);
    let Some((mut stage, relay)) = Stage::through(before) else { return };
    relay.lose_next();
    stage.given(&joins("Quillfeather", "John"));
    assert_eq!(relay.lost(), 1, "the server made it, and nobody heard of it");
    // The one entry that is new, in its group and open.
    let changed = stage.changed();
    assert_eq!(changed.matches("+ dn: ").count(), 1, "{changed}");
    assert!(changed.contains("+ uid: mzquilj"), "{changed}");
    let password = stage.opened(SUPERVISOR, "mzquilj");
    assert_eq!(stage.directory.log_on("mzquilj", &password).unwrap(), LogOn::Fine);
    // No name was lost with it: the next of these letters gets the next name.
    stage.given(&joins("Quillfeather", "Jane"));
    assert!(stage.directory.account("mzqui1j").is_ok());
    stage.nothing_to_do();
}

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn a_daemon_killed_after_the_account_has_its_new_name_brings_the_home_after_it(#[case] kind: Kind) {
    let Some(mut stage) = Stage::among_strangers(kind, &[]) else { return };
    stage.given(&joins("Quillfeather", "John"));
    stage.site.stop().unwrap();
    let way = format!("rename: true\n    helper: {}", stage.site.path("helper.sock").display());
    let root = homes_in(&stage.site, &way).unwrap();
    stage.site.reconfigure(&[("\n    #homes: homes\n", "\n    homes: homes\n")]).unwrap();
    let old = home(&root, "mzquilj").unwrap();
    let new = root.join("mzoakej");
    // Somebody who takes every question and answers none.
    let mute = UnixListener::bind(stage.site.path("helper.sock")).unwrap();
    stage.start();
    stage.changed();

    let new_name = json!({ "last": "Oakenshield", "first": "John" });
    let more = json!({ "new_name": new_name, "old_user_id": "mzquilj" });
    let number = stage.file(&about("mzquilj", "name_change", more));
    stage.approve(number);
    let journal = Journal::of(&stage.site).unwrap();
    let count = |condition: &'static str| journal.count(condition);
    let is_between = || {
        Ok(count("action = 'rename' AND state = 'verified'")? == 1
            && count("action = 'rename_home' AND state = 'started'")? == 1)
    };
    stage.site.wait_for("between the two", is_between).unwrap();
    stage.site.kill().unwrap();
    assert!(stage.directory.account("mzoakej").is_ok());
    assert!(old.join("letters/one").exists() && !new.exists());

    drop(mute);
    let door = Door::open(&stage.site, &own_account()).unwrap();
    stage.start();
    stage.in_place(number);
    drop(door);
    assert_eq!(fs::read_to_string(new.join("letters/one")).unwrap(), "Dear Sir");
    assert!(!old.exists());
    let audit = stage.site.printed(&["audit", "export"]).unwrap();
    let done = |step: &str| {
        audit.lines().filter(|row| row.contains("\"step.done\"") && row.contains(step)).count()
    };
    assert_eq!((done("rename mzquilj to mzoakej"), done("move home directory")), (1, 1));
    stage.nothing_to_do();
}
