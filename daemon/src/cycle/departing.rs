//! Reads the accounts of those who depart and works out their changes.

use super::decide::{Decided, Departing, OPERATOR, Round};
use super::{Cycle, CycleError};
use crate::store::StepFilter;
use jiff::Timestamp;
use lapsed_connectors::contract::Observe;
use lapsed_core::facts::{Case, ConnectorName, LinkedAccount, NoticeState, Person};
use lapsed_core::guard::Proposed;
use lapsed_core::journal::StepState;
use lapsed_core::observed::{Observed, ObservedAccount, PersonKeys, Protection, Scope};
use lapsed_core::policy::departure::{linked_user_ids, worksite_class};
use lapsed_core::reconcile::{self, Departure, Reconciled};
use lapsed_core::standing::{Standing, standing};
use lapsed_core::step::{Fault, StepId};
use std::collections::HashMap;

/// A directory is asked for so many people in one go.
const PEOPLE_A_QUESTION: usize = 200;

/// The accounts of one person, each with the target it is in.
type Accounts = Vec<(ConnectorName, ObservedAccount)>;

impl Cycle {
    /// Observes and reconciles those who depart.
    pub(super) async fn propose(
        &self,
        departing: Vec<(Person, Case)>,
        now: Timestamp,
        decided: &mut Decided,
    ) -> Result<Round, CycleError> {
        let mut proposed = Vec::new();
        let mut work = Vec::new();
        for block in departing.chunks(PEOPLE_A_QUESTION) {
            let (accounts, readable) = self.accounts_of(block, decided).await?;
            let cases = block.iter().map(|(_, case)| case.id).collect();
            let filter = StepFilter { cases, ..StepFilter::default() };
            let steps = self.store.read().steps(&filter).await?;
            let journal: HashMap<StepId, StepState> =
                steps.into_iter().map(|s| (s.step.id, s.state)).collect();
            for ((person, case), accounts) in block.iter().zip(accounts) {
                let one = self.one(person, case, accounts, readable, &journal, now)?;
                proposed.push(one.0);
                work.push(one.1);
            }
        }
        Ok((proposed, work))
    }

    /// For each person the accounts in every readable target; false when a target could not be read.
    async fn accounts_of(
        &self,
        block: &[(Person, Case)],
        decided: &mut Decided,
    ) -> Result<(Vec<Accounts>, bool), CycleError> {
        let mut found: Vec<Accounts> = vec![Vec::new(); block.len()];
        let mut readable = true;
        for (name, eye) in &self.eyes.0 {
            let keys: Vec<PersonKeys> = block
                .iter()
                .map(|(person, _)| self.keys_of(person, name))
                .collect::<Result<_, _>>()?;
            let seen = match eye.observe(&Scope::People(keys.clone())).await {
                Ok(observed) => {
                    distribute(name, &keys, &observed, &mut found);
                    self.linked_accounts(name, eye.as_ref(), &mut found).await?
                }
                Err(fault) => Err(fault),
            };
            if let Err(fault) = seen {
                readable = false;
                decided.unreadable.insert(name.clone(), fault);
            }
        }
        Ok((found, readable))
    }

    /// Accounts whose names follow from those just found (`adm-mzsmitj`): a second question.
    async fn linked_accounts(
        &self,
        name: &ConnectorName,
        eye: &dyn Observe,
        found: &mut [Accounts],
    ) -> Result<Result<(), Fault>, CycleError> {
        let templates = &self.config.policy.departure.linked_accounts;
        if templates.is_empty() {
            return Ok(Ok(()));
        }
        let mut keys = Vec::with_capacity(found.len());
        for accounts in found.iter() {
            let mut user_ids = Vec::new();
            for (_, account) in accounts {
                let linked = linked_user_ids(templates, &account.user_id);
                user_ids.extend(linked.map_err(|e| CycleError::Rule(e.to_string()))?);
            }
            user_ids.retain(|id| !accounts.iter().any(|(_, a)| a.user_id.folded() == id.folded()));
            keys.push(PersonKeys { user_ids, ..PersonKeys::default() });
        }
        if keys.iter().all(|k| k.user_ids.is_empty()) {
            return Ok(Ok(()));
        }
        Ok(eye
            .observe(&Scope::People(keys.clone()))
            .await
            .map(|observed| distribute(name, &keys, &observed, found)))
    }

    /// By what a person's accounts are found, `adm-` accounts and the like included.
    pub(crate) fn keys_of(
        &self,
        person: &Person,
        target: &ConnectorName,
    ) -> Result<PersonKeys, CycleError> {
        let mut user_ids = person.user_ids();
        let templates = &self.config.policy.departure.linked_accounts;
        for user_id in user_ids.clone() {
            let linked = linked_user_ids(templates, &user_id);
            user_ids.extend(linked.map_err(|e| CycleError::Rule(e.to_string()))?);
        }
        Ok(PersonKeys {
            employee_numbers: person.employee_numbers(),
            user_ids,
            ids: person
                .accounts
                .iter()
                .filter(|a| &a.connector == target)
                .map(|a| a.id.clone())
                .collect(),
        })
    }

    fn one(
        &self,
        person: &Person,
        case: &Case,
        accounts: Accounts,
        readable: bool,
        journal: &HashMap<StepId, StepState>,
        now: Timestamp,
    ) -> Result<(Proposed, Departing), CycleError> {
        let worksite = match standing(person, now, &self.config.time_zone) {
            Standing::Left(end) | Standing::Leaving(end) => end.worksite,
            Standing::Employed | Standing::Unknown => None,
        };
        let class = case
            .worksite_class
            .unwrap_or_else(|| worksite_class(worksite.as_ref(), &self.config.policy.locations));
        let reconciled = reconcile::departure(&Departure {
            case,
            person,
            accounts: &accounts,
            worksite_class: class,
            policy: &self.config.policy,
            today: self.today(now),
            journal: &|id| journal.get(&id).cloned(),
            by_operator: decided_by_operator(person),
        })
        .map_err(CycleError::Rule)?;
        let departing = self.frozen(person, case, accounts, &reconciled, class, now, readable);
        let proposed = Proposed {
            case: case.id,
            person: person.id,
            // A target that can't be read holds up no other: its part follows when it is back.
            steps: reconciled.steps,
            findings: reconciled.findings,
            explanations: reconciled.explanations,
        };
        Ok((proposed, departing))
    }

    /// The person with the accounts found, and the case with what is frozen from now on.
    #[allow(clippy::too_many_arguments, reason = "each is a different fact of one departure")]
    fn frozen(
        &self,
        person: &Person,
        case: &Case,
        accounts: Accounts,
        reconciled: &Reconciled,
        class: lapsed_core::policy::departure::WorksiteClass,
        now: Timestamp,
        readable: bool,
    ) -> Departing {
        let mut person = person.clone();
        let mut case = case.clone();
        for link in &reconciled.links {
            link_account(&mut person, link);
        }
        if reconciled.all_shut && case.disabled_on.is_none() && readable {
            case.disabled_on = Some(self.today(now));
            case.worksite_class = Some(class);
        }
        let stuck = stuck(&accounts);
        for (name, account) in accounts {
            let known =
                |(n, a): &(ConnectorName, ObservedAccount)| *n == name && a.id == account.id;
            if !case.before.iter().any(known) {
                case.before.push((name, account));
            }
        }
        Departing { person, case, stuck, readable }
    }
}

/// Why nothing at all can be done about someone who has left, as a sentence for people.
fn stuck(accounts: &Accounts) -> Option<&'static str> {
    let never =
        |account: &ObservedAccount| matches!(account.protection, Some(Protection::Never { .. }));
    if accounts.is_empty() {
        return Some(
            "the person has left, and no account carries their employee number or user ID: look \
             whether there is one under another number",
        );
    }
    accounts.iter().all(|(_, account)| never(account)).then_some(
        "the person has left, and their only accounts are never touched (connectors.*.protected.never): \
         shut them by hand if they must be",
    )
}

fn link_account(person: &mut Person, link: &LinkedAccount) {
    match person.accounts.iter_mut().find(|a| a.connector == link.connector && a.id == link.id) {
        Some(known) => known.user_id = link.user_id.clone(),
        None => person.accounts.push(link.clone()),
    }
}

/// Gives each person the accounts that their own keys fit.
fn distribute(
    name: &ConnectorName,
    keys: &[PersonKeys],
    observed: &Observed,
    found: &mut [Accounts],
) {
    for (keys, accounts) in keys.iter().zip(found) {
        for account in &observed.accounts {
            let known = accounts.iter().any(|(n, a)| n == name && a.id == account.id);
            if fits(keys, account) && !known {
                accounts.push((name.clone(), account.clone()));
            }
        }
    }
}

fn fits(keys: &PersonKeys, account: &ObservedAccount) -> bool {
    keys.ids.contains(&account.id)
        || keys.user_ids.iter().any(|id| id.folded() == account.user_id.folded())
        || account.employee_number.as_ref().is_some_and(|number| {
            keys.employee_numbers.iter().any(|n| n.folded() == number.folded())
        })
}

/// Whether a standing notice was given by an operator, who named the person.
fn decided_by_operator(person: &Person) -> bool {
    person.notices.iter().any(|n| n.state == NoticeState::Standing && n.source.as_str() == OPERATOR)
}
