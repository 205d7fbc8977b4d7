//! `lapsed notices`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::{Client, Outcome};
use lapsed_core::notice_rules::Kind;

/// Which notices.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lapsed notices --person mzsmitj\n  lapsed notices --preview manager"
)]
pub struct NoticesArgs {
    /// Only those about this person: user ID, employee number or own id
    #[arg(long, value_name = "WHO")]
    person: Option<String>,
    /// Show how a notice of this kind is worded, for the person or for an example; nothing is sent
    #[arg(long, value_name = "KIND", value_parser = kind)]
    preview: Option<Kind>,
}

fn kind(text: &str) -> Result<Kind, String> {
    let known = Kind::ALL.into_iter().find(|kind| kind.name() == text);
    let names: Vec<&str> = Kind::ALL.into_iter().map(Kind::name).collect();
    known.ok_or_else(|| format!("kinds are {}", names.join(", ")))
}

pub(super) async fn notices(client: &Client, output: Output, args: &NoticesArgs) -> Outcome {
    let who = args.person.as_deref();
    let printed: Result<(), Failure> = match args.preview {
        Some(kind) => output.print(&client.notice_preview(kind, who).await?),
        None => output.print(&client.notices(who).await?),
    };
    printed?;
    Ok(Exit::Fine)
}
