//! Who works at the agency, and the accounts they have.

use super::random::Random;
use super::user_id::{Taken, letters};
use super::{MAIL_DOMAIN, names};
use jiff::civil::{Date, date};
use std::collections::HashMap;

/// A location of the naming standard (N9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Location {
    /// Its letter in user IDs.
    pub id: char,
    /// Its name.
    pub name: &'static str,
    /// Where it is.
    pub city: &'static str,
}

/// The locations at which people of the sample work. `z` is the central office.
pub const LOCATIONS: &[Location] = &[
    Location { id: 'z', name: "Central Office", city: "Jefferson City" },
    Location { id: 'b', name: "Fulton State Hospital", city: "Fulton" },
    Location { id: 'q', name: "Rolla RC", city: "Rolla" },
    Location { id: 'v', name: "Higginsville Habilitation Center", city: "Higginsville" },
    Location { id: '1', name: "Hawthorn Child Psychiatric Hospital", city: "Saint Louis" },
];

/// Employs all contract providers, who work at the other locations.
pub const CONTRACT_PROVIDERS: Location =
    Location { id: 'y', name: "Contract Providers", city: "Jefferson City" };

const DEPARTMENTS: &[(&str, &str)] = &[
    ("Nursing", "Psychiatric Nurse"),
    ("Social Work", "Social Worker"),
    ("Information Technology", "Systems Analyst"),
    ("Fiscal Management", "Accountant"),
    ("Human Resources", "Personnel Clerk"),
    ("Pharmacy", "Pharmacist"),
    ("Dietary", "Cook"),
    ("Maintenance", "Maintenance Worker"),
];

/// What sort of engagement a person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An employee.
    Staff,
    /// Works for a provider under contract; user ID with `y`.
    ContractProvider,
}

/// Where in the hierarchy a person stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Post {
    /// Head of a location.
    Head,
    /// Head of a department at a location.
    Manager,
    /// Everyone else.
    Staff,
}

/// One person whom HR knows.
#[derive(Debug, Clone)]
pub struct Person {
    /// HR's number: eight digits, the first ones zeros.
    pub employee_number: String,
    /// Family name as HR has it.
    pub last: String,
    /// Legal first name.
    pub first: String,
    /// Preferred first name, if another.
    pub preferred: Option<String>,
    /// Staff or contract provider.
    pub kind: Kind,
    /// Who employs.
    pub location: Location,
    /// Where the person works.
    pub worksite: Location,
    /// Department.
    pub department: &'static str,
    /// Job title.
    pub title: String,
    /// Place in the hierarchy.
    pub post: Post,
    /// Index of the supervisor.
    pub supervisor: Option<usize>,
    /// First day.
    pub hired: Date,
    /// On leave now.
    pub on_leave: bool,
    /// Has a second post at the same agency, which HR lists as record 1.
    pub second_post: bool,
    /// The ordinary account; a few have none yet.
    pub account: Option<Account>,
}

/// A person's ordinary account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Log-on name.
    pub user_id: String,
    /// From before the naming standard.
    pub legacy: bool,
    /// Whether the employee number stands on the account.
    pub shows_number: bool,
    /// Address.
    pub mail: String,
    /// Unix number.
    pub uid_number: u32,
}

impl Person {
    /// The first name the person goes by.
    #[must_use]
    pub fn called(&self) -> &str {
        self.preferred.as_deref().unwrap_or(&self.first)
    }
    /// Log-on name of the ordinary account.
    #[must_use]
    pub fn user_id(&self) -> Option<&str> {
        self.account.as_ref().map(|account| account.user_id.as_str())
    }
    /// The name as directories show it: `Smith, John`.
    #[must_use]
    pub fn listed(&self) -> String {
        format!("{}, {}", self.last, self.called())
    }
}

/// An account that is not somebody's ordinary one.
#[derive(Debug, Clone)]
pub struct Other {
    /// Log-on name.
    pub user_id: String,
    /// What it is called.
    pub name: String,
    /// What it is.
    pub kind: OtherKind,
    /// Unix number.
    pub uid_number: u32,
}

/// What an account that is not somebody's ordinary one is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherKind {
    /// The second account of an administrator.
    Administrator {
        /// Index of the person.
        owner: usize,
    },
    /// For emergencies; never to be touched.
    BreakGlass,
    /// A service, kiosk or training room.
    Resource,
    /// Enabled, and of nobody whom HR knows.
    Stray,
    /// Disabled long ago.
    Former,
}

struct Place {
    location: Location,
    worksite: Location,
    department: usize,
    post: Post,
    name: Option<names::Awkward>,
}

/// Fills all posts.
pub fn hire(count: usize, random: &mut Random, ids: &mut Taken) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::with_capacity(count);
    let mut namesakes = HashMap::new();
    for (index, place) in places(count, random).into_iter().enumerate() {
        let supervisor = supervisor_of(&people, &place);
        let mut person = new_person(index, place, random);
        person.supervisor = supervisor;
        person.account = account(index, &person, ids, &mut namesakes);
        people.push(person);
    }
    people
}

fn places(count: usize, random: &mut Random) -> Vec<Place> {
    let departments = (count / 40).clamp(1, DEPARTMENTS.len());
    let plain = |location: Location, department: usize, post: Post| Place {
        location,
        worksite: location,
        department,
        post,
        name: None,
    };
    let heads = LOCATIONS.iter().map(|location| plain(*location, 0, Post::Head));
    let mut places: Vec<Place> = heads.collect();
    for location in LOCATIONS {
        places.extend((0..departments).map(|d| plain(*location, d, Post::Manager)));
    }
    for awkward in names::AWKWARD {
        let location = LOCATIONS.iter().find(|l| l.id == awkward.location).unwrap_or(&LOCATIONS[0]);
        let department = places.len() % departments;
        places.push(Place { name: Some(*awkward), ..plain(*location, department, Post::Staff) });
    }
    let weights = [(0, 26), (1, 32), (2, 12), (3, 17), (4, 13)];
    while places.len() < count {
        let worksite = LOCATIONS[random.weighted(&weights).unwrap_or(0)];
        let department = random.below(u32::try_from(departments).unwrap_or(1)) as usize;
        let location = if random.percent(9) { CONTRACT_PROVIDERS } else { worksite };
        places.push(Place { location, ..plain(worksite, department, Post::Staff) });
    }
    places
}

fn supervisor_of(people: &[Person], place: &Place) -> Option<usize> {
    let department = DEPARTMENTS[place.department].0;
    people.iter().position(|person| match place.post {
        Post::Head => person.post == Post::Head,
        Post::Manager => person.post == Post::Head && person.worksite == place.worksite,
        Post::Staff => {
            person.post == Post::Manager
                && person.worksite == place.worksite
                && person.department == department
        }
    })
}

fn new_person(index: usize, place: Place, random: &mut Random) -> Person {
    let (department, job) = DEPARTMENTS[place.department];
    let (last, first) = match place.name {
        Some(name) => (name.last, name.first),
        None => loop {
            let last = random.weighted(names::LAST).unwrap_or("Smith");
            let first = random.weighted(names::FIRST).unwrap_or("Mary");
            // There are just two of this name.
            if (last, first) != ("Smith", "John") {
                break (last, first);
            }
        },
    };
    let nickname = names::PREFERRED.iter().find(|(legal, _)| *legal == first);
    let preferred = nickname.filter(|_| random.percent(40)).map(|(_, name)| (*name).to_owned());
    let day = |random: &mut Random, days: u32| i8::try_from(1 + random.below(days)).unwrap_or(1);
    let year = i16::try_from(1998 + random.below(28)).unwrap_or(2010);
    let hired = date(year, day(random, 12), day(random, 28));
    let kind =
        if place.location == CONTRACT_PROVIDERS { Kind::ContractProvider } else { Kind::Staff };
    let title = match place.post {
        Post::Head if place.worksite.id == 'z' => "Department Director".to_owned(),
        Post::Head => "Superintendent".to_owned(),
        Post::Manager => format!("{department} Manager"),
        Post::Staff => job.to_owned(),
    };
    let staff = place.post == Post::Staff && place.name.is_none();
    Person {
        employee_number: format!("{:08}", 104_000 + index * 7 + random.below(7) as usize),
        last: last.to_owned(),
        first: first.to_owned(),
        preferred,
        kind,
        location: place.location,
        worksite: place.worksite,
        department,
        title,
        post: place.post,
        supervisor: None,
        hired,
        on_leave: staff && index % 71 == 5,
        second_post: staff && index % 97 == 30,
        account: None,
    }
}

fn account(
    index: usize,
    person: &Person,
    ids: &mut Taken,
    namesakes: &mut HashMap<String, usize>,
) -> Option<Account> {
    let staff = person.post == Post::Staff;
    if staff && index % 83 == 38 {
        return None; // hired, and the form is still with the supervisor
    }
    let legacy = staff && index % 101 == 37;
    let user_id = if legacy {
        let initial = letters(person.called()).chars().take(1).collect::<String>();
        ids.take(&format!("{initial}{}{index}", letters(&person.last)))
    } else {
        ids.give(person.location.id, &person.last, person.called())
    };
    let local = format!("{}.{}", letters(person.called()), letters(&person.last));
    let before = namesakes.entry(local.clone()).or_default();
    let mail = if *before == 0 { local } else { format!("{local}{before}") };
    *before += 1;
    Some(Account {
        user_id,
        legacy,
        shows_number: !(staff && index % 89 == 36),
        mail: format!("{mail}@{MAIL_DOMAIN}"),
        uid_number: 20_000 + u32::try_from(index).unwrap_or(0),
    })
}

/// Log-on names of others that look like a person's: nobody else may get them.
pub const LIKE_A_PERSONS: [&str; 3] = ["mbhallt", "mzdunnp", "mvbecka"];

/// The accounts that are not somebody's ordinary one.
pub fn others(people: &[Person], ids: &mut Taken) -> Vec<Other> {
    let mut others = Vec::new();
    let mut add = |user_id: &str, name: &str, kind: OtherKind| {
        let uid_number = 10_000 + u32::try_from(others.len()).unwrap_or(0);
        let user_id = ids.take(user_id);
        others.push(Other { user_id, name: name.to_owned(), kind, uid_number });
    };
    let technical = |(_, person): &(usize, &Person)| {
        person.worksite.id == 'z'
            && (person.department == "Information Technology" || person.post == Post::Manager)
            && person.account.is_some()
    };
    for (owner, person) in people.iter().enumerate().filter(technical).take(4) {
        let (id, name) = (person.user_id().unwrap_or_default(), person.listed());
        let kind = OtherKind::Administrator { owner };
        add(&format!("adm-{id}"), &format!("{name} (administrator)"), kind);
    }
    add("mzbreakglass", "Break glass", OtherKind::BreakGlass);
    add("mzquadramed", "Quadramed interface", OtherKind::Resource);
    add("mbtraining1", "Training room 1", OtherKind::Resource);
    add("mqconSmithJ", "Smith, Jill (consultant)", OtherKind::Stray);
    add("mbhallt", "Hall, Terry", OtherKind::Stray);
    add("mzdunnp", "Dunn, Pat", OtherKind::Former);
    add("mvbecka", "Beck, Alma", OtherKind::Former);
    others
}
