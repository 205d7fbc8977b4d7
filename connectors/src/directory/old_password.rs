//! A password that is too old is changed by its owner at the next log-on (A9).

use super::account_steps::{changed, modify};
use super::apply::{Batch, Ending, drifted};
use super::dialect::Lag;
use super::entry::Entry;
use jiff::Timestamp;
use lapsed_core::step::{Cause, Fault, Found, Outcome, Seen};

/// Whether its owner still has to be told.
enum Age {
    /// It is to be changed, or was changed since.
    Settled,
    /// It is as old as it was when the plan was made.
    Old,
    /// The directory knows no such thing.
    NotKept,
}

fn age(batch: &Batch<'_>, entry: &Entry, changed_at: Timestamp) -> Age {
    let dialect = &batch.shared.dialect;
    let now = dialect.details(entry, Lag::NotKept).password.and_then(|age| age.changed_at);
    match dialect.must_change(entry) {
        None => Age::NotKept,
        Some(true) => Age::Settled,
        Some(false) if now.is_some_and(|now| now != changed_at) => Age::Settled,
        Some(false) => Age::Old,
    }
}

/// Has it changed, unless its owner was quicker.
pub(super) async fn expire(batch: &Batch<'_>, index: usize, changed_at: Timestamp) -> Ending {
    let entry = match batch.again(index).await {
        Ok(entry) => entry,
        Err(ending) => return ending,
    };
    match age(batch, &entry, changed_at) {
        Age::Settled => return Ok(Outcome::AlreadySo),
        Age::NotKept => {
            let advice = "the directory has no password policy that has passwords changed; have it done by hand";
            return Err(Fault::Refused(Cause::new(advice)));
        }
        Age::Old if batch.shared.dialect.is_locked(&entry) => {
            return drifted("the account is shut by now; its password is left alone");
        }
        Age::Old => {}
    }
    let edit = batch.shared.dialect.expire_password(&entry);
    let what = batch.steps[index].action.describe();
    modify(batch, &entry, &edit.changes).await.map_err(|trouble| trouble.of_write(&what))?;
    Ok(changed(batch, edit))
}

/// Looks whether it is to be changed, or was.
pub(super) fn seen(batch: &Batch<'_>, entry: &Entry, changed_at: Timestamp) -> Result<Seen, Fault> {
    match age(batch, entry, changed_at) {
        Age::Settled => Ok(Seen::AsWanted),
        Age::Old => {
            let description = "the old password still opens the account, and need not be changed";
            Ok(Seen::Otherwise(Found { description: description.into() }))
        }
        Age::NotKept => Ok(Seen::CannotTell(Cause::new(
            "the directory does not show whether the password has to be changed",
        ))),
    }
}
