//! The forms folder: orders about a leaver's things, each done as the command of the same name would, and
//! access forms with their scans, which are handed on.
//!
//! A form asserts nothing by itself. It counts when its file belongs to an operator or to an account that
//! the YAML names, and it is done whole or not at all.

use super::Daemon;
use super::access_forms::{FormFile, is_access_form};
use super::owner::{Counts, who_filed};
use super::run::log_failure;
use crate::answers::{Filed, Word, follow};
use crate::control::console::{ConsoleError, ErrorKind};
use crate::cycle::access::authority::GroupsAsked;
use crate::cycle::access::filing::FilingError;
use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::drops::{DropError, Handled, Ready};
use crate::order_form::{MOST_BYTES, OrderForm};
use crate::store::{AuditEntry, StoreError, TakenForm};
use jiff::Timestamp;
use lapsed_core::citation::Rule;
use lapsed_core::facts::Actor;
use lapsed_core::intake::digest;
use lapsed_core::mask::mask;
use lapsed_core::shown::shown_within;
use serde_json::json;
use std::sync::atomic::Ordering;

/// What a receipt may have, in characters.
const LONGEST_RECEIPT: usize = 4000;

/// Which of the folder's files are taken. Orders come first: a hold may be among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Orders,
    AccessForms,
}

/// What became of a form.
pub(super) enum Taken {
    /// Done; the text says what.
    Done(String),
    /// Known: the same form was taken before.
    Known(String),
    /// Nothing was changed.
    Not(Rejected),
    /// Left where it is: something that belongs to it is still being written.
    Waits,
}

/// Why a form was rejected, and what is known of the file.
pub(super) struct Rejected {
    pub(super) reason: String,
    pub(super) sha256: Option<String>,
    pub(super) owner: Option<String>,
    /// It is on record already.
    pub(super) recorded: bool,
}

/// Why a file stays where it is, to be tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum LaterError {
    #[error(transparent)]
    Drop(#[from] DropError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Filing(#[from] FilingError),
    #[error("{} ({})", .0.error, .0.advice)]
    Busy(ConsoleError),
}

impl Daemon {
    /// Takes every complete order of the forms folder. One that can't be taken now stays where it is, and
    /// the others are still taken.
    pub async fn take_order_forms(&self) -> Result<(), CycleError> {
        let _turn = self.taking_forms.lock().await;
        self.take_of_folder(Which::Orders).await
    }

    /// Takes every complete access form of the forms folder, with its scans. Directories are asked who is
    /// who, so that it may take its time: no departure may wait for it. For the round that gives access,
    /// one at a time.
    pub(super) async fn take_access_forms(&self) -> Result<(), CycleError> {
        self.take_of_folder(Which::AccessForms).await
    }

    async fn take_of_folder(&self, which: Which) -> Result<(), CycleError> {
        let Some(folder) = &self.order_forms else { return Ok(()) };
        let listed = folder.ready(|_| false).await;
        let mut whole = listed.is_ok();
        let ready = listed.unwrap_or_else(|error| {
            warn(&error);
            Vec::new()
        });
        // One memory for all: who filed many forms is asked for once, and so is a directory that is silent.
        let mut asked = GroupsAsked::default();
        for drop in &ready {
            match self.take_form(&self.cycle(), (drop, &ready), which, &mut asked).await {
                Ok(()) => {}
                Err(LaterError::Store(error)) => {
                    self.note_orders(which, false);
                    return Err(error.into());
                }
                Err(error) => {
                    // An order in it may forbid what falls due.
                    whole = false;
                    warn(&error);
                }
            }
        }
        self.note_orders(which, whole);
        Ok(())
    }

    fn note_orders(&self, which: Which, whole: bool) {
        if which == Which::Orders && self.orders_seen.swap(whole, Ordering::Relaxed) && !whole {
            tracing::warn!("not every order could be read: nothing is deleted until that is over");
        }
    }

    /// Of several daemons the one that plans takes orders. Another sees at least whether its folder can be looked
    /// into; where that was not so, or not everything could be read, it takes what lies there itself.
    pub(super) async fn look_at_orders(&self) {
        let Some(folder) = &self.order_forms else { return };
        let _ = folder.has_files().await;
        if self.orders_seen.load(Ordering::Relaxed) && folder.trouble().is_none() {
            return;
        }
        if let Err(error) = self.take_order_forms().await {
            log_failure("taking forms", &error);
        }
    }

    /// Whether deletions wait, since a daemon can't look through the orders in its folder.
    pub(crate) async fn orders_wait(&self) -> Result<bool, StoreError> {
        let own = self.orders_seen.load(Ordering::Relaxed);
        Ok(!own || !self.store.orders_seen_by_all().await?)
    }

    /// Takes what came while no daemon ran, before anything is carried out: a hold may be among it.
    pub(super) async fn order_forms_first(&self) -> Result<(), CycleError> {
        let Some(folder) = &self.order_forms else { return Ok(()) };
        self.take_order_forms().await?;
        if folder.with(0, |inbox| Ok(inbox.waits())).await.unwrap_or(false) {
            tokio::time::sleep(self.cycle().config.inbox.settle()).await;
            self.take_order_forms().await?;
        }
        Ok(())
    }

    async fn take_form(
        &self,
        cycle: &Cycle,
        (drop, ready): (&Ready, &[Ready]),
        which: Which,
        asked: &mut GroupsAsked,
    ) -> Result<(), LaterError> {
        let now = self.now();
        let name = drop.shown();
        let mut scans = Vec::new();
        let place = (drop, ready, which);
        let taken = self.taken(cycle, place, (&mut scans, asked), now).await?;
        let (how, text) = match taken {
            Taken::Waits => return Ok(()),
            Taken::Done(text) => {
                tracing::info!(file = %name, "form taken");
                (Handled::Accepted, format!("DONE: {text}"))
            }
            Taken::Known(text) => {
                tracing::info!(file = %name, "form was taken before");
                (Handled::Accepted, format!("KNOWN: {text}"))
            }
            Taken::Not(rejected) => {
                let reason = &rejected.reason;
                tracing::warn!(file = %name, %reason, "form rejected");
                let text = format!("REJECTED, and nothing was changed: {reason}");
                if !rejected.recorded {
                    self.record_rejected_form(cycle, &name, rejected, now).await?;
                }
                (Handled::Rejected, text)
            }
        };
        let stamp =
            now.to_zoned(cycle.config.time_zone.clone()).strftime("%Y%m%dT%H%M%S").to_string();
        if let Some(folder) = &self.order_forms {
            let text = format!("{}\n", shown_within(&text, LONGEST_RECEIPT));
            let along = if how == Handled::Accepted { scans } else { Vec::new() };
            folder.finish(drop, along, how, (&stamp, &text)).await?;
        }
        Ok(())
    }

    async fn record_rejected_form(
        &self,
        cycle: &Cycle,
        name: &str,
        rejected: Rejected,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Rejected { reason, sha256, owner, .. } = rejected;
        let mut tx = self.store.begin().await?;
        tx.audit(AuditEntry {
            clause: Some(cycle.config.policy.citations.cite(Rule::D6)),
            detail: json!({
                "file": mask(name), "reason": mask(&reason), "sha256": sha256, "owner": owner,
            }),
            ..AuditEntry::new(now, DAEMON, "order_form.rejected")
        });
        tx.commit().await?;
        Ok(())
    }

    async fn taken(
        &self,
        cycle: &Cycle,
        (drop, ready, which): (&Ready, &[Ready], Which),
        (scans, asked): (&mut Vec<Ready>, &mut GroupsAsked),
        now: Timestamp,
    ) -> Result<Taken, LaterError> {
        let not = |reason: String| Rejected { reason, sha256: None, owner: None, recorded: false };
        if !self.is_form(drop).await? {
            return match which {
                Which::Orders => Ok(Taken::Waits),
                Which::AccessForms => self.left_over(cycle, drop).await,
            };
        }
        let Some(folder) = &self.order_forms else { return Ok(Taken::Not(not(String::new()))) };
        let read = folder.read(drop, |inbox, drop| inbox.read_owned(drop, MOST_BYTES)).await;
        let (bytes, owner) = match read {
            Ok(read) => read,
            Err(DropError::TooLarge { size, limit, .. }) => {
                let reason = format!("the file has {size} bytes, and a form may have {limit}");
                return Ok(Taken::Not(not(reason)));
            }
            Err(error @ DropError::NotPlain { .. }) => {
                return Ok(Taken::Not(not(error.to_string())));
            }
            Err(error) => return Err(error.into()),
        };
        let sha256 = digest(&bytes);
        let is_access_form = is_access_form(cycle, &bytes);
        if is_access_form != (which == Which::AccessForms) {
            return Ok(Taken::Waits);
        }
        if is_access_form {
            let file = FormFile { drop, ready, bytes: &bytes, owner, sha256 };
            return self.take_access_form(cycle, file, scans, asked, now).await;
        }
        let from = cycle.config.inbox.forms.as_ref().map(|of| &of.from);
        let counts = Counts { from, key: "inbox.forms.from" };
        let owner = match who_filed(&cycle.config, counts, owner).await {
            Ok(owner) => owner,
            Err(reason) => {
                return Ok(Taken::Not(Rejected { sha256: Some(sha256), ..not(reason) }));
            }
        };
        let rejected = |reason: String| {
            Taken::Not(Rejected {
                reason,
                sha256: Some(sha256.clone()),
                owner: Some(owner.clone()),
                recorded: false,
            })
        };
        match self.obey(cycle, &bytes, &owner, now).await {
            Ok(taken) => Ok(taken),
            Err(Refusal::Rejected(reason)) => Ok(rejected(reason)),
            Err(Refusal::Later(error)) => Err(error),
        }
    }

    /// Does what the form says, as its owner.
    async fn obey(
        &self,
        cycle: &Cycle,
        bytes: &[u8],
        owner: &str,
        now: Timestamp,
    ) -> Result<Taken, Refusal> {
        let form = OrderForm::read(bytes).map_err(|error| Refusal::Rejected(error.to_string()))?;
        let content = form.content().map_err(|error| Refusal::Rejected(error.to_string()))?;
        if let Some(known) = self.store.read().taken_form(form.id).await? {
            return again(cycle, &known, &content);
        }
        let today = now.to_zoned(cycle.config.time_zone.clone()).date();
        form.in_time(today).map_err(|error| Refusal::Rejected(error.to_string()))?;
        let actor = Actor::new(format!("form:{owner}"));
        let actor = actor.map_err(|error| Refusal::Rejected(error.to_string()))?;
        let filed = Filed {
            taken: TakenForm {
                id: form.id,
                content,
                sha256: digest(bytes),
                filed_by: owner.to_owned(),
                taken_at: now,
            },
            reason: form.reason.as_deref().map(mask),
        };
        let done = follow(self, &Word::by_form(&actor, &filed), form.order()).await?;
        Ok(Taken::Done(format!("{}; by {actor}, form {}", done.message, filed.taken.id)))
    }
}

/// Why a form was not followed.
enum Refusal {
    /// For good: the reason.
    Rejected(String),
    /// For now.
    Later(LaterError),
}

impl From<ConsoleError> for Refusal {
    fn from(error: ConsoleError) -> Self {
        match error.kind {
            ErrorKind::Unavailable => Self::Later(LaterError::Busy(error)),
            _ => Self::Rejected(format!("{}; {}", error.error, error.advice)),
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Later(error.into())
    }
}

/// The same id again: the same form is known, and another must not look as if it had been done.
fn again(cycle: &Cycle, known: &TakenForm, content: &str) -> Result<Taken, Refusal> {
    let when = cycle.shown_time(known.taken_at);
    if known.content == content {
        return Ok(Taken::Known(format!(
            "form {} was taken {when} (file of {}); nothing was changed now",
            known.id, known.filed_by
        )));
    }
    Err(Refusal::Rejected(format!(
        "another form with the id {} was taken {when}; give each order an id of its own",
        known.id
    )))
}

pub(super) fn warn(error: &dyn std::error::Error) {
    let why = error.source().map(ToString::to_string);
    tracing::warn!(%error, why, "a form is left where it is");
}
