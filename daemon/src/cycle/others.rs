//! Accounts that a key of one person leads to and that are somebody else's: HR mistypes numbers, corrects them
//! and passes them on (D1).

use super::departing::{Accounts, Readable};
use super::{Cycle, CycleError};
use lapsed_core::facts::{Case, ConnectorName, EmployeeNumber, Person, PersonId, StableId};
use lapsed_core::observed::ObservedAccount;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What is somebody else's, by the person whose keys lead to it.
pub(super) type OfOthers = HashMap<PersonId, BTreeSet<(ConnectorName, StableId)>>;

/// Who else has an account or a number.
#[derive(Default)]
struct Owners {
    by_account: HashMap<(ConnectorName, StableId), Vec<Owner>>,
    /// Those who have the number in an engagement that goes on, by its folded text.
    by_number: HashMap<String, Vec<PersonId>>,
}

#[derive(Clone, Copy)]
struct Owner {
    id: PersonId,
    works_here: bool,
}

impl Cycle {
    /// Of the accounts that each person's keys have found, those that are somebody else's.
    pub(super) async fn of_others(
        &self,
        block: &[(Person, Case)],
        all: &[(Accounts, Readable)],
    ) -> Result<OfOthers, CycleError> {
        let found = unlinked(block, all);
        let mut asked: BTreeMap<ConnectorName, Vec<StableId>> = BTreeMap::new();
        let mut numbers: BTreeSet<EmployeeNumber> = BTreeSet::new();
        for (person, name, account) in &found {
            asked.entry((*name).clone()).or_default().push(account.id.clone());
            numbers.extend(only_former(person, account));
        }
        let owners = self.others_with(asked, numbers.into_iter().collect()).await?;
        let mut of_others = OfOthers::new();
        for (person, name, account) in found {
            if owners.is_of_another(person, name, account) {
                let theirs = of_others.entry(person.id).or_default();
                theirs.insert((name.clone(), account.id.clone()));
            }
        }
        Ok(of_others)
    }

    async fn others_with(
        &self,
        accounts: BTreeMap<ConnectorName, Vec<StableId>>,
        numbers: Vec<EmployeeNumber>,
    ) -> Result<Owners, CycleError> {
        let mut owners = Owners::default();
        let read = self.store.read();
        for (name, ids) in accounts {
            for person in read.people_by_account(&name, &ids).await? {
                let works_here = person.engagements.iter().any(|e| e.goes_on());
                let owner = Owner { id: person.id, works_here };
                for link in person.accounts.into_iter().filter(|link| link.connector == name) {
                    owners.by_account.entry((link.connector, link.id)).or_default().push(owner);
                }
            }
        }
        if numbers.is_empty() {
            return Ok(owners);
        }
        for person in read.people_by_keys(&numbers, &[]).await? {
            for engagement in person.engagements.iter().filter(|e| e.goes_on()) {
                if let Some(number) = &engagement.employee_number {
                    owners.by_number.entry(number.folded()).or_default().push(person.id);
                }
            }
        }
        Ok(owners)
    }

    /// Takes what is somebody else's from what each person's keys have found: it stays as it is. Gives what
    /// people have to be told of it.
    pub(super) async fn leave_to_others(
        &self,
        block: &[(Person, Case)],
        all: &mut [(Accounts, Readable)],
    ) -> Result<HashMap<PersonId, String>, CycleError> {
        let of_others = self.of_others(block, all).await?;
        let mut told = HashMap::new();
        for ((person, _), (accounts, _)) in block.iter().zip(all.iter_mut()) {
            let Some(others) = of_others.get(&person.id) else { continue };
            let is_theirs = |(name, account): &(ConnectorName, ObservedAccount)| {
                others.contains(&(name.clone(), account.id.clone()))
            };
            let shown: Vec<String> = accounts
                .iter()
                .filter(|found| is_theirs(found))
                .map(|(name, account)| format!("{} in {name}", account.user_id))
                .collect();
            accounts.retain(|found| !is_theirs(found));
            told.insert(
                person.id,
                format!(
                    "a number or user ID of theirs leads to {}, known to be somebody else's: it stays as it is; \
                     look whose it is, and correct the number on it",
                    shown.join(", ")
                ),
            );
        }
        Ok(told)
    }
}

impl Owners {
    fn is_of_another(
        &self,
        person: &Person,
        name: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        let linked = self.by_account.get(&(name.clone(), account.id.clone()));
        let mut linked = linked.into_iter().flatten().filter(|owner| owner.id != person.id);
        if has_number_of(person, account) {
            // Of one who left long ago the link may be stale, and the number be passed on since.
            return linked.any(|owner| owner.works_here);
        }
        let passed_on = |number: EmployeeNumber| {
            let now = self.by_number.get(&number.folded());
            now.is_some_and(|now| now.iter().any(|id| *id != person.id))
        };
        linked.next().is_some() || only_former(person, account).into_iter().any(passed_on)
    }
}

/// The accounts that are not linked to the person whose keys have found them.
fn unlinked<'a>(
    block: &'a [(Person, Case)],
    all: &'a [(Accounts, Readable)],
) -> Vec<(&'a Person, &'a ConnectorName, &'a ObservedAccount)> {
    let mut found = Vec::new();
    for ((person, _), (accounts, _)) in block.iter().zip(all) {
        let unknown = accounts.iter().filter(|(name, a)| !is_linked(person, name, a));
        found.extend(unknown.map(|(name, account)| (person, name, account)));
    }
    found
}

fn is_linked(person: &Person, name: &ConnectorName, account: &ObservedAccount) -> bool {
    person.accounts.iter().any(|link| &link.connector == name && link.id == account.id)
}

fn has_number_of(person: &Person, account: &ObservedAccount) -> bool {
    let numbers = person.employee_numbers();
    account.employee_numbers().any(|own| numbers.iter().any(|n| n.folded() == own.folded()))
}

/// Numbers on the account that the person had before, where it has none that they have now.
fn only_former(person: &Person, account: &ObservedAccount) -> Vec<EmployeeNumber> {
    if has_number_of(person, account) {
        return Vec::new();
    }
    let ever = person.numbers_ever();
    let is_theirs = |own: &&EmployeeNumber| ever.iter().any(|n| n.folded() == own.folded());
    account.employee_numbers().filter(is_theirs).cloned().collect()
}
