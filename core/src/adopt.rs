//! Matching a directory that exists to a first full feed: who is who, before anything is written (N5, D1).

use crate::absorb::fold_name;
use crate::facts::{ConnectorName, LinkedAccount, Person, PersonId, PersonName, UserId};
use crate::observed::{ObservedAccount, Protection};
use crate::policy::Policy;
use crate::policy::departure::linked_user_ids;
use crate::policy::naming::{NameRequest, fits};
use crate::standing::{Standing, standing};
use jiff::{Timestamp, tz::TimeZone};
use std::collections::{HashMap, HashSet};

/// What is matched.
pub struct Existing<'a> {
    /// People of the feed.
    pub people: &'a [Person],
    /// Every account of every directory.
    pub accounts: &'a [(ConnectorName, ObservedAccount)],
    /// The agency's rules.
    pub policy: &'a Policy,
    /// Now.
    pub now: Timestamp,
    /// The agency's zone.
    pub zone: &'a TimeZone,
}

/// Who matches and who does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// Accounts that are a person's by key and name, or by the pattern of a linked account.
    pub links: Vec<(PersonId, LinkedAccount)>,
    /// For a person to settle, as sentences.
    pub to_settle: Vec<String>,
    /// User IDs that the naming standard would not give; kept as they are.
    pub off_standard: Vec<UserId>,
    /// Accounts that are shut, of people who have left.
    pub already_shut: Vec<(PersonId, LinkedAccount)>,
    /// Live accounts of people who have left.
    pub leavers_with_access: Vec<(PersonId, LinkedAccount)>,
    /// Accounts of nobody in the feed; protected ones are left out.
    pub without_person: Vec<LinkedAccount>,
    /// People who are employed and have no account.
    pub without_account: Vec<PersonId>,
}

/// Matches accounts to people. Nothing is decided by name alone: such a match is for a person to settle.
#[must_use]
pub fn adopt(existing: &Existing<'_>) -> Adoption {
    let mut work = Work::new(existing);
    for (connector, account) in existing.accounts {
        work.by_key(connector, account);
    }
    work.by_pattern();
    work.leftovers();
    work.people();
    work.out
}

struct Work<'a> {
    existing: &'a Existing<'a>,
    by_number: HashMap<String, Vec<usize>>,
    by_user_id: HashMap<String, Vec<usize>>,
    by_name: HashMap<String, Vec<usize>>,
    owner: HashMap<(ConnectorName, String), usize>,
    settled: HashSet<(ConnectorName, String)>,
    out: Adoption,
}

impl<'a> Work<'a> {
    fn new(existing: &'a Existing<'a>) -> Self {
        let mut work = Self {
            existing,
            by_number: HashMap::new(),
            by_user_id: HashMap::new(),
            by_name: HashMap::new(),
            owner: HashMap::new(),
            settled: HashSet::new(),
            out: Adoption::default(),
        };
        for (place, person) in existing.people.iter().enumerate() {
            for number in person.numbers_ever() {
                work.by_number.entry(number.folded()).or_default().push(place);
            }
            for user_id in person.user_ids() {
                work.by_user_id.entry(user_id.folded()).or_default().push(place);
            }
            if let Some(name) = person.name() {
                work.by_name.entry(name_key(name)).or_default().push(place);
            }
        }
        work
    }

    fn by_key(&mut self, connector: &ConnectorName, account: &ObservedAccount) {
        let numbers = account.employee_numbers().filter_map(|n| self.by_number.get(&n.folded()));
        let user_ids = account.user_ids().filter_map(|id| self.by_user_id.get(&id.folded()));
        let mut places: Vec<usize> = numbers.chain(user_ids).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        match places.as_slice() {
            [] => {}
            [one] if self.names_agree(*one, account) => self.link(connector, account, *one),
            [_] => self.settle(
                connector,
                account,
                "carries the key of a person of another name: correct the key, or tell HR".into(),
            ),
            _ => self.settle(connector, account, "carries keys of several people".into()),
        }
    }

    fn names_agree(&self, place: usize, account: &ObservedAccount) -> bool {
        let person = &self.existing.people[place];
        let on_account = fold_name(&account.name.last);
        person.engagements.iter().filter_map(|e| e.name.as_ref()).any(|name| {
            let last = fold_name(&name.last);
            !last.is_empty()
                && (last == on_account || last.starts_with(&on_account) && !on_account.is_empty())
        })
    }

    /// `adm-mzsmitj` belongs to whom `mzsmitj` does.
    fn by_pattern(&mut self) {
        let mut owner_of_linked: HashMap<String, usize> = HashMap::new();
        for (connector, base) in self.existing.accounts {
            let Some(place) = self.owner.get(&key_of(connector, base)) else { continue };
            let templates = &self.existing.policy.departure.linked_accounts;
            for user_id in base.user_ids() {
                for linked in linked_user_ids(templates, user_id).unwrap_or_default() {
                    owner_of_linked.insert(linked.folded(), *place);
                }
            }
        }
        for (connector, account) in self.existing.accounts {
            let owner = account.user_ids().find_map(|id| owner_of_linked.get(&id.folded()));
            if let Some(place) = owner
                && !self.is_done(connector, account)
            {
                // Its name follows from another account's, not from the standard.
                let off_standard = self.out.off_standard.len();
                self.link(connector, account, *place);
                self.out.off_standard.truncate(off_standard);
            }
        }
    }

    fn leftovers(&mut self) {
        for (connector, account) in self.existing.accounts {
            if self.is_done(connector, account)
                || matches!(account.protection, Some(Protection::Never { .. }))
            {
                continue;
            }
            let same_name = self.by_name.get(&name_key(&account.name)).map_or(0, Vec::len);
            if same_name > 0 && !account.name.last.is_empty() {
                let reason = format!(
                    "matches only by name ({same_name} in the feed): write the employee number onto the \
                     account if it is theirs"
                );
                self.settle(connector, account, reason);
            } else {
                self.out.without_person.push(account.link(connector));
            }
        }
    }

    fn people(&mut self) {
        let owners: HashSet<usize> = self.owner.values().copied().collect();
        for (place, person) in self.existing.people.iter().enumerate() {
            let left = matches!(
                standing(person, self.existing.now, self.existing.zone),
                Standing::Left(_)
            );
            if !left && !owners.contains(&place) {
                self.out.without_account.push(person.id);
            }
        }
    }

    fn link(&mut self, connector: &ConnectorName, account: &ObservedAccount, place: usize) {
        let person = &self.existing.people[place];
        let link = account.link(connector);
        self.owner.insert(key_of(connector, account), place);
        if !self.follows_standard(person, account) {
            self.out.off_standard.push(account.user_id.clone());
        }
        if matches!(standing(person, self.existing.now, self.existing.zone), Standing::Left(_)) {
            let list = if account.enabled {
                &mut self.out.leavers_with_access
            } else {
                &mut self.out.already_shut
            };
            list.push((person.id, link.clone()));
        }
        self.out.links.push((person.id, link));
    }

    /// Whether the standard could have given this ID to this person, at any location of the agency.
    fn follows_standard(&self, person: &Person, account: &ObservedAccount) -> bool {
        let policy = self.existing.policy;
        let Some(name) = person.name() else { return true };
        let kind = person.engagements.iter().rev().find_map(|e| e.kind.clone());
        policy.locations.keys().any(|location| {
            let request = NameRequest {
                name: name.clone(),
                location: Some(location.clone()),
                kind: kind.clone(),
                function: None,
            };
            fits(&policy.naming, &policy.locations, &request, &account.user_id).unwrap_or(false)
        })
    }

    fn settle(&mut self, connector: &ConnectorName, account: &ObservedAccount, reason: String) {
        self.settled.insert(key_of(connector, account));
        self.out.to_settle.push(format!("{}: {reason}", account.user_id));
    }

    fn is_done(&self, connector: &ConnectorName, account: &ObservedAccount) -> bool {
        let key = key_of(connector, account);
        self.owner.contains_key(&key) || self.settled.contains(&key)
    }
}

fn key_of(connector: &ConnectorName, account: &ObservedAccount) -> (ConnectorName, String) {
    (connector.clone(), account.id.as_str().to_owned())
}

fn name_key(name: &PersonName) -> String {
    format!("{} {}", fold_name(&name.last), fold_name(&name.first))
}
