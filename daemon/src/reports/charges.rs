//! Who answers for whom (S6): supervisors for their people, security officers for those at their location.

use super::roster::{Charge, Roster};
use crate::cycle::access::authority::{Account, GroupsAsked};
use crate::cycle::{Cycle, CycleError};
use crate::store::FormFilter;
use jiff::Timestamp;
use lapsed_core::access::authority::{Matter, Member, Question};
use lapsed_core::access::chain::Progress;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::FiledForm;
use lapsed_core::facts::{ApproverRole, EmployeeNumber, LocationId, Person, PersonId, UserId};
use lapsed_core::reconcile::granting::whereabouts;
use lapsed_core::standing::{Standing, standing};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::sync::Semaphore;

/// Everybody is read for the rosters of a location; once at a time, whoever asks.
static READING_EVERYBODY: Semaphore = Semaphore::const_new(1);

/// The rosters of one account, with what could not be asked, so that some may be missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OwnRosters {
    /// The rosters.
    pub(crate) rosters: Vec<Roster>,
    /// What could not be asked.
    pub(crate) unread: Vec<String>,
}

/// Whose which number is. One that two people had, or that is of somebody who left, is nobody's.
pub(super) struct Numbers<'a>(HashMap<String, Vec<&'a Person>>);

impl<'a> Numbers<'a> {
    pub(super) fn of(people: impl IntoIterator<Item = &'a Person>) -> Self {
        let mut numbers: HashMap<String, Vec<&Person>> = HashMap::new();
        for person in people {
            // A person's numbers come each once.
            for number in person.employee_numbers() {
                numbers.entry(number.folded()).or_default().push(person);
            }
        }
        Self(numbers)
    }

    fn whose(&self, number: &EmployeeNumber) -> Option<&'a Person> {
        match self.0.get(&number.folded()).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        }
    }
}

/// What says where people are: their forms, and what stands of what these gave.
#[derive(Default)]
pub(super) struct Papers {
    forms: HashMap<PersonId, Vec<FiledForm>>,
    held: HashMap<PersonId, Vec<Entitlement>>,
}

impl Papers {
    pub(super) fn of(forms: Vec<FiledForm>, held: &[Entitlement]) -> Self {
        let mut papers = Self::default();
        for form in forms {
            papers.forms.entry(form.person).or_default().push(form);
        }
        for one in held {
            papers.held.entry(one.person).or_default().push(one.clone());
        }
        papers
    }

    /// Where somebody works, as access is given there.
    fn location(&self, person: &Person) -> Option<LocationId> {
        let forms = self.forms.get(&person.id).map(Vec::as_slice).unwrap_or_default();
        let held = self.held.get(&person.id).map(Vec::as_slice).unwrap_or_default();
        whereabouts(person, forms, held, None).location
    }
}

impl Cycle {
    /// Who answers for somebody: their supervisor or nobody, and the officer of where they work.
    pub(super) fn charges_of(
        &self,
        person: &Person,
        numbers: &Numbers<'_>,
        papers: &Papers,
        now: Timestamp,
    ) -> Vec<Roster> {
        let latest = person.engagements.iter().rev().find(|e| e.goes_on());
        let number = latest.and_then(|engagement| engagement.supervisor.as_ref());
        let left = |boss: &&Person| {
            matches!(standing(boss, now, &self.config.time_zone), Standing::Left(_))
        };
        let boss = number.and_then(|number| numbers.whose(number)).filter(|boss| !left(boss));
        let mut charges = vec![match boss {
            Some(boss) => Roster::in_charge_of(boss, number),
            None => Roster::of_nobody(),
        }];
        charges.extend(papers.location(person).map(|location| self.roster_at(&location)));
        charges
    }

    /// The rosters that an account may see: of its own people, of each location for which it has one of the
    /// roles that may look, and of both as the deputy of who is away.
    pub(crate) async fn rosters_for(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> Result<OwnRosters, CycleError> {
        let (mut bosses, mut locations, mut unread) = (Vec::new(), BTreeSet::new(), Vec::new());
        for (account, role) in self.stands_for(account, now).await? {
            if role.as_ref().is_none_or(|role| self.is_supervisors(role)) {
                bosses.extend(self.own_person(&account).await?);
            }
            if !self.config.policy.access.reports.location_roles.is_empty() {
                let member = self.member(&account, &mut GroupsAsked::default()).await?;
                locations.extend(self.locations_of(&member, role.as_ref()));
                unread.extend(member.unread);
            }
        }
        unread.sort();
        unread.dedup();
        let mut rosters = Vec::new();
        if locations.is_empty() {
            for boss in &bosses {
                rosters.extend(self.rosters_under(boss, now).await?);
            }
        } else {
            let turn = READING_EVERYBODY.acquire().await;
            rosters = self.rosters(now).await?;
            drop(turn);
        }
        rosters.retain(|roster| match &roster.charge {
            Charge::Supervisor(id) => bosses.iter().any(|boss| boss.id == *id),
            Charge::Location(id) => locations.contains(id),
            Charge::Nobody => false,
        });
        Ok(OwnRosters { rosters, unread })
    }

    /// The account itself in every role, and those in whose place it decides today: in one role, or in all.
    async fn stands_for(
        &self,
        account: &Account,
        now: Timestamp,
    ) -> Result<Vec<(Account, Option<ApproverRole>)>, CycleError> {
        let today = self.today(now);
        let mut all = vec![(account.clone(), None)];
        for absence in self.store.read().absences(today).await? {
            if absence.deputy.folded() == account.name.folded() && absence.from <= today {
                all.push((self.account_of(&absence.away).await, absence.role));
            }
        }
        Ok(all)
    }

    fn is_supervisors(&self, role: &ApproverRole) -> bool {
        let rule = self.config.policy.access.approvers.get(role);
        rule.map_or(role.as_str() == "supervisor", |rule| rule.supervisor)
    }

    /// The rosters of those alone whom somebody supervises.
    async fn rosters_under(
        &self,
        boss: &Person,
        now: Timestamp,
    ) -> Result<Vec<Roster>, CycleError> {
        let read = self.store.read();
        let numbers = boss.employee_numbers();
        let people = read.people_supervised_by(&numbers).await?;
        let people: BTreeMap<PersonId, Person> = people.into_iter().map(|p| (p.id, p)).collect();
        if people.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<PersonId> = people.keys().copied().collect();
        let filter = FormFilter { people: ids.clone(), ..FormFilter::default() };
        let forms = read.access_forms(&filter).await?;
        let mut held = read.entitlements_of(&ids).await?;
        held.retain(|one| one.state != EntitlementState::Ended);
        let same_numbers = read.people_by_keys(&numbers, &[]).await?;
        let numbers = Numbers::of(&same_numbers);
        Ok(self.rosters_from(&people, &numbers, forms, &held, now))
    }

    /// The one person who logs on by the account's name; two of one name are nobody.
    async fn own_person(&self, account: &Account) -> Result<Option<Person>, CycleError> {
        let Ok(user_id) = UserId::new(account.name.as_str()) else { return Ok(None) };
        let mut people = self.store.read().people_by_keys(&[], &[user_id]).await?;
        let only = people.pop().filter(|_| people.is_empty());
        Ok(only)
    }

    /// Locations for which they have one of the roles that may look: `only` this one, where it is named.
    fn locations_of(&self, member: &Member, only: Option<&ApproverRole>) -> BTreeSet<LocationId> {
        let access = &self.config.policy.access;
        let progress = Progress { parts: Vec::new(), counted: Vec::new() };
        let has_role = |location: &&LocationId| {
            let matter = Matter { location: Some((*location).clone()), ..Matter::default() };
            let question = Question {
                matter: &matter,
                progress: &progress,
                rules: &access.approvers,
                away: &[],
                today: jiff::civil::Date::MIN,
            };
            let mut roles = access.reports.location_roles.iter();
            roles.any(|role| only.is_none_or(|only| only == role) && question.holds(member, role))
        };
        self.config.policy.locations.keys().filter(has_role).cloned().collect()
    }
}
