//! `lapsed plan`.

use super::output::Failure;
use super::{Globals, Outcome};
use std::path::PathBuf;

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

pub(super) fn plan(_globals: &Globals, _args: &PlanArgs) -> Outcome {
    Err(Failure::not_built("plan"))
}
