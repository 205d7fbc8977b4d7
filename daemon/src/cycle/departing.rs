//! Reads the accounts of those who depart and works out their changes.

use super::decide::{Decided, Departing, OPERATOR, Round};
use super::others::AccountSet;
use super::{Cycle, CycleError};
use crate::store::{StepFilter, StoredStep};
use futures_util::future::join_all;
use jiff::{Timestamp, tz::TimeZone};
use lapsed_connectors::contract::Observe;
use lapsed_connectors::settings::Ability;
use lapsed_core::facts::{
    Case, CaseId, ConnectorName, LinkedAccount, Notice, NoticeState, Person, PersonId, UserId,
};
use lapsed_core::guard::Proposed;
use lapsed_core::journal::StepState;
use lapsed_core::observed::{Observed, ObservedAccount, PersonKeys, Protection, Scope};
use lapsed_core::policy::departure::{linked_user_ids, worksite_class};
use lapsed_core::reconcile::{self, Departure, Reconciled};
use lapsed_core::standing::{Standing, standing};
use lapsed_core::step::{Action, Fault, StepId};
use lapsed_core::wishes::Wish;
use std::collections::HashMap;

/// A directory is asked for so many people in one go: some read all groups once for them.
const PEOPLE_A_QUESTION: usize = 2_000;

/// What could be read for one person.
#[derive(Debug, Clone, Copy)]
pub(super) struct Readable {
    /// Every target.
    pub(super) all: bool,
    /// Every directory: they decide on whether the person is shut out, and start the clocks (D2, D6).
    directories: bool,
}

/// Log-on names of accounts that a departure has shut. One of them may not be known as the person's: somebody
/// has released that it be shut, and what bears its name elsewhere is to be looked at too.
type NamesShut = HashMap<CaseId, Vec<UserId>>;

/// The accounts of one person, each with the target it is in.
pub(super) type Accounts = Vec<(ConnectorName, ObservedAccount)>;

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
            let cases = block.iter().map(|(_, case)| case.id).collect();
            let filter = StepFilter { cases, ..StepFilter::default() };
            // Before the accounts: a step that ends in between would look as if somebody had undone it.
            let steps = self.store.read().steps(&filter).await?;
            let shut = names_shut(&steps);
            let mut accounts = self.accounts_also_by(&shut, block, decided).await;
            let mut of_others = self.leave_to_others(block, &mut accounts).await?;
            let people: Vec<PersonId> = block.iter().map(|(person, _)| person.id).collect();
            // Where wishes can't be read, access ends all the same: what they protect is looked at again when
            // it is claimed, and those people stay marked.
            let wishes = self.store.read().wishes_of(&people).await;
            let wishes_known = wishes.is_ok();
            if let Err(error) = &wishes {
                tracing::error!(%error, "wishes can't be read; planned without them for now");
            }
            let wishes = wishes.unwrap_or_default();
            let journal: HashMap<StepId, StepState> =
                steps.into_iter().map(|s| (s.step.id, s.state)).collect();
            let first = (proposed.len(), work.len());
            for ((person, case), (accounts, readable)) in block.iter().zip(accounts) {
                let wishes: Vec<Wish> =
                    wishes.iter().filter(|wish| wish.person == person.id).cloned().collect();
                let readable = Readable { all: readable.all && wishes_known, ..readable };
                let (doubted, told) = of_others.remove(&person.id).unwrap_or_default();
                let found = (accounts, &doubted);
                match self.one((person, case, &wishes), found, readable, &journal, now) {
                    Ok((changes, mut departing)) => {
                        departing.attention.extend(told);
                        proposed.push(changes);
                        work.push(departing);
                    }
                    // One person whom a rule does not fit holds up nobody else, and stays marked.
                    Err(error) => {
                        tracing::error!(person = %person.shown(), %error, "departure not planned");
                    }
                }
            }
            self.tell_shared_homes(&proposed[first.0..], &mut work[first.1..]).await;
        }
        Ok((proposed, work))
    }

    /// For each person the accounts in every target that shows accounts, and what could be read for that
    /// person. Targets are asked side by side, and one that is away is asked once a round.
    pub(super) async fn accounts_of(
        &self,
        block: &[(Person, Case)],
        decided: &mut Decided,
    ) -> Vec<(Accounts, Readable)> {
        self.accounts_also_by(&NamesShut::new(), block, decided).await
    }

    async fn accounts_also_by(
        &self,
        shut: &NamesShut,
        block: &[(Person, Case)],
        decided: &mut Decided,
    ) -> Vec<(Accounts, Readable)> {
        let whole = Readable { all: true, directories: true };
        let mut all: Vec<(Accounts, Readable)> = vec![(Vec::new(), whole); block.len()];
        // What was refused for one person is asked for the next.
        let is_away = |fault: &Fault| matches!(fault, Fault::Retry(_) | Fault::Unknown(_));
        let away = decided.unreadable.iter().filter(|(_, fault)| is_away(fault));
        let away: Vec<ConnectorName> = away.map(|(name, _)| name.clone()).collect();
        let shows = |name| self.able(name, Ability::Accounts) || self.able(name, Ability::Access);
        let asked = self.eyes.0.iter().filter(|(name, _)| !away.contains(name) && shows(name));
        let answers =
            join_all(asked.map(|(name, eye)| self.ask((name, eye.as_ref()), block, shut))).await;
        for (name, found, fault) in answers {
            for ((accounts, readable), found) in all.iter_mut().zip(found) {
                match found {
                    Some(found) => accounts.extend(found),
                    None => self.unreadable(name, readable),
                }
            }
            match fault {
                Some(fault) => {
                    decided.answered.remove(name);
                    decided.unreadable.insert(name.clone(), fault);
                }
                None if !decided.unreadable.contains_key(name) => {
                    decided.answered.insert(name.clone());
                }
                None => {}
            }
        }
        for name in &away {
            all.iter_mut().for_each(|(_, readable)| self.unreadable(name, readable));
        }
        all
    }

    fn unreadable(&self, name: &ConnectorName, readable: &mut Readable) {
        readable.all = false;
        readable.directories &= !self.able(name, Ability::Accounts);
    }

    /// Asks one target for a block of people. Where the block is refused for one of them, each is asked
    /// for alone, so that one odd entry holds up nobody else.
    async fn ask<'a>(
        &self,
        (name, eye): (&'a ConnectorName, &dyn Observe),
        block: &[(Person, Case)],
        shut: &NamesShut,
    ) -> (&'a ConnectorName, Vec<Option<Accounts>>, Option<Fault>) {
        match self.ask_at_once((name, eye), block, shut).await {
            Ok(found) => (name, found.into_iter().map(Some).collect(), None),
            Err(fault @ (Fault::Retry(_) | Fault::Unknown(_))) => {
                (name, vec![None; block.len()], Some(fault))
            }
            Err(fault) => {
                let mut all = Vec::with_capacity(block.len());
                for one in block {
                    let found =
                        self.ask_at_once((name, eye), std::slice::from_ref(one), shut).await;
                    all.push(found.ok().and_then(|mut found| found.pop()));
                }
                (name, all, Some(fault))
            }
        }
    }

    async fn ask_at_once(
        &self,
        (name, eye): (&ConnectorName, &dyn Observe),
        block: &[(Person, Case)],
        shut: &NamesShut,
    ) -> Result<Vec<Accounts>, Fault> {
        let keys = block.iter().map(|(person, case)| {
            let mut keys = self.keys_of(person, name);
            keys.user_ids.extend(shut.get(&case.id).into_iter().flatten().cloned());
            keys
        });
        let keys: Vec<PersonKeys> = keys.collect();
        let observed = eye.observe(&Scope::People(keys.clone())).await?;
        let mut found: Vec<Accounts> = vec![Vec::new(); block.len()];
        distribute(name, &keys, &observed, &mut found);
        self.linked_accounts((name, eye), block, &mut found).await?;
        Ok(found)
    }

    /// Accounts whose names follow from those just found, or from a name that the person had before a rename
    /// (`adm-mzsmitj`): a second question.
    async fn linked_accounts(
        &self,
        (name, eye): (&ConnectorName, &dyn Observe),
        block: &[(Person, Case)],
        found: &mut [Accounts],
    ) -> Result<(), Fault> {
        let templates = &self.config.policy.departure.linked_accounts;
        if templates.is_empty() {
            return Ok(());
        }
        let mut keys = Vec::with_capacity(found.len());
        for (accounts, (person, _)) in found.iter().zip(block) {
            // A name that becomes too long to be one is nobody's account.
            let linked = |id: &UserId| linked_user_ids(templates, id).unwrap_or_default();
            let mut user_ids: Vec<UserId> = person.user_ids().iter().flat_map(linked).collect();
            for (_, account) in accounts {
                user_ids.extend(account.user_ids().flat_map(linked));
            }
            user_ids.retain(|id| {
                let mut known = accounts.iter().flat_map(|(_, account)| account.user_ids());
                !known.any(|own| own.folded() == id.folded())
            });
            keys.push(PersonKeys { user_ids, ..PersonKeys::default() });
        }
        if keys.iter().all(|k| k.user_ids.is_empty()) {
            return Ok(());
        }
        let observed = eye.observe(&Scope::People(keys.clone())).await?;
        distribute(name, &keys, &observed, found);
        Ok(())
    }

    /// By what a person's accounts are found, `adm-` accounts and the like included.
    pub(crate) fn keys_of(&self, person: &Person, target: &ConnectorName) -> PersonKeys {
        let mut user_ids = person.user_ids();
        let templates = &self.config.policy.departure.linked_accounts;
        for user_id in user_ids.clone() {
            user_ids.extend(linked_user_ids(templates, &user_id).unwrap_or_default());
        }
        PersonKeys {
            employee_numbers: person.numbers_ever(),
            user_ids,
            ids: person
                .accounts
                .iter()
                .filter(|a| &a.connector == target)
                .map(|a| a.id.clone())
                .collect(),
            homes: Vec::new(),
        }
    }

    fn one(
        &self,
        (person, case, wishes): (&Person, &Case, &[Wish]),
        (accounts, of_others): (Accounts, &AccountSet),
        readable: Readable,
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
            of_others,
            directories_read: readable.directories,
            worksite_class: class,
            policy: &self.config.policy,
            today: self.today(now),
            journal: &|id| journal.get(&id).cloned(),
            wishes,
            by_operator: decided_by_operator(person, &self.config.time_zone),
        })
        .map_err(CycleError::Rule)?;
        let departing = self.frozen(person, case, accounts, &reconciled, class, now, readable);
        let proposed = Proposed {
            case: case.id,
            person: person.id,
            noticed_at: standing_notices(person).map(|n| n.received_at).max().unwrap_or(now),
            by_operator: decided_by_operator(person, &self.config.time_zone),
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
        readable: Readable,
    ) -> Departing {
        let mut person = person.clone();
        let mut case = case.clone();
        for link in &reconciled.links {
            link_account(&mut person, link);
        }
        if reconciled.all_shut && case.disabled_on.is_none() && readable.directories {
            case.disabled_on = Some(self.today(now));
            case.worksite_class = Some(class);
        }
        let mut attention = reconciled.doubtful.clone();
        if readable.all {
            attention.extend(stuck(&person, &accounts));
        }
        for (name, account) in accounts {
            keep_picture(&mut case, &name, account);
        }
        Departing {
            person,
            case,
            attention,
            readable: readable.all,
            directories: readable.directories,
        }
    }
}

/// Keeps an account as it is before anything is taken from it (D3). Where it was given back since, as an end
/// was moved to a later day, the groups that came since are added.
pub(super) fn keep_picture(case: &mut Case, name: &ConnectorName, account: ObservedAccount) {
    let is_running = case.disabled_on.is_some();
    let known = case.before.iter_mut().find(|(of, known)| of == name && known.id == account.id);
    match known {
        None => case.before.push((name.clone(), account)),
        Some((_, known)) if account.enabled && !is_running => {
            let new = account
                .groups
                .into_iter()
                .filter(|group| known.groups.iter().all(|link| link.id != group.id));
            let new: Vec<_> = new.collect();
            known.groups.extend(new);
            // What is hidden or shut by now shows nothing of what was there before.
            let (known, new) = (&mut known.details.replaceable, account.details.replaceable);
            if !new.by_shutting.is_empty() {
                known.by_shutting = new.by_shutting;
            }
            if !new.by_hiding.is_empty() {
                known.by_hiding = new.by_hiding;
            }
        }
        Some(_) => {}
    }
}

/// Why nothing at all can be done about someone who has left, as a sentence for people.
fn stuck(person: &Person, accounts: &Accounts) -> Option<String> {
    let never =
        |account: &ObservedAccount| matches!(account.protection, Some(Protection::Never { .. }));
    if accounts.is_empty() {
        return Some(match person.accounts.last() {
            // A base or a filter that was changed shows nobody, and looks like an account that is gone.
            Some(known) => format!(
                "the person has left, and {} does not show account {} any more, which was theirs: look whether \
                 it was deleted, or whether the connector's bases or account_filter changed",
                known.connector, known.user_id
            ),
            None => "the person has left, and no account carries their employee number or user ID: look \
                     whether there is one under another number"
                .into(),
        });
    }
    accounts.iter().all(|(_, account)| never(account)).then(|| {
        "the person has left, and their only accounts are never touched (connectors.*.protected.never): \
         shut them by hand if they must be"
            .into()
    })
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

fn names_shut(steps: &[StoredStep]) -> NamesShut {
    let mut names = NamesShut::new();
    for stored in steps.iter().filter(|stored| stored.state.is_done()) {
        if let Action::Disable { .. } = stored.step.action {
            names.entry(stored.step.case).or_default().push(stored.step.expect.user_id.clone());
        }
    }
    names
}

fn fits(keys: &PersonKeys, account: &ObservedAccount) -> bool {
    keys.ids.contains(&account.id)
        || account.has_user_id_of(&keys.user_ids)
        || account.has_number_of(&keys.employee_numbers)
}

fn standing_notices(person: &Person) -> impl Iterator<Item = &Notice> {
    person.notices.iter().filter(|n| n.state == NoticeState::Standing)
}

/// Whether a standing notice was given by an operator, who named the person. One from before they were hired
/// again was about another departure, and vouches for none that a file brings.
pub(super) fn decided_by_operator(person: &Person, zone: &TimeZone) -> bool {
    let last_start = person.engagements.iter().filter_map(|engagement| engagement.starts_on).max();
    let is_of_now = |n: &Notice| last_start.is_none_or(|start| start <= n.speaks_until(zone));
    standing_notices(person).any(|n| n.source.as_str() == OPERATOR && is_of_now(n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapsed_core::facts::{EmployeeNumber, PersonName, StableId};
    use rstest::rstest;

    #[rstest]
    #[case::never_hired_again(None, true)]
    #[case::hired_before_it(Some("2024-01-01"), true)]
    #[case::hired_again_since(Some("2025-01-01"), false)]
    fn an_operators_word_is_about_the_departure_of_its_day(
        #[case] starts_on: Option<&str>,
        #[case] by_operator: bool,
    ) {
        let mut person = Person::new(lapsed_core::facts::PersonId(uuid::Uuid::from_u128(7)));
        let at: Timestamp = "2024-06-20T15:00:00Z".parse().unwrap();
        person.notices.push(Notice {
            source: lapsed_core::facts::SourceName::new(OPERATOR).unwrap(),
            about: lapsed_core::facts::About::Person,
            last_day: None,
            effective_at: at,
            for_cause: true,
            received_at: at,
            brought_by: "amalik".into(),
            state: NoticeState::Standing,
        });
        person.engagements.push(lapsed_core::facts::Engagement {
            source: lapsed_core::facts::SourceName::new("hr").unwrap(),
            employee_number: None,
            former_numbers: Vec::new(),
            user_id: None,
            record: String::new(),
            ordinal: 0,
            name: None,
            status: lapsed_core::facts::Status::Departed,
            starts_on: starts_on.map(|day| day.parse().unwrap()),
            ends_on: None,
            worksite: None,
            kind: None,
            supervisor: None,
        });
        assert_eq!(decided_by_operator(&person, &TimeZone::UTC), by_operator);
    }

    fn user_id(text: &str) -> UserId {
        UserId::new(text).unwrap()
    }

    fn number(text: &str) -> EmployeeNumber {
        EmployeeNumber::new(text).unwrap()
    }

    fn account() -> ObservedAccount {
        ObservedAccount {
            realm: lapsed_core::observed::Realm::Directory,
            held_in_trust: Vec::new(),
            details: lapsed_core::observed::Details::default(),
            id: StableId::new("a").unwrap(),
            user_id: user_id("mzsmitj"),
            other_user_ids: vec![user_id("john.smith")],
            place: "uid=mzsmitj".into(),
            enabled: true,
            employee_number: Some(number("00123")),
            other_employee_numbers: vec![number("E-77")],
            name: PersonName { last: "Smith".into(), first: "John".into(), preferred: None },
            description: None,
            home: None,
            uid_number: None,
            mail: None,
            protection: None,
            groups: Vec::new(),
        }
    }

    #[test]
    fn an_account_is_the_persons_by_any_of_its_names_and_numbers() {
        let by_name = |id: &str| PersonKeys { user_ids: vec![user_id(id)], ..Default::default() };
        let by_number =
            |n: &str| PersonKeys { employee_numbers: vec![number(n)], ..Default::default() };
        for keys in
            [by_name("MZSMITJ"), by_name("John.Smith"), by_number("00123"), by_number("e-77")]
        {
            assert!(fits(&keys, &account()), "{keys:?}");
        }
        assert!(!fits(&by_name("smith"), &account()));
        assert!(!fits(&by_number("E-78"), &account()));
    }
}
