//! One change, one transaction: look, change, count, look again, commit.

use super::session::{Access, Session, Values};
use super::settings::Change;
use super::statement::Parameter;
use super::trouble::Trouble;
use super::{Key, Sql, not_ours};
use crate::gift::Gift;
use crate::system_account::SystemAccount;
use lapsed_core::step::{Action, Cause, Fault, Found, Outcome, Receipt, Seen, Step};
use std::collections::BTreeMap;

/// What a step wants of its account.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Revoked,
    Deleted,
}

impl Wish {
    fn of(step: &Step) -> Result<Self, Fault> {
        match &step.action {
            Action::RevokeAccess { .. } => Ok(Self::Revoked),
            Action::DeleteAccount { .. } => Ok(Self::Deleted),
            _ => Err(not_ours(step)),
        }
    }

    fn holds(self, found: Option<&SystemAccount>) -> bool {
        match (self, found) {
            (_, None) => true,
            (Self::Revoked, Some(account)) => !account.enabled,
            (Self::Deleted, Some(_)) => false,
        }
    }
}

impl Sql {
    pub(super) async fn carry_out(&self, step: &Step) -> Result<Outcome, Fault> {
        if let Some(gift) = Gift::of(&step.action) {
            return self.give(step, gift).await;
        }
        let wish = Wish::of(step)?;
        let change = match wish {
            Wish::Revoked => &self.statements.revoke,
            Wish::Deleted => self.statements.delete.as_ref().ok_or_else(|| {
                let text = "accounts can't be deleted here; give a statement under `delete`";
                Fault::Refused(Cause::new(text))
            })?,
        };
        let before_commit = |trouble: Trouble| trouble.fault(&self.address);
        let mut session = self.begin(Access::Changes).await.map_err(before_commit)?;
        match self.within(&mut session, step, wish, change).await {
            Ok(Outcome::Changed(receipt)) => {
                let committed = session.commit().await;
                committed.map_err(|trouble| trouble.fault_of_commit(&self.address))?;
                Ok(Outcome::Changed(receipt))
            }
            other => {
                session.roll_back().await;
                other.map_err(before_commit)
            }
        }
    }

    /// Everything up to the commit.
    async fn within(
        &self,
        session: &mut Session,
        step: &Step,
        wish: Wish,
        change: &Change,
    ) -> Result<Outcome, Trouble> {
        let key = Key::Id(step.action.account().id.as_str());
        let found = self.find(session, &key).await?;
        let Some(before) = found.filter(|account| !wish.holds(Some(account))) else {
            return Ok(Outcome::AlreadySo);
        };
        if let Some(found) = drift(step, &before) {
            return Ok(Outcome::Drifted(found));
        }
        let rows = session.change(&change.statement, &self.values_of(step)?).await?;
        if rows != change.rows {
            return Err(Trouble::refused(format!(
                "the statement would have changed {rows} rows and may change {}; nothing was changed: see the statement, or revoke by hand",
                change.rows
            )));
        }
        let after = self.find(session, &key).await?;
        if !wish.holds(after.as_ref()) {
            return Err(Trouble::refused(
                "after the statement the account is as it was; nothing was changed: see whether it does what `find` looks at",
            ));
        }
        Ok(Outcome::Changed(self.receipt(&before)))
    }

    fn values_of(&self, step: &Step) -> Result<Values, Trouble> {
        let number = step.expect.employee_number.as_ref();
        Ok(Values::default()
            .with(Parameter::Id, &step.action.account().id)
            .with(Parameter::UserId, &step.expect.user_id)
            .with(Parameter::Account, self.account(&step.expect.user_id)?)
            .perhaps(Parameter::EmployeeNumber, number))
    }

    pub(super) fn receipt(&self, before: &SystemAccount) -> Receipt {
        let mut all = BTreeMap::from([
            ("user_id".to_owned(), vec![before.user_id.to_string()]),
            ("enabled".to_owned(), vec![before.enabled.to_string()]),
        ]);
        if let Some(number) = &before.employee_number {
            all.insert("employee_number".to_owned(), vec![number.to_string()]);
        }
        Receipt { before: all, server: Some(self.address.clone()) }
    }

    pub(super) async fn see(&self, step: &Step) -> Result<Seen, Fault> {
        if let Some(gift) = Gift::of(&step.action) {
            return self.see_given(step, gift).await;
        }
        let wish = Wish::of(step)?;
        let looked = async {
            let mut session = self.begin(Access::Reads).await?;
            let key = Key::Id(step.action.account().id.as_str());
            let found = self.find(&mut session, &key).await?;
            session.roll_back().await;
            Ok(found)
        };
        let found = looked.await.map_err(|trouble: Trouble| trouble.fault(&self.address))?;
        if wish.holds(found.as_ref()) {
            return Ok(Seen::AsWanted);
        }
        let description = match wish {
            Wish::Revoked => "the account is still enabled in the system",
            Wish::Deleted => "the account is still in the system",
        };
        Ok(Seen::Otherwise(Found { description: description.into() }))
    }
}

/// Another name or number on the row than when the plan was made.
pub(super) fn drift(step: &Step, now: &SystemAccount) -> Option<Found> {
    let changed = |what: &str| {
        let description =
            format!("the row has another {what} than when it was planned; see whose account it is");
        Some(Found { description })
    };
    let renamed = match &step.action {
        Action::Rename { to, .. } => now.user_id.folded() == to.user_id.folded(),
        _ => false,
    };
    if !renamed && now.user_id.folded() != step.expect.user_id.folded() {
        return changed("user ID");
    }
    match (&now.employee_number, &step.expect.employee_number) {
        (Some(now), Some(then)) if now.folded() != then.folded() => changed("employee number"),
        _ => None,
    }
}
