//! Accounts of the system: found by key, and looked at by the system's own id.

use super::Rest;
use super::expression::Answer;
use super::settings::{AccountShape, Look, Search, SearchBy};
use super::template::{Facts, Place, render};
use crate::http::{Kind, Reply, Request, fault_of};
use crate::system_account::moment;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use lapsed_core::facts::{EmployeeNumber, PersonName, StableId, SystemRole, UserId};
use lapsed_core::observed::{Details, LastUse, ObservedAccount, PersonKeys, Protection, Realm};
use lapsed_core::step::{Cause, Fault};
use lapsed_core::wildcard;
use minijinja::value::Value;

impl Rest {
    pub(super) async fn accounts_of(
        &self,
        people: &[PersonKeys],
    ) -> Result<Vec<ObservedAccount>, Fault> {
        let mut asked = Vec::new();
        for search in &self.settings.find {
            for person in people {
                let keys: Vec<&str> = match search.by {
                    SearchBy::UserId => person.user_ids.iter().map(UserId::as_str).collect(),
                    SearchBy::EmployeeNumber => {
                        person.employee_numbers.iter().map(EmployeeNumber::as_str).collect()
                    }
                };
                asked.extend(keys.into_iter().map(|key| self.search(search, key)));
            }
        }
        let hits: Vec<Vec<ObservedAccount>> =
            stream::iter(asked).buffered(self.window()).try_collect().await?;
        let mut found = Vec::new();
        for account in hits.into_iter().flatten() {
            keep(&mut found, account);
        }
        self.known(people, &mut found).await?;
        Ok(found)
    }

    /// Accounts that are known to be theirs, and are perhaps called otherwise by now.
    async fn known(
        &self,
        people: &[PersonKeys],
        found: &mut Vec<ObservedAccount>,
    ) -> Result<(), Fault> {
        for id in people.iter().flat_map(|person| &person.ids) {
            if self.settings.look.is_some()
                && !found.iter().any(|account| account.id == *id)
                && let Some(account) = self.looked(id, |fault| fault).await?
            {
                keep(found, account);
            }
        }
        Ok(())
    }

    async fn search(&self, search: &Search, key: &str) -> Result<Vec<ObservedAccount>, Fault> {
        let (what, name) = match search.by {
            SearchBy::UserId => ("look for a user ID", "user_id"),
            SearchBy::EmployeeNumber => ("look for an employee number", "employee_number"),
        };
        let reply = self.get(what, &search.path, &Facts::of([(name, key)])).await?;
        let answer = Answer::of(&reply);
        if let Some(none) = &search.none
            && answer.truth(none).unwrap_or(false)
        {
            return Ok(Vec::new());
        }
        if let Some(fault) = fault_of(&reply, what, Kind::Looks) {
            return Err(fault);
        }
        let list = answer.accounts(&search.accounts).map_err(|error| unclear(what, &error))?;
        let mut accounts = Vec::new();
        for account in list {
            accounts.push(self.read(what, &answer, account)?);
        }
        let wanted = key.to_lowercase();
        let fits = |account: &ObservedAccount| match search.by {
            SearchBy::UserId => account.user_id.folded() == wanted,
            SearchBy::EmployeeNumber => {
                account.employee_numbers().any(|number| number.folded() == wanted)
            }
        };
        if !accounts.iter().all(fits) {
            return Err(Fault::Refused(Cause::new(format!(
                "{what}: the system answered with accounts that have another one; correct `find` so that \
                 it asks for exactly one"
            ))));
        }
        if accounts.len() > 1 {
            for account in &mut accounts {
                account.protection.get_or_insert_with(|| Protection::Never {
                    because:
                        "the system has several accounts with the same user ID or number; look \
                              which is whose, and correct it there"
                            .into(),
                });
            }
        }
        Ok(accounts)
    }

    /// One account by the system's own id; none if it is gone. What a step meets half said is asked again.
    pub(super) async fn look(&self, id: &StableId) -> Result<Option<ObservedAccount>, Fault> {
        let again = |fault| match fault {
            Fault::Refused(cause) => Fault::Retry(cause),
            other => other,
        };
        self.looked(id, again).await
    }

    /// The same; `odd` says what follows from an account that can't be read.
    async fn looked(
        &self,
        id: &StableId,
        odd: fn(Fault) -> Fault,
    ) -> Result<Option<ObservedAccount>, Fault> {
        let what = "look at the account";
        let Some((answer, account)) = self.reply_of(id).await? else { return Ok(None) };
        let account = self.read(what, &answer, account).map_err(odd)?;
        if account.id != *id {
            return Err(Fault::Refused(Cause::new(format!(
                "{what}: the system answered with another account; look at the system by hand"
            ))));
        }
        Ok(Some(account))
    }

    /// What the system says of one account, with the account at hand.
    async fn answer_of(&self, id: &StableId) -> Result<Option<Answer>, Fault> {
        let reply = self.reply_of(id).await?;
        Ok(reply.map(|(answer, account)| answer.with_account(account)))
    }

    async fn reply_of(&self, id: &StableId) -> Result<Option<(Answer, Value)>, Fault> {
        let what = "look at the account";
        let look = self.look_settings()?;
        let reply = self.get(what, &look.path, &Facts::of([("id", id.as_str())])).await?;
        let answer = Answer::of(&reply);
        if answer.truth(&look.gone).unwrap_or(false) {
            return Ok(None);
        }
        if let Some(fault) = fault_of(&reply, what, Kind::Looks) {
            return Err(fault);
        }
        let mut one = answer.accounts(&look.account).map_err(|error| unclear(what, &error))?;
        let (Some(account), true) = (one.pop(), one.is_empty()) else {
            return Err(Fault::Refused(Cause::new(format!(
                "{what}: the reply has not exactly one account; correct `look`"
            ))));
        };
        Ok(Some((answer, account)))
    }

    fn look_settings(&self) -> Result<&Look, Fault> {
        self.settings.look.as_ref().ok_or_else(|| {
            Fault::Refused(Cause::new("nothing says how an account is looked at; write `look`"))
        })
    }

    /// What an account in a reply says of itself. What has no id is no account of this API, so that it is asked
    /// again later; an account with something else wrong is refused by itself, and holds up nobody else.
    fn read(&self, what: &str, answer: &Answer, account: Value) -> Result<ObservedAccount, Fault> {
        let shape = self.settings.account.as_ref().ok_or_else(|| {
            Fault::Refused(Cause::new("nothing says what an account looks like; write `account`"))
        })?;
        let answer = answer.with_account(account);
        let id = answer.text(&shape.id).map_err(|error| unclear(what, &error))?;
        let id = id.and_then(|id| StableId::new(id).ok()).ok_or_else(|| {
            Fault::Retry(Cause::new(format!(
                "{what}: the reply has no usable id of an account; correct `account.id`"
            )))
        })?;
        let odd = |key: &str| {
            Fault::Refused(Cause::new(format!(
                "{what}: the account {id} shows no usable {key}; correct it in the system, or `account.{key}`"
            )))
        };
        let user_id = answer.text(&shape.user_id).ok().flatten();
        let user_id = user_id.and_then(|id| UserId::new(id).ok()).ok_or_else(|| odd("user_id"))?;
        let number = match &shape.employee_number {
            Some(expression) => answer.text(expression).map_err(|_| odd("employee_number"))?,
            None => None,
        };
        let enabled = answer.truth(&shape.enabled).map_err(|_| odd("enabled"))?;
        Ok(ObservedAccount {
            place: id.to_string(),
            id,
            enabled,
            employee_number: number.and_then(|number| EmployeeNumber::new(number).ok()),
            name: PersonName {
                last: perhaps(&answer, &shape.last_name).unwrap_or_default(),
                first: perhaps(&answer, &shape.first_name).unwrap_or_default(),
                preferred: None,
            },
            protection: self.never(&user_id).map(|because| Protection::Never { because }),
            user_id,
            other_user_ids: Vec::new(),
            other_employee_numbers: Vec::new(),
            description: None,
            home: None,
            uid_number: None,
            mail: perhaps(&answer, &shape.mail),
            groups: Vec::new(),
            held_in_trust: Vec::new(),
            details: self.details(shape, &answer),
            realm: Realm::System,
        })
    }

    /// What a system shows beside the keys. Whoever leaves is found whatever is wrong in it.
    fn details(&self, shape: &AccountShape, answer: &Answer) -> Details {
        let roles = shape.roles.as_ref().and_then(|roles| roles_in(answer, roles).ok());
        let last_use =
            shape.last_used.as_ref().and_then(|expression| self.used(answer, expression));
        let display_name = perhaps(answer, &shape.display_name);
        Details { display_name, roles: roles.unwrap_or_default(), last_use, ..Details::default() }
    }

    /// A moment that can't be read is not shown: it must not read as one that never was.
    fn used(&self, answer: &Answer, expression: &str) -> Option<LastUse> {
        let text = answer.text(expression).ok()?.filter(|text| !text.is_empty());
        let at = match text {
            None => None,
            Some(text) => Some(moment(&text)?),
        };
        Some(LastUse { at, made_at: None, lag_days: self.settings.last_use.lag_days })
    }

    /// Nothing is given over roles that can't be read: an account that shows none is looked at once more.
    pub(super) async fn roles_are_readable(&self, account: &ObservedAccount) -> Result<(), Fault> {
        let shape = self.settings.account.as_ref();
        let Some(roles) = shape.and_then(|shape| shape.roles.as_ref()) else { return Ok(()) };
        if !account.details.roles.is_empty() {
            return Ok(());
        }
        let Some(answer) = self.answer_of(&account.id).await? else { return Ok(()) };
        roles_in(&answer, roles).map(drop).map_err(|_| {
            Fault::Refused(Cause::new(
                "the roles of the account can't be read; correct them in the system, or `account.roles` (where \
                 the system leaves them out: `account.roles | default([], true)`)",
            ))
        })
    }

    /// The one account of a log-on name.
    pub(super) async fn by_name(&self, user_id: &UserId) -> Result<Option<ObservedAccount>, Fault> {
        let keys = PersonKeys { user_ids: vec![user_id.clone()], ..PersonKeys::default() };
        let mut found = self.accounts_of(&[keys]).await?;
        if found.len() > 1 {
            return Err(Fault::Refused(Cause::new(format!(
                "the system has several accounts called {user_id}; correct it there"
            ))));
        }
        Ok(found.pop())
    }

    /// Why an account is never touched, by the settings.
    fn never(&self, user_id: &UserId) -> Option<String> {
        let fits = |pattern: &&String| wildcard::fits(pattern, user_id.as_str());
        let pattern = self.settings.never.iter().find(fits)?;
        Some(format!("its name fits `never: {pattern}` of the connector"))
    }

    /// Asks for a path that is a template.
    pub(super) async fn get(&self, what: &str, path: &str, facts: &Facts) -> Result<Reply, Fault> {
        let path = render(Place::Path, path, facts).map_err(|error| {
            let why =
                format!("{what}: the path can't be written ({}); see to it by hand", error.kind());
            Fault::Refused(Cause::new(why))
        })?;
        let sent = self.http.send(Request::get(path)).await;
        sent.map_err(|failed| failed.fault(what, Kind::Looks))
    }
}

fn keep(found: &mut Vec<ObservedAccount>, account: ObservedAccount) {
    match found.iter_mut().find(|known| known.id == account.id) {
        // What one key says of an account that another key doubts stays in doubt.
        Some(known) => known.protection = known.protection.take().or(account.protection),
        None => found.push(account),
    }
}

/// What is said of an account beside its keys, where it can be read.
fn perhaps(answer: &Answer, expression: &Option<String>) -> Option<String> {
    answer.text(expression.as_ref()?).ok().flatten()
}

/// A role that can't be one of ours is none of ours.
fn roles_in(answer: &Answer, expression: &str) -> Result<Vec<SystemRole>, minijinja::Error> {
    let roles = answer.texts(expression)?.into_iter();
    let mut roles: Vec<SystemRole> = roles.filter_map(|role| SystemRole::new(role).ok()).collect();
    roles.sort_unstable();
    roles.dedup();
    Ok(roles)
}

/// The reply is not what the expressions expect. The engine's own sentence may hold what the reply holds.
pub(super) fn unclear(what: &str, error: &minijinja::Error) -> Fault {
    Fault::Retry(Cause::new(format!(
        "{what}: the reply is not what the expressions of the connector expect ({}); is this the address \
         of the API?",
        error.kind()
    )))
}
