//! Changes of accounts: shut and open, stamp, scramble, reset the primary group, hide the mailbox.

use super::apply::{Batch, Ending};
use super::codes::Trouble;
use super::dialect::{Edit, Scramble};
use super::entry::Entry;
use super::recent::Before;
use super::session::{Change, Session};
use super::{first_password, old_password, put_back, rename};
use lapsed_core::step::{Action, Cause, Fault, Outcome, Receipt, Step};
use lapsed_core::wildcard::fits;

/// How often a change is tried on an object that changes at the same time.
const TRIES: usize = 3;

/// Carries out steps on one account that was read and found fit.
pub(super) async fn run(
    batch: &Batch<'_>,
    entry: &Entry,
    indexes: &[usize],
) -> Vec<(usize, Ending)> {
    let is_edit = |index: &&usize| {
        matches!(
            batch.steps[**index].action,
            Action::Disable { .. }
                | Action::StampDescription { .. }
                | Action::DisableMailbox { .. }
        )
    };
    let mut order: Vec<usize> = indexes.to_vec();
    order.sort_by_key(|&index| batch.steps[index].action.rank());
    let edits: Vec<usize> = order.iter().filter(is_edit).copied().collect();
    let mut endings = edit_together(batch, entry, &edits).await;
    for &index in &order {
        match &batch.steps[index].action {
            Action::ScramblePassword { .. } => {
                endings.push((index, scramble(batch, index).await));
            }
            Action::ResetPrimaryGroup { .. } => {
                endings.push((index, reset_primary_group(batch, index).await));
            }
            Action::SetPassword { envelope, .. } => {
                endings.push((index, first_password::set(batch, index, envelope).await));
            }
            Action::ExpirePassword { changed_at, .. } => {
                endings.push((index, old_password::expire(batch, index, *changed_at).await));
            }
            Action::Rename { to, .. } => {
                endings.push((index, rename::rename(batch, index, to).await));
            }
            // On its own, after all else: the account as it is then.
            Action::PutBack { kept, .. } => {
                endings.push((index, put_back::run(batch, index, kept).await));
            }
            Action::Enable { .. } => endings.push((index, edit_alone(batch, index).await)),
            _ => {}
        }
    }
    endings
}

/// What opens the account, and takes our stamp (D2) off its description.
fn enable(batch: &Batch<'_>, entry: &Entry) -> Result<Option<Edit>, Fault> {
    let edit = batch.shared.dialect.enable(entry);
    let edit = edit.map_err(|unreadable| Fault::Refused(Cause::new(unreadable.to_string())))?;
    let mut edit = edit.unwrap_or_default();
    let attribute = &batch.shared.layout.names.description;
    let pattern = batch.shared.stamp.as_deref();
    let stamps: Vec<&str> = entry
        .texts(attribute)
        .filter(|text| pattern.is_some_and(|pattern| fits(pattern, text)))
        .collect();
    if !stamps.is_empty() {
        let values = stamps.iter().map(|stamp| stamp.as_bytes().to_vec()).collect();
        edit.changes.push(Change::Delete(attribute.clone(), values));
        edit.before.insert(attribute.clone(), entry.all(attribute));
    }
    Ok((!edit.changes.is_empty()).then_some(edit))
}

/// What the step still has to change on the entry as it is.
pub(super) fn edit_of(
    batch: &Batch<'_>,
    step: &Step,
    entry: &Entry,
) -> Result<Option<Edit>, Fault> {
    match &step.action {
        Action::Disable { .. } => {
            let edit = batch.shared.dialect.disable(entry);
            edit.map_err(|unreadable| Fault::Refused(Cause::new(unreadable.to_string())))
        }
        Action::Enable { .. } => enable(batch, entry),
        Action::StampDescription { text, .. } => {
            let attribute = &batch.shared.layout.names.description;
            if entry.all(attribute) == [text.as_str()] {
                return Ok(None);
            }
            let mut edit = Edit::default();
            edit.set(entry, attribute, text);
            Ok(Some(edit))
        }
        Action::DisableMailbox { .. } => {
            let exchange = batch.shared.exchange.as_ref();
            Ok(exchange.and_then(|exchange| exchange.disable(entry)))
        }
        _ => Ok(None),
    }
}

/// All edits in one request; when the directory refuses that, each in its own, so that one refused
/// does not keep the others from being made.
async fn edit_together(
    batch: &Batch<'_>,
    entry: &Entry,
    indexes: &[usize],
) -> Vec<(usize, Ending)> {
    let mut endings = Vec::new();
    let mut wanted: Vec<(usize, Edit)> = Vec::new();
    for &index in indexes {
        match edit_of(batch, &batch.steps[index], entry) {
            Err(fault) => endings.push((index, Err(fault))),
            Ok(None) => endings.push((index, Ok(Outcome::AlreadySo))),
            Ok(Some(edit)) => wanted.push((index, edit)),
        }
    }
    let changes: Vec<Change> = wanted.iter().flat_map(|(_, edit)| edit.changes.clone()).collect();
    if changes.is_empty() {
        return endings;
    }
    let result = modify(batch, entry, &changes).await;
    for (index, edit) in wanted {
        let ending = match &result {
            Ok(()) => Ok(changed(batch, edit)),
            Err(Trouble::Answered(_)) => edit_alone(batch, index).await,
            Err(trouble) => Err(trouble.of_write(&batch.steps[index].action.describe())),
        };
        endings.push((index, ending));
    }
    endings
}

/// One edit, on the account as it is now; read again while others change it too.
async fn edit_alone(batch: &Batch<'_>, index: usize) -> Ending {
    let step = &batch.steps[index];
    let mut tries = 0;
    loop {
        let entry = match batch.again(index).await {
            Ok(entry) => entry,
            Err(ending) => return ending,
        };
        let Some(edit) = edit_of(batch, step, &entry)? else {
            return Ok(Outcome::AlreadySo);
        };
        tries += 1;
        match modify(batch, &entry, &edit.changes).await {
            Ok(()) => return Ok(changed(batch, edit)),
            Err(Trouble::Answered(answer)) if answer.is_about_state() && tries < TRIES => {}
            Err(trouble) => return Err(trouble.of_write(&step.action.describe())),
        }
    }
}

pub(super) async fn modify(
    batch: &Batch<'_>,
    entry: &Entry,
    changes: &[Change],
) -> Result<(), Trouble> {
    let session = &batch.connected.session;
    let dialect = &batch.shared.dialect;
    let only_if = if session.asserts() { dialect.only_if(entry) } else { None };
    session.modify(&dialect.address(entry), changes, only_if.as_deref()).await
}

pub(super) fn changed(batch: &Batch<'_>, edit: Edit) -> Outcome {
    let server = Some(batch.connected.session.server.clone());
    Outcome::Changed(Receipt { before: edit.before, server })
}

async fn scramble(batch: &Batch<'_>, index: usize) -> Ending {
    let step = &batch.steps[index];
    let entry = match batch.again(index).await {
        Ok(entry) => entry,
        Err(ending) => return ending,
    };
    let what = step.action.describe();
    let dialect = &batch.shared.dialect;
    let session = &batch.connected.session;
    let mut changed_before = dialect.password_changed(&entry);
    let before = Before { password_changed: changed_before.clone() };
    batch.shared.recent.note(step.id, &session.server, before);
    set_unknown_password(batch, session, &entry)
        .await
        .map_err(|trouble| trouble.of_write(&what))?;
    let after = relock(batch, index).await?;
    if dialect.password_changed(&after) == changed_before {
        // Twice in one second, after a crash: the moment of before tells nothing.
        changed_before = None;
        batch.shared.recent.correct(step.id, None);
    }
    let mut edit = Edit::default();
    let old: Vec<String> = changed_before.into_iter().collect();
    edit.before.insert(dialect.password_changed_attribute().to_owned(), old);
    Ok(changed(batch, edit))
}

async fn set_unknown_password(
    batch: &Batch<'_>,
    session: &Session,
    entry: &Entry,
) -> Result<(), Trouble> {
    let Scramble { requests, operation } = batch.shared.dialect.scramble(entry, session);
    for changes in &requests {
        match (modify(batch, entry, changes).await, &operation) {
            (Ok(()), _) => {}
            // A password policy may refuse a hash, whose quality it can't see.
            (Err(Trouble::Answered(_)), Some(password)) => {
                return session.set_password(&entry.dn, password).await;
            }
            (Err(trouble), _) => return Err(trouble),
        }
    }
    match operation.filter(|_| requests.is_empty()) {
        Some(password) => session.set_password(&entry.dn, &password).await,
        None => Ok(()),
    }
}

/// A new password lifts the lock of OpenLDAP's password policy, so the account is shut again, also when
/// it was found open: a crash between the password and the lock leaves it so. Gives the account as it
/// was read after the password was replaced.
async fn relock(batch: &Batch<'_>, index: usize) -> Result<Entry, Fault> {
    let after = batch.again(index).await.map_err(perhaps_open)?;
    let edit = batch.shared.dialect.disable(&after);
    if let Some(edit) = edit.map_err(|problem| in_doubt(&problem.to_string()))? {
        modify(batch, &after, &edit.changes).await.map_err(|trouble| {
            trouble.of_write("shutting the account again after its password was replaced")
        })?;
    }
    Ok(after)
}

/// The look after the change found nothing to judge by: nobody knows whether the account is shut.
pub(super) fn perhaps_open(look: Ending) -> Fault {
    match look {
        Ok(Outcome::Drifted(found)) => in_doubt(&found.description),
        Ok(_) => in_doubt("it was not looked at again"),
        Err(Fault::Retry(cause) | Fault::Refused(cause) | Fault::Unknown(cause)) => {
            in_doubt(&cause.to_string())
        }
    }
}

pub(super) fn in_doubt(why: &str) -> Fault {
    Fault::Unknown(Cause::new(format!(
        "the password was replaced, which may have opened the account: {why}"
    )))
}

async fn reset_primary_group(batch: &Batch<'_>, index: usize) -> Ending {
    let entry = match batch.again(index).await {
        Ok(entry) => entry,
        Err(ending) => return ending,
    };
    let dialect = &batch.shared.dialect;
    if dialect.primary_group(&entry).is_some_and(|primary| primary.is_default) {
        return Ok(Outcome::AlreadySo);
    }
    let what = batch.steps[index].action.describe();
    let reset = dialect.reset_primary_group(&batch.connected.session, &entry).await;
    reset.map(|edit| changed(batch, edit)).map_err(|trouble| trouble.of_write(&what))
}

#[cfg(test)]
mod tests {
    use super::super::apply::drifted;
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::gone(drifted("the account is gone"))]
    #[case::connection_lost(Err(Fault::Retry(Cause::new("the connection ended"))))]
    #[case::not_allowed(Err(Fault::Refused(Cause::new("may not read"))))]
    fn a_scramble_that_could_not_be_looked_at_again_is_unknown(#[case] look: Ending) {
        assert!(matches!(perhaps_open(look), Fault::Unknown(_)));
    }
}
