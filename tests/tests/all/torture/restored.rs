//! Yesterday's state is put back: the world is ahead of it, and nothing is done or told a second time.

use super::picture::{Picture, surplus};
use super::points::Ordeal;
use super::stage::{Kept, Stage};

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
