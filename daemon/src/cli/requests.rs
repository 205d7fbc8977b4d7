//! `lapsed requests`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};

/// Which requests.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "File an answer with `lapsed confirm`.\n\nExamples:\n  lapsed requests\n  lapsed requests --all"
)]
pub struct RequestsArgs {
    /// Those that were confirmed or called off, too
    #[arg(long)]
    all: bool,
}

pub(super) async fn requests(client: &Client, output: Output, args: &RequestsArgs) -> Outcome {
    output.print(&client.requests(args.all).await?)?;
    Ok(Exit::Fine)
}
