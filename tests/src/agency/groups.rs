//! Groups, and who is in them.

use super::people::{Kind, LOCATIONS, Other, OtherKind, Person, Post};
use super::random::Random;

/// The group with one member.
pub const SOLE: &str = "records-custodian";

/// What a group is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// Grants access: a security group; in OpenLDAP a `groupOfNames`.
    Security,
    /// Gets mail: a distribution group; in OpenLDAP a `groupOfNames`.
    Distribution,
    /// Grants access on file servers: a `posixGroup` with `memberUid`; in AD a security group.
    Posix,
    /// Grants an administrator's rights.
    Administrators,
}

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// A person's ordinary account, by the person's index.
    Person(usize),
    /// Another account, by its index.
    Other(usize),
    /// A group, by its index.
    Group(usize),
}

/// A group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: GroupKind,
    /// Who is in it; never empty.
    pub members: Vec<Member>,
}

struct Founder<'a> {
    people: &'a [Person],
    groups: Vec<Group>,
}

impl Founder<'_> {
    fn add(&mut self, name: String, kind: GroupKind, members: Vec<Member>) -> usize {
        if !members.is_empty() {
            self.groups.push(Group { name, kind, members });
        }
        self.groups.len().saturating_sub(1)
    }

    fn of(&self, mut is: impl FnMut(&Person) -> bool) -> Vec<Member> {
        let with_account = |(_, person): &(usize, &Person)| person.account.is_some();
        let people = self.people.iter().enumerate().filter(with_account);
        people.filter(|(_, person)| is(person)).map(|(index, _)| Member::Person(index)).collect()
    }
}

/// Makes all groups.
pub fn found(people: &[Person], others: &[Other], random: &mut Random) -> Vec<Group> {
    let mut founder = Founder { people, groups: Vec::new() };
    let mut facilities = Vec::new();
    for location in LOCATIONS {
        let at = |person: &Person| person.worksite == *location;
        let town = location.city.to_lowercase().replace(' ', "-");
        let all = founder.add(format!("{town}-all"), GroupKind::Security, founder.of(at));
        if location.id != 'z' {
            facilities.push(Member::Group(all));
        }
        let list = founder.of(at);
        founder.add(format!("dl-{town}"), GroupKind::Distribution, list);
        departments(&mut founder, location.id, &town);
    }
    founder.add("facilities-all".to_owned(), GroupKind::Security, facilities);
    let heads = founder.of(|person| person.post != Post::Staff);
    founder.add("dl-supervisors".to_owned(), GroupKind::Distribution, heads);
    let all = founder.of(|_| true);
    founder.add("dl-everyone".to_owned(), GroupKind::Distribution, all);
    let contract = founder.of(|person| person.kind == Kind::ContractProvider);
    founder.add("contract-providers".to_owned(), GroupKind::Security, contract);
    applications(&mut founder, random);
    special(&mut founder, others);
    founder.groups
}

fn departments(founder: &mut Founder<'_>, location: char, town: &str) {
    let mut names: Vec<&str> = founder.people.iter().map(|person| person.department).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let members = founder.of(|p| p.worksite.id == location && p.department == name);
        let short = name.to_lowercase().replace(' ', "-");
        founder.add(format!("fs-{town}-{short}"), GroupKind::Posix, members);
    }
}

fn applications(founder: &mut Founder<'_>, random: &mut Random) {
    let shares = [
        ("app-cimor", 55),
        ("app-document-imaging", 30),
        ("app-sam-hr", 6),
        ("app-mairs", 8),
        ("vpn-users", 40),
        ("web-social-media", 12),
        ("web-streaming", 7),
    ];
    for (name, share) in shares {
        let mut members = founder.of(|_| random.percent(share));
        // Nested: whole locations come in by their own group.
        if name == "app-cimor" {
            let nested = founder.groups.iter().position(|group| group.name == "facilities-all");
            members.extend(nested.map(Member::Group));
        }
        founder.add(name.to_owned(), GroupKind::Security, members);
    }
}

fn special(founder: &mut Founder<'_>, others: &[Other]) {
    let sole = founder
        .of(|p| p.post == Post::Staff && p.worksite.id == 'b' && !p.second_post && !p.on_leave);
    // The last one hired: the first ones have awkward names.
    let custodian = sole.last().copied().into_iter().collect();
    founder.add(SOLE.to_owned(), GroupKind::Security, custodian);
    let of_kind = |is: fn(OtherKind) -> bool| {
        let all = others.iter().enumerate().filter(move |(_, other)| is(other.kind));
        all.map(|(index, _)| Member::Other(index)).collect::<Vec<_>>()
    };
    let privileged =
        of_kind(|kind| matches!(kind, OtherKind::Administrator { .. } | OtherKind::BreakGlass));
    founder.add("server-administrators".to_owned(), GroupKind::Administrators, privileged);
    let strays = of_kind(|kind| kind == OtherKind::Stray);
    founder.add("consultants".to_owned(), GroupKind::Security, strays);
}
