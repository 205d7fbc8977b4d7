//! `lapsed findings`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::{BaselineRequest, MendRequest, PauseRequest, SettleRequest};

/// What the nightly audit found.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  lapsed findings\n  lapsed findings --now --reason \"after the migration\"\n  \
                  lapsed findings settle 0191f2b4 --reason \"kiosk of the library\"\n  \
                  lapsed findings mend 3f9c01ab77de --reason \"a script went wrong\""
)]
pub struct FindingsArgs {
    /// Look at everything now
    #[arg(long, requires = "reason")]
    now: bool,
    /// Why now; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(subcommand)]
    what: Option<FindingsCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum FindingsCommand {
    /// Settle a finding: it is as it should be, and is not told again while it stays so
    Settle {
        /// Its id, or the beginning of it
        id: String,
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Have everybody taken out of groups whom the guard left in them, being too many at once
    Mend {
        /// The hash under which they are held; `lapsed set-aside list` shows it
        hash: String,
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// Take all access that is there now for approved: for an agency that begins with lapsed
    Baseline {
        /// Who ordered it; goes on record
        #[arg(long, value_name = "WHO")]
        authority: String,
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn findings(client: &Client, output: Output, args: FindingsArgs) -> Outcome {
    match args.what {
        Some(FindingsCommand::Settle { id, reason }) => {
            output.print(&client.settle_finding(&SettleRequest { id, reason }).await?)?;
        }
        Some(FindingsCommand::Mend { hash, reason }) => {
            output.print(&client.mend_findings(&MendRequest { hash, reason }).await?)?;
        }
        Some(FindingsCommand::Baseline { authority, reason }) => {
            output.print(&client.accept_baseline(&BaselineRequest { authority, reason }).await?)?;
        }
        None if args.now => {
            let reason = args.reason.unwrap_or_default();
            output.print(&client.audit_access(&PauseRequest { reason }).await?)?;
        }
        None => output.print(&client.findings().await?)?,
    }
    Ok(Exit::Fine)
}
