//! `lapsed forms`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};

/// Which forms.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "File an answer with `lapsed confirm`.\n\nExamples:\n  lapsed forms\n  lapsed forms --all"
)]
pub struct FormsArgs {
    /// Those that were confirmed or called off, too
    #[arg(long)]
    all: bool,
}

pub(super) async fn forms(client: &Client, output: Output, args: &FormsArgs) -> Outcome {
    output.print(&client.forms(args.all).await?)?;
    Ok(Exit::Fine)
}
