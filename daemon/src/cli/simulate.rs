//! `lapsed simulate`.

use super::exit::Exit;
use super::plan::{failed, rehearsal, sound_config};
use super::{Globals, Outcome, waited};
use jiff::Timestamp;
use jiff::civil::Date;
use std::path::PathBuf;

/// How far to look ahead, and by what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lapsed simulate --until 2027-06-30")]
pub struct SimulateArgs {
    /// The last day to look at
    #[arg(long, value_name = "DATE")]
    pub until: Date,
    /// As if this file had been dropped
    #[arg(long, value_name = "FILE", requires = "name")]
    pub feed: Option<PathBuf>,
    /// Which feed of the configuration it is
    #[arg(long = "as", value_name = "NAME", requires = "feed")]
    pub name: Option<String>,
}

pub(super) fn simulate(globals: &Globals, args: &SimulateArgs) -> Outcome {
    let config = sound_config(globals.config_path())?;
    let view = waited(async {
        let now = Timestamp::now();
        let rehearsal = rehearsal(config, args.feed.as_deref(), args.name.as_deref(), now).await?;
        rehearsal.simulate(now, args.until).await.map_err(failed)
    })??;
    globals.output().print(&view)?;
    Ok(Exit::Fine)
}
