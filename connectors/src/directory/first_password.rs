//! A first password (A6 to A8): made here, sealed before it is set, and forgotten.

use super::account_steps::{changed, in_doubt, modify};
use super::apply::{Batch, Ending};
use super::create::by_user_id;
use super::dialect::Edit;
use super::entry::Entry;
use super::recent::Before;
use super::session::{Change, Query};
use crate::password;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Cause, Envelope, Fault, Found, Seen, Step};

/// Stands on an account that was shut when its password was about to be set: setting it lifts the lock of
/// OpenLDAP's password policy, and whoever goes on after a crash must know that it is to be shut again.
const STAYS_SHUT: &str = "lapsed:stays-shut";

/// Sets the password of one step.
pub(super) async fn set(batch: &Batch<'_>, index: usize, envelope: &Envelope) -> Ending {
    let step = &batch.steps[index];
    let entry = match batch.again(index).await {
        Ok(entry) => entry,
        Err(ending) => return ending,
    };
    let Some(handover) = &batch.shared.handover.0 else {
        let advice = "first passwords can't be handed over; set up access.accounts.handover";
        return Err(Fault::Refused(Cause::new(advice)));
    };
    let names = names_on(batch, &entry);
    let named = names.iter().map(String::as_str);
    let Some(password) = password::first(&batch.shared.passwords, named) else {
        let advice = "no password keeps the rules; look at access.accounts.password";
        return Err(Fault::Refused(Cause::new(advice)));
    };
    let user_id = UserId::new(step.action.account().label.clone());
    let user_id = user_id.unwrap_or_else(|_| step.expect.user_id.clone());
    let version = version(batch, &entry).await?;
    let envelope = addressed(batch, envelope).await?;
    handover.seal(&envelope, &user_id, &password).await.map_err(|cause| {
        // Nothing was changed: what keeps it from being sealed may pass.
        Fault::Retry(cause)
    })?;
    let session = &batch.connected.session;
    let before = Before { password_changed: version.clone() };
    batch.shared.recent.note(step.id, &session.server, before);
    let what = step.action.describe();
    match batch.shared.dialect.first_password(&password) {
        Some(changes) => modify(batch, &entry, &changes).await.map_err(|t| t.of_write(&what))?,
        None => by_operation(batch, index, &entry, &password).await?,
    }
    let mut edit = Edit::default();
    let attribute = batch.shared.dialect.password_version_attribute();
    edit.before.insert(attribute.to_owned(), version.into_iter().collect());
    Ok(changed(batch, edit))
}

/// The envelope with the opener's mail address: where the plan knows none, the one on their account.
async fn addressed(batch: &Batch<'_>, envelope: &Envelope) -> Result<Envelope, Fault> {
    let mut addressed = envelope.clone();
    if addressed.mail.is_none() {
        let session = &batch.connected.session;
        let found = by_user_id(batch.shared, session, envelope.opener.as_str()).await?;
        if let [account] = found.as_slice() {
            addressed.mail = account.text(&batch.shared.layout.names.mail).map(str::to_owned);
        }
    }
    Ok(addressed)
}

/// By RFC 3062, the server making the hash; the lock that this lifts is put back.
async fn by_operation(
    batch: &Batch<'_>,
    index: usize,
    entry: &Entry,
    password: &str,
) -> Result<(), Fault> {
    let session = &batch.connected.session;
    let dialect = &batch.shared.dialect;
    let mark = &batch.shared.layout.mark;
    let what = batch.steps[index].action.describe();
    if !session.modifies_passwords() {
        let advice = "the directory sets no passwords by RFC 3062; enable the operation";
        return Err(Fault::Refused(Cause::new(advice)));
    }
    let is_noted = entry.texts(mark).any(|value| value == STAYS_SHUT);
    let stays_shut = is_noted || dialect.is_locked(entry);
    if stays_shut && !is_noted {
        let note = [Change::add(mark, STAYS_SHUT)];
        modify(batch, entry, &note).await.map_err(|trouble| trouble.of_write(&what))?;
    }
    session.set_password(&entry.dn, password).await.map_err(|trouble| trouble.of_write(&what))?;
    let after = batch.again(index).await.map_err(super::account_steps::perhaps_open)?;
    let mut edit = dialect.after_password(&after);
    if stays_shut {
        let shut = dialect.disable(&after).map_err(|problem| in_doubt(&problem.to_string()))?;
        edit.changes.extend(shut.into_iter().flat_map(|shut| shut.changes));
        edit.changes.push(Change::Delete(mark.clone(), vec![STAYS_SHUT.into()]));
    }
    if edit.changes.is_empty() {
        return Ok(());
    }
    let last = modify(batch, &after, &edit.changes).await;
    last.map_err(|trouble| trouble.of_write("finishing the account after its password was set"))
}

/// What the directory says that changes with every password.
async fn version(batch: &Batch<'_>, entry: &Entry) -> Result<Option<String>, Fault> {
    let dialect = &batch.shared.dialect;
    let attribute = dialect.password_version_attribute();
    let address = dialect.address(entry);
    let found = batch.connected.session.search(Query::one(&address, &[attribute])).await;
    let found = found.map_err(|trouble| trouble.of_read("looking at the account's password"))?;
    Ok(found.first().and_then(|entry| entry.text(attribute)).map(str::to_owned))
}

fn names_on(batch: &Batch<'_>, entry: &Entry) -> Vec<String> {
    let names = &batch.shared.layout.names;
    let own = [&names.user_id, &names.last_name, &names.first_name];
    let own = own.into_iter().flat_map(|attribute| entry.all(attribute));
    own.chain(entry.all("displayName")).chain(entry.all("cn")).collect()
}

/// Whether the password of the step was set: it can't be read, what changes with it can.
pub(super) async fn seen(batch: &Batch<'_>, step: &Step, account: &Entry) -> Result<Seen, Fault> {
    let otherwise = |what: &str| Ok(Seen::Otherwise(Found { description: what.into() }));
    let mark = &batch.shared.layout.mark;
    if account.texts(mark).any(|value| value == STAYS_SHUT) {
        return otherwise("the account is not shut again yet");
    }
    let now = version(batch, account).await?;
    match (batch.shared.recent.before(step.id), now) {
        (Some(before), Some(now)) if before.password_changed.as_ref() == Some(&now) => {
            otherwise("the password was not set")
        }
        (Some(_), Some(_)) => Ok(Seen::AsWanted),
        (None, _) => cannot_tell("it is not known which password was there before"),
        (_, None) => cannot_tell("the directory does not show when the password was set"),
    }
}

fn cannot_tell(why: &str) -> Result<Seen, Fault> {
    Ok(Seen::CannotTell(Cause::new(why)))
}
