//! The commands: parse, call, print, exit code; one file a command.

mod adopt;
mod approvals;
mod audit;
mod backup;
mod check;
mod completions;
mod confirm;
pub mod connect;
mod deletions;
mod depart;
mod due;
mod envelope;
mod evidence;
pub mod exit;
mod findings;
mod form;
mod helper;
mod hold;
mod man;
mod notices;
pub mod output;
mod person;
mod plan;
mod plans;
mod progress;
mod reload;
pub mod render;
mod report;
mod requests;
mod restore;
mod run;
mod set_aside;
mod simulate;
mod status;
mod suspend;
mod tickets;
mod upload;
mod user_id;
mod wishes;

pub use check::CheckArgs;
pub use plan::PlanArgs;
pub use run::RunArgs;
pub use simulate::SimulateArgs;
pub use user_id::UserIdArgs;

use crate::control::client::Client;
use clap::{Args, Parser, Subcommand};
use exit::Exit;
use output::{Failure, Format, Output};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a command ends.
pub type Outcome = Result<Exit, Failure>;

/// When someone leaves, their access lapses.
///
/// HR drops a file, and leavers are disabled and out of all groups within seconds; the deletion of
/// mailbox and home is on the calendar, each date with its reason and the clause it carries out.
/// Begin with `lapsed status`.
#[derive(Debug, Parser)]
#[command(name = "lapsed", version, max_term_width = 100, propagate_version = true)]
pub struct Cli {
    /// What all commands take.
    #[command(flatten)]
    pub globals: Globals,
    /// Which command.
    #[command(subcommand)]
    pub command: Command,
}

const EVERYWHERE: &str = "For every command";

/// What all commands take.
#[derive(Debug, Clone, Args)]
pub struct Globals {
    /// The configuration [default: /etc/lapsed/config.yaml]
    #[arg(long, global = true, value_name = "PATH", help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// The daemon's socket [default: `control.socket` of the configuration]
    #[arg(long, global = true, value_name = "PATH", help_heading = EVERYWHERE)]
    pub socket: Option<PathBuf>,
    /// Tables for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t, help_heading = EVERYWHERE)]
    pub format: Format,
}

impl Globals {
    /// The configuration's path, named or default.
    #[must_use]
    pub fn config_path(&self) -> &Path {
        self.config.as_deref().unwrap_or(Path::new(connect::DEFAULT_CONFIG))
    }
    /// How to print.
    #[must_use]
    pub fn output(&self) -> Output {
        Output::standard(self.format)
    }
    fn client(&self) -> Result<Client, Failure> {
        connect::client(self.socket.as_deref(), self.config.as_deref())
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Those that need no daemon.
    #[command(flatten)]
    Local(LocalCommand),
    /// Those that ask the daemon.
    #[command(flatten)]
    Asked(AskedCommand),
}

/// Commands that need no daemon. All but `run` with its helpers, and `backup` and `restore-state`, write nothing.
#[derive(Debug, Subcommand)]
pub enum LocalCommand {
    /// Check the configuration, all mistakes at once, and then every connector
    Check(CheckArgs),
    /// Show what would be done now; nothing is written
    Plan(PlanArgs),
    /// Show what will happen day by day; nothing is written
    Simulate(SimulateArgs),
    /// Show which user ID a name would get; nothing is reserved
    UserId(UserIdArgs),
    /// Run the daemon
    Run(RunArgs),
    /// Copy the state into a folder, beside a running daemon
    Backup(backup::BackupArgs),
    /// Put a copy of the state back, while the daemon is stopped
    RestoreState(backup::RestoreStateArgs),
    /// Delete homes for the daemon: one request on standard input, which is its socket
    #[command(hide = true)]
    Helper(helper::HelperArgs),
    /// Start programs for the daemon: one request on standard input, which is its socket
    #[command(hide = true)]
    CommandHelper(helper::HelperArgs),
    /// Print shell completions
    #[command(hide = true)]
    Completions(completions::CompletionsArgs),
    /// Print the man page, or write all of them into a folder
    #[command(hide = true)]
    Man(man::ManArgs),
}

/// Commands that ask the daemon, over its socket.
#[derive(Debug, Subcommand)]
pub enum AskedCommand {
    /// Show whether all is well, and what to do where it is not
    #[command(
        after_help = "Ends with 3 when something needs a person.\n\nExample:\n  lapsed status"
    )]
    Status,
    /// Show the calendar: what is due when, and why
    Due(due::DueArgs),
    /// Show everything about one person
    Person(person::PersonArgs),
    /// List plans, or show one
    Plans(plans::PlansArgs),
    /// Release a held plan: it is carried out
    Release(plans::DecisionArgs),
    /// Reject a held plan: it is not carried out
    Reject(plans::DecisionArgs),
    /// End someone's access now, or after their last day
    Depart(depart::DepartArgs),
    /// Put back what a mistaken departure took, by consent
    Restore(restore::RestoreArgs),
    /// Stop someone's access for a while, at once: by order, or for a leave
    Suspend(suspend::SuspendArgs),
    /// Lift what stops someone's access: what it shut is opened again
    Unsuspend(suspend::UnsuspendArgs),
    /// List whose access is stopped for a while, and why
    #[command(after_help = "Example:\n  lapsed suspensions")]
    Suspensions,
    /// List what the nightly audit found, look now, settle a finding
    Findings(findings::FindingsArgs),
    /// Show who holds what in your charge; write the rosters and the yearly report
    Report(report::ReportArgs),
    /// Place, lift or list holds: nothing of a person on hold is deleted
    Hold(hold::HoldArgs),
    /// Give a leaver's mailbox to somebody to read, or take it back
    Delegate(wishes::DelegateArgs),
    /// Keep files or mail of a leaver for good, or no longer
    Keep(wishes::KeepArgs),
    /// Stop all deletions, or all giving, at once
    Pause(deletions::PauseArgs),
    /// Let deletions, or giving, go on
    Resume(deletions::PauseArgs),
    /// Show an access form, file one, or list them
    Form(form::FormArgs),
    /// Record that somebody signed or did what access waits for
    Gate(form::GateArgs),
    /// List what others were asked to do, and where that stands
    Requests(requests::RequestsArgs),
    /// Show which access forms wait for you
    Approvals(approvals::ApprovalsArgs),
    /// Say yes to an access form
    Approve(approvals::ApproveArgs),
    /// Say no to an access form
    Deny(approvals::DenyArgs),
    /// Have somebody decide in your place while you are away
    Away(approvals::AwayArgs),
    /// Show first passwords that are sealed for you, each once
    Envelope(envelope::EnvelopeArgs),
    /// File the answer of those who were asked, with its document
    Confirm(confirm::ConfirmArgs),
    /// List and settle rows that were set aside
    SetAside(set_aside::SetAsideArgs),
    /// Show who was told what by mail, and what waits
    Notices(notices::NoticesArgs),
    /// List tickets at the help desk, and those that wait to be opened
    #[command(after_help = "Example:\n  lapsed tickets")]
    Tickets,
    /// Write everything about one person's access, with its proof, as a page and as JSON
    Evidence(evidence::EvidenceArgs),
    /// Show who was cut off later than the policy allows, and how long it takes
    Late(evidence::LateArgs),
    /// Read, verify or export the audit
    Audit(audit::AuditArgs),
    /// Match the directory to a first full feed, before the first run
    Adopt(adopt::AdoptArgs),
    /// Have the daemon read its configuration again
    #[command(
        after_help = "The old configuration stays in use when the new one is not sound.\n\nExample:\n  lapsed reload"
    )]
    Reload,
}

/// Parses the command line, carries the command out, and says how it ended.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(problem) => return usage(&problem).into(),
    };
    let format = cli.globals.format;
    match cli.carry_out() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            failure.print(format);
            failure.exit.into()
        }
    }
}

/// Help and version are asked for and fine; anything else is a wrong command line.
fn usage(problem: &clap::Error) -> Exit {
    // Where the message can't be written, the exit code is all that is left.
    let _ = problem.print();
    if problem.use_stderr() { Exit::Usage } else { Exit::Fine }
}

impl Cli {
    /// Carries the command out.
    ///
    /// # Errors
    /// The sentence to print, with advice and exit code.
    pub fn carry_out(self) -> Outcome {
        let Self { globals, command } = self;
        let output = globals.output();
        match command {
            Command::Local(LocalCommand::Run(args)) => run::run(&globals, &args),
            Command::Local(LocalCommand::Backup(args)) => backup::backup(&globals, &args),
            Command::Local(LocalCommand::RestoreState(args)) => {
                backup::restore_state(&globals, &args)
            }
            Command::Local(LocalCommand::Check(args)) => check::check(&globals, &args),
            Command::Local(LocalCommand::Plan(args)) => plan::plan(&globals, &args),
            Command::Local(LocalCommand::Simulate(args)) => simulate::simulate(&globals, &args),
            Command::Local(LocalCommand::UserId(args)) => user_id::user_id(&globals, &args),
            Command::Local(LocalCommand::Helper(args)) => helper::homes(&globals, &args),
            Command::Local(LocalCommand::CommandHelper(args)) => helper::commands(&globals, &args),
            Command::Local(LocalCommand::Completions(args)) => {
                completions::completions(output, &args)
            }
            Command::Local(LocalCommand::Man(args)) => man::man(output, &args),
            Command::Asked(asked) => waited(ask(asked, &globals.client()?, output))?,
        }
    }
}

/// Carries out a command by asking a daemon: over its socket, or one within this process.
///
/// # Errors
/// The sentence to print, with advice and exit code.
pub async fn ask(command: AskedCommand, client: &Client, output: Output) -> Outcome {
    match command {
        AskedCommand::Status => status::status(client, output).await,
        AskedCommand::Due(args) => due::due(client, output, &args).await,
        AskedCommand::Person(args) => person::person(client, output, &args).await,
        AskedCommand::Plans(args) => plans::plans(client, output, &args).await,
        AskedCommand::Release(args) => plans::release(client, output, args).await,
        AskedCommand::Reject(args) => plans::reject(client, output, args).await,
        AskedCommand::Depart(args) => depart::depart(client, output, args).await,
        AskedCommand::Restore(args) => restore::restore(client, output, args).await,
        AskedCommand::Suspend(args) => suspend::suspend(client, output, args).await,
        AskedCommand::Unsuspend(args) => suspend::unsuspend(client, output, args).await,
        AskedCommand::Suspensions => suspend::suspensions(client, output).await,
        AskedCommand::Findings(args) => findings::findings(client, output, args).await,
        AskedCommand::Report(args) => report::report(client, output, args).await,
        AskedCommand::Hold(args) => hold::hold(client, output, args).await,
        AskedCommand::Delegate(args) => wishes::delegate(client, output, args).await,
        AskedCommand::Keep(args) => wishes::keep(client, output, args).await,
        AskedCommand::Pause(args) => deletions::pause(client, output, args).await,
        AskedCommand::Resume(args) => deletions::resume(client, output, args).await,
        AskedCommand::Form(args) => form::form(client, output, args).await,
        AskedCommand::Gate(args) => form::gate(client, output, args).await,
        AskedCommand::Requests(args) => requests::requests(client, output, &args).await,
        AskedCommand::Approvals(args) => approvals::approvals(client, output, args).await,
        AskedCommand::Approve(args) => approvals::approve(client, output, args).await,
        AskedCommand::Deny(args) => approvals::deny(client, output, args).await,
        AskedCommand::Away(args) => approvals::away(client, output, args).await,
        AskedCommand::Envelope(args) => envelope::envelope(client, output, &args).await,
        AskedCommand::Confirm(args) => confirm::confirm(client, output, &args).await,
        AskedCommand::SetAside(args) => set_aside::set_aside(client, output, args).await,
        AskedCommand::Notices(args) => notices::notices(client, output, &args).await,
        AskedCommand::Tickets => tickets::tickets(client, output).await,
        AskedCommand::Evidence(args) => evidence::evidence(client, output, &args).await,
        AskedCommand::Late(args) => evidence::late(client, output, &args).await,
        AskedCommand::Audit(args) => audit::audit(client, output, &args).await,
        AskedCommand::Adopt(args) => adopt::adopt(client, output, &args).await,
        AskedCommand::Reload => reload::reload(client, output).await,
    }
}

/// Waits for something asynchronous on this thread alone: a command asks one question at a time.
fn waited<F: Future>(asked: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|problem| {
        Failure::caused(&problem, "The machine is out of memory or of file handles.")
    })?;
    Ok(runtime.block_on(asked))
}

#[cfg(test)]
mod tests;
