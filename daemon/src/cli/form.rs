//! `lapsed form` and `lapsed gate`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::upload::{name_of, whole};
use super::{Client, Outcome};
use crate::control::endpoints::Call;
use crate::views::{GateRequest, SentFile, SubmitFormRequest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::civil::Date;
use std::path::{Path, PathBuf};

/// An access form by its number, or what about access forms.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:\n  lapsed form 17\n  lapsed form submit request.yaml --attach consent.pdf\n  lapsed form list --open"
)]
pub struct FormArgs {
    /// The form's number: shows what it asks for, who said what, and what is missing
    number: Option<u64>,
    #[command(subcommand)]
    what: Option<FormCommand>,
}

#[derive(Debug, clap::Subcommand)]
enum FormCommand {
    /// File an access form, as your own word
    #[command(
        after_help = "Nothing is given by filing a form: those who have to approve it are asked.\n\nExample:\n  \
                      lapsed form submit request.yaml --attach consent.pdf"
    )]
    Submit {
        /// The form, YAML or JSON (docs/forms.md)
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// A scan that the form names; once for each
        #[arg(long, value_name = "FILE")]
        attach: Vec<PathBuf>,
    },
    /// List access forms, the newest first
    #[command(after_help = "Example:\n  lapsed form list --open")]
    List {
        /// Only those that wait or are being carried out
        #[arg(long)]
        open: bool,
    },
}

/// What about agreements, training and statements.
#[derive(Debug, clap::Args)]
#[command(after_help = "Gates are set up under access.gates in the configuration.")]
pub struct GateArgs {
    #[command(subcommand)]
    what: GateCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GateCommand {
    /// Record that somebody signed or did what access waits for
    #[command(
        after_help = "Example:\n  lapsed gate record mzsmitj hipaa_training --on 2026-11-20 --document certificate.pdf\n  \
                      lapsed gate record form:17 electronic_resources_agreement --on 2026-11-20"
    )]
    Record {
        /// User ID, employee number, the id that `person` shows, or form:N for whom form N is about
        who: String,
        /// The gate, by its name in the configuration
        gate: String,
        /// When it was signed or done
        #[arg(long, value_name = "DATE")]
        on: Date,
        /// The scan that shows it
        #[arg(long, value_name = "FILE")]
        document: Option<PathBuf>,
    },
    /// Take such a record back: it was wrong
    #[command(
        after_help = "Example:\n  lapsed gate withdraw mzsmitj hipaa_training --reason \"Another person's certificate\""
    )]
    Withdraw {
        /// User ID, employee number, the id that `person` shows, or form:N for whom form N is about
        who: String,
        /// The gate, by its name in the configuration
        gate: String,
        /// Why; goes on record
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

pub(super) async fn form(client: &Client, output: Output, args: FormArgs) -> Outcome {
    match (args.number, args.what) {
        (Some(number), _) => output.print(&client.access_form(number).await?)?,
        (None, Some(FormCommand::List { open })) => {
            output.print(&client.access_forms(open).await?)?;
        }
        (None, Some(FormCommand::Submit { file, attach })) => {
            let request = submitted(&file, &attach)?;
            output.print(&client.submit_form(&request).await?)?;
        }
        // clap shows its help instead.
        (None, None) => {}
    }
    Ok(Exit::Fine)
}

pub(super) async fn gate(client: &Client, output: Output, args: GateArgs) -> Outcome {
    let request = match args.what {
        GateCommand::Record { who, gate, on, document } => {
            let document = document.as_deref().map(|path| sent(path, most())).transpose()?;
            GateRequest { person: who, gate, on: Some(on), document, withdraw: None }
        }
        GateCommand::Withdraw { who, gate, reason } => {
            GateRequest { person: who, gate, on: None, document: None, withdraw: Some(reason) }
        }
    };
    output.print(&client.gate(&request).await?)?;
    Ok(Exit::Fine)
}

fn submitted(file: &Path, attach: &[PathBuf]) -> Result<SubmitFormRequest, Failure> {
    let bytes = read(file, most())?;
    let text = String::from_utf8(bytes).map_err(|_| {
        let problem = format!("{} is not UTF-8", file.display());
        Failure::new(Exit::Failure, problem, "Save the form as UTF-8; scans go with --attach.")
    })?;
    let mut left = most().saturating_sub(text.len());
    let mut scans = Vec::new();
    for path in attach {
        let scan = sent(path, left)?;
        left = left.saturating_sub(scan.content.len() / 4 * 3);
        scans.push(scan);
    }
    Ok(SubmitFormRequest { file_name: name_of(file), text, scans })
}

/// Base64 makes four characters of three bytes; some room is left for the rest of the request.
fn most() -> usize {
    Call::SubmitForm.endpoint().body_limit() / 4 * 3 - 8192
}

fn sent(path: &Path, most: usize) -> Result<SentFile, Failure> {
    Ok(SentFile { file: name_of(path), content: STANDARD.encode(read(path, most)?) })
}

fn read(path: &Path, most: usize) -> Result<Vec<u8>, Failure> {
    let bytes = whole(path)?;
    if bytes.is_empty() || bytes.len() > most {
        return Err(Failure::new(
            Exit::Failure,
            format!("{} has {} bytes; 1 to {most} can be sent", path.display(), bytes.len()),
            "Scan it in fewer colours or as fewer pages, or put form and scans into the forms folder.",
        ));
    }
    Ok(bytes)
}
