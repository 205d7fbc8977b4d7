//! Yesterday's state is put back: the world is ahead of it, and nothing is done or told a second time.

use super::picture::{Picture, surplus};
use super::points::Ordeal;
use super::stage::{Kept, Stage};
use crate::flows::directory::Kind;
use crate::flows::stage::{Stage as Forms, about, joins};
use lapsed_tests::Done;
use serde_json::json;

#[test]
fn with_yesterdays_state_put_back_it_says_so_and_repeats_nothing() {
    let mut stage = Stage::new(Kept::Sqlite).unwrap();
    let inbox = stage.site.path("inbox/hr-2.csv");
    let drop = std::fs::read(&inbox).unwrap();
    std::fs::remove_file(&inbox).unwrap();
    Ordeal::undisturbed().act(&mut stage).unwrap();
    // What the forms gave is in the copy. Of a joiner who came after it the copy knows neither account nor
    // name: docs/operator.md says what to do about those.
    let backup = stage.site.path("backup").display().to_string();
    let said = stage.site.printed(&["backup", &backup]).unwrap();
    assert!(said.contains("copied"), "{said}");
    stage.site.drop_file("hr-2.csv", &drop).unwrap();
    Ordeal::undisturbed().act(&mut stage).unwrap();
    let before = Picture::of(&stage).unwrap();
    let mails = stage.mail.mails().len();

    let said = stage.site.printed(&["restore-state", &backup]).unwrap();
    assert!(said.contains("is kept as"), "{said}");
    stage.site.drop_file("hr-2.csv", drop).unwrap();
    Ordeal::undisturbed().act(&mut stage).unwrap();
    let after = Picture::of(&stage).unwrap();
    assert_eq!(after.differs_from(&before), Vec::<String>::new());
    assert_eq!(surplus(&after.effects, &before.effects), []);
    let mut mailed = surplus(&after.mails, &before.mails);
    // The file was taken once more, and its sender hears of that.
    mailed.retain(|(what, _)| !what.contains("hr-2.csv: taken"));
    assert_eq!(mailed, []);
    let again: Vec<String> =
        stage.mail.mails()[mails..].iter().map(|mail| mail.subject()).collect();
    let told = |subject: &String| subject.contains("was shut") || subject.contains("has left");
    assert!(!again.iter().any(told), "{again:?}");
    assert!(after.unverified > 0, "whom to ask is shown");

    stage.launch().unwrap();
    let site = &stage.site;
    let told = || {
        Ok(site.json(&["status"]).is_ok_and(|status| status.to_string().contains("state_restored")))
    };
    site.wait_for("it says that its state is an older copy", told).unwrap();
    let refused = site.run(&["restore-state", &backup]).unwrap();
    assert!(!refused.status.success(), "not under a running daemon");
}

/// The people of this name in the directory, by their user IDs.
fn called(stage: &Forms, name: &str) -> Vec<String> {
    let found = stage.directory.search(&format!("(displayName={name})"), &["uid"]).unwrap();
    let mut ids: Vec<String> = found.iter().filter_map(|entry| entry.first("uid")).collect();
    ids.sort();
    ids
}

fn state_of(stage: &Forms, form: &str) -> String {
    let form = stage.site.json(&["form", form]).unwrap();
    form["state"].as_str().unwrap_or_default().to_owned()
}

/// Whether status tells of something of this kind.
fn tells(stage: &Forms, kind: &str) -> bool {
    let status = stage.site.json(&["status"]).unwrap();
    status["attention"].as_array().unwrap().iter().any(|thing| thing["kind"] == kind)
}

/// The entry that was set aside because of an account that nobody here knows.
fn held(stage: &Forms) -> Done<Option<String>> {
    let list = stage.site.json(&["set-aside", "list"])?;
    let all = list["rows"].as_array().cloned().unwrap_or_default();
    let ours = all.iter().find(|entry| entry["reason"].to_string().contains("mzthisa"));
    Ok(ours.and_then(|entry| Some(entry["id"].as_str()?.to_owned())))
}

fn yesterdays_state(stage: &mut Forms, backup: &str) {
    stage.site.stop().unwrap();
    stage.site.printed(&["restore-state", backup]).unwrap();
    stage.start();
}

#[test]
fn a_form_that_was_carried_out_after_the_copy_makes_no_second_account() {
    let Some(mut stage) = Forms::new(Kind::OpenLdap) else { return };
    let (before, since) = (joins("Quillfeather", "John"), joins("Thistlewood", "Ann"));
    let renamed = stage.given(&joins("Marigold", "Ann"));
    assert_eq!(called(&stage, "Ann Marigold"), ["mzmaria"]);
    let new_name = json!({
        "new_name": { "last": "Oakenshield", "first": "Ann" }, "old_user_id": "mzmaria",
    });
    let renaming = about("mzmaria", "name_change", new_name);
    let first = stage.file(&before);
    let backup = stage.site.path("backup").display().to_string();
    stage.site.printed(&["backup", &backup]).unwrap();
    // Filed before the copy and approved after it; filed and approved after it; and a new name.
    stage.approve(first);
    stage.in_place(first);
    let second = stage.given(&since);
    stage.given(&renaming);
    stage.site.stop().unwrap();
    let world = stage.changed();
    assert!(world.contains("mzquilj") && world.contains("mzthisa"), "{world}");
    assert_eq!(stage.changed(), "");

    yesterdays_state(&mut stage, &backup);
    for kind in ["state_restored", "giving_paused", "deletions_paused"] {
        assert!(tells(&stage, kind), "{kind}");
    }
    stage.approve(first);
    for form in [&since, &renaming] {
        stage.file(form);
    }
    stage.approve(second);
    stage.approve(second + 1);
    // The daemon has come to them, and gives nothing before somebody has looked.
    let site = &stage.site;
    site.wait_for("approved", || Ok(state_of(&stage, &first.to_string()) == "approved")).unwrap();
    stage.nothing_to_do();
    stage.site.printed(&["resume", "giving", "--reason", "Looked through the accounts"]).unwrap();
    for form in [renamed, first, second, second + 1] {
        stage.in_place(form);
    }
    assert_eq!(stage.changed(), "", "nothing is made, opened or renamed a second time");
    stage.site.printed(&["resume", "deletions", "--reason", "Entered the holds"]).unwrap();
    assert!(!tells(&stage, "giving_paused") && !tells(&stage, "deletions_paused"));

    // Written anew, under another id: nobody can tell whether it is the same person.
    yesterdays_state(&mut stage, &backup);
    stage.site.printed(&["resume", "giving", "--reason", "Looked through the accounts"]).unwrap();
    // The copy has two forms: this is the third.
    stage.file(&joins("Thistlewood", "Ann"));
    let anew = second;
    stage.approve(anew);
    stage.site.wait_for("held", || Ok(held(&stage)?.is_some())).unwrap();
    assert_eq!(stage.changed(), "");
    let id = held(&stage).unwrap().unwrap();
    stage.site.printed(&["set-aside", "settle", &id, "--reason", "A namesake"]).unwrap();
    stage.in_place(anew);
    assert_eq!(called(&stage, "Ann Thistlewood").len(), 2);
}
