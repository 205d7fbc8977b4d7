//! `lapsed evidence` and `lapsed late`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::{Client, Outcome};
use crate::evidence::{canonical, page};
use crate::views::{DoneView, EvidenceView};
use jiff::civil::Date;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Whose evidence, and where it is written.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Writes evidence-WHO.html, to print, and evidence-WHO.json, which docs/verify_evidence.py \
                  checks without lapsed. Neither is written over a file that is there.\n\nExample:\n  lapsed \
                  evidence mzsmitj --out /root/case-24-117"
)]
pub struct EvidenceArgs {
    /// User ID, employee number, or the id that `person` shows
    who: String,
    /// Folder to write into
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    out: PathBuf,
}

/// Since when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lapsed late --since 2026-11-01")]
pub struct LateArgs {
    /// Only access that was to end on this day or later
    #[arg(long, value_name = "DATE")]
    since: Option<Date>,
}

pub(super) async fn evidence(client: &Client, output: Output, args: &EvidenceArgs) -> Outcome {
    let view: EvidenceView = client.evidence(&args.who).await?;
    let broken = |problem: serde_json::Error| {
        Failure::caused(&problem, "Report this as a mistake in lapsed.")
    };
    let value = serde_json::to_value(&view).map_err(broken)?;
    let name: String =
        args.who.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let json = args.out.join(format!("evidence-{name}.json"));
    let html = args.out.join(format!("evidence-{name}.html"));
    write(&json, &(canonical(&value) + "\n"))?;
    write(&html, &page(&view))?;
    let message = format!(
        "written: {} and {}; check them by docs/verify_evidence.py",
        json.display(),
        html.display()
    );
    output.print(&DoneView { message })?;
    Ok(Exit::Fine)
}

/// Readable for its owner only, and never over another file or through a link.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|problem| {
        Failure::new(
            Exit::Failure,
            format!("{} can't be written: {problem}", path.display()),
            "Name a folder of your own with --out, and take an older file away first.",
        )
    })
}

pub(super) async fn late(client: &Client, output: Output, args: &LateArgs) -> Outcome {
    output.print(&client.late(args.since).await?)?;
    Ok(Exit::Fine)
}
