//! `lapsed envelope`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::{Client, Outcome};
use crate::views::OpenEnvelopeRequest;
use std::io::{BufRead as _, Write as _};

/// What to do with first passwords.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A first password is sealed for whoever hands it over, by default the supervisor. Where mail is \
                  set up, the code comes by mail; type it when you are asked for it.\n\nExamples:\n  \
                  lapsed envelope list\n  lapsed envelope open 0191d5a0-7c1e-7b7e-9c35-3f1d2a4b5c6d"
)]
pub struct EnvelopeArgs {
    #[command(subcommand)]
    what: EnvelopeCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EnvelopeCommand {
    /// List the first passwords that wait for you
    List,
    /// Show one, once; it is destroyed afterwards
    Open {
        /// Its id or the beginning of it, as the mail or `envelope list` shows it
        id: String,
    },
}

pub(super) async fn envelope(client: &Client, output: Output, args: &EnvelopeArgs) -> Outcome {
    match &args.what {
        EnvelopeCommand::List => output.print(&client.envelopes().await?)?,
        EnvelopeCommand::Open { id } => {
            let beginning = id.trim().to_lowercase();
            let mut waiting = client.envelopes().await?.waiting;
            waiting.retain(|envelope| envelope.id.starts_with(&beginning));
            let (Some(envelope), true) = (waiting.pop(), waiting.is_empty()) else {
                return Err(Failure::new(
                    Exit::Failure,
                    format!("not exactly one first password that waits for you has the id {id:?}"),
                    "`lapsed envelope list` shows them. One that was opened, or that nobody opened in time, is \
                     gone: ask for a password reset by form.",
                ));
            };
            let code = if envelope.needs_code { asked_code()? } else { String::new() };
            let request = OpenEnvelopeRequest { id: envelope.id, code };
            output.print(&client.open_envelope(&request).await?)?;
        }
    }
    Ok(Exit::Fine)
}

/// Never an argument: those are in the shell's history, and in the list of processes.
fn asked_code() -> Result<String, Failure> {
    let advice = "Run it on a terminal, or hand the code over on standard input.";
    let failed = |problem: std::io::Error| Failure::caused(&problem, advice);
    let mut told = std::io::stderr();
    told.write_all(b"Code from the mail: ").and_then(|()| told.flush()).map_err(failed)?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(failed)?;
    Ok(line.trim().to_owned())
}
