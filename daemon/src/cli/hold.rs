//! `lapsed hold`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::{HoldRequest, LiftRequest};
use jiff::civil::Date;

/// What about holds.
#[derive(Debug, clap::Args)]
#[command(after_help = "A hold stops deletions; access still ends when someone leaves.")]
pub struct HoldArgs {
    #[command(subcommand)]
    what: HoldCommand,
}

#[derive(Debug, clap::Subcommand)]
enum HoldCommand {
    /// Place a hold: nothing of the person is deleted until it is lifted
    #[command(
        after_help = "Example:\n  lapsed hold place mzsmitj --authority \"General Counsel\" --reason \
                      \"Litigation 24-117\" --review-on 2027-06-01"
    )]
    Place {
        #[command(flatten)]
        whose: Whose,
        /// When someone should look at the hold again; it does not end by itself
        #[arg(long, value_name = "DATE")]
        review_on: Option<Date>,
    },
    /// Lift a hold: deletions that are overdue follow
    #[command(
        after_help = "Example:\n  lapsed hold lift mzsmitj --authority \"General Counsel\" --reason \"Case settled\""
    )]
    Lift {
        #[command(flatten)]
        whose: Whose,
    },
    /// List the holds that stand
    List,
}

#[derive(Debug, clap::Args)]
struct Whose {
    /// User ID, employee number, or the id that `person` shows
    who: String,
    /// Who ordered it; goes on record
    #[arg(long, value_name = "WHO")]
    authority: String,
    /// Why; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn hold(client: &Client, output: Output, args: HoldArgs) -> Outcome {
    match args.what {
        HoldCommand::Place { whose: Whose { who: person, authority, reason }, review_on } => {
            let request = HoldRequest { person, authority, reason, review_on };
            output.print(&client.hold(&request).await?)?;
        }
        HoldCommand::Lift { whose: Whose { who: person, authority, reason } } => {
            let request = LiftRequest { person, authority, reason };
            output.print(&client.lift(&request).await?)?;
        }
        HoldCommand::List => output.print(&client.holds().await?)?,
    }
    Ok(Exit::Fine)
}
