//! `lapsed restore`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};
use crate::views::{DecisionRequest, RestoreRequest};

/// What a mistaken departure took, and the consent to put it back.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Only what its own source took back, or moved to a later day, is put back. Without --consent \
                  nothing is changed: the plan is shown and waits, with its hash. Who consents is \
                  access.restore.consent.\n\nExamples:\n  lapsed restore mzsmitj\n  lapsed restore mzsmitj \
                  --consent 3f9c01ab77de --reason \"Typo, confirmed with HR\""
)]
pub struct RestoreArgs {
    /// User ID, employee number, person id, or the id of the departure's case
    who: String,
    /// Consent to the plan with this hash; its first twelve characters are enough
    #[arg(long, value_name = "PLAN", requires = "reason")]
    consent: Option<String>,
    /// Why; goes on record
    #[arg(long, value_name = "TEXT", requires = "consent")]
    reason: Option<String>,
}

pub(super) async fn restore(client: &Client, output: Output, args: RestoreArgs) -> Outcome {
    let RestoreArgs { who: person, consent, reason } = args;
    match consent {
        Some(hash) => {
            let reason = reason.unwrap_or_default();
            output.print(&client.consent_restore(&DecisionRequest { hash, reason }).await?)?;
        }
        None => output.print(&client.restore(&RestoreRequest { person }).await?)?,
    }
    Ok(Exit::Fine)
}
