//! `lapsed depart`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::DepartRequest;
use jiff::civil::Date;

/// Who leaves, and when.
#[derive(Debug, clap::Args)]
#[command(
    group(clap::ArgGroup::new("when").required(true)),
    after_help = "Examples:\n  lapsed depart mzsmitj --now --reason \"Dismissed; call by the HR director\"\n  \
                  lapsed depart 104233 --last-day 2026-12-31 --reason \"Letter of 2 December\""
)]
pub struct DepartArgs {
    /// User ID, employee number, or the id that `person` shows
    who: String,
    /// Access ends now, within seconds
    #[arg(long, group = "when")]
    now: bool,
    /// Access ends after this last day worked
    #[arg(long, value_name = "DATE", group = "when")]
    last_day: Option<Date>,
    /// Why, and on whose word; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn depart(client: &Client, output: Output, args: DepartArgs) -> Outcome {
    let DepartArgs { who: person, now: _, last_day, reason } = args;
    output.print(&client.depart(&DepartRequest { person, reason, last_day }).await?)?;
    Ok(Exit::Fine)
}
