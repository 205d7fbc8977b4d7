//! `lapsed suspend`, `lapsed unsuspend` and `lapsed suspensions`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::{SuspendRequest, UnsuspendRequest};
use jiff::civil::Date;

/// Whose access stops, where, and on whose word.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "No deletion clock starts, and no group is left. Only an order lifts an order: neither HR's file \
                  nor an access form does.\n\nExamples:\n  lapsed suspend mzsmitj --authority \"Security Coordinator\" \
                  --reason \"Violation 24-31\"\n  lapsed suspend mzsmitj --leave --from 2026-12-01 --until 2027-02-28 \
                  --authority \"HR\" --reason \"Leave of absence\""
)]
pub struct SuspendArgs {
    /// User ID, employee number, or the id that `person` shows
    who: String,
    /// Who ordered it; goes on record
    #[arg(long, value_name = "WHO")]
    authority: String,
    /// Why; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Only this system or connector; may be given several times
    #[arg(long = "system", value_name = "NAME")]
    systems: Vec<String>,
    /// A leave of absence instead of an order
    #[arg(long)]
    leave: bool,
    /// Its first day; at once where absent
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The last day of a leave
    #[arg(long, value_name = "DATE", requires = "leave")]
    until: Option<Date>,
}

/// Whose access goes on, and on whose word.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lapsed unsuspend mzsmitj --authority \"Security Coordinator\" --reason \"Violation 24-31 settled\""
)]
pub struct UnsuspendArgs {
    /// User ID, employee number, or the id that `person` shows
    who: String,
    /// Who ordered it; goes on record
    #[arg(long, value_name = "WHO")]
    authority: String,
    /// Why; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// leave, order, inactivity or expired; needed where several kinds stand
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
}

pub(super) async fn suspend(client: &Client, output: Output, args: SuspendArgs) -> Outcome {
    let SuspendArgs { who: person, authority, reason, systems, leave, from, until } = args;
    let request = SuspendRequest { person, authority, reason, systems, leave, from, until };
    output.print(&client.suspend(&request).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn unsuspend(client: &Client, output: Output, args: UnsuspendArgs) -> Outcome {
    let UnsuspendArgs { who: person, authority, reason, kind } = args;
    let request = UnsuspendRequest { person, authority, reason, kind };
    output.print(&client.unsuspend(&request).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn suspensions(client: &Client, output: Output) -> Outcome {
    output.print(&client.suspensions().await?)?;
    Ok(Exit::Fine)
}
