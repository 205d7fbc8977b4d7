//! `lapsed due`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use jiff::civil::Date;

/// Which part of the calendar.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lapsed due --until 2026-12-31")]
pub struct DueArgs {
    /// Only what is due up to and on this day
    #[arg(long, value_name = "DATE")]
    until: Option<Date>,
}

pub(super) async fn due(client: &Client, output: Output, args: &DueArgs) -> Outcome {
    output.print(&client.due(args.until).await?)?;
    Ok(Exit::Fine)
}
