//! Putting back what a departure replaced on an account (D10): only what it wrote itself, and only where that
//! still stands as it left it.

use super::account_steps::{changed, modify};
use super::apply::{Batch, Ending, drifted};
use super::codes::Trouble;
use super::dialect::Edit;
use super::entry::Entry;
use super::read::groups_by_id;
use lapsed_core::step::{Cause, Fault, Found, Kept, Outcome, Seen, Target};
use std::collections::BTreeMap;

/// How often a change is tried on an object that changes at the same time.
const TRIES: usize = 3;

/// What is still to be done on the account as it is.
enum Left {
    /// It is as it was.
    Nothing,
    /// This.
    Edit(Edit),
    /// Others have changed it since.
    Changed(String),
}

/// Puts back what one step asks for.
pub(super) async fn run(batch: &Batch<'_>, index: usize, kept: &Kept) -> Ending {
    if let Kept::PrimaryGroup { group } = kept {
        return primary_group(batch, index, group).await;
    }
    let mut tries = 0;
    loop {
        let entry = match batch.again(index).await {
            Ok(entry) => entry,
            Err(ending) => return ending,
        };
        let edit = match left(batch, &entry, kept) {
            Left::Nothing => return Ok(Outcome::AlreadySo),
            Left::Changed(why) => return drifted(&why),
            Left::Edit(edit) => edit,
        };
        tries += 1;
        match modify(batch, &entry, &edit.changes).await {
            Ok(()) => return Ok(changed(batch, edit)),
            Err(Trouble::Answered(answer)) if answer.is_about_state() && tries < TRIES => {}
            Err(trouble) => {
                return Err(trouble.of_write(&batch.steps[index].action.describe()));
            }
        }
    }
}

/// Whether it is as it was.
pub(super) async fn seen(batch: &Batch<'_>, entry: &Entry, kept: &Kept) -> Result<Seen, Fault> {
    let otherwise = |description: String| Ok(Seen::Otherwise(Found { description }));
    if let Kept::PrimaryGroup { group } = kept {
        let session = &batch.connected.session;
        let groups = groups_by_id(batch.shared, session, std::slice::from_ref(&group.id)).await?;
        return match groups.get(&group.id) {
            None => Ok(Seen::CannotTell(Cause::new("the group is gone, or not below group_bases"))),
            Some(group) if batch.shared.dialect.is_primary(entry, group) => Ok(Seen::AsWanted),
            Some(_) => otherwise("the primary group is another".into()),
        };
    }
    match left(batch, entry, kept) {
        Left::Nothing => Ok(Seen::AsWanted),
        Left::Edit(_) => otherwise(format!("the {} is not as it was", kept.noun())),
        Left::Changed(why) => otherwise(why),
    }
}

fn left(batch: &Batch<'_>, entry: &Entry, kept: &Kept) -> Left {
    match kept {
        Kept::Description { stamp, was } => {
            let attribute = &batch.shared.layout.names.description;
            description(entry, attribute, stamp, was)
        }
        Kept::Shut { was } => match batch.shared.dialect.unshut(entry, was) {
            Ok(None) => Left::Nothing,
            Ok(Some(edit)) => Left::Edit(edit),
            Err(attributes) => Left::Changed(format!(
                "others have changed {} since; look what it should be",
                attributes.join(", ")
            )),
        },
        Kept::Mailbox { was } => mailbox(batch, entry, was),
        Kept::PrimaryGroup { .. } => Left::Nothing,
    }
}

fn description(entry: &Entry, attribute: &str, stamp: &str, was: &[String]) -> Left {
    let now = entry.all(attribute);
    if now == was {
        return Left::Nothing;
    }
    if now != [stamp] {
        return Left::Changed("somebody wrote another description since; it stays".into());
    }
    let mut edit = Edit::default();
    match was {
        [] => edit.remove(entry, attribute),
        was => edit.set_all(entry, attribute, was),
    }
    Left::Edit(edit)
}

/// Only what disabling sets: addresses and names that the receipt also holds were never taken.
fn mailbox(batch: &Batch<'_>, entry: &Entry, was: &BTreeMap<String, Vec<String>>) -> Left {
    let Some(exchange) = &batch.shared.exchange else { return Left::Nothing };
    let own: Vec<(&str, &Vec<String>)> =
        exchange.changed().filter_map(|name| Some((name, was.get(name)?))).collect();
    if own.iter().all(|(attribute, was)| &entry.all(attribute) == *was) {
        return Left::Nothing;
    }
    if exchange.disable(entry).is_some() {
        return Left::Changed("others have changed who sees or reaches the mailbox since".into());
    }
    let mut edit = Edit::default();
    for (attribute, was) in own {
        match was.as_slice() {
            [] => edit.remove(entry, attribute),
            was => edit.set_all(entry, attribute, was),
        }
    }
    Left::Edit(edit)
}

async fn primary_group(batch: &Batch<'_>, index: usize, group: &Target) -> Ending {
    let entry = match batch.again(index).await {
        Ok(entry) => entry,
        Err(ending) => return ending,
    };
    let session = &batch.connected.session;
    let groups = groups_by_id(batch.shared, session, std::slice::from_ref(&group.id)).await?;
    let Some(group) = groups.get(&group.id) else {
        return drifted("the group is gone, or not below group_bases; look where it went");
    };
    let dialect = &batch.shared.dialect;
    if dialect.is_primary(&entry, group) {
        return Ok(Outcome::AlreadySo);
    }
    if dialect.primary_group(&entry).is_some_and(|primary| !primary.is_default) {
        return drifted("somebody set another primary group since; it stays");
    }
    let what = batch.steps[index].action.describe();
    let set = dialect.set_primary_group(session, &entry, group).await;
    set.map(|edit| changed(batch, edit)).map_err(|trouble| trouble.of_write(&what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::stamped(&["Disabled 2026-11-20"], &["clerk"], Some(true))]
    #[case::stamped_and_empty_before(&["Disabled 2026-11-20"], &[], Some(true))]
    #[case::put_back_already(&["clerk"], &["clerk"], None)]
    #[case::taken_off_already(&[], &[], None)]
    #[case::written_anew(&["on loan to ward 3"], &["clerk"], Some(false))]
    #[case::added_to(&["Disabled 2026-11-20", "by Ann"], &["clerk"], Some(false))]
    fn a_description_is_put_back_only_over_the_stamp(
        #[case] now: &[&str],
        #[case] was: &[&str],
        #[case] writes: Option<bool>,
    ) {
        let values: Vec<(&str, &str)> = now.iter().map(|text| ("description", *text)).collect();
        let entry = Entry::for_test("cn=a", &values);
        let was: Vec<String> = was.iter().map(ToString::to_string).collect();
        let left = description(&entry, "description", "Disabled 2026-11-20", &was);
        let found = match left {
            Left::Nothing => None,
            Left::Edit(_) => Some(true),
            Left::Changed(_) => Some(false),
        };
        assert_eq!(found, writes);
    }
}
