//! Accounts that are made, opened with roles, and renamed (A1, A3, N7): each change one transaction that
//! looks, changes, counts, looks again, and only then commits.

use super::session::{Access, Session, Values};
use super::settings::Given;
use super::statement::Parameter;
use super::steps::drift;
use super::trouble::Trouble;
use super::{Key, Sql};
use crate::gift::Gift;
use crate::system_account::SystemAccount;
use lapsed_core::facts::{EmployeeNumber, SystemRole, UserId};
use lapsed_core::step::{Blueprint, Cause, Fault, Found, Outcome, Receipt, Seen, Step};

/// Whether a row is as a gift wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    /// As far as the statement shows it: the roles it does not.
    AsFarAsShown,
    No,
}

/// Whether an account is as a gift wants it.
fn held(gift: Gift<'_>, account: &SystemAccount) -> Held {
    let yes = match gift {
        // Whether it is theirs was looked at when it was found.
        Gift::Account(_) => true,
        Gift::Access(wanted) => {
            let mut sorted = wanted.to_vec();
            sorted.sort_unstable();
            match &account.roles {
                _ if !account.enabled => false,
                None if wanted.is_empty() => true,
                None => return Held::AsFarAsShown,
                Some(roles) => *roles == sorted,
            }
        }
        Gift::Name(to) => {
            let last = account.last_name.as_ref();
            account.user_id.folded() == to.user_id.folded()
                && last.is_none_or(|last| last.trim() == to.name.last.trim())
        }
    };
    if yes { Held::Yes } else { Held::No }
}

/// What an account of the step's name would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Look {
    /// It was there before, unless this very step was begun.
    Before,
    /// The step's own work.
    AtWhatWasMade,
}

impl Sql {
    fn statements_of(&self, gift: Gift<'_>) -> &[Given] {
        match gift {
            Gift::Account(_) => &self.statements.create,
            Gift::Access(_) => &self.statements.grant,
            Gift::Name(_) => &self.statements.rename,
        }
    }

    pub(super) async fn give(&self, step: &Step, gift: Gift<'_>) -> Result<Outcome, Fault> {
        if self.statements_of(gift).is_empty() {
            let key = gift.key();
            return Err(Fault::Refused(Cause::new(format!(
                "the connector has no statements under `{key}`; write them, or do it by hand"
            ))));
        }
        let first = self.attempt(step, gift).await;
        // The account may have been made by another in the same moment: then it is theirs already.
        match (gift, first) {
            (Gift::Account(blueprint), Err(Fault::Refused(why))) => {
                match self.look_for(step, (Gift::Account(blueprint), Look::Before)).await {
                    Ok(Some(_)) => Ok(Outcome::AlreadySo),
                    _ => Err(Fault::Refused(why)),
                }
            }
            (_, ended) => ended,
        }
    }

    async fn attempt(&self, step: &Step, gift: Gift<'_>) -> Result<Outcome, Fault> {
        let before_commit = |trouble: Trouble| trouble.fault(&self.address);
        let mut session = self.begin(Access::Changes).await.map_err(before_commit)?;
        match self.give_within(&mut session, step, gift).await {
            Ok(Outcome::Changed(receipt)) => {
                self.begun.note(step.id);
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
    async fn give_within(
        &self,
        session: &mut Session,
        step: &Step,
        gift: Gift<'_>,
    ) -> Result<Outcome, Trouble> {
        let before = self.target(session, step, (gift, Look::Before)).await?;
        if let Some(ending) = self.stop(session, step, gift, before.as_ref()).await? {
            return Ok(ending);
        }
        let values = self.given_values(step, gift, before.as_ref())?;
        for statement in self.statements_of(gift) {
            self.run(session, statement, &values, gift).await?;
        }
        let after = match &before {
            Some(before) => self.find(session, &Key::Id(before.id.as_str())).await?,
            None => self.target(session, step, (gift, Look::AtWhatWasMade)).await?,
        };
        let refused = |text: &str| Err(Trouble::refused(text));
        match (gift, &after) {
            (_, None) => refused(
                "after the statements there is no such account; nothing was changed: see whether they do what `find` looks at",
            ),
            (Gift::Account(_), Some(made)) if made.enabled => refused(
                "the new account would be open; nothing was changed: have `create` make it shut, `grant` opens it",
            ),
            (_, Some(after)) if held(gift, after) == Held::No => refused(
                "after the statements the account is not as it is to be; nothing was changed: see whether they do what `find` looks at",
            ),
            (_, Some(after)) => Ok(Outcome::Changed(self.given_receipt(before.as_ref(), after))),
        }
    }

    /// Why nothing is to be changed; an error where a person has to look.
    async fn stop(
        &self,
        session: &mut Session,
        step: &Step,
        gift: Gift<'_>,
        before: Option<&SystemAccount>,
    ) -> Result<Option<Outcome>, Trouble> {
        let Some(before) = before else {
            return match gift {
                Gift::Account(_) => Ok(None),
                _ if step.action.account().id.is_to_be_made() => Err(Trouble::Passing(Cause::new(
                    "the account is not made yet; it is tried again",
                ))),
                _ => {
                    let description = "the account is gone; plan it anew".into();
                    Ok(Some(Outcome::Drifted(Found { description })))
                }
            };
        };
        if let Some(found) = drift(step, before) {
            return Ok(Some(Outcome::Drifted(found)));
        }
        if held(gift, before) == Held::Yes {
            return Ok(Some(Outcome::AlreadySo));
        }
        if let Gift::Name(to) = gift
            && self
                .find(session, &Key::UserId(&to.user_id))
                .await?
                .is_some_and(|other| other.id != before.id)
        {
            return Err(Trouble::refused(format!(
                "another account is called {} already; look whose it is",
                to.user_id
            )));
        }
        Ok(None)
    }

    /// The account of a step: by its id, or by its name where it had none when the plan was made.
    async fn target(
        &self,
        session: &mut Session,
        step: &Step,
        (gift, look): (Gift<'_>, Look),
    ) -> Result<Option<SystemAccount>, Trouble> {
        let id = &step.action.account().id;
        match gift {
            Gift::Account(blueprint) => {
                let made_here = look == Look::AtWhatWasMade || self.begun.contains(step.id);
                self.made(session, blueprint, made_here).await
            }
            _ if id.is_to_be_made() => self.find(session, &Key::UserId(&step.expect.user_id)).await,
            _ => self.find(session, &Key::Id(id.as_str())).await,
        }
    }

    /// The account that a blueprint stands for, if it is there and nobody else's.
    async fn made(
        &self,
        session: &mut Session,
        blueprint: &Blueprint,
        made_here: bool,
    ) -> Result<Option<SystemAccount>, Trouble> {
        let number = blueprint.employee_number.as_ref();
        if let Some(number) =
            number.filter(|_| self.statements.find.binds(Parameter::EmployeeNumber))
            && let Some(found) = self.find(session, &Key::EmployeeNumber(number.as_str())).await?
            && found.user_id.folded() != blueprint.user_id.folded()
        {
            return Err(Trouble::refused(format!(
                "the person has an account in the system already, which is called {}; look which is to be used",
                found.user_id
            )));
        }
        let Some(found) = self.find(session, &Key::UserId(&blueprint.user_id)).await? else {
            return Ok(None);
        };
        if is_theirs(&found, blueprint, made_here) {
            return Ok(Some(found));
        }
        Err(Trouble::refused(format!(
            "the system has an account {} that is not known to be theirs; look whose it is, and write their employee number into it or give it another name",
            blueprint.user_id
        )))
    }

    async fn run(
        &self,
        session: &mut Session,
        given: &Given,
        values: &Values,
        gift: Gift<'_>,
    ) -> Result<(), Trouble> {
        let each: Vec<Values> = match gift {
            Gift::Access(roles) if given.statement.binds(Parameter::Role) => {
                roles.iter().map(|role| values.clone().with(Parameter::Role, role)).collect()
            }
            _ => vec![values.clone()],
        };
        for values in each {
            let rows = session.change(&given.statement, &values).await?;
            if let Some(allowed) = given.rows.filter(|allowed| *allowed != rows) {
                let key = gift.key();
                return Err(Trouble::refused(format!(
                    "a statement of `{key}` would have changed {rows} rows and may change {allowed}; nothing was changed: see the statement"
                )));
            }
        }
        Ok(())
    }

    fn given_values(
        &self,
        step: &Step,
        gift: Gift<'_>,
        found: Option<&SystemAccount>,
    ) -> Result<Values, Trouble> {
        let named = |values: Values, user_id: &UserId| -> Result<Values, Trouble> {
            let account = self.account(user_id)?;
            Ok(values.with(Parameter::UserId, user_id).with(Parameter::Account, account))
        };
        let number: Option<&EmployeeNumber> = step.expect.employee_number.as_ref();
        let values = Values::default()
            .perhaps(Parameter::Id, found.map(|account| &account.id))
            .perhaps(Parameter::EmployeeNumber, number);
        match gift {
            Gift::Account(new) => Ok(named(values, &new.user_id)?
                .perhaps(Parameter::EmployeeNumber, new.employee_number.as_ref())
                .with(Parameter::First, &new.name.first)
                .with(Parameter::Last, &new.name.last)
                .with(Parameter::DisplayName, &new.display_name)
                .perhaps(Parameter::Mail, new.mail.as_ref())
                .perhaps(Parameter::Location, new.location.as_ref())),
            Gift::Access(roles) => {
                if let Some(role) = roles.iter().find(|role| role.as_str().contains(',')) {
                    return Err(Trouble::refused(format!(
                        "the role {role} has a comma in it, which stands between roles; name it otherwise"
                    )));
                }
                let all: Vec<&str> = roles.iter().map(SystemRole::as_str).collect();
                Ok(named(values, &step.expect.user_id)?.with(Parameter::Roles, all.join(",")))
            }
            Gift::Name(to) => {
                let old = &step.expect.user_id;
                Ok(named(values, &to.user_id)?
                    .with(Parameter::OldUserId, old)
                    .with(Parameter::OldAccount, self.account(old)?)
                    .with(Parameter::First, &to.name.first)
                    .with(Parameter::Last, &to.name.last)
                    .with(Parameter::DisplayName, &to.display_name)
                    .perhaps(Parameter::Mail, to.mail.as_ref())
                    .perhaps(Parameter::Location, to.location.as_ref()))
            }
        }
    }

    fn given_receipt(&self, before: Option<&SystemAccount>, after: &SystemAccount) -> Receipt {
        let mut receipt = match before {
            Some(before) => self.receipt(before),
            None => Receipt { server: Some(self.address.clone()), ..Receipt::default() },
        };
        receipt.before.insert("id".into(), vec![after.id.to_string()]);
        if let Some(roles) = before.and_then(|before| before.roles.as_ref()) {
            let roles = roles.iter().map(ToString::to_string).collect();
            receipt.before.insert("roles".into(), roles);
        }
        receipt
    }

    async fn look_for(
        &self,
        step: &Step,
        gift: (Gift<'_>, Look),
    ) -> Result<Option<SystemAccount>, Fault> {
        let looked = async {
            let mut session = self.begin(Access::Reads).await?;
            let found = self.target(&mut session, step, gift).await;
            session.roll_back().await;
            found
        };
        looked.await.map_err(|trouble: Trouble| trouble.fault(&self.address))
    }

    pub(super) async fn see_given(&self, step: &Step, gift: Gift<'_>) -> Result<Seen, Fault> {
        let otherwise =
            |description: &str| Ok(Seen::Otherwise(Found { description: description.into() }));
        // What this step never began to make is somebody else's, however much it looks like it.
        let Some(found) = self.look_for(step, (gift, Look::Before)).await? else {
            return otherwise("the account is not in the system");
        };
        match (held(gift, &found), gift) {
            (Held::Yes, _) => Ok(Seen::AsWanted),
            (Held::AsFarAsShown, _) => Ok(Seen::CannotTell(Cause::new(
                "the account is open, and `find` gives no column `roles` that would show which it has",
            ))),
            (Held::No, Gift::Access(_)) if !found.enabled => {
                otherwise("the account is not enabled")
            }
            (Held::No, Gift::Access(_)) => {
                otherwise("the account has other roles than those that were given")
            }
            (Held::No, _) => otherwise("the account has another name"),
        }
    }
}

/// By number; by last name alone only where lapsed made it, as a namesake's would look the same.
fn is_theirs(found: &SystemAccount, blueprint: &Blueprint, made_here: bool) -> bool {
    match (&found.employee_number, &blueprint.employee_number) {
        (Some(own), Some(number)) => own.folded() == number.folded(),
        (Some(_), None) => false,
        (None, _) => {
            let last = found.last_name.as_deref().unwrap_or_default().trim().to_lowercase();
            made_here && !last.is_empty() && last == blueprint.name.last.trim().to_lowercase()
        }
    }
}
