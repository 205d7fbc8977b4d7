//! Accounts that a key of one person leads to and that are somebody else's: HR mistypes numbers, corrects them
//! and passes them on (D1).

use super::departing::{Accounts, Readable};
use super::{Cycle, CycleError};
use lapsed_core::absorb::fold_name;
use lapsed_core::facts::{Case, ConnectorName, EmployeeNumber, Person, PersonId, StableId, UserId};
use lapsed_core::observed::{ObservedAccount, Protection, Realm};
use lapsed_core::policy::departure::linked_user_ids;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Accounts by their connector.
pub(super) type AccountSet = BTreeSet<(ConnectorName, StableId)>;

/// Of the accounts that one person's keys have found, those that are somebody else's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OfOthers {
    /// They stay as they are, and that is told.
    pub(super) left: AccountSet,
    /// They carry the number that the person has now, and the person has no account of their own there: whose
    /// they are is for somebody to say.
    pub(super) doubted: AccountSet,
}

impl OfOthers {
    /// Both.
    pub(super) fn all(&self) -> AccountSet {
        self.left.union(&self.doubted).cloned().collect()
    }
}

/// Who else has an account or a number.
#[derive(Default)]
struct Owners {
    by_account: HashMap<(ConnectorName, StableId), Vec<PersonId>>,
    /// Those who have the number in an engagement that goes on, by its folded text.
    by_number: HashMap<String, Vec<PersonId>>,
}

impl Cycle {
    /// Whose the accounts are that each person's keys have found, where they are not the person's.
    pub(super) async fn of_others(
        &self,
        block: &[(Person, Case)],
        all: &[(Accounts, Readable)],
    ) -> Result<HashMap<PersonId, OfOthers>, CycleError> {
        let mut asked: BTreeMap<ConnectorName, Vec<StableId>> = BTreeMap::new();
        let mut numbers: BTreeSet<EmployeeNumber> = BTreeSet::new();
        for ((person, _), (accounts, _)) in block.iter().zip(all) {
            for (name, account) in accounts.iter().filter(|(n, a)| !person.has_account(n, &a.id)) {
                asked.entry(name.clone()).or_default().push(account.id.clone());
                numbers.extend(only_former(person, account));
            }
        }
        let owners = self.others_with(asked, numbers.into_iter().collect()).await?;
        let mut found = HashMap::new();
        for ((person, case), (accounts, _)) in block.iter().zip(all) {
            let of_others = self.of_others_than((person, case), accounts, &owners);
            if of_others != OfOthers::default() {
                found.insert(person.id, of_others);
            }
        }
        Ok(found)
    }

    fn of_others_than(
        &self,
        (person, case): (&Person, &Case),
        accounts: &Accounts,
        owners: &Owners,
    ) -> OfOthers {
        let is_others = |(name, account): &&(ConnectorName, ObservedAccount)| {
            !person.has_account(name, &account.id) && owners.is_of_another(person, name, account)
        };
        let own = accounts.iter().filter(|found| !is_others(found));
        let own: BTreeSet<&ConnectorName> = own
            .filter(|(name, account)| self.is_main_account(person, (name, account)))
            .filter(|(_, account)| gave_access(case, account))
            .map(|(name, _)| name)
            .collect();
        let mut of_others = OfOthers::default();
        for (name, account) in accounts.iter().filter(is_others) {
            let is_doubtful =
                account.has_number_of(&person.employee_numbers()) && !own.contains(name);
            let set = if is_doubtful { &mut of_others.doubted } else { &mut of_others.left };
            set.insert((name.clone(), account.id.clone()));
        }
        self.add_those_beside(person, accounts, &mut of_others.left);
        of_others
    }

    /// Whether an account of a directory is certainly the person's, and not one beside it (`adm-…`).
    fn is_main_account(
        &self,
        person: &Person,
        (name, account): (&ConnectorName, &ObservedAccount),
    ) -> bool {
        let user_ids = person.user_ids();
        let is_beside = self.names_beside(&user_ids).contains(&account.user_id.folded());
        let named = || {
            let has_id = user_ids.iter().any(|id| id.folded() == account.user_id.folded());
            has_id
                && person
                    .name()
                    .is_some_and(|of| fold_name(&of.last) == fold_name(&account.name.last))
        };
        let is_theirs = || {
            person.has_account(name, &account.id)
                || account.has_number_of(&person.employee_numbers())
                || named()
        };
        let is_touched = !matches!(account.protection, Some(Protection::Never { .. }));
        account.realm == Realm::Directory && is_touched && !is_beside && is_theirs()
    }

    /// An account beside somebody else's (`adm-…`) is theirs too, unless something else leads to it.
    fn add_those_beside(&self, person: &Person, accounts: &Accounts, left: &mut AccountSet) {
        let is_left = |left: &AccountSet, name: &ConnectorName, account: &ObservedAccount| {
            left.contains(&(name.clone(), account.id.clone()))
        };
        let bases_of = |want_left: bool| {
            let of = accounts.iter().filter(|(n, a)| is_left(left, n, a) == want_left);
            of.flat_map(|(_, account)| account.user_ids().cloned()).collect::<Vec<_>>()
        };
        let theirs = self.names_beside(&bases_of(true));
        let mut own = self.names_beside(&[bases_of(false), person.user_ids()].concat());
        own.extend(person.user_ids().iter().map(|id| id.folded()));
        let beside: Vec<_> = accounts
            .iter()
            .filter(|(name, account)| {
                let id = account.user_id.folded();
                theirs.contains(&id)
                    && !own.contains(&id)
                    && !person.has_account(name, &account.id)
                    && !account.has_number_of(&person.employee_numbers())
            })
            .map(|(name, account)| (name.clone(), account.id.clone()))
            .collect();
        left.extend(beside);
    }

    /// Names of accounts beside those of these names (`adm-…`), folded.
    fn names_beside(&self, bases: &[UserId]) -> BTreeSet<String> {
        let templates = &self.config.policy.departure.linked_accounts;
        let beside = bases.iter().flat_map(|id| linked_user_ids(templates, id).unwrap_or_default());
        beside.map(|id| id.folded()).collect()
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
                for link in person.accounts.into_iter().filter(|link| link.connector == name) {
                    let account = (link.connector, link.id);
                    owners.by_account.entry(account).or_default().push(person.id);
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
    /// is doubted of each, and what people have to be told.
    pub(super) async fn leave_to_others(
        &self,
        block: &[(Person, Case)],
        all: &mut [(Accounts, Readable)],
    ) -> Result<HashMap<PersonId, (AccountSet, Option<String>)>, CycleError> {
        let mut known = HashMap::new();
        let mut of_others = self.of_others(block, all).await?;
        for ((person, _), (accounts, _)) in block.iter().zip(all.iter_mut()) {
            let Some(others) = of_others.remove(&person.id) else { continue };
            let is_left = |(name, account): &(ConnectorName, ObservedAccount)| {
                others.left.contains(&(name.clone(), account.id.clone()))
            };
            // Of one that gives no access there is nothing to be looked at: numbers are used again.
            let gives = |account: &ObservedAccount| account.enabled || !account.groups.is_empty();
            let shown: Vec<String> = accounts
                .iter()
                .filter(|found| is_left(found) && gives(&found.1))
                .map(|(name, account)| format!("{} in {name}", account.user_id))
                .collect();
            accounts.retain(|found| !is_left(found));
            let told = (!shown.is_empty()).then(|| {
                format!(
                    "a number or user ID of theirs leads to {}, known to be somebody else's: it stays as it is; \
                     look whose it is, and correct the number on it",
                    shown.join(", ")
                )
            });
            known.insert(person.id, (others.doubted, told));
        }
        Ok(known)
    }
}

impl Owners {
    fn is_of_another(
        &self,
        person: &Person,
        name: &ConnectorName,
        account: &ObservedAccount,
    ) -> bool {
        let is_another = |ids: Option<&Vec<PersonId>>| {
            ids.is_some_and(|ids| ids.iter().any(|id| *id != person.id))
        };
        is_another(self.by_account.get(&(name.clone(), account.id.clone())))
            || only_former(person, account)
                .into_iter()
                .any(|number| is_another(self.by_number.get(&number.folded())))
    }
}

/// Whether the account gives access, or did before this departure took it.
fn gave_access(case: &Case, account: &ObservedAccount) -> bool {
    let before = case.before.iter().find(|(_, before)| before.id == account.id);
    account.enabled || before.is_some_and(|(_, before)| before.enabled)
}

/// Numbers on the account that the person had before, where it has none that they have now.
fn only_former(person: &Person, account: &ObservedAccount) -> Vec<EmployeeNumber> {
    if account.has_number_of(&person.employee_numbers()) {
        return Vec::new();
    }
    let ever = person.numbers_ever();
    let is_theirs = |own: &&EmployeeNumber| ever.iter().any(|n| n.folded() == own.folded());
    account.employee_numbers().filter(is_theirs).cloned().collect()
}
