//! What HR drops: a CSV file with a header line, all people, and a trailer line.

use super::Agency;
use super::people::{Kind, Person};
use jiff::civil::Date;
use std::collections::HashMap;

/// The columns. `NATIONAL_ID` is there because real feeds carry what nobody asked for; the numbers are
/// of a form that is never issued.
pub const COLUMNS: [&str; 14] = [
    "EMPLID",
    "EMPL_RCD",
    "LAST_NAME",
    "FIRST_NAME",
    "PREF_FIRST_NAME",
    "NATIONAL_ID",
    "EMPL_STATUS",
    "HIRE_DT",
    "LAST_DATE_WORKED",
    "TERM_REASON",
    "LOCATION",
    "EMPL_CLASS",
    "JOBTITLE",
    "SUPERVISOR_ID",
];

/// The end of somebody's work.
#[derive(Debug, Clone)]
pub struct Departure {
    /// Index of the person.
    pub person: usize,
    /// Last day worked.
    pub last_day: Date,
    /// Dismissed for cause.
    pub for_cause: bool,
}

impl Departure {
    /// An ordinary departure.
    #[must_use]
    pub fn on(person: usize, last_day: Date) -> Self {
        Self { person, last_day, for_cause: false }
    }
}

/// What the file says.
#[derive(Debug, Clone)]
pub struct HrOptions {
    /// The day for which the file speaks.
    pub as_of: Date,
    /// Its number.
    pub sequence: u32,
    /// Who leaves. Only their first record ends; a second post goes on.
    pub departures: Vec<Departure>,
    /// Whether all people are listed (a full feed) or only those who leave (a delta).
    pub full: bool,
    /// Whether the `HDR` line and the `TRL` line are there.
    pub framed: bool,
}

impl HrOptions {
    /// A full feed in its frame.
    #[must_use]
    pub fn full(as_of: Date, sequence: u32, departures: Vec<Departure>) -> Self {
        Self { as_of, sequence, departures, full: true, framed: true }
    }

    /// Only the departures, in their frame.
    #[must_use]
    pub fn delta(as_of: Date, sequence: u32, departures: Vec<Departure>) -> Self {
        Self { full: false, ..Self::full(as_of, sequence, departures) }
    }
}

impl Agency {
    /// The file: `HDR,date,sequence`, the names of the columns, the rows, `TRL,rows,sequence`.
    #[must_use]
    pub fn to_hr_csv(&self, options: &HrOptions) -> String {
        let mut rows = Vec::new();
        let mut leavers: HashMap<usize, &Departure> = HashMap::new();
        for departure in &options.departures {
            leavers.entry(departure.person).or_insert(departure);
        }
        for (index, person) in self.people.iter().enumerate() {
            let departure = leavers.get(&index).copied();
            if !options.full && departure.is_none() {
                continue;
            }
            rows.push(self.row(person, "0", departure));
            if person.second_post && options.full {
                rows.push(self.row(person, "1", None));
            }
        }
        let count = rows.len();
        let mut text = String::new();
        if options.framed {
            text += &format!("HDR,{},{:06}\n", options.as_of, options.sequence);
        }
        text += &csv_line(&COLUMNS.map(str::to_owned));
        text.extend(rows.iter().map(|row| csv_line(row)));
        if options.framed {
            text += &format!("TRL,{count},{:06}\n", options.sequence);
        }
        text
    }

    fn row(&self, person: &Person, record: &str, departure: Option<&Departure>) -> Vec<String> {
        let supervisor = person.supervisor.map(|index| self.people[index].employee_number.clone());
        let status = match departure {
            Some(_) => "Former employee",
            None if person.on_leave => "On leave",
            None => "Active",
        };
        let class = match person.kind {
            Kind::Staff => "Staff",
            Kind::ContractProvider => "Contract provider",
        };
        let reason = match departure {
            Some(leaver) if leaver.for_cause => "Dismissed for cause",
            Some(_) => "Resignation",
            None => "",
        };
        let digits = &person.employee_number[2..];
        vec![
            person.employee_number.clone(),
            record.to_owned(),
            person.last.clone(),
            person.first.clone(),
            person.preferred.clone().unwrap_or_default(),
            format!("000-{}-{}", &digits[..2], &digits[2..]),
            status.to_owned(),
            person.hired.to_string(),
            departure.map(|leaver| leaver.last_day.to_string()).unwrap_or_default(),
            reason.to_owned(),
            person.worksite.id.to_string(),
            class.to_owned(),
            person.title.clone(),
            supervisor.unwrap_or_default(),
        ]
    }
}

fn csv_line(cells: &[String]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    // Writing to memory can't fail.
    let _ = writer.write_record(cells);
    String::from_utf8(writer.into_inner().unwrap_or_default()).unwrap_or_default()
}
