//! `lapsed completions`: packagers call it once; the script is then part of the package.

use super::exit::Exit;
use super::output::Output;
use super::{Cli, Outcome};
use clap::CommandFactory;
use clap_complete::Shell;

/// For which shell.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  lapsed completions bash > /usr/share/bash-completion/completions/lapsed"
)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn completions(output: Output, args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "lapsed", &mut script);
    output.raw(&script)?;
    Ok(Exit::Fine)
}
