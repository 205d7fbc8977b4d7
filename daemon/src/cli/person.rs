//! `lapsed person`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};

/// Whom to show.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lapsed person mzsmitj")]
pub struct PersonArgs {
    /// User ID, employee number, or the id that `person` shows
    who: String,
}

pub(super) async fn person(client: &Client, output: Output, args: &PersonArgs) -> Outcome {
    output.print(&client.person(&args.who).await?)?;
    Ok(Exit::Fine)
}
