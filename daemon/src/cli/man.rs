//! `lapsed man`: the manual pages, made of the same definitions that parse the command line.
//!
//! They come from a hidden command and not from a build script: a build script would compile clap and
//! every type of the command line a second time for every build, and the binary could then not tell
//! whether its pages are its own.

use super::connect::{DEFAULT_CONFIG, DEFAULT_SOCKET};
use super::exit::Exit;
use super::output::{Failure, Output};
use super::{Cli, Outcome};
use clap::CommandFactory;
use clap_mangen::Man;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Which pages, and where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  lapsed man --folder /usr/share/man/man1")]
pub struct ManArgs {
    /// Write the pages of all commands into this folder; otherwise print the main one
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

pub(super) fn man(output: Output, args: &ManArgs) -> Outcome {
    let pages = pages()
        .map_err(|problem| Failure::caused(&problem, "Report this as a mistake in lapsed."))?;
    match &args.folder {
        Some(folder) => write_into(folder, &pages)?,
        None => output.raw(pages.first().map(|(_, page)| page.as_slice()).unwrap_or_default())?,
    }
    Ok(Exit::Fine)
}

fn write_into(folder: &Path, pages: &[(String, Vec<u8>)]) -> Result<(), Failure> {
    for (name, page) in pages {
        std::fs::write(folder.join(name), page).map_err(|problem| {
            Failure::new(
                Exit::Failure,
                format!("{} can't be written: {problem}", folder.join(name).display()),
                "Name a folder that exists and that your account may write to.",
            )
        })?;
    }
    Ok(())
}

/// Every page by its file name, the main one first.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = Cli::command().disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    gather(root, &mut pages)?;
    Ok(pages)
}

fn gather(command: clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let inner: Vec<_> =
        command.get_subcommands().filter(|inner| !inner.is_hide_set()).cloned().collect();
    let title = command.get_display_name().unwrap_or("lapsed").to_owned();
    let is_main = pages.is_empty();
    let man = Man::new(command).title(title.to_uppercase()).manual("lapsed");
    let mut page = Vec::new();
    man.render(&mut page)?;
    if is_main {
        exit_status(&mut page)?;
        files(&mut page)?;
    }
    pages.push((format!("{title}.1"), page));
    inner.into_iter().try_for_each(|inner| gather(inner, pages))
}

fn exit_status(page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH \"EXIT STATUS\"")?;
    for exit in Exit::ALL {
        writeln!(page, ".TP\n\\fB{}\\fR\n{}", exit.code(), exit.meaning())?;
    }
    Ok(())
}

fn files(page: &mut Vec<u8>) -> io::Result<()> {
    writeln!(page, ".SH FILES")?;
    writeln!(page, ".TP\n\\fI{DEFAULT_CONFIG}\\fR\nThe configuration.")?;
    writeln!(page, ".TP\n\\fI{DEFAULT_SOCKET}\\fR\nThe daemon\\(aqs socket.")
}
