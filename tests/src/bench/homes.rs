//! `home_vs_rm`: a home with very many small files deleted by our rules, against `rm -rf`.

use super::Sizes;
use super::report::{Goal, Row};
use super::timing::{in_turns, seconds};
use crate::{Done, Failure};
use lapsed_connectors::home::HomeSettings;
use lapsed_connectors::home::keeper::{Keeper, Order};
use lapsed_core::facts::UserId;
use lapsed_core::step::{Outcome, StepId};
use serde_json::json;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// Files in one folder of the home.
const IN_ONE_FOLDER: usize = 1_000;

/// Measures the row.
///
/// # Errors
///
/// When the home can't be made or is not deleted.
pub fn row(sizes: &Sizes) -> Done<Row> {
    let folder = tempfile::tempdir()?;
    let root = folder.path().canonicalize()?.join("home");
    let quarantine = root.join(".lapsed-quarantine");
    fs::create_dir_all(&quarantine)?;
    fs::set_permissions(&quarantine, fs::Permissions::from_mode(0o700))?;
    let settings: HomeSettings = serde_json::from_value(json!({
        "kind": "home", "roots": [root], "path": format!("{}/{{{{ user_id }}}}", root.display()),
        "owner_check": "off", "in_process": true,
    }))
    .map_err(|e| Failure::new(e.to_string()))?;
    let files = sizes.files;
    let ours = |round: usize| {
        let user_id = format!("mzhome{round}");
        fill(&root.join(&user_id), files)?;
        let keeper = Keeper::new(settings.clone());
        let order = order(&user_id)?;
        let until = Instant::now() + Duration::from_hours(1);
        let now = jiff::Timestamp::now();
        let (took, outcome) =
            seconds(|| keeper.delete(&order, until, now).map_err(|f| Failure::new(f.to_string())))?;
        let gone = !root.join(&user_id).exists() && fs::read_dir(&quarantine)?.next().is_none();
        match outcome {
            Outcome::Changed(receipt) if gone && receipt.before["files"] == [files.to_string()] => {
                Ok(took)
            }
            other => Err(Failure::new(format!("the home is not deleted: {other:?}"))),
        }
    };
    let theirs = |round: usize| {
        let home = root.join(format!("mzscript{round}"));
        fill(&home, files)?;
        super::timing::command_seconds(Command::new("rm").arg("-rf").arg(&home))
    };
    let (ours, theirs) = in_turns(sizes.rounds, ours, theirs)?;
    Ok(Row {
        name: "home_vs_rm".into(),
        ours,
        theirs: Some(theirs),
        unit: "s",
        rounds: sizes.rounds,
        setting: format!(
            "{files} files of 16 bytes, {IN_ONE_FOLDER} in a folder; checked, counted, quarantined"
        ),
        goal: Goal::RatioAtMost(1.1),
        points: Vec::new(),
    })
}

fn order(user_id: &str) -> Done<Order> {
    Ok(Order {
        step: StepId(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, user_id.as_bytes())),
        user_id: UserId::new(user_id).map_err(|e| Failure::new(e.to_string()))?,
        home: None,
        case: uuid::Uuid::nil(),
        uid_number: None,
    })
}

fn fill(home: &Path, files: usize) -> Done<()> {
    for begin in (0..files).step_by(IN_ONE_FOLDER) {
        let folder = home.join(format!("folder-{begin}"));
        fs::create_dir_all(&folder)?;
        for number in begin..files.min(begin + IN_ONE_FOLDER) {
            fs::write(folder.join(format!("file-{number}")), "sixteen bytes ..")?;
        }
    }
    // What waits to be written must not be written while one of the two is timed.
    rustix::fs::sync();
    Ok(())
}
