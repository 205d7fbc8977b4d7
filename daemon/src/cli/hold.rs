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
                      \"Litigation 24-117\" --review-on 2027-06-01\n  lapsed hold place --location b --authority \"General Counsel\" --reason \"Litigation 24-118\""
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
#[command(group(clap::ArgGroup::new("whom").required(true)))]
struct Whose {
    /// User ID, employee number, or the id that `person` shows
    #[arg(group = "whom")]
    who: Option<String>,
    /// Everyone
    #[arg(long, group = "whom")]
    everyone: bool,
    /// Everyone who works or worked at this location, by its character
    #[arg(long, value_name = "LOCATION", group = "whom")]
    location: Option<String>,
    /// Everyone who is or was of this kind
    #[arg(long, value_name = "KIND", group = "whom")]
    kind: Option<String>,
    /// Everyone who was in this group when their departure was planned
    #[arg(long, value_name = "GROUP", group = "whom")]
    group: Option<String>,
    /// Who ordered it; goes on record
    #[arg(long, value_name = "WHO")]
    authority: String,
    /// Why; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn hold(client: &Client, output: Output, args: HoldArgs) -> Outcome {
    match args.what {
        HoldCommand::Place { whose, review_on } => {
            let Whose { who, everyone, location, kind, group, authority, reason } = whose;
            let person = who.unwrap_or_default();
            let request = HoldRequest {
                person,
                everyone,
                location,
                kind,
                group,
                authority,
                reason,
                review_on,
            };
            output.print(&client.hold(&request).await?)?;
        }
        HoldCommand::Lift { whose } => {
            let Whose { who, everyone, location, kind, group, authority, reason } = whose;
            let person = who.unwrap_or_default();
            let request =
                LiftRequest { person, everyone, location, kind, group, authority, reason };
            output.print(&client.lift(&request).await?)?;
        }
        HoldCommand::List => output.print(&client.holds().await?)?,
    }
    Ok(Exit::Fine)
}
