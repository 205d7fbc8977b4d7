//! `lapsed confirm`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::{Client, Outcome};
use crate::control::endpoints::Call;
use crate::views::ConfirmRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
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
    let name = args.file.as_deref().and_then(Path::file_name);
    let request = ConfirmRequest {
        form: args.form.clone(),
        file_name: name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        content: args.file.as_deref().map(content).transpose()?,
        refused: args.refused.clone(),
    };
    output.print(&client.confirm(&request).await?)?;
    Ok(Exit::Fine)
}

/// The file, in the form in which it is sent: read with the caller's rights, not the daemon's.
fn content(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path).map_err(|problem| {
        Failure::new(
            Exit::Failure,
            format!("{} can't be read: {problem}", path.display()),
            "Check the path, and that your account may read the file.",
        )
    })?;
    // Base64 makes four characters of three bytes; some room is left for the rest of the request.
    let most = Call::Confirm.endpoint().body_limit() / 4 * 3 - 4096;
    if bytes.is_empty() || bytes.len() > most {
        return Err(Failure::new(
            Exit::Failure,
            format!("{} has {} bytes; a document has 1 to {most}", path.display(), bytes.len()),
            "Scan it in fewer colours or as fewer pages.",
        ));
    }
    Ok(STANDARD.encode(bytes))
}
