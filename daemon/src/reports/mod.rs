//! Rosters for supervisors and security officers, and the yearly report (S5, S6): files in a folder of the
//! agency's, each as CSV and as a page to print. They name people by user ID and carry no reasons.

pub mod page;

pub use page::{escaped, page as html_page};

use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, CaseFilter, FormFilter};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::access::entitlement::{Entitlement, EntitlementState};
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::access::suspension::SuspensionKind;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseState, Person, PersonId};
use page::{Sheet, Trend, page, picture};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// People are read so many at a time.
const AT_ONCE: u64 = 1_000;

/// A report, ready to be written: its file name without ending, and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// `roster-2026-11-supervisor-mzdoej`.
    pub name: String,
    /// As CSV.
    pub csv: String,
    /// As a page.
    pub html: String,
}

impl Cycle {
    /// Writes the rosters of this month: one for each supervisor and one for each location. Gives their
    /// names.
    pub async fn write_rosters(
        &self,
        who: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, CycleError> {
        let reports = self.rosters(now).await?;
        self.write_reports(reports, Rule::S6, who, now).await
    }

    /// Writes the report of one calendar year.
    pub async fn write_yearly(
        &self,
        year: i16,
        who: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, CycleError> {
        let report = self.yearly(year).await?;
        self.write_reports(vec![report], Rule::S5, who, now).await
    }

    async fn rosters(&self, now: Timestamp) -> Result<Vec<Report>, CycleError> {
        let people = self.all_people().await?;
        let numbers: BTreeMap<String, &Person> = people
            .values()
            .flat_map(|p| p.employee_numbers().into_iter().map(move |n| (n.folded(), p)))
            .collect();
        let today = self.today(now);
        let mut charges: BTreeMap<String, (String, Vec<Vec<String>>)> = BTreeMap::new();
        for held in self.store.read().standing_entitlements().await? {
            let Some(person) = people.get(&held.person) else { continue };
            let row = self.row_of(person, &held);
            let latest = person.engagements.iter().rev().find(|e| e.goes_on());
            let number = latest.and_then(|engagement| engagement.supervisor.as_ref());
            let supervisor = number.and_then(|number| numbers.get(&number.folded()));
            let of = supervisor.map_or_else(|| "nobody".to_owned(), |boss| boss.shown());
            let mut charge = |key: String, title: String| {
                charges.entry(key).or_insert_with(|| (title, Vec::new())).1.push(row.clone());
            };
            charge(format!("supervisor-{of}"), format!("In the charge of {of}"));
            if let Some(location) = latest.and_then(|engagement| engagement.worksite.as_ref()) {
                let name = self.config.policy.locations.get(location);
                let name = name.map_or_else(|| location.to_string(), |known| known.name.clone());
                charge(format!("location-{location}"), format!("At {name}"));
            }
        }
        let month = today.strftime("%Y-%m").to_string();
        let report = |(key, (title, mut rows)): (String, (String, Vec<Vec<String>>))| {
            rows.sort();
            let sheet = Sheet {
                title,
                notes: vec![
                    "Look at each line: what is still needed stays, what is not is taken away. The answer \
                     comes back as a form that asks recertify."
                        .into(),
                ],
                columns: ROSTER.map(str::to_owned).to_vec(),
                rows,
            };
            let html = page(&format!("Who holds what, {month}"), &sheet.table());
            Report { name: format!("roster-{month}-{}", plain(&key)), csv: sheet.csv(), html }
        };
        Ok(charges.into_iter().map(report).collect())
    }

    fn row_of(&self, person: &Person, held: &Entitlement) -> Vec<String> {
        let day = |date: Option<Date>| date.map(|date| date.to_string()).unwrap_or_default();
        let since = held.starts_on.unwrap_or_else(|| self.today(held.approved_at));
        vec![
            person.shown(),
            held.system.to_string(),
            held.role.as_ref().map(ToString::to_string).unwrap_or_default(),
            since.to_string(),
            if held.form == 0 { "baseline".into() } else { held.form.to_string() },
            day(held.ends_on),
            match held.state {
                EntitlementState::Approved => "not in place yet",
                EntitlementState::InPlace => "in place",
                EntitlementState::Ending | EntitlementState::Ended => "ends",
            }
            .to_owned(),
            day(held.recertified_on),
        ]
    }

    async fn all_people(&self) -> Result<BTreeMap<PersonId, Person>, CycleError> {
        let mut people: BTreeMap<PersonId, Person> = BTreeMap::new();
        let mut after = None;
        loop {
            let page = self.store.read().people_page(after, AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(people) };
            after = Some(last.id);
            people.extend(page.into_iter().map(|person| (person.id, person)));
        }
    }

    async fn yearly(&self, year: i16) -> Result<Report, CycleError> {
        let mut counts = Counts::of(year);
        let read = self.store.read();
        for filed in read.access_forms(&FormFilter::default()).await? {
            let month = self.today(filed.filed_at);
            match (filed.form.asks, filed.state) {
                (_, FormState::Denied) => counts.add("forms denied", month),
                (Asks::New, FormState::InPlace) => counts.add("joiners", month),
                (Asks::NameChange | Asks::LocationChange, FormState::InPlace) => {
                    counts.add("movers", month);
                }
                _ => {}
            }
        }
        for case in read.cases(&CaseFilter::default()).await? {
            if case.state == CaseState::Scheduled {
                continue;
            }
            counts.add("leavers", self.today(case.effective_at));
            if self.today(case.opened_at) > self.today(case.effective_at) {
                counts.add("departures told late", self.today(case.opened_at));
            }
        }
        for suspension in read.suspensions_placed_since(Timestamp::MIN).await? {
            let name = match suspension.kind {
                SuspensionKind::Inactivity => "lockouts after disuse",
                SuspensionKind::Leave | SuspensionKind::Order | SuspensionKind::Expired => {
                    "suspensions"
                }
            };
            counts.add(name, self.today(suspension.placed_at));
        }
        let findings = read.all_access_findings().await?;
        let people = self.all_people().await?;
        let mut by_kind: BTreeMap<(String, String), [u64; 2]> = BTreeMap::new();
        for finding in &findings {
            counts.add("findings opened", self.today(finding.found_at));
            if let Some(at) = finding.settled_at {
                counts.add("findings settled", self.today(at));
            }
            let whose = finding.person.and_then(|id| people.get(&id));
            let worksite =
                whose.and_then(|p| p.engagements.iter().rev().find_map(|e| e.worksite.clone()));
            let place = worksite.map_or_else(|| "not known".to_owned(), |place| place.to_string());
            let kind = serde_json::to_value(finding.kind).ok();
            let kind = kind.and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
            let both = by_kind.entry((kind, place)).or_default();
            both[0] += u64::from(self.today(finding.found_at).year() == year);
            both[1] +=
                u64::from(finding.settled_at.is_some_and(|at| self.today(at).year() == year));
        }
        Ok(counts.report(by_kind))
    }

    async fn write_reports(
        &self,
        reports: Vec<Report>,
        rule: Rule,
        who: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, CycleError> {
        let Some(folder) = self.config.policy.access.reports.folder.clone() else {
            return Err(CycleError::Rule(
                "no folder for reports is configured: set access.reports.folder".into(),
            ));
        };
        let names: Vec<String> = reports.iter().map(|report| report.name.clone()).collect();
        let into = PathBuf::from(folder);
        let written = tokio::task::spawn_blocking(move || write_all(&into, &reports)).await;
        let failed = |error: std::io::Error| {
            CycleError::Rule(format!(
                "a report could not be written to access.reports.folder: {error}"
            ))
        };
        written
            .map_err(|_| CycleError::Rule("writing reports was broken off".into()))?
            .map_err(failed)?;
        let mut tx = self.store.begin().await?;
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(rule)),
            detail: json!({ "reports": names }),
            ..AuditEntry::new(now, if who.is_empty() { DAEMON } else { who }, "report.written")
        });
        tx.commit().await?;
        Ok(names)
    }
}

const ROSTER: [&str; 8] =
    ["who", "system", "role", "since", "form", "last day", "state", "last recertified"];

/// Counts by name and month of one year.
struct Counts {
    year: i16,
    by_name: BTreeMap<&'static str, [u64; 12]>,
}

impl Counts {
    fn of(year: i16) -> Self {
        let names = [
            "joiners",
            "movers",
            "leavers",
            "departures told late",
            "suspensions",
            "lockouts after disuse",
            "findings opened",
            "findings settled",
            "forms denied",
        ];
        Self { year, by_name: names.map(|name| (name, [0; 12])).into_iter().collect() }
    }

    fn add(&mut self, name: &'static str, on: Date) {
        if on.year() != self.year {
            return;
        }
        let month = usize::try_from(on.month()).unwrap_or(1).saturating_sub(1);
        if let Some(count) = self.by_name.entry(name).or_default().get_mut(month) {
            *count += 1;
        }
    }

    fn report(self, by_kind: BTreeMap<(String, String), [u64; 2]>) -> Report {
        let months: Vec<String> = (1..=12).map(|m| format!("{}-{m:02}", self.year)).collect();
        let rows = self.by_name.iter().map(|(name, counts)| {
            let sum: u64 = counts.iter().sum();
            let counts = counts.iter().map(ToString::to_string);
            std::iter::once((*name).to_owned()).chain(counts).chain([sum.to_string()]).collect()
        });
        let mut columns = vec!["count".to_owned()];
        columns.extend(months.iter().cloned());
        columns.push("year".into());
        let sheet =
            Sheet { title: "By month".into(), notes: Vec::new(), columns, rows: rows.collect() };
        let kinds = Sheet {
            title: "Findings by kind and location".into(),
            notes: Vec::new(),
            columns: ["kind", "location", "opened", "settled"].map(str::to_owned).to_vec(),
            rows: by_kind
                .into_iter()
                .map(|((kind, place), [opened, settled])| {
                    vec![kind, place, opened.to_string(), settled.to_string()]
                })
                .collect(),
        };
        let drawn = ["joiners", "movers", "leavers", "suspensions", "findings opened"];
        let trends: Vec<Trend> = drawn
            .iter()
            .filter_map(|name| {
                let counts = self.by_name.get(name)?.to_vec();
                Some(Trend { name: (*name).to_owned(), counts })
            })
            .collect();
        let body = format!("{}{}{}", picture(&months, &trends), sheet.table(), kinds.table());
        Report {
            name: format!("yearly-{}", self.year),
            csv: format!("{}\r\n{}", sheet.csv(), kinds.csv()),
            html: page(
                &format!("Access in {}: report for the Chief Security Officer", self.year),
                &body,
            ),
        }
    }
}

/// A part of a file name that leads nowhere else.
fn plain(text: &str) -> String {
    let safe =
        |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(safe).collect()
}

fn write_all(folder: &Path, reports: &[Report]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for report in reports {
        write_one(folder, &format!("{}.csv", report.name), &report.csv)?;
        write_one(folder, &format!("{}.html", report.name), &report.html)?;
    }
    Ok(())
}

/// Whole or not at all, and not for everybody.
fn write_one(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let begun = folder.join(format!(".{name}.new"));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(&begun)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&begun, folder.join(name))
}
