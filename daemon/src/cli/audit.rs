//! `lapsed audit`.

use super::exit::Exit;
use super::output::{Failure, Output};
use super::progress::Working;
use super::{Client, Outcome};
use crate::control::server::MOST_AUDIT_ROWS;
use crate::views::AuditRowView;

/// What about the audit.
#[derive(Debug, clap::Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    what: AuditCommand,
}

#[derive(Debug, clap::Subcommand)]
enum AuditCommand {
    /// List rows of the audit, oldest first
    #[command(after_help = "Example:\n  lapsed audit list --person mzsmitj")]
    List {
        /// Only rows about this person
        #[arg(long, value_name = "WHO")]
        person: Option<String>,
        /// Only rows after this one
        #[arg(long, value_name = "ROW", default_value_t = 0)]
        after: u64,
        /// At most so many rows
        #[arg(long, value_name = "COUNT", default_value_t = 100,
              value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_AUDIT_ROWS)))]
        limit: u32,
    },
    /// Check the whole chain: was a row changed, removed, moved or cut off?
    #[command(
        after_help = "Ends with 3 when anything is found.\n\nExample:\n  lapsed audit verify"
    )]
    Verify,
    /// Write all rows as JSON, one a line
    #[command(after_help = "Example:\n  lapsed audit export > audit-2026.jsonl")]
    Export {
        /// Only rows about this person
        #[arg(long, value_name = "WHO")]
        person: Option<String>,
        /// Only rows after this one
        #[arg(long, value_name = "ROW", default_value_t = 0)]
        after: u64,
    },
}

pub(super) async fn audit(client: &Client, output: Output, args: &AuditArgs) -> Outcome {
    match &args.what {
        AuditCommand::List { person, after, limit } => {
            output.print(&client.audit(*after, *limit, person.as_deref()).await?)?;
        }
        AuditCommand::Verify => {
            let working = Working::on("Reading the whole audit");
            let view = client.audit_verify().await;
            working.end();
            let view = view?;
            output.print(&view)?;
            return Ok(if view.sound { Exit::Fine } else { Exit::Attention });
        }
        AuditCommand::Export { person, after } => {
            export(client, output, person.as_deref(), *after).await?;
        }
    }
    Ok(Exit::Fine)
}

async fn export(
    client: &Client,
    output: Output,
    person: Option<&str>,
    mut after: u64,
) -> Result<(), Failure> {
    let mut own_look = None;
    loop {
        let page = client.audit(after, MOST_AUDIT_ROWS, person).await?;
        let Some(last) = page.rows.last() else { return Ok(()) };
        // Each look is on record itself: it would be followed for ever.
        let is_own = |row: &AuditRowView| {
            row.event == "call.answered"
                && own_look.as_ref().is_some_and(|look| row.detail.contains(look))
        };
        if page.rows.iter().all(is_own) {
            return Ok(());
        }
        own_look = Some(format!("/v1/audit?after={after}&"));
        if last.seq <= after {
            return Err(stuck(after));
        }
        after = last.seq;
        let mut lines = Vec::new();
        for row in &page.rows {
            serde_json::to_writer(&mut lines, row).map_err(|problem| {
                Failure::caused(&problem, "Report this as a mistake in lapsed.")
            })?;
            lines.push(b'\n');
        }
        output.raw(&lines)?;
    }
}

fn stuck(after: u64) -> Failure {
    Failure::new(
        Exit::Failure,
        format!("the daemon sends no rows beyond {after}, and yet says that there are some"),
        "Check the audit with `lapsed audit verify`.",
    )
}
