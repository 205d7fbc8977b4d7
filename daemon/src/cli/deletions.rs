//! `lapsed pause deletions` and `lapsed resume deletions`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::PauseRequest;

/// What to pause or resume.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Access still ends when someone leaves; only deletions are meant.\n\nExample:\n  \
                  lapsed pause deletions --reason \"Wrong file from HR, being looked into\""
)]
pub struct PauseArgs {
    #[command(subcommand)]
    what: Pausable,
}

#[derive(Debug, clap::Subcommand)]
enum Pausable {
    /// All deletions of mailboxes and home directories
    Deletions {
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl From<PauseArgs> for PauseRequest {
    fn from(PauseArgs { what: Pausable::Deletions { reason } }: PauseArgs) -> Self {
        Self { reason }
    }
}

pub(super) async fn pause(client: &Client, output: Output, args: PauseArgs) -> Outcome {
    output.print(&client.pause(&args.into()).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn resume(client: &Client, output: Output, args: PauseArgs) -> Outcome {
    output.print(&client.resume(&args.into()).await?)?;
    Ok(Exit::Fine)
}
