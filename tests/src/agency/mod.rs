//! A believable agency of people who do not exist: the same for the same size and seed.
//!
//! It has what real ones have: several locations, supervisors, contract providers, two people of one
//! name, awkward names, accounts from before the naming standard, accounts of nobody, an old leaver
//! whose account is disabled already, administrators with a second account, and groups of all kinds.

mod active_directory;
mod groups;
mod hr;
pub mod names;
mod openldap;
mod people;
pub mod random;
mod user_id;

pub use groups::{Group, GroupKind, Member};
pub use hr::{Departure, HrOptions};
pub use people::{Account, Kind, Location, Other, OtherKind, Person, Post};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan as _, Zoned};

/// The mail domain of everyone.
pub const MAIL_DOMAIN: &str = "dmh.test";
/// Fewest people that an agency can have: the awkward names and the supervisors are always there.
pub const FEWEST: usize = 40;

/// People, their accounts and groups.
#[derive(Debug, Clone)]
pub struct Agency {
    /// Everyone whom HR knows. Supervisors come before those who report to them.
    pub people: Vec<Person>,
    /// Accounts that are not somebody's ordinary one.
    pub others: Vec<Other>,
    /// Groups; a group comes after the groups that are members of it.
    pub groups: Vec<Group>,
}

/// Today where the agency is.
#[must_use]
pub fn today() -> Date {
    Zoned::now().with_time_zone(zone()).date()
}

/// The day before.
#[must_use]
pub fn yesterday() -> Date {
    today().saturating_sub(1.day())
}

/// The agency's zone; the time zones are part of the program.
fn zone() -> TimeZone {
    TimeZone::get("America/Chicago").unwrap_or(TimeZone::UTC)
}

impl Agency {
    /// An agency of so many people, at least [`FEWEST`].
    #[must_use]
    pub fn new(people: usize, seed: u64) -> Self {
        let mut random = random::Random::new(seed);
        let mut ids = user_id::Taken::default();
        for id in people::LIKE_A_PERSONS {
            ids.take(id);
        }
        let people = people::hire(people.max(FEWEST), &mut random, &mut ids);
        let others = people::others(&people, &mut ids);
        let groups = groups::found(&people, &others, &mut random);
        Self { people, others, groups }
    }

    /// The person with this user ID.
    #[must_use]
    pub fn by_user_id(&self, user_id: &str) -> Option<&Person> {
        self.people.iter().find(|person| person.user_id() == Some(user_id))
    }

    /// The index of the first person with this name as HR has it.
    #[must_use]
    pub fn by_name(&self, first: &str, last: &str) -> Option<usize> {
        self.people.iter().position(|person| person.first == first && person.last == last)
    }

    /// Indexes of the two people of one name.
    #[must_use]
    pub fn namesakes(&self) -> Vec<usize> {
        self.indexes(|person| person.first == "John" && person.last == "Smith")
    }

    /// Indexes of the people with awkward names.
    #[must_use]
    pub fn awkward(&self) -> Vec<usize> {
        let is = |person: &Person| {
            names::AWKWARD.iter().any(|a| a.first == person.first && a.last == person.last)
        };
        self.indexes(is)
    }

    /// The index of the one person in the group `records-custodian`.
    #[must_use]
    pub fn sole_member(&self) -> Option<usize> {
        let group = self.groups.iter().find(|group| group.name == groups::SOLE)?;
        group.members.iter().find_map(|member| match member {
            Member::Person(index) => Some(*index),
            _ => None,
        })
    }

    /// Indexes of the people who have an administrator's account too.
    #[must_use]
    pub fn administrators(&self) -> Vec<usize> {
        let owner = |other: &Other| match other.kind {
            OtherKind::Administrator { owner } => Some(owner),
            _ => None,
        };
        self.others.iter().filter_map(owner).collect()
    }

    /// Indexes of so many ordinary people whose leaving raises no question: enabled account with its
    /// employee number, one post, nobody reports to them, no second account, no awkward name. They come
    /// from all over the agency.
    #[must_use]
    pub fn ordinary_leavers(&self, count: usize) -> Vec<usize> {
        let (awkward, administrators) = (self.awkward(), self.administrators());
        let ordinary = |index: &usize| {
            let person = &self.people[*index];
            person.post == Post::Staff
                && person.account.as_ref().is_some_and(|a| a.shows_number && !a.legacy)
                && !person.second_post
                && !person.on_leave
                && !awkward.contains(index)
                && !administrators.contains(index)
                && Some(*index) != self.sole_member()
        };
        let all: Vec<usize> = (0..self.people.len()).filter(ordinary).collect();
        let stride = (all.len() / count.max(1)).max(1);
        all.into_iter().step_by(stride).take(count).collect()
    }

    fn indexes(&self, is: impl Fn(&Person) -> bool) -> Vec<usize> {
        (0..self.people.len()).filter(|index| is(&self.people[*index])).collect()
    }
}

#[cfg(test)]
mod tests;
