//! Another name and another location, on a real directory.

use crate::joiners::stage::*;
use lapsed_core::access::form::Asks;
use lapsed_core::facts::UserId;

#[tokio::test]
async fn a_rename_with_a_collision_takes_the_next_name_and_keeps_the_old_address() -> Ended {
    let stage = Stage::new().await?;
    let taken = joins(stage.store(), person(2), name("Oakenshield", "Jill")).await?;
    let form = joins(stage.store(), person(1), name("Quillfeather", "John")).await?;
    stage.until_in_place(taken).await?;
    stage.until_in_place(form).await?;
    let before = stage.account("mzquilj")?;
    let renames = approved(stage.store(), person(1), Asks::NameChange, &[], |form| {
        form.new_name = Some(name("Oakenshield", "John"));
        form.old_user_id = UserId::new("mzquilj").ok();
    })
    .await?;
    stage.until_in_place(renames).await?;
    // mzoakej is Jill's.
    let after = stage.account("mzoak1j")?;
    assert_eq!(after.first("entryuuid"), before.first("entryuuid"), "the same account");
    assert_eq!(after.first("sn").as_deref(), Some("Oakenshield"));
    assert_eq!(stage.groups_of(&after)?, ["Files z"]);
    let mails = after.get("mail").join(" ");
    assert!(mails.contains("john.oakenshield@dmh.test"), "{mails}");
    assert!(mails.contains("john.quillfeather@dmh.test"), "{mails}");
    assert!(stage.account("mzquilj").is_err());
    let who = stage.store().read().person(person(1)).await?.unwrap();
    for id in ["mzquilj", "mzoak1j"] {
        assert!(who.user_ids().contains(&user_id(id)), "{id} finds the person still");
    }
    Ok(())
}

#[tokio::test]
async fn a_transfer_changes_name_and_groups_unless_the_duties_are_kept() -> Ended {
    let stage = Stage::new().await?;
    let goes = joins(stage.store(), person(1), name("Quillfeather", "John")).await?;
    let keeps = joins(stage.store(), person(2), name("Oakenshield", "Jill")).await?;
    stage.until_in_place(goes).await?;
    stage.until_in_place(keeps).await?;
    for (who, keeps_duties) in [(1, false), (2, true)] {
        let moves =
            approved(stage.store(), person(who), Asks::LocationChange, &["files"], |form| {
                form.new_location = location("q");
                form.keeps_duties = keeps_duties;
            })
            .await?;
        stage.until_in_place(moves).await?;
    }
    let gone = stage.account("mqquilj")?;
    assert_eq!(stage.groups_of(&gone)?, ["Files q"]);
    assert_eq!(gone.first("pwdaccountlockedtime"), None, "it stays open");
    let kept = stage.account("mzoakej")?;
    assert_eq!(stage.groups_of(&kept)?, ["Files q", "Files z"]);
    Ok(())
}
