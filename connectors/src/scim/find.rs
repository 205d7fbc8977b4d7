//! Whose accounts are there: by their keys, or all of them.

use super::Scim;
use super::account::Account;
use super::attribute::Attribute;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use lapsed_core::facts::{EmployeeNumber, StableId, SystemRole, UserId};
use lapsed_core::observed::{
    Details, LastUse, Observed, ObservedAccount, PersonKeys, Protection, Realm, Scope,
};
use lapsed_core::shown::shown_within;
use lapsed_core::step::{Cause, Fault};
use lapsed_core::wildcard;
use std::collections::BTreeSet;

/// Longest log-on name that is kept whole.
const LONGEST_NAME: usize = 64;

/// By what an account is asked for.
enum Key<'k> {
    UserId(&'k UserId),
    Number(&'k EmployeeNumber),
    Id(&'k StableId),
}

/// An account, with the user ID that led to it and whether it is one of several.
struct Hit {
    account: Account,
    by: Option<UserId>,
    several: bool,
}

impl Scim {
    pub(super) async fn accounts(&self, scope: &Scope) -> Result<Observed, Fault> {
        let mut observed = Observed { server: self.address().to_owned(), ..Observed::default() };
        match scope {
            Scope::People(people) | Scope::AccountsOf(people) => {
                observed.accounts = self.accounts_of(people).await?
            }
            Scope::AllAccounts => {
                let all = self.server.all().await?;
                let shown = |account: &Account| self.shown(account, None, false);
                observed.accounts = all.iter().map(shown).collect::<Result<_, _>>()?;
            }
            Scope::TakenNames => observed.taken_names = self.taken_names().await?,
            Scope::Groups(_) | Scope::Members(_) | Scope::Changed(_) => {}
        }
        Ok(observed)
    }

    async fn accounts_of(&self, people: &[PersonKeys]) -> Result<Vec<ObservedAccount>, Fault> {
        let mut asked = Vec::new();
        for person in people {
            let names = person.user_ids.iter().map(Key::UserId);
            let numbers = person.employee_numbers.iter().map(Key::Number);
            let keys = names.chain(numbers).chain(person.ids.iter().map(Key::Id));
            asked.extend(keys.map(|key| self.hits(key)));
        }
        let hits: Vec<Vec<Hit>> = stream::iter(asked).buffered(self.window()).try_collect().await?;
        let mut found: Vec<ObservedAccount> = Vec::new();
        for hit in hits.into_iter().flatten() {
            let shown = self.shown(&hit.account, hit.by.as_ref(), hit.several)?;
            match found.iter_mut().find(|known| known.id == shown.id) {
                // What one key says of an account that another key doubts stays in doubt.
                Some(known) => known.protection = known.protection.take().or(shown.protection),
                None => found.push(shown),
            }
        }
        Ok(found)
    }

    async fn hits(&self, key: Key<'_>) -> Result<Vec<Hit>, Fault> {
        let (attribute, value, by) = match key {
            Key::Id(id) => {
                let account = self.server.get(id).await?;
                let hit = |account| Hit { account, by: None, several: false };
                return Ok(account.map(hit).into_iter().collect());
            }
            Key::UserId(user_id) => {
                let named = self.naming.there(user_id);
                let value = named
                    .map_err(|error| Fault::Refused(Cause::new(format!("{user_id}: {error}"))))?;
                (&self.user_id, value, Some(user_id))
            }
            Key::Number(number) => (&self.employee_number, number.to_string(), None),
        };
        let Some(attribute) = attribute else { return Ok(Vec::new()) };
        let found = self.filtered(attribute, &value).await?;
        let several = found.len() > 1;
        let hit = |account| Hit { account, by: by.cloned(), several };
        Ok(found.into_iter().map(hit).collect())
    }

    /// Looks for one value; an account with another value in the answer means that the server does not
    /// filter, and then every account would be a leaver's.
    pub(super) async fn filtered(
        &self,
        attribute: &Attribute,
        value: &str,
    ) -> Result<Vec<Account>, Fault> {
        let what = format!("look for {attribute}");
        let found = self.server.find(&what, &attribute.equals(value)).await?;
        let fits = |account: &Account| {
            let wanted = value.to_lowercase();
            attribute.values(&account.whole).iter().any(|own| own.to_lowercase() == wanted)
        };
        if !found.iter().all(fits) {
            return Err(Fault::Refused(Cause::new(format!(
                "{what}: the server answered with accounts that have another one; it does not filter by \
                 this attribute, so name another under `match`"
            ))));
        }
        Ok(found)
    }

    fn shown(
        &self,
        account: &Account,
        by: Option<&UserId>,
        several: bool,
    ) -> Result<ObservedAccount, Fault> {
        let numbers = self.numbers(account);
        Ok(ObservedAccount {
            held_in_trust: Vec::new(),
            details: self.details(account),
            id: account.id.clone(),
            user_id: match by {
                Some(user_id) => user_id.clone(),
                None => self.user_id_of(account)?,
            },
            other_user_ids: Vec::new(),
            place: format!("Users/{}", account.id),
            // A server that does not say so does not shut it either.
            enabled: account.active.unwrap_or(true),
            employee_number: numbers.first().cloned(),
            other_employee_numbers: numbers.into_iter().skip(1).collect(),
            name: account.name(),
            description: None,
            home: None,
            uid_number: None,
            mail: account.mail(),
            protection: self.protection(account, several),
            groups: Vec::new(),
            realm: Realm::System,
        })
    }

    fn details(&self, account: &Account) -> Details {
        let mut mails = Attribute::named("emails").within("value").values(&account.whole);
        let first = account.mail();
        mails.retain(|address| Some(address) != first.as_ref());
        let roles = self.roles_of(account).into_iter();
        Details {
            display_name: account.display_name(),
            mail_aliases: mails,
            roles: roles.filter_map(|role| SystemRole::new(role).ok()).collect(),
            last_use: self.last_use(account),
            ..Details::default()
        }
    }

    /// A time that can't be read is not shown: it must not read as one that never was.
    fn last_use(&self, account: &Account) -> Option<LastUse> {
        let (attribute, lag_days) = self.last_use.as_ref()?;
        let at = attribute.values(&account.whole).into_iter().next();
        let at = at.map(|text| text.parse::<Timestamp>()).transpose().ok()?;
        let made = Attribute::named("meta").within("created").values(&account.whole);
        let made_at = made.first().and_then(|text| text.parse().ok());
        Some(LastUse { at, made_at, lag_days: *lag_days })
    }

    fn protection(&self, account: &Account, several: bool) -> Option<Protection> {
        if let Some(because) = self.never(account) {
            return Some(Protection::Never { because });
        }
        let because = "the system has several accounts with the same user ID or number; look which is \
                       whose, and correct it there";
        several.then(|| Protection::Never { because: because.into() })
    }

    /// Why an account is never touched, by the settings.
    pub(super) fn never(&self, account: &Account) -> Option<String> {
        let fits = |pattern: &&String| wildcard::fits(pattern, &account.user_name);
        let pattern = self.settings.never.iter().find(fits)?;
        Some(format!("its name fits `never: {pattern}` of the connector"))
    }

    /// HR's numbers on the account.
    pub(super) fn numbers(&self, account: &Account) -> Vec<EmployeeNumber> {
        let values = self.employee_number.iter().flat_map(|a| a.values(&account.whole));
        values.filter_map(|value| EmployeeNumber::new(value).ok()).collect()
    }

    /// Our user ID for an account. What is too long to be one is cut: it is then nobody's.
    pub(super) fn user_id_of(&self, account: &Account) -> Result<UserId, Fault> {
        let values = self.user_id.iter().flat_map(|a| a.values(&account.whole)).next();
        let name = values.unwrap_or_else(|| account.user_name.clone());
        let user_id = self.naming.here(&name);
        let cut = || UserId::new(shown_within(&name, LONGEST_NAME)).ok();
        user_id.or_else(cut).ok_or_else(|| {
            Fault::Refused(Cause::new("an account has a user name that can't be shown"))
        })
    }

    /// Names that count as taken (N5): log-on names, and local parts of mail addresses.
    async fn taken_names(&self) -> Result<Vec<String>, Fault> {
        let mail = Attribute::parse("emails.value").ok();
        let mut names = BTreeSet::new();
        for account in self.server.all().await? {
            names.insert(self.user_id_of(&account)?.folded());
            for address in mail.iter().flat_map(|mail| mail.values(&account.whole)) {
                let local = address.split('@').next().unwrap_or_default();
                names.insert(local.to_lowercase());
            }
        }
        names.remove("");
        Ok(names.into_iter().collect())
    }
}
