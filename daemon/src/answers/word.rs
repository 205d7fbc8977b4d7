//! On whose word something is done: a caller's on the socket, or a form's whose file's owner counts.

use super::holds::{place, take_off};
use super::wishes::{delegate_as, keep_as};
use crate::control::console::ConsoleError;
use crate::order_form::Order;
use crate::service::Daemon;
use crate::store::{StoreError, TakenForm, Tx};
use crate::views::DoneView;
use lapsed_core::facts::Actor;
use serde_json::{Value, json};

/// Who says so, and by which form where it is one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Word<'a> {
    /// The actor on record.
    pub(crate) who: &'a Actor,
    form: Option<&'a Filed>,
}

/// A form with what goes on record of it.
#[derive(Debug)]
pub(crate) struct Filed {
    /// What makes the same form known.
    pub(crate) taken: TakenForm,
    /// Its reason, masked: the commands of wishes have none.
    pub(crate) reason: Option<String>,
}

impl<'a> Word<'a> {
    /// A caller's, by a command.
    pub(super) fn of(who: &'a Actor) -> Self {
        Self { who, form: None }
    }

    /// A form's.
    pub(crate) fn by_form(who: &'a Actor, form: &'a Filed) -> Self {
        Self { who, form: Some(form) }
    }

    /// Notes the form in the transaction that does what it says: done and known are one.
    pub(super) async fn note(&self, tx: &Tx) -> Result<(), StoreError> {
        match self.form {
            Some(form) => tx.note_form(&form.taken).await,
            None => Ok(()),
        }
    }

    /// What goes into the audit, with the form.
    pub(super) fn detail(&self, mut detail: Value) -> Value {
        if let (Some(form), Some(fields)) = (self.form, detail.as_object_mut()) {
            let taken = &form.taken;
            let form = json!({ "id": taken.id, "sha256": taken.sha256, "reason": form.reason });
            fields.insert("form".into(), form);
        }
        detail
    }
}

/// Does what a form says, as the command would.
pub(crate) async fn follow(
    daemon: &Daemon,
    word: &Word<'_>,
    order: Order,
) -> Result<DoneView, ConsoleError> {
    match order {
        Order::Hold(request) => place(daemon, word, request).await,
        Order::Lift(request) => take_off(daemon, word, request).await,
        Order::Delegate(request) => delegate_as(daemon, word, request).await,
        Order::Keep(request) => keep_as(daemon, word, request).await,
    }
}
