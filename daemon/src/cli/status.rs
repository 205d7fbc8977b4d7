//! `lapsed status`.

use super::exit::Exit;
use super::output::Output;
use super::{Client, Outcome};

pub(super) async fn status(client: &Client, output: Output) -> Outcome {
    let view = client.status().await?;
    output.print(&view)?;
    Ok(if view.attention.is_empty() { Exit::Fine } else { Exit::Attention })
}
