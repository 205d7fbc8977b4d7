//! Passwords that are too old: found by night, and changed by their owners at the next log-on where the
//! configuration wants it (A9).

use super::directory::{Directory, Kind};
use super::stage::{SUPERVISOR, Stage, at_once, joins};
use lapsed_tests::Done;
use rstest::rstest;
use std::fs;

const DAYS: i64 = 60;

fn look(stage: &Stage) {
    stage.site.printed(&["findings", "--now", "--reason", "a test"]).unwrap();
}

fn found(stage: &Stage) -> Vec<String> {
    let view = stage.site.json(&["findings"]).unwrap();
    let all = view["findings"].as_array().unwrap();
    let old = all.iter().filter(|finding| finding["kind"] == "password_too_old");
    let mut who: Vec<String> = old.map(|f| f["what"].as_str().unwrap().to_owned()).collect();
    who.sort();
    who
}

fn must_change(directory: &Directory, user_id: &str) -> Done<bool> {
    let account = directory.account(user_id)?;
    Ok(match directory.kind() {
        Kind::OpenLdap => account.first("pwdReset").as_deref() == Some("TRUE"),
        Kind::SambaAd => account.first("pwdLastSet").as_deref() == Some("0"),
    })
}

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn an_old_password_is_changed_at_the_next_log_on_told_once_and_of_nobody_who_is_away(
    #[case] kind: Kind,
) {
    let Some(mut stage) = Stage::among_strangers(kind, &[]) else { return };
    let people = [("Quillfeather", "mzquilj"), ("Oakenshield", "mzoakej")];
    for (last, user_id) in people {
        stage.given(&joins(last, "John"));
        stage.directory.password_is_kept(user_id).unwrap();
        stage.opened(SUPERVISOR, user_id);
    }
    let [works, away] = people.map(|(_, user_id)| user_id);
    stage.file(&at_once("leave", away, "leave"));
    stage.waits_until(away, true);

    // Off by default: it is told, and nothing is changed.
    stage.days_on(DAYS + 2);
    look(&stage);
    assert_eq!(found(&stage), [works]);
    stage.changed();
    stage.nothing_to_do();
    stage.site.reconfigure(&[("force_change: false", "force_change: true")]).unwrap();
    stage.site.printed(&["reload"]).unwrap();
    look(&stage);
    let told = || must_change(&stage.directory, works);
    stage.site.wait_for("the password is to be changed", told).unwrap();
    stage.shows("old_password");

    let out = stage.site.path("evidence");
    fs::create_dir(&out).unwrap();
    stage.site.printed(&["evidence", works, "--out", &out.display().to_string()]).unwrap();
    let said = fs::read_to_string(out.join(format!("evidence-{works}.json"))).unwrap();
    assert!(
        said.contains("changed at the next log-on") && said.contains("DOR 8.300 (3) 6"),
        "{said}"
    );

    // From then on it is no finding, and is left alone.
    look(&stage);
    assert_eq!(found(&stage), [] as [&str; 0]);
    look(&stage);
    assert_eq!(stage.changed(), "");
    stage.nothing_to_do();
}
