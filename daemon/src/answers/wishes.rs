//! `lapsed delegate` and `lapsed keep`: what somebody else needs of a leaver's things (D6, D8, D9). What a
//! form says of them comes here, too.

use super::commands::{cited, needed};
use super::the_person;
use super::word::Word;
use crate::control::console::{ConsoleError, ErrorKind};
use crate::control::roles::Caller;
use crate::service::Daemon;
use crate::store::{StepFilter, Tx};
use crate::views::{DelegateRequest, DoneView, KeepRequest};
use lapsed_connectors::settings::Ability;
use lapsed_core::facts::{CaseId, ConnectorName, Person, UserId};
use lapsed_core::journal::StepState;
use lapsed_core::mask::mask;
use lapsed_core::observed::{PersonKeys, Realm, Scope};
use lapsed_core::wishes::{Wanted, Wish, path_problem};
use serde_json::json;
use uuid::Uuid;

/// More paths would be all of it.
const MOST_PATHS: usize = 200;

pub(super) async fn delegate(
    daemon: &Daemon,
    caller: &Caller,
    request: DelegateRequest,
) -> Result<DoneView, ConsoleError> {
    delegate_as(daemon, &Word::of(&caller.name), request).await
}

pub(super) async fn keep(
    daemon: &Daemon,
    caller: &Caller,
    request: KeepRequest,
) -> Result<DoneView, ConsoleError> {
    keep_as(daemon, &Word::of(&caller.name), request).await
}

/// A mailbox for somebody else, or no longer, on somebody's word.
pub(super) async fn delegate_as(
    daemon: &Daemon,
    by: &Word<'_>,
    request: DelegateRequest,
) -> Result<DoneView, ConsoleError> {
    let DelegateRequest { person, to, authority, end } = request;
    if end {
        let names = ["delegate"];
        return finish(daemon, by, Ending { person, to, authority, names: &names }).await;
    }
    let config = daemon.cycle().config;
    let rule = config.policy.departure.mailbox.as_ref();
    let rule = rule.ok_or_else(|| unset("departure.mailbox", "mailbox"))?;
    able(daemon, &rule.connector, Ability::DelegateMailbox)?;
    let to = recipient(to.as_deref())?;
    let what = Wanted::Delegate { to };
    utter(daemon, by, Uttered { person, authority, what, destroys: "delete_mailbox" }).await
}

/// Files or mail to be kept, or no longer, on somebody's word.
pub(super) async fn keep_as(
    daemon: &Daemon,
    by: &Word<'_>,
    request: KeepRequest,
) -> Result<DoneView, ConsoleError> {
    let KeepRequest { person, to, paths, mail, authority, end } = request;
    if end {
        let names: &[&str] = if mail { &["keep_mail"] } else { &["keep"] };
        return finish(daemon, by, Ending { person, to, authority, names }).await;
    }
    let to = recipient(to.as_deref())?;
    if mail {
        let what = Wanted::KeepMail { to };
        return utter(daemon, by, Uttered { person, authority, what, destroys: "delete_mailbox" })
            .await;
    }
    let bad = |error: String| {
        ConsoleError::new(ErrorKind::Bad, error, "give paths as they are below the home directory")
    };
    for path in &paths {
        if let Some(problem) = path_problem(path) {
            return Err(bad(format!("the path {path:?} {problem}")));
        }
    }
    if paths.len() > MOST_PATHS {
        return Err(bad(format!("there are more than {MOST_PATHS} paths; name folders")));
    }
    let config = daemon.cycle().config;
    let rule = config.policy.departure.home.as_ref();
    let rule = rule.ok_or_else(|| unset("departure.home", "home directory"))?;
    able(daemon, &rule.connector, Ability::ArchiveHome)?;
    let what = Wanted::Keep { to, paths };
    utter(daemon, by, Uttered { person, authority, what, destroys: "delete_home" }).await
}

fn unset(key: &str, what: &str) -> ConsoleError {
    ConsoleError::new(
        ErrorKind::Refused,
        format!(
            "no {what} is ever deleted here, so that there is nothing to wish: {key} is not set"
        ),
        "give the access by hand",
    )
}

fn recipient(to: Option<&str>) -> Result<UserId, ConsoleError> {
    let to = to.filter(|to| !to.trim().is_empty());
    let bad = |error: String| ConsoleError::new(ErrorKind::Bad, error, "add --to USER");
    UserId::new(to.ok_or_else(|| bad("whom it is for is needed".into()))?)
        .map_err(|error| bad(error.to_string()))
}

/// A connector that can't do it, ever, is said at once; one that is away is waited for.
fn able(daemon: &Daemon, name: &ConnectorName, wanted: Ability) -> Result<(), ConsoleError> {
    let config = daemon.cycle().config;
    let Some(settings) = config.connectors.get(name) else { return Ok(()) };
    if settings.of_kind().abilities().contains(&wanted) {
        return Ok(());
    }
    Err(ConsoleError::new(
        ErrorKind::Refused,
        format!("the connector {name} can't {} as it is set up", wanted.verb()),
        "see its section in config.example.yaml, or place a hold meanwhile",
    ))
}

struct Uttered {
    person: String,
    authority: String,
    what: Wanted,
    /// The deletion that it keeps.
    destroys: &'static str,
}

async fn utter(daemon: &Daemon, by: &Word<'_>, uttered: Uttered) -> Result<DoneView, ConsoleError> {
    let Uttered { person, authority, what, destroys } = uttered;
    needed(&authority, "on whose word it is", "--authority")?;
    let person = the_person(daemon, &person).await?;
    if person.user_ids().iter().any(|id| id.folded() == what.to().folded()) {
        let error = format!("{} is the leaver's own user ID", what.to());
        return Err(ConsoleError::new(ErrorKind::Bad, error, "name the one who is to have it"));
    }
    let unchecked = is_open(daemon, what.to()).await?;
    let now = daemon.now();
    let wish = Wish {
        id: Uuid::now_v7(),
        person: person.id,
        what,
        authority: mask(&authority),
        asked_by: by.who.clone(),
        at: now,
        ended_at: None,
        ended_because: None,
    };
    let mut tx = daemon.store.begin().await?;
    let standing = tx.read().wishes_of(&[person.id]).await?;
    if standing.iter().any(|known| known.stands() && known.what == wish.what) {
        by.note(&tx).await?;
        tx.commit().await?;
        return Ok(DoneView { message: format!("it is wished already: {}", wish.what.describe()) });
    }
    // Written first: claims that look just now end before, and what they began is seen.
    by.note(&tx).await?;
    tx.save_wishes(std::slice::from_ref(&wish)).await?;
    too_late(&tx, &person, destroys).await?;
    tx.mark_to_decide(&[person.id], now).await?;
    let detail = json!({
        "wish": wish.id, "what": wish.what.name(), "to": wish.what.to(),
        "paths": wish.what.paths().len(), "authority": wish.authority,
    });
    let event = format!("wish.{}", wish.what.name());
    let event = (event.as_str(), by.detail(detail));
    tx.audit(cited(daemon, by.who, wish.what.rule(), Some(&person), event));
    tx.commit().await?;
    daemon.wake();
    Ok(DoneView {
        message: format!(
            "{}: {}{unchecked}. Watch it with: lapsed person {}",
            person.shown(),
            wish.what.describe(),
            person.shown()
        ),
    })
}

/// A deletion of this departure that was begun can't be called back.
async fn too_late(tx: &Tx, person: &Person, destroys: &str) -> Result<(), ConsoleError> {
    let case = CaseId::departure(person.id, person.episode);
    let filter = StepFilter { cases: vec![case], ..StepFilter::default() };
    let steps = tx.read().steps(&filter).await?;
    let begun = steps.iter().find(|s| {
        s.step.action.name() == destroys
            && (s.state.is_done()
                || matches!(s.state, StepState::Started { .. } | StepState::Unknown { .. }))
    });
    match begun {
        None => Ok(()),
        Some(step) => Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("it comes too late: {} was begun", step.step.action.describe()),
            "ask for a backup of it",
        )),
    }
}

/// Whether the one who is to have it has an open account: an error where every directory says no, a
/// remark where one can't be asked. Connectors look again when they carry it out.
async fn is_open(daemon: &Daemon, to: &UserId) -> Result<&'static str, ConsoleError> {
    let keys = PersonKeys { user_ids: vec![to.clone()], ..PersonKeys::default() };
    let scope = Scope::People(vec![keys]);
    let (mut shut, mut unread) = (false, false);
    for eye in daemon.cycle().eyes.0.values() {
        let Ok(observed) = eye.observe(&scope).await else {
            unread = true;
            continue;
        };
        let accounts = observed.accounts.iter().filter(|account| {
            account.realm == Realm::Directory
                && account.user_ids().any(|id| id.folded() == to.folded())
        });
        for account in accounts {
            if account.enabled {
                return Ok("");
            }
            shut = true;
        }
    }
    let no = |error: String| {
        Err(ConsoleError::new(ErrorKind::Refused, error, "name somebody who works here"))
    };
    match (shut, unread) {
        (true, _) => no(format!("the account {to} is shut")),
        (false, false) => no(format!("no directory has an account {to}")),
        (false, true) => Ok(
            " (a directory could not be asked whether that account is open; it is looked at again when it is \
             carried out)",
        ),
    }
}

struct Ending<'a> {
    person: String,
    to: Option<String>,
    authority: String,
    names: &'a [&'a str],
}

async fn finish(
    daemon: &Daemon,
    by: &Word<'_>,
    ending: Ending<'_>,
) -> Result<DoneView, ConsoleError> {
    let Ending { person, to, authority, names } = ending;
    needed(&authority, "on whose word it ends", "--authority")?;
    let person = the_person(daemon, &person).await?;
    let now = daemon.now();
    let to = to.map(|to| to.trim().to_lowercase());
    let mut tx = daemon.store.begin().await?;
    let mut wishes = tx.read().wishes_of(&[person.id]).await?;
    wishes.retain(|wish| {
        wish.stands()
            && names.contains(&wish.what.name())
            && to.as_ref().is_none_or(|to| wish.what.to().folded() == *to)
    });
    let Some(rule) = wishes.first().map(|wish| wish.what.rule()) else {
        return Err(ConsoleError::new(
            ErrorKind::Conflict,
            format!("no such wish stands for {}", person.shown()),
            format!("lapsed person {} shows those that do", person.shown()),
        ));
    };
    for wish in &mut wishes {
        wish.ended_at = Some(now);
        wish.ended_because = Some(format!("told so by {}", by.who));
    }
    by.note(&tx).await?;
    tx.save_wishes(&wishes).await?;
    tx.mark_to_decide(&[person.id], now).await?;
    let ids: Vec<Uuid> = wishes.iter().map(|wish| wish.id).collect();
    let detail = json!({ "wishes": ids, "authority": mask(&authority) });
    let event = ("wish.ended", by.detail(detail));
    tx.audit(cited(daemon, by.who, rule, Some(&person), event));
    tx.commit().await?;
    daemon.wake();
    let whose: Vec<String> = wishes.iter().map(|wish| wish.what.describe()).collect();
    Ok(DoneView {
        message: format!(
            "{}: ended: {}. What was given is taken back, and deletions go on: on their dates, or now where \
             those are past",
            person.shown(),
            whose.join("; ")
        ),
    })
}
