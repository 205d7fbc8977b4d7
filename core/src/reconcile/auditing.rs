//! Whether what each person holds is what was approved: the nightly audit (S3, S4, A9).
//!
//! Pure: everything that was seen and everything that is approved goes in, findings come out. Only what was
//! listed whole is judged; absence from a listing that was cut would be no finding.

use crate::access::entitlement::{Entitlement, EntitlementState};
use crate::access::finding::{AccessFinding, FindingKind};
use crate::access::form::FiledForm;
use crate::access::suspension::{Suspension, SuspensionKind};
use crate::facts::{ConnectorName, Person, PersonId, StableId, SystemName, SystemRole};
use crate::observed::{ObservedAccount, Protection};
use crate::policy::Policy;
use crate::policy::departure::linked_user_ids;
use crate::standing::{Standing, standing};
use crate::wildcard;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use uuid::Uuid;

mod passwords;
mod places;

pub use passwords::OldPassword;

/// The root of the ids of findings.
const FINDINGS: Uuid = Uuid::from_u128(0x6c61_7073_6564_0000_6669_6e64_696e_6773);

/// All that the audit looks at.
pub struct Auditing<'a> {
    /// Everybody known.
    pub people: &'a [Person],
    /// Accounts of every target that was listed whole, with their groups where those could be read.
    pub accounts: &'a [(ConnectorName, ObservedAccount)],
    /// The targets that were listed whole.
    pub whole: &'a BTreeSet<ConnectorName>,
    /// The directories among them whose memberships were read.
    pub with_groups: &'a BTreeSet<ConnectorName>,
    /// What is held, ended entitlements too.
    pub entitlements: &'a [Entitlement],
    /// Every form ever filed, by whom it is about: they say where people work before HR does.
    pub forms: &'a HashMap<PersonId, Vec<FiledForm>>,
    /// All suspensions, lifted ones too.
    pub suspensions: &'a [Suspension],
    /// Accounts about which a step is under way.
    pub under_way: &'a HashSet<(ConnectorName, StableId)>,
    /// Whether what was there when lapsed came was taken for approved.
    pub has_baseline: bool,
    /// The agency's rules.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
    /// The agency's zone.
    pub zone: &'a TimeZone,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audited {
    /// Findings, each once.
    pub findings: Vec<AccessFinding>,
    /// Access that nobody approved, as entitlements that would account for it.
    pub unapproved: Vec<(PersonId, SystemName, Option<SystemRole>)>,
    /// Access that is in place by its entitlement and is not there.
    pub missing: Vec<Uuid>,
    /// Whose access to which target is to be locked after long disuse, and since which day it counts.
    pub unused: Vec<(PersonId, ConnectorName, Date)>,
    /// Groups that somebody was put into behind our back, where lapsed may take them out again: of their own
    /// account, and of none that is protected.
    pub added_elsewhere: Vec<AddedElsewhere>,
    /// Passwords that are too old and may be required to be changed (A9).
    pub old_passwords: Vec<OldPassword>,
    /// Templates that do not work, as sentences for people.
    pub troubles: BTreeSet<String>,
}

/// Access by a group that came about elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedElsewhere {
    /// The finding about it.
    pub finding: Uuid,
    /// Whose.
    pub person: PersonId,
    /// What the group gives.
    pub system: SystemName,
    /// In which role.
    pub role: Option<SystemRole>,
}

/// Holds what is there against what is approved. The same input gives the same findings with the same ids.
#[must_use]
pub fn audit(input: &Auditing<'_>) -> Audited {
    let mut work = Work::new(input);
    for (connector, account) in input.accounts {
        work.account(connector, account);
    }
    for held in input.entitlements {
        work.entitlement(held);
    }
    work.out.findings.sort_by_key(|finding| finding.id);
    work.out.findings.dedup_by_key(|finding| finding.id);
    work.out.unapproved.sort();
    work.out.unapproved.dedup();
    work.out
}

/// A hash map that is quick rather than proof against chosen keys: whoever fills it could as well fill the directory.
type Index<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

struct Work<'a> {
    input: &'a Auditing<'a>,
    by_id: Index<(&'a ConnectorName, &'a StableId), usize>,
    by_name: Index<String, Vec<usize>>,
    by_number: Index<String, Vec<usize>>,
    place: Index<PersonId, usize>,
    held: Index<PersonId, Vec<&'a Entitlement>>,
    of_person: Index<PersonId, Vec<&'a (ConnectorName, ObservedAccount)>>,
    today: Date,
    out: Audited,
}

impl<'a> Work<'a> {
    fn new(input: &'a Auditing<'a>) -> Self {
        let mut work = Self {
            input,
            by_id: Index::default(),
            by_name: Index::default(),
            by_number: Index::default(),
            place: Index::default(),
            held: Index::default(),
            of_person: Index::default(),
            today: input.now.to_zoned(input.zone.clone()).date(),
            out: Audited::default(),
        };
        let templates = &input.policy.departure.linked_accounts;
        for (index, person) in input.people.iter().enumerate() {
            work.place.insert(person.id, index);
            for account in &person.accounts {
                work.by_id.insert((&account.connector, &account.id), index);
            }
            for user_id in person.user_ids() {
                for linked in linked_user_ids(templates, &user_id).unwrap_or_default() {
                    work.by_name.entry(linked.folded()).or_default().push(index);
                }
                work.by_name.entry(user_id.folded()).or_default().push(index);
            }
            for number in person.numbers_ever() {
                work.by_number.entry(number.folded()).or_default().push(index);
            }
        }
        for held in input.entitlements {
            work.held.entry(held.person).or_default().push(held);
        }
        for pair in input.accounts {
            if let Some(person) = work.owner(&pair.0, &pair.1) {
                work.of_person.entry(person.id).or_default().push(pair);
            }
        }
        work
    }

    /// Whose an account is: by its identity, or by a name or number that is one person's.
    fn owner(&self, connector: &ConnectorName, account: &ObservedAccount) -> Option<&'a Person> {
        let one = |found: Option<&Vec<usize>>| match found.map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        };
        let index = self
            .by_id
            .get(&(connector, &account.id))
            .copied()
            .or_else(|| account.user_ids().find_map(|id| one(self.by_name.get(&id.folded()))))
            .or_else(|| {
                let mut numbers = account.employee_numbers();
                numbers.find_map(|number| one(self.by_number.get(&number.folded())))
            })?;
        self.input.people.get(index)
    }

    fn account(&mut self, connector: &ConnectorName, account: &ObservedAccount) {
        let never = matches!(account.protection, Some(Protection::Never { .. }));
        let moving = self.input.under_way.contains(&(connector.clone(), account.id.clone()));
        if !account.enabled || never || moving {
            return;
        }
        let mut needs_nobody = self.input.policy.access.audit.without_person.iter();
        let needs_nobody =
            needs_nobody.any(|pattern| wildcard::fits(pattern, account.user_id.as_str()));
        let Some(person) = self.owner(connector, account) else {
            if !needs_nobody {
                let text = format!(
                    "account {} in {connector} is nobody's that HR or a form knows: find whose it is, or name \
                     it under access.audit.without_person",
                    account.user_id
                );
                self.find(FindingKind::AccountWithoutPerson, None, (connector, account), "", text);
            }
            return;
        };
        if matches!(standing(person, self.input.now, self.input.zone), Standing::Left(_)) {
            let text = format!(
                "{} has left, and account {} in {connector} is open: lapsed person {}",
                person.shown(),
                account.user_id,
                person.shown()
            );
            self.find(FindingKind::LeaverWithAccess, Some(person), (connector, account), "", text);
            return;
        }
        self.suspended(person, connector, account);
        self.password(person, connector, account);
        self.approved(person, connector, account);
        self.used(person, connector, account);
    }

    fn suspended(&mut self, person: &Person, connector: &ConnectorName, account: &ObservedAccount) {
        let stops = self.standing_over(person.id, connector).next().is_some();
        if stops {
            let text = format!(
                "access of {} is suspended, and account {} in {connector} is open: lapsed suspensions",
                person.shown(),
                account.user_id
            );
            self.find(
                FindingKind::SuspendedWithAccess,
                Some(person),
                (connector, account),
                "",
                text,
            );
        }
    }

    fn standing_over(
        &self,
        person: PersonId,
        connector: &ConnectorName,
    ) -> impl Iterator<Item = &'a Suspension> {
        let today = self.today;
        let suspensions = self.input.suspensions;
        let connector = connector.clone();
        suspensions
            .iter()
            .filter(move |s| s.person == person && s.stands(today) && s.covers(&connector))
    }

    /// Groups, and accounts of systems, that no entitlement accounts for.
    fn approved(&mut self, person: &Person, connector: &ConnectorName, account: &ObservedAccount) {
        for (system, rule) in &self.input.policy.access.systems {
            if rule.connector.as_ref() != Some(connector) {
                continue;
            }
            for (role, seen) in self.shown_of(person, connector, account, (system, rule)) {
                self.unapproved(person, (connector, account), system, role, &seen);
            }
        }
    }

    fn unapproved(
        &mut self,
        person: &Person,
        (connector, account): (&ConnectorName, &ObservedAccount),
        system: &SystemName,
        role: Option<SystemRole>,
        seen: &str,
    ) {
        let theirs = self.held.get(&person.id).map(Vec::as_slice).unwrap_or_default();
        let of_system = || theirs.iter().filter(|held| &held.system == system);
        let fits = |held: &&&Entitlement| {
            held.state != EntitlementState::Ended
                && (held.role.is_none() || role.is_none() || held.role == role)
        };
        let by_group = seen.starts_with("group");
        let has_it = of_system().any(|held| fits(&held));
        if has_it && !by_group {
            return;
        }
        let elsewhere = by_group && (self.input.has_baseline || of_system().count() > 0);
        let kind = match elsewhere {
            true => FindingKind::GroupAddedElsewhere,
            false => FindingKind::AccessWithoutForm,
        };
        let as_role = role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
        let text = format!(
            "{} holds {system}{as_role} ({seen}, account {} in {connector}), and no form gave it: have a form \
             filed, or take it away",
            person.shown(),
            account.user_id
        );
        // An account may have several roles, each of which is a finding of its own.
        let key = match role.as_ref().filter(|_| !by_group) {
            Some(role) => format!("{system} {role} {seen}"),
            None => format!("{system} {seen}"),
        };
        self.find(kind, Some(person), (connector, account), &key, text);
        // Nothing but the group is too much: who took the system away would take what a form gave.
        if has_it {
            return;
        }
        self.out.unapproved.push((person.id, system.clone(), role.clone()));
        // An `adm-` account beside their own, and one of an administrator, is for a person to see to.
        let own = account.user_ids().any(|id| person.user_ids().iter().any(|own| own == id));
        if let (true, true, None, Some(finding)) =
            (elsewhere, own, &account.protection, self.out.findings.last())
        {
            let added = AddedElsewhere {
                finding: finding.id,
                person: person.id,
                system: system.clone(),
                role,
            };
            self.out.added_elsewhere.push(added);
        }
    }

    /// Long disuse (S3): only where the account is the system's own is it locked by itself.
    fn used(&mut self, person: &Person, connector: &ConnectorName, account: &ObservedAccount) {
        let rules: Vec<(&SystemName, u16, bool)> = self
            .input
            .policy
            .access
            .systems
            .iter()
            .filter(|(_, rule)| rule.connector.as_ref() == Some(connector))
            .filter_map(|(system, rule)| {
                let own = rule.groups.is_empty()
                    && rule.roles.values().all(|role| role.groups.is_empty());
                Some((system, rule.lock_after_days?, own))
            })
            .collect();
        for (system, days, own) in rules {
            let theirs = self.held.get(&person.id).map(Vec::as_slice).unwrap_or_default();
            let held = theirs.iter().find(|held| &held.system == system && held.state.counts());
            if !own && held.is_none() {
                continue;
            }
            let approved = held.map(|held| held.approved_at);
            self.unused(person, (connector, account), (system, days, own), approved);
        }
    }

    fn unused(
        &mut self,
        person: &Person,
        (connector, account): (&ConnectorName, &ObservedAccount),
        (system, days, own): (&SystemName, u16, bool),
        approved: Option<Timestamp>,
    ) {
        let here = (connector, account);
        let Some(last) = account.details.last_use else {
            let text = format!(
                "{connector} does not show when {} last used {system}: it can't be locked after {days} days \
                 without use; look there",
                account.user_id
            );
            self.find(FindingKind::NotUsed, Some(person), here, system.as_str(), text);
            return;
        };
        let Some(since) = last.at.or(last.made_at).or(approved) else {
            let text = format!(
                "{} was never used in {connector}, and nothing says since when it is there: look whether \
                 {system} is still needed",
                account.user_id
            );
            self.find(FindingKind::NotUsed, Some(person), here, system.as_str(), text);
            return;
        };
        // A review that let it go on counts as use.
        let reviewed = self
            .input
            .suspensions
            .iter()
            .filter(|s| s.person == person.id && s.kind == SuspensionKind::Inactivity)
            .filter(|s| s.covers(connector))
            .filter_map(|s| s.lifted_at)
            .max();
        let since = since.max(reviewed.unwrap_or(since));
        let since = since.to_zoned(self.input.zone.clone()).date();
        let allowed = i64::from(days).saturating_add(i64::from(last.lag_days));
        let Ok(last_day) = since.checked_add(Span::new().days(allowed)) else { return };
        if self.today <= last_day {
            return;
        }
        let what_follows = match own {
            true => {
                "it is locked; review whether it is still needed, then lapsed unsuspend, or revoke it"
            }
            false => {
                "it is one of several things that this account opens, so that it is not locked by itself"
            }
        };
        let text = format!(
            "{} has not used {system} since {since}, more than {days} days ({} more for the source's lag): \
             {what_follows}",
            account.user_id, last.lag_days
        );
        self.find(FindingKind::NotUsed, Some(person), here, system.as_str(), text);
        if own && self.standing_over(person.id, connector).next().is_none() {
            self.out.unused.push((person.id, connector.clone(), since));
        }
    }

    /// Approved access that is not there.
    fn entitlement(&mut self, held: &Entitlement) {
        if held.state != EntitlementState::InPlace {
            return;
        }
        let Some(rule) = self.input.policy.access.systems.get(&held.system) else { return };
        let Some(connector) = rule.connector.as_ref() else { return };
        let known = self.place.get(&held.person).and_then(|index| self.input.people.get(*index));
        let Some(person) = known else { return };
        let left = matches!(standing(person, self.input.now, self.input.zone), Standing::Left(_));
        let stopped = self.standing_over(person.id, connector).next().is_some();
        if left || stopped || !self.input.whole.contains(connector) {
            return;
        }
        let theirs = self.of_person.get(&person.id).cloned().unwrap_or_default();
        let there: Vec<&ObservedAccount> = theirs
            .iter()
            .filter(|(name, _)| name == connector)
            .map(|(_, account)| account)
            .collect();
        let moving = there
            .iter()
            .any(|account| self.input.under_way.contains(&(connector.clone(), account.id.clone())));
        if moving {
            return;
        }
        let place = self.place_of(person, held.form);
        let groups = self.groups_given(&place, (&held.system, rule), held.role.as_ref());
        let in_all = |account: &&&ObservedAccount| {
            let has = |name: &String| account.groups.iter().any(|g| g.name.to_lowercase() == *name);
            !self.input.with_groups.contains(connector) || groups.iter().all(has)
        };
        if there.iter().filter(|account| account.enabled).any(|account| in_all(&account)) {
            return;
        }
        let text = format!(
            "{} is to have {} by form {}, and it is not there in {connector}: look who took it away",
            person.shown(),
            held.system,
            held.form
        );
        self.out.missing.push(held.id);
        let key = format!("{}", held.id);
        self.push(
            FindingKind::ApprovedAccessMissing,
            Some(person),
            connector,
            &key,
            held.system.to_string(),
            text,
        );
    }

    fn find(
        &mut self,
        kind: FindingKind,
        person: Option<&Person>,
        (connector, account): (&ConnectorName, &ObservedAccount),
        other: &str,
        text: String,
    ) {
        let key = format!("{}\u{1f}{other}", account.id);
        let what = match other {
            "" => account.user_id.to_string(),
            other => format!("{}: {other}", account.user_id),
        };
        self.push(kind, person, connector, &key, what, text);
    }

    #[allow(clippy::too_many_arguments, reason = "each is another field of one finding")]
    fn push(
        &mut self,
        kind: FindingKind,
        person: Option<&Person>,
        connector: &ConnectorName,
        key: &str,
        what: String,
        text: String,
    ) {
        let id =
            Uuid::new_v5(&FINDINGS, format!("{kind:?}\u{1f}{connector}\u{1f}{key}").as_bytes());
        self.out.findings.push(AccessFinding {
            id,
            kind,
            person: person.map(|person| person.id),
            connector: Some(connector.clone()),
            what,
            text,
            found_at: self.input.now,
            seen_at: self.input.now,
            settled_at: None,
            settled_because: None,
        });
    }
}

/// What is to be written of findings: new ones and those seen again, and those that are gone. What
/// somebody settled and is still there stays settled; a connector that was not read whole settles nothing.
#[must_use]
pub fn compared(
    known: Vec<AccessFinding>,
    found: Vec<AccessFinding>,
    whole: &BTreeSet<ConnectorName>,
    now: Timestamp,
) -> Vec<AccessFinding> {
    let mut known: BTreeMap<Uuid, AccessFinding> = known.into_iter().map(|f| (f.id, f)).collect();
    let mut changed = Vec::new();
    for finding in found {
        match known.remove(&finding.id) {
            None => changed.push(finding),
            // Gone by itself before, and back: told again.
            Some(old) if old.settled_at.is_some() && old.settled_because.is_none() => {
                changed.push(finding);
            }
            Some(old) => changed.push(AccessFinding {
                seen_at: now,
                found_at: old.found_at,
                settled_at: old.settled_at,
                settled_because: old.settled_because,
                ..finding
            }),
        }
    }
    let gone = known.into_values().filter(|old| {
        old.settled_at.is_none() && old.connector.as_ref().is_none_or(|name| whole.contains(name))
    });
    changed.extend(gone.map(|old| AccessFinding { settled_at: Some(now), ..old }));
    changed
}
