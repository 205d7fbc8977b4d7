//! `lapsed confirm`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::upload::{Upload, name_of};
use super::{Client, Outcome};
use crate::control::endpoints::Call;
use crate::views::ConfirmRequest;
use std::path::{Path, PathBuf};

/// What was answered.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The document is kept with the case. A bounce or an automatic answer is no confirmation.\n\n\
                  Examples:\n  lapsed confirm K7Q2-M4XZ-9TDF --file scan.pdf\n  \
                  lapsed confirm K7Q2-M4XZ-9TDF --refused \"They have no such user\" --file reply.eml"
)]
pub struct ConfirmArgs {
    /// The token on the form, or the id that `lapsed requests` shows
    #[arg(value_name = "TOKEN")]
    form: String,
    /// The scanned form or the answer; needed unless they said no
    #[arg(long, value_name = "PATH", required_unless_present = "refused")]
    file: Option<PathBuf>,
    /// They said no, and why: a person has to see to it
    #[arg(long, value_name = "TEXT")]
    refused: Option<String>,
}

pub(super) async fn confirm(client: &Client, output: Output, args: &ConfirmArgs) -> Outcome {
    let request = ConfirmRequest {
        form: args.form.clone(),
        file_name: args.file.as_deref().map(name_of).unwrap_or_default(),
        content: args.file.as_deref().map(content).transpose()?,
        refused: args.refused.clone(),
    };
    output.print(&client.confirm(&request).await?)?;
    Ok(Exit::Fine)
}

/// The file, in the form in which it is sent: read with the caller's rights, not the daemon's.
fn content(path: &Path) -> Result<String, Failure> {
    let file = Upload::read(path, Call::Confirm)?;
    if file.len() == 0 || file.len() > file.most {
        let (len, most) = (file.len(), file.most);
        return Err(Failure::new(
            Exit::Failure,
            format!("{} has {len} bytes; a document has 1 to {most}", path.display()),
            "Scan it in fewer colours or as fewer pages.",
        ));
    }
    Ok(file.encoded())
}
