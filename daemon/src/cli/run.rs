//! `lapsed run`.

use super::output::Failure;
use super::{Globals, Outcome};

/// How to run.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Normally started by systemd: systemctl start lapsed\n\nExample:\n  lapsed run --once"
)]
pub struct RunArgs {
    /// Handle what is there and due, then end
    #[arg(long)]
    pub once: bool,
}

pub(super) fn run(_globals: &Globals, _args: &RunArgs) -> Outcome {
    Err(Failure::not_built("run"))
}
