//! Plans what approved forms give, and what ends (A1, A3, N5, N7, D10, D11).
//!
//! **Flow.** Whoever has something approved that is not in place, or something ending that is not gone, is
//! looked at: the accounts are read, in one question for many people; `core` works out what is missing; the
//! steps are stored with the case and the plan of the form that asks for them. What the targets show by then
//! as whole is in place, and told.
//!
//! **Guarantees.** Log-on names are set apart before an account is planned, and never come back. A form has
//! its own approvals, so that no limit on masses is asked: each form is a plan of its own, which is held only
//! for what was found with it. Nothing is planned for somebody whose departure is in effect. A target that
//! can't be read holds up what concerns it, and nothing else.

mod ended;
mod finished;
mod opener;
mod reserve;
mod since_copy;
mod store;

use super::{Cycle, CycleError};
use crate::cycle::decide::Decided;
use crate::cycle::departing::Accounts;
use crate::cycle::others::OfOthers;
use crate::store::{CaseFilter, FormFilter, StepFilter, StoredStep};
use futures_util::future::join_all;
use jiff::Timestamp;
use lapsed_connectors::settings::Ability;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::FiledForm;
use lapsed_core::access::suspension::Suspension;
use lapsed_core::facts::{
    Case, CaseId, CaseKind, CaseState, ConnectorName, GroupName, Person, PersonId,
};
use lapsed_core::observed::Scope;
use lapsed_core::plan::{Plan, PlanState};
use lapsed_core::reconcile::granting::{
    FormFacts, Granted, Granting, KnownGroups, Reach, granting, shut_here, wanted_groups,
};
use lapsed_core::step::Fault;
use reserve::Taken;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A target is asked for so many people in one go.
const PEOPLE_A_QUESTION: usize = 200;

/// One person whose access is looked at, with all that is stored of it.
struct Holder {
    person: Person,
    forms: Vec<FiledForm>,
    entitlements: Vec<Entitlement>,
}

/// What came of one look.
struct Looked {
    holder: Holder,
    accounts: Accounts,
    granted: Granted,
    /// Something could not be read: it is looked at again soon.
    unread: bool,
}

/// Those who lose something: that goes on while giving is paused, and whatever is planned beside it waits.
fn losing(mut holders: Vec<Holder>) -> Vec<Holder> {
    let loses = |held: &Entitlement| held.state == EntitlementState::Ending;
    holders.retain(|holder| holder.entitlements.iter().any(loses));
    holders
}

impl Cycle {
    /// Plans what approved forms give, and what ends; gives the plans, for whoever rehearses.
    pub(in crate::cycle) async fn grant(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(Plan, PlanState)>, CycleError> {
        self.end_what_is_over(now).await?;
        let paused = self.store.read().pauses().await?.giving.is_some();
        let people = self.store.read().people_to_grant(now).await?;
        let (mut decided, mut taken) = (Decided::default(), Taken::default());
        let mut plans = Vec::new();
        for block in people.chunks(PEOPLE_A_QUESTION) {
            let holders = self.access_holders(block, now).await?;
            let holders = if paused {
                losing(holders)
            } else {
                self.reserve(holders, (&mut taken, &mut decided), now).await?
            };
            let looked = self.look_at_holders(holders, (&mut taken, &mut decided), now).await?;
            plans.extend(self.store_granted(looked, now).await?);
        }
        Ok(plans)
    }

    /// Everything that is stored of some people's access. Whoever's departure is in effect is left out.
    async fn access_holders(
        &self,
        people: &[PersonId],
        now: Timestamp,
    ) -> Result<Vec<Holder>, CycleError> {
        let leaving = self.leavers(people).await?;
        let people: Vec<PersonId> =
            people.iter().copied().filter(|id| !leaving.contains(id)).collect();
        self.move_what_is_held(&people, now).await?;
        let read = self.store.read();
        let mut forms: HashMap<PersonId, Vec<FiledForm>> = HashMap::new();
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let filter = FormFilter { people: people.clone(), ..FormFilter::default() };
        for form in read.access_forms(&filter).await? {
            forms.entry(form.person).or_default().push(form);
        }
        let mut held: HashMap<PersonId, Vec<Entitlement>> = HashMap::new();
        for entitlement in read.entitlements_of(&people).await? {
            held.entry(entitlement.person).or_default().push(entitlement);
        }
        let holder = |person: Person| Holder {
            forms: forms.remove(&person.id).unwrap_or_default(),
            entitlements: held.remove(&person.id).unwrap_or_default(),
            person,
        };
        Ok(read.people(&people).await?.into_iter().map(holder).collect())
    }

    /// Those of some people whose departure is in effect: nothing is given to them any more (D2).
    async fn leavers(&self, people: &[PersonId]) -> Result<BTreeSet<PersonId>, CycleError> {
        if people.is_empty() {
            return Ok(BTreeSet::new());
        }
        let filter = CaseFilter {
            people: Some(people.to_vec()),
            states: vec![CaseState::Open],
            ..CaseFilter::default()
        };
        let cases = self.store.read().cases(&filter).await?;
        Ok(cases.into_iter().map(|case| case.person).collect())
    }

    /// Reads the targets and works out what is missing.
    async fn look_at_holders(
        &self,
        holders: Vec<Holder>,
        (taken, decided): (&mut Taken, &mut Decided),
        now: Timestamp,
    ) -> Result<Vec<Looked>, CycleError> {
        if holders.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<(Person, Case)> =
            holders.iter().map(|h| (h.person.clone(), nobodys_case(h.person.id, now))).collect();
        // Before the accounts: what is done by then is to be seen there. Read after them, a step that ends
        // in between would look as if somebody had undone it.
        let journal = self.journal_of(&holders).await?;
        let journal = journal.into_iter().map(|s| (s.step.id, (s.step, s.state))).collect();
        let accounts = self.accounts_of(&asked, decided).await;
        let of_others = self.of_others(&asked, &accounts).await?;
        let (groups, unasked) = self.find_groups(&holders, decided).await?;
        // And after them: whatever is shut by then may be so by our own hand.
        let steps = self.journal_of(&holders).await?;
        let begun = steps.iter().map(|s| (&s.step, &s.state, s.first_started_at));
        let shut_here = shut_here(begun);
        let (facts, mut addressless) = self.known_of_forms(&holders).await?;
        let numbers = self.numbers_of(&holders, (taken, decided), now).await?;
        let suspended = self.suspended_targets(&holders, now).await?;
        let mut all = Vec::new();
        for (holder, (accounts, readable)) in holders.into_iter().zip(accounts) {
            let id = holder.person.id;
            let targets = self.grant_targets(decided, readable.all, &unasked);
            let unread = targets.values().any(|reach| !reach.readable);
            let granted = granting(&Granting {
                person: &holder.person,
                forms: &holder.forms,
                facts: &facts,
                entitlements: &holder.entitlements,
                accounts: &accounts,
                of_others: &of_others.get(&id).map(OfOthers::all).unwrap_or_default(),
                targets: &targets,
                groups: &groups,
                uid_number: numbers.get(&id).copied(),
                shut_here: &shut_here,
                suspended: suspended.get(&id).unwrap_or(&BTreeSet::new()),
                policy: &self.config.policy,
                today: self.today(now),
                journal: &journal,
            });
            let granted = addressless.remove(&id).map_or(granted, Err);
            match granted {
                Ok(granted) => all.push(Looked { holder, accounts, granted, unread }),
                // One person whom a rule does not fit holds up nobody else.
                Err(problem) => {
                    let mut granted = Granted { stuck: true, ..Granted::default() };
                    granted.doubtful.insert(format!("access can't be given: {problem}"));
                    all.push(Looked { holder, accounts, granted, unread });
                }
            }
        }
        Ok(all)
    }

    /// What each target can do, and whether it was read whole.
    fn grant_targets(
        &self,
        decided: &Decided,
        all_readable: bool,
        unasked: &BTreeSet<ConnectorName>,
    ) -> BTreeMap<ConnectorName, Reach> {
        let reach = |name: &ConnectorName| Reach {
            directory: self.able(name, Ability::Accounts),
            creates: self.able(name, Ability::CreateAccount),
            sets_passwords: self.able(name, Ability::SetPassword),
            grants: self.able(name, Ability::GrantAccess),
            renames: self.able(name, Ability::RenameAccount),
            makes_homes: self.able(name, Ability::CreateHome),
            moves_homes: self.able(name, Ability::RenameHome),
            makes_mailboxes: self.able(name, Ability::CreateMailbox),
            moves_mailboxes: self.able(name, Ability::RenameMailbox),
            readable: !unasked.contains(name)
                && (all_readable || !decided.unreadable.contains_key(name)),
        };
        self.config.connectors.keys().map(|name| (name.clone(), reach(name))).collect()
    }

    /// The groups that the configuration names, found in their directories; and the directories that did
    /// not say which they have.
    async fn find_groups(
        &self,
        holders: &[Holder],
        decided: &mut Decided,
    ) -> Result<(KnownGroups, BTreeSet<ConnectorName>), CycleError> {
        let mut wanted: BTreeMap<ConnectorName, BTreeSet<GroupName>> = BTreeMap::new();
        for holder in holders {
            let Holder { person, forms, entitlements } = holder;
            // What does not work is told with the person, by whoever looks at them.
            let theirs = wanted_groups(&self.config.policy, person, forms, entitlements);
            for (connector, groups) in theirs.unwrap_or_default() {
                wanted.entry(connector).or_default().extend(groups);
            }
        }
        let is_away = |name| {
            matches!(decided.unreadable.get(name), Some(Fault::Retry(_) | Fault::Unknown(_)))
        };
        let away = wanted.keys().filter(|name| is_away(*name));
        let mut unasked: BTreeSet<ConnectorName> = away.cloned().collect();
        let asked = wanted.iter().filter_map(|(name, groups)| {
            let eye = self.eyes.0.get(name)?;
            let scope = Scope::Groups(groups.iter().cloned().collect());
            (!unasked.contains(name)).then_some(async move { (name, eye.observe(&scope).await) })
        });
        let mut known = KnownGroups::default();
        let answers = join_all(asked).await;
        for (name, found) in answers {
            match found {
                Ok(observed) => known.insert(name, observed.groups),
                Err(fault) => {
                    unasked.insert(name.clone());
                    decided.answered.remove(name);
                    decided.unreadable.insert(name.clone(), fault);
                }
            }
        }
        Ok((known, unasked))
    }

    /// The journal of some people: of their forms, and of what shut their accounts.
    async fn journal_of(&self, holders: &[Holder]) -> Result<Vec<StoredStep>, CycleError> {
        let people: Vec<PersonId> = holders.iter().map(|h| h.person.id).collect();
        let mut cases: Vec<CaseId> =
            holders.iter().flat_map(|h| h.forms.iter().map(FiledForm::case)).collect();
        cases.extend(holders.iter().flat_map(|h| {
            let episodes = 0..=h.person.episode;
            episodes.map(|episode| CaseId::departure(h.person.id, episode))
        }));
        let suspensions = self.store.read().suspensions_of(&people).await?;
        cases.extend(suspensions.iter().map(Suspension::case));
        if cases.is_empty() {
            return Ok(Vec::new());
        }
        let filter = StepFilter { cases, ..StepFilter::default() };
        Ok(self.store.read().steps(&filter).await?)
    }

    /// What else is known of each form: its mail address, who opens its envelopes, how it was before; and
    /// whose address can't be made, with the reason.
    async fn known_of_forms(
        &self,
        holders: &[Holder],
    ) -> Result<(BTreeMap<u64, FormFacts>, HashMap<PersonId, String>), CycleError> {
        let people: Vec<PersonId> = holders.iter().map(|h| h.person.id).collect();
        let filter =
            CaseFilter { kind: CaseKind::Form, people: Some(people), ..CaseFilter::default() };
        let cases = self.store.read().cases(&filter).await?;
        let mut before: HashMap<CaseId, Accounts> =
            cases.into_iter().map(|case| (case.id, case.before)).collect();
        let (mut facts, mut addressless) = (BTreeMap::new(), HashMap::new());
        for holder in holders {
            for form in holder.forms.iter().filter(|form| !form.state.has_ended()) {
                // Without an address nothing is made for them, and everybody else's goes on.
                let mail = match self.mail_of(holder, form).await? {
                    Ok(mail) => mail,
                    Err(problem) => {
                        addressless.insert(holder.person.id, problem);
                        None
                    }
                };
                let of_form = FormFacts {
                    mail,
                    opener: self.envelope_opener(&holder.person, form).await?,
                    before: before.remove(&form.case()).unwrap_or_default(),
                };
                facts.insert(form.number, of_form);
            }
        }
        Ok((facts, addressless))
    }

    /// The targets where each person's access is suspended.
    async fn suspended_targets(
        &self,
        holders: &[Holder],
        now: Timestamp,
    ) -> Result<HashMap<PersonId, BTreeSet<ConnectorName>>, CycleError> {
        let people: Vec<PersonId> = holders.iter().map(|h| h.person.id).collect();
        let today = self.today(now);
        let mut all: HashMap<PersonId, BTreeSet<ConnectorName>> = HashMap::new();
        for suspension in self.store.read().suspensions_of(&people).await? {
            let begun = suspension.starts_on.is_none_or(|day| day <= today);
            if suspension.lifted_at.is_some() || !begun {
                continue;
            }
            let covered =
                self.config.connectors.keys().filter(|name| suspension.covers(name)).cloned();
            all.entry(suspension.person).or_default().extend(covered);
        }
        Ok(all)
    }
}

/// A look at somebody's accounts needs no case.
fn nobodys_case(person: PersonId, now: Timestamp) -> Case {
    Case {
        id: CaseId(person.0),
        kind: CaseKind::Form,
        person,
        state: CaseState::Open,
        effective_at: now,
        for_cause: false,
        opened_at: now,
        disabled_on: None,
        worksite_class: None,
        reason: String::new(),
        before: Vec::new(),
    }
}
