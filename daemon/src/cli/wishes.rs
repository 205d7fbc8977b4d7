//! `lapsed delegate` and `lapsed keep`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::{DelegateRequest, KeepRequest};

/// Whose mailbox, and for whom.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The mailbox is not deleted while the wish stands, and it stands until it is ended.\n\nExamples:\n  \
                  lapsed delegate mzsmitj --to mzdoej --authority \"J. Roe, supervisor\"\n  \
                  lapsed delegate mzsmitj --end --authority \"J. Roe, supervisor\""
)]
pub struct DelegateArgs {
    /// The leaver: user ID, employee number, or the id that `person` shows
    who: String,
    /// User ID of the one who reads it; with --end, of the one who no longer does
    #[arg(long, value_name = "USER", required_unless_present = "end")]
    to: Option<String>,
    /// How long: until you say `--end`
    #[arg(long, value_enum, default_value = "told", conflicts_with = "end")]
    until: Until,
    /// The mailbox is no longer needed: the right is taken back, and the deletion goes on
    #[arg(long)]
    end: bool,
    /// On whose word; goes on record
    #[arg(long, value_name = "WHO")]
    authority: String,
}

/// How long a delegation lasts (D8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Until {
    /// Until account management is told
    Told,
}

/// What is to be kept, and for whom.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing of it is deleted before it was copied and the copy was read back.\n\nExamples:\n  \
                  lapsed keep mzsmitj --to mzroej --authority \"J. Roe, supervisor\" letters/2026 plan.xlsx\n  \
                  lapsed keep mzsmitj --to mzroej --authority \"J. Roe, supervisor\" --mail\n  \
                  lapsed keep mzsmitj --end --authority \"J. Roe, supervisor\""
)]
pub struct KeepArgs {
    /// The leaver: user ID, employee number, or the id that `person` shows
    who: String,
    /// Files and folders, as they are below the home directory; all of it where none is given
    #[arg(value_name = "PATH", conflicts_with_all = ["end", "mail"])]
    paths: Vec<String>,
    /// User ID of the one who gets them: the supervisor
    #[arg(long, value_name = "SUPERVISOR", required_unless_present = "end")]
    to: Option<String>,
    /// Content of the mailbox is asked for: it stays until you say `--mail --end`
    #[arg(long)]
    mail: bool,
    /// The wish is taken back, or what was asked for was handed over
    #[arg(long)]
    end: bool,
    /// On whose word; goes on record
    #[arg(long, value_name = "WHO")]
    authority: String,
}

pub(super) async fn delegate(client: &Client, output: Output, args: DelegateArgs) -> Outcome {
    let DelegateArgs { who: person, to, until: Until::Told, end, authority } = args;
    let request = DelegateRequest { person, to, authority, end };
    output.print(&client.delegate(&request).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn keep(client: &Client, output: Output, args: KeepArgs) -> Outcome {
    let KeepArgs { who: person, paths, to, mail, end, authority } = args;
    let request = KeepRequest { person, to, paths, mail, authority, end };
    output.print(&client.keep(&request).await?)?;
    Ok(Exit::Fine)
}
