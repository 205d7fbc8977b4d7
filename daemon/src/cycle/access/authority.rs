//! What is known of those who would decide on a form, and of the form: the facts of who may (A2, A3).

use super::{Cycle, CycleError};
use crate::config::Role;
use crate::control::peer::MachineAccounts;
use crate::control::roles::Caller;
use crate::store::{FormFilter, Reader, StoreError};
use futures_util::future::join_all;
use jiff::civil::Date;
use lapsed_core::access::authority::{Matter, Member};
use lapsed_core::access::chain::{self, Progress};
use lapsed_core::access::decision::Absence;
use lapsed_core::access::form::{AccessForm, Asks, FiledForm, FormState};
use lapsed_core::access::person;
use lapsed_core::facts::{
    Actor, ConnectorName, EmployeeNumber, Engagement, LocationId, Person, SystemName, SystemRole,
    UserId,
};
use lapsed_core::observed::{PersonKeys, Realm, Scope};
use lapsed_core::reconcile::granting::whereabouts;
use std::collections::{BTreeMap, BTreeSet, HashMap};
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
    /// What decisions on it are bound to now.
    pub binding: String,
    /// How far it has come.
    pub progress: Progress,
}

/// Names of groups, and why some could not be read.
type Groups = (BTreeSet<String>, Vec<String>);

/// What directories said of who is in which groups, for one round or one question of a person. A directory
/// that did not answer is not waited for once more.
#[derive(Debug, Default)]
pub struct GroupsAsked {
    known: HashMap<String, Groups>,
    away: BTreeMap<ConnectorName, String>,
}

/// Systems that come by themselves, each in its role.
type Included = Vec<(SystemName, Option<SystemRole>)>;

impl Cycle {
    /// Somebody who would decide, with their groups in the directories as far as these can be asked. What
    /// was asked before is not asked again. Never called within a transaction: targets may be slow.
    pub(crate) async fn member(
        &self,
        account: &Account,
        asked: &mut GroupsAsked,
    ) -> Result<Member, CycleError> {
        let mut also = Vec::new();
        if let Ok(user_id) = UserId::new(account.name.as_str()) {
            // Two people with one name are nobody's further accounts, but both are looked at.
            for person in self.store.read().people_by_keys(&[], &[user_id]).await? {
                also.extend(person.user_ids());
            }
        }
        let (directory_groups, unread) = self.directory_groups(&account.name, asked).await;
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
    async fn directory_groups(&self, name: &Actor, asked: &mut GroupsAsked) -> Groups {
        let rules = &self.config.policy.access.approvers;
        let Ok(user_id) = UserId::new(name.as_str()) else { return Groups::default() };
        if rules.values().all(|rule| rule.groups.is_empty()) {
            return Groups::default();
        }
        if let Some(known) = asked.known.get(&user_id.folded()) {
            return known.clone();
        }
        let keys = PersonKeys { user_ids: vec![user_id.clone()], ..PersonKeys::default() };
        let scope = Scope::People(vec![keys]);
        let answering = self.directories().filter(|(name, _)| !asked.away.contains_key(*name));
        let answers = join_all(answering.map(|(connector, eye)| {
            let scope = &scope;
            async move { (connector, tokio::time::timeout(PATIENCE, eye.observe(scope)).await) }
        }));
        let mut groups = BTreeSet::new();
        for (connector, answer) in answers.await {
            let accounts = match answer {
                Ok(Ok(observed)) => observed.accounts,
                Ok(Err(fault)) => {
                    tracing::warn!(%connector, %fault, "groups of a caller can't be read");
                    asked.away.insert(connector.clone(), format!("{connector} can't be read"));
                    continue;
                }
                Err(_) => {
                    tracing::warn!(%connector, "groups of a caller can't be read: no answer");
                    asked.away.insert(connector.clone(), format!("{connector} does not answer"));
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
        let found = (groups, asked.away.values().cloned().collect());
        asked.known.insert(user_id.folded(), found.clone());
        found
    }

    /// Those in whose place somebody decides today.
    pub(crate) async fn away_for(
        &self,
        deputy: &Actor,
        today: Date,
        asked: &mut GroupsAsked,
    ) -> Result<Vec<(Absence, Member)>, CycleError> {
        let mut all = self.store.read().absences(today).await?;
        all.retain(|absence| absence.deputy.folded() == deputy.folded() && absence.from <= today);
        let mut found = Vec::new();
        for absence in all {
            let account = self.account_of(&absence.away).await;
            let member = self.member(&account, asked).await?;
            found.push((absence, member));
        }
        Ok(found)
    }

    /// An account of this machine by its name; one that the machine does not know has no groups here.
    pub(crate) async fn account_of(&self, name: &Actor) -> Account {
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
        let included = self.comes_with(read, &filed, person.as_ref()).await?;
        let parts = chain::parts(&filed.form, &included, &self.config.policy.access);
        let binding = chain::binding(&filed.hash, &parts, matter.location.as_ref());
        // What was decided stays as it was decided, whatever becomes of rules and people.
        let decided = decisions.last().filter(|_| filed.state != FormState::Waiting);
        let binding = decided.map_or(binding, |said| said.hash.clone());
        let progress = chain::progress(parts, &binding, &decisions);
        Ok(FormKnown { filed, person, matter, binding, progress })
    }

    /// What says who may decide on a form, but who filed it.
    ///
    /// HR's word on who supervises somebody goes before the form's: a form asserts nothing by itself, and of
    /// a form that nobody approved nothing is HR's word. A move is decided on where the person goes to (N7).
    pub(crate) async fn matter(
        &self,
        read: &Reader<'_>,
        form: &AccessForm,
        person: Option<&Person>,
    ) -> Result<Matter, StoreError> {
        let (mut supervisors, mut supervisor_unclear) = (Vec::new(), None);
        if let Some(number) = self.supervisor_on_record(read, person).await? {
            // A number that nobody or that two people have says nothing; nor does the form in its place.
            match &read.people_by_keys(&[number], &[]).await?[..] {
                [only] => supervisors = only.user_ids(),
                [] => {
                    supervisor_unclear = Some("HR names a supervisor who is not known here".into())
                }
                _ => supervisor_unclear = Some("two people have the supervisor's number".into()),
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
            supervisor_unclear,
            subject,
            filed_by: None,
            requested_by: form.requested_by.clone(),
        })
    }

    /// The number of the supervisor whom HR names, or a form `new` that was approved.
    async fn supervisor_on_record(
        &self,
        read: &Reader<'_>,
        person: Option<&Person>,
    ) -> Result<Option<EmployeeNumber>, StoreError> {
        let (Some(person), Some(engagement)) = (person, engagement(person)) else {
            return Ok(None);
        };
        let Some(number) = engagement.supervisor.clone() else { return Ok(None) };
        if engagement.source.as_str() != person::SOURCE {
            return Ok(Some(number));
        }
        let filter = FormFilter {
            people: vec![person.id],
            states: vec![FormState::Approved, FormState::InPlace],
            ..FormFilter::default()
        };
        let approved = read.access_forms(&filter).await?;
        let took_on = approved.iter().any(|filed| filed.form.asks == Asks::New);
        Ok(took_on.then_some(number))
    }

    /// The systems that come with a form: with the access itself (A1), or with another location (D11).
    async fn comes_with(
        &self,
        read: &Reader<'_>,
        filed: &FiledForm,
        person: Option<&Person>,
    ) -> Result<Included, CycleError> {
        let form = &filed.form;
        match (form.asks, person) {
            (Asks::New, _) => Ok(self.included(form, person, form.position.as_deref())),
            (Asks::LocationChange, Some(person)) => {
                self.comes_with_place(read, filed, person).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The systems of another location, but those that the person holds already and that give the same there.
    async fn comes_with_place(
        &self,
        read: &Reader<'_>,
        filed: &FiledForm,
        person: &Person,
    ) -> Result<Included, CycleError> {
        let filter = FormFilter { people: vec![person.id], ..FormFilter::default() };
        let mut forms = read.access_forms(&filter).await?;
        let mut held = read.entitlements_of(&[person.id]).await?;
        let after = whereabouts(person, &forms, &held, Some(filed.number));
        forms.retain(|other| other.number < filed.number);
        let before = whereabouts(person, &forms, &held, None);
        held.retain(|one| one.state.counts() && one.form < filed.number);
        let policy = &self.config.policy;
        let gives_the_same = |system: &SystemName, role: Option<&SystemRole>| {
            let Some(rule) = policy.access.systems.get(system) else { return false };
            let at = |location: Option<&LocationId>| {
                policy.groups_given((system.as_str(), rule), role, location, after.kind.as_ref())
            };
            match (at(before.location.as_ref()), at(after.location.as_ref())) {
                (Ok(here), Ok(there)) => here == there,
                _ => false,
            }
        };
        let mut comes = self.included(&filed.form, Some(person), after.position.as_deref());
        comes.retain(|(system, role)| {
            let holds = held.iter().any(|one| one.system == *system && one.role == *role);
            !holds || !gives_the_same(system, role.as_ref())
        });
        Ok(comes)
    }

    /// The systems that come with where somebody works, what they are and do, but those that their kind never
    /// gets by itself.
    pub(crate) fn included(
        &self,
        form: &AccessForm,
        person: Option<&Person>,
        position: Option<&str>,
    ) -> Included {
        let rules = &self.config.policy.access;
        let kinds = person::kinds(form, person, &self.config.policy);
        let location = location(form, person);
        let mut all = Included::new();
        for included in &rules.included {
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

/// The newest engagement that goes on; of somebody who left, the newest.
fn engagement(person: Option<&Person>) -> Option<&Engagement> {
    let all = &person?.engagements;
    all.iter().rev().find(|e| e.goes_on()).or(all.last())
}

/// Where the one works whom a form is about: the place by which names and groups are given, too. A form `new`
/// says it itself (one that goes against what is known is not taken), and a move where it goes to.
pub(crate) fn location(form: &AccessForm, person: Option<&Person>) -> Option<LocationId> {
    let said = form.person.location.clone();
    let works = || person.and_then(person::worksite).cloned();
    match form.asks {
        Asks::New => said.or_else(works),
        Asks::LocationChange => form.new_location.clone().or_else(works).or(said),
        _ => works().or(said),
    }
}
