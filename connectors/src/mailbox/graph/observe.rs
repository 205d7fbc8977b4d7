//! Who is there: by number, by name, by identity, or everybody.

use super::Graph;
use super::api::{Call, equals, query};
use super::settings::principal_name;
use super::user::{READ, SELECT, User};
use lapsed_core::facts::UserId;
use lapsed_core::observed::{Observed, ObservedAccount, PersonKeys, Scope};
use lapsed_core::step::{Cause, Fault};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Comparisons in one filter; Graph refuses more than fifteen.
const KEYS_A_FILTER: usize = 10;

impl Graph {
    pub(super) async fn look(&self, scope: &Scope) -> Result<Observed, Fault> {
        let server = self.api.http.address().to_owned();
        let observed = |accounts| Observed { accounts, server, ..Observed::default() };
        match scope {
            Scope::People(people) | Scope::AccountsOf(people) => {
                let mut accounts = Vec::new();
                for keys in people {
                    self.person(keys, &mut accounts).await?;
                }
                Ok(observed(accounts))
            }
            Scope::AllAccounts => {
                let (users, members) = (self.everybody().await?, self.members().await?);
                let mut accounts = Vec::with_capacity(users.len());
                for user in &users {
                    let mut account = user.observed(None, &self.settings.never)?;
                    account.details.roles = self.roles_by(|group| {
                        members.get(&group).is_some_and(|them| them.contains(&user.id))
                    });
                    accounts.push(account);
                }
                Ok(observed(accounts))
            }
            Scope::Groups(_) | Scope::Members(_) | Scope::Changed(_) => Ok(observed(Vec::new())),
            Scope::TakenNames => {
                let users = self.everybody().await?;
                let names: BTreeSet<String> = users.iter().flat_map(User::taken_names).collect();
                Ok(Observed { taken_names: names.into_iter().collect(), ..observed(Vec::new()) })
            }
        }
    }

    /// One person's users, each once.
    async fn person(
        &self,
        keys: &PersonKeys,
        accounts: &mut Vec<ObservedAccount>,
    ) -> Result<(), Fault> {
        let mut names: Vec<(String, &UserId)> = Vec::new();
        for user_id in &keys.user_ids {
            let name = principal_name(&self.settings.user, user_id);
            let name = name.map_err(|error| Fault::Refused(Cause::new(error.to_string())))?;
            names.push((name, user_id));
        }
        let mut filters: Vec<String> =
            names.iter().map(|(name, _)| equals("userPrincipalName", name)).collect();
        let numbers = keys.employee_numbers.iter();
        filters.extend(numbers.map(|number| equals("employeeId", number.as_str())));
        // Identities of other targets are among them; only Graph's own are found.
        let ids = keys.ids.iter().filter(|id| Uuid::parse_str(id.as_str()).is_ok());
        filters.extend(ids.map(|id| equals("id", id.as_str())));
        for some in filters.chunks(KEYS_A_FILTER) {
            for user in self.found(&some.join(" or ")).await? {
                let wanted = names.iter().find(|(name, _)| name.eq_ignore_ascii_case(&user.name));
                let wanted = wanted.map(|(_, user_id)| *user_id);
                let mut account = user.observed(wanted, &self.settings.never)?;
                if !accounts.iter().any(|known| known.id == account.id) {
                    account.details.roles = self.roles_of(&user).await?;
                    accounts.push(account);
                }
            }
        }
        Ok(())
    }

    pub(super) async fn found(&self, filter: &str) -> Result<Vec<User>, Fault> {
        let what = "look up a person's users";
        let path = format!("/users?{SELECT}&$filter={}", query(filter));
        let entries = self.api.list(&path, &Call { what, right: READ }).await?;
        entries.iter().map(|json| User::read(json, what)).collect()
    }

    async fn everybody(&self) -> Result<Vec<User>, Fault> {
        let what = "list all users";
        let path = format!("/users?{SELECT}&$top=500");
        let entries = self.api.list(&path, &Call { what, right: READ }).await?;
        entries.iter().map(|json| User::read(json, what)).collect()
    }
}
