//! The steps of an account: what is done, and what is seen of it afterwards.

use super::Scim;
use super::account::Account;
use super::server::Changed;
use lapsed_core::facts::UserId;
use lapsed_core::step::{Action, Cause, Fault, Found, Outcome, Receipt, Seen, Step};

/// So often is an account looked at anew that others change at the same moment.
pub(super) const LOOKS: u32 = 3;

/// What a step asks of this connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Shut,
    Delete,
}

fn wish(action: &Action) -> Result<Wish, Fault> {
    match action {
        Action::RevokeAccess { .. } => Ok(Wish::Shut),
        Action::DeleteAccount { .. } => Ok(Wish::Delete),
        other => Err(Fault::Refused(Cause::new(format!(
            "a scim connector knows accounts of a system only and can't {}; name another connector",
            other.name()
        )))),
    }
}

impl Scim {
    /// Carries out one step.
    pub(super) async fn carry_out(&self, step: &Step) -> Result<Outcome, Fault> {
        match &step.action {
            Action::CreateAccount { blueprint, .. } => return self.create(step, blueprint).await,
            Action::GrantAccess { roles, .. } => return self.grant(step, roles).await,
            Action::Rename { to, .. } => return self.rename(step, to).await,
            _ => {}
        }
        let wish = wish(&step.action)?;
        if wish == Wish::Delete && !self.settings.delete {
            return Err(Fault::Refused(Cause::new(
                "accounts of this system are not deleted; write `delete: true` at the connector if they are to be",
            )));
        }
        for _ in 0..LOOKS {
            let Some(account) = self.server.get(&step.action.account().id).await? else {
                return Ok(Outcome::AlreadySo);
            };
            if let Some(because) = self.never(&account) {
                return Err(Fault::Refused(Cause::new(format!("never touched: {because}"))));
            }
            if let Some(found) = self.drift(step, &step.expect.user_id, &account)? {
                return Ok(Outcome::Drifted(found));
            }
            if wish == Wish::Shut && account.active == Some(false) {
                return Ok(Outcome::AlreadySo);
            }
            let changed = match wish {
                Wish::Shut => {
                    self.edit("shut the account", &account, &[self.active(false)]).await?
                }
                Wish::Delete => self.server.delete(&account).await?,
            };
            match changed {
                Changed::Done => return Ok(Outcome::Changed(self.receipt(&account))),
                Changed::Gone => return Ok(Outcome::AlreadySo),
                Changed::Stale => {}
            }
        }
        Err(busy())
    }

    /// Looks at one step's account again.
    pub(super) async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        match &step.action {
            Action::CreateAccount { blueprint, .. } => {
                return self.see_created(step, blueprint).await;
            }
            Action::GrantAccess { roles, .. } => return self.see_granted(step, roles).await,
            Action::Rename { to, .. } => return self.see_renamed(step, to).await,
            _ => {}
        }
        let wish = wish(&step.action)?;
        let Some(account) = self.server.get(&step.action.account().id).await? else {
            return Ok(Seen::AsWanted);
        };
        let otherwise =
            |description: &str| Ok(Seen::Otherwise(Found { description: description.to_owned() }));
        match (wish, account.active) {
            (Wish::Shut, Some(false)) => Ok(Seen::AsWanted),
            (Wish::Shut, Some(true)) => otherwise(
                "the account is active; see what switches it on again, or whether the server only says that it shuts accounts",
            ),
            (Wish::Shut, None) => Ok(Seen::CannotTell(Cause::new(
                "the server does not show whether an account is active; let the daemon's account read `active`",
            ))),
            (Wish::Delete, _) => otherwise(
                "the account is still there; see whether the server deletes accounts on DELETE",
            ),
        }
    }

    /// The account belongs to another by now, or is called otherwise.
    pub(super) fn drift(
        &self,
        step: &Step,
        expected: &UserId,
        account: &Account,
    ) -> Result<Option<Found>, Fault> {
        let now = self.user_id_of(account)?;
        let named = |text: &str| text.to_lowercase() == expected.folded();
        let found = |description: String| Ok(Some(Found { description }));
        if !named(now.as_str()) && !named(&account.user_name) {
            return found(format!(
                "the account is called {now} now; look whose it is before it is touched"
            ));
        }
        let numbers = self.numbers(account);
        let kept = |number: &lapsed_core::facts::EmployeeNumber| {
            numbers.is_empty() || numbers.iter().any(|own| own.folded() == number.folded())
        };
        match &step.expect.employee_number {
            Some(number) if !kept(number) => found(
                "the account carries another employee number now; look whose it is before it is touched"
                    .into(),
            ),
            _ => Ok(None),
        }
    }

    pub(super) fn receipt(&self, account: &Account) -> Receipt {
        let active = account.active.map_or_else(|| "not said".into(), |active| active.to_string());
        let before = [("active", active), ("userName", account.user_name.clone())];
        Receipt {
            before: before.map(|(key, value)| (key.to_owned(), vec![value])).into(),
            server: Some(self.address().to_owned()),
        }
    }
}

pub(super) fn busy() -> Fault {
    Fault::Retry(Cause::new("the account changes all the time; see what else writes to it"))
}
