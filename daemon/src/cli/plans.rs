//! `lapsed plans`, `release` and `reject`.

use super::exit::Exit;
use super::output::{Format, Output};
use super::{Client, Outcome};
use crate::views::{DecisionRequest, DoneView};

/// Which plans.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --all, only plans that are held are listed.\n\nExamples:\n  lapsed plans\n  \
                  lapsed plans show 3f9c01ab77de",
    args_conflicts_with_subcommands = true
)]
pub struct PlansArgs {
    /// List all plans, not only those that are held
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    one: Option<PlansCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum PlansCommand {
    /// Show one plan with its steps and what the guard found
    Show {
        /// The plan's hash; its first twelve characters are enough
        #[arg(value_name = "PLAN")]
        hash: String,
    },
}

/// What is decided about a plan.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lapsed release 3f9c01ab77de --reason \"Layoff of 30 June, confirmed with HR\""
)]
pub struct DecisionArgs {
    /// The plan's hash; its first twelve characters are enough
    #[arg(value_name = "PLAN")]
    hash: String,
    /// Why; goes on record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl From<DecisionArgs> for DecisionRequest {
    fn from(DecisionArgs { hash, reason }: DecisionArgs) -> Self {
        Self { hash, reason }
    }
}

pub(super) async fn plans(client: &Client, output: Output, args: &PlansArgs) -> Outcome {
    match &args.one {
        Some(PlansCommand::Show { hash }) => output.print(&client.plan(hash).await?)?,
        None => {
            let states = if args.all { "" } else { "held" };
            let view = client.plans(states).await?;
            match (output.format, args.all, view.plans.is_empty()) {
                (Format::Text, false, true) => {
                    let message = "No plan is held. All plans: lapsed plans --all".to_owned();
                    output.print(&DoneView { message })?;
                }
                _ => output.print(&view)?,
            }
        }
    }
    Ok(Exit::Fine)
}

pub(super) async fn release(client: &Client, output: Output, args: DecisionArgs) -> Outcome {
    output.print(&client.release(&args.into()).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn reject(client: &Client, output: Output, args: DecisionArgs) -> Outcome {
    output.print(&client.reject(&args.into()).await?)?;
    Ok(Exit::Fine)
}
