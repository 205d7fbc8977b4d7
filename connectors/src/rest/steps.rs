//! The steps of an account or mailbox: what is done, and what is seen of it afterwards.

use super::Rest;
use super::accounts::unclear;
use super::expression::Answer;
use super::request;
use super::settings::{Operation, ReadBack};
use super::template::Facts;
use crate::gift::Gift;
use crate::http::{Kind, fault_of};
use lapsed_core::observed::{ObservedAccount, Protection};
use lapsed_core::step::{Action, Cause, Expect, Fault, Found, Outcome, Receipt, Seen, Step};

/// What a step asks of this connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Revoke,
    Delete,
    DisableMailbox,
    DeleteMailbox,
}

impl Wish {
    fn of(action: &Action) -> Result<Self, Fault> {
        match action {
            Action::RevokeAccess { .. } => Ok(Self::Revoke),
            Action::DeleteAccount { .. } => Ok(Self::Delete),
            Action::DisableMailbox { .. } => Ok(Self::DisableMailbox),
            Action::DeleteMailbox { .. } => Ok(Self::DeleteMailbox),
            other => Err(Fault::Refused(Cause::new(format!(
                "a rest connector can't {}; name another connector",
                other.name()
            )))),
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Revoke => "revoke",
            Self::Delete => "delete",
            Self::DisableMailbox => "disable_mailbox",
            Self::DeleteMailbox => "delete_mailbox",
        }
    }

    fn is_about_an_account(self) -> bool {
        matches!(self, Self::Revoke | Self::Delete)
    }
}

impl Rest {
    fn operation(&self, wish: Wish) -> Result<&Operation, Fault> {
        let operation = match wish {
            Wish::Revoke => &self.settings.revoke,
            Wish::Delete => &self.settings.delete,
            Wish::DisableMailbox => &self.settings.disable_mailbox,
            Wish::DeleteMailbox => &self.settings.delete_mailbox,
        };
        operation.as_ref().ok_or_else(|| {
            let key = wish.key();
            Fault::Refused(Cause::new(format!(
                "the connector has no `{key}`; write it or end it by hand"
            )))
        })
    }

    /// Carries out one step.
    pub(super) async fn carry_out(&self, step: &Step) -> Result<Outcome, Fault> {
        if let Some(gift) = Gift::of(&step.action) {
            return self.give(step, gift).await;
        }
        let wish = Wish::of(&step.action)?;
        let operation = self.operation(wish)?;
        let mut before = Vec::new();
        if wish.is_about_an_account() {
            let Some(account) = self.look(&step.action.account().id).await? else {
                return Ok(Outcome::AlreadySo);
            };
            if let Some(Protection::Never { because }) = &account.protection {
                return Err(Fault::Refused(Cause::new(format!("never touched: {because}"))));
            }
            if let Some(found) = drift(&step.expect, &account) {
                return Ok(Outcome::Drifted(found));
            }
            if wish == Wish::Revoke && !account.enabled {
                return Ok(Outcome::AlreadySo);
            }
            before.push(("enabled", account.enabled.to_string()));
            before.push(("user_id", account.user_id.to_string()));
        } else if let Some(read_back) = &operation.read_back
            && self.is_done(&Facts::of_step(step), read_back).await?
        {
            return Ok(Outcome::AlreadySo);
        }
        self.change(wish.key(), operation, &Facts::of_step(step), before).await
    }

    /// Sends the request of an operation; `what` is its key.
    pub(super) async fn change(
        &self,
        what: &str,
        operation: &Operation,
        facts: &Facts,
        before: Vec<(&'static str, String)>,
    ) -> Result<Outcome, Fault> {
        let made = request::of_operation(operation, facts).map_err(|error| {
            let key = error.key;
            Fault::Refused(Cause::new(format!(
                "{what}: {key} can't be written for this account; see to it by hand"
            )))
        })?;
        let sent = self.http.send(made.request).await;
        let reply = sent.map_err(|failed| failed.fault(what, Kind::Changes))?;
        let answer = Answer::of(&reply);
        let already = operation.already.as_ref();
        if already.is_some_and(|already| answer.truth(already).unwrap_or(false)) {
            return Ok(Outcome::AlreadySo);
        }
        let success = answer.truth(&operation.success);
        if matches!(success, Ok(true)) {
            let before = before.into_iter().map(|(key, value)| (key.to_owned(), vec![value]));
            let server = Some(self.http.address().to_owned());
            return Ok(Outcome::Changed(Receipt { before: before.collect(), server }));
        }
        if let Some(fault) = fault_of(&reply, what, Kind::Changes) {
            return Err(fault);
        }
        let code = format!("HTTP {}", reply.status.as_u16());
        Err(match success {
            Err(error) => Fault::Unknown(Cause::coded(
                format!(
                    "{what}: the reply does not say whether it was done ({}); correct `success`",
                    error.kind()
                ),
                code,
            )),
            Ok(_) => Fault::Refused(Cause::coded(
                format!("{what}: the system answered that it was not done; look at its log"),
                code,
            )),
        })
    }

    /// Looks at one step's object again.
    pub(super) async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        if let Some(gift) = Gift::of(&step.action) {
            return self.see_given(step, gift).await;
        }
        let wish = Wish::of(&step.action)?;
        let operation = self.operation(wish)?;
        if let Some(read_back) = &operation.read_back {
            return self.see_by(&Facts::of_step(step), read_back).await;
        }
        if !wish.is_about_an_account() {
            return Ok(Seen::CannotTell(Cause::new(
                "nothing says how it is looked at afterwards; write `read_back`, or look by hand",
            )));
        }
        let account = self.look(&step.action.account().id).await?;
        Ok(match (wish, account) {
            (_, None) => Seen::AsWanted,
            (Wish::Revoke, Some(account)) if !account.enabled => Seen::AsWanted,
            (Wish::Revoke, Some(_)) => otherwise(
                "the account may still be used; see what switches it on again, or whether the system only says that it shuts accounts",
            ),
            (_, Some(_)) => otherwise("the account is still there"),
        })
    }

    pub(super) async fn see_by(&self, facts: &Facts, read_back: &ReadBack) -> Result<Seen, Fault> {
        Ok(match self.is_done(facts, read_back).await? {
            true => Seen::AsWanted,
            false => otherwise("the system says that it is not so; see what became of it there"),
        })
    }

    pub(super) async fn is_done(&self, facts: &Facts, read_back: &ReadBack) -> Result<bool, Fault> {
        let what = "look at it";
        let reply = self.get(what, &read_back.path, facts).await?;
        // The expression may make something of any status; where it can't, the status speaks.
        match (Answer::of(&reply).truth(&read_back.done), fault_of(&reply, what, Kind::Looks)) {
            (Ok(true), _) => Ok(true),
            (_, Some(fault)) => Err(fault),
            (Ok(false), None) => Ok(false),
            (Err(error), None) => Err(unclear(what, &error)),
        }
    }
}

pub(super) fn otherwise(description: &str) -> Seen {
    Seen::Otherwise(Found { description: description.to_owned() })
}

/// The account belongs to another by now, or is called otherwise.
pub(super) fn drift(expected: &Expect, account: &ObservedAccount) -> Option<Found> {
    if account.user_id.folded() != expected.user_id.folded() {
        let now = &account.user_id;
        let description =
            format!("the account is called {now} now; look whose it is before it is touched");
        return Some(Found { description });
    }
    let (then, now) = (expected.employee_number.as_ref()?, account.employee_number.as_ref()?);
    (then.folded() != now.folded()).then(|| Found {
        description:
            "the account carries another employee number now; look whose it is before it is touched"
                .into(),
    })
}
