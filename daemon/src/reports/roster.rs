//! Who holds what, by who answers for them (S6).

use super::Report;
use super::charges::{Numbers, Papers};
use super::page::{Sheet, page};
use crate::cycle::{Cycle, CycleError};
use crate::store::FormFilter;
use crate::views::{RosterLine, RosterState};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::FiledForm;
use lapsed_core::facts::{EmployeeNumber, LocationId, Person, PersonId};
use lapsed_core::policy::naming::find_location;
use lapsed_core::shown::shown;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

/// Who answers for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Charge {
    /// Their supervisor, as HR says.
    Supervisor(PersonId),
    /// Nobody whom HR names and who is known here.
    Nobody,
    /// The security officer of the location where they work.
    Location(LocationId),
}

impl std::fmt::Display for Charge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Supervisor(id) => write!(f, "supervisor {id}"),
            Self::Nobody => f.write_str("nobody"),
            Self::Location(id) => write!(f, "location {id}"),
        }
    }
}

/// What the people in one charge hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roster {
    /// Whose charge.
    pub charge: Charge,
    /// For people: `people in the charge of mbdoej`.
    pub about: String,
    /// Part of its file's name.
    pub key: String,
    /// The supervisor's number.
    pub number: Option<EmployeeNumber>,
    /// What they hold, by person.
    pub lines: Vec<RosterLine>,
}

impl Cycle {
    /// All rosters as they are now. People without access are on none.
    pub(crate) async fn rosters(&self, now: Timestamp) -> Result<Vec<Roster>, CycleError> {
        let people = self.all_people().await?;
        let read = self.store.read();
        let forms = read.access_forms(&FormFilter::default()).await?;
        let held = read.standing_entitlements().await?;
        Ok(self.rosters_from(&people, &Numbers::of(people.values()), forms, &held, now))
    }

    /// The rosters that what some people hold makes.
    pub(super) fn rosters_from(
        &self,
        people: &BTreeMap<PersonId, Person>,
        numbers: &Numbers<'_>,
        forms: Vec<FiledForm>,
        held: &[Entitlement],
        now: Timestamp,
    ) -> Vec<Roster> {
        let papers = Papers::of(forms, held);
        let mut rosters: BTreeMap<Charge, Roster> = BTreeMap::new();
        for one in held {
            let Some(person) = people.get(&one.person) else { continue };
            let line = self.line(person, one, self.today(now));
            for roster in self.charges_of(person, numbers, &papers, now) {
                rosters.entry(roster.charge.clone()).or_insert(roster).lines.push(line.clone());
            }
        }
        let mut rosters: Vec<Roster> = rosters.into_values().collect();
        for roster in &mut rosters {
            roster.lines.sort();
        }
        one_file_each(&mut rosters);
        rosters
    }

    pub(super) fn roster_at(&self, location: &LocationId) -> Roster {
        let known = find_location(&self.config.policy.locations, location);
        let (id, name) = known.map_or((location, location.as_str()), |(id, l)| (id, &l.name));
        Roster {
            charge: Charge::Location(id.clone()),
            about: format!("people at {}", shown(name)),
            key: format!("location-{id}"),
            number: None,
            lines: Vec::new(),
        }
    }

    fn line(&self, person: &Person, held: &Entitlement, today: Date) -> RosterLine {
        let day = |date: Option<Date>| date.map(|date| date.to_string());
        let since = held.starts_on.unwrap_or_else(|| self.today(held.approved_at));
        let ahead = since > today;
        RosterLine {
            who: shown(&person.shown()),
            system: held.system.to_string(),
            role: held.role.as_ref().map(ToString::to_string),
            since: since.to_string(),
            form: Some(held.form).filter(|form| *form != 0),
            last_day: day(held.ends_on),
            state: match held.state {
                EntitlementState::Approved if ahead => RosterState::BeginsLater,
                EntitlementState::Approved => RosterState::NotInPlaceYet,
                EntitlementState::InPlace => RosterState::InPlace,
                EntitlementState::Ending | EntitlementState::Ended => RosterState::Ends,
            },
            recertified: day(held.recertified_on),
        }
    }
}

/// Two names that are one in letters and digits do not overwrite each other's file.
fn one_file_each(rosters: &mut [Roster]) {
    let mut seen: HashMap<String, u32> = HashMap::new();
    for roster in rosters {
        let key = plain(&roster.key);
        let count = seen.entry(key.clone()).or_default();
        *count += 1;
        roster.key = if *count == 1 { key } else { format!("{key}-{count}") };
    }
}

/// A part of a file name that leads nowhere else.
fn plain(text: &str) -> String {
    let safe =
        |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(safe).collect()
}

const COLUMNS: [&str; 8] =
    ["who", "system", "role", "since", "form", "last day", "state", "last recertified"];

impl Roster {
    pub(super) fn in_charge_of(boss: &Person, number: Option<&EmployeeNumber>) -> Self {
        let name = shown(&boss.shown());
        Self {
            charge: Charge::Supervisor(boss.id),
            about: format!("people in the charge of {name}"),
            key: format!("supervisor-{name}"),
            number: number.cloned(),
            lines: Vec::new(),
        }
    }

    pub(super) fn of_nobody() -> Self {
        Self {
            charge: Charge::Nobody,
            about: "people whose supervisor HR does not name, or who is not known here".into(),
            key: "supervisor-nobody".into(),
            number: None,
            lines: Vec::new(),
        }
    }

    /// As files.
    pub(super) fn report(&self, month: &str) -> Report {
        let cells = |line: &RosterLine| {
            let form = line.form.map_or_else(|| "baseline".to_owned(), |form| form.to_string());
            vec![
                line.who.clone(),
                line.system.clone(),
                line.role.clone().unwrap_or_default(),
                line.since.clone(),
                form,
                line.last_day.clone().unwrap_or_default(),
                line.state.to_string(),
                line.recertified.clone().unwrap_or_default(),
            ]
        };
        let sheet = Sheet {
            title: self.about.clone(),
            notes: vec![
                "Look at each line: what is still needed stays, what is not is taken away. The answer \
                 comes back as a form that asks recertify."
                    .into(),
            ],
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: self.lines.iter().map(cells).collect(),
        };
        let html = page(&format!("Who holds what, {month}"), &sheet.table());
        Report { name: self.file_name(month), csv: sheet.csv(), html }
    }

    pub(super) fn file_name(&self, month: &str) -> String {
        format!("roster-{month}-{}", self.key)
    }
}

/// Lines as text, each person once above what they hold; with how many are left out.
pub(super) fn as_text(lines: &[RosterLine], most: usize) -> (String, usize) {
    let mut text = String::new();
    let mut above = "";
    for line in lines.iter().take(most) {
        if above != line.who {
            // Writing to a String can't fail.
            let _ = writeln!(text, "{}", line.who);
            above = &line.who;
        }
        let role = line.role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
        let form = line.form.map_or_else(|| "no form".to_owned(), |form| format!("form {form}"));
        let _ = write!(text, "  {}{role}, since {}, {form}", line.system, line.since);
        if let Some(day) = &line.last_day {
            let _ = write!(text, ", last day {day}");
        }
        if line.state != RosterState::InPlace {
            let _ = write!(text, ", {}", line.state);
        }
        if let Some(day) = &line.recertified {
            let _ = write!(text, ", looked at {day}");
        }
        text.push('\n');
    }
    (text, lines.len().saturating_sub(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(who: &str, system: &str) -> RosterLine {
        RosterLine {
            who: who.into(),
            system: system.into(),
            role: None,
            since: "2026-01-05".into(),
            form: Some(12),
            last_day: None,
            state: RosterState::InPlace,
            recertified: None,
        }
    }

    fn named(key: &str) -> Roster {
        Roster { key: key.into(), ..Roster::of_nobody() }
    }

    #[test]
    fn a_mail_names_each_person_once_and_counts_what_it_leaves_out() {
        let ends = RosterLine {
            role: Some("nurse".into()),
            last_day: Some("2026-12-31".into()),
            state: RosterState::Ends,
            form: None,
            ..line("mzdoej", "cimor")
        };
        let lines = [line("mzdoej", "account"), ends, line("mzroej", "account")];
        let (text, left_out) = as_text(&lines, 2);
        assert_eq!(
            text,
            "mzdoej\n  account, since 2026-01-05, form 12\n  cimor as nurse, since 2026-01-05, no form, last \
             day 2026-12-31, ends\n"
        );
        assert_eq!(left_out, 1);
        assert_eq!(as_text(&lines, 9).1, 0);
    }

    #[test]
    fn no_roster_overwrites_the_file_of_another_or_lies_elsewhere() {
        let mut rosters = [named("supervisor-a.b"), named("supervisor-a_b"), named("../etc/x")];
        one_file_each(&mut rosters);
        let keys: Vec<&str> = rosters.iter().map(|roster| roster.key.as_str()).collect();
        assert_eq!(keys, ["supervisor-a-b", "supervisor-a-b-2", "---etc-x"]);
    }
}
