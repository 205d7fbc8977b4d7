//! `lapsed plan`.

use super::exit::Exit;
use super::output::{Failure, Format};
use super::{Globals, Outcome, waited};
use crate::config::{self, Config};
use crate::rehearse::{Rehearsal, RehearseError};
use crate::views::DoneView;
use jiff::Timestamp;
use lapsed_core::facts::SourceName;
use std::path::{Path, PathBuf};

/// What to plan for.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ends with 2 when there is something to do.\n\nExamples:\n  lapsed plan\n  \
                  lapsed plan --feed hr-2026-11-27.csv --as hr"
)]
pub struct PlanArgs {
    /// As if this file had been dropped
    #[arg(long, value_name = "FILE", requires = "name")]
    pub feed: Option<PathBuf>,
    /// Which feed of the configuration it is
    #[arg(long = "as", value_name = "NAME", requires = "feed")]
    pub name: Option<String>,
}

const NOTHING: &str = "Nothing to do: the directory is as the facts and the rules want it, as far as nobody has to decide \
     on a held plan.";

pub(super) fn plan(globals: &Globals, args: &PlanArgs) -> Outcome {
    let config = sound_config(globals.config_path())?;
    let view = waited(async {
        let now = Timestamp::now();
        let rehearsal = rehearsal(config, args.feed.as_deref(), args.name.as_deref(), now).await?;
        rehearsal.plan(now).await.map_err(failed)
    })??;
    let changes = view.plans.iter().any(|plan| plan.step_count > 0);
    let output = globals.output();
    match (output.format, view.plans.is_empty()) {
        (Format::Text, true) => output.print(&DoneView { message: NOTHING.to_owned() })?,
        _ => output.print(&view)?,
    }
    Ok(if changes { Exit::Changes } else { Exit::Fine })
}

/// A configuration without mistakes, or the advice to look at them.
pub(super) fn sound_config(path: &Path) -> Result<Config, Failure> {
    config::load(path).map(|(config, _)| config).map_err(|errors| {
        Failure::new(
            Exit::Failure,
            format!("{} has {} mistake(s) in it", path.display(), errors.problems().len()),
            "See each with its remedy: lapsed check",
        )
    })
}

/// A rehearsal with a feed file, or with what lies in the inbox, taken in.
pub(super) async fn rehearsal(
    config: Config,
    feed: Option<&Path>,
    name: Option<&str>,
    now: Timestamp,
) -> Result<Rehearsal, Failure> {
    let rehearsal = Rehearsal::new(config).await.map_err(failed)?;
    match (feed, name) {
        (Some(path), Some(name)) => {
            let source = SourceName::new(name)
                .map_err(|e| Failure::caused(&e, "Name a feed of the configuration by --as."))?;
            rehearsal.drop_file(&source, path, now).await.map_err(failed)?;
        }
        _ => rehearsal.drop_inbox(now).await.map_err(failed)?,
    }
    Ok(rehearsal)
}

pub(super) fn failed(error: RehearseError) -> Failure {
    let advice = match &error {
        RehearseError::Unreadable { .. } | RehearseError::SetUp(_) => {
            "See what is wrong: lapsed check"
        }
        RehearseError::Store(_) => "Run it as the daemon's own account.",
        RehearseError::Rejected(_) => "Mend the file or the feed's settings.",
        RehearseError::Cycle(_) | RehearseError::Drop(_) | RehearseError::File { .. } => {
            "Mend what is named, then try again; nothing was written."
        }
    };
    Failure::caused(&error, advice)
}
