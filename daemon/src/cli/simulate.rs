//! `lapsed simulate`.

use super::output::Failure;
use super::{Globals, Outcome};
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

pub(super) fn simulate(_globals: &Globals, _args: &SimulateArgs) -> Outcome {
    Err(Failure::not_built("simulate"))
}
