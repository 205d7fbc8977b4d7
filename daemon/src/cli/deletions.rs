//! `lapsed pause` and `lapsed resume`: of deletions, and of whatever gives access.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::PauseRequest;

/// What to pause or resume.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Access still ends when someone leaves, whatever is paused.\n\nExamples:\n  \
                  lapsed pause deletions --reason \"Wrong file from HR, being looked into\"\n  \
                  lapsed resume giving --reason \"Looked through the accounts made since the copy\""
)]
pub struct PauseArgs {
    #[command(subcommand)]
    what: Pausable,
}

#[derive(Debug, clap::Subcommand)]
enum Pausable {
    /// All deletions of mailboxes and home directories; paused by itself after `restore-state`
    Deletions {
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Whatever gives access: accounts, groups, passwords; paused by itself after `restore-state`
    Giving {
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn pause(client: &Client, output: Output, args: PauseArgs) -> Outcome {
    let done = match args.what {
        Pausable::Deletions { reason } => client.pause(&PauseRequest { reason }).await,
        Pausable::Giving { reason } => client.pause_giving(&PauseRequest { reason }).await,
    };
    output.print(&done?)?;
    Ok(Exit::Fine)
}

pub(super) async fn resume(client: &Client, output: Output, args: PauseArgs) -> Outcome {
    let done = match args.what {
        Pausable::Deletions { reason } => client.resume(&PauseRequest { reason }).await,
        Pausable::Giving { reason } => client.resume_giving(&PauseRequest { reason }).await,
    };
    output.print(&done?)?;
    Ok(Exit::Fine)
}
