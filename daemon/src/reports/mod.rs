//! Rosters for supervisors and security officers, and the yearly report (S5, S6): files in a folder of the
//! agency's, each as CSV and as a page to print, and mails. They name people by user ID and carry no reasons.

pub(crate) mod charges;
pub(crate) mod due;
mod mails;
pub mod page;
pub(crate) mod roster;

pub use page::{escaped, page as html_page};

use crate::cycle::{Cycle, CycleError, DAEMON};
use crate::store::{AuditEntry, CaseFilter, FormFilter, SetAside, Tx};
use jiff::Timestamp;
use jiff::civil::Date;
use lapsed_core::access::form::{Asks, FormState};
use lapsed_core::access::suspension::SuspensionKind;
use lapsed_core::citation::Rule;
use lapsed_core::facts::{CaseState, Person, PersonId, SourceName};
use page::{Sheet, Trend, page, picture};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use uuid::Uuid;

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

/// What came of making reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Made {
    /// Names of the files, less their endings; none where there is no folder for them.
    pub written: Vec<String>,
    /// So many mails wait to go out that did not before.
    pub mailed: usize,
}

impl Cycle {
    /// Writes the rosters of this month: one for each supervisor and one for each location. Those who get
    /// theirs by mail get it once a month, however often it is written.
    pub async fn write_rosters(&self, who: &str, now: Timestamp) -> Result<Made, CycleError> {
        self.has_somewhere_to_go()?;
        let month = self.today(now).strftime("%Y-%m").to_string();
        let rosters = self.rosters(now).await?;
        // Mails first: they wait for no disk.
        let tx = self.store.begin().await?;
        let mailed = self.mail_rosters(&tx, &rosters, &month, now).await?;
        tx.commit().await?;
        let reports = rosters.iter().map(|roster| roster.report(&month)).collect();
        let written = self.write_or_tell(reports, &format!("rosters of {month}"), now).await;
        let names = written.as_ref().map(Vec::as_slice).unwrap_or_default();
        let mut tx = self.store.begin().await?;
        self.note(&mut tx, Rule::S6, names, mailed, who, now);
        tx.commit().await?;
        let written = written?;
        Ok(Made { written, mailed })
    }

    /// Writes the report of one calendar year, and mails what it says to those who get it.
    pub async fn write_yearly(
        &self,
        year: i16,
        who: &str,
        now: Timestamp,
    ) -> Result<Made, CycleError> {
        self.has_somewhere_to_go()?;
        let (report, sums) = self.yearly(year).await?;
        let name = report.name.clone();
        let tx = self.store.begin().await?;
        let mailed = self.mail_yearly(&tx, (year, &name), sums, now).await?;
        tx.commit().await?;
        let written = self.write_or_tell(vec![report], &format!("report of {year}"), now).await;
        let names = written.as_ref().map(Vec::as_slice).unwrap_or_default();
        let mut tx = self.store.begin().await?;
        self.note(&mut tx, Rule::S5, names, mailed, who, now);
        tx.commit().await?;
        let written = written?;
        Ok(Made { written, mailed })
    }

    fn has_somewhere_to_go(&self) -> Result<(), CycleError> {
        let (folder, notices) = (&self.config.policy.access.reports.folder, &self.config.notices);
        if folder.is_none() && notices.is_none() {
            return Err(CycleError::Rule(
                "reports have nowhere to go: set access.reports.folder, or notices to mail them"
                    .into(),
            ));
        }
        Ok(())
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

    async fn yearly(&self, year: i16) -> Result<(Report, (String, usize)), CycleError> {
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
        let sums = counts.sums();
        Ok((counts.report(by_kind), sums))
    }

    /// Writes reports to their folder; where that fails, a person is told, once for what is written.
    async fn write_or_tell(
        &self,
        reports: Vec<Report>,
        what: &str,
        now: Timestamp,
    ) -> Result<Vec<String>, CycleError> {
        let written = self.write_files(reports).await;
        if let Err(error) = &written {
            let source =
                SourceName::new(DAEMON).map_err(|error| CycleError::Rule(error.to_string()))?;
            let aside = SetAside {
                id: Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("unwritten {what}").as_bytes()),
                drop: None,
                source,
                file_name: "reports".into(),
                line: None,
                reason: format!(
                    "the {what}: {error}. What goes by mail went; put the folder right, then lapsed report writes \
                     the files"
                ),
                who: None,
                at: now,
                settled_at: None,
            };
            let tx = self.store.begin().await?;
            tx.set_aside_once(&aside).await?;
            tx.commit().await?;
        }
        written
    }

    /// Writes reports to their folder, where there is one; gives their names.
    async fn write_files(&self, reports: Vec<Report>) -> Result<Vec<String>, CycleError> {
        let Some(folder) = self.config.policy.access.reports.folder.clone() else {
            return Ok(Vec::new());
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
        Ok(names)
    }

    fn note(
        &self,
        tx: &mut Tx,
        rule: Rule,
        written: &[String],
        mailed: usize,
        who: &str,
        now: Timestamp,
    ) {
        tx.audit(AuditEntry {
            clause: Some(self.config.policy.citations.cite(rule)),
            detail: json!({ "reports": written, "mailed": mailed }),
            ..AuditEntry::new(now, if who.is_empty() { DAEMON } else { who }, "report.written")
        });
    }
}

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

    /// What is counted over the year, as lines of text, and how many counts there are.
    fn sums(&self) -> (String, usize) {
        let sums = self
            .by_name
            .iter()
            .map(|(name, counts)| format!("  {name}: {}\n", counts.iter().sum::<u64>()));
        (sums.collect(), self.by_name.len())
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
