//! Who plays which part in the demo.

use crate::agency::{Agency, OtherKind, Person};
use crate::{Done, Failure};

/// Indexes of people.
#[derive(Debug, Clone)]
pub struct Cast {
    /// Leaves a facility; shown before and after.
    pub facility: usize,
    /// Leaves another facility.
    pub other_facility: usize,
    /// Leaves the central office.
    pub central: usize,
    /// Dismissed for cause.
    pub dismissed: usize,
    /// Has a name that software stumbles over.
    pub awkward: usize,
    /// The only member of a group.
    pub sole: usize,
    /// Has an administrator's account too.
    pub administrator: usize,
    /// Leaves in some days.
    pub future: usize,
    /// HR's row has another name than the account.
    pub mismatch: usize,
    /// HR's row has a formula as name.
    pub formula: usize,
    /// HR's row has terminal escapes as status.
    pub escapes: usize,
    /// Dismissed by phone.
    pub phone: usize,
    /// Those whom a wrong mapping makes leavers.
    pub mass: Vec<usize>,
}

/// How many people the wrong mapping hits.
pub const MASS: usize = 60;

impl Cast {
    /// Chooses them from the agency.
    pub fn of(agency: &Agency) -> Done<Self> {
        let mut ordinary = agency.ordinary_leavers(usize::MAX).into_iter();
        let mut later = Vec::new();
        let mut pick = |is: &dyn Fn(&Person) -> bool| -> Done<usize> {
            for index in later.iter().copied() {
                if is(&agency.people[index]) {
                    later.retain(|other| *other != index);
                    return Ok(index);
                }
            }
            for index in ordinary.by_ref() {
                if is(&agency.people[index]) {
                    return Ok(index);
                }
                later.push(index);
            }
            Err(Failure::new("the sample agency lacks a part of the cast"))
        };
        let works_at =
            |site: char| move |p: &Person| p.worksite.id == site && p.location.id == site;
        let anyone = |_: &Person| true;
        let facility = pick(&works_at('b'))?;
        let central = pick(&works_at('z'))?;
        let other_facility = pick(&works_at('q'))?;
        let dismissed = pick(&works_at('v'))?;
        let phone = pick(&works_at('1'))?;
        let future = pick(&works_at('b'))?;
        let mismatch = pick(&works_at('z'))?;
        let formula = pick(&anyone)?;
        let escapes = pick(&anyone)?;
        let mut mass = Vec::new();
        while mass.len() < MASS {
            mass.push(pick(&anyone)?);
        }
        let lacks = || Failure::new("the sample agency lacks a part of the cast");
        let odd = |index: &usize| agency.people[*index].last.starts_with('#');
        let awkward = agency.awkward().into_iter().find(odd).ok_or_else(lacks)?;
        let sole = agency.sole_member().ok_or_else(lacks)?;
        // Not the director: somebody who has an administrator's account and is no head.
        let administrator = agency.administrators().pop().ok_or_else(lacks)?;
        Ok(Self {
            facility,
            other_facility,
            central,
            dismissed,
            awkward,
            sole,
            administrator,
            future,
            mismatch,
            formula,
            escapes,
            phone,
            mass,
        })
    }

    /// Those whose access must end with the first file, each with what is special about them.
    #[must_use]
    pub fn leaving(&self) -> [(usize, &'static str); 7] {
        [
            (self.facility, "an ordinary departure from a facility"),
            (self.other_facility, "another facility"),
            (self.central, "central office: home kept longer"),
            (self.dismissed, "dismissed for cause today"),
            (self.awkward, "a name made of LDAP syntax"),
            (self.sole, "the only member of a group"),
            (self.administrator, "has an administrator's account too"),
        ]
    }
}

/// The log-on name of somebody's ordinary account.
pub fn user_id(agency: &Agency, person: usize) -> Done<String> {
    let found = agency.people[person].user_id();
    found.map(str::to_owned).ok_or_else(|| Failure::new("somebody of the cast has no account"))
}

/// The log-on name of somebody's administrator's account.
#[must_use]
pub fn second_account(agency: &Agency, person: usize) -> Option<String> {
    let is = |kind| matches!(kind, OtherKind::Administrator { owner } if owner == person);
    agency.others.iter().find(|other| is(other.kind)).map(|other| other.user_id.clone())
}
