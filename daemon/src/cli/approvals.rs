//! `lapsed approvals`, `lapsed approve`, `lapsed deny` and `lapsed away`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::{ApproveRequest, AwayRequest, DenyRequest, EndAwayRequest};
use jiff::civil::Date;

/// What waits for whoever calls.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  lapsed approvals\n  lapsed approvals --form 12\n\nDecide with `lapsed approve` or `lapsed deny`."
)]
pub struct ApprovalsArgs {
    /// One form only, also where it does not wait for you
    #[arg(long, value_name = "NUMBER")]
    form: Option<u64>,
}

/// Which form, and as what.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The decision is bound to the form as it stands. With --hash it is refused where the form was \
                  written anew since you looked.\n\nExample:\n  lapsed approve 12 --hash 3f9c01ab"
)]
pub struct ApproveArgs {
    #[command(flatten)]
    which: Which,
}

/// Which form, as what, and why not.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A denial ends what waits for you or for those after you; whoever asked is told the reason.\n\n\
                  Example:\n  lapsed deny 12 --reason \"Her duties need no PHI\""
)]
pub struct DenyArgs {
    #[command(flatten)]
    which: Which,
    /// Why; whoever asked is told
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The form's number, as `lapsed approvals` shows it
    form: u64,
    /// As what, where you could decide as several
    #[arg(long = "as", value_name = "ROLE")]
    role: Option<String>,
    /// The beginning of the hash that `lapsed approvals` showed when you looked at the form
    #[arg(long, value_name = "PREFIX")]
    hash: Option<String>,
}

/// Who decides meanwhile.
#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  lapsed away --from 2026-12-21 --until 2027-01-02 --deputy mzdoej\n  lapsed away list\n  \
                  lapsed away end 0191d5a0"
)]
pub struct AwayArgs {
    #[command(subcommand)]
    what: Option<AwayCommand>,
    #[command(flatten)]
    absence: Option<AbsenceArgs>,
}

#[derive(Debug, clap::Args)]
struct AbsenceArgs {
    /// First day
    #[arg(long, value_name = "DATE")]
    from: Date,
    /// Last day
    #[arg(long, value_name = "DATE")]
    until: Date,
    /// Who decides meanwhile, by their log-on name on this machine
    #[arg(long, value_name = "USER")]
    deputy: String,
    /// In this role only
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Who is away, where it is not you; for operators, with --role, and with somebody else as deputy
    #[arg(long = "for", value_name = "USER")]
    who: Option<String>,
}

#[derive(Debug, clap::Subcommand)]
enum AwayCommand {
    /// List absences: yours, and those in which you decide
    List,
    /// End an absence
    End {
        /// Its id or the beginning of it, as `away list` shows it
        id: String,
    },
}

pub(super) async fn approvals(client: &Client, output: Output, args: ApprovalsArgs) -> Outcome {
    output.print(&client.approvals(args.form).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn approve(client: &Client, output: Output, args: ApproveArgs) -> Outcome {
    let hash = seen(client, &args.which).await?;
    let Which { form, role, .. } = args.which;
    output.print(&client.approve(&ApproveRequest { form, role, hash }).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn deny(client: &Client, output: Output, args: DenyArgs) -> Outcome {
    let hash = seen(client, &args.which).await?;
    let Which { form, role, .. } = args.which;
    let reason = args.reason;
    output.print(&client.deny(&DenyRequest { form, role, hash, reason }).await?)?;
    Ok(Exit::Fine)
}

/// Binds a decision to the form as it is shown now, where no hash was given.
async fn seen(client: &Client, which: &Which) -> Result<String, super::Failure> {
    if let Some(hash) = &which.hash {
        return Ok(hash.clone());
    }
    let shown = client.approvals(Some(which.form)).await?;
    Ok(shown.waiting.into_iter().next().map(|form| form.hash).unwrap_or_default())
}

pub(super) async fn away(client: &Client, output: Output, args: AwayArgs) -> Outcome {
    match (args.what, args.absence) {
        (Some(AwayCommand::End { id }), _) => {
            output.print(&client.end_away(&EndAwayRequest { id }).await?)?;
        }
        (None, Some(AbsenceArgs { from, until, deputy, role, who })) => {
            let request = AwayRequest { who, deputy, role, from, until };
            output.print(&client.away(&request).await?)?;
        }
        (Some(AwayCommand::List), _) | (None, None) => {
            output.print(&client.absences().await?)?;
        }
    }
    Ok(Exit::Fine)
}
