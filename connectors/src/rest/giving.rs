//! Accounts that are made, opened with roles, and renamed (A1, A3, N7): what is sent, and what is seen of
//! it afterwards.
//!
//! An account is looked for before it is made, by every search that there is, so that a lost reply never
//! makes a second one.

use super::Rest;
use super::settings::Operation;
use super::steps::{drift, otherwise};
use super::template::Facts;
use crate::begun::after_a_change;
use crate::gift::Gift;
use lapsed_core::facts::{SystemRole, UserId};
use lapsed_core::observed::{ObservedAccount, PersonKeys, Protection};
use lapsed_core::step::{
    Blueprint, Cause, Expect, Fault, Found, NewName, Outcome, Receipt, Seen, Step,
};

/// Whether an account is as a gift wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Yes,
    /// As far as the system shows it.
    AsFarAsShown,
    /// What is not.
    No(&'static str),
}

fn refused(why: impl Into<String>) -> Fault {
    Fault::Refused(Cause::new(why))
}

/// What the templates of a gift's request may name.
fn facts(gift: Gift<'_>, step: &Step, account: Option<&ObservedAccount>) -> Facts {
    let facts = match account {
        Some(account) => Facts::of_step(step).with("id", account.id.as_str()),
        None => Facts::of_step(step).without("id"),
    };
    match gift {
        Gift::Account(new) => facts
            .with("user_id", new.user_id.as_str())
            .with("first", &new.name.first)
            .with("last", &new.name.last)
            .with_perhaps("preferred", new.name.preferred.as_ref())
            .with("display_name", &new.display_name)
            .with_perhaps("mail", new.mail.as_ref())
            .with_perhaps("location", new.location.as_ref())
            .with_perhaps("location_name", new.location_name.as_ref())
            .with_perhaps("kind", new.kind.as_ref())
            .with_perhaps("title", new.title.as_ref())
            .with_perhaps("supervisor", new.supervisor.as_ref())
            .with_perhaps("ends_on", new.ends_on),
        Gift::Access(roles) => facts.with_list("roles", roles),
        Gift::Name(to) => facts
            .with("old_user_id", step.expect.user_id.as_str())
            .with("user_id", to.user_id.as_str())
            .with("first", &to.name.first)
            .with("last", &to.name.last)
            .with_perhaps("preferred", to.name.preferred.as_ref())
            .with("display_name", &to.display_name)
            .with_perhaps("mail", to.mail.as_ref())
            .with_list("aliases", &to.aliases)
            .with_perhaps("location", to.location.as_ref())
            .with_perhaps("location_name", to.location_name.as_ref()),
    }
}

impl Rest {
    fn operation_of(&self, gift: Gift<'_>) -> Result<&Operation, Fault> {
        let operation = match gift {
            Gift::Account(_) => &self.settings.create,
            Gift::Access(_) => &self.settings.grant,
            Gift::Name(_) => &self.settings.rename,
        };
        operation.as_ref().ok_or_else(|| {
            let key = gift.key();
            refused(format!("the connector has no `{key}`; write it or do it by hand"))
        })
    }

    /// Carries out one step that gives.
    pub(super) async fn give(&self, step: &Step, gift: Gift<'_>) -> Result<Outcome, Fault> {
        let operation = self.operation_of(gift)?;
        if let Gift::Account(blueprint) = gift {
            return self.create(step, blueprint, operation).await;
        }
        let account = self.target(step).await?;
        let Some(account) = account else {
            return self.without_account(step, gift, operation).await;
        };
        if let Some(Protection::Never { because }) = &account.protection {
            return Err(refused(format!("never touched: {because}")));
        }
        if let Some(found) = drift(&expected(step, gift, &account), &account) {
            return Ok(Outcome::Drifted(found));
        }
        if let Gift::Access(_) = gift {
            self.roles_are_readable(&account).await?;
        }
        let held = self.held(gift, &account);
        if held == Held::Yes {
            return Ok(Outcome::AlreadySo);
        }
        if let Gift::Name(to) = gift {
            self.name_is_free(&to.user_id, &account).await?;
        }
        let facts = facts(gift, step, Some(&account));
        // What the account itself shows otherwise no read-back says better: it may know nothing of roles.
        if let Some(read_back) = &operation.read_back
            && held == Held::AsFarAsShown
            && self.is_done(&facts, read_back).await?
        {
            return Ok(Outcome::AlreadySo);
        }
        if let Gift::Access(roles) = gift {
            self.change_roles(&account, roles, &facts).await?;
        }
        self.change(gift.key(), operation, &facts, before(&account)).await
    }

    /// Makes an account, shut, unless it is there.
    async fn create(
        &self,
        step: &Step,
        blueprint: &Blueprint,
        operation: &Operation,
    ) -> Result<Outcome, Fault> {
        if let Some(account) = self.find_made(blueprint).await? {
            return self.made_before(step, blueprint, &account).await;
        }
        let outcome = self.make(step, blueprint, operation).await?;
        match (outcome, self.find_made(blueprint).await) {
            // Taken meanwhile: by this very account, made at an earlier try, or by another's.
            (Outcome::AlreadySo, Ok(None)) => Err(refused(
                "the system says that the account is there, and does not show it; look whose it is",
            )),
            (Outcome::AlreadySo, Ok(Some(account))) => {
                self.made_before(step, blueprint, &account).await
            }
            (Outcome::AlreadySo, Err(fault)) => Err(fault),
            (Outcome::Changed(mut receipt), Ok(Some(made))) => {
                self.shut_new(step, blueprint, &made).await.map_err(after_a_change)?;
                receipt.before.insert("id".into(), vec![made.id.to_string()]);
                Ok(Outcome::Changed(receipt))
            }
            // It was made; whether it is open another look has to say.
            (_, Err(fault @ (Fault::Retry(_) | Fault::Unknown(_)))) => Err(after_a_change(fault)),
            (outcome, _) => Ok(outcome),
        }
    }

    async fn make(
        &self,
        step: &Step,
        blueprint: &Blueprint,
        operation: &Operation,
    ) -> Result<Outcome, Fault> {
        let gift = Gift::Account(blueprint);
        let facts = facts(gift, step, None);
        let request = self.change(gift.key(), operation, &facts, Vec::new());
        self.begun.making(step, request, |made| *made == Outcome::AlreadySo).await
    }

    /// An account that an earlier try may have made is shut by this one; any other stays as it is.
    async fn made_before(
        &self,
        step: &Step,
        blueprint: &Blueprint,
        account: &ObservedAccount,
    ) -> Result<Outcome, Fault> {
        if !account.enabled || !self.begun.contains(step.id) {
            return Ok(Outcome::AlreadySo);
        }
        self.shut_new(step, blueprint, account).await.map_err(after_a_change)?;
        let before = [("id".to_owned(), vec![account.id.to_string()])].into();
        let server = Some(self.http.address().to_owned());
        Ok(Outcome::Changed(Receipt { before, server }))
    }

    /// Some systems open whatever is made. It is opened when all that was approved is there.
    async fn shut_new(
        &self,
        step: &Step,
        blueprint: &Blueprint,
        made: &ObservedAccount,
    ) -> Result<(), Fault> {
        if !made.enabled {
            return Ok(());
        }
        let Some(revoke) = &self.settings.revoke else {
            return Err(refused(
                "the new account is open, and nothing says how it is shut; write `revoke`, or have `create` make it shut",
            ));
        };
        let facts = Facts::of_step(step).with("id", made.id.as_str());
        self.change("revoke", revoke, &facts, Vec::new()).await?;
        match self.find_made(blueprint).await? {
            Some(now) if now.enabled => Err(Fault::Retry(Cause::new(
                "the new account is open after it was shut; see what opens it",
            ))),
            _ => Ok(()),
        }
    }

    /// The account that a blueprint stands for, if it is there and nobody else's.
    async fn find_made(&self, blueprint: &Blueprint) -> Result<Option<ObservedAccount>, Fault> {
        let keys = PersonKeys {
            user_ids: vec![blueprint.user_id.clone()],
            employee_numbers: blueprint.employee_number.iter().cloned().collect(),
            ..PersonKeys::default()
        };
        let found = self.accounts_of(&[keys]).await?;
        let is_called =
            |account: &&ObservedAccount| account.user_id.folded() == blueprint.user_id.folded();
        if let Some(other) = found.iter().find(|account| !is_called(account)) {
            return Err(refused(format!(
                "the person has an account in the system already, which is called {}; look which is to be used",
                other.user_id
            )));
        }
        let [account] = found.as_slice() else {
            return match found.is_empty() {
                true => Ok(None),
                false => Err(refused(format!(
                    "the system has several accounts called {}; correct it there",
                    blueprint.user_id
                ))),
            };
        };
        if self.is_theirs(account, blueprint) {
            return Ok(Some(account.clone()));
        }
        Err(refused(format!(
            "the system has an account {} that is not known to be theirs; look whose it is",
            blueprint.user_id
        )))
    }

    /// By the number; by the last name only where numbers are not kept, or the person has none.
    fn is_theirs(&self, account: &ObservedAccount, blueprint: &Blueprint) -> bool {
        let keeps = self.settings.account.as_ref().is_some_and(|a| a.employee_number.is_some());
        match (&account.employee_number, &blueprint.employee_number) {
            (Some(own), Some(number)) => own.folded() == number.folded(),
            (None, Some(_)) if keeps => false,
            // A number of somebody's, and whoever is made has none: a namesake's.
            (Some(_), None) => false,
            (None, _) => {
                let (own, last) = (account.name.last.trim(), blueprint.name.last.trim());
                !own.is_empty() && own.to_lowercase() == last.to_lowercase()
            }
        }
    }

    /// The account of a step: by its id, or by its name where it had none when the plan was made.
    async fn target(&self, step: &Step) -> Result<Option<ObservedAccount>, Fault> {
        let id = &step.action.account().id;
        match id.is_to_be_made() {
            true => self.by_name(&step.expect.user_id).await,
            false => self.look(id).await,
        }
    }

    async fn without_account(
        &self,
        step: &Step,
        gift: Gift<'_>,
        operation: &Operation,
    ) -> Result<Outcome, Fault> {
        let to_be_made = step.action.account().id.is_to_be_made();
        match gift {
            Gift::Access(_) if to_be_made && self.settings.create.is_none() => {
                self.change(gift.key(), operation, &facts(gift, step, None), Vec::new()).await
            }
            _ if to_be_made => {
                Err(Fault::Retry(Cause::new("the account is not made yet; it is tried again")))
            }
            _ => {
                let description = "the account is gone; plan it anew".into();
                Ok(Outcome::Drifted(Found { description }))
            }
        }
    }

    async fn name_is_free(&self, name: &UserId, own: &ObservedAccount) -> Result<(), Fault> {
        match self.by_name(name).await? {
            Some(other) if other.id != own.id => {
                Err(refused(format!("another account is called {name} already; look whose it is")))
            }
            _ => Ok(()),
        }
    }

    /// Roles that the system takes one by one: first those go that are too many.
    async fn change_roles(
        &self,
        account: &ObservedAccount,
        wanted: &[SystemRole],
        facts: &Facts,
    ) -> Result<(), Fault> {
        let own = &account.details.roles;
        let surplus = own.iter().filter(|role| !wanted.contains(role));
        let missing = wanted.iter().filter(|role| !own.contains(role));
        let take = self.settings.take_role.as_ref().map(|take| ("take_role", take));
        let give = self.settings.give_role.as_ref().map(|give| ("give_role", give));
        let all = surplus.map(|role| (take, role)).chain(missing.map(|role| (give, role)));
        for (operation, role) in all {
            if let Some((key, operation)) = operation {
                let facts = facts.clone().with("role", role.as_str());
                self.change(key, operation, &facts, Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// Looks at what a step gave.
    pub(super) async fn see_given(&self, step: &Step, gift: Gift<'_>) -> Result<Seen, Fault> {
        let operation = self.operation_of(gift)?;
        let account = match gift {
            Gift::Account(blueprint) => self.find_made(blueprint).await?,
            _ => self.target(step).await?,
        };
        let Some(account) = account else {
            return Ok(otherwise("the account is not there; see what became of it in the system"));
        };
        if let Gift::Access(_) = gift {
            self.roles_are_readable(&account).await?;
        }
        // Once the step has ended, an account that is open was opened by the step that gives access.
        if matches!(gift, Gift::Account(_)) && account.enabled && self.begun.contains(step.id) {
            return Ok(otherwise("the new account is open"));
        }
        match (self.held(gift, &account), &operation.read_back) {
            (Held::No(what), _) => Ok(otherwise(what)),
            (_, Some(read_back)) => {
                self.see_by(&facts(gift, step, Some(&account)), read_back).await
            }
            (Held::Yes, None) => Ok(Seen::AsWanted),
            (Held::AsFarAsShown, None) => Ok(Seen::CannotTell(Cause::new(
                "the account is open; nothing says which roles it has: write account.roles or read_back",
            ))),
        }
    }

    /// Whether an account is as a gift wants it, as far as the system shows it.
    fn held(&self, gift: Gift<'_>, account: &ObservedAccount) -> Held {
        match gift {
            // Whether it is theirs was looked at when it was found.
            Gift::Account(_) => Held::Yes,
            Gift::Access(_) if !account.enabled => {
                Held::No("the account may not be used; see what shuts it again")
            }
            Gift::Access(wanted) => {
                let mut sorted = wanted.to_vec();
                sorted.sort_unstable();
                let shown = self.settings.account.as_ref().is_some_and(|a| a.roles.is_some());
                match (shown, sorted == account.details.roles) {
                    (true, true) => Held::Yes,
                    (false, _) if sorted.is_empty() => Held::Yes,
                    (false, _) => Held::AsFarAsShown,
                    (true, false) => Held::No(
                        "the account has other roles than those that were given; see whether the system takes them",
                    ),
                }
            }
            Gift::Name(to) => self.name_held(to, account),
        }
    }

    fn name_held(&self, to: &NewName, account: &ObservedAccount) -> Held {
        let shape = self.settings.account.as_ref();
        let shown = |of: fn(&super::AccountShape) -> bool| shape.is_some_and(of);
        let (own, name) = (&account.name, &to.name);
        let display = account.details.display_name.as_ref();
        let mail = |own: &String| to.mail.as_ref().is_some_and(|to| own.eq_ignore_ascii_case(to));
        let parts = [
            (
                account.user_id.folded() == to.user_id.folded(),
                "the account still has its old log-on name",
            ),
            (
                (!shown(|a| a.last_name.is_some()) || own.last == name.last)
                    && (!shown(|a| a.first_name.is_some()) || own.first == name.first),
                "the account still has its owner's old name; see whether the system takes it",
            ),
            (
                !shown(|a| a.display_name.is_some()) || display == Some(&to.display_name),
                "the account still has its old display name; see whether the system takes it",
            ),
            (
                !shown(|a| a.mail.is_some())
                    || to.mail.is_none()
                    || account.mail.as_ref().is_some_and(mail),
                "the account still has its old mail address; see whether the system takes it",
            ),
        ];
        parts.into_iter().find(|(same, _)| !same).map_or(Held::Yes, |(_, what)| Held::No(what))
    }
}

/// What the account is expected to be: after a rename it may have its new name as well.
fn expected(step: &Step, gift: Gift<'_>, account: &ObservedAccount) -> Expect {
    let mut expect = step.expect.clone();
    if let Gift::Name(to) = gift
        && account.user_id.folded() == to.user_id.folded()
    {
        expect.user_id = to.user_id.clone();
    }
    expect
}

fn before(account: &ObservedAccount) -> Vec<(&'static str, String)> {
    let roles = account.details.roles.iter().map(SystemRole::as_str);
    let roles = roles.collect::<Vec<_>>().join(", ");
    vec![
        ("enabled", account.enabled.to_string()),
        ("user_id", account.user_id.to_string()),
        ("roles", roles),
    ]
}
