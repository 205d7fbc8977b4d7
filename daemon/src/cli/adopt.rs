//! `lapsed adopt`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::progress::Working;
use super::upload::{Upload, name_of};
use super::{Client, Outcome};
use crate::control::endpoints::Call;
use crate::views::AdoptRequest;
use jiff::civil::Date;
use std::path::{Path, PathBuf};

/// What to adopt by.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Without --write it only reports: read the report, settle its lists, then write.\n\n\
                  Examples:\n  lapsed adopt --feed hr-full.csv --as hr\n  \
                  lapsed adopt --feed hr-full.csv --as hr --write --clocks-start 2026-12-01"
)]
pub struct AdoptArgs {
    /// A full feed file
    #[arg(long, value_name = "FILE")]
    feed: PathBuf,
    /// Which feed of the configuration it is
    #[arg(long = "as", value_name = "NAME")]
    name: String,
    /// Write what matches; otherwise only report
    #[arg(long)]
    write: bool,
    /// From which day the clocks of accounts run that are shut already [default: today]
    #[arg(long, value_name = "DATE")]
    clocks_start: Option<Date>,
}

pub(super) async fn adopt(client: &Client, output: Output, args: &AdoptArgs) -> Outcome {
    let request = AdoptRequest {
        feed: args.name.clone(),
        file_name: name_of(&args.feed),
        content: content(&args.feed)?,
        write: args.write,
        clocks_start: args.clocks_start,
    };
    let working = Working::on("Matching the feed to the directory");
    let view = client.adopt(&request).await;
    working.end();
    output.print(&view?)?;
    Ok(Exit::Fine)
}

/// The file, in the form in which it is sent.
fn content(path: &Path) -> Result<String, Failure> {
    let file = Upload::read(path, Call::Adopt)?;
    if file.len() > file.most {
        let (path, most) = (path.display(), file.most);
        return Err(Failure::new(
            Exit::Failure,
            format!("{path} is longer than the {most} bytes that can be adopted at once"),
            "Adopt in parts: one file a location, each a full feed of its own.",
        ));
    }
    Ok(file.encoded())
}
