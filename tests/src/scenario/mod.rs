//! Scenarios that a person can read: a folder with HR's people, a directory and a script gives a transcript.
//!
//! A folder holds `about.md` (what is shown, with the rules), `people.csv` (what HR knows on the first
//! day), `directory.csv` (accounts and their groups), `script.txt`, and `expected.txt`, the transcript.
//! Everything is real but the clock: an OpenLDAP server, the state database, the control socket, and the
//! commands of the built program. The rounds of the daemon run within the test, one at a time and only
//! where the script says `run`, so that a transcript is the same on every machine.
//!
//! `LAPSED_BLESS=1` writes `expected.txt` anew; read the difference before you commit it.

mod directory;
mod people;
mod script;
mod stage;
mod tidy;

use crate::{Done, Failure};
use script::Line;
use stage::Stage;
use std::fs;
use std::path::Path;

/// Plays the scenario in a folder and compares the transcript with `expected.txt`.
pub fn play(folder: &Path) -> Done<()> {
    let script = fs::read_to_string(folder.join("script.txt"))?;
    let mut stage = Stage::set(folder)?;
    let mut transcript = String::new();
    for (number, text) in script.lines().enumerate() {
        let at = |failure: Failure| {
            failure.during(format!("{} line {}: {text}", folder.display(), number + 1))
        };
        let text = text.trim_end();
        if text.is_empty() || text.starts_with('#') {
            transcript += &format!("{text}\n");
            continue;
        }
        let line = Line::parse(text).map_err(at)?;
        transcript += &format!("> {text}\n");
        let said = stage.play(&line).map_err(at)?;
        for line in stage.tidy(&said)?.lines() {
            transcript += format!("  {line}").trim_end();
            transcript.push('\n');
        }
    }
    compare(&folder.join("expected.txt"), &transcript)
}

fn compare(file: &Path, transcript: &str) -> Done<()> {
    if std::env::var_os("LAPSED_BLESS").is_some() {
        return Ok(fs::write(file, transcript)?);
    }
    let expected = fs::read_to_string(file).unwrap_or_default();
    if expected == transcript {
        return Ok(());
    }
    let differs = expected.lines().zip(transcript.lines()).position(|(one, other)| one != other);
    let line = differs.unwrap_or_else(|| expected.lines().count().min(transcript.lines().count()));
    let around = |text: &str| {
        let from = line.saturating_sub(6);
        text.lines().skip(from).take(16).collect::<Vec<_>>().join("\n")
    };
    Err(Failure::new(format!(
        "{} differs from line {}:\n--- expected\n{}\n--- played\n{}\n\nLAPSED_BLESS=1 writes it anew",
        file.display(),
        line + 1,
        around(&expected),
        around(transcript)
    )))
}
