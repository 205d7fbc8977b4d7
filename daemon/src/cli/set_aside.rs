//! `lapsed set-aside`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::SettleRequest;

/// What about rows that were set aside.
#[derive(Debug, clap::Args)]
pub struct SetAsideArgs {
    #[command(subcommand)]
    what: SetAsideCommand,
}

#[derive(Debug, clap::Subcommand)]
enum SetAsideCommand {
    /// List what waits for a person to settle it
    #[command(after_help = "Example:\n  lapsed set-aside list")]
    List,
    /// Say how one was settled, so that it is listed no more
    #[command(
        after_help = "Example:\n  lapsed set-aside settle 019a --reason \"HR sent the right date on 3 June\""
    )]
    Settle {
        /// Its id in the list, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// How it was settled; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn set_aside(client: &Client, output: Output, args: SetAsideArgs) -> Outcome {
    match args.what {
        SetAsideCommand::List => output.print(&client.set_asides().await?)?,
        SetAsideCommand::Settle { id, reason } => {
            output.print(&client.settle_set_aside(&SettleRequest { id, reason }).await?)?;
        }
    }
    Ok(Exit::Fine)
}
