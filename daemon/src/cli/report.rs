//! `lapsed report`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::ReportRequest;

/// Which report.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  lapsed report roster\n  lapsed report yearly --year 2026")]
pub struct ReportArgs {
    #[command(subcommand)]
    what: ReportCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ReportCommand {
    /// Write who holds what, for each supervisor and each location
    Roster,
    /// Write the report of a year for the Chief Security Officer
    Yearly {
        /// The calendar year
        #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(2000..=9999))]
        year: u16,
    },
}

pub(super) async fn report(client: &Client, output: Output, args: &ReportArgs) -> Outcome {
    let year = match args.what {
        ReportCommand::Roster => None,
        ReportCommand::Yearly { year } => Some(year),
    };
    output.print(&client.report(&ReportRequest { year }).await?)?;
    Ok(Exit::Fine)
}
