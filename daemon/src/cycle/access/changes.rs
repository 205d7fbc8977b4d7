//! Between two nights: what those hold about whom something changed in a directory (S4).
//!
//! **Guarantees.** Nothing is taken for unchanged that a directory does not vouch for: where it can't tell, or
//! another copy of it answers than before, everything is looked at. Marks are moved on once what was found is
//! on record. Accounts that are nobody's, what is gone, and what is judged by how many there are (passwords,
//! disuse, groups to be left) are left to the night.

use super::nightly::{AT_ONCE, Extent, Nightly};
use super::{Cycle, CycleError};
use crate::store::{FormFilter, StepFilter};
use jiff::Timestamp;
use lapsed_connectors::contract::Observe;
use lapsed_core::access::finding::FindingKind;
use lapsed_core::access::form::FiledForm;
use lapsed_core::facts::{ConnectorName, GroupName, Person, PersonId, StableId};
use lapsed_core::observed::{Mark, ObservedAccount, PersonKeys, Scope, Since};
use lapsed_core::reconcile::auditing::{Audited, Auditing, audit};
use lapsed_core::step::Fault;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Up to where each directory was looked at, kept in memory: after a start everything is looked at once. A
/// directory without a mark can't tell what changed, and is looked at by night alone.
#[derive(Debug, Default)]
pub struct Marks(BTreeMap<ConnectorName, Option<Mark>>);

/// Where more accounts changed than these, as after a load or by a script, one listing of everything asks less of
/// the directory than looking each of them up with its groups.
const TOO_MANY: usize = 2_000;

/// What a directory says of changes.
enum Told {
    /// Accounts that changed since the mark, and the mark from which to go on.
    Changes(Mark, Vec<ObservedAccount>),
    /// It counts from now on, or can't tell at all.
    Begun(Option<Mark>),
}

/// Those about whom something changed, with all that is needed to judge them.
#[derive(Default)]
struct Concerned {
    ids: BTreeSet<PersonId>,
    /// They, and whoever might be taken for them.
    people: BTreeMap<PersonId, Person>,
    accounts: Vec<(ConnectorName, ObservedAccount)>,
    whole: BTreeSet<ConnectorName>,
}

impl Cycle {
    /// Looks at everybody about whom something changed since the marks; at everything where there are none, or
    /// where very many changed.
    ///
    /// # Errors
    /// When the state can't be read or written; the marks stay where they were.
    pub async fn audit_changes(
        &self,
        marks: &mut Marks,
        now: Timestamp,
    ) -> Result<Nightly, CycleError> {
        let (mut fresh, mut changed) = (BTreeMap::new(), Vec::new());
        let (mut unread, mut anew) = (BTreeMap::new(), false);
        for (name, eye) in self.directories() {
            let known = marks.0.get(name);
            if matches!(known, Some(None)) {
                continue;
            }
            let mark = known.and_then(Option::as_ref);
            match self.what_changed(name, eye.as_ref(), mark).await {
                Ok(Told::Changes(mark, accounts)) => {
                    anew |= accounts.len() > TOO_MANY;
                    fresh.insert(name.clone(), Some(mark));
                    changed.push((name.clone(), accounts));
                }
                Ok(Told::Begun(mark)) => {
                    anew |= mark.is_some();
                    fresh.insert(name.clone(), mark);
                }
                Err(fault) => drop(unread.insert(name.clone(), fault.to_string())),
            }
        }
        let nightly = match anew {
            true => self.audit_access(now).await?,
            false => self.audit_those(changed, unread, now).await?,
        };
        // Of what could not be read after all, nothing is known: the next look begins where this one did.
        fresh.retain(|name, mark| mark.is_none() || !nightly.unread.contains_key(name));
        marks.0.extend(fresh);
        Ok(nightly)
    }

    async fn what_changed(
        &self,
        name: &ConnectorName,
        eye: &dyn Observe,
        mark: Option<&Mark>,
    ) -> Result<Told, Fault> {
        let groups: Vec<GroupName> =
            self.config.policy.groups_of_systems(name).into_iter().collect();
        if let Some(mark) = mark {
            let since = Since { mark: Some(mark.clone()), groups: groups.clone() };
            let observed = eye.observe(&Scope::Changed(since)).await?;
            if let Some(mark) = observed.mark {
                return Ok(Told::Changes(mark, observed.accounts));
            }
        }
        let begun = eye.observe(&Scope::Changed(Since { mark: None, groups })).await?;
        Ok(Told::Begun(begun.mark))
    }

    async fn audit_those(
        &self,
        changed: Vec<(ConnectorName, Vec<ObservedAccount>)>,
        mut unread: BTreeMap<ConnectorName, String>,
        now: Timestamp,
    ) -> Result<Nightly, CycleError> {
        let concerned = self.concerned_by(&changed, &mut unread).await?;
        if concerned.ids.is_empty() {
            return Ok(Nightly { unread, ..Nightly::default() });
        }
        let audited = self.judged(&concerned, now).await?;
        let ids: Vec<PersonId> = concerned.ids.iter().copied().collect();
        let mut known = self.store.read().access_findings_of(&ids).await?;
        known.retain(|finding| {
            finding.connector.as_ref().is_some_and(|name| concerned.whole.contains(name))
        });
        let nightly = Nightly { audited, unread, ..Nightly::default() };
        self.put_on_record(nightly, known, &concerned.whole, Extent::Changes, now).await
    }

    /// Whose the changed accounts are, with all their accounts there: a directory that is silent meanwhile is
    /// looked at the next time.
    async fn concerned_by(
        &self,
        changed: &[(ConnectorName, Vec<ObservedAccount>)],
        unread: &mut BTreeMap<ConnectorName, String>,
    ) -> Result<Concerned, CycleError> {
        let mut concerned = Concerned::default();
        for (name, accounts) in changed {
            concerned.ids.extend(self.owners_of(name, accounts).await?);
        }
        let ids = concerned.ids.clone();
        self.read_people(&mut concerned, ids).await?;
        let people: Vec<Person> = concerned.people.values().cloned().collect();
        for (name, _) in changed {
            let Some(eye) = self.eyes.0.get(name) else { continue };
            match self.accounts_there(name, eye.as_ref(), &people).await {
                Ok(accounts) => {
                    // Who else has one of their names: an account is nobody's that might be either's.
                    let others = self.owners_of(name, &accounts).await?;
                    self.read_people(&mut concerned, others).await?;
                    let there = accounts.into_iter().map(|account| (name.clone(), account));
                    concerned.accounts.extend(there);
                    concerned.whole.insert(name.clone());
                }
                Err(fault) => drop(unread.insert(name.clone(), fault.to_string())),
            }
        }
        Ok(concerned)
    }

    async fn read_people(
        &self,
        concerned: &mut Concerned,
        mut ids: BTreeSet<PersonId>,
    ) -> Result<(), CycleError> {
        ids.retain(|id| !concerned.people.contains_key(id));
        let ids: Vec<PersonId> = ids.into_iter().collect();
        let read = self.store.read().people(&ids).await?;
        concerned.people.extend(read.into_iter().map(|person| (person.id, person)));
        Ok(())
    }

    async fn owners_of(
        &self,
        name: &ConnectorName,
        accounts: &[ObservedAccount],
    ) -> Result<BTreeSet<PersonId>, CycleError> {
        let ids: Vec<StableId> = accounts.iter().map(|account| account.id.clone()).collect();
        let numbers: Vec<_> =
            accounts.iter().flat_map(ObservedAccount::employee_numbers).cloned().collect();
        let user_ids: Vec<_> =
            accounts.iter().flat_map(ObservedAccount::user_ids).cloned().collect();
        let read = self.store.read();
        let mut owners = read.ids_by_account(name, &ids).await?;
        owners.extend(read.ids_by_keys(&numbers, &user_ids).await?);
        Ok(owners)
    }

    async fn accounts_there(
        &self,
        name: &ConnectorName,
        eye: &dyn Observe,
        people: &[Person],
    ) -> Result<Vec<ObservedAccount>, Fault> {
        let mut all = Vec::new();
        for block in people.chunks(AT_ONCE) {
            let keys: Vec<PersonKeys> =
                block.iter().map(|person| self.keys_of(person, name)).collect();
            let scope = match self.judges_groups_of(name) {
                true => Scope::People(keys),
                false => Scope::AccountsOf(keys),
            };
            all.extend(eye.observe(&scope).await?.accounts);
        }
        Ok(all)
    }

    async fn judged(&self, concerned: &Concerned, now: Timestamp) -> Result<Audited, CycleError> {
        let ids: Vec<PersonId> = concerned.ids.iter().copied().collect();
        let people: Vec<Person> = concerned.people.values().cloned().collect();
        let read = self.store.read();
        let mut forms: HashMap<PersonId, Vec<FiledForm>> = HashMap::new();
        let about = FormFilter { people: ids.clone(), ..FormFilter::default() };
        for filed in read.access_forms(&about).await? {
            forms.entry(filed.person).or_default().push(filed);
        }
        let mut steps = Vec::new();
        for some in ids.chunks(AT_ONCE) {
            let people = Some(some.to_vec());
            let filter = StepFilter { people, ended: Some(false), ..StepFilter::default() };
            steps.extend(read.steps(&filter).await?);
        }
        let baseline: Option<String> = read.setting(super::nightly::BASELINE).await?;
        let mut audited = audit(&Auditing {
            people: &people,
            accounts: &concerned.accounts,
            whole: &concerned.whole,
            with_groups: &concerned.whole,
            entitlements: &read.entitlements_of(&ids).await?,
            forms: &forms,
            suspensions: &read.suspensions_of(&ids).await?,
            under_way: &super::nightly::under_way(&steps),
            has_baseline: baseline.is_some(),
            policy: &self.config.policy,
            now,
            zone: &self.config.time_zone,
        });
        let theirs = |person: &PersonId| concerned.ids.contains(person);
        audited.findings.retain(|finding| {
            finding.kind != FindingKind::AccountWithoutPerson
                && finding.person.as_ref().is_some_and(theirs)
        });
        Ok(audited)
    }
}
