//! Somebody who leaves, comes back by a form and leaves once more: nothing of the first departure blocks or
//! repeats anything (D10).

use super::directory::Kind;
use super::stage::{Stage, about, joins};
use lapsed_tests::Done;
use rstest::rstest;
use serde_json::json;

const WHO: &str = "mzquilj";

/// Departs at once and waits until the account is shut and in no group that a form gave.
fn departs(stage: &Stage) {
    let said =
        stage.site.printed(&["depart", WHO, "--now", "--reason", "Left for the county"]).unwrap();
    let is_shut = || stage.directory.is_shut(WHO);
    stage.site.wait_for("shut", is_shut).unwrap_or_else(|failure| {
        let person = stage.site.json(&["person", WHO]).unwrap();
        panic!("{said}\n{person}\n{}\n{failure}", stage.site.json(&["plans"]).unwrap())
    });
    let is_out = || -> Done<bool> { Ok(groups(stage)?.is_empty()) };
    stage.site.wait_for("out of every group", is_out).unwrap();
}

fn groups(stage: &Stage) -> Done<Vec<String>> {
    let account = stage.directory.account(WHO)?;
    Ok(account.get("memberOf").into_iter().map(|name| name.to_lowercase()).collect())
}

#[rstest]
#[case::on_openldap(Kind::OpenLdap)]
#[case::on_samba(Kind::SambaAd)]
fn who_leaves_comes_back_and_leaves_again_ends_right_each_time(#[case] kind: Kind) {
    let Some(mut stage) = Stage::new(kind) else { return };
    stage.given(&joins("Quillfeather", "John"));
    let first = groups(&stage).unwrap();
    assert!(!first.is_empty());
    departs(&stage);

    // A notice of the same day would still end it.
    let day = stage.days_on(1);
    let mut again = joins("Quillfeather", "John");
    again["person"]["user_id"] = json!(WHO);
    again["starts_on"] = json!(day);
    stage.given(&again);
    stage.waits_until(WHO, false);
    assert_eq!(groups(&stage).unwrap(), first, "what the form gives, in the same account");
    stage.nothing_to_do();
    let due = stage.site.json(&["due"]).unwrap().to_string();
    assert!(!due.contains(WHO), "nothing of the first departure is still to be deleted: {due}");

    departs(&stage);
    stage.nothing_to_do();
    let due = stage.site.json(&["due"]).unwrap().to_string();
    assert!(due.contains(&format!("delete home directory of {WHO}")), "{due}");
    let person = stage.site.json(&["person", WHO]).unwrap();
    let states: Vec<&str> = person["cases"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|case| case["state"].as_str())
        .collect();
    assert_eq!(states, ["rehired", "open"], "{person}");
    // A change of access of somebody who is gone is refused, and gives nothing.
    let form = about(WHO, "change", json!({ "systems": [{ "system": "wards" }] }));
    let path = stage.site.path("late.json");
    std::fs::write(&path, form.to_string()).unwrap();
    let said = stage.site.run(&["form", "submit", &path.display().to_string()]).unwrap();
    assert_ne!(said.status.code(), Some(0));
    assert_eq!(groups(&stage).unwrap(), [] as [&str; 0]);
}
