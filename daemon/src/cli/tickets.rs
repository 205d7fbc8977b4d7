//! `lapsed tickets`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};

pub(super) async fn tickets(client: &Client, output: Output) -> Outcome {
    output.print(&client.tickets().await?)?;
    Ok(Exit::Fine)
}
