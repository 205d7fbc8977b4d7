//! What was measured: rows of ours against theirs, as a table for people and as `target/bench/report.json`.

use crate::{Done, Failure};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A bound that a row was built to keep.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// `ratio` at most this.
    RatioAtMost(f64),
    /// `ratio` at least this.
    RatioAtLeast(f64),
    /// `ours` at most this, in the row's unit.
    OursAtMost(f64),
}

impl Goal {
    fn is_met(self, row: &Row) -> bool {
        match self {
            Self::RatioAtMost(most) => row.ratio().is_some_and(|ratio| ratio <= most),
            Self::RatioAtLeast(least) => row.ratio().is_some_and(|ratio| ratio >= least),
            Self::OursAtMost(most) => row.ours <= most,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::RatioAtMost(most) => format!("ratio <= {most}"),
            Self::RatioAtLeast(least) => format!("ratio >= {least}"),
            Self::OursAtMost(most) => format!("<= {most}"),
        }
    }
}

/// One thing measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its name, the same in every report.
    pub name: String,
    /// lapsed, the median of the rounds.
    pub ours: f64,
    /// What an administrator would use instead, the median of the rounds; absent where a bound is all there is.
    pub theirs: Option<f64>,
    /// Of both: `s`, `ms`, `MiB`, `steps/s`.
    pub unit: &'static str,
    /// How often each side ran, in turns.
    pub rounds: usize,
    /// What it ran on: sizes, overlays, what waited for the disk.
    pub setting: String,
    /// What was aimed at.
    pub goal: Goal,
    /// Points of a curve (size, value), where the row is about growth.
    pub points: Vec<(f64, f64)>,
}

impl Row {
    /// Ours divided by theirs.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        self.theirs.filter(|theirs| *theirs > 0.0).map(|theirs| self.ours / theirs)
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name, "ours": rounded(self.ours), "theirs": self.theirs.map(rounded),
            "ratio": self.ratio().map(rounded), "unit": self.unit, "rounds": self.rounds,
            "setting": self.setting, "goal": self.goal.shown(), "met": self.goal.is_met(self),
            "points": self.points,
        })
    }

    /// One line of the table, at most 100 columns.
    #[must_use]
    pub fn line(&self) -> String {
        let theirs = self.theirs.map_or_else(|| "-".to_owned(), short);
        let ratio = self.ratio().map_or_else(|| "-".to_owned(), short);
        let met = if self.goal.is_met(self) { "met" } else { "missed" };
        format!(
            "{:<22} {:>10} {:>10} {:<8} {:>8}   {:<14} {met}",
            self.name,
            short(self.ours),
            theirs,
            self.unit,
            ratio,
            self.goal.shown()
        )
    }
}

fn short(number: f64) -> String {
    if number >= 100.0 { format!("{number:.0}") } else { format!("{number:.3}") }
}

fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}

/// The head of the table.
#[must_use]
pub fn head() -> String {
    format!("{:<22} {:>10} {:>10} {:<8} {:>8}   goal", "name", "ours", "theirs", "unit", "ratio")
}

/// Where reports go.
///
/// # Errors
///
/// When the folder can't be made.
pub fn folder() -> Done<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = root.parent().ok_or_else(|| Failure::new("no project folder"))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
    let folder = target.join("bench");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Writes the rows into `report.json`; rows of an earlier run of the same commit that were not measured
/// again stay.
///
/// # Errors
///
/// When the file can't be written.
pub fn write(rows: &[Row]) -> Done<PathBuf> {
    let file = folder()?.join("report.json");
    let commit = commit();
    let before: Value = fs::read(&file)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .filter(|report: &Value| report["commit"] == commit.as_str())
        .unwrap_or_default();
    let mut all: Vec<Value> = before["rows"].as_array().cloned().unwrap_or_default();
    all.retain(|row| rows.iter().all(|new| row["name"] != new.name.as_str()));
    all.extend(rows.iter().map(Row::to_json));
    all.sort_by_key(|row| row["name"].to_string());
    let report = json!({ "rows": all, "machine": machine(), "commit": commit });
    fs::write(&file, format!("{report:#}\n"))?;
    Ok(file)
}

fn commit() -> String {
    let said = Command::new("git").args(["describe", "--always", "--dirty"]).output();
    said.map(|said| String::from_utf8_lossy(&said.stdout).trim().to_owned()).unwrap_or_default()
}

fn machine() -> String {
    let first = |file: &str, key: &str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with(key)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let (model, memory) =
        (first("/proc/cpuinfo", "model name"), first("/proc/meminfo", "MemTotal"));
    format!("{model}, {cores} cores, {memory} of memory")
}

#[cfg(test)]
mod tests {
    use super::{Goal, Row};

    #[test]
    fn a_goal_is_met_or_missed_by_its_own_measure() {
        let row = |ours: f64, theirs: Option<f64>, goal: Goal| Row {
            name: "x".into(),
            ours,
            theirs,
            unit: "s",
            rounds: 1,
            setting: String::new(),
            goal,
            points: Vec::new(),
        };
        assert!(row(1.0, Some(4.0), Goal::RatioAtMost(0.25)).line().ends_with(" met"));
        assert!(row(1.1, Some(4.0), Goal::RatioAtMost(0.25)).line().ends_with(" missed"));
        assert!(row(1.0, Some(2.0), Goal::RatioAtLeast(0.5)).line().ends_with(" met"));
        assert!(row(41.0, None, Goal::OursAtMost(40.0)).line().ends_with(" missed"));
        assert!(row(1.0, None, Goal::RatioAtMost(1.0)).line().ends_with(" missed"), "not measured");
    }
}
