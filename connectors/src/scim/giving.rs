//! Accounts that are made, opened with roles, and renamed (A1, A3, N7): what is sent, and what is seen
//! of it afterwards.
//!
//! An account is looked for before it is made, by name and by number, so that a lost reply never makes a
//! second one.

use super::Scim;
use super::account::Account;
use super::attribute::Attribute;
use super::server::{Changed, Edit, Made};
use super::settings::Update;
use super::steps::{LOOKS, busy};
use crate::begun::after_a_change;
use lapsed_core::facts::{PersonName, SystemRole, UserId};
use lapsed_core::step::{Blueprint, Cause, Fault, Found, NewName, Outcome, Receipt, Seen, Step};
use serde_json::{Value, json};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

fn refused(why: impl Into<String>) -> Fault {
    Fault::Refused(Cause::new(why))
}

fn otherwise(description: impl Into<String>) -> Seen {
    Seen::Otherwise(Found { description: description.into() })
}

impl Scim {
    /// Makes an account, shut.
    pub(super) async fn create(
        &self,
        step: &Step,
        blueprint: &Blueprint,
    ) -> Result<Outcome, Fault> {
        if !self.settings.create {
            return Err(refused(
                "accounts of this system are not made; write `create: true` at the connector if they are to be",
            ));
        }
        if let Some(account) = self.find_made(blueprint).await? {
            return self.made_before(step, &account).await;
        }
        match self.make(step, blueprint).await? {
            Made::Account(account) => {
                self.shut_new(&account).await.map_err(after_a_change)?;
                Ok(self.made(&account))
            }
            // Taken meanwhile: by this very account, made at an earlier try, or by another's.
            Made::Taken => match self.find_made(blueprint).await? {
                Some(account) => self.made_before(step, &account).await,
                None => Err(refused(
                    "the server says that the account is there, and does not show it; look whose it is",
                )),
            },
        }
    }

    /// An account that an earlier try may have made is shut by this one; any other stays as it is.
    async fn made_before(&self, step: &Step, account: &Account) -> Result<Outcome, Fault> {
        if account.active != Some(true) || !self.begun.contains(step.id) {
            return Ok(Outcome::AlreadySo);
        }
        self.shut_new(account).await.map_err(after_a_change)?;
        Ok(self.made(account))
    }

    async fn make(&self, step: &Step, blueprint: &Blueprint) -> Result<Made, Fault> {
        let post = self.server.post(self.new_account(blueprint)?);
        self.begun.making(step, post, |made| matches!(made, Made::Taken)).await
    }

    /// Some servers open whatever is made, and some only say that they shut it.
    async fn shut_new(&self, account: &Account) -> Result<(), Fault> {
        let mut account = account.clone();
        for _ in 0..LOOKS {
            if account.active != Some(true) {
                return Ok(());
            }
            let _: Changed =
                self.edit("shut the new account", &account, &[self.active(false)]).await?;
            let Some(now) = self.server.get(&account.id).await? else {
                return Err(Fault::Retry(Cause::new(
                    "the new account is not shown any more; it is looked for again",
                )));
            };
            account = now;
        }
        Err(Fault::Retry(Cause::new(
            "the new account is open however often it is shut; see what opens it",
        )))
    }

    fn made(&self, account: &Account) -> Outcome {
        let facts = [("id", account.id.to_string()), ("userName", account.user_name.clone())];
        let before = facts.map(|(key, value)| (key.to_owned(), vec![value])).into();
        Outcome::Changed(Receipt { before, server: Some(self.address().to_owned()) })
    }

    /// The account that a blueprint stands for, if it is there and nobody else's.
    async fn find_made(&self, blueprint: &Blueprint) -> Result<Option<Account>, Fault> {
        let number = blueprint.employee_number.as_ref();
        if let (Some(attribute), Some(number)) = (&self.employee_number, number) {
            let found = self.filtered(attribute, number.as_str()).await?;
            for account in &found {
                if !self.is_called(account, &blueprint.user_id)? {
                    return Err(refused(format!(
                        "the person has an account in the system already, which is called {}; look which is to be used",
                        self.user_id_of(account)?
                    )));
                }
            }
        }
        let Some(account) = self.by_name(&blueprint.user_id).await? else { return Ok(None) };
        let proven = match (self.numbers(&account).as_slice(), number) {
            ([], _) | (_, None) => {
                // Where numbers are kept, one that was made here has it.
                let numbered = self.employee_number.is_some() && number.is_some();
                !numbered && same(&account.name().last, &blueprint.name.last)
            }
            (own, Some(number)) => own.iter().any(|own| own.folded() == number.folded()),
        };
        if proven {
            return Ok(Some(account));
        }
        Err(refused(format!(
            "the system has an account {} that is not known to be theirs; look whose it is",
            blueprint.user_id
        )))
    }

    fn new_account(&self, blueprint: &Blueprint) -> Result<Value, Fault> {
        let mut account = json!({
            "schemas": [USER],
            "userName": self.there(&blueprint.user_id)?,
            "name": name_of(&blueprint.name),
            "displayName": blueprint.display_name,
            "active": self.active(false).value,
        });
        if let Some(mail) = &blueprint.mail {
            Attribute::named("emails").set(&mut account, emails(mail, &[]));
        }
        if let (Some(attribute), Some(number)) = (&self.employee_number, &blueprint.employee_number)
        {
            attribute.set(&mut account, Value::String(number.to_string()));
            if let (Some(urn), Some(schemas)) =
                (attribute.extension(), account.get_mut("schemas").and_then(Value::as_array_mut))
            {
                schemas.push(Value::String(urn.to_owned()));
            }
        }
        Ok(account)
    }

    /// Once the step has ended, an account that is open was opened by the step that gives access.
    pub(super) async fn see_created(
        &self,
        step: &Step,
        blueprint: &Blueprint,
    ) -> Result<Seen, Fault> {
        Ok(match self.by_name(&blueprint.user_id).await? {
            Some(account) if account.active == Some(true) && self.begun.contains(step.id) => {
                otherwise("the new account is open")
            }
            Some(_) => Seen::AsWanted,
            None => otherwise("the account is not there; see whether the server makes accounts"),
        })
    }

    /// Opens an account, with exactly these roles.
    pub(super) async fn grant(&self, step: &Step, roles: &[SystemRole]) -> Result<Outcome, Fault> {
        if !self.settings.grant {
            return Err(refused(
                "access to this system is not given; write `grant: true` at the connector if it is to be",
            ));
        }
        if !roles.is_empty() && self.roles.is_none() {
            return Err(refused(
                "nothing says where roles are kept; write `roles` at the connector",
            ));
        }
        let mut edits = vec![self.active(true)];
        if let Some((attribute, _)) = &self.roles {
            let values: Vec<Value> = roles.iter().map(|role| json!({ "value": role })).collect();
            let value = if values.is_empty() { Value::Null } else { Value::Array(values) };
            edits.push(Edit { attribute: attribute.clone(), value });
        }
        for _ in 0..LOOKS {
            let Some(account) = self.resolve(step).await? else { return gone(step) };
            if let Some(ending) = self.stop(step, &account, None)? {
                return Ok(ending);
            }
            if account.active == Some(true) && self.has_roles(&account, roles) {
                return Ok(Outcome::AlreadySo);
            }
            match self.edit("give access", &account, &edits).await? {
                Changed::Done => {
                    let mut receipt = self.receipt(&account);
                    receipt.before.insert("roles".into(), self.roles_of(&account));
                    return Ok(Outcome::Changed(receipt));
                }
                Changed::Gone => return gone(step),
                Changed::Stale => {}
            }
        }
        Err(busy())
    }

    pub(super) async fn see_granted(
        &self,
        step: &Step,
        roles: &[SystemRole],
    ) -> Result<Seen, Fault> {
        let Some(account) = self.resolve(step).await? else {
            return Ok(otherwise("the account is gone"));
        };
        Ok(match account.active {
            Some(false) => otherwise("the account is shut; see what shuts it again"),
            _ if !self.has_roles(&account, roles) => otherwise(
                "the account has other roles than those that were given; see whether the server takes them",
            ),
            Some(true) => Seen::AsWanted,
            None => Seen::CannotTell(Cause::new(
                "the server does not show whether an account is active; let the daemon's account read `active`",
            )),
        })
    }

    /// Gives an account another name.
    pub(super) async fn rename(&self, step: &Step, to: &NewName) -> Result<Outcome, Fault> {
        if !self.settings.rename {
            return Err(refused(
                "accounts of this system are not renamed; write `rename: true` at the connector if they are to be",
            ));
        }
        let edits = |account: &Account| -> Result<Vec<Edit>, Fault> {
            let mut name = account.whole.get("name").cloned().unwrap_or_else(|| json!({}));
            for (part, text) in [("familyName", &to.name.last), ("givenName", &to.name.first)] {
                Attribute::named(part).set(&mut name, Value::String(text.clone()));
            }
            // The server's own joining of the old parts.
            Attribute::named("formatted").set(&mut name, Value::Null);
            let mut edits = vec![
                ("userName", Value::String(self.there(&to.user_id)?)),
                ("name", name),
                ("displayName", Value::String(to.display_name.clone())),
            ];
            if let Some(mail) = &to.mail {
                edits.push(("emails", emails(mail, &to.aliases)));
            }
            let edit = |(name, value)| Edit { attribute: Attribute::named(name), value };
            Ok(edits.into_iter().map(edit).collect())
        };
        for _ in 0..LOOKS {
            let Some(account) = self.resolve(step).await? else { return gone(step) };
            if let Some(ending) = self.stop(step, &account, Some(&to.user_id))? {
                return Ok(ending);
            }
            if self.difference(&account, to)?.is_none() {
                return Ok(Outcome::AlreadySo);
            }
            if let Some(other) = self.by_name(&to.user_id).await?
                && other.id != account.id
            {
                return Err(refused(format!(
                    "another account is called {} already; look whose it is",
                    to.user_id
                )));
            }
            match self.edit("rename the account", &account, &edits(&account)?).await? {
                Changed::Done => {
                    let mut receipt = self.receipt(&account);
                    let mails = Attribute::named("emails").within("value").values(&account.whole);
                    receipt.before.insert("emails".into(), mails);
                    let shown = account.display_name().unwrap_or_default();
                    receipt.before.insert("displayName".into(), vec![shown]);
                    return Ok(Outcome::Changed(receipt));
                }
                Changed::Gone => return gone(step),
                Changed::Stale => {}
            }
        }
        Err(busy())
    }

    pub(super) async fn see_renamed(&self, step: &Step, to: &NewName) -> Result<Seen, Fault> {
        let Some(account) = self.resolve(step).await? else {
            return Ok(otherwise("the account is gone"));
        };
        Ok(match self.difference(&account, to)? {
            None => Seen::AsWanted,
            Some(what) => otherwise(format!(
                "the account still has another {what}; see whether the server takes it"
            )),
        })
    }

    /// What of a name is not as it is to be.
    fn difference(&self, account: &Account, to: &NewName) -> Result<Option<&'static str>, Fault> {
        let name = account.name();
        let mails = Attribute::named("emails").within("value").values(&account.whole);
        let has = |address: &String| mails.iter().any(|own| own.eq_ignore_ascii_case(address));
        let parts = [
            (self.is_called(account, &to.user_id)?, "user name"),
            (name.last == to.name.last && name.first == to.name.first, "name"),
            (account.display_name().as_ref() == Some(&to.display_name), "display name"),
            (
                to.mail.iter().all(has) && (to.mail.is_none() || to.aliases.iter().all(has)),
                "mail address",
            ),
        ];
        Ok(parts.into_iter().find(|(same, _)| !same).map(|(_, what)| what))
    }

    /// Why nothing is done to an account as it is now; `by_now` is the name that it may have as well.
    fn stop(
        &self,
        step: &Step,
        account: &Account,
        by_now: Option<&UserId>,
    ) -> Result<Option<Outcome>, Fault> {
        if let Some(because) = self.never(account) {
            return Err(refused(format!("never touched: {because}")));
        }
        let expected = match by_now {
            Some(name) if self.is_called(account, name)? => name,
            _ => &step.expect.user_id,
        };
        Ok(self.drift(step, expected, account)?.map(Outcome::Drifted))
    }

    fn is_called(&self, account: &Account, user_id: &UserId) -> Result<bool, Fault> {
        Ok(self.user_id_of(account)?.folded() == user_id.folded())
    }

    /// The one account of a name.
    async fn by_name(&self, user_id: &UserId) -> Result<Option<Account>, Fault> {
        let mut found = self.filtered(&Attribute::named("userName"), &self.there(user_id)?).await?;
        if found.len() > 1 {
            return Err(refused(format!(
                "the system has several accounts called {user_id}; correct it there"
            )));
        }
        Ok(found.pop())
    }

    /// The account of a step: by its id, or by its name where it had none when the plan was made.
    async fn resolve(&self, step: &Step) -> Result<Option<Account>, Fault> {
        let id = &step.action.account().id;
        match id.is_to_be_made() {
            true => self.by_name(&step.expect.user_id).await,
            false => self.server.get(id).await,
        }
    }

    fn there(&self, user_id: &UserId) -> Result<String, Fault> {
        self.naming.there(user_id).map_err(|error| refused(format!("{user_id}: {error}")))
    }

    pub(super) fn roles_of(&self, account: &Account) -> Vec<String> {
        let mut roles = self
            .roles
            .as_ref()
            .map(|(_, values)| values.values(&account.whole))
            .unwrap_or_default();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    fn has_roles(&self, account: &Account, roles: &[SystemRole]) -> bool {
        let mut wanted: Vec<&str> = roles.iter().map(SystemRole::as_str).collect();
        wanted.sort_unstable();
        self.roles_of(account) == wanted
    }

    pub(super) fn active(&self, open: bool) -> Edit {
        let value = match (self.settings.active_as_text, open) {
            (true, true) => Value::String("True".into()),
            (true, false) => Value::String("False".into()),
            (false, open) => Value::Bool(open),
        };
        Edit { attribute: Attribute::named("active"), value }
    }

    /// Changes an account as the server can.
    pub(super) async fn edit(
        &self,
        what: &str,
        account: &Account,
        edits: &[Edit],
    ) -> Result<Changed, Fault> {
        let patch = match self.settings.update {
            Update::Auto => self.server.abilities().await?.patch,
            Update::Patch => true,
            Update::Put => false,
        };
        match patch {
            true => self.server.patch(what, account, edits).await,
            false => self.server.put(what, account, edits).await,
        }
    }
}

fn gone(step: &Step) -> Result<Outcome, Fault> {
    if step.action.account().id.is_to_be_made() {
        return Err(Fault::Retry(Cause::new("the account is not made yet; it is tried again")));
    }
    let description = "the account is gone; plan the access anew".into();
    Ok(Outcome::Drifted(Found { description }))
}

fn name_of(name: &PersonName) -> Value {
    json!({ "familyName": name.last, "givenName": name.first })
}

fn emails(mail: &str, aliases: &[String]) -> Value {
    let first = json!({ "value": mail, "type": "work", "primary": true });
    let others = aliases.iter().filter(|alias| !alias.eq_ignore_ascii_case(mail));
    let others = others.map(|alias| json!({ "value": alias, "type": "other" }));
    Value::Array(std::iter::once(first).chain(others).collect())
}

fn same(one: &str, other: &str) -> bool {
    !one.trim().is_empty() && one.trim().to_lowercase() == other.trim().to_lowercase()
}
