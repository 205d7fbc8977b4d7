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
                  lapsed depart 104233 --last-day 2026-12-31 --reason \"Letter of 2 December\"\n  \
                  lapsed depart mzsmitj --withdraw --reason \"Wrong account named\""
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
    /// Take an operator's mistaken notice back; access does not come back by itself
    #[arg(long, group = "when")]
    withdraw: bool,
    /// Why, and on whose word; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(super) async fn depart(client: &Client, output: Output, args: DepartArgs) -> Outcome {
    let DepartArgs { who: person, now: _, last_day, withdraw, reason } = args;
    let request = DepartRequest { person, reason, last_day, withdraw };
    output.print(&client.depart(&request).await?)?;
    Ok(Exit::Fine)
}
