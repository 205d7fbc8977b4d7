//! What is known of those who would decide on a form, and of the form: the facts of who may (A2, A3).

use super::{Cycle, CycleError};
use crate::config::Role;
use crate::control::peer::MachineAccounts;
use crate::control::roles::Caller;
use crate::store::{Reader, StoreError};
use jiff::civil::Date;
use lapsed_core::access::authority::{Matter, Member};
use lapsed_core::access::chain::{self, Progress};
use lapsed_core::access::decision::Absence;
use lapsed_core::access::form::{AccessForm, Asks, FiledForm};
use lapsed_core::access::person;
use lapsed_core::facts::{Actor, Engagement, LocationId, Person, SystemName, SystemRole, UserId};
use lapsed_core::observed::{PersonKeys, Realm, Scope};
use std::collections::BTreeSet;
use std::time::Duration;

/// So long a directory is waited for when it is asked for somebody's groups: a person waits for the answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// An account of this machine that would decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: Actor,
    /// Its groups on this machine.
    pub groups: BTreeSet<String>,
    /// An operator of lapsed.
    pub operator: bool,
}

impl From<&Caller> for Account {
    fn from(caller: &Caller) -> Self {
        Self {
            name: caller.name.clone(),
            groups: caller.groups.clone(),
            operator: caller.may(Role::Operator),
        }
    }
}

/// A form with all that its decisions are held against.
#[derive(Debug, Clone)]
pub struct FormKnown {
    /// The form.
    pub filed: FiledForm,
    /// Whom it is about.
    pub person: Option<Person>,
    /// The facts that say who may decide.
    pub matter: Matter,
    /// How far it has come.
    pub progress: Progress,
}

impl Cycle {
    /// Somebody who would decide, with their groups in the directories as far as these can be asked.
    pub(crate) async fn member(&self, account: &Account) -> Result<Member, CycleError> {
        let mut also = Vec::new();
        if let Ok(user_id) = UserId::new(account.name.as_str()) {
            // Two people with one name are nobody's further accounts, but both are looked at.
            for person in self.store.read().people_by_keys(&[], &[user_id]).await? {
                also.extend(person.user_ids());
            }
        }
        let (directory_groups, unread) = self.directory_groups(&account.name).await;
        Ok(Member {
            name: account.name.clone(),
            also,
            machine_groups: account.groups.clone(),
            directory_groups,
            unread,
            operator: account.operator,
        })
    }

    /// Names of the groups that the live accounts of a log-on name are in, and what could not be asked.
    async fn directory_groups(&self, name: &Actor) -> (BTreeSet<String>, Vec<String>) {
        let (mut groups, mut unread) = (BTreeSet::new(), Vec::new());
        let rules = &self.config.policy.access.approvers;
        let Ok(user_id) = UserId::new(name.as_str()) else { return (groups, unread) };
        if rules.values().all(|rule| rule.groups.is_empty()) {
            return (groups, unread);
        }
        let keys = PersonKeys { user_ids: vec![user_id.clone()], ..PersonKeys::default() };
        let scope = Scope::People(vec![keys]);
        for (connector, eye) in self.directories() {
            let accounts = match tokio::time::timeout(PATIENCE, eye.observe(&scope)).await {
                Ok(Ok(observed)) => observed.accounts,
                Ok(Err(fault)) => {
                    tracing::warn!(%connector, %fault, "groups of a caller can't be read");
                    unread.push(format!("{connector} can't be read"));
                    continue;
                }
                Err(_) => {
                    unread.push(format!("{connector} does not answer"));
                    continue;
                }
            };
            let named = |other: &UserId| other.folded() == user_id.folded();
            let own = accounts.into_iter().filter(|account| {
                account.enabled
                    && account.realm == Realm::Directory
                    && account.user_ids().any(named)
            });
            groups.extend(own.flat_map(|account| account.groups).map(|group| group.name));
        }
        (groups, unread)
    }

    /// Those in whose place somebody decides today.
    pub(crate) async fn away_for(
        &self,
        deputy: &Actor,
        today: Date,
    ) -> Result<Vec<(Absence, Member)>, CycleError> {
        let mut all = self.store.read().absences(today).await?;
        all.retain(|absence| absence.deputy.folded() == deputy.folded() && absence.from <= today);
        let mut found = Vec::new();
        for absence in all {
            let account = self.account_of(&absence.away).await;
            let member = self.member(&account).await?;
            found.push((absence, member));
        }
        Ok(found)
    }

    /// An account of this machine by its name; one that the machine does not know has no groups here.
    async fn account_of(&self, name: &Actor) -> Account {
        let wanted = name.clone();
        // Names may come over the network: not on the runtime's own threads.
        let asked = tokio::task::spawn_blocking(move || MachineAccounts::of_name(&wanted));
        match asked.await.ok().flatten() {
            Some(identity) => Account::from(&Caller::new(identity, &self.config.control.roles)),
            None => Account { name: name.clone(), groups: BTreeSet::new(), operator: false },
        }
    }

    /// A form with its facts and how far it has come.
    pub(crate) async fn form_known(
        &self,
        read: &Reader<'_>,
        filed: FiledForm,
    ) -> Result<FormKnown, CycleError> {
        let person = read.person(filed.person).await?;
        let mut matter = self.matter(read, &filed.form, person.as_ref()).await?;
        matter.filed_by = Some(filed.filed_by.clone());
        matter.subject.extend(filed.reserved.clone());
        let decisions = read.decisions_on(&[filed.number]).await?;
        let parts = chain::parts(
            &filed.form,
            &self.included(&filed.form, person.as_ref()),
            &self.config.policy.access,
        );
        let progress = chain::progress(parts, &filed.hash, &decisions);
        Ok(FormKnown { filed, person, matter, progress })
    }

    /// What says who may decide on a form, but who filed it.
    ///
    /// HR's word on where somebody works and who supervises them goes before the form's: a form asserts
    /// nothing by itself. A move is decided on where the person goes to (N7).
    pub(crate) async fn matter(
        &self,
        read: &Reader<'_>,
        form: &AccessForm,
        person: Option<&Person>,
    ) -> Result<Matter, StoreError> {
        let engagement = engagement(person);
        let mut supervisors = Vec::new();
        if let Some(number) = engagement.and_then(|e| e.supervisor.clone()) {
            let known = read.people_by_keys(&[number], &[]).await?;
            // A number that two people have says nothing.
            if let [only] = &known[..] {
                supervisors = only.user_ids();
            } else if known.is_empty() {
                supervisors.extend(form.person.supervisor.clone());
            }
        } else {
            supervisors.extend(form.person.supervisor.clone());
        }
        let mut subject = person.map(Person::user_ids).unwrap_or_default();
        subject.extend(form.person.user_id.clone());
        subject.extend(form.old_user_id.clone());
        Ok(Matter {
            location: location(form, person),
            supervisors,
            subject,
            filed_by: None,
            requested_by: form.requested_by.clone(),
        })
    }

    /// The systems that come with a form `new` (A1), but those that the person's kind never gets by itself.
    pub(crate) fn included(
        &self,
        form: &AccessForm,
        person: Option<&Person>,
    ) -> Vec<(SystemName, Option<SystemRole>)> {
        if form.asks != Asks::New {
            return Vec::new();
        }
        let rules = &self.config.policy.access;
        let kinds = person::kinds(form, person, &self.config.policy);
        let location = location(form, person);
        let mut all: Vec<(SystemName, Option<SystemRole>)> = Vec::new();
        for included in &rules.included {
            let position = form.position.as_deref();
            let is_for = |kind| included.who.includes(kind, location.as_ref(), position);
            let theirs =
                kinds.iter().any(|kind| is_for(Some(kind))) || (kinds.is_empty() && is_for(None));
            if !theirs {
                continue;
            }
            for (system, role) in &included.systems {
                let may_have = rules.systems.get(system).is_some_and(|rule| {
                    let among = |list: &[_]| kinds.iter().any(|kind| list.contains(kind));
                    !among(&rule.never) && !among(&rule.only_by_exception)
                });
                let one = (system.clone(), role.clone());
                if may_have && !all.contains(&one) {
                    all.push(one);
                }
            }
        }
        all
    }
}

/// The newest engagement that goes on.
fn engagement(person: Option<&Person>) -> Option<&Engagement> {
    person.and_then(|person| person.engagements.iter().rev().find(|e| e.goes_on()))
}

/// Where the one works whom a form is about; where a move asks for, that place.
pub(crate) fn location(form: &AccessForm, person: Option<&Person>) -> Option<LocationId> {
    let goes = form.new_location.clone().filter(|_| form.asks == Asks::LocationChange);
    let works = || engagement(person).and_then(|e| e.worksite.clone());
    goes.or_else(works).or_else(|| form.person.location.clone())
}
