//! Accounts that are there already because the state was put back as it was earlier: a form that was carried
//! out after the copy would find its name taken, and make a second account.
//!
//! **Rule.** Of the names that a form would try before the first free one, those that the ledger does not know
//! are looked up in the directories. An account whose mark names this very form, or that is known to be the
//! person's, is the form's own, and its name is taken. One that lapsed made, nobody here knows for whom, holds
//! the form up until somebody has looked. Everything else is a namesake's.

use super::reserve::Wants;
use super::{Cycle, CycleError, Holder};
use crate::cycle::decide::aside;
use jiff::Timestamp;
use lapsed_core::access::form::{Asks, FiledForm};
use lapsed_core::facts::{ConnectorName, Person, UserId};
use lapsed_core::observed::{ObservedAccount, PersonKeys, Scope};
use lapsed_core::policy::naming::TakenIds;
use lapsed_core::step::StepId;
use std::collections::HashMap;

/// So many names of one form are looked up; nobody has as many namesakes since a copy.
const MOST_NAMES: usize = 500;

/// What is there of a form's account.
pub(super) enum There {
    /// Its account, by this name.
    Own(UserId),
    /// What may be it: somebody has to look.
    Doubtful(String),
    /// A directory could not be read.
    Unread,
}

impl Cycle {
    /// What is there already for forms that need a name, by their numbers; looked for only in a state that is
    /// an older copy.
    pub(super) async fn there_since_copy(
        &self,
        holders: &[Holder],
        taken: &TakenIds,
    ) -> Result<HashMap<u64, There>, CycleError> {
        let mut all = HashMap::new();
        if self.store.read().behind().await?.is_none() {
            return Ok(all);
        }
        for holder in holders {
            for form in holder.forms.iter().filter(|form| self.needs_a_name(holder, form)) {
                let names = self.names_to_look_up(holder, form, taken).await?;
                if names.is_empty() {
                    continue;
                }
                if let Some(there) = self.one_there(holder, form, names).await? {
                    all.insert(form.number, there);
                }
            }
        }
        Ok(all)
    }

    /// The names before the first free one that stand for an account which the state does not know.
    async fn names_to_look_up(
        &self,
        holder: &Holder,
        form: &FiledForm,
        taken: &TakenIds,
    ) -> Result<Vec<UserId>, CycleError> {
        let wanted = self.wanted_names(holder, form, self.present_name(holder));
        let Ok(Wants::OneOf(wanted)) = wanted else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for user_id in wanted.take_while(|id| taken.contains(id.as_str())).take(MOST_NAMES) {
            if self.store.read().user_id(&user_id).await?.is_none() {
                names.push(user_id);
            }
        }
        Ok(names)
    }

    async fn one_there(
        &self,
        holder: &Holder,
        form: &FiledForm,
        names: Vec<UserId>,
    ) -> Result<Option<There>, CycleError> {
        let scope =
            Scope::People(vec![PersonKeys { user_ids: names.clone(), ..PersonKeys::default() }]);
        let mut found = Vec::new();
        for (connector, eye) in self.directories() {
            match eye.observe(&scope).await {
                Ok(observed) => {
                    found.extend(observed.accounts.into_iter().map(|a| (connector.clone(), a)));
                }
                Err(fault) => {
                    tracing::warn!(%connector, %fault, "whether a form was carried out already can't be read; it waits");
                    return Ok(Some(There::Unread));
                }
            }
        }
        let own = names.iter().find(|name| {
            found.iter().any(|(connector, account)| {
                bears(account, name) && is_own(&holder.person, form, (connector, account), name)
            })
        });
        if let Some(own) = own {
            return Ok(Some(There::Own(own.clone())));
        }
        if form.form.asks != Asks::New {
            return Ok(None);
        }
        for (connector, account) in found.iter().filter(|(_, a)| a.details.made_by.is_some()) {
            let problem = doubt(connector, account);
            let entry = aside(&holder.person, &no_name(form, &problem), Timestamp::MIN)?;
            // Settled: somebody has looked, and it is another's.
            if !self.store.read().is_settled(entry.id).await? {
                return Ok(Some(There::Doubtful(problem)));
            }
        }
        Ok(None)
    }
}

/// Why a form has no name yet, for people.
pub(super) fn no_name(form: &FiledForm, problem: &str) -> String {
    format!("form {}: {problem}", form.number)
}

fn bears(account: &ObservedAccount, name: &UserId) -> bool {
    account.user_ids().any(|id| id.folded() == name.folded())
}

/// Whether an account is what this form made, or one that is known to be the person's.
fn is_own(
    person: &Person,
    form: &FiledForm,
    (connector, account): (&ConnectorName, &ObservedAccount),
    name: &UserId,
) -> bool {
    if form.form.asks == Asks::New {
        let made_by = StepId::of_creation(form.case(), connector, name);
        return account.details.made_by == Some(made_by);
    }
    person.has_account(connector, &account.id)
}

fn doubt(connector: &ConnectorName, account: &ObservedAccount) -> String {
    format!(
        "the state was put back, and account {} in {connector} was made after the copy for a form that is not \
         known here: check whether it is this person's; if it is, take the form back, otherwise lapsed \
         set-aside settle",
        account.user_id
    )
}
