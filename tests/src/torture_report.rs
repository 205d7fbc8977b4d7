//! What the tests that break things have counted: each part of them writes its own file, and the last step
//! of `make torture` adds them up in `target/torture/report.json`.

use crate::{Done, Failure};
use serde_json::{Map, Value, json};
use std::fs;
use std::ops::AddAssign;
use std::path::{Path, PathBuf};

/// What was done to lapsed, and what came of it. `lost`, `doubled` and `wrong` have to be 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// How often a daemon, or a server that it needs, was killed or frozen.
    pub kills: u64,
    /// Requests and replies that were delayed, cut, corrupted or refused, disks that were full, and the like.
    pub faults: u64,
    /// Hostile inputs that were read.
    pub inputs: u64,
    /// Effects that should have come and did not.
    pub lost: u64,
    /// Effects that came more than once.
    pub doubled: u64,
    /// Whatever else is not as it should be: somebody cut off who should not be, above all.
    pub wrong: u64,
    /// What the protocol can't tell, and is shown as that: a mail whose acknowledgement was lost.
    pub unverified: u64,
}

impl Figures {
    const NAMES: [&str; 7] =
        ["kills", "faults", "inputs", "lost", "doubled", "wrong", "unverified"];

    fn each(&mut self) -> [&mut u64; 7] {
        let Self { kills, faults, inputs, lost, doubled, wrong, unverified } = self;
        [kills, faults, inputs, lost, doubled, wrong, unverified]
    }

    /// Whether nothing was lost, doubled or wrong.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.wrong == 0
    }

    /// Puts these figures on record as those of one part, in place of what it wrote before. A test that
    /// breaks things calls this before it asserts anything about the figures.
    ///
    /// # Errors
    ///
    /// When the file can't be written.
    pub fn write(&self, part: &str) -> Done<()> {
        self.write_in(&folder(), part)
    }

    fn write_in(&self, folder: &Path, part: &str) -> Done<()> {
        let parts = folder.join("parts");
        fs::create_dir_all(&parts)?;
        let unfinished = parts.join(format!(".{part}.{}", std::process::id()));
        fs::write(&unfinished, format!("{:#}\n", Value::Object(self.shown())))?;
        Ok(fs::rename(unfinished, parts.join(format!("{part}.json")))?)
    }

    fn shown(mut self) -> Map<String, Value> {
        let named = Self::NAMES.iter().zip(self.each());
        named.map(|(name, count)| ((*name).to_owned(), Value::from(*count))).collect()
    }

    fn read(value: &Value) -> Done<Self> {
        let mut figures = Self::default();
        for (name, count) in Self::NAMES.iter().zip(figures.each()) {
            let found = value[*name].as_u64();
            *count = found.ok_or_else(|| Failure::new(format!("no figure {name}: {value}")))?;
        }
        Ok(figures)
    }
}

impl AddAssign for Figures {
    fn add_assign(&mut self, mut other: Self) {
        for (sum, count) in self.each().into_iter().zip(other.each()) {
            *sum += *count;
        }
    }
}

/// Whether the long form was asked for: `LAPSED_TORTURE=long`, as `make torture` sets it.
#[must_use]
pub fn is_long() -> bool {
    std::env::var("LAPSED_TORTURE").is_ok_and(|form| form == "long")
}

/// Adds up what the parts wrote, writes `target/torture/report.json` and gives the sums.
///
/// # Errors
///
/// When there is no part, or one can't be read.
pub fn merge() -> Done<Figures> {
    merge_in(&folder())
}

fn merge_in(folder: &Path) -> Done<Figures> {
    let mut sum = Figures::default();
    let mut parts = Map::new();
    for file in fs::read_dir(folder.join("parts"))? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let told = |what: String| Failure::new(format!("{}: {what}", path.display()));
        let value: Value = serde_json::from_str(&fs::read_to_string(&path)?)
            .map_err(|error| told(error.to_string()))?;
        sum += Figures::read(&value).map_err(|failure| told(failure.to_string()))?;
        parts.insert(path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), value);
    }
    if parts.is_empty() {
        return Err(Failure::new("no part has written its figures: nothing was tried"));
    }
    let mut report = sum.shown();
    report.insert("parts".into(), Value::Object(parts));
    fs::write(folder.join("report.json"), format!("{:#}\n", json!(report)))?;
    Ok(sum)
}

/// `target/torture` of the workspace.
fn folder() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    let ours = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    target.unwrap_or_else(ours).join("torture")
}

#[cfg(test)]
mod tests {
    use super::{Figures, merge_in};

    #[test]
    fn the_report_adds_up_what_the_parts_wrote_last() {
        let folder = tempfile::tempdir().unwrap();
        assert!(merge_in(folder.path()).is_err());
        let kills = |kills, doubled| Figures { kills, doubled, ..Figures::default() };
        for (part, figures) in [("one", kills(900, 9)), ("two", kills(5, 1)), ("one", kills(7, 0))]
        {
            figures.write_in(folder.path(), part).unwrap();
        }
        let sum = merge_in(folder.path()).unwrap();
        assert_eq!(sum, kills(12, 1));
        assert!(!sum.is_whole());
        let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        assert_eq!((&report["kills"], &report["parts"]["two"]["kills"]), (&12.into(), &5.into()));
    }
}
